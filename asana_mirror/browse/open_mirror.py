"""Opens a mirror in Datasette: read-only, live, described."""

from __future__ import annotations

import sqlite3
from importlib import import_module
from pathlib import Path

from datasette.app import Datasette  # type: ignore[import-untyped]
from datasette.database import Database  # type: ignore[import-untyped]
from datasette.plugins import pm  # type: ignore[import-untyped]

from asana_mirror.browse import cells
from asana_mirror.browse.describe import STATIC_MOUNT, metadata_for
from asana_mirror.store import check_mirror

# What is never shown, however it is asked for. Pages as they lie in the file would show it, where SQLite offers them.
HIDDEN = {("sync_webhooks", "secret"), ("sqlite_dbpage", "data")}

# Datasette would print each wrong address as a traceback with all local variables.
import_module("datasette.handle_exception").rich = None  # type: ignore[attr-defined]

STATIC = Path(__file__).resolve().parent / "static"

# https://docs.datasette.io/en/0.65.1/settings.html
SETTINGS: dict[str, int | bool] = {
    "sql_time_limit_ms": 3000,  # a sorted view of 600,000 stories on a slow disk
    "facet_time_limit_ms": 1000,
    "suggest_facets": False,  # costs every wide page up to 50 ms a column; the useful facets are described
    "default_facet_size": 12,
    "truncate_cells_html": 300,  # notes would push all else off the page; a row's own page shows them whole
    "cache_size_kb": 32_000,
    "max_csv_mb": 500,
    "allow_download": False,  # copying a file that is being written gives a broken one
}


class MirrorFile(Database):  # type: ignore[misc] # Datasette has no types
    """A mirror that a sync may be writing: read-only, never immutable, whatever its name.

    Datasette puts the path into a URI unquoted, so that `#`, `?` or `%` in it would open another file.
    """

    def connect(self, write: bool = False) -> sqlite3.Connection:
        if write:
            raise PermissionError("The mirror is written by syncing only.")
        connection = connect_read_only(Path(self.path))
        self._all_file_connections.append(connection)
        return connection


def connect_read_only(mirror: Path) -> sqlite3.Connection:
    """A connection that cannot write, and to which hidden columns are NULL."""
    address = f"{mirror.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(address, uri=True, check_same_thread=False)
    connection.set_authorizer(_allowed)
    return connection


def _allowed(action: int, table: str | None, column: str | None, *_: str | None) -> int:
    """Asked once for each column when a statement is prepared: https://www.sqlite.org/c3ref/set_authorizer.html"""
    is_hidden = action == sqlite3.SQLITE_READ and (table, column) in HIDDEN
    return sqlite3.SQLITE_IGNORE if is_hidden else sqlite3.SQLITE_OK


def database_name(mirror: Path) -> str:
    """What Datasette calls the mirror: its stem, unless that is one of Datasette's own names."""
    stem = mirror.stem.encode("utf-8", "replace").decode()
    return f"{stem}-mirror" if stem in ("_internal", "_memory", "-") else stem


def datasette_for(mirror: Path) -> Datasette:
    """Datasette on one mirror. Raises NotAMirror or MirrorTooNew where it is none of ours."""
    check_mirror(mirror, must_exist=True)
    name = database_name(mirror)
    if not pm.has_plugin(cells.PLUGIN):
        pm.register(cells, cells.PLUGIN)
    datasette = Datasette(
        files=[], metadata=metadata_for(name), settings=SETTINGS, static_mounts=[(STATIC_MOUNT, str(STATIC))]
    )
    datasette.remove_database("_memory")  # made wherever no file is named
    datasette.add_database(MirrorFile(datasette, path=str(mirror.absolute())), name=name)
    return datasette


def close(datasette: Datasette) -> None:
    """Let running queries end and close the file."""
    if datasette.executor is not None:
        datasette.executor.shutdown(wait=True)
    for database in datasette.databases.values():
        database.close()

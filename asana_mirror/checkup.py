"""Looks at a mirror without writing: can it be opened, is it whole, how did its last run end, what does it know."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asana_mirror.catalog import LISTINGS, RESOURCES, Embedded, Listing
from asana_mirror.errors import MirrorError, WrongUsage
from asana_mirror.store.opening import looked_into, steps, wal_of
from asana_mirror.store.standing import ALIVE

SOME = 2  # records, parents, owners: the first may be gone by now
COMPLAINTS = 5  # of an integrity check; one is enough to know


@dataclass
class Remembered:
    """What a mirror knows that helps to find a record of each resource."""

    by_resource: dict[str, list[str]] = field(default_factory=dict)
    by_listing: dict[str, list[tuple[str, str | None]]] = field(default_factory=dict)
    by_embedded: dict[Embedded, list[str]] = field(default_factory=dict)

    def gids(self, resource: str) -> list[str]:
        return self.by_resource.get(resource, [])

    def places(self, listing: Listing) -> list[tuple[str, str | None]]:
        return self.by_listing.get(listing.name, [])

    def owners(self, embedded: Embedded) -> list[str]:
        return self.by_embedded.get(embedded, [])


@dataclass
class MirrorFile:
    """The state of a mirror's file."""

    path: Path
    exists: bool = False  # with something in it
    schema_version: int | None = None
    complaints: list[str] = field(default_factory=list)  # of SQLite's integrity check
    last_run: dict[str, Any] | None = None
    bytes: int = 0
    free_bytes: int | None = None
    trouble: MirrorError | None = None  # why it cannot be looked into
    remembered: Remembered = field(default_factory=Remembered)

    @property
    def is_broken(self) -> bool:
        """Whether the next sync could not go on with it; one that is older is upgraded by it."""
        return bool(self.complaints) or (self.trouble is not None and type(self.trouble) is not WrongUsage)


def look_at(path: Path) -> MirrorFile:
    """All that can be told of the file; what keeps it from being told is told as well.

    It is looked at without a trace; once more, as beside any run, if one began meanwhile.
    """
    was_open = wal_of(path).exists()
    found = _look_at(path, without_trace=True)
    if not was_open and wal_of(path).exists():
        return _look_at(path, without_trace=False)
    return found


def _look_at(path: Path, *, without_trace: bool) -> MirrorFile:
    found = MirrorFile(path)
    if path.parent.is_dir():
        found.free_bytes = shutil.disk_usage(path.parent).free
    if not path.exists():
        return found
    found.bytes = path.stat().st_size if path.is_file() else 0
    found.exists = found.bytes > 0 or not path.is_file()
    if not found.exists:  # an empty file is where a first sync may begin
        return found
    try:
        with looked_into(path, without_trace=without_trace) as connection:
            found.schema_version = len(steps())  # or it would not have been opened
            checked = connection.execute(f"PRAGMA quick_check({COMPLAINTS})").fetchall()
            found.complaints = [text for (text,) in checked if text != "ok"]
            found.last_run = _last_run(connection)
            found.remembered = _remembered(connection)
    except MirrorError as trouble:
        found.trouble = trouble
    return found


def _last_run(connection: sqlite3.Connection) -> dict[str, Any] | None:
    columns = ("id", "mode", "outcome", "started_at", "ended_at")
    row = connection.execute(
        f"SELECT {', '.join(columns)} FROM sync_runs ORDER BY id DESC LIMIT 1"
    ).fetchone()
    return dict(zip(columns, row, strict=True)) if row else None


def _remembered(connection: sqlite3.Connection) -> Remembered:
    """Those that came last are most likely still there; rows of links stand in no such order."""

    def some(resource: str, columns: Iterable[str], where: str) -> list[tuple[Any, ...]]:
        sql = f"SELECT {', '.join(columns)} FROM {resource} WHERE {where} ORDER BY rowid DESC LIMIT {SOME}"
        return connection.execute(sql).fetchall()

    found = Remembered()
    for name in RESOURCES:
        found.by_resource[name] = [gid for (gid,) in some(name, ["gid"], ALIVE)]
    for listing in LISTINGS.values():
        if isinstance(listing.stands, tuple):
            table, column = listing.stands
            owners = connection.execute(f"SELECT {column} FROM {table} LIMIT {SOME}").fetchall()
            found.by_listing[listing.name] = [(gid, None) for (gid,) in owners]
        elif listing.stands and listing.below:
            columns = [listing.stands, listing.part or "NULL"]
            where = [ALIVE, f"{listing.stands} IS NOT NULL", *_constants(listing.fills)]
            found.by_listing[listing.name] = some(listing.resource, columns, " AND ".join(where))
    for embedded in (one for entry in RESOURCES.values() for one in entry.embedded):
        if embedded.parent:
            where = [ALIVE, *_constants(embedded.within)]
            owners = some(embedded.resource, [embedded.parent], " AND ".join(where))
            found.by_embedded[embedded] = [gid for (gid,) in owners]
    return found


def _constants(fills: Iterable[tuple[str, str]]) -> list[str]:
    """What is the same of all that stand in a kind of list."""
    return [f"{column} = '{value}'" for column, value in fills if "{" not in value]

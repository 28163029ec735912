"""What a mirror tells about itself, read without writing."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from asana_mirror.catalog import RESOURCES
from asana_mirror.store.absence import ALIVE
from asana_mirror.store.opening import check_mirror, translated

State = dict[str, Any]


def read_state(path: Path, *, runs: int = 5) -> State:
    """Runs, rows, cursors, what cannot be read, announced changes: plain dicts and lists, ready for JSON."""
    check_mirror(path, must_exist=True)
    with translated(path):
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=30.0)
        connection.row_factory = sqlite3.Row
        try:
            return {
                "mirror": str(path),
                "bytes": path.stat().st_size,
                "runs": _rows(connection, "SELECT * FROM sync_runs ORDER BY id DESC LIMIT ?", [runs]),
                "tables": {name: _count(connection, name) for name in RESOURCES},
                "cursors": _rows(
                    connection,
                    "SELECT name AS listing, count(*) AS listings, sum(due) AS still_due, "
                    "sum(refused IS NOT NULL) AS refused, min(last_walked_at) AS oldest_walk, "
                    "max(last_walked_at) AS newest_walk, sum(cursor IS NOT NULL) AS with_cursor "
                    "FROM sync_checkpoints GROUP BY name ORDER BY min(rank), name",
                ),
                "problems": _rows(
                    connection,
                    "SELECT listing, resource, status, message, since, last_seen_at, times FROM sync_problems "
                    "ORDER BY resource, listing",
                ),
                "undecoded": _rows(
                    connection, "SELECT resource, gid, error, since, times FROM sync_undecoded ORDER BY since"
                ),
                "api_changes": _rows(
                    connection,
                    "SELECT header, name, info, affected, value, endpoint, first_seen_at, last_seen_at "
                    "FROM sync_api_changes ORDER BY first_seen_at",
                ),
                "requests": _rows(
                    connection,
                    "SELECT endpoint, requests, refused, records, bytes FROM sync_requests "
                    "WHERE run_id = (SELECT max(id) FROM sync_runs) ORDER BY requests DESC",
                ),
            }
        finally:
            connection.close()


def _rows(connection: sqlite3.Connection, sql: str, parameters: list[Any] | None = None) -> list[State]:
    return [dict(row) for row in connection.execute(sql, parameters or [])]


def _count(connection: sqlite3.Connection, table: str) -> State:
    (living, stubs, tombstones) = connection.execute(
        f"SELECT sum({ALIVE}), sum(_synced_at IS NULL), sum(_deleted_at IS NOT NULL) FROM {table}"
    ).fetchone()
    return {"living": living or 0, "stubs": stubs or 0, "tombstones": tombstones or 0}

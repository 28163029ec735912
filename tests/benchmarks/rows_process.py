"""Writes the rows of a mirror into an empty one, by bare executemany: 1,000 rows a transaction."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from spent import Spent

from asana_mirror.store import Mirror

ROWS_A_TRANSACTION = 1000
Row = tuple[Any, ...]


def tables(source: sqlite3.Connection) -> list[str]:
    """All tables of resources and links, those first to which others refer."""
    names = [row[0] for row in source.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    left = {
        name: {row[2] for row in source.execute(f"PRAGMA foreign_key_list({name})")} - {name}
        for name in names
        if not name.startswith(("sync_", "sqlite_")) and "_fts" not in name
    }
    ordered: list[str] = []
    while left:
        ready = [name for name, needed in left.items() if needed <= {*ordered}]
        if not ready:
            raise LookupError(f"These tables refer to each other in a circle: {', '.join(left)}")
        ordered += ready
        for name in ready:
            del left[name]
    return ordered


def rows_of(source: sqlite3.Connection, table: str) -> list[Row]:
    """All rows, those first to which others of the same table refer."""
    found = source.execute(f"SELECT * FROM {table}")
    columns = [column[0] for column in found.description]
    rows: list[Row] = found.fetchall()
    foreign_keys = source.execute(f"PRAGMA foreign_key_list({table})")
    to_itself = [columns.index(key[3]) for key in foreign_keys if key[2] == table]
    if not to_itself:
        return rows
    ordered: list[Row] = []
    while rows:
        later = {row[0] for row in rows}
        waiting = [row for row in rows if any(row[place] in later for place in to_itself)]
        if len(waiting) == len(rows):
            return ordered + rows
        held = {row[0] for row in waiting}
        ordered += [row for row in rows if row[0] not in held]
        rows = waiting
    return ordered


def write(mirror: Mirror, table: str, rows: list[Row]) -> None:
    sql = f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})"
    for some in _chunks(rows):
        with mirror.atomic():
            mirror.db.conn.executemany(sql, some)


def _chunks(rows: list[Row]) -> Iterator[list[Row]]:
    return (rows[start : start + ROWS_A_TRANSACTION] for start in range(0, len(rows), ROWS_A_TRANSACTION))


def main() -> None:
    order = json.loads(sys.argv[1])
    mirror, spent, written = Mirror(Path(order["target"])), Spent(), 0
    mirror.search.put_off()
    with closing(sqlite3.connect(order["source"])) as source:
        for table in tables(source):
            rows = rows_of(source, table)
            written += len(rows)
            if rows:
                with spent.measured():
                    write(mirror, table, rows)
    with spent.measured():
        mirror.search.catch_up()
        mirror.close()
    sys.stdout.write(json.dumps({**spent.as_json(), "rows": written}) + "\n")


if __name__ == "__main__":
    main()

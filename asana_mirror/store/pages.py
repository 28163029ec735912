"""Rows, links and stubs of a page: compared with what is there, written only where something differs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import orjson
from sqlite_utils import Database

from asana_mirror.catalog import RESOURCES, Links, Resource, Row
from asana_mirror.store.memory import Memory
from asana_mirror.store.purged import PurgedPeople
from asana_mirror.words import Batch

_BOOKKEEPING = "_extra"


@dataclass
class Tally:
    """What writing changed, in rows."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0

    def add(self, other: Tally) -> None:
        self.inserted += other.inserted
        self.updated += other.updated
        self.unchanged += other.unchanged


@dataclass
class Written:
    """What a batch changed: who was not here or not alive, and the rows of the others as they stood before."""

    tally: Tally = field(default_factory=Tally)
    born: dict[str, set[str]] = field(default_factory=dict)  # resource → gids
    returned: set[str] = field(default_factory=set)  # of the born, those that were tombstones
    before: dict[str, dict[str, Row]] = field(
        default_factory=dict
    )  # resource → gid → row, where something differs


class Pages:
    """Writes batches. Always inside the caller's transaction, together with the checkpoint."""

    def __init__(self, db: Database, memory: Memory, purged: PurgedPeople) -> None:
        self._db = db
        self._memory = memory
        self._purged = purged

    def write(self, batch: Batch, *, run_id: int, now: str) -> Written:
        """Upsert the batch: what differs from what is there. Who was purged does not come back."""
        batch = self._purged.erasure().batch(batch)
        self._write_actors(batch)
        self._write_stubs(batch)
        written = Written()
        for name, rows in batch.rows.items():
            self._write_rows(RESOURCES[name], rows, batch, run_id, now, written)
        return written

    def write_positions(
        self, table: str, owner: str, parent: str, parent_gid: str, positions: Iterable[tuple[str, int]]
    ) -> None:
        """Keep the order in which a listing gave its records, in the link that leads to them."""
        self._db.conn.executemany(
            f"UPDATE {table} SET position = ?1 WHERE {owner} = ?2 AND {parent} = ?3 AND position IS NOT ?1",
            [(position, gid, parent_gid) for gid, position in positions],
        )

    def _write_actors(self, batch: Batch) -> None:
        new = [
            (gid, *known)
            for gid, known in batch.actors.items()
            if not self._memory.is_written("actors", gid, _told(*known))
        ]
        if not new:
            return
        self._db.conn.executemany(
            "INSERT INTO actors (gid, type, name) VALUES (?, ?, ?) ON CONFLICT (gid) DO UPDATE SET "
            "type = coalesce(excluded.type, type), name = coalesce(excluded.name, name) "
            "WHERE coalesce(excluded.type, type) IS NOT type OR coalesce(excluded.name, name) IS NOT name",
            new,
        )

    def _write_stubs(self, batch: Batch) -> None:
        for table, stubs in batch.stubs.items():
            whole = batch.rows.get(table, {})
            new = [
                gid
                for gid, known in stubs.items()
                if gid not in whole and not self._memory.is_written(table, gid, known)
            ]
            if not new:
                continue
            by_columns: dict[tuple[str, ...], list[Row]] = {}
            whole_here = self._whole(table, new)
            for gid in new:
                if gid not in whole_here:
                    by_columns.setdefault(tuple(stubs[gid]), []).append((gid, *stubs[gid].values()))
            for columns, rows in by_columns.items():
                self._db.conn.executemany(_stub_sql(table, columns), rows)

    def _whole(self, table: str, gids: Sequence[str]) -> set[str]:
        """Which of these stand as whole rows: a stub adds nothing to them."""
        found = self._db.conn.execute(
            f"SELECT gid FROM {table} WHERE gid IN (SELECT value FROM json_each(?)) AND _synced_at IS NOT NULL",
            [gids_json(gids)],
        )
        return {row[0] for row in found}

    def _write_rows(
        self, resource: Resource, rows: dict[str, Row], batch: Batch, run_id: int, now: str, written: Written
    ) -> None:
        known = self.known(resource, rows.keys())
        relinked: set[str] = set()
        changed, born, before = [], set(), {}
        for gid, row in rows.items():
            stood = known.get(gid)
            if stood == row:
                continue
            changed.append((gid, *row, now, run_id))
            if stood:
                before[gid] = stood
            else:
                born.add(gid)
        if changed:
            self._db.conn.executemany(_upsert_sql(resource.name), changed)
        never_whole = rows.keys() - known.keys()
        for links in resource.links:
            kept = batch.shown_elsewhere if links.united else set()
            relinked |= self._write_links(links, batch.links.get(links.table, {}), kept, never_whole)
        only_relinked = relinked - {row[0] for row in changed}
        if only_relinked:
            self._db.conn.executemany(
                f"UPDATE {resource.name} SET _synced_at = ?, _changed_run = ? WHERE gid = ?",
                [(now, run_id, gid) for gid in only_relinked],
            )
            before |= {gid: known[gid] for gid in only_relinked}
        returned = {gid for gid in born if gid in known}
        written.born[resource.name], written.before[resource.name] = born, before
        written.returned |= returned
        new = len(born) - len(returned)
        written.tally.add(
            Tally(new, len(changed) - new + len(only_relinked), len(rows) - len(changed) - len(only_relinked))
        )

    def known(self, resource: Resource, gids: Collection[str]) -> dict[str, Row]:
        """The rows as they stand; a stub is as good as none, a tombstone differs from any living row."""
        found = self._db.conn.execute(_known_sql(resource.name), [gids_json(gids)])
        return {row[0]: row[2:] if row[1] is None else () for row in found}

    def _write_links(
        self, links: Links, owners: dict[str, dict[Row, Row]], kept: set[str], never_whole: set[str]
    ) -> set[str]:
        """Make the links of these owners exactly what their records say; returns whose differed.

        Of those in `kept` the record shows only a part: what stands stays, and the part is added. Those that were
        `never_whole` have no links yet: these are written with their record.
        """
        if not owners:
            return set()
        before = self.links_of(links, owners.keys() - never_whole)
        gone: list[Row] = []
        new: list[Row] = []
        for owner, found in owners.items():
            stood = before.get(owner, {})
            if owner not in kept:
                gone.extend((owner, *key) for key in stood.keys() - found.keys())
            new.extend((owner, *key, *values) for key, values in found.items() if stood.get(key) != values)
        if gone:
            keys = " AND ".join(f"{column} = ?" for column in (links.owner, *links.key))
            self._db.conn.executemany(f"DELETE FROM {links.table} WHERE {keys}", gone)
        if new:
            self._db.conn.executemany(_link_sql(links), new)
        return {row[0] for row in (*gone, *new)}

    def links_of(self, links: Links, owners: Collection[str]) -> dict[str, dict[Row, Row]]:
        """Owner → the links that it has."""
        found: dict[str, dict[Row, Row]] = {}
        if owners:
            width = 1 + len(links.key)
            for row in self._db.conn.execute(
                f"SELECT {links.owner}, {', '.join(links.columns)} FROM {links.table} "
                f"WHERE {links.owner} IN (SELECT value FROM json_each(?))",
                [gids_json(owners)],
            ):
                found.setdefault(row[0], {})[row[1:width]] = row[width:]
        return found


@cache
def _known_sql(table: str) -> str:
    columns = ", ".join((*RESOURCES[table].column_names(), _BOOKKEEPING))
    return (
        f"SELECT gid, _deleted_at, {columns} FROM {table} "
        "WHERE gid IN (SELECT value FROM json_each(?)) AND _synced_at IS NOT NULL"
    )


@cache
def _upsert_sql(table: str) -> str:
    columns = (*RESOURCES[table].column_names(), _BOOKKEEPING, "_synced_at", "_changed_run")
    assignments = ", ".join(f"{column} = excluded.{column}" for column in columns)
    return (
        f"INSERT INTO {table} (gid, {', '.join(columns)}) VALUES ({_marks(1 + len(columns))}) "
        f"ON CONFLICT (gid) DO UPDATE SET {assignments}, _deleted_at = NULL, _deleted_reason = NULL"
    )


@cache
def _stub_sql(table: str, columns: tuple[str, ...]) -> str:
    insert = f"INSERT INTO {table} ({', '.join(('gid', *columns))}) VALUES ({_marks(1 + len(columns))})"
    if not columns:
        return f"{insert} ON CONFLICT (gid) DO NOTHING"
    assignments = ", ".join(f"{column} = excluded.{column}" for column in columns)
    differs = " OR ".join(f"{table}.{column} IS NOT excluded.{column}" for column in columns)
    synced = f"AND {table}._synced_at IS NULL"
    return f"{insert} ON CONFLICT (gid) DO UPDATE SET {assignments} WHERE ({differs}) {synced}"


@cache
def _link_sql(links: Links) -> str:
    columns = (links.owner, *links.columns)
    insert = f"INSERT INTO {links.table} ({', '.join(columns)}) VALUES ({_marks(len(columns))})"
    if not links.values:
        return f"{insert} ON CONFLICT DO NOTHING"
    assignments = ", ".join(f"{column} = excluded.{column}" for column in links.values)
    return f"{insert} ON CONFLICT DO UPDATE SET {assignments}"


def _told(kind: str | None, name: str | None) -> dict[str, str]:
    """What was told of an actor."""
    told = {"type": kind, "name": name}
    return {column: known for column, known in told.items() if known is not None}


def _marks(count: int) -> str:
    return ", ".join("?" * count)


def gids_json(gids: Iterable[Any]) -> str:
    """Gids as one JSON parameter, for `json_each`."""
    return orjson.dumps(list(gids)).decode()

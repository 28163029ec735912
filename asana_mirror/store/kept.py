"""Lists that are themselves kept as rows: the items of a portfolio, favorites, the custom types of a project."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from sqlite_utils import Database

from asana_mirror.catalog import RESOURCES, Kept
from asana_mirror.store.memory import Memory
from asana_mirror.store.pages import gids_json
from asana_mirror.store.standing import ALIVE
from asana_mirror.words import Step


class KeptLists:
    """Writes the link tables of such lists; the caller holds the transaction."""

    def __init__(self, db: Database, memory: Memory) -> None:
        self._db = db
        self._memory = memory

    def write(self, step: Step, members: Mapping[str, str | None], start: int, *, run_id: int) -> None:
        """Write a page of members (gid → type), of which the first has the place `start`."""
        kept = _kept(step)
        purged = self._purged(members)
        rows = [
            {"owner": step.parent_gid, "member": gid, "kind": kept.only or kind, "position": start + place}
            for place, (gid, kind) in enumerate(members.items())
            if gid not in purged
        ]
        self._add_stubs(str(step.listing.below), [step.parent_gid or ""])
        if step.listing.resource in RESOURCES:
            self._add_stubs(step.listing.resource, members)
        before = self._db.conn.total_changes
        self._db.conn.executemany(_write_sql(kept), rows)
        if self._db.conn.total_changes != before:
            self._note_change(step, run_id)

    def close(self, step: Step, standing: Iterable[str] | None, round_number: int, *, run_id: int) -> None:
        """The list was read to its end: who does not stand in it any more is let go.

        `standing`: who does; None: the marks under the listing's key tell.
        """
        kept = _kept(step)
        only = f" AND {kept.kind} = '{kept.only}'" if kept.only else ""
        sql = f"DELETE FROM {kept.table} WHERE {kept.owner} = ?1{only} AND {kept.member} NOT IN "
        if standing is None:
            marks = "(SELECT gid FROM sync_seen WHERE round = ?2 AND scope = ?3)"
            gone = self._db.execute(sql + marks, [step.parent_gid, round_number, step.key])
        else:
            listed = "(SELECT value FROM json_each(?2))"
            gone = self._db.execute(sql + listed, [step.parent_gid, gids_json(standing)])
        if gone.rowcount:
            self._note_change(step, run_id)

    def unread(self, members: Iterable[str], table: str, alone: str, *, walks: bool) -> list[str]:
        """Which of these are not here as whole rows; where everything is read again, also those read `alone` only."""
        found = self._db.execute(
            f"SELECT value FROM json_each(?1) WHERE value NOT IN (SELECT gid FROM {table} WHERE {ALIVE}) "
            "OR (?3 AND value IN (SELECT parent_gid FROM sync_checkpoints WHERE name = ?2))",
            [gids_json(members), alone, walks],
        )
        return [row[0] for row in found.fetchall()]

    def _add_stubs(self, table: str, gids: Iterable[str]) -> None:
        """Of what did not fit there may be nothing yet to refer to."""
        sql = f"INSERT INTO {table} (gid) VALUES (?) ON CONFLICT DO NOTHING"
        self._db.conn.executemany(sql, [(gid,) for gid in gids])

    def _purged(self, members: Iterable[str]) -> set[str]:
        """Who was erased for good, and does not come back as anybody's favorite."""
        if self._memory.is_empty("sync_purged"):
            return set()
        sql = "SELECT gid FROM sync_purged WHERE gid IN (SELECT value FROM json_each(?))"
        return {row[0] for row in self._db.execute(sql, [gids_json(members)])}

    def _note_change(self, step: Step, run_id: int) -> None:
        """So that those who follow changes see it."""
        self._db.execute(
            f"UPDATE {step.listing.below} SET _changed_run = ? WHERE gid = ?", [run_id, step.parent_gid]
        )


def _kept(step: Step) -> Kept:
    if step.listing.kept is None:
        raise ValueError(f"{step.listing.name} is not kept as links")
    return step.listing.kept


@cache
def _write_sql(kept: Kept) -> str:
    columns = {kept.owner: ":owner", kept.member: ":member"}
    columns |= {kept.kind: ":kind"} if kept.kind else {}
    columns |= {kept.position: ":position"} if kept.position else {}
    values = [name for name in columns if name not in (kept.owner, kept.member)]
    insert = f"INSERT INTO {kept.table} ({', '.join(columns)}) VALUES ({', '.join(columns.values())})"
    if not values:
        return f"{insert} ON CONFLICT DO NOTHING"
    assignments = ", ".join(f"{name} = excluded.{name}" for name in values)
    differs = " OR ".join(f"{kept.table}.{name} IS NOT excluded.{name}" for name in values)
    return f"{insert} ON CONFLICT DO UPDATE SET {assignments} WHERE {differs}"

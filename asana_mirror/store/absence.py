"""Who was seen, who is missing, and tombstones.

Rows are never removed: what left Asana keeps its row as a tombstone. A complete listing that lacks a record is
enough only for what can stand in one place; anything else must also be refused when asked for by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sqlite_utils import Database

from asana_mirror.catalog import LISTINGS, RESOURCES
from asana_mirror.store.pages import gids_json
from asana_mirror.words import Batch, Step

ALIVE = "_deleted_at IS NULL AND _synced_at IS NOT NULL"
IN_DOUBT = "in_doubt"  # a reason in sync_missing that nobody dies of


class Absence:
    """Reads and writes `sync_seen`, `sync_missing` and the tombstone columns."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def see(self, scope: str, gids: Iterable[str], round_number: int) -> None:
        """Mark records as seen; scope is a resource, or the key of a listing of several pages."""
        self._db.conn.executemany(
            "INSERT INTO sync_seen (round, scope, gid) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            [(round_number, scope, gid) for gid in gids],
        )

    def seen(self, scope: str, gids: Iterable[str], round_number: int) -> set[str]:
        """Which of these were seen in this round."""
        return {
            row[0]
            for row in self._db.execute(
                "SELECT gid FROM sync_seen WHERE round = ? AND scope = ? "
                "AND gid IN (SELECT value FROM json_each(?))",
                [round_number, scope, gids_json(gids)],
            )
        }

    def written(self, resource: str, gids: Iterable[str], round_number: int) -> set[str]:
        """Which of these were seen in this round and stand here as whole rows."""
        seen = self.seen(resource, gids, round_number)
        return {
            row[0]
            for row in self._db.execute(
                f"SELECT gid FROM {resource} WHERE _synced_at IS NOT NULL "
                "AND gid IN (SELECT value FROM json_each(?))",
                [gids_json(seen)],
            )
        }

    def forget(self, scope: str, round_number: int) -> None:
        """Drop the marks of a listing whose walk is over, or starts anew."""
        self._db.execute("DELETE FROM sync_seen WHERE round = ? AND scope = ?", [round_number, scope])

    def close_listing(self, step: Step, standing: Iterable[str] | None, round_number: int) -> None:
        """A listing was read to its end: note who stood there and does not any more.

        `standing` are the gids of a listing that hides nobody; None: the marks under the listing's key tell, and
        who is missing there is only in doubt, because between two pages a list may shift.
        """
        listing = step.listing
        if not RESOURCES[listing.resource].one_place or not isinstance(listing.stands, str):
            return
        if standing is None:
            absent = "NOT IN (SELECT gid FROM sync_seen WHERE round = ? AND scope = ?)"
            rest: list[object] = [round_number, step.key]
        else:
            absent = "NOT IN (SELECT value FROM json_each(?))"
            rest = [gids_json(standing)]
        self._miss(
            listing.resource,
            "gone" if standing is not None else IN_DOUBT,
            f"{listing.stands} = ? AND gid {absent}",
            [step.parent_gid, *rest],
            round_number,
        )

    def close_children(self, batch: Batch, round_number: int) -> None:
        """The same for whole records that came inside others: enum options, custom field settings."""
        for (resource, column), parents in batch.children.items():
            for parent_gid, standing in parents.items():
                self._miss(
                    resource,
                    "gone",
                    f"{column} = ? AND gid NOT IN (SELECT value FROM json_each(?))",
                    [parent_gid, gids_json(standing)],
                    round_number,
                )

    def _miss(
        self, resource: str, reason: str, condition: str, parameters: list[object], round_number: int
    ) -> None:
        self._db.execute(
            "INSERT INTO sync_missing (round, resource, gid, reason) "
            f"SELECT ?, ?, gid, ? FROM {resource} WHERE {ALIVE} AND {condition} ON CONFLICT DO NOTHING",
            [round_number, resource, reason, *parameters],
        )

    def in_doubt(self, resource: str, round_number: int) -> list[str]:
        """Missing from a listing that may have hidden them: to be asked for by themselves."""
        return [
            row[0]
            for row in self._db.execute(
                "SELECT gid FROM sync_missing WHERE round = ? AND resource = ? AND reason = ?",
                [round_number, resource, IN_DOUBT],
            )
        ]

    def found(self, resource: str, gids: Iterable[str], round_number: int) -> None:
        """What was missing stands somewhere after all."""
        if self._db.execute("SELECT 1 FROM sync_missing LIMIT 1").fetchone():
            self._db.conn.executemany(
                "DELETE FROM sync_missing WHERE round = ? AND resource = ? AND gid = ?",
                [(round_number, resource, gid) for gid in gids],
            )

    def condemn(self, resource: str, gid: str, reason: str, round_number: int) -> None:
        """Asked for by itself, the record was refused."""
        self._db.execute(
            "INSERT INTO sync_missing (round, resource, gid, reason) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET reason = excluded.reason",
            [round_number, resource, gid, reason],
        )

    def unseen(self, resource: str, round_number: int) -> Iterator[str]:
        """Living records that no listing of this round has shown and that were not asked for yet."""
        found = self._db.execute(
            f"SELECT gid FROM {resource} WHERE {ALIVE} "
            "AND gid NOT IN (SELECT gid FROM sync_seen WHERE round = ?1 AND scope = ?2) "
            "AND gid NOT IN (SELECT gid FROM sync_missing WHERE round = ?1 AND resource = ?2)",
            [round_number, resource],
        )
        return (row[0] for row in found.fetchall())

    def is_gone(self, table: str, gid: str, round_number: int) -> bool:
        """No longer in Asana, as far as is known: a tombstone, condemned in this round, or never more than a stub."""
        if table == "actors":
            return all(self._no_longer(person, gid, round_number) for person in ("users", "agents"))
        return self._no_longer(table, gid, round_number)

    def _no_longer(self, table: str, gid: str, round_number: int) -> bool:
        row = self._db.execute(
            f"SELECT 1 FROM {table} WHERE gid = ? AND {ALIVE} "
            "AND NOT EXISTS (SELECT 1 FROM sync_missing WHERE round = ? AND resource = ? AND gid = ?)",
            [gid, round_number, table, gid],
        ).fetchone()
        return row is None

    def linked_parents(self, table: str, owner: str, column: str, gid: str) -> list[str]:
        """The other ends of a record's links."""
        return [row[0] for row in self._db.execute(f"SELECT {column} FROM {table} WHERE {owner} = ?", [gid])]

    def workspaces_of_actor(self, gid: str) -> set[str]:
        """The workspaces in which a user or agent can be listed."""
        return {
            row[0]
            for row in self._db.execute(
                "SELECT workspace_gid FROM user_workspaces WHERE user_gid = ?1 UNION "
                "SELECT workspace_gid FROM agents WHERE gid = ?1 AND workspace_gid IS NOT NULL",
                [gid],
            )
        }

    def living_sections(self, project_gid: str) -> list[str]:
        """The sections of a project, for one that is read in parts."""
        return [
            row[0]
            for row in self._db.execute(
                f"SELECT gid FROM sections WHERE project_gid = ? AND {ALIVE} ORDER BY position", [project_gid]
            )
        ]

    def living_workspaces(self) -> list[str]:
        return [row[0] for row in self._db.execute(f"SELECT gid FROM workspaces WHERE {ALIVE}")]

    def losses(self, round_number: int) -> dict[str, tuple[int, int]]:
        """For each resource: (rows about to become tombstones, with their parents or alone; living rows)."""
        missing = dict(
            self._db.execute(
                "SELECT resource, count(*) FROM sync_missing WHERE round = ? AND reason != ? GROUP BY resource",
                [round_number, IN_DOUBT],
            ).fetchall()
        )
        for child, column, parent in standing_on():
            with_parent = self._count(
                f"SELECT count(*) FROM {child} WHERE {ALIVE} AND {column} IN "
                "(SELECT gid FROM sync_missing WHERE round = ?1 AND resource = ?2) AND gid NOT IN "
                "(SELECT gid FROM sync_missing WHERE round = ?1 AND resource = ?3 AND reason != ?4)",
                [round_number, parent, child, IN_DOUBT],
            )
            if with_parent:
                missing[child] = missing.get(child, 0) + with_parent
        return {
            resource: (
                count,
                self._count(f"SELECT count(*) FROM {resource} WHERE {ALIVE}"),
            )
            for resource, count in missing.items()
        }

    def _count(self, sql: str, parameters: Sequence[object] = ()) -> int:
        (count,) = self._db.execute(sql, list(parameters)).fetchone()
        return int(count)

    def bury(self, round_number: int, *, run_id: int, now: str) -> int:
        """Turn everyone missing into tombstones, and what stood on them; returns how many rows."""
        buried = 0
        died = "_deleted_at = ?1, _changed_run = ?2, _deleted_reason"
        for resource in RESOURCES:
            buried += self._db.execute(
                f"UPDATE {resource} SET {died} = (SELECT reason FROM sync_missing AS missing "
                f"WHERE round = ?3 AND resource = ?4 AND missing.gid = {resource}.gid) "
                f"WHERE {ALIVE} AND gid IN (SELECT gid FROM sync_missing "
                "WHERE round = ?3 AND resource = ?4 AND reason != ?5)",
                [now, run_id, round_number, resource, IN_DOUBT],
            ).rowcount
        self._db.execute(
            "UPDATE tasks SET _deleted_reason = 'parent_deleted' WHERE _deleted_at = ? AND parent_gid IN "
            "(SELECT gid FROM tasks WHERE _deleted_at IS NOT NULL)",
            [now],
        )
        for child, column, parent in standing_on():
            buried += self._db.execute(
                f"UPDATE {child} SET {died} = 'parent_deleted' WHERE {ALIVE} "
                f"AND {column} IN (SELECT gid FROM {parent} WHERE _deleted_at = ?1)",
                [now, run_id],
            ).rowcount
        return buried


def standing_on() -> Iterator[tuple[str, str, str]]:
    """(child, its column, parent) for whatever cannot outlive its parent."""
    for listing in LISTINGS.values():
        if RESOURCES[listing.resource].one_place and isinstance(listing.stands, str) and listing.below:
            yield listing.resource, listing.stands, listing.below
    for resource in RESOURCES.values():
        for embedded in resource.embedded:
            if embedded.parent:
                yield embedded.resource, embedded.parent, resource.name

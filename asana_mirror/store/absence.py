"""Who is missing, and tombstones.

Rows are never removed: what left Asana keeps its row as a tombstone. A complete listing that lacks a record is
enough only for what can stand in one place; anything else is in doubt until it was asked for by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlite_utils import Database

from asana_mirror.catalog import RESOURCES, Listing, Opened, listings_of
from asana_mirror.store.excluded import kept_out
from asana_mirror.store.memory import Memory
from asana_mirror.store.pages import gids_json
from asana_mirror.store.standing import ALIVE, place_values, standing_in, standing_on
from asana_mirror.words import Batch, Step

IN_DOUBT = "in_doubt"  # a reason in sync_missing that nobody dies of
DELETED, WITH_PARENT = "deleted", "parent_deleted"
_MISSING = "IN missing"  # stands for the parents that are missing


class Absence:
    """Reads and writes `sync_seen`, `sync_missing` and the tombstone columns."""

    def __init__(self, db: Database, memory: Memory) -> None:
        self._db = db
        self._memory = memory

    # -- who was seen ---------------------------------------------------------------------------------

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

    def unseen(self, resource: str, round_number: int) -> set[str]:
        """Living records that nothing in this round has shown."""
        return self._gids(
            f"SELECT gid FROM {resource} WHERE {ALIVE} "
            "AND gid NOT IN (SELECT gid FROM sync_seen WHERE round = ? AND scope = ?)",
            round_number,
            resource,
        )

    def settled_fields(self, round_number: int) -> set[str]:
        """Custom fields in the settings of something that lives, though nothing showed that in this round."""
        return self._gids(
            f"SELECT custom_field_gid FROM custom_field_settings WHERE {ALIVE} AND gid NOT IN "
            "(SELECT gid FROM sync_missing WHERE round = ? AND resource = 'custom_field_settings' AND reason != ?)",
            round_number,
            IN_DOUBT,
        )

    def forget(self, scope: str, round_number: int) -> None:
        """Drop the marks of a listing whose walk is over, or starts anew."""
        self._db.conn.execute("DELETE FROM sync_seen WHERE round = ? AND scope = ?", [round_number, scope])

    # -- who is missing -------------------------------------------------------------------------------

    def close_listing(self, step: Step, standing: Iterable[str] | None, round_number: int) -> set[str]:
        """A listing was read to its end: note, and return, who stood there and does not any more.

        `standing` are the gids of a listing that hides nobody; None: the marks under the listing's key tell, and
        who is missing there is only in doubt, because between two pages a list may shift.
        """
        place = standing_in(step.listing)
        if place is None:
            return set()
        where: list[object] = [*place_values(step)]
        if standing is None:
            absent = "NOT IN (SELECT gid FROM sync_seen WHERE round = ? AND scope = ?)"
            rest: list[object] = [round_number, step.key]
        else:
            stood = self._gids(f"SELECT gid FROM {step.listing.resource} WHERE {ALIVE} AND {place}", *where)
            if stood.issubset(standing):  # as nearly always
                return set()
            absent = "NOT IN (SELECT value FROM json_each(?))"
            rest = [gids_json(standing)]
        certain = standing is not None and RESOURCES[step.listing.resource].one_place
        return self._miss(
            step.listing.resource,
            "gone" if certain else IN_DOUBT,
            f"{place} AND gid {absent}",
            [*where, *rest],
            round_number,
        )

    def close_empty(self, listing: Listing, parents: Iterable[str], round_number: int) -> None:
        """These parents say by themselves that nothing stands below them (`num_subtasks` 0)."""
        self._miss(
            listing.resource,
            IN_DOUBT,
            f"{listing.stands} IN (SELECT value FROM json_each(?))",
            [gids_json(parents)],
            round_number,
        )

    def close_parts(self, listing: Listing, parts: Iterable[Opened], round_number: int) -> None:
        """Their parents say by themselves that nothing stands in these parts of a list any more."""
        for parent_gid, part in parts:
            condition = f"{listing.stands} = ? AND {listing.part} = ?"
            self._miss(listing.resource, "gone", condition, [parent_gid, part], round_number)

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

    def doubt(self, resource: str, gids: Iterable[str], round_number: int) -> None:
        """Let records be asked for by themselves."""
        self._miss(
            resource, IN_DOUBT, "gid IN (SELECT value FROM json_each(?))", [gids_json(gids)], round_number
        )

    def _miss(
        self, resource: str, reason: str, condition: str, parameters: list[object], round_number: int
    ) -> set[str]:
        found = self._db.execute(
            "INSERT INTO sync_missing (round, resource, gid, reason) "
            f"SELECT ?, ?, gid, ? FROM {resource} WHERE {ALIVE} AND {condition} "
            f"AND gid NOT IN {kept_out(resource)} ON CONFLICT DO NOTHING "
            "RETURNING gid",
            [round_number, resource, reason, *parameters],
        )
        return {row[0] for row in found.fetchall()}

    def take_notices(self, round_number: int) -> None:
        """Who a deleted event told of, and nobody has seen alive since."""
        for resource in RESOURCES:
            self._db.execute(
                "INSERT INTO sync_missing (round, resource, gid, reason, explained) "
                f"SELECT ?1, ?2, gid, '{DELETED}', 1 FROM {resource} WHERE {ALIVE} AND gid IN "
                "(SELECT gid FROM sync_inbox WHERE resource = ?2 AND to_read = 0) "
                f"AND gid NOT IN {kept_out(resource)} "
                f"ON CONFLICT DO UPDATE SET reason = '{DELETED}', explained = 1",
                [round_number, resource],
            )

    def in_doubt(self, resource: str, round_number: int) -> set[str]:
        """To be asked for by themselves."""
        return self._gids(
            "SELECT gid FROM sync_missing WHERE round = ? AND resource = ? AND reason = ?",
            round_number,
            resource,
            IN_DOUBT,
        )

    def found(self, resource: str, gids: Iterable[str], round_number: int) -> None:
        """What was missing stands somewhere after all."""
        if not self._memory.is_empty("sync_missing"):
            self._db.conn.executemany(
                "DELETE FROM sync_missing WHERE round = ? AND resource = ? AND gid = ?",
                [(round_number, resource, gid) for gid in gids],
            )

    def condemn(
        self, resource: str, gid: str, reason: str, round_number: int, *, explained: bool = False
    ) -> None:
        """Asked for by itself, the record was refused; or it went with what it stood on."""
        self._db.execute(
            "INSERT INTO sync_missing (round, resource, gid, reason, explained) "
            f"SELECT ?, ?, gid, ?, ? FROM {resource} WHERE {_may_go(resource)} AND gid = ? "
            f"AND gid NOT IN {kept_out(resource)} "
            "ON CONFLICT DO UPDATE SET reason = excluded.reason, explained = excluded.explained",
            [round_number, resource, reason, int(explained), gid],
        )

    def standing_on_missing(self, resource: str, round_number: int) -> dict[str, bool]:
        """Living records whose parent, or one of whose places, is missing → whether an event explains that.

        Without tasks that have a place in a project left: they only link to what is missing.
        """
        found: dict[str, bool] = {}
        for listing in listings_of(resource):
            below = listing.below or ""
            for parent in ("users", "agents") if below == "actors" else (below,):
                place = standing_in(listing, _MISSING, alone=below == "actors")
                if place is None or not parent:
                    continue
                for explained in (0, 1):
                    gids = self._gids(
                        f"SELECT gid FROM {resource} WHERE {ALIVE} AND gid NOT IN "
                        "(SELECT gid FROM sync_missing WHERE round = ?1 AND resource = ?3) AND "
                        + place.replace(
                            _MISSING,
                            "IN (SELECT gid FROM sync_missing WHERE round = ?1 AND resource = ?2 "
                            f"AND reason != '{IN_DOUBT}' AND explained = ?4)",
                        ),
                        round_number,
                        parent,
                        resource,
                        explained,
                    )
                    if isinstance(listing.stands, tuple):
                        gids -= self._in_living_projects(gids, round_number)
                    found.update(dict.fromkeys(gids, bool(explained)))
        return found

    def _in_living_projects(self, gids: Iterable[str], round_number: int) -> set[str]:
        """Which of these tasks stand in a project that lives on: its list shows them, and what else became of them."""
        return self._gids(
            "SELECT task_gid FROM task_projects WHERE task_gid IN (SELECT value FROM json_each(?)) AND project_gid IN "
            f"(SELECT gid FROM projects WHERE {ALIVE} AND gid NOT IN "
            "(SELECT gid FROM sync_missing WHERE round = ? AND resource = 'projects'))",
            gids_json(gids),
            round_number,
        )

    def only_below(self, gids: Iterable[str]) -> set[str]:
        """Which of these tasks stand on their parent alone: in no project, with no assignee, without a tag."""
        return self._gids(
            "SELECT gid FROM tasks AS t WHERE gid IN (SELECT value FROM json_each(?)) AND assignee_gid IS NULL "
            "AND NOT EXISTS (SELECT 1 FROM task_projects WHERE task_gid = t.gid) "
            "AND NOT EXISTS (SELECT 1 FROM task_tags WHERE task_gid = t.gid)",
            gids_json(gids),
        )

    def explained_parents(self, gids: Iterable[str], round_number: int) -> set[str]:
        """Which of these tasks stand below one that a deleted event told of, directly or further up."""
        return self._gids(
            "SELECT gid FROM tasks WHERE gid IN (SELECT value FROM json_each(?)) AND parent_gid IN "
            "(SELECT gid FROM sync_missing WHERE round = ? AND resource = 'tasks' AND explained = 1)",
            gids_json(gids),
            round_number,
        )

    def no_longer(self, table: str, gid: str, round_number: int) -> bool:
        """Not in Asana any more, as far as is known: a tombstone, missing in this round, or never more than a stub."""
        row = self._db.execute(
            f"SELECT 1 FROM {table} WHERE gid = ? AND {ALIVE} "
            "AND NOT EXISTS (SELECT 1 FROM sync_missing WHERE round = ? AND resource = ? AND gid = ?)",
            [gid, round_number, table, gid],
        ).fetchone()
        return row is None

    def is_buried(self, table: str, gid: str) -> bool:
        """Whether it is a tombstone."""
        found = self._db.execute(
            f"SELECT 1 FROM {table} WHERE gid = ? AND _deleted_at IS NOT NULL", [gid]
        ).fetchone()
        return found is not None

    def buried_below(self, task_gid: str) -> set[str]:
        """Tombstones of tasks below a task, at any depth."""
        return self._gids(
            "WITH RECURSIVE below (gid) AS (SELECT gid FROM tasks WHERE parent_gid = ? "
            "UNION SELECT tasks.gid FROM tasks JOIN below ON parent_gid = below.gid) "
            "SELECT gid FROM below JOIN tasks USING (gid) WHERE _deleted_at IS NOT NULL",
            task_gid,
        )

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

    def children(self, resource: str, column: str, parent_gid: str) -> set[str]:
        """The living records that stand on a parent."""
        return self._gids(f"SELECT gid FROM {resource} WHERE {column} = ? AND {ALIVE}", parent_gid)

    # -- tombstones -----------------------------------------------------------------------------------

    def losses(self, round_number: int) -> dict[str, tuple[int, int]]:
        """For each resource: (rows about to go that no deleted event explains, with their parents or alone; living)."""
        missing = dict(
            self._db.execute(
                "SELECT resource, count(*) FROM sync_missing WHERE round = ? AND reason != ? AND explained = 0 "
                f"AND NOT (resource = 'projects' AND gid IN ({_NEVER_READ})) GROUP BY resource",
                [round_number, IN_DOUBT],
            ).fetchall()
        )
        for child, column, parent in standing_on():
            with_parent = self._count(
                f"SELECT count(*) FROM {child} WHERE {ALIVE} AND {column} IN "
                "(SELECT gid FROM sync_missing WHERE round = ?1 AND resource = ?2 AND reason != ?4 "
                "AND explained = 0) AND gid NOT IN "
                "(SELECT gid FROM sync_missing WHERE round = ?1 AND resource = ?3 AND reason != ?4)",
                [round_number, parent, child, IN_DOUBT],
            )
            if with_parent:
                missing[child] = missing.get(child, 0) + with_parent
        return {
            resource: (count, self._count(f"SELECT count(*) FROM {resource} WHERE {ALIVE}"))
            for resource, count in missing.items()
        }

    def unexplained(self, round_number: int) -> set[tuple[str, str]]:
        """(resource, gid) of everyone missing whom no deleted event told of."""
        return set(
            self._db.execute(
                "SELECT resource, gid FROM sync_missing WHERE round = ? AND reason != ? AND explained = 0",
                [round_number, IN_DOUBT],
            ).fetchall()
        )

    def bury(self, round_number: int, *, run_id: int, now: str) -> int:
        """Turn everyone missing into tombstones, and what stood on them; returns how many rows."""
        sql = "SELECT EXISTS (SELECT 1 FROM sync_missing WHERE round = ? AND reason != ?)"
        if not self._count(sql, [round_number, IN_DOUBT]):
            return 0
        buried = 0
        died = "_deleted_at = ?1, _changed_run = ?2, _deleted_reason"
        for resource in RESOURCES:
            buried += self._db.execute(
                f"UPDATE {resource} SET {died} = (SELECT reason FROM sync_missing AS missing "
                f"WHERE round = ?3 AND resource = ?4 AND missing.gid = {resource}.gid) "
                f"WHERE {_may_go(resource)} AND gid IN (SELECT gid FROM sync_missing "
                "WHERE round = ?3 AND resource = ?4 AND reason != ?5)",
                [now, run_id, round_number, resource, IN_DOUBT],
            ).rowcount
        self._db.execute(
            f"UPDATE tasks SET _deleted_reason = '{WITH_PARENT}' WHERE _deleted_at = ? "
            f"AND _deleted_reason != '{DELETED}' AND parent_gid IN "
            "(SELECT gid FROM tasks WHERE _deleted_at IS NOT NULL)",
            [now],
        )
        below = 1
        while below:  # what stands on what stood on them goes as well
            below = sum(
                self._db.execute(
                    f"UPDATE {child} SET {died} = '{WITH_PARENT}' WHERE {ALIVE} "
                    f"AND {column} IN (SELECT gid FROM {parent} WHERE _deleted_at = ?1)",
                    [now, run_id],
                ).rowcount
                for child, column, parent in standing_on()
            )
            buried += below
        return buried

    def _gids(self, sql: str, *parameters: object) -> set[str]:
        return {row[0] for row in self._db.conn.execute(sql, parameters)}

    def _count(self, sql: str, parameters: Sequence[object] = ()) -> int:
        (count,) = self._db.execute(sql, list(parameters)).fetchone()
        return int(count)


_NEVER_READ = "SELECT gid FROM projects WHERE _synced_at IS NULL"


def _may_go(resource: str) -> str:
    """Who can become a tombstone: what lives, and a project that went before anything but its name was known."""
    return "_deleted_at IS NULL" if resource == "projects" else ALIVE

"""Runs, checkpoints, and the queue of what is still to be read.

The checkpoints are the queue: `due` rows of the round. A *round* is one complete walk over everything in its scope
(modes `first` and `full`), or one pass over what changed (`changes`; in a watch also `tick` and `news`, which look at a
part). A run that was killed leaves its round unfinished: the next run with the same scope goes on with a complete walk,
and takes over what a pass left due.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from sqlite_utils import Database

from asana_mirror.catalog import LISTINGS, RESOURCES, fingerprint
from asana_mirror.plan import EVENT, WALKS
from asana_mirror.store.pages import Tally, gids_json
from asana_mirror.words import Checkpoint, Scope, Step, step_named

FINISHED = ("complete", "guarded")


@dataclass(frozen=True)
class Run:
    """One run, and the round that it works on."""

    id: int
    round: int
    mode: str
    resumed: bool
    started_at: str
    leaves_rest: bool = False  # what it may not read is left for wider runs


@dataclass(frozen=True)
class ListingState:
    """Where a listing stands: the round that last asked for it, and what became of it."""

    round: int
    due: bool
    refused: bool
    split: bool


class Rounds:
    """Reads and writes `sync_runs` and `sync_checkpoints`; the caller holds the transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def begin(
        self,
        scope: Scope,
        *,
        full: bool = False,
        light: str | None = None,
        now: str,
        holder: str,
        version: str,
    ) -> Run:
        """Record a new run: it goes on with an unfinished walk of the same scope, or begins a round.

        `light`: the mode of a run that looks at a part only, where no walk is to be done.
        """
        round_number, mode, resumed = self.upcoming(scope, full=full)
        if light and mode not in WALKS:
            mode = light
        self._set_back_what_is_to_come(now)
        self._db.execute(
            "UPDATE sync_runs SET outcome = 'killed', ended_at = ? WHERE ended_at IS NULL", [now]
        )
        if resumed:
            # What was refused then may be allowed by now; to ask costs one request each.
            self._db.execute(
                "UPDATE sync_checkpoints SET due = 1, refused = NULL, offset = NULL, records = 0, restarts = 0 "
                "WHERE round = ? AND refused IS NOT NULL",
                [round_number],
            )
        if scope.is_whole:
            self._take_over(round_number, also_due=mode != "full")
        elif mode not in WALKS:
            self._take_over_own(round_number, scope)
        cursor = self._db.execute(
            "INSERT INTO sync_runs (round, mode, scope, started_at, holder, version) VALUES (?, ?, ?, ?, ?, ?)",
            [round_number, mode, orjson.dumps(asdict(scope)).decode(), now, holder, version],
        )
        leaves_rest = bool(scope.only or scope.skip) and self._was_walked_with_all_kinds()
        return Run(int(cursor.lastrowid or 0), round_number, mode, resumed, now, leaves_rest)

    def _set_back_what_is_to_come(self, now: str) -> None:
        """A clock that was ahead noted times that are still to come: until then nothing would be due by its age."""
        last = self._db.execute(
            "SELECT coalesce(ended_at, started_at) FROM sync_runs ORDER BY id DESC LIMIT 1"
        ).fetchone()
        if last and last[0] > now:
            for column in ("last_walked_at", "swept_at", "waiting_since"):
                self._db.execute(f"UPDATE sync_checkpoints SET {column} = ?1 WHERE {column} > ?1", [now])

    def upcoming(self, scope: Scope, *, full: bool) -> tuple[int, str, bool]:
        """(round, mode, whether it goes on with an unfinished walk) of the run that would begin now."""
        last = self._db.execute(
            "SELECT round, mode, outcome FROM sync_runs WHERE scope = ? ORDER BY id DESC LIMIT 1",
            [orjson.dumps(asdict(scope)).decode()],
        ).fetchone()
        unfinished = last is not None and last[1] in WALKS and last[2] not in FINISHED
        if unfinished and not self._came_between(last[0]):
            return last[0], last[1], True
        (highest,) = self._db.execute("SELECT coalesce(max(round), 0) FROM sync_runs").fetchone()
        mode = "first" if not highest else "full" if full or not self.was_walked(scope) else "changes"
        return highest + 1, mode, False

    def _came_between(self, round_number: int) -> bool:
        """Whether a later run left out kinds of things, and took lists over whose records it then did not follow."""
        later = self._db.execute(
            "SELECT scope FROM sync_runs WHERE round > ? AND mode != 'repair'", [round_number]
        )
        return any(orjson.loads(scope).get(name) for scope in _column(later) for name in ("only", "skip"))

    def was_walked(self, scope: Scope) -> bool:
        """Whether everything in this scope was read once, so that it is enough to follow what changes."""
        scopes = [orjson.dumps(asdict(wide)).decode() for wide in (scope, Scope())]
        found = self._db.execute(
            "SELECT 1 FROM sync_runs WHERE mode IN ('first', 'full') AND outcome IN ('complete', 'guarded') "
            "AND scope IN (?, ?) LIMIT 1",
            scopes,
        ).fetchone()
        return found is not None

    def _was_walked_with_all_kinds(self) -> bool:
        """Whether there is a mirror of something, be it one project, in which no kind of thing was left out."""
        found = self._db.execute(
            "SELECT DISTINCT scope FROM sync_runs WHERE mode IN ('first', 'full') "
            "AND outcome IN ('complete', 'guarded')"
        )
        return any(not (wide.get("only") or wide.get("skip")) for wide in map(orjson.loads, _column(found)))

    def _take_over(self, round_number: int, *, also_due: bool) -> None:
        """What other rounds left undone is done in this one; who was found missing is asked for again."""
        if also_due:
            self._db.execute("UPDATE sync_checkpoints SET round = ? WHERE due = 1", [round_number])
            self._db.execute(
                "UPDATE OR IGNORE sync_seen SET round = ? WHERE scope LIKE '/%' AND round != ?",
                [round_number, round_number],
            )
        self._db.execute("UPDATE OR IGNORE sync_missing SET round = ?", [round_number])
        self._db.execute("DELETE FROM sync_seen WHERE round != ?", [round_number])
        self._db.execute("DELETE FROM sync_missing WHERE round != ?", [round_number])
        # Only what can be asked for by itself: the rest was missing from a list that hides nobody.
        alone = [name for name, entry in RESOURCES.items() if entry.path]
        self._db.execute(
            "UPDATE sync_missing SET reason = 'in_doubt' WHERE explained = 0 AND resource IN "
            "(SELECT value FROM json_each(?))",
            [gids_json(alone)],
        )

    def _take_over_own(self, round_number: int, scope: Scope) -> None:
        """What passes over the same part left undone, of whose events nobody tells again."""
        unfinished = (
            "SELECT round FROM sync_runs WHERE scope = ?2 AND mode NOT IN ('first', 'full', 'repair') "
            "AND coalesce(outcome, '') != 'complete'"
        )
        parameters = [round_number, orjson.dumps(asdict(scope)).decode()]
        self._db.execute(
            f"UPDATE sync_checkpoints SET round = ?1 WHERE due = 1 AND round IN ({unfinished})", parameters
        )
        self._db.execute(
            f"UPDATE OR IGNORE sync_seen SET round = ?1 WHERE scope LIKE '/%' AND round IN ({unfinished})",
            parameters,
        )

    def count(
        self,
        run: Run,
        tally: Tally,
        *,
        requests: int,
        refused: int,
        seconds_waited: float,
        allowed: float | None,
    ) -> None:
        """Bring the run's figures up to date."""
        self._db.execute(
            "UPDATE sync_runs SET requests = ?, refused = ?, seconds_waited = ?, rows_inserted = ?, "
            "rows_updated = ?, rows_unchanged = ?, allowed = ? WHERE id = ?",
            [
                requests,
                refused,
                round(seconds_waited, 3),
                tally.inserted,
                tally.updated,
                tally.unchanged,
                allowed,
                run.id,
            ],
        )

    def end(self, run: Run, outcome: str, *, now: str, deleted: int = 0, drift: int = 0) -> None:
        """Record how the run ended; a complete round takes its notes with it."""
        self._db.execute(
            "UPDATE sync_runs SET outcome = ?, ended_at = ?, rows_deleted = ?, drift = ? WHERE id = ?",
            [outcome, now, deleted, drift, run.id],
        )
        if outcome == "complete":
            self._db.execute("DELETE FROM sync_seen WHERE round = ?", [run.round])
            self._db.execute("DELETE FROM sync_missing WHERE round = ?", [run.round])

    def ask_for(self, steps: Iterable[Step], round_number: int, *, again: bool = False) -> int:
        """Put listings in the queue, each once a round unless `again`; returns how many are new.

        A listing that waits in the queue for a part of its records is asked for the whole where that is wanted now,
        and one that was read for another reason is read again where all below it is to be looked at.
        """
        before = self._db.conn.total_changes
        self._db.conn.executemany(
            "INSERT INTO sync_checkpoints "
            "(listing, name, parent_gid, workspace_gid, rank, round, due, why, since, precedence, part) "
            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7, ?8, ?10, ?11) ON CONFLICT (listing) DO UPDATE SET "
            "round = excluded.round, due = 1, offset = NULL, records = 0, restarts = 0, walk_began_at = NULL, "
            "next_cursor = NULL, refused = NULL, why = excluded.why, since = excluded.since, waiting_since = NULL, "
            "precedence = coalesce(excluded.precedence, precedence) "
            "WHERE sync_checkpoints.round < excluded.round OR (?9 AND (due = 0 OR (excluded.since IS NULL AND "
            "sync_checkpoints.since IS NOT NULL))) OR (excluded.why IN ('gap', 'sweep') "
            "AND coalesce(sync_checkpoints.why, '') NOT IN ('gap', 'sweep'))",
            [
                (
                    step.key,
                    step.listing.name,
                    step.parent_gid,
                    step.workspace_gid,
                    step.listing.rank,
                    round_number,
                    step.why or None,
                    step.since,
                    again,
                    step.precedence,
                    step.part,
                )
                for step in steps
            ],
        )
        return self._db.conn.total_changes - before

    def leave_for_later(self, steps: Iterable[Step], run: Run) -> None:
        """Listings that a narrower run may not read although it found a reason to: a wider one does."""
        if run.leaves_rest:
            self.ask_for(steps, 0, again=True)

    def due(
        self,
        round_number: int,
        limit: int,
        only: Collection[str] = (),
        without: Collection[str] = (),
        *,
        urgent: bool = False,
    ) -> list[Checkpoint]:
        """What is still to be read, most wanted first; of some kinds of listings `only`, or `without` some.

        `urgent`: only that for which news calls.
        """
        return [
            Checkpoint(
                step_named(name, parent_gid, workspace_gid, why or "", since, part),
                round_number,
                offset=offset,
                records=records,
                restarts=restarts,
                walk_began_at=walk_began_at,
                next_cursor=next_cursor,
                split=bool(split),
            )
            for (
                name,
                parent_gid,
                workspace_gid,
                offset,
                records,
                restarts,
                walk_began_at,
                next_cursor,
                split,
                why,
                since,
                part,
            ) in self._db.execute(
                "SELECT name, parent_gid, workspace_gid, offset, records, restarts, walk_began_at, next_cursor, "
                "split, why, since, part FROM sync_checkpoints WHERE due = 1 AND round = ?1 AND (?3 = '[]' OR name IN "
                "(SELECT value FROM json_each(?3))) AND (?4 = '[]' OR name NOT IN (SELECT value FROM json_each(?4))) "
                "AND (?5 IS NULL OR why = ?5) ORDER BY rank, precedence DESC LIMIT ?2",
                [round_number, limit, gids_json(only), gids_json(without), EVENT if urgent else None],
            )
        ]

    def is_due(self, round_number: int, rank: int) -> bool:
        """Whether anything of this rank, or more wanted, is still to be read."""
        found = self._db.execute(
            "SELECT 1 FROM sync_checkpoints WHERE due = 1 AND round = ? AND rank <= ? LIMIT 1",
            [round_number, rank],
        ).fetchone()
        return found is not None

    def left(self, round_number: int | None = None) -> list[Step]:
        """What was left unread: in a round, with what was refused there and is asked again; else in any."""
        which = "due = 1" if round_number is None else "round = ? AND (due = 1 OR refused IS NOT NULL)"
        return [
            step_named(name, parent_gid, workspace_gid, why or "", since, part)
            for name, parent_gid, workspace_gid, why, since, part in self._db.execute(
                f"SELECT name, parent_gid, workspace_gid, why, since, part FROM sync_checkpoints WHERE {which} "
                "ORDER BY rank",
                [] if round_number is None else [round_number],
            )
        ]

    def unended(self) -> str | None:
        """Who began the last run and when, if that has no end: it goes on, or was killed."""
        row = self._db.execute(
            "SELECT holder, started_at FROM sync_runs WHERE ended_at IS NULL ORDER BY id DESC LIMIT 1"
        ).fetchone()
        return f"{row[0]}, since {row[1]}" if row else None

    def count_left(self, round_number: int) -> int:
        """How many listings are still due."""
        sql = "SELECT count(*) FROM sync_checkpoints WHERE due = 1 AND round = ?"
        return int(self._db.execute(sql, [round_number]).fetchone()[0])

    def count_due(self, round_number: int) -> dict[str, tuple[int, int]]:
        """For each kind of listing: (still due, asked for in this round). Goes through all listings."""
        return {
            name: (due, asked)
            for name, due, asked in self._db.execute(
                "SELECT name, sum(due), count(*) FROM sync_checkpoints WHERE round = ? GROUP BY name",
                [round_number],
            )
        }

    def advance(self, checkpoint: Checkpoint) -> None:
        """Keep how far a walk has come; it is written with the page that brought it there."""
        self._db.execute(
            "UPDATE sync_checkpoints SET offset = ?, records = ?, restarts = ?, walk_began_at = ?, "
            "next_cursor = ?, split = ? WHERE listing = ?",
            [
                checkpoint.offset,
                checkpoint.records,
                checkpoint.restarts,
                checkpoint.walk_began_at,
                checkpoint.next_cursor,
                int(checkpoint.split),
                checkpoint.step.key,
            ],
        )

    def complete(self, checkpoint: Checkpoint, *, now: str, swept: bool) -> None:
        """The listing was read to its end: what was taken before its walk is its cursor from now on.

        `swept`: with all that stands below its records.
        """
        self._db.conn.execute(
            "UPDATE sync_checkpoints SET due = 0, offset = NULL, records = ?, restarts = 0, split = ?, "
            "walk_began_at = ?, cursor = coalesce(?, cursor), next_cursor = NULL, last_walked_at = ?, "
            "refused = NULL, fingerprint = ?, swept_at = CASE WHEN ? THEN ? ELSE swept_at END WHERE listing = ?",
            [
                checkpoint.records,
                int(checkpoint.split),
                checkpoint.walk_began_at,
                checkpoint.next_cursor,
                now,
                fingerprint(checkpoint.step.listing),
                swept,
                now,
                checkpoint.step.key,
            ],
        )

    def refuse(self, step: Step, status: int) -> None:
        """Asana will not show this listing in this round; nothing is concluded from it."""
        self._db.execute(
            "UPDATE sync_checkpoints SET due = 0, offset = NULL, refused = ? WHERE listing = ?",
            [status, step.key],
        )

    def state_of(self, step: Step) -> ListingState | None:
        """Where a listing stands; None where it was never asked for."""
        row = self._db.execute(
            "SELECT round, due, refused IS NOT NULL, split FROM sync_checkpoints WHERE listing = ?",
            [step.key],
        ).fetchone()
        return None if row is None else ListingState(row[0], bool(row[1]), bool(row[2]), bool(row[3]))

    def forget_below_the_buried(self, buried_at: str) -> None:
        """What left Asana has no lists any more; should it come back, all below it is read anew."""
        for resource in {str(listing.below) for listing in LISTINGS.values()} - {"None", "actors"}:
            below = f"parent_gid IN (SELECT gid FROM {resource} WHERE _deleted_at = ?)"
            lists = f"SELECT listing FROM sync_checkpoints WHERE {below}"
            self._db.execute(f"DELETE FROM sync_problems WHERE listing IN ({lists})", [buried_at])
            self._db.execute(f"DELETE FROM sync_checkpoints WHERE {below}", [buried_at])

    def forget(self, name: str, parents: Iterable[str]) -> None:
        """Lists of a kind that are of no use any more."""
        self._db.conn.executemany(
            "DELETE FROM sync_checkpoints WHERE parent_gid = ? AND name = ?",
            [(gid, name) for gid in parents],
        )

    def cursor(self, step: Step) -> str | None:
        """The time before which all of a listing is mirrored, with the fields that are asked for today."""
        row = self._db.execute(
            "SELECT cursor FROM sync_checkpoints WHERE listing = ? AND fingerprint = ? AND refused IS NULL",
            [step.key, fingerprint(step.listing)],
        ).fetchone()
        return row[0] if row else None

    def swept_at(self, step: Step) -> str:
        """When a listing was last read as a whole, with what stands below where that is looked at; "" for never."""
        row = self._db.execute(
            "SELECT swept_at FROM sync_checkpoints WHERE listing = ?", [step.key]
        ).fetchone()
        return (row[0] or "") if row else ""

    def parents(self, resource: str, columns: Sequence[str], gid: str) -> list[Any]:
        """Columns of one row, for deciding where it could stand."""
        row = self._db.execute(f"SELECT {', '.join(columns)} FROM {resource} WHERE gid = ?", [gid]).fetchone()
        return list(row) if row else [None] * len(columns)


def _column(rows: Iterable[Sequence[Any]]) -> Iterator[Any]:
    return (row[0] for row in rows)

"""Runs, checkpoints, and the queue of what is still to be read.

A *round* is one complete walk over everything in its scope. A run that was killed leaves its round unfinished;
the next run with the same scope goes on with it. The checkpoints are the queue: `due` rows of the round.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from sqlite_utils import Database

from asana_mirror.catalog import fingerprint
from asana_mirror.store.pages import Tally
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

    def begin(self, scope: Scope, *, now: str, holder: str, version: str) -> Run:
        """Record a new run: it goes on with an unfinished round of the same scope, or begins one."""
        wanted = orjson.dumps(asdict(scope)).decode()
        last = self._db.execute(
            "SELECT round, mode, outcome FROM sync_runs WHERE scope = ? ORDER BY id DESC LIMIT 1", [wanted]
        ).fetchone()
        self._db.execute(
            "UPDATE sync_runs SET outcome = 'killed', ended_at = ? WHERE ended_at IS NULL", [now]
        )
        (highest,) = self._db.execute("SELECT coalesce(max(round), 0) FROM sync_runs").fetchone()
        # A later round of another scope took listings over: what is left of an earlier one proves nothing.
        resumed = last is not None and last[2] not in FINISHED and last[0] == highest
        if resumed:
            round_number, mode = last[0], last[1]
            # What was refused then may be allowed by now; to ask costs one request each.
            self._db.execute(
                "UPDATE sync_checkpoints SET due = 1, refused = NULL, offset = NULL, records = 0, restarts = 0 "
                "WHERE round = ? AND refused IS NOT NULL",
                [round_number],
            )
        else:
            round_number, mode = highest + 1, "full" if highest else "first"
            self._forget_abandoned()
        cursor = self._db.execute(
            "INSERT INTO sync_runs (round, mode, scope, started_at, holder, version) VALUES (?, ?, ?, ?, ?, ?)",
            [round_number, mode, wanted, now, holder, version],
        )
        return Run(int(cursor.lastrowid or 0), round_number, mode, resumed, now)

    def _forget_abandoned(self) -> None:
        """Nobody goes on with an earlier round once there is a new one."""
        self._db.execute("UPDATE sync_checkpoints SET due = 0 WHERE due = 1")
        self._db.execute("DELETE FROM sync_seen")
        self._db.execute("DELETE FROM sync_missing")

    def count(self, run: Run, tally: Tally, *, requests: int, refused: int, seconds_waited: float) -> None:
        """Bring the run's figures up to date."""
        self._db.execute(
            "UPDATE sync_runs SET requests = ?, refused = ?, seconds_waited = ?, rows_inserted = ?, "
            "rows_updated = ?, rows_unchanged = ? WHERE id = ?",
            [
                requests,
                refused,
                round(seconds_waited, 3),
                tally.inserted,
                tally.updated,
                tally.unchanged,
                run.id,
            ],
        )

    def end(self, run: Run, outcome: str, *, now: str, deleted: int = 0) -> None:
        """Record how the run ended; a finished round takes its notes with it."""
        self._db.execute(
            "UPDATE sync_runs SET outcome = ?, ended_at = ?, rows_deleted = ? WHERE id = ?",
            [outcome, now, deleted, run.id],
        )
        if outcome in FINISHED:
            self._db.execute("DELETE FROM sync_seen WHERE round = ?", [run.round])
            self._db.execute("DELETE FROM sync_missing WHERE round = ?", [run.round])

    def ask_for(self, steps: Iterable[Step], round_number: int) -> int:
        """Put listings in the queue, unless this round has asked for them before; returns how many are new."""
        before = self._db.conn.total_changes
        self._db.conn.executemany(
            "INSERT INTO sync_checkpoints (listing, name, parent_gid, workspace_gid, rank, round, due) "
            "VALUES (?, ?, ?, ?, ?, ?, 1) ON CONFLICT (listing) DO UPDATE SET round = excluded.round, due = 1, "
            "offset = NULL, records = 0, restarts = 0, walk_began_at = NULL, next_cursor = NULL, refused = NULL "
            "WHERE sync_checkpoints.round < excluded.round",
            [
                (
                    step.key,
                    step.listing.name,
                    step.parent_gid,
                    step.workspace_gid,
                    step.listing.rank,
                    round_number,
                )
                for step in steps
            ],
        )
        return self._db.conn.total_changes - before

    def due(self, round_number: int, limit: int) -> list[Checkpoint]:
        """What is still to be read, most wanted first."""
        return [
            Checkpoint(
                step_named(name, parent_gid, workspace_gid),
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
            ) in self._db.execute(
                "SELECT name, parent_gid, workspace_gid, offset, records, restarts, walk_began_at, next_cursor, "
                "split FROM sync_checkpoints WHERE due = 1 AND round = ? ORDER BY rank LIMIT ?",
                [round_number, limit],
            )
        ]

    def count_due(self, round_number: int) -> dict[str, tuple[int, int]]:
        """For each kind of listing: (still due, asked for in this round)."""
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

    def complete(self, checkpoint: Checkpoint, *, now: str) -> None:
        """The listing was read to its end: what was taken before its walk is its cursor from now on."""
        self._db.execute(
            "UPDATE sync_checkpoints SET due = 0, offset = NULL, records = ?, restarts = 0, split = ?, "
            "walk_began_at = ?, cursor = coalesce(?, cursor), next_cursor = NULL, last_walked_at = ?, "
            "refused = NULL, fingerprint = ? WHERE listing = ?",
            [
                checkpoint.records,
                int(checkpoint.split),
                checkpoint.walk_began_at,
                checkpoint.next_cursor,
                now,
                fingerprint(checkpoint.step.listing.resource),
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

    def parents(self, resource: str, columns: Sequence[str], gid: str) -> list[Any]:
        """Columns of one row, for deciding where it could stand."""
        row = self._db.execute(f"SELECT {', '.join(columns)} FROM {resource} WHERE gid = ?", [gid]).fetchone()
        return list(row) if row else [None] * len(columns)

"""What a repair needs beyond a run: a round of its own, and who is concerned by it."""

from __future__ import annotations

from collections.abc import Iterable

from sqlite_utils import Database

from asana_mirror.catalog import listings_of
from asana_mirror.store.absence import ALIVE
from asana_mirror.store.pages import gids_json
from asana_mirror.store.rounds import Run
from asana_mirror.words import Step

MODE = "repair"


class Repairs:
    """Records repairs, and tells what they may leave alone."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def begin(self, *, now: str, holder: str, version: str) -> Run:
        """Record a repair: a round with which no later run goes on."""
        self._db.execute(
            "UPDATE sync_runs SET outcome = 'killed', ended_at = ? WHERE ended_at IS NULL", [now]
        )
        (highest,) = self._db.execute("SELECT coalesce(max(round), 0) FROM sync_runs").fetchone()
        cursor = self._db.execute(
            "INSERT INTO sync_runs (round, mode, scope, started_at, holder, version) VALUES (?, ?, ?, ?, ?, ?)",
            [highest + 1, MODE, f'"{MODE}"', now, holder, version],
        )
        return Run(int(cursor.lastrowid or 0), highest + 1, MODE, False, now)

    def has_cursor(self, step: Step) -> bool:
        """Whether later runs read on from a mark in this listing."""
        return self._is_so(step, "cursor IS NOT NULL")

    def was_read(self, step: Step) -> bool:
        """Whether the listing was ever read to its end."""
        return self._is_so(step, "last_walked_at IS NOT NULL")

    def _is_so(self, step: Step, condition: str) -> bool:
        sql = f"SELECT 1 FROM sync_checkpoints WHERE listing = ? AND {condition}"
        return self._db.execute(sql, [step.key]).fetchone() is not None

    def undecided(self, resource: str, gids: Iterable[str], round_number: int) -> set[str]:
        """Which of these live, were not seen in this round, and were not found gone in it either."""
        found = self._db.execute(
            f"SELECT gid FROM {resource} WHERE gid IN (SELECT value FROM json_each(?1)) AND {ALIVE} "
            "AND gid NOT IN (SELECT gid FROM sync_seen WHERE round = ?2 AND scope = ?3) "
            "AND gid NOT IN (SELECT gid FROM sync_missing WHERE round = ?2 AND resource = ?3)",
            [gids_json(gids), round_number, resource],
        )
        return {row[0] for row in found}

    def standing_on_missing(self, resource: str, round_number: int) -> set[str]:
        """The records whose parent, or one of whose places, was found gone in this round."""
        found: set[str] = set()
        for listing in listings_of(resource):
            place, below = listing.stands, listing.below
            if place is None or below is None:
                continue
            if isinstance(place, tuple):
                owner, table, column = f"{resource.removesuffix('s')}_gid", *place
            else:
                owner, table, column = "gid", resource, place
            parents = ("users", "agents") if below == "actors" else (below,)
            for parent in parents:
                found |= {
                    row[0]
                    for row in self._db.execute(
                        f"SELECT {owner} FROM {table} WHERE {column} IN "
                        "(SELECT gid FROM sync_missing WHERE round = ? AND resource = ?)",
                        [round_number, parent],
                    )
                }
        return found

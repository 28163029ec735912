"""What a repair needs beyond a run: a round of its own, and who is concerned by it."""

from __future__ import annotations

from sqlite_utils import Database

from asana_mirror.store.rounds import Run

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

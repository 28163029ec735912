"""What is believed of the allowance of a token, kept under its hash."""

from __future__ import annotations

import hashlib
import sqlite3
from datetime import datetime
from pathlib import Path

from sqlite_utils import Database

from asana_mirror.errors import MirrorError
from asana_mirror.quota import Governor
from asana_mirror.refusals import Beliefs
from asana_mirror.store.opening import looked_into
from asana_mirror.times import utc_after, utc_now


def hash_of(token: str) -> str:
    """A name for a token from which nobody finds the token."""
    return hashlib.sha256(f"asana-mirror {token}".encode()).hexdigest()[:32]


def remembered(path: Path, token: str) -> tuple[Beliefs, float]:
    """What an earlier run learned, and the seconds that are left of what it was told to wait. Leaves no trace."""
    if not path.exists() or not path.stat().st_size:
        return Beliefs(), 0.0
    try:
        with looked_into(path, without_trace=True) as connection:
            row = connection.execute(
                "SELECT per_minute, cost_per_minute, reads_in_flight, paused_until, pause_s FROM sync_allowances "
                "WHERE token_hash = ?",
                [hash_of(token)],
            ).fetchone()
    except (
        sqlite3.Error,
        MirrorError,
    ):  # an older mirror knows nothing; what else is wrong with it is said later
        return Beliefs(), 0.0
    return (Beliefs(*row[:3]), _left_s(row[3], row[4])) if row else (Beliefs(), 0.0)


def _left_s(until: str | None, told_s: float | None) -> float:
    """Never longer than what was told: this machine's clock may have been set back since."""
    if until is None:
        return 0.0
    left_s = (datetime.fromisoformat(until) - datetime.fromisoformat(utc_now())).total_seconds()
    return max(0.0, min(left_s, told_s or 0.0))


class Allowances:
    """Writes `sync_allowances`; the caller holds the transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def keep(self, token_hash: str, governor: Governor, *, now_s: float) -> None:
        """Keep what is believed now. What an unpaced run met says nothing, but for a pause."""
        left_s, beliefs = governor.pause_left_s(now_s), governor.beliefs
        self._db.execute(
            "INSERT INTO sync_allowances VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (token_hash) DO UPDATE SET "
            "per_minute = excluded.per_minute, cost_per_minute = excluded.cost_per_minute, "
            "reads_in_flight = excluded.reads_in_flight, paused_until = excluded.paused_until, "
            "pause_s = excluded.pause_s, noted_at = excluded.noted_at",
            [
                token_hash,
                beliefs.per_minute,
                beliefs.cost_per_minute,
                beliefs.reads_in_flight,
                utc_after(left_s) if left_s else None,
                left_s or None,
                utc_now(),
            ],
        )

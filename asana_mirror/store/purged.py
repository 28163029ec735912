"""Who was purged and must not come back."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

import orjson
from sqlite_utils import Database

from asana_mirror.erasure import Erasure, Purged, Trace, traces_of
from asana_mirror.store.memory import Memory


class PurgedPeople:
    """Reads and writes `sync_purged`; the caller holds the transaction."""

    def __init__(self, db: Database, memory: Memory | None = None) -> None:
        self._db = db
        self._memory = memory or Memory(db)
        self._known: list[Any] = []
        self._erasure = Erasure(())

    def erasure(self) -> Erasure:
        """What takes them out of whatever is about to be written. Cheap to ask for again and again."""
        known = [] if self._memory.is_empty("sync_purged") else self._all()
        if known != self._known:
            self._known = known
            self._erasure = Erasure(
                Purged(gid, salt, frozenset(map(tuple, orjson.loads(traces)))) for gid, salt, traces in known
            )
        return self._erasure

    def _all(self) -> list[Any]:
        return self._db.execute(
            "SELECT gid, salt, traces FROM sync_purged WHERE resource = 'actors' ORDER BY gid"
        ).fetchall()

    def remember(self, gid: str, names: Iterable[str], *, now: str) -> None:
        """Someone is being purged: keep the gid, and hashes by which texts that name them can be told.

        Purged a second time, when no name is left to hash, they keep the traces of the first.
        """
        row = self._db.execute(
            "SELECT salt, traces FROM sync_purged WHERE resource = 'actors' ORDER BY gid = ? DESC LIMIT 1",
            [gid],
        ).fetchone()
        salt = row[0] if row else secrets.token_hex(16)
        traces = traces_of(names, salt) | self._traces(gid)
        self._db.execute(
            "INSERT INTO sync_purged (resource, gid, purged_at, salt, traces) VALUES ('actors', ?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET purged_at = excluded.purged_at, traces = excluded.traces",
            [gid, now, salt, orjson.dumps(sorted(traces)).decode()],
        )

    def _traces(self, gid: str) -> frozenset[Trace]:
        row = self._db.execute(
            "SELECT traces FROM sync_purged WHERE resource = 'actors' AND gid = ?", [gid]
        ).fetchone()
        return frozenset(map(tuple, orjson.loads(row[0]))) if row else frozenset()

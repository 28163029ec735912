"""Requests made, problems met, changes announced, records that did not fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlite_utils import Database

from asana_mirror.catalog import RESOURCES
from asana_mirror.store.memory import Memory
from asana_mirror.store.purged import PurgedPeople
from asana_mirror.words import ApiChange, EndpointUse, UndecodedRecord


class Ledger:
    """Writes the books of a run; the caller holds the transaction."""

    def __init__(self, db: Database, memory: Memory, purged: PurgedPeople) -> None:
        self._db = db
        self._memory = memory
        self._purged = purged

    def record_use(self, run_id: int, uses: Mapping[str, EndpointUse]) -> None:
        """Bring `sync_requests` up to date with the run's totals."""
        self._db.conn.executemany(
            "INSERT INTO sync_requests (run_id, endpoint, requests, refused, records, bytes, cost_estimate) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id, endpoint) DO UPDATE SET "
            "requests = excluded.requests, refused = excluded.refused, records = excluded.records, "
            "bytes = excluded.bytes, cost_estimate = excluded.cost_estimate",
            [
                (run_id, endpoint, use.requests, use.refused, use.records, use.bytes, use.cost_estimate)
                for endpoint, use in uses.items()
            ],
        )

    def thin_out(self, *, quiet_before: str, before: str) -> None:
        """Let go of the books of a watch's small runs, which come by the hundred thousand a year.

        Those that changed nothing are kept for less long than those that rows name in `_changed_run`.
        """
        old = (
            "SELECT id FROM sync_runs WHERE mode IN ('tick', 'news') AND ended_at < ?1 AND (ended_at < ?2 OR "
            "rows_inserted + rows_updated + rows_deleted = 0)"
        )
        self._db.execute(f"DELETE FROM sync_requests WHERE run_id IN ({old})", [quiet_before, before])
        self._db.execute(f"DELETE FROM sync_runs WHERE id IN ({old})", [quiet_before, before])

    def note_problem(
        self, listing: str, resource: str, status: int | None, message: str, *, run_id: int, now: str
    ) -> None:
        """Keep that something could not be read, since when, and how often."""
        self._db.execute(
            "INSERT INTO sync_problems (listing, resource, status, message, since, last_seen_at, run_id) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (listing) DO UPDATE SET status = excluded.status, "
            "message = excluded.message, last_seen_at = excluded.last_seen_at, times = times + 1, "
            "run_id = excluded.run_id",
            [listing, resource, status, message, now, now, run_id],
        )

    def failed_before(self, listing: str, run_id: int) -> bool:
        """Whether an earlier run could not read it either."""
        found = self._db.execute(
            "SELECT 1 FROM sync_problems WHERE listing = ? AND run_id < ?", [listing, run_id]
        ).fetchone()
        return found is not None

    def solve_problem(self, listing: str) -> None:
        """The listing was read after all."""
        if self._memory.may_be_a_problem(listing):
            self._db.execute("DELETE FROM sync_problems WHERE listing = ?", [listing])

    def refused_records(self) -> set[str]:
        """Resources of which records were refused that were asked for by themselves."""
        found = self._db.execute(
            "SELECT DISTINCT resource FROM sync_problems AS p "
            "WHERE NOT EXISTS (SELECT 1 FROM sync_checkpoints WHERE listing = p.listing)"
        )
        return {row[0] for row in found} & RESOURCES.keys()

    def solve_records(self, resource: str, gids: Iterable[str]) -> None:
        """Records were shown after all, by whatever list."""
        path = RESOURCES[resource].path or ""
        self._db.conn.executemany(
            "DELETE FROM sync_problems WHERE listing = ?", [(path.format(gid=gid),) for gid in gids]
        )

    def note_changes(
        self, changes: Mapping[ApiChange, int], endpoints: Mapping[ApiChange, str], now: str
    ) -> None:
        """Keep what Asana announced in its headers, how often, and where first."""
        self._db.conn.executemany(
            "INSERT INTO sync_api_changes "
            "(header, value, name, info, affected, endpoint, first_seen_at, last_seen_at, times) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (header, value) DO UPDATE SET "
            "last_seen_at = excluded.last_seen_at, times = times + excluded.times",
            [
                (
                    change.header,
                    change.value,
                    change.name,
                    change.info,
                    change.affected,
                    endpoints[change],
                    now,
                    now,
                    times,
                )
                for change, times in changes.items()
            ],
        )

    def keep_undecoded(
        self, records: Sequence[UndecodedRecord], resource: str, read: Iterable[str], step_key: str, now: str
    ) -> None:
        """Keep what did not fit, whole but for who was purged; forget what fits by now."""
        if not records and self._memory.is_empty("sync_undecoded"):
            return
        erasure = self._purged.erasure()
        self._db.conn.executemany(
            "INSERT INTO sync_undecoded (resource, gid, listing, error, record, since, last_seen_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (resource, gid) DO UPDATE SET error = excluded.error, "
            "record = excluded.record, last_seen_at = excluded.last_seen_at, times = times + 1",
            [
                (record.resource, record.gid, step_key, record.error, record.record, now, now)
                for record in map(erasure.undecoded, records)
                if record is not None
            ],
        )
        self._db.conn.executemany(
            "DELETE FROM sync_undecoded WHERE resource = ? AND gid = ?", [(resource, gid) for gid in read]
        )

    def undecoded_alone(self, resource: str) -> list[str]:
        """Records that did not fit when they were read by themselves."""
        sql = "SELECT gid FROM sync_undecoded WHERE resource = ?1 AND listing = ?1"
        return [row[0] for row in self._db.execute(sql, [resource])]

    def drop_what_is_over(self, round_number: int) -> None:
        """After a round over everything: what it did not meet again belongs to something that is gone."""
        self._db.execute(
            "DELETE FROM sync_problems WHERE run_id IN (SELECT id FROM sync_runs WHERE round < ?)",
            [round_number],
        )
        self._db.execute(
            "DELETE FROM sync_undecoded "
            "WHERE last_seen_at < (SELECT min(started_at) FROM sync_runs WHERE round = ?)",
            [round_number],
        )

    def count_problems(self) -> int:
        """How many listings could not be read."""
        return self._count("sync_problems")

    def count_undecoded(self) -> int:
        """How many records did not fit."""
        return self._count("sync_undecoded")

    def _count(self, table: str) -> int:
        (count,) = self._db.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(count)

"""Reads again what differs: a small run, by the rules of every run.

It moves no cursor. A later run still looks at all that happened since its own last look, of which a repair may
have read only a part.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from asana_mirror import __version__
from asana_mirror.catalog import RESOURCES, Resource
from asana_mirror.client import Asana, GaveUp
from asana_mirror.compare import NOT_LISTED, Difference
from asana_mirror.decode import decode
from asana_mirror.doubts import Doubts
from asana_mirror.errors import CarryOnWithout, WrongUsage
from asana_mirror.plan import DOUBT_ORDER
from asana_mirror.reading import Reading
from asana_mirror.run import (
    Show,
    Stop,
    SyncOptions,
    conclude,
    holder,
    on_record,
    opened,
    read_until_nothing_is_left,
)
from asana_mirror.store import Mirror, Run
from asana_mirror.store.repairs import Repairs
from asana_mirror.store.rows import Rows
from asana_mirror.times import utc_now
from asana_mirror.wire import record_request
from asana_mirror.words import Batch, Checkpoint, Scope, Step

AT_ONCE = 200  # records asked for before the next look at the mirror

Record = tuple[str, str]  # resource, gid


@dataclass
class Wrong:
    """What is to be read again: the listings and the records that differ, and who was missed in a listing."""

    steps: list[Step] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    missed: set[Record] = field(default_factory=set)

    def add(self, check: Step | Record, differences: Iterable[Difference]) -> None:
        """Note that a check found differences."""
        if isinstance(check, Step):
            self.steps.append(check)
            self.missed.update((found.what, found.gid) for found in differences if found.there == NOT_LISTED)
        else:
            self.records.append(check)


@dataclass(frozen=True)
class Done:
    """What a repair changed."""

    run: int
    rows_inserted: int
    rows_updated: int
    rows_deleted: int


def reason_against(rows: Rows, path: Path) -> WrongUsage | None:
    """Why this mirror cannot be repaired now, if so."""
    if rows.last_scope() is not None:
        return None
    return WrongUsage(
        f"The last sync of {path} did not come to its end: what it has not read is not to be repaired.",
        hint=f"Run asana-mirror sync {path} first.",
    )


async def repaired(
    asana: Asana, options: SyncOptions, wrong: Wrong, rows: Rows, stop: Stop, show: Show | None = None
) -> Done:
    """Read again what is wrong. The caller holds the mirror. Raises what a run raises."""
    scope = rows.last_scope() or Scope()
    with opened(options.mirror) as mirror:
        repairs = Repairs(mirror.db)
        with mirror.atomic():
            run = repairs.begin(now=utc_now(), holder=holder(), version=__version__)
        reading = Rereading(asana, mirror, run, scope, stop)
        doubts = SomeDoubts(asana, mirror, run, scope, reading, stop, wrong.missed)
        async with on_record(mirror, run, reading, stop, show):
            reading.ask_again(wrong.steps)
            await doubts.read_again(wrong.records)
            await read_until_nothing_is_left(mirror, run, reading, doubts, stop)
            deleted = conclude(mirror, run, reading, options)
        return Done(run.id, reading.tally.inserted, reading.tally.updated, deleted)


class Rereading(Reading):
    """Reads chosen listings again, and what stands below a record only where that is new."""

    def __init__(self, asana: Asana, mirror: Mirror, run: Run, scope: Scope, stop: asyncio.Event) -> None:
        super().__init__(asana, mirror, run, scope, stop)
        self._rows = Rows(mirror.db.conn)
        self._repairs = Repairs(mirror.db)
        self._new: set[str] = set()  # records that came, or came back, in this run

    def ask_again(self, steps: Iterable[Step]) -> None:
        """Put listings in the queue although they are known."""
        with self._mirror.atomic():
            super().ask_for(steps)

    def ask_for(self, steps: Iterable[Step]) -> None:
        """Put listings in the queue that nobody has read yet, those of new records, and parts of longer ones."""
        super().ask_for(
            step
            for step in steps
            if step.parent_gid in self._new
            or step.listing.name == "section_tasks"
            or not self._repairs.was_read(step)
        )

    def write_batch(self, resource: Resource, batch: Batch, step: Step | None, now: str) -> None:
        self._new |= batch.listed.keys() - self._rows.living(resource.name, batch.listed)
        super().write_batch(resource, batch, step, now)

    async def _take_sync_token(self, checkpoint: Checkpoint) -> Checkpoint:
        if self._repairs.has_cursor(checkpoint.step):
            return checkpoint
        return await super()._take_sync_token(checkpoint)

    def _complete(self, checkpoint: Checkpoint, standing: set[str] | None, now: str) -> None:
        if self._repairs.has_cursor(checkpoint.step):
            checkpoint = replace(checkpoint, next_cursor=None)
        super()._complete(checkpoint, standing, now)


class SomeDoubts(Doubts):
    """Doubts only who was missed where the mirror has it, and who stood on what turned out to be gone."""

    def __init__(
        self,
        asana: Asana,
        mirror: Mirror,
        run: Run,
        scope: Scope,
        reading: Rereading,
        stop: asyncio.Event,
        missed: Iterable[Record],
    ) -> None:
        super().__init__(asana, mirror, run, scope, reading, stop)
        self._again = reading
        self._repairs = Repairs(mirror.db)
        self._rows = Rows(mirror.db.conn)
        self._read: set[Record] = set()
        self._missed: dict[str, set[str]] = {}
        for resource, gid in missed:
            self._missed.setdefault(resource, set()).add(gid)

    async def resolve(self) -> None:
        """Ask for those in doubt; who lives on elsewhere than with what is gone has lost a link to it."""
        await super().resolve()
        await self.read_again(
            [(resource, gid) for resource in DOUBT_ORDER for gid in self._concerned(resource)]
        )

    async def read_again(self, records: Sequence[Record]) -> None:
        """Read records by themselves, each once."""
        new = [record for record in records if record not in self._read]
        self._read.update(new)
        for start in range(0, len(new), AT_ONCE):
            if self._stop.is_set():
                return
            async with asyncio.TaskGroup() as questions:
                for record in new[start : start + AT_ONCE]:
                    questions.create_task(self._read_again(*record))

    async def _read_again(self, resource: str, gid: str) -> None:
        """Read a record by itself; through the listing in which it stands, where only that tells all of it."""
        entry = RESOURCES[resource]
        if entry.one_place:
            self._look_where_it_stands(resource, gid)
            return
        try:
            answer = await self._asana.record(*record_request(entry.path or "", resource, gid))
        except CarryOnWithout:
            self._missed.setdefault(resource, set()).add(gid)
            self._look_where_it_stands(resource, gid)
            return
        except GaveUp as trouble:
            self._reading.postpone((entry.path or "").format(gid=gid), resource, trouble)
            return
        batch = decode(entry, [answer.content], fills=self._rows.fills(resource, gid))
        await self._reading.write(lambda: self._keep(resource, gid, batch))

    def _keep(self, resource: str, gid: str, batch: Batch) -> None:
        self._reading.write_batch(RESOURCES[resource], batch, None, utc_now())
        self._mirror.absence.see(resource, [gid], self._run.round)
        if resource == "tasks":  # what else happened to it may have happened below it
            self._again.ask_again(self._rows.listings_of_task(gid))

    def _look_where_it_stands(self, resource: str, gid: str) -> None:
        """Nobody is gone because of one answer: the listings that showed it have to say so as well."""
        self._again.ask_again(
            place for place in self._places(resource, gid) if self._mirror.rounds.state_of(place) is not None
        )

    def _doubtful(self, resource: str) -> list[str]:
        return [gid for gid in self._concerned(resource) if self._stands_nowhere(resource, gid)]

    def _concerned(self, resource: str) -> list[str]:
        """Who was missed, or stood on what is gone, and was not decided about."""
        round_number = self._run.round
        gids = self._missed.get(resource, set()) | self._repairs.standing_on_missing(resource, round_number)
        undecided = self._repairs.undecided(resource, gids, round_number)
        return sorted(gid for gid in undecided if (resource, gid) not in self._undecided)

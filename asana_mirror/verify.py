"""Compares mirror and Asana without writing anything; with `repair`, reads again what differs."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from asana_mirror.catalog import RESOURCES, Kept, ask_also
from asana_mirror.client import Asana, GaveUp
from asana_mirror.compare import (
    LIVING,
    Comparison,
    Difference,
    choose,
    compare_batch,
    compare_listing,
    compare_order,
    spread,
)
from asana_mirror.contact import first_contact
from asana_mirror.decode import decode
from asana_mirror.ending import Show, Stop, cancelled_after_grace, shown, what_ended_it
from asana_mirror.errors import CarryOnWithout, Interrupted, ListTooLong, OffsetExpired
from asana_mirror.quota import READS_IN_FLIGHT
from asana_mirror.reading import Progress
from asana_mirror.repair import Done, Wrong, reason_against, repaired
from asana_mirror.run import SyncOptions, asana_for
from asana_mirror.sifting import Sifting
from asana_mirror.singly import Record
from asana_mirror.store import check_mirror, hold
from asana_mirror.store.opening import sqlite_translated
from asana_mirror.store.rows import Rows, rows_of
from asana_mirror.wire import gids_request, record_request
from asana_mirror.words import Answer, Page, Step, step_named

MOST_RESTARTS = 5  # of one listing whose offsets die
UNTOUCHED = "Nothing was written. Run the same command again whenever you like."

Check = Step | Record


@dataclass(frozen=True)
class NotCompared:
    """What could not be compared, with Asana's answer; that is no difference."""

    what: str
    status: int | None
    message: str


@dataclass
class Repair:
    """What --repair did, and what is left after it."""

    done: Done
    left: list[Difference]


@dataclass
class Verification:
    """What was compared and what differs; `verify --json` prints it."""

    mirror: str
    sample: int
    seed: int
    listings: int = 0
    records: int = 0
    requests: int = 0
    seconds: float = 0.0
    differences: list[Difference] = field(default_factory=list)
    lag: list[Difference] = field(default_factory=list)
    not_compared: list[NotCompared] = field(default_factory=list)
    given_up: int = 0  # of these: because Asana failed again and again, not because it refused
    repair: Repair | None = None

    @property
    def agrees(self) -> bool:
        """Whether no difference is left."""
        return not (self.differences if self.repair is None else self.repair.left)


async def verify(
    options: SyncOptions,
    *,
    sample: int = 100,
    seed: int | None = None,
    repair: bool = False,
    transport: httpx.AsyncBaseTransport | None = None,
    stop: Stop | None = None,
    show: Show | None = None,
) -> Verification:
    """Compare every listing, the listings of `sample` tasks and `sample` records with what Asana says.

    Raises a MirrorError for whatever keeps it from its end.
    """
    began, path, stop = time.monotonic(), options.mirror, stop or Stop()
    ask_also(options.extra_fields)
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    check_mirror(path, must_exist=True)
    found = Verification(str(path), sample, seed)
    with hold(path) if repair else nullcontext(), sqlite_translated(path), rows_of(path) as rows:
        if repair and (reason := reason_against(rows, path)):
            raise reason
        rows.workspaces = options.scope.workspaces
        async with asana_for(options, transport) as asana:
            checking = Checking(asana, rows, found, stop)
            async with _interruptible(path, stop, asana), shown(show, checking.progress):
                checking.meet(await first_contact(asana, options.scope))
                await checking.check(checking.chosen(sample, random.Random(seed)))
            if repair and found.differences:
                done = await repaired(asana, options, checking.wrong, rows, stop, show)
                after = Checking(asana, rows, Verification(str(path), sample, seed), stop)
                async with _interruptible(path, stop, asana):
                    await after.check((*checking.wrong.steps, *checking.wrong.records))
                found.repair = Repair(done, after.found.differences)
            found.requests = asana.requests
    found.seconds = round(time.monotonic() - began, 3)
    return found


@asynccontextmanager
async def _interruptible(path: Path, stop: Stop, asana: Asana) -> AsyncIterator[None]:
    try:
        async with cancelled_after_grace(stop, asana):
            yield
    except BaseException as error:
        ended = what_ended_it(error, path, stop)
        if isinstance(ended, Interrupted):
            ended.hint = UNTOUCHED
        raise ended from error


class Checking:
    """Asks for what it is told to check, and notes what differs."""

    def __init__(self, asana: Asana, rows: Rows, found: Verification, stop: Stop) -> None:
        self.found = found
        self.wrong = Wrong()
        self._workspaces: list[str] | None = None  # as the first contact listed them
        self.progress = Progress()
        self._asana = asana
        self._rows = rows
        self._sifting = Sifting(asana, rows.excluded)
        self._stop = stop
        self._told: set[Difference] = set()
        self._global_fields: dict[Step, set[str] | None] = {}

    def meet(self, workspaces: Iterable[Answer[Page]]) -> None:
        """Take the list of workspaces from the first contact, instead of asking for it twice."""
        records = (record for answer in workspaces for record in answer.content.records)
        self._workspaces = [str(record["gid"]) for record in records if isinstance(record, dict)]

    def chosen(self, sample: int, randomness: random.Random) -> Iterator[Check]:
        """All listings but those of single tasks; these of some tasks; some records."""
        for step in self._rows.listings():
            self.progress.asked[step.listing.name] += 1
            yield step
        counts = self._rows.count()
        for gid in choose(self._rows.gids("tasks"), sample, randomness):
            steps = self._rows.listings_of_task(gid)
            self.progress.asked.update(step.listing.name for step in steps)
            yield from steps
        for resource, number in spread(counts, sample).items():
            gids = choose(self._rows.gids(resource), number, randomness)
            self.progress.asked["records"] += len(gids)
            yield from ((resource, gid) for gid in gids)

    async def check(self, checks: Iterable[Check]) -> None:
        """Check them all, as many at a time as the client has slots."""
        waiting = iter(checks)
        async with asyncio.TaskGroup() as workers:
            for _ in range(READS_IN_FLIGHT):
                workers.create_task(self._work(waiting))
        if self._stop.is_set():
            raise self._stop.reason()
        self._compare_global_fields()

    async def _work(self, waiting: Iterator[Check]) -> None:
        for check in waiting:
            if self._stop.is_set():
                return
            if isinstance(check, Step):
                await self._check_listing(check)
                self.progress.done[check.listing.name] += 1
            else:
                await self._check_record(*check)
                self.progress.done["records"] += 1

    # -- listings -------------------------------------------------------------------------------------

    async def _check_listing(self, step: Step) -> None:
        if not self._rows.parent_lives(step):
            return
        there = await self._gids(step)
        if step.listing.name == "workspace_custom_fields":
            self._global_fields[step] = None if there is None else set(there)
        if there is None:
            return
        self.found.listings += 1
        if step.listing.kept:
            self._compare_kept(step, step.listing.kept, there)
            return
        what, rows = step.listing.resource, self._rows
        here = rows.excluded.outside(what, rows.standing(step))
        if step in self._global_fields:  # no field says in which workspace's list it stands
            known = set(here)
            here = [gid for gid in there if gid in known]
        strange = set(there) - set(here)
        aside = rows.undecoded(what, strange) | await self._erased(what, strange) if strange else set()
        aside |= await self._left_out(what, strange - aside)
        aside |= rows.read_alone(step.listing, strange)
        told = [gid for gid in there if gid not in aside]
        compared = compare_listing(what, step.key, here, told, rows.states(what, strange))
        if step.listing.position:
            compared.add(compare_order(what, step.key, here, there))
        self._note(compared, step)

    def _compare_kept(self, step: Step, kept: Kept, there: Iterable[str]) -> None:
        """A list that is itself kept as rows, whoever its members are; persons who were purged are in none."""
        purged = self._rows.purged()
        here = [gid for gid in self._rows.standing(step) if gid not in purged]
        there = [gid for gid in there if gid not in purged]
        compared = compare_listing(kept.table, step.key, here, there, {})
        if kept.position:
            compared.add(compare_order(kept.table, step.key, here, there))
        self._note(compared, step)

    async def _erased(self, resource: str, gids: Iterable[str]) -> set[str]:
        """Which of these are kept out because a person was purged."""
        entry, erasure = RESOURCES[resource], self._rows.erasure
        if not erasure.keeps_out(resource):
            return set()
        found = set()
        for gid in gids:
            with contextlib.suppress(CarryOnWithout, GaveUp):
                answer = await self._asana.record(*record_request(entry.path or "", resource, gid))
                batch = decode(entry, [answer.content])
                if gid in batch.listed and gid not in erasure.batch(batch).rows[resource]:
                    found.add(gid)
        return found

    async def _left_out(self, resource: str, gids: Collection[str]) -> set[str]:
        """Which of these are kept out by the configuration."""
        known, entry = self._rows.excluded.among(resource, gids), RESOURCES[resource]
        found = set(known)
        for gid in set(gids) - known if self._sifting and entry.path else ():
            with contextlib.suppress(CarryOnWithout, GaveUp):
                answer = await self._asana.record(*record_request(entry.path or "", resource, gid))
                await self._sifting.look_up(resource, [answer.content])
                if not self._sifting.sift(resource, [answer.content]).kept:
                    found.add(gid)
        return found

    async def _gids(self, step: Step) -> list[str] | None:
        """What Asana lists; None where it cannot be told."""
        if step.listing.below is None and self._workspaces is not None:
            return self._workspaces
        try:
            for _ in range(MOST_RESTARTS):
                try:
                    return await self._walk(step)
                except OffsetExpired:
                    continue
            self._leave_out(step.key, 400, "Its offsets die again and again.")
        except ListTooLong as refusal:
            self._leave_out(step.key, 400, str(refusal))
        except CarryOnWithout as refusal:
            self._leave_out(step.key, refusal.status, str(refusal))
        except GaveUp as trouble:
            self._give_up(step.key, trouble)
        return None

    async def _walk(self, step: Step) -> list[str]:
        gids: dict[str, None] = {}
        offset: str | None = None
        while True:
            page = (await self._asana.page(*gids_request(step, offset))).content
            gids.update((str(one["gid"]), None) for one in page.records if isinstance(one, dict))
            offset = page.next_offset
            if offset is None:
                return list(gids)

    def _compare_global_fields(self) -> None:
        """Whether a field is in no list any more can be said of all workspaces' lists together only."""
        lists = {step: gids for step, gids in self._global_fields.items() if gids is not None}
        if not lists or len(lists) < len(self._rows.standing(step_named("workspaces"))):
            return
        there = set().union(*lists.values())
        gone = [gid for gid in self._rows.global_custom_fields() if gid not in there]
        for step in lists if gone else ():
            self._note(compare_listing(step.listing.resource, step.key, gone, [], {}), step)

    # -- records --------------------------------------------------------------------------------------

    async def _check_record(self, resource: str, gid: str) -> None:
        entry, rows = RESOURCES[resource], self._rows
        path = entry.path or ""
        try:
            answer = await self._asana.record(*record_request(path, resource, gid))
            await self._sifting.look_up(resource, [answer.content])
        except CarryOnWithout as refusal:
            self._note_refused(resource, gid, refusal)
            return
        except GaveUp as trouble:
            self._give_up(path.format(gid=gid), trouble)
            return
        kept = self._sifting.sift(resource, [answer.content]).kept
        batch = rows.erasure.batch(decode(entry, kept, fills=rows.fills(resource, gid)))
        for record in batch.undecoded:
            self._leave_out(f"{record.resource} {record.gid}", None, f"It does not fit: {record.error}")
        self.found.records += 1
        self._note(compare_batch(entry, batch, rows.like(batch)), (resource, gid))

    def _note_refused(self, resource: str, gid: str, refusal: CarryOnWithout) -> None:
        """404 says that it is gone, if the mirror has it; anything else only that the token may not read it."""
        if refusal.status not in (404, 410):
            path = RESOURCES[resource].path or ""
            self._leave_out(path.format(gid=gid), refusal.status, str(refusal))
            return
        self.found.records += 1
        if self._rows.living(resource, [gid]):
            answer = f"{refusal.status}: not found"
            self._note(Comparison([Difference(resource, gid, None, LIVING, answer)]), (resource, gid))

    # -- notes ----------------------------------------------------------------------------------------

    def _note(self, compared: Comparison, check: Check) -> None:
        """Keep what is new: what stands inside many records is told once."""
        new = [difference for difference in compared.differences if difference not in self._told]
        self.found.differences += new
        self.found.lag += (lag for lag in compared.lag if lag not in self._told)
        self._told.update(compared.differences, compared.lag)
        if new:
            self.wrong.add(check, new)

    def _give_up(self, what: str, trouble: GaveUp) -> None:
        self.found.given_up += 1
        self._leave_out(what, trouble.status, str(trouble))

    def _leave_out(self, what: str, status: int | None, message: str) -> None:
        self.found.not_compared.append(NotCompared(what, status, message))

"""Reads listings until none is due: page by page, each page and its checkpoint in one transaction."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from asana_mirror.catalog import LISTINGS, RESOURCES, Listing, Resource
from asana_mirror.client import Asana, GaveUp
from asana_mirror.consequences import Consequences
from asana_mirror.decode import decode, members
from asana_mirror.errors import CarryOnWithout, ListTooLong, OffsetExpired, SyncTokenExpired
from asana_mirror.group_commit import GroupCommit
from asana_mirror.offers import NotOffered
from asana_mirror.partial import set_apart
from asana_mirror.plan import is_swept, steps_of_split
from asana_mirror.queue import Queue
from asana_mirror.quota import READS_IN_FLIGHT
from asana_mirror.sifting import Sifting
from asana_mirror.store import Mirror, Run, Tally
from asana_mirror.store.ages import REFUSED
from asana_mirror.store.streams import key_of
from asana_mirror.times import utc_now
from asana_mirror.visibility import is_for_good
from asana_mirror.wire import endpoint_of_listing, page_request
from asana_mirror.words import Answer, Batch, Checkpoint, Page, Scope, Step, step_named

# Definitions and people come in several places of one round.
MET_APART = {
    *(resource.name for resource in RESOURCES.values() if any(links.united for links in resource.links)),
    *(inside.resource for one in RESOURCES.values() for inside in one.embedded if not inside.many),
}
MOST_RESTARTS = 20  # of one listing in one walk
BOOKS_EVERY_S = 1.0


@dataclass
class Progress:
    """Listings asked for and read in this round, by the catalog's name."""

    asked: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    records: int = 0


class Reading:
    """One run's reading: workers take steps from the mirror's queue until it is empty."""

    moves_cursors = True

    def __init__(self, asana: Asana, mirror: Mirror, run: Run, scope: Scope, stop: asyncio.Event) -> None:
        self.tally = Tally()
        self.progress = Progress()
        self.postponed: dict[str, str] = {}  # listing → why it is left for the next run
        self.consequences = Consequences(mirror, run, scope, self.ask_for)
        self.sifting = Sifting(asana, mirror.excluded, trusts=run.mode != "full")
        self.asana = asana
        self._mirror = mirror
        self.run = run
        self._stop = stop
        self._not_offered = NotOffered()
        self._refused_records = mirror.ledger.refused_records()
        self.queue = Queue(
            mirror, run.round, stop, self.postponed, self._is_slowed, self._not_offered.is_answered
        )
        self.write = GroupCommit(mirror, others=self.queue.__len__).write
        self._at_the_stream: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._streams_tried: set[str] = set()
        self._died_at: dict[str, int] = {}
        self._books_at = 0.0
        if run.resumed:
            for name, (due, asked) in mirror.rounds.count_due(run.round).items():
                self.progress.asked[name] = asked
                self.progress.done[name] = asked - due

    async def drain(self, only: Collection[str] = (), *, urgent: bool = False) -> None:
        """Read until no listing is due, something else must be done first, or told to stop.

        `only` of these kinds, or only those for which news calls (`urgent`).
        """
        self.queue.only, self.queue.urgent = only, urgent
        async with asyncio.TaskGroup() as workers:
            for _ in range(READS_IN_FLIGHT):
                workers.create_task(self._work())

    async def _work(self) -> None:
        while (checkpoint := await self.queue.next()) is not None:
            try:
                await self._read_listing(checkpoint)
            finally:
                self.queue.done(checkpoint)

    def _is_slowed(self, listing: Listing) -> bool:
        return self.asana.governor.is_slowed(endpoint_of_listing(listing))

    async def _read_listing(self, checkpoint: Checkpoint) -> None:
        if not self._mirror.excluded.followed([checkpoint.step]):
            await self.write(
                lambda: self._mirror.excluded.forget_lists_of([checkpoint.step.parent_gid or ""])
            )
            return
        if checkpoint.split:
            await self._split(checkpoint)
            return
        if refusal := self._not_offered.here(checkpoint.step):
            self._refuse(checkpoint.step, *refusal)
            return
        if checkpoint.step.listing.events:
            await self._open_stream(checkpoint.step)
        rest: Checkpoint | None = checkpoint
        while rest is not None and not self._stop.is_set():
            rest = await self._read_page(rest)

    async def _open_stream(self, step: Step) -> None:
        """Take the token before the walk, so that nothing falls between the walk and the events after it.

        Whichever of the lists that it tells of is read first, takes it; the others wait for it.
        """
        gid = step.parent_gid or ""
        async with self._at_the_stream[gid]:
            if gid not in self._streams_tried and self._mirror.streams.token(gid) is None:
                self._streams_tried.add(gid)
                await self._take_token(gid)

    async def _take_token(self, gid: str) -> None:
        try:
            token = (await self.asana.events(gid, None)).content.sync
        except SyncTokenExpired as answer:
            token = answer.sync
        except (CarryOnWithout, GaveUp) as refusal:
            with self._mirror.atomic():
                self._mirror.streams.refuse(gid, refusal.status or 0)
                self._mirror.ledger.note_problem(
                    key_of(gid), "events", refusal.status, str(refusal), run_id=self.run.id, now=utc_now()
                )
            return

        def keep() -> None:
            self._mirror.streams.keep(gid, token, now=utc_now())
            self._mirror.ledger.solve_problem(key_of(gid))

        await self.write(keep)

    async def _read_page(self, checkpoint: Checkpoint) -> Checkpoint | None:
        """Read and write one page; returns what is left of the listing."""
        step = checkpoint.step
        try:
            limit = self.asana.governor.prices.limit(endpoint_of_listing(step.listing))
            request = page_request(step, checkpoint.offset, limit)
            answer = await self.asana.page(*request, single=step.listing.single)
            await self.sifting.look_up(step.listing.resource, answer.content.records)
        except OffsetExpired as death:
            return await self._start_over(checkpoint, str(death))
        except ListTooLong as refusal:
            await self._split(checkpoint, str(refusal))
            return None
        except CarryOnWithout as refusal:
            self._refuse(step, refusal.status, str(refusal))
            return None
        except GaveUp as trouble:
            if not self.postpone(step.key, step.listing.resource, trouble):
                self._refuse(step, trouble.status or 0, str(trouble), passing=True)
            return None
        if step.listing.log and not answer.content.records:  # it has a next page for ever
            answer = replace(answer, content=Page([], None))
        if checkpoint.offset is not None and answer.content.next_offset == checkpoint.offset:
            return await self._start_over(checkpoint, "Its pages lead to themselves.")
        records = len(answer.content.records)
        return await self.write(lambda: self.write_page(checkpoint, answer), records)

    def write_page(self, checkpoint: Checkpoint, answer: Answer[Page]) -> Checkpoint | None:
        """Write a page, its links, what it opens and how far it brings its listing. Inside a transaction."""
        step, page, now = checkpoint.step, answer.content, utc_now()
        after = replace(
            checkpoint,
            offset=page.next_offset,
            records=checkpoint.records + len(page.records),
            walk_began_at=checkpoint.walk_began_at or answer.asked_at,
            next_cursor=checkpoint.next_cursor or (None if step.listing.events else answer.asked_at),
        )
        standing, hides = self._write_records(checkpoint, page, now)
        if page.next_offset or checkpoint.records or hides:
            # Between pages, or behind a record without a gid, someone may be hidden: in doubt, not gone.
            self._mirror.absence.see(step.key, standing or (), self.run.round)
            standing = None
        if page.next_offset:
            self._mirror.rounds.advance(after)
        else:
            self._complete(after, standing, now)
        self._keep_books(now)
        self.progress.records += len(page.records)
        self.queue.announce()
        return after if page.next_offset else None

    def _write_records(self, checkpoint: Checkpoint, page: Page, now: str) -> tuple[set[str] | None, bool]:
        """Write what a page shows; returns who stands in it, and whether somebody may be hidden there."""
        step = checkpoint.step
        listing, resource = step.listing, RESOURCES.get(step.listing.resource)
        standing: set[str] = set()
        hides = False
        if resource is not None:
            position = listing.position if listing.position in resource.own_columns else None
            batch = decode(
                resource,
                self.sifted(resource, page.records),
                fills=step.fills(),
                position=(position, checkpoint.records) if position else None,
            )
            wanted = set_apart(self._mirror, resource, step, batch, page.records) if listing.untold else []
            if listing.kept is not None:  # its links name also those that did not fit
                aside = (one.gid for one in batch.undecoded if one.resource == resource.name and one.has_gid)
                batch.stubs.setdefault(resource.name, {}).update((gid, {}) for gid in aside)
            self.write_batch(resource, batch, step, now)
            self._mirror.inbox.note(wanted)
            self._write_positions(step, resource, batch, checkpoint.records)
            standing = {*batch.listed, *(record.gid for record in batch.undecoded)}
            hides = any(not record.has_gid for record in batch.undecoded)
        if listing.kept is not None:
            shown = members(page.records)
            self._mirror.kept.write(step, shown, checkpoint.records, run_id=self.run.id)
            self.consequences.meet(step, shown)
            standing |= shown.keys()
        return standing, hides

    def write_batch(self, resource: Resource, batch: Batch, step: Step | None, now: str) -> None:
        """Write a batch and put in the queue what its records open. Inside the caller's transaction."""
        self._leave_out_known(batch, resource)
        absence, run = self._mirror.absence, self.run
        if any(links.united for links in resource.links):
            batch.shown_elsewhere = absence.seen(resource.name, batch.listed, run.round)
        reshaped = self.consequences.reshaped(batch)
        taken_in = self._mirror.excluded.take_in(batch)
        written = self._mirror.pages.write(self.sifting.blank(batch), run_id=run.id, now=now)
        for name, gids in taken_in.items():
            written.born.setdefault(name, set()).update(gids)
        self.tally.add(written.tally)
        absence.close_children(batch, run.round)
        for name, rows in batch.rows.items():
            absence.found(name, rows, run.round)
            self._mirror.inbox.fulfil(name, rows)
            if name in self._refused_records:
                self._mirror.ledger.solve_records(name, rows)
            if name in MET_APART:
                absence.see(name, rows, run.round)
        self._mirror.inbox.fulfil(resource.name, batch.listed)
        for record in batch.undecoded:
            absence.found(record.resource, [record.gid], run.round)
            self._mirror.inbox.fulfil(record.resource, [record.gid])
            if record.resource in MET_APART:
                absence.see(record.resource, [record.gid], run.round)
        self._mirror.ledger.keep_undecoded(
            batch.undecoded, resource.name, batch.listed, step.key if step else resource.name, now
        )
        self.consequences.draw(resource, batch, written, reshaped, step, now)

    def sifted(self, resource: Resource, records: list[Any]) -> list[Any]:
        """Those that are not excluded; the others stay out, and nothing is concluded of them."""
        sifted = self.sifting.sift(resource.name, records)
        self._mirror.excluded.leave_out(sifted.above | sifted.left_out)
        for name, gid in sifted.left_out:
            self._mirror.absence.found(name, [gid], self.run.round)
            self._mirror.inbox.fulfil(name, [gid])
        return sifted.kept

    def ask_for(self, steps: Iterable[Step], *, again: bool = False) -> int:
        """Put listings in the queue, each at most once a round unless `again`; returns how many are new.

        Inside the caller's transaction.
        """
        by_name: dict[str, list[Step]] = {}
        for step in self._mirror.excluded.followed(steps):
            by_name.setdefault(step.listing.name, []).append(step)
        new = 0
        for name, named in by_name.items():
            asked = self._mirror.rounds.ask_for(named, self.run.round, again=again)
            self.progress.asked[name] += asked
            new += asked
        return new

    def _leave_out_known(self, batch: Batch, resource: Resource) -> None:
        """Definitions inside other records repeat themselves: the first of a round is written, the rest are not."""
        for name in [name for name in batch.rows if name != resource.name and not RESOURCES[name].one_place]:
            for gid in self._mirror.absence.written(name, batch.rows[name], self.run.round):
                del batch.rows[name][gid]
                for (child, _), parents in batch.children.items():
                    for child_gid in parents.pop(gid, ()):
                        batch.rows[child].pop(child_gid, None)

    def _write_positions(self, step: Step, resource: Resource, batch: Batch, start: int) -> None:
        if step.listing.position is None or step.listing.position in resource.own_columns:
            return
        self._mirror.pages.write_positions(
            "task_projects",
            "task_gid",
            f"{(step.listing.below or '').removesuffix('s')}_gid",
            step.parent_gid or "",
            ((gid, start + index) for gid, index in batch.listed.items()),
        )

    def _complete(self, checkpoint: Checkpoint, standing: set[str] | None, now: str) -> None:
        step = checkpoint.step
        self._not_offered.answered(step)
        if step.since is None:
            missed = self._mirror.absence.close_listing(step, standing, self.run.round)
            self.consequences.note_missed(step, missed)
            if step.listing.kept:
                self._mirror.kept.close(step, standing, self.run.round, run_id=self.run.id)
            entry = RESOURCES.get(step.listing.resource)
            if entry is not None and entry.one_place:
                self._mirror.inbox.settle(step.listing.resource, step.parent_gid or "")
        self._mirror.absence.forget(step.key, self.run.round)
        if step.why == REFUSED:
            # It is shown again, so the others of its kind may be as well.
            self.ask_for(self._mirror.ages.refused_like(step.listing.name), again=True)
        if not self.moves_cursors:
            checkpoint = replace(checkpoint, next_cursor=None)
        self._mirror.rounds.complete(checkpoint, now=now, swept=is_swept(step, self.run.mode))
        self._mirror.ledger.solve_problem(step.key)
        self.progress.done[step.listing.name] += 1

    async def _start_over(self, checkpoint: Checkpoint, reason: str) -> Checkpoint | None:
        """The offset died: read from the first page, under the time at which the walk began."""
        key, records = checkpoint.step.key, checkpoint.records
        died_here_before = self._died_at.get(key) == records
        self._died_at[key] = records
        if died_here_before and checkpoint.step.listing.split:
            await self._split(checkpoint, reason)
            return None
        if checkpoint.restarts >= MOST_RESTARTS:
            self._refuse(checkpoint.step, 400, reason, passing=True)
            return None
        afresh = replace(checkpoint, offset=None, records=0, restarts=checkpoint.restarts + 1)
        with self._mirror.atomic():
            self._mirror.absence.forget(key, self.run.round)
            self._mirror.rounds.advance(afresh)
        return afresh

    async def _split(self, checkpoint: Checkpoint, reason: str = "") -> None:
        """Too long to be read in one: read its parts instead, in this and every later round."""
        step = checkpoint.step
        if step.listing.split is None:
            self._refuse(step, 400, reason)
            return
        sections = step_named("project_sections", step.parent_gid, step.workspace_gid)
        while await self._is_under_way(sections):
            pass
        state = self._mirror.rounds.state_of(sections)
        parts = self._mirror.absence.living_sections(step.parent_gid or "")
        if self._stop.is_set():
            return
        if state is None or state.due or state.refused or not parts:
            self._refuse(step, 400, reason or "The listing is too long and its sections cannot be read.")
            return
        await self._open_stream(step)
        now = utc_now()
        with self._mirror.atomic():
            self.ask_for(steps_of_split(parts, step), again=True)
            self._mirror.absence.forget(step.key, self.run.round)
            swept = is_swept(step, self.run.mode)
            self._mirror.rounds.complete(replace(checkpoint, split=True), now=now, swept=swept)
            self.progress.done[step.listing.name] += 1

    async def _is_under_way(self, step: Step) -> bool:
        state = self._mirror.rounds.state_of(step)
        waiting = state is not None and state.due and state.round == self.run.round
        if not waiting or step.key in self.postponed or self._stop.is_set():
            return False
        await asyncio.sleep(0.05)
        return True

    def _refuse(self, step: Step, status: int, message: str, *, passing: bool = False) -> None:
        """Note what Asana will not show, and go on without: nothing is concluded from it.

        `passing`: it failed rather than was refused, and is asked again in the next run.
        """
        now = utc_now()
        instead = None if is_for_good(status, message) else step.listing.instead
        self._not_offered.refused(step, status, message)
        with self._mirror.atomic():
            self._mirror.rounds.refuse(step, 0 if passing else status)
            self._mirror.absence.forget(step.key, self.run.round)
            self._mirror.ledger.note_problem(
                step.key, step.listing.resource, status, message, run_id=self.run.id, now=now
            )
            self.consequences.doubt_parent(step, status)
            if instead:
                self.ask_for([replace(step, listing=LISTINGS[instead])])
        self.progress.done[step.listing.name] += 1

    def postpone(self, key: str, resource: str, trouble: GaveUp) -> bool:
        """It failed again and again while others succeeded: it is left for the next run.

        Once it has failed in two runs, it must not hold back all the rest for ever: False.
        """
        ledger = self._mirror.ledger
        first_time = not ledger.failed_before(key, self.run.id)
        if first_time:
            self.postponed[key] = str(trouble)
        with self._mirror.atomic():
            ledger.note_problem(
                key, resource, trouble.status, str(trouble), run_id=self.run.id, now=utc_now()
            )
        return first_time

    def _keep_books(self, now: str) -> None:
        """Bring the run's figures up to date, so that they survive a kill to within a second."""
        if time.monotonic() - self._books_at >= BOOKS_EVERY_S:
            self.keep_books(now)

    def keep_books(self, now: str) -> None:
        """Write the run's figures. Inside the caller's transaction."""
        asana, run = self.asana, self.run
        self._books_at = time.monotonic()
        self._mirror.rounds.count(
            run,
            self.tally,
            requests=asana.requests,
            refused=asana.refused,
            seconds_waited=asana.seconds_waited,
            allowed=asana.allowed,
        )
        self._mirror.ledger.record_use(run.id, asana.uses)
        self._mirror.ledger.note_changes(asana.changes, asana.changed_endpoints, now)
        asana.changes.clear()

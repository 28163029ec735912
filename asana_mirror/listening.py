"""Listens to the event streams of projects: what they tell goes into the inbox, together with the next token."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from functools import partial

from asana_mirror.catalog import LISTINGS, listings_of
from asana_mirror.client import Asana, GaveUp
from asana_mirror.deliveries import mark_of, read_delivery
from asana_mirror.errors import CarryOnWithout, SyncTokenExpired
from asana_mirror.folding import asked_by
from asana_mirror.freshness import TOKEN_LIFE_S
from asana_mirror.plan import EVENT, GAP, sweep_of, wanted
from asana_mirror.reading import Reading
from asana_mirror.store import Mirror, Run
from asana_mirror.store.streams import key_of
from asana_mirror.times import utc_before, utc_now
from asana_mirror.words import Event, EventsPage, Scope, Step

LOOK_EVERY_S = 60.0  # how often a long walk asks itself whether a token grows old
MOST_CALLS = 10_000  # of one stream: a stream that leads to itself must not be followed for ever
AT_A_TIME = 100  # deliveries folded in one transaction
MOST_EMPTY = 20  # answers in a row that tell nothing and promise more


class Listening:
    """Reads every stream once a run, and in long runs before half of a token's life is over."""

    def __init__(
        self,
        asana: Asana,
        mirror: Mirror,
        run: Run,
        scope: Scope,
        reading: Reading,
        stop: asyncio.Event,
        projects: Collection[str] | None = None,
    ) -> None:
        self._asana = asana
        self._mirror = mirror
        self._run = run
        self._scope = scope
        self._reading = reading
        self._stop = stop
        self._projects = projects
        self._silent: dict[str, CarryOnWithout | GaveUp] = {}
        self._looked_at = asyncio.get_running_loop().time()
        self._old = False

    def is_wanted(self) -> bool:
        """Whether this run reads anything of which streams tell."""
        return wanted(LISTINGS["project_tasks"], self._scope)

    async def listen(self, quiet_since: str | None = None, among: Collection[str] | None = None) -> None:
        """Read on in all streams that were not heard since a moment; without one, in all of them, or `among` some."""
        streams = self._mirror.streams.quiet_since(quiet_since, self._projects)
        if among is not None:
            streams = [(gid, token) for gid, token in streams if gid in among]
        self._reading.progress.asked["events"] += len(streams)
        async with asyncio.TaskGroup() as ears:
            for project_gid, token in streams:
                ears.create_task(self._hear(project_gid, token))

    def grows_old(self) -> bool:
        """Whether a token has lived for half of its life. Looked up now and then only."""
        now = asyncio.get_running_loop().time()
        if not self._old and now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = now
            self._old = bool(self._mirror.streams.quiet_since(self._half_a_life_ago(), self._projects))
        return self._old

    async def hear_the_old(self) -> None:
        """Read on in streams whose tokens have lived for half of their lives."""
        self._old = False
        await self.listen(self._half_a_life_ago())

    def _half_a_life_ago(self) -> str:
        return utc_before(TOKEN_LIFE_S / 2)

    def fall_back(self) -> bool:
        """Sweep the projects that live but whose streams may not be read; returns whether there are any."""
        silent = {
            gid: refusal
            for gid, refusal in self._silent.items()
            if not self._mirror.absence.no_longer("projects", gid, self._run.round)
        }
        self._silent.clear()
        with self._mirror.atomic():
            for gid, refusal in silent.items():
                self._mirror.streams.refuse(gid, refusal.status or 0)
                self._mirror.ledger.note_problem(
                    key_of(gid), "events", refusal.status, str(refusal), run_id=self._run.id, now=utc_now()
                )
                self._sweep(gid)
        return bool(silent)

    def take_in(self) -> set[tuple[str, str]]:
        """Fold what webhooks delivered; returns the records that it asks for.

        Only while nothing is under way: what was asked for before the news came must not pass for an answer to it.
        """
        asked: set[tuple[str, str]] = set()
        while waiting := self._mirror.deliveries.waiting(AT_A_TIME):
            with self._mirror.atomic():
                for delivery in waiting:
                    events = read_delivery(delivery.body.encode())
                    asked |= self._note_events(delivery.project_gid, events)
                    self._mirror.deliveries.note_told(delivery.project_gid, _marks(events))
                    self._mirror.streams.note_told(delivery.project_gid, now=utc_now())
                self._mirror.deliveries.drop(waiting)
        return asked

    async def _hear(self, project_gid: str, token: str | None) -> None:
        try:
            await self._hear_to_the_end(project_gid, token)
        except SyncTokenExpired as answer:
            fresh = answer.sync  # taken before the sweep, so that nothing falls between the two
            await self._reading.write(lambda: self._begin_anew(project_gid, fresh))
        except CarryOnWithout as refusal:
            if token is not None and refusal.status in (400, 412):  # it is the token that is refused
                await self._hear(project_gid, None)
                return
            self._silent[project_gid] = refusal
        except GaveUp as trouble:
            if not self._reading.postpone(key_of(project_gid), "events", trouble):
                self._silent[project_gid] = trouble
        self._reading.progress.done["events"] += 1

    async def _hear_to_the_end(self, project_gid: str, token: str | None) -> None:
        empty = 0
        told = self._mirror.deliveries.told(project_gid)
        for _ in range(MOST_CALLS):
            if self._stop.is_set():
                return
            page = (await self._asana.events(project_gid, token)).content
            await self._reading.write(partial(self._note, project_gid, page, told))
            if not page.has_more or page.sync == token:
                return
            token = page.sync
            empty = 0 if page.events else empty + 1
            if empty == MOST_EMPTY:
                break
        self._silent[project_gid] = GaveUp("Its events do not come to an end.")

    def _note(self, project_gid: str, page: EventsPage, told: Collection[str]) -> None:
        """Note what a page tells, without what a webhook `told` before, and the next token."""
        marks = Counter(map(mark_of, page.events)) if told else {}
        # Two that nothing tells apart may be two changes, of which the webhook told one.
        news = [event for event in page.events if marks.get(mark := mark_of(event)) != 1 or mark not in told]
        self._note_events(project_gid, news)
        if told and not page.has_more:
            self._mirror.deliveries.forget_told(project_gid)
        self._mirror.streams.keep(project_gid, page.sync, now=utc_now(), told=bool(page.events))
        self._mirror.ledger.solve_problem(key_of(project_gid))

    def _note_events(self, project_gid: str, events: list[Event]) -> set[tuple[str, str]]:
        told = [asked_by(event, project_gid) for event in events]
        wishes = [wish for asked in told for wish in asked.wishes]
        above = [wish for asked in told for wish in asked.above]
        lost = self._mirror.inbox.note(wishes, above)
        steps = [Step(LISTINGS[name], gid, why=EVENT) for asked in told for name, gid in asked.listings]
        self._reading.consequences.told_of_lists.update(step.key for step in steps)
        self._ask_for(steps)
        if any(wanted(listing, self._scope) for wish in lost for listing in listings_of(wish.resource)):
            # What stood here before the walk began went while it lasted, from a task that nobody can name by now.
            self._sweep(project_gid)
        return {(wish.resource, wish.gid) for wish in (*wishes, *above)}

    def _begin_anew(self, project_gid: str, token: str) -> None:
        self._mirror.streams.keep(project_gid, token, now=utc_now())
        self._mirror.ledger.solve_problem(key_of(project_gid))
        self._sweep(project_gid)

    def _sweep(self, project_gid: str) -> None:
        self._ask_for(sweep_of(project_gid, GAP))

    def _ask_for(self, steps: list[Step]) -> None:
        """What this run may not read is left for one that may."""
        self._reading.ask_for((step for step in steps if wanted(step.listing, self._scope)), again=True)
        self._mirror.rounds.leave_for_later(
            (step for step in steps if not wanted(step.listing, self._scope)), self._run
        )


def _marks(events: Iterable[Event]) -> Iterator[str]:
    """What tells these events from others; without a time nothing does."""
    return (mark_of(event) for event in events if event.created_at)

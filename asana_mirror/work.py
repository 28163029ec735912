"""The parts of one round, and the order in which they take turns."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial

from asana_mirror.client import Asana
from asana_mirror.doubts import Doubts
from asana_mirror.ending import Stop
from asana_mirror.errands import Errands
from asana_mirror.errors import AsanaUnreachable
from asana_mirror.exclusion import STAGES
from asana_mirror.freshness import Focus, News, Tick
from asana_mirror.glance import Glance
from asana_mirror.hot import Hot
from asana_mirror.listening import Listening
from asana_mirror.plan import WALKS
from asana_mirror.reading import Reading
from asana_mirror.review import EVERY, ONE_BY_ONE, Due, Review, projects_within
from asana_mirror.search_lanes import Lanes
from asana_mirror.singly import Singly
from asana_mirror.store import Mirror, Run
from asana_mirror.times import utc_before, utc_now
from asana_mirror.words import Answer, Checkpoint, Page, Scope, Wish, step_named

NEWS_EVERY_S = 1.0  # a long run turns to what webhooks delivered at most that often


@dataclass(frozen=True)
class Attention:
    """To what a round attends: ages are in seconds; `focus` where it looks at a part only."""

    scope: Scope
    max_age_s: float
    sweep_every_s: float
    focus: Focus | None = None


class Work:
    """The parts of one round, and the order in which they take turns."""

    def __init__(self, asana: Asana, mirror: Mirror, run: Run, attention: Attention, stop: Stop) -> None:
        scope = self._scope = attention.scope
        self._asana = asana
        self._mirror = mirror
        self._run = run
        self._attention = attention
        self._focus = attention.focus if run.mode == (attention.focus and attention.focus.mode) else None
        self._stop = stop
        projects = self._projects = projects_within(mirror, scope)
        self.reading = Reading(asana, mirror, run, scope, stop)
        self._singly = Singly(asana, mirror, run, self.reading, stop)
        self._listening = Listening(asana, mirror, run, scope, self.reading, stop, projects)
        self._errands = Errands(mirror, run, scope, self.reading, self._singly, stop, projects)
        self._doubts = Doubts(mirror, run, scope, self.reading, self._singly, stop)
        self._review = Review(mirror, scope, self.reading.consequences.portions, projects)
        self._lanes = Lanes(asana, mirror, run, scope, self.reading, stop)
        self._has_looked_closely = False
        self._news_at = asyncio.get_running_loop().time()

    @property
    def _walks(self) -> bool:
        return self._run.mode in WALKS

    async def begin(self, workspaces: list[Answer[Page]]) -> None:
        """Listen before anything is read, so that whatever is read afterwards is at least as new as the news."""
        if self._run.mode == "first":
            self._mirror.search.put_off()
        else:  # as the mirror stood before anything is written
            with self._mirror.atomic():
                self._mirror.unheard.find()
                if not isinstance(self._focus, News):
                    self._wish_for_the_unknown()
            self._listening.take_in()
        if self._focus is not None:
            await self._look_at(self._focus)
        else:
            await self._look_at_everything(workspaces)
        self.reading.queue.pauses_at = self._must_turn_away

    def _wish_for_the_unknown(self) -> None:
        """A project that tasks name and no list has shown is asked for: it is new, or went before it was ever read."""
        named = self._mirror.streams.only_named() if self._projects is None else []
        followed = self._mirror.excluded.outside("projects", named)
        self._mirror.inbox.note(Wish("projects", gid) for gid in followed)

    async def _look_at_everything(self, workspaces: list[Answer[Page]]) -> None:
        attention = self._attention
        if self._run.mode != "first" and not self._run.resumed and self._listening.is_wanted():
            await self._listening.listen()
        if not self._walks:
            self.reading.consequences.portions.whole_lists_before = utc_before(attention.max_age_s)
            self._ask(self._review.due(attention.max_age_s, attention.sweep_every_s))
        if self._run.mode != "first":
            most = EVERY if self._walks else ONE_BY_ONE
            self._ask(Due(tasks=self._review.strays(self._run.id, most=most)))
        await self._open_the_door(workspaces)
        if not self._walks:
            self._errands.plan()
        await self._lanes.begin()

    async def _look_at(self, focus: Focus) -> None:
        """A part only: what webhooks told is in the inbox by now; in a tick, also whatever has its turn."""
        self.reading.consequences.each_run_too = False
        streams, due, hot = set(focus.streams), Due(), None
        if isinstance(focus, Tick):
            portions = self.reading.consequences.portions
            glance = Glance(self._mirror, focus, self._review, portions, self._scope, self._projects)
            hot = Hot(self._asana, self._mirror, self._scope, self.reading, focus)
            streams = glance.streams(await hot.projects())
            due = glance.due(self._attention.max_age_s, self._attention.sweep_every_s)
            self._doubts.doubt_some_fields(partial(focus.slice_of, period_s=self._attention.max_age_s))
        if streams and self._listening.is_wanted():
            await self._listening.listen(among=streams)
        if hot is not None:
            wishes = self._errands.wishes()
            self._errands.take_note(wishes)
            await hot.read_told(wishes)
        self._ask(due)
        if self._scope.in_places and isinstance(focus, Tick):
            await self._open_the_door([])
        self._errands.plan()

    def _must_turn_away(self) -> bool:
        """Whether something else must be done before the next list is read."""
        return self._listening.grows_old() or self._news_waits()

    def _news_waits(self) -> bool:
        if isinstance(self._focus, News) or self._walks:
            return False  # the one is short and another follows; the other reads everything anyway
        now = asyncio.get_running_loop().time()
        return now - self._news_at >= NEWS_EVERY_S and self._mirror.deliveries.are_waiting()

    def _ask(self, due: Due) -> None:
        with self._mirror.atomic():
            self.reading.ask_for(due.lists, again=True)
            self.reading.consequences.wish_for(due.tasks)

    async def _open_the_door(self, workspaces: list[Answer[Page]]) -> None:
        """What leads to everything else: the workspaces, or the places to which the run is narrowed."""
        scope = self._scope
        if scope.in_places:
            places = [("teams", gid) for gid in scope.teams] + [("projects", gid) for gid in scope.projects]
            await self._singly.read_all(places)
            with self._mirror.atomic():
                self.reading.ask_for(step_named("team_projects", gid) for gid in scope.teams)
            return
        root = step_named("workspaces")
        with self._mirror.atomic():
            self.reading.ask_for([root])
        rest: Checkpoint | None = Checkpoint(root, self._run.round)
        for answer in workspaces:
            if rest is not None:
                with self._mirror.atomic():
                    rest = self.reading.write_page(rest, answer)

    async def until_nothing_is_left(self) -> None:
        """Read what is due, what events asked for, and who is in doubt, until nothing is left of all that."""
        while True:
            await self._drain()
            check_stopped(self._stop, self.reading)
            if self._news_waits() and await self._follow_the_news():
                continue
            if self._listening.grows_old():
                await self._listening.hear_the_old()
                continue
            if await self._lanes.settle():
                continue
            if self._listening.fall_back() or await self._widens():
                continue
            if not self._walks and self._errands.plan():
                continue
            if await self._errands.run() or self._looks_closely():
                continue
            await self._doubts.resolve()
            check_stopped(self._stop, self.reading)
            if not self._mirror.rounds.due(self._run.round, 1) and not self._errands.are_left():
                return

    async def _follow_the_news(self) -> bool:
        """What webhooks delivered meanwhile goes first; returns whether it was anything."""
        self._news_at = asyncio.get_running_loop().time()
        told = self._listening.take_in()
        self._errands.try_again(told)
        while self._errands.plan():
            await self.reading.drain(urgent=True)
        return bool(told) and await self._errands.run()

    async def _drain(self) -> None:
        for listings in STAGES if self.reading.sifting else ():
            await self.reading.drain(listings)
        async with asyncio.TaskGroup() as readers:
            readers.create_task(self._lanes.search())
            readers.create_task(self.reading.drain())

    async def _widens(self) -> bool:
        """Listen as well to projects that were found to have come to a team since the run began."""
        if self._projects is None or self._walks:
            return False
        found = (projects_within(self._mirror, self._scope) or set()) - self._projects
        self._projects |= found
        if found and self._listening.is_wanted():
            await self._listening.listen(self._run.started_at)
        return bool(found)

    def _looks_closely(self) -> bool:
        """Once: what was read now stands in the queue as well; a walk has seen it anyway."""
        if self._walks or self._focus or self._run.mode == "repair" or self._has_looked_closely:
            return False
        tally = self.reading.tally
        quiet = not self.reading.consequences.streams_told and not tally.inserted and not tally.updated
        if not self._review.is_time_for_a_close_look(quiet=quiet):
            return False
        self._has_looked_closely = True
        with self._mirror.atomic():
            self._ask(self._review.close_look())
            self._mirror.streams.look_closely(now=utc_now())
        return True


def check_stopped(stop: Stop, reading: Reading) -> None:
    """Raises where the run cannot come to its end."""
    if stop.is_set():
        raise asyncio.CancelledError
    if reading.postponed:
        listing, why = next(iter(reading.postponed.items()))
        raise AsanaUnreachable(
            f"{len(reading.postponed)} listings could not be read, {listing} among them: {why}",
            hint="Everything else was read and kept. Run the same command again: it asks only for the rest.",
        )

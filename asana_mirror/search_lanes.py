"""Searches that stand in for lists of single tasks, in a first walk, where Asana lets a token search.

A hundred subtasks come with a request, whoever their parents are; which tasks have attachments is told a hundred at a
time; and tasks in no project, assigned to nobody and without a tag, show in no list at all. Search lags behind and is
not stable, so nothing rests on it alone: what was modified lately, what does not add up, and a sample of what it calls
empty are read directly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from asana_mirror.catalog import LISTINGS, RESOURCES
from asana_mirror.client import Asana, GaveUp
from asana_mirror.decode import decode
from asana_mirror.errors import CarryOnWithout, StartOver
from asana_mirror.plan import wanted
from asana_mirror.reading import Reading
from asana_mirror.store import Mirror, Run
from asana_mirror.store.searches import SURE, Reliance, SearchState, step_below
from asana_mirror.times import earlier, utc_now
from asana_mirror.windows import Window, next_window
from asana_mirror.wire import search_request
from asana_mirror.words import Answer, Page, Scope, Step

LAG_S = 15 * 60.0  # search lags up to a minute, in bad times longer
MOST_PROJECTS = 400  # more do not fit into an address
SAMPLE = 40  # of the tasks that a search calls empty are asked, to be sure
LEAST_OF = 10  # but only one of so many
STALLED = 3  # pages in a row that lead no further
AT_ONCE = " at once"  # behind the name of a search: instants at which it could not show everything


@dataclass(frozen=True)
class Kind:
    """A search, and the list of a single task for which it stands in, if any."""

    query: Mapping[str, str]
    listing: str | None = None
    whole: bool = False  # the records are read with it; else their gids only


# Records come last: they may only be read once streams tell what happens to them.
KINDS = {
    "attached": Kind({"has_attachment": "true"}, "task_attachments"),
    "loose": Kind({"is_subtask": "false"}),
    "subtasks": Kind({"is_subtask": "true"}, "subtasks", whole=True),
}


class Lanes:
    """The searches of one run."""

    def __init__(
        self, asana: Asana, mirror: Mirror, run: Run, scope: Scope, reading: Reading, stop: asyncio.Event
    ) -> None:
        self._asana = asana
        self._mirror = mirror
        self._run = run
        self._scope = scope
        self._reading = reading
        self._stop = stop
        self._workspaces: list[str] = []
        self._stages = [self._settle_subtasks, self._settle_owners, self._settle_the_rest]

    async def begin(self) -> None:
        """See where the token may search, before anything waits for what is found."""
        if self._run.mode != "first" or self._scope.in_places:
            return
        kinds = self._kinds()
        living = self._mirror.absence.living_workspaces()
        for gid in living if kinds else ():
            if not self._scope.workspaces or gid in self._scope.workspaces:
                await self._look(gid, kinds[0])
                if self._state(gid, kinds[0]).state != "refused":
                    self._workspaces.append(gid)
        if self._workspaces:
            self._reading.consequences.deferred = {KINDS[kind].listing for kind in kinds}

    def _kinds(self) -> list[str]:
        """What is searched for: nothing that the run may not read, or that would have to be sifted first."""
        if not wanted(LISTINGS["project_tasks"], self._scope):
            return []
        kinds = [
            name
            for name, kind in KINDS.items()
            if kind.listing is None or wanted(LISTINGS[kind.listing], self._scope)
        ]
        return [kind for kind in kinds if kind == "attached"] if self._reading.sifting else kinds

    async def search(self) -> None:
        """Read all searches to their ends, beside whatever else is read."""
        if not self._workspaces or not self._stages:
            return
        with self._reading.queue.kept_open("search"):
            for kind in self._kinds():
                if kind != "attached":
                    await self._until_streams_are_open()
                for gid in self._workspaces:
                    await self._search(gid, kind)

    async def _search(self, workspace_gid: str, kind: str) -> None:
        stalled = 0
        while self._may_go_on() and stalled < STALLED:
            before = self._state(workspace_gid, kind)
            if before.state != "under way":
                return
            await self._read_page(workspace_gid, kind)
            stalled = stalled + 1 if self._state(workspace_gid, kind).after == before.after else 0
        if stalled == STALLED:
            await self._end(workspace_gid, kind, replace(self._state(workspace_gid, kind), state="void"))

    async def _until_streams_are_open(self) -> None:
        """All projects are known by then, and whatever happens to a task that is read afterwards is told of."""
        rank = LISTINGS["project_tasks"].rank
        while self._may_go_on() and self._mirror.rounds.is_due(self._run.round, rank):
            await asyncio.sleep(0.05)

    def _may_go_on(self) -> bool:
        reading = self._reading
        return not (self._stop.is_set() or reading.postponed or reading.queue.pauses_at())

    # -- one page -------------------------------------------------------------------------------------

    def _state(self, workspace_gid: str, kind: str) -> SearchState:
        return self._mirror.searches.state(workspace_gid, kind) or SearchState("under way")

    async def _look(self, workspace_gid: str, kind: str) -> None:
        """Whether searching is allowed: by the first page, unless that would bring records too early."""
        if not KINDS[kind].whole and kind != "loose":
            await self._read_page(workspace_gid, kind)
            return
        try:
            await self._asana.page(*search_request(workspace_gid, KINDS[kind].query, None, "created_at"))
        except CarryOnWithout as refusal:
            await self._end(workspace_gid, kind, SearchState("refused", status=refusal.status))
        except (GaveUp, StartOver):
            await self._end(workspace_gid, kind, SearchState("void"))

    async def _read_page(self, workspace_gid: str, kind: str) -> None:
        state = self._state(workspace_gid, kind)
        if state.state != "under way":
            return
        query = self._query(workspace_gid, kind)
        if query is None:
            await self._end(workspace_gid, kind, replace(state, state="void"))
            return
        fields = None if KINDS[kind].whole else "created_at"
        try:
            answer = await self._asana.page(*search_request(workspace_gid, query, state.after, fields))
        except CarryOnWithout as refusal:
            refused = "refused" if state.began_at is None and refusal.status != 400 else "void"
            await self._end(workspace_gid, kind, replace(state, state=refused, status=refusal.status))
            return
        except (GaveUp, StartOver):
            await self._end(workspace_gid, kind, replace(state, state="void"))
            return
        await self._reading.write(lambda: self._keep(workspace_gid, kind, state, answer))

    def _query(self, workspace_gid: str, kind: str) -> dict[str, str] | None:
        query = dict(KINDS[kind].query)
        if kind == "loose":
            projects = self._mirror.searches.projects_of(workspace_gid)
            if len(projects) > MOST_PROJECTS:
                return None
            if projects:
                query["projects.not"] = ",".join(projects)
        return query

    async def _end(self, workspace_gid: str, kind: str, state: SearchState) -> None:
        await self._reading.write(
            lambda: self._mirror.searches.note(workspace_gid, kind, state, now=utc_now())
        )

    def _keep(self, workspace_gid: str, kind: str, state: SearchState, answer: Answer[Page]) -> None:
        """Write what a page shows together with how far it brings the search."""
        now, absence = utc_now(), self._mirror.absence
        records = [one for one in answer.content.records if isinstance(one, dict) and one.get("gid")]
        window = next_window([one.get("created_at") for one in records], state.after)
        if KINDS[kind].whole:
            self._write(records, now)
        else:
            absence.see(kind, [str(one["gid"]) for one in records], self._run.round)
        if window.crowded:
            absence.see(kind + AT_ONCE, [window.crowded], self._run.round)
        self._mirror.searches.note(workspace_gid, kind, _after(state, window, answer.asked_at), now=now)

    def _write(self, records: list[Any], now: str) -> None:
        tasks = RESOURCES["tasks"]
        self._reading.write_batch(tasks, decode(tasks, self._reading.sifted(tasks, records)), None, now)
        self._reading.progress.records += len(records)
        self._reading.queue.announce()

    # -- what it is enough for ------------------------------------------------------------------------

    async def settle(self) -> bool:
        """Put in the queue what a search does not tell; the rest counts as read. Whether anything is to be read."""
        asked = 0
        while self._workspaces and self._stages and not asked and not self._stop.is_set():
            asked = await self._stages.pop(0)()
        return asked > 0

    async def _settle_subtasks(self) -> int:
        asked = 0
        if "subtasks" in self._kinds():
            reliance = self._reliance("subtasks")
            for part in self._mirror.searches.parents(reliance):
                asked += await self._split(part, "subtasks", reliance)
        self._reading.consequences.deferred.discard("subtasks")
        if "loose" in self._kinds():
            unknown = self._mirror.searches.unknown("loose", self._run.round)
            await self._reading.write(lambda: self._reading.consequences.wish_for(unknown))
            asked += len(unknown)
        return asked

    async def _settle_owners(self) -> int:
        """Tasks that have attachments, or may; and some of the others, to see whether the search is right."""
        if "attached" not in self._kinds():
            return 0
        reliance, asked, passed = self._reliance("attached"), 0, 0
        every = max(LEAST_OF, self._mirror.searches.count_tasks() // SAMPLE)
        for part in self._mirror.searches.owners(reliance):
            chosen = []
            for gid, workspace, must in part:
                passed += not must
                if must or passed % every == 0:
                    chosen.append(step_below("task_attachments", gid, workspace, "" if must else SURE))
            asked += await self._ask(chosen)
        self._reading.consequences.deferred.discard("task_attachments")
        return asked

    async def _settle_the_rest(self) -> int:
        if "attached" not in self._kinds():
            return 0
        reliance, asked = self._reliance("attached"), 0
        wrong = self._mirror.searches.was_wrong(self._run.round, reliance.before)
        for gid in wrong & set(reliance.workspaces):
            await self._end(str(gid), "attached", replace(self._state(str(gid), "attached"), state="void"))
        if wrong:
            reliance = self._reliance("attached")
        for part in self._mirror.searches.owners(reliance):
            asked += await self._split(part, "task_attachments", reliance)
        return asked

    def _reliance(self, kind: str) -> Reliance:
        """Where the search came to its end, and the time before which it had caught up."""
        states = {gid: self._state(gid, kind) for gid in self._workspaces}
        done = {
            gid: state.began_at for gid, state in states.items() if state.state == "done" and state.began_at
        }
        first = min((began for began in done.values()), default=None)
        return Reliance(list(done), earlier(first, LAG_S) if first else "", self._run.round)

    async def _split(self, part: list[tuple[str, str | None, bool]], listing: str, reliance: Reliance) -> int:
        """Ask for the lists that must be read, take the others as read."""
        now = utc_now()
        read = [step_below(listing, gid, workspace) for gid, workspace, must in part if not must]
        await self._reading.write(
            lambda: self._mirror.searches.take_as_read(
                read, self._run.round, began_at=reliance.before, now=now
            )
        )
        return await self._ask([step_below(listing, gid, workspace) for gid, workspace, must in part if must])

    async def _ask(self, steps: list[Step]) -> int:
        return await self._reading.write(lambda: self._reading.ask_for(steps)) if steps else 0


def _after(state: SearchState, window: Window, asked_at: str) -> SearchState:
    """The state behind a page."""
    state = replace(state, requests=state.requests + 1, began_at=state.began_at or asked_at)
    if not window.sound:
        return replace(state, state="void")
    return replace(state, state="done" if window.over else "under way", after=window.after or state.after)

"""Which projects are in use: where Asana lets a token search, a request a workspace tells what was modified lately.

Search lags behind and is no proof that nothing happened: it says whose streams are heard first, and a record that it
shows counts only where it is at least as new as what streams told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from asana_mirror.catalog import RESOURCES, opt_fields
from asana_mirror.client import Asana
from asana_mirror.decode import decode
from asana_mirror.errors import CarryOnWithout, StartOver, WaitAndRepeat
from asana_mirror.freshness import COLD_S, Tick
from asana_mirror.plan import PAGE
from asana_mirror.reading import Reading
from asana_mirror.store import Mirror
from asana_mirror.store.searches import SearchState
from asana_mirror.times import earlier, is_time, utc_before, utc_now
from asana_mirror.wire import modified_request
from asana_mirror.words import Scope, Wish

KIND = "modified"  # the row of sync_searches
WATCHED, REFUSED = "watched", "refused"
OVERLAP_S = 300.0  # by which each search reaches back before the one before
MOST_PAGES = 20  # of a hundred tasks, in one tick; the next one goes on from there
WORTH_IT = 5  # tasks: fewer are read by themselves
TRY_AGAIN_S = 24 * 3600.0  # where it was refused


class Hot:
    """Asks once a tick."""

    def __init__(self, asana: Asana, mirror: Mirror, scope: Scope, reading: Reading, tick: Tick) -> None:
        self._asana = asana
        self._mirror = mirror
        self._scope = scope
        self._reading = reading
        self._tick = tick
        self._searched: list[str] = []  # workspaces in which searching is allowed

    async def projects(self) -> set[str]:
        """Projects in which something changed that the mirror has not; what is new, or in none, is read by itself."""
        found: set[str] = set()
        for gid in () if self._scope.in_places else self._mirror.absence.living_workspaces():
            if (not self._scope.workspaces or gid in self._scope.workspaces) and self._may_search(gid):
                found |= self._new_in(await self._modified(gid))
        return found

    async def read_told(self, wishes: Iterable[Wish]) -> None:
        """Read a hundred at a time what streams told of tasks: as far as search has caught up with it."""
        told = {wish.gid: wish for wish in wishes if _shows_by_modification(wish)}
        gids = [] if self._scope.in_places or len(told) < WORTH_IT else self._searched
        for gid in gids:
            after = earlier(min(wish.first_at or "" for wish in told.values()), 0.001)
            try:
                answer = await self._asana.page_at_once(*modified_request(gid, after, opt_fields("tasks")))
                await self._reading.sifting.look_up("tasks", answer.content.records)
            except (CarryOnWithout, StartOver, WaitAndRepeat):
                continue
            records = [
                one for one in answer.content.records if isinstance(one, dict) and self._is_new(one, told)
            ]
            if records:
                await self._reading.write(partial(self._keep, records), len(records))

    def _is_new(self, record: Mapping[str, Any], told: Mapping[str, Wish]) -> bool:
        """Whether it is at least as new as all that was told of it, and as what is here."""
        gid, modified_at = str(record.get("gid")), str(record.get("modified_at") or "")
        if gid not in told or modified_at < (told[gid].last_at or "~"):
            return False
        return modified_at >= (self._mirror.streams.modified_at([gid]).get(gid) or "")

    def _keep(self, records: list[Any]) -> None:
        entry = RESOURCES["tasks"]
        batch = decode(entry, self._reading.sifted(entry, records))
        self._reading.write_batch(entry, batch, None, utc_now())

    def _may_search(self, workspace_gid: str) -> bool:
        states = [self._mirror.searches.state(workspace_gid, kind) for kind in (KIND, "attached")]
        refused = any(state is not None and state.state == REFUSED for state in states)
        return not refused or self._tick.turns(1, TRY_AGAIN_S) > 0

    async def _modified(self, workspace_gid: str) -> list[Mapping[str, Any]]:
        """The tasks modified since the last search; a part of them where they are too many for one tick."""
        found: list[Mapping[str, Any]] = []
        mark = self._begin_at(workspace_gid)
        reached = mark
        try:
            for _ in range(MOST_PAGES):
                answer = await self._asana.page_at_once(
                    *modified_request(workspace_gid, earlier(mark, 0.001))
                )
                records = [one for one in answer.content.records if isinstance(one, dict)]
                found += records
                reached = min(max([reached, *_times(records)]), answer.asked_at)
                if len(records) < PAGE or reached == mark:
                    reached = max(reached, earlier(answer.asked_at, OVERLAP_S))
                    break
                mark = reached
        except CarryOnWithout as refusal:
            self._note(workspace_gid, SearchState(REFUSED, status=refusal.status))
            return []
        except (StartOver, WaitAndRepeat):  # a hint is not worth waiting for
            return found
        self._note(workspace_gid, SearchState(WATCHED, after=reached))
        self._searched.append(workspace_gid)
        return found

    def _begin_at(self, workspace_gid: str) -> str:
        """Where the last one ended; what is older than any watch would leave it, a look at everything has found."""
        state = self._mirror.searches.state(workspace_gid, KIND)
        offset_s = self._mirror.streams.clock_offset_s()
        if state is None or state.after is None:
            return utc_before(offset_s + 2 * self._tick.every_s + OVERLAP_S)
        return max(state.after, utc_before(offset_s + COLD_S))

    def _note(self, workspace_gid: str, state: SearchState) -> None:
        with self._mirror.atomic():
            self._mirror.searches.note(workspace_gid, KIND, state, now=utc_now())

    def _new_in(self, tasks: Iterable[Mapping[str, Any]]) -> set[str]:
        told = {str(task["gid"]): task for task in tasks if task.get("gid")}
        known = self._mirror.streams.modified_at(told)
        new = {gid: task for gid, task in told.items() if known.get(gid) != task.get("modified_at")}
        within = {gid: set(_gids(task.get("projects"))) for gid, task in new.items()}
        above = self._mirror.streams.projects_above(gid for gid, projects in within.items() if not projects)
        with self._mirror.atomic():
            self._reading.consequences.wish_for(
                gid for gid, projects in within.items() if not projects and gid not in above
            )
            self._mirror.inbox.note(
                Wish("projects", gid) for gid in self._unknown(set().union(*within.values()))
            )
        return set().union(*within.values(), *above.values())

    def _unknown(self, projects: set[str]) -> list[str]:
        """Projects that the mirror has never read: they are new, or were not to be seen before."""
        return self._mirror.excluded.outside("projects", projects - self._mirror.streams.read_of(projects))


def _shows_by_modification(wish: Wish) -> bool:
    """Whether modified_at tells if a record is new enough."""
    return wish.resource == "tasks" and wish.moves and not wish.anew and wish.first_at is not None


def _times(records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    moments = (one.get("modified_at") for one in records)
    return (moment for moment in moments if isinstance(moment, str) and is_time(moment))


def _gids(projects: Any) -> Iterator[str]:
    for one in projects if isinstance(projects, list) else ():
        if isinstance(one, dict) and one.get("gid"):
            yield str(one["gid"])

"""Who was missing where it stood: asked for by itself before anything is concluded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from asana_mirror.catalog import LISTINGS, RESOURCES
from asana_mirror.plan import DOUBT_ORDER, WALKS, wanted
from asana_mirror.reading import Reading
from asana_mirror.singly import Record, Singly
from asana_mirror.store import Mirror, Run
from asana_mirror.store.absence import WITH_PARENT
from asana_mirror.words import Scope, step_named

_ONE_PLACE = tuple(name for name, entry in RESOURCES.items() if entry.one_place and entry.path)


class Doubts:
    """Decides about living records that a list lacked in which they stood, or whose places are gone.

    Leaving one container is not dying: such a record is gone only when Asana then refuses it, when a deleted event
    told of it, or when it stood only on something that a deleted event told of.
    """

    def __init__(
        self, mirror: Mirror, run: Run, scope: Scope, reading: Reading, singly: Singly, stop: asyncio.Event
    ) -> None:
        self._mirror = mirror
        self._run = run
        self._reading = reading
        self._singly = singly
        self._stop = stop
        self._knows_fields = not scope.workspaces and not scope.in_places
        self._knows_fields &= wanted(LISTINGS["workspace_custom_fields"], scope)
        self._walks = run.mode in WALKS
        self._shows_fields = self._knows_fields and run.mode in (*WALKS, "changes")  # all of them
        self._asked: set[Record] = set()
        self._relinked: set[Record] = set()
        self._looked_after: set[str] = set()
        self._scope = scope

    async def resolve(self) -> None:
        """Ask for everyone in doubt. What lives after all is written, and what it opens becomes due."""
        absence, round_number = self._mirror.absence, self._run.round
        with self._mirror.atomic():
            absence.take_notices(round_number)
            self._doubt_fields()
            self._doubt_task_lists()
        for resource in (*_ONE_PLACE, *DOUBT_ORDER):
            # One answer may raise the next doubt: a project is gone, so its tasks stand elsewhere or nowhere.
            while not self._stop.is_set() and (doubtful := self._doubtful(resource)):
                await self._ask(resource, doubtful)
        with self._mirror.atomic():
            self._look_after_members()
            self._wish_for_the_bereaved()

    def _doubtful(self, resource: str) -> dict[str, bool]:
        """Who is to be asked for, and whether an event explains it. What can stand nowhere else goes with its place."""
        absence, round_number = self._mirror.absence, self._run.round
        standing = {} if resource in _ONE_PLACE else absence.standing_on_missing(resource, round_number)
        if resource == "tasks" and standing:
            self._let_go_with_parents(set(standing))
            standing = absence.standing_on_missing(resource, round_number)
        followed = self._mirror.excluded.outside(resource, standing)
        standing = {gid: standing[gid] for gid in followed}
        doubtful = dict.fromkeys(absence.in_doubt(resource, round_number), False) | standing
        return {gid: told for gid, told in doubtful.items() if (resource, gid) not in self._asked}

    def _let_go_with_parents(self, gids: set[str]) -> None:
        """Subtasks that stand nowhere else went with a parent of which a deleted event told."""
        absence = self._mirror.absence
        with self._mirror.atomic():
            while gone := absence.only_below(absence.explained_parents(gids, self._run.round)):
                for gid in gone:
                    absence.condemn("tasks", gid, WITH_PARENT, self._run.round, explained=True)
                gids = set(absence.standing_on_missing("tasks", self._run.round))

    async def _ask(self, resource: str, doubtful: dict[str, bool]) -> None:
        self._asked.update((resource, gid) for gid in doubtful)
        outcomes = await self._singly.read_all((resource, gid) for gid in doubtful)
        with self._mirror.atomic():
            for (_, gid), outcome in outcomes.items():
                if outcome in ("gone", "access_lost"):
                    told = self._mirror.inbox.explains(resource, gid)
                    reason = "deleted" if told else WITH_PARENT if doubtful[gid] else outcome
                    explained = told or doubtful[gid]
                    self._mirror.absence.condemn(resource, gid, reason, self._run.round, explained=explained)
                elif outcome == "refused":  # nothing is concluded
                    self._mirror.absence.found(resource, [gid], self._run.round)

    def doubt_some_fields(self, choose: Callable[[list[str]], list[str]]) -> None:
        """In a run that reads only some of the places that show custom fields: ask for a few."""
        if not self._knows_fields:
            return
        resource = LISTINGS["workspace_custom_fields"].resource
        fields = sorted(self._mirror.absence.unseen(resource, self._run.round))
        with self._mirror.atomic():
            self._mirror.absence.doubt(resource, choose(fields), self._run.round)

    def _doubt_fields(self) -> None:
        """Custom fields that no list and no setting has shown."""
        resource = LISTINGS["workspace_custom_fields"].resource
        if self._shows_fields:
            unseen = self._mirror.absence.unseen(resource, self._run.round)
            if not self._walks:  # places that are read by age alone vouch for their fields until then
                unseen -= self._mirror.absence.settled_fields(self._run.round)
            new = {gid for gid in unseen if (resource, gid) not in self._asked}
            self._mirror.absence.doubt(resource, new, self._run.round)

    def _doubt_task_lists(self) -> None:
        """Lists of people who are no members of the workspace any more: nothing else tells of them."""
        left = self._mirror.ties.task_lists(self._run.round)
        new = {gid for gid in left if ("user_task_lists", gid) not in self._asked}
        self._mirror.absence.doubt("user_task_lists", new, self._run.round)

    def _look_after_members(self) -> None:
        """Who is gone has left the teams as well; no stream tells of memberships."""
        teams = self._mirror.ties.teams(self._run.round) - self._looked_after
        self._looked_after |= teams
        steps = [step_named("team_memberships", gid, why="a member is gone") for gid in teams]
        if wanted(LISTINGS["team_memberships"], self._scope):
            self._reading.ask_for(steps, again=True)
        else:
            self._mirror.rounds.leave_for_later(steps, self._run)

    def _wish_for_the_bereaved(self) -> None:
        """Tasks that still link to who is missing: their links are others by now."""
        tied = self._mirror.ties.tasks(self._run.round)
        tasks = {gid for gid in tied if ("tasks", gid) not in self._relinked}
        self._relinked.update(("tasks", gid) for gid in tasks)
        self._reading.consequences.wish_for(tasks)

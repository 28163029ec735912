"""What is read although no event calls for it: by age, to be sure, or because it was put off."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from asana_mirror import __version__
from asana_mirror.plan import AGE, SWEEP, sweep_of, wanted
from asana_mirror.portions import Portions
from asana_mirror.store import Mirror
from asana_mirror.store.unopened import UPGRADE
from asana_mirror.times import utc_before
from asana_mirror.words import Scope, Step

EVERY = 10**9
ONE_BY_ONE = 100  # requests a run may spend on what no stream tells of and no other list shows
CLOSE_LOOK_EVERY_S = 300.0  # at what costs a request each, though nothing seems to have changed
WAITING_AGES = 7  # stories put off after a gap wait at most so many times --max-age


@dataclass
class Due:
    """Lists to be read, and tasks to be read by themselves."""

    lists: list[Step] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)


def projects_within(mirror: Mirror, scope: Scope) -> set[str] | None:
    """The projects to which a run is narrowed, as far as the mirror knows them; None: it is not."""
    if not (scope.workspaces or scope.in_places):
        return None
    return mirror.streams.projects_of(scope.workspaces, scope.teams, scope.projects)


class Review:
    """Knows what is due, for a run or for a forecast of one; asks for nothing itself."""

    def __init__(
        self,
        mirror: Mirror,
        scope: Scope,
        portions: Portions,
        projects: Collection[str] | None = None,
    ) -> None:
        self._mirror = mirror
        self._scope = scope
        self._portions = portions
        self._projects = None if projects is None else set(projects)
        self._tasks = set() if projects is None else mirror.streams.tasks_of(projects)
        self._briefs = set() if projects is None else mirror.streams.briefs_of(projects)

    def due(self, max_age_s: float, sweep_every_s: float) -> Due:
        """What is old, what waits, and what an upgrade, an earlier refusal or a narrower run left open."""
        ages, rest = self._mirror.ages, self.rest(max_age_s)
        steps = [step for gid in ages.sweeps(sweep_every_s) for step in sweep_of(gid, SWEEP)]
        steps += ages.by_age(max_age_s)
        return Due([*filter(self.is_wanted, steps), *rest.lists], rest.tasks)

    def rest(self, max_age_s: float) -> Due:
        """What waits, and what an upgrade, an earlier refusal or a narrower run left open."""
        ages = self._mirror.ages
        steps = ages.waiting(max_age_s * WAITING_AGES)
        steps += ages.left_out()
        steps += ages.outdated()
        steps += ages.refused(max_age_s)
        steps += ages.undecoded()
        if self._mirror.unopened.is_upgraded(__version__):
            steps += [replace(step, why=UPGRADE) for step in self._mirror.unopened.steps(self._scope)]
        if self._projects is None:
            steps += self._mirror.unheard.older_than(utc_before(max_age_s), AGE)
        return Due(list(filter(self.is_wanted, steps)), self._mirror.ledger.undecoded_alone("tasks"))

    def is_time_for_a_close_look(self, *, quiet: bool) -> bool:
        """Whether to read what no stream tells of and no list of this run shows, a request for each.

        Where nothing at all has changed since such a look a few minutes ago, nothing will have changed there either.
        """
        if self._projects is not None:
            return False
        return not (quiet and self._mirror.streams.looked_closely_at() > utc_before(CLOSE_LOOK_EVERY_S))

    def close_look(self) -> Due:
        """That much of it, a run after the other: whole lists of persons first, then lists of subtasks."""
        found, left = Due(), ONE_BY_ONE
        for step, cost, whole in self._portions.to_look_at(left):
            left -= cost
            if whole:
                found.lists.append(step)
            else:
                person = (step.parent_gid or "", step.workspace_gid or "")
                found.tasks += self._mirror.unheard.of_assignee(*person)
        found.lists += self.families(left)
        return found

    def families(self, most: int) -> list[Step]:
        """The lists of subtasks that alone show a subtask of which no stream tells, those longest unread first."""
        if self._projects is not None or most <= 0:
            return []
        return list(filter(self.is_wanted, self._mirror.unheard.families(most, AGE)))

    def strays(self, turn: int, *, most: int = ONE_BY_ONE) -> list[str]:
        """Tasks that stand nowhere are shown by no list; whether they live must be asked of each."""
        if self._projects is not None or most <= 0:
            return []
        return self._mirror.unheard.strays(most, turn)

    def is_wanted(self, step: Step) -> bool:
        """Whether a run of this scope reads a list."""
        if not wanted(step.listing, self._scope):
            return False
        if self._projects is None:
            return True
        below, workspaces = step.listing.below or "", self._scope.workspaces
        if workspaces and (step.parent_gid if below == "workspaces" else step.workspace_gid) in workspaces:
            return True
        within = {"projects": self._projects, "teams": self._scope.teams, "project_briefs": self._briefs}
        return step.parent_gid in within.get(below, self._tasks)

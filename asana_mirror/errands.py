"""Reads what events asked for, the cheapest way: by themselves, as a list of what was modified, or as a whole list."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from asana_mirror.catalog import LISTINGS, listings_of
from asana_mirror.plan import EVENT, wanted, way_to_read
from asana_mirror.reading import Reading
from asana_mirror.singly import Singly
from asana_mirror.store import Mirror, Run
from asana_mirror.store.places import Places
from asana_mirror.times import earlier
from asana_mirror.words import Scope, Step, Wish

OVERLAP_S = 120.0  # by which a list of what was modified reaches back before the first event

Place = tuple[str, str]  # the listing in which a record stands: the catalog's name, gid of the parent


@dataclass
class Group:
    """The wishes for records of one list."""

    wishes: list[Wish] = field(default_factory=list)

    @property
    def moved(self) -> int:
        return sum(wish.moves and wish.first_at is not None for wish in self.wishes)

    @property
    def placed(self) -> bool:
        return any(wish.placed for wish in self.wishes)

    @property
    def since(self) -> str:
        first = min(wish.first_at for wish in self.wishes if wish.moves and wish.first_at is not None)
        return earlier(first, OVERLAP_S)


def wishes_to_read(mirror: Mirror, scope: Scope, projects: Collection[str] | None) -> list[Wish]:
    """What may be read in a run of this scope; the rest stays for a wider one."""
    return [
        wish
        for wish in mirror.inbox.to_read(projects)
        if any(wanted(listing, scope) for listing in listings_of(wish.resource))
    ]


def grouped(wishes: Iterable[Wish], places: Places) -> dict[Place, Group]:
    """Wishes by the list in which their records stand, where one is known."""
    groups: dict[Place, Group] = {}
    for wish in wishes:
        place = places.of(wish)
        if place is not None:
            groups.setdefault(place, Group()).wishes.append(wish)
    return groups


def list_instead(place: Place, group: Group, places: Places, projects: Collection[str] | None) -> Step | None:
    """The list that is cheaper to read than the records of a group one by one, if there is one."""
    name, parent_gid = place
    in_project = name == "project_tasks"
    if in_project and projects is not None and parent_gid not in projects:
        return None  # a list of what the run leaves alone
    way = way_to_read(
        len(group.wishes),
        moved=group.moved if in_project else 0,
        standing=places.standing(name, parent_gid) + sum(wish.placed for wish in group.wishes),
        whole=group.placed or name == "task_stories",
    )
    if way == "listing":
        return Step(LISTINGS[name], parent_gid, why=EVENT)
    if way == "modified":
        return Step(LISTINGS["modified_tasks"], parent_gid, why=EVENT, since=group.since)
    return None


class Errands:
    """Works off the inbox."""

    def __init__(
        self,
        mirror: Mirror,
        run: Run,
        scope: Scope,
        reading: Reading,
        singly: Singly,
        stop: asyncio.Event,
        projects: Collection[str] | None = None,
    ) -> None:
        self._mirror = mirror
        self._run = run
        self._scope = scope
        self._reading = reading
        self._singly = singly
        self._stop = stop
        self._projects = projects
        self._places = Places(mirror.db)
        self._planned: set[tuple[str, str]] = set()
        self._tried: set[tuple[str, str]] = set()

    def plan(self) -> bool:
        """Put in the queue the lists that are cheaper than their records; returns whether there are any."""
        new = [wish for wish in self.wishes() if (wish.resource, wish.gid) not in self._planned]
        self._planned.update((wish.resource, wish.gid) for wish in new)
        groups = self.take_note(new)
        with self._mirror.atomic():
            steps = (self._list_instead(place, group) for place, group in groups.items())
            return self._reading.ask_for(filter(None, list(steps)), again=True) > 0

    def take_note(self, wishes: Collection[Wish]) -> dict[Place, Group]:
        """Let all who draw consequences know what was told; returns the wishes by their lists."""
        told = self._reading.consequences
        told.told.update((wish.resource, wish.gid) for wish in wishes)
        told.streams_told |= any(wish.project_gid is not None for wish in wishes)
        groups = grouped(wishes, self._places)
        told.told_of_stories.update(gid for name, gid in groups if name == "task_stories")
        return groups

    def _list_instead(self, place: Place, group: Group) -> Step | None:
        state = self._mirror.rounds.state_of(Step(LISTINGS[place[0]], place[1]))
        if state and state.due and state.round == self._run.round:
            return None  # it will be read anyway
        return list_instead(place, group, self._places, self._projects)

    async def run(self) -> bool:
        """Read by themselves what is left; returns whether anything was."""
        left = [wish for wish in self.wishes() if (wish.resource, wish.gid) not in self._tried]
        if not left:
            return False
        self._tried.update((wish.resource, wish.gid) for wish in left)
        anew = [(wish.resource, wish.gid) for wish in left if wish.anew]
        outcomes = await self._singly.read_all(((wish.resource, wish.gid) for wish in left), anew=anew)
        with self._mirror.atomic():
            for wish in left:
                outcome = outcomes.get((wish.resource, wish.gid))
                if outcome in ("gone", "access_lost"):
                    reason = "deleted" if wish.deleted else outcome
                    self._mirror.absence.condemn(
                        wish.resource, wish.gid, reason, self._run.round, explained=wish.deleted
                    )
                    self._mirror.inbox.fulfil(wish.resource, [wish.gid], anew=True)
                elif outcome == "refused" and wish.resource == "projects":
                    # Lists show it, as far as anything does.
                    self._mirror.inbox.fulfil(wish.resource, [wish.gid], anew=True)
        return True

    def try_again(self, records: Iterable[tuple[str, str]]) -> None:
        """Something new was told of these: what was planned and tried before counts no more."""
        told = set(records)
        self._planned -= told
        self._tried -= told

    def are_left(self) -> bool:
        """Whether there is anything that was not tried yet."""
        return any((wish.resource, wish.gid) not in self._tried for wish in self.wishes())

    def wishes(self) -> list[Wish]:
        """What is to be read in this run."""
        return wishes_to_read(self._mirror, self._scope, self._projects)

"""How each person's tasks are read in a run that follows changes: as a whole list, or what was modified lately."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from asana_mirror.plan import pages
from asana_mirror.store import Mirror
from asana_mirror.times import earlier
from asana_mirror.words import Step

OVERLAP_S = 120.0  # by which a list of what was modified reaches back before the last one


class Persons:
    """Decides for one run; asks for nothing itself."""

    def __init__(self, mirror: Mirror) -> None:
        self.whole_lists_before = ""  # lists not read as a whole since then are
        self._mirror = mirror
        self._partly_read: dict[Step, tuple[int, int]] = {}  # → how many tasks, how many of them unheard of
        self._by_assignee: dict[tuple[str, str], tuple[int, int]] | None = None

    def tasks_of(self, step: Step) -> Step:
        """All tasks of a person, or where that takes several requests those modified lately."""
        if self._by_assignee is None:
            self._by_assignee = self._mirror.unheard.by_assignee()
        standing, unheard = self._by_assignee.get((step.parent_gid or "", step.workspace_gid or ""), (0, 0))
        cursor = self._mirror.rounds.cursor(step)
        is_old = self._mirror.rounds.swept_at(step) <= self.whole_lists_before
        if cursor is None or is_old or pages(standing) == 1:
            return step
        if unheard:
            self._partly_read[step] = (standing, unheard)
        return replace(step, since=earlier(cursor, OVERLAP_S))

    def to_look_at(self, most: int) -> Iterator[tuple[Step, int, bool]]:
        """Persons of whose tasks only a part was asked for, those longest unread first, within `most` requests.

        With the number of requests, and whether that is for the whole list, else for the tasks one by one.
        """
        for step in sorted(self._partly_read, key=self._mirror.rounds.swept_at):
            standing, unheard = self._partly_read[step]
            cost = min(pages(standing), unheard)
            if cost > most:
                return
            most -= cost
            yield step, cost, cost == pages(standing)

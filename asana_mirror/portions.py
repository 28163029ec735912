"""How much of a list that every run may read is read now: all of it, its later part, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from asana_mirror.catalog import LISTINGS
from asana_mirror.plan import PAGE, pages
from asana_mirror.store import Mirror
from asana_mirror.store.counts import Counts
from asana_mirror.times import earlier
from asana_mirror.words import Step

OVERLAP_S = 120.0  # by which a list of what was modified reaches back before the last one
LATELY_S = 62 * 86400.0  # time is entered, and corrected, for about the last two months


class Portions:
    """Decides for one run; asks for nothing itself."""

    def __init__(self, mirror: Mirror) -> None:
        self.whole_lists_before = ""  # lists not read as a whole since then are
        self._mirror = mirror
        self._partly_read: dict[Step, tuple[int, int]] = {}  # → how many tasks, how many of them unheard of
        self._by_assignee: dict[tuple[str, str], tuple[int, int]] | None = None
        self._counts = Counts(mirror.db)

    def of(self, step: Step) -> Step | None:
        """What is to be asked of a list: the step, one that asks for less, one that stands in for it, or nothing."""
        if step.listing.name == "assigned_tasks":
            return self._tasks_of(step)
        if step.listing.is_patient:
            look = self._mirror.ages.last_look(step)
            if look.at > self.whole_lists_before:
                if look.refused:
                    instead = None if look.refused == 402 else step.listing.instead
                    return self.of(replace(step, listing=LISTINGS[instead])) if instead else None
                if not look.records and not self._counts.standing(step):
                    return None  # what nobody uses is looked at by age
        if step.listing.log:
            return replace(step, since=self._counts.log_ends_at(step))
        return self._lately(step) if step.listing.since else step

    def _tasks_of(self, step: Step) -> Step:
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

    def _lately(self, step: Step) -> Step:
        """All of a list that goes back for years, or its last two months."""
        cursor = self._mirror.rounds.cursor(step)
        is_old = self._mirror.rounds.swept_at(step) <= self.whole_lists_before
        if cursor is None or is_old or self._counts.standing(step) <= PAGE:
            return step
        return replace(step, since=earlier(cursor, LATELY_S)[:10])

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

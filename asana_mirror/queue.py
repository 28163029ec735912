"""What is read next: a short look ahead into the mirror's queue, the most wanted first."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from asana_mirror.catalog import LISTINGS, Listing
from asana_mirror.store import Mirror
from asana_mirror.words import Checkpoint

AHEAD = 50  # steps taken from the mirror's queue at a time
SLOWED_AT_ONCE = 5  # lists of one kind that wait for the cost quota together, where others can go on
ASKED_AT_ONCE = 3  # lists of a kind that Asana may not offer, until one of them is answered


class Queue:
    """Hands out what is due, each to one worker, until nothing is left and nobody is at work who might bring more."""

    def __init__(
        self,
        mirror: Mirror,
        round_number: int,
        stop: asyncio.Event,
        postponed: Collection[str],
        is_slowed: Callable[[Listing], bool],
        is_answered: Callable[[Listing], bool],
    ) -> None:
        # Whether something else must be done before the next list.
        self.pauses_at: Callable[[], bool] = lambda: False
        self.only: Collection[str] = ()  # of these kinds, where any are named
        self.urgent = False  # only those for which news calls
        self._mirror = mirror
        self._round = round_number
        self._stop = stop
        self._postponed = postponed
        self._is_slowed = is_slowed
        self._is_answered = is_answered
        self._ahead: deque[Checkpoint] = deque()
        self._busy: set[str] = set()
        self._under_way: Counter[str] = Counter()
        self._news = asyncio.Event()

    def __len__(self) -> int:
        """How many are at work."""
        return len(self._busy)

    async def next(self) -> Checkpoint | None:
        """The next one, when there is one; None when the work is over, or stopped."""
        while not self._stop.is_set() and (self.urgent or not self.pauses_at()):
            if not self._ahead:
                self._look_ahead()
            if self._ahead and (checkpoint := self._take()) is not None:
                self._busy.add(checkpoint.step.key)
                self._under_way[checkpoint.step.listing.name] += 1
                return checkpoint
            if not self._busy:
                return None
            await self._news.wait()
        return None

    def done(self, checkpoint: Checkpoint) -> None:
        """It was read, or left."""
        self._busy.discard(checkpoint.step.key)
        self._under_way[checkpoint.step.listing.name] -= 1
        self.announce()

    @contextmanager
    def kept_open(self, name: str) -> Iterator[None]:
        """Somebody else is reading and may ask for more: the work is not over before."""
        self._busy.add(name)
        try:
            yield
        finally:
            self._busy.discard(name)
            self.announce()

    def announce(self) -> None:
        """Wake the workers that found nothing to do."""
        self._news.set()
        self._news = asyncio.Event()

    def _take(self) -> Checkpoint | None:
        """The first in the queue whose kind is not crowded; where all are, the first of which one need not wait."""
        slowed = self._crowded(SLOWED_AT_ONCE, self._is_slowed)
        awaited = self._crowded(ASKED_AT_ONCE, lambda listing: not self._is_answered(listing))
        crowded = slowed | awaited
        if crowded and all(checkpoint.step.listing.name in crowded for checkpoint in self._ahead):
            self._look_ahead(without=crowded)
        for passed_over in (crowded, awaited):
            for place, checkpoint in enumerate(self._ahead):
                if checkpoint.step.listing.name not in passed_over:
                    del self._ahead[place]
                    return checkpoint
        return None

    def _crowded(self, most: int, holds: Callable[[Listing], bool]) -> set[str]:
        """Kinds of lists of which so many are under way, and for which that `holds`."""
        return {name for name, count in self._under_way.items() if count >= most and holds(LISTINGS[name])}

    def _look_ahead(self, without: Collection[str] = ()) -> None:
        passed_over = len(self._busy) + len(self._postponed) + (len(self._ahead) if without else 0)
        most = passed_over + AHEAD
        due = self._mirror.rounds.due(self._round, most, self.only, without, urgent=self.urgent)
        self._ahead.extend(
            checkpoint
            for checkpoint in due
            if checkpoint.step.key not in self._busy and checkpoint.step.key not in self._postponed
        )

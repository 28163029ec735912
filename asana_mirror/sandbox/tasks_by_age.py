"""Tasks in the order of their creation, so that a window of time is found without a walk."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from operator import itemgetter
from typing import TYPE_CHECKING

from .render import Rec

if TYPE_CHECKING:
    from .world import World


class ByCreation:
    """All tasks by created_at, which never changes."""

    def __init__(self) -> None:
        self.recs: list[Rec] = []

    def window(self, world: World, after: str | None, before: str | None) -> list[Rec]:
        key = itemgetter("created_at")
        if not self.recs:
            self.recs = sorted((world.records[gid] for gid in world.tasks), key=key)
        for gid in world.tasks[len(self.recs) :]:  # one by one: few are new, and their place is near the end
            insort(self.recs, world.records[gid], key=key)
        first = bisect_right(self.recs, after, key=key) if after else 0
        last = bisect_left(self.recs, before, key=key) if before else len(self.recs)
        return self.recs[first:last]

"""What tasks were until lately: search learns of every change late, and must know what it knew before."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any

from .render import Rec

if TYPE_CHECKING:
    from .world import World

ATTACHMENTS = "attachments_then"  # how many there were; only in what is kept here


class Past:
    """Tasks as they were before each change of the last `kept_s` seconds; keeps nothing while that is 0."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.kept_s = 0.0
        self._was: dict[str, deque[tuple[float, Rec | None]]] = defaultdict(deque)
        self._changes: deque[tuple[float, str]] = deque()

    def keep_for(self, lag_s: float) -> None:
        """Remember at least this long; changes made before the first call are forgotten already."""
        self.kept_s = max(self.kept_s, lag_s)

    def born(self, fields: Rec) -> Rec:
        """A new task's record, whose changes will be noticed whoever makes them."""
        if self.kept_s:
            self._note(fields["gid"], None)
        task = Remembered(fields)
        task.past = self
        return task

    def before_change(self, task: Rec) -> None:
        if self.kept_s:
            self._note(task["gid"], task)

    def _note(self, gid: str, was: Rec | None) -> None:
        now = self.world.clock()
        self._forget(now)
        kept = self._was[gid]
        if kept and kept[-1][0] == now:
            return  # what it was before this instant is kept, and nobody can ask for less
        if was is not None:
            was = {**was, ATTACHMENTS: self.world.attachment_count(was)}
        kept.append((now, was))
        self._changes.append((now, gid))

    def _forget(self, now: float) -> None:
        while self._changes and self._changes[0][0] <= now - self.kept_s:
            _, gid = self._changes.popleft()
            self._was[gid].popleft()
            if not self._was[gid]:
                del self._was[gid]

    def as_of(self, lag_s: float) -> dict[str, Rec | None]:
        """The tasks that changed in the last `lag_s` seconds as they were before, None for those yet unmade."""
        then = self.world.clock() - lag_s
        found: dict[str, Rec | None] = {}
        for gid, kept in list(self._was.items()):  # copied, for another thread may be editing
            for at, was in tuple(kept):
                if at > then:
                    found[gid] = was
                    break
        return found


class Remembered(dict[str, Any]):
    """The record of a task. Changes come from many places; all of them pass through here."""

    __slots__ = ("past",)
    past: Past

    def __setitem__(self, key: str, value: Any) -> None:
        self.past.before_change(self)
        dict.__setitem__(self, key, value)

    def __delitem__(self, key: str) -> None:
        self.past.before_change(self)
        dict.__delitem__(self, key)

    def __ior__(self, other: Any) -> Remembered:  # type: ignore[override,misc]
        self.past.before_change(self)
        dict.update(self, other)
        return self

    def update(self, *others: Any, **fields: Any) -> None:
        self.past.before_change(self)
        dict.update(self, *others, **fields)

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: str, *default: Any) -> Any:
        self.past.before_change(self)
        return dict.pop(self, key, *default)

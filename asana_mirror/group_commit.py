"""Group commit: small pages that arrive at about the same time are written in one transaction.

A commit costs more than the rows of a page of stories. Whoever asks for a write waits until it is on file, so that
nothing counts as read before it is written. Between two transactions, each of at most about one full page, whatever
else is ready goes on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from asana_mirror.plan import PAGE
from asana_mirror.store import Mirror

T = TypeVar("T")

GATHER_S = 0.01  # a page waits so long for others to share its commit


class _Waiting(NamedTuple):
    write: Callable[[], Any]
    records: int
    done: asyncio.Future[Any]


class GroupCommit:
    """Collects writes until they are a full page's worth, or nobody is left to wait for.

    `others` says how many may still come soon; they are not waited for longer than `GATHER_S`.
    """

    def __init__(self, mirror: Mirror, others: Callable[[], int] = lambda: 0) -> None:
        self._mirror = mirror
        self._others = others
        self._waiting: deque[_Waiting] = deque()
        self._records = 0
        self._next: asyncio.Handle | None = None

    async def write(self, write: Callable[[], T], records: int = 0) -> T:
        """Run `write` of so many records inside a transaction; returns when that is committed.

        All of a group, or none.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._waiting.append(_Waiting(write, max(records, 1), done))
        self._records += max(records, 1)
        if self._records >= PAGE or len(self._waiting) >= self._others():
            self._commit_next(loop)
        elif self._next is None:
            self._next = loop.call_later(GATHER_S, self._commit)
        return await done

    def _commit_next(self, loop: asyncio.AbstractEventLoop) -> None:
        """In the next turn of the loop, unless that is so already."""
        if isinstance(self._next, asyncio.TimerHandle):
            self._next.cancel()
            self._next = None
        if self._next is None:
            self._next = loop.call_soon(self._commit)

    def _take(self) -> list[_Waiting]:
        """One full page's worth of what waits, those first who wait longest; or a single larger write."""
        group = [self._waiting.popleft()]
        records = group[0].records
        while self._waiting and records + self._waiting[0].records <= PAGE:
            records += self._waiting[0].records
            group.append(self._waiting.popleft())
        self._records -= records
        return group

    def _commit(self) -> None:
        self._next = None
        group = self._take()
        if self._waiting:
            self._commit_next(asyncio.get_running_loop())
        try:
            with self._mirror.atomic():
                results = [one.write() for one in group]
        except BaseException as error:
            for one in group:
                if not one.done.done():
                    one.done.set_exception(error)
            return
        for one, result in zip(group, results, strict=True):
            if not one.done.done():
                one.done.set_result(result)

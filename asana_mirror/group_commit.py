"""Group commit: the pages that arrive together are written in one transaction.

A commit costs about as much as the rows of a page of stories. Whoever asks for a write waits until it is on file,
so that nothing counts as read before it is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from asana_mirror.store import Mirror

T = TypeVar("T")


class GroupCommit:
    """Collects the writes of one turn of the event loop."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._waiting: list[tuple[Callable[[], Any], asyncio.Future[Any]]] = []

    async def write(self, write: Callable[[], T]) -> T:
        """Run `write` inside a transaction; returns when that is committed. All of a group, or none."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._waiting.append((write, done))
        if len(self._waiting) == 1:
            loop.call_soon(self._commit)
        return await done

    def _commit(self) -> None:
        group, self._waiting = self._waiting, []
        try:
            with self._mirror.atomic():
                results = [write() for write, _ in group]
        except BaseException as error:
            for _, done in group:
                if not done.done():
                    done.set_exception(error)
            return
        for (_, done), result in zip(group, results, strict=True):
            if not done.done():
                done.set_result(result)

"""Runs work as a person watches it: progress on stderr, and signals that ask it to stop between two pages."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any, TypeVar

from asana_mirror.display import progress_shown
from asana_mirror.run import Show, Stop

T = TypeVar("T")


def watched(begin: Callable[[Stop, Show], Coroutine[Any, Any, T]]) -> T:
    """Run `begin` to its end; SIGINT and SIGTERM ask it to stop."""

    async def work() -> T:
        stop = Stop()
        with signals(stop), progress_shown() as show:
            return await begin(stop, show)

    return asyncio.run(work())


@contextlib.contextmanager
def signals(stop: Stop, reload: Callable[[], None] | None = None) -> Iterator[None]:
    """SIGINT and SIGTERM ask to stop; SIGHUP to `reload`, where there is something to be read again."""
    loop = asyncio.get_running_loop()
    calls: dict[signal.Signals, Callable[[], None]] = {
        number: partial(stop.ask, int(number)) for number in (signal.SIGINT, signal.SIGTERM)
    }
    if reload is not None and hasattr(signal, "SIGHUP"):
        calls[signal.SIGHUP] = reload
    heard: list[signal.Signals] = []
    with contextlib.suppress(NotImplementedError, RuntimeError):  # Windows, or not the main thread
        for number, call in calls.items():
            loop.add_signal_handler(number, call)
            heard.append(number)
    try:
        yield
    finally:
        for number in heard:
            loop.remove_signal_handler(number)

"""How runs end: asked to stop, cut off, failed. Whatever happens, figures and outcome are on file."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from pathlib import Path

from asana_mirror.client import Asana
from asana_mirror.errors import AsanaUnreachable, BudgetSpent, Interrupted, MirrorError, TooManyMissing
from asana_mirror.reading import Progress, Reading
from asana_mirror.store import Mirror, Run
from asana_mirror.store.opening import in_our_words
from asana_mirror.times import utc_now

GRACE_S = 3.0  # for pages in flight after a request to stop
LOOK_EVERY_S = 0.02  # whether they have all come home
SHOW_EVERY_S = 0.25

Show = Callable[[Progress], None]

current_run: ContextVar[int | None] = ContextVar("current_run", default=None)  # for whoever writes a log


class Stop(asyncio.Event):
    """A request to stop between two pages, and the signal that asked for it, or the budget that is spent."""

    signal_number: int = signal.SIGINT
    budget: str | None = None

    def ask(self, signal_number: int = signal.SIGINT) -> None:
        """Stop; asked twice, at once."""
        if self.is_set():
            raise KeyboardInterrupt
        self.signal_number = signal_number
        self.set()

    def spend(self, budget: str) -> None:
        """Stop, because all that was allowed is spent: so many requests, so much time."""
        if not self.is_set():
            self.budget = budget
            self.set()

    def reason(self) -> MirrorError:
        """Why the run stopped."""
        if self.budget is not None:
            return BudgetSpent(f"Stopped after {self.budget}, as told.")
        return Interrupted(self.signal_number)


@asynccontextmanager
async def on_record(
    mirror: Mirror, run: Run, reading: Reading, stop: Stop, show: Show | None = None
) -> AsyncIterator[None]:
    """Show and watch over a run; however it ends, its figures and its outcome are on file."""
    current_run.set(run.id)
    try:
        async with cancelled_after_grace(stop, reading.asana), shown(show, reading.progress):
            yield
    except BaseException as error:
        ended = what_ended_it(error, mirror.path, stop)
        _record_end(mirror, run, reading, _outcome(ended))
        raise ended from error


@asynccontextmanager
async def cancelled_after_grace(stop: Stop, asana: Asana) -> AsyncIterator[None]:
    """Once asked to stop, no request leaves, and pages in flight may finish; what takes longer is cut off."""
    task = asyncio.current_task()

    async def watch() -> None:
        await stop.wait()
        asana.close()
        looks = int(GRACE_S / LOOK_EVERY_S)
        while looks and asana.governor.in_flight:
            looks -= 1
            await asyncio.sleep(LOOK_EVERY_S)
        await asyncio.sleep(LOOK_EVERY_S)  # to be written
        if task:
            task.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    finally:
        watcher.cancel()


@asynccontextmanager
async def shown(show: Show | None, progress: Progress) -> AsyncIterator[None]:
    """Show the progress now and then, while the block runs."""

    async def repeat() -> None:
        while show:
            show(progress)
            await asyncio.sleep(SHOW_EVERY_S)

    shower = asyncio.create_task(repeat())
    try:
        yield
    finally:
        shower.cancel()


@contextmanager
def opened(path: Path) -> Iterator[Mirror]:
    mirror = Mirror(path)
    try:
        yield mirror
    finally:
        with contextlib.suppress(sqlite3.Error):
            mirror.close()


def what_ended_it(error: BaseException, path: Path, stop: Stop) -> BaseException:
    """The one error to tell: out of the groups in which parallel readers pack them, in this program's words."""
    while isinstance(error, BaseExceptionGroup):
        inner: tuple[BaseException, ...] = error.exceptions
        error = next((one for one in inner if isinstance(one, MirrorError)), inner[0])
    if isinstance(error, sqlite3.Error):
        return in_our_words(path, error)
    if isinstance(error, asyncio.CancelledError) and stop.is_set():
        return stop.reason()
    return error


def _outcome(error: BaseException) -> str:
    if isinstance(error, (Interrupted, asyncio.CancelledError, KeyboardInterrupt)):
        return "interrupted"
    if isinstance(error, BudgetSpent):
        return "budget"
    if isinstance(error, AsanaUnreachable):
        return "unreachable"
    return "guarded" if isinstance(error, TooManyMissing) else "failed"


def _record_end(mirror: Mirror, run: Run, reading: Reading, outcome: str) -> None:
    now = utc_now()
    # On a full disk even this cannot be written; the next run finds the run without an end.
    with contextlib.suppress(sqlite3.Error), mirror.atomic():
        reading.keep_books(now)
        mirror.rounds.end(run, outcome, now=now)


def holder() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"

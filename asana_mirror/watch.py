"""A long-lived sync: runs at their times and when webhooks tell, one after the other, until it is asked to stop.

The first run looks at everything. After that a tick looks at what is in use and at whatever has its turn (`freshness`),
and what webhooks deliver is followed at once. A run that fails is tried again at the next tick; only what no waiting
can mend ends a watch.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path

import httpx

from asana_mirror.client import Asana
from asana_mirror.ending import GRACE_S, Stop, current_run, opened
from asana_mirror.errors import (
    BadToken,
    CannotWrite,
    DiskFull,
    Interrupted,
    MirrorBusy,
    MirrorError,
    TooManyMissing,
    UserMustAct,
    WrongUsage,
)
from asana_mirror.freshness import COLD_S, Focus, News, Tick
from asana_mirror.hooks import Hooks, Tended
from asana_mirror.metrics import RUNS, fresh_totals
from asana_mirror.review import projects_within
from asana_mirror.run import Report, SyncOptions, asana_for, sync_through
from asana_mirror.store import Mirror
from asana_mirror.times import now
from asana_mirror.timetable import Times, Timetable
from asana_mirror.watched_file import WatchedFile

LOG = logging.getLogger("asana_mirror")

GATHER_S = 0.2  # news that comes together is followed together
PULSE_S = 1.0
AFTER_FAILURE_S = 2.0  # before news is followed that could not be; doubled up to AT_LAST_S
AT_LAST_S = 120.0
OLDEST_S = 15 * 60.0
JUMP_S = 30.0  # a clock that went so much further than the time that passed was set, or the machine slept
TEND_EVERY_S = 3600.0  # webhooks at Asana are looked after
END_WITHIN_S = GRACE_S + 1.0  # once asked to stop, for the page in hand and what is written of it
PASSING = (DiskFull, CannotWrite, MirrorBusy, TooManyMissing, BadToken)  # what a person may mend meanwhile


@dataclass(frozen=True)
class WatchOptions:
    """What a watch is told: what each run is told, when there is one, and where webhooks deliver."""

    sync: SyncOptions
    times: Times
    webhook_url: str | None = None


class Watch:
    """One process's watch over one mirror.

    `totals` counts what its runs did, for whoever measures. `tell` is for the receiver of deliveries.
    """

    def __init__(
        self,
        options: WatchOptions,
        stop: Stop,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        read_again: Callable[[], WatchOptions] | None = None,
    ) -> None:
        self.totals = fresh_totals()
        self._options = options
        self._stop = stop
        self._transport = transport
        self._read_again = read_again
        self._timetable = Timetable(options.times, self._tick)
        self._wake = asyncio.Event()
        self._tick_due = True  # the first run is at once
        self._news = False
        self._streams: set[str] = set()  # to be caught up, because their webhooks are new
        self._failures = 0  # runs in a row that did not come to their end
        self._has_begun = False  # whether the first turn is over
        self._ticked_at: float | None = None  # the last tick, or look at everything, that came to its end
        self._has_new = False  # whether the last tick brought rows that were not there
        self._can_make = True  # whether Asana made the webhooks that it was last asked for
        self._tended_at = float("-inf")
        self._tending: asyncio.Task[None] | None = None
        self._doors = AsyncExitStack()
        self._asana: Asana | None = None
        self._new_options: WatchOptions | None = None
        self.file = WatchedFile(options.sync.mirror)

    @property
    def path(self) -> Path:
        return self._options.sync.mirror

    @property
    def oldest_s(self) -> float:
        """The age at which something is wrong: three ticks were missed, the longest pause between two included."""
        return max(OLDEST_S, 2 * self._timetable.every_s() + self._timetable.longest_s())

    # -- what others tell -----------------------------------------------------------------------------

    def tell(self) -> None:
        """A webhook delivered something."""
        self._news = True
        self._wake.set()

    def reload(self) -> None:
        """Read the configuration again; it holds from the next run on."""
        if self._read_again is None:
            return
        try:
            self._new_options = self._read_again()
        except Exception as error:  # whatever is wrong with it: the old one still holds
            LOG.error("The configuration is not usable, the old one still holds: %s", error)
            return
        self._tick_due = True
        self._wake.set()
        LOG.info("The configuration was read again.")

    async def _tick(self) -> None:
        self._tick_due = True
        self._wake.set()

    # -- the watch ------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep the mirror in sync until `stop`. Raises what no waiting can mend."""
        self._timetable.start()
        pulse = asyncio.create_task(self._pulse())
        work = asyncio.create_task(self._work())
        try:
            await asyncio.wait({pulse, work}, return_when=asyncio.FIRST_COMPLETED)
            if self._stop.is_set():  # each comes to its end by itself, with what it has in hand
                await asyncio.wait({work, self._tending or work}, timeout=END_WITHIN_S)
            for task in (pulse, work):
                if task.done():
                    task.result()
        finally:
            self._timetable.stop()
            await _ended(pulse, work, self._tending)
            self.file.take_log_away()
            await self._doors.aclose()

    async def _work(self) -> None:
        while not self._stop.is_set():
            await self._turn()
            self._wake.clear()
            await self._until_due()

    async def _until_due(self) -> None:
        if not (self._tick_due or self._news or self._stop.is_set()):
            await self._until_woken()
        if self._news and not self._tick_due:  # what comes together is followed together
            await self._is_stopped_within(self._pause_s())

    def _pause_s(self) -> float:
        """Before news is followed: the longer, the oftener that failed."""
        if not self._failures:
            return GATHER_S
        return float(min(AFTER_FAILURE_S * 2 ** min(self._failures - 1, 10), AT_LAST_S))

    async def _until_woken(self) -> None:
        waits = [asyncio.create_task(self._wake.wait()), asyncio.create_task(self._stop.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _turn(self) -> None:
        """One run, of the kind that is due."""
        await self._take_new_options()
        self.file.check()
        focus, began = self._focus(), now().timestamp()
        is_tick, self._tick_due, self._news = self._tick_due, False, False
        streams, self._streams = self._streams, set()
        failures, self._failures = self._failures, 0
        try:
            with self._failures_told():
                report = await self._run(focus)
                self._note(report)
                streams = set()
                if (is_tick or focus is None) and report.outcome == "complete":
                    self._ticked_at, self._has_new = began, report.rows_inserted > 0
        finally:
            self._streams |= streams  # where it failed, they have their turn with the next tick
        if self._failures:
            self._failures += failures
            self._news |= not is_tick  # it is on file, and followed as soon as that succeeds
        self._has_begun = True
        self.file.check()
        self._tend(has_new=is_tick and self._has_new)

    async def _run(self, focus: Focus | None) -> Report:
        """In a task of its own: what fails in one run leaves nothing behind for the next."""
        context = copy_context()
        work = sync_through(await self._door(), self._options.sync, stop=self._stop, focus=focus)
        try:
            return await asyncio.create_task(work, context=context)
        finally:
            current_run.set(context.get(current_run))  # for the lines of the log

    def _focus(self) -> Focus | None:
        """Everything is looked at first, and after a time so long that nothing can be said of what happened."""
        if self._ticked_at is None:
            return None
        now_s = now().timestamp()
        elapsed_s = now_s - self._ticked_at
        streams = frozenset(self._streams)
        if not self._tick_due:
            return News(streams)
        every_s = self._timetable.every_s()
        if not 0 <= elapsed_s < COLD_S:  # below zero: the clock was set back, and no age is right
            return None
        return Tick(now_s, elapsed_s, every_s, streams)

    def _note(self, report: Report) -> None:
        for name in (
            "requests",
            "refused",
            "seconds_waited",
            "rows_inserted",
            "rows_updated",
            "rows_deleted",
        ):
            self.totals[name] += getattr(report, name)
        self.totals[RUNS + report.outcome] += 1
        is_quiet = report.mode == "news" and not report.requests
        LOG.log(
            logging.DEBUG if is_quiet else logging.INFO,
            "%s: %s requests, %s new, %s changed, %s gone, %.2f s",
            report.mode,
            report.requests,
            report.rows_inserted,
            report.rows_updated,
            report.rows_deleted,
            report.seconds,
            extra={"run": report.run, "fields": {"mode": report.mode, "requests": report.requests}},
        )

    @contextmanager
    def _failures_told(self) -> Iterator[None]:
        """What passes by itself, or may be mended while the watch goes on, is told; all else ends it."""
        try:
            yield
        except MirrorError as error:
            if isinstance(error, Interrupted) and self._stop.is_set():
                return
            if isinstance(error, BadToken | MirrorBusy) and not self._has_begun:
                raise
            if isinstance(error, WrongUsage) and not isinstance(error, PASSING):
                raise
            self._count_failure()
            hint = error.hint if isinstance(error, UserMustAct) else "It is tried again at the next tick."
            LOG.error("%s %s", error, hint)
        except Exception as error:
            # A bug, in one run of many: the next one goes on from the last written page.
            self._count_failure()
            LOG.exception("Something unexpected happened: %s: %s", type(error).__name__, error)

    def _count_failure(self) -> None:
        self._failures = 1
        self.totals[RUNS + "failed"] += 1
        if self._asana is not None:
            self.totals["requests"] += self._asana.requests
            self.totals["refused"] += self._asana.refused
            self.totals["seconds_waited"] += round(self._asana.seconds_waited)

    # -- the door to Asana ----------------------------------------------------------------------------

    async def _door(self) -> Asana:
        if self._asana is None:
            door = asana_for(self._options.sync, self._transport, self._stop)
            self._asana = await self._doors.enter_async_context(door)
        return self._asana

    async def _take_new_options(self) -> None:
        if self._new_options is None:
            return
        await _ended(self._tending)
        options, self._new_options = self._new_options, None
        if (options.sync.mirror, options.webhook_url) != (self.path, self._options.webhook_url):
            LOG.warning("Another mirror, or another address for webhooks, needs a restart of the watch.")
            return
        await self._doors.aclose()
        self._doors, self._asana = AsyncExitStack(), None
        self._options = options
        self._tended_at = float("-inf")  # other projects may want a webhook now
        self._timetable.change(options.times)

    # -- webhooks -------------------------------------------------------------------------------------

    def _tend(self, *, has_new: bool) -> None:
        """Look after the webhooks beside the runs: now and then, and when a project has come that has none."""
        url = self._options.webhook_url
        if url is None or self._ticked_at is None or (self._tending and not self._tending.done()):
            return
        if time.monotonic() - self._tended_at >= TEND_EVERY_S or (has_new and self._webhooks_lack()):
            self._tended_at = time.monotonic()
            self._tending = asyncio.create_task(self._tend_to(url))

    def _webhooks_lack(self) -> bool:
        if not self._can_make:
            return False
        try:
            with opened(self.path) as mirror:
                return bool(self._followed(mirror) - mirror.webhooks.projects())
        except Exception:  # a full disk, a locked file: the look itself tells of it
            return True

    async def _tend_to(self, url: str) -> None:
        try:
            with opened(self.path) as mirror:
                hooks = Hooks(await self._door(), mirror, url)
                done = await hooks.tend(self._projects(mirror), stop=self._stop)
        except BaseException as error:
            # Some may have been made, of whose projects nobody knows: so the next tick looks at everything.
            self._ticked_at = None
            if not isinstance(error, Exception):
                raise
            LOG.error("The webhooks could not be looked after: %s: %s", type(error).__name__, error)
            await self._tick()
            return
        self._can_make = done.trouble is None
        _tell_of(done)
        if done.made or done.lost:
            self._streams.update(done.made, done.lost)
            self.tell()

    def _projects(self, mirror: Mirror) -> list[str]:
        """The projects that shall be told of, those first that were changed last."""
        changed = mirror.streams.last_changes("")
        return sorted(self._followed(mirror), key=lambda gid: (changed.get(gid, ""), gid), reverse=True)

    def _followed(self, mirror: Mirror) -> set[str]:
        streams = mirror.streams.ages(projects_within(mirror, self._options.sync.scope))
        return {*mirror.excluded.outside("projects", [gid for gid, *_ in streams])}

    # -- what happens around it -----------------------------------------------------------------------

    async def _pulse(self) -> None:
        """Once a second: whether the clock was set, or the machine slept, or the mirror is another file."""
        wall_s, steady_s = time.time(), time.monotonic()
        while not await self._is_stopped_within(PULSE_S):
            self.file.check()
            jump_s = (time.time() - wall_s) - (time.monotonic() - steady_s)
            if abs(jump_s) >= JUMP_S:
                wall_s, steady_s = time.time(), time.monotonic()
                LOG.warning(
                    "The clock is %.0f s from where it was: the machine slept, or it was set.", jump_s
                )
                self._timetable.reckon_anew()
                await self._tick()

    async def _is_stopped_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
        return self._stop.is_set()


def _tell_of(done: Tended) -> None:
    if done.trouble:
        LOG.warning("%s", done.trouble)
    if done.made or done.lost or done.refused:
        LOG.info(
            "webhooks: %s made, %s were deleted or silent, %s refused",
            len(done.made),
            len(done.lost),
            done.refused,
        )


async def _ended(*tasks: asyncio.Task[None] | None) -> None:
    """Call them off and wait for their ends."""
    running = [task for task in tasks if task is not None and not task.done()]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)

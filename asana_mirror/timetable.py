"""When there is a tick: APScheduler's triggers, on the clock of this machine.

Ticks that were missed (sleep, a long run) are folded into one.
https://apscheduler.readthedocs.io/en/3.x/userguide.html
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]
from apscheduler.triggers.base import BaseTrigger  # type: ignore[import-untyped]
from apscheduler.triggers.cron import CronTrigger  # type: ignore[import-untyped]
from apscheduler.triggers.interval import IntervalTrigger  # type: ignore[import-untyped]

from asana_mirror.errors import WrongUsage
from asana_mirror.times import now

TICK = "tick"


@dataclass(frozen=True)
class Times:
    """Every so often, or by the five fields of cron (minute, hour, day, month, weekday) in local time."""

    every_s: float = 300.0
    cron: str | None = None
    jitter_s: float = 0.0

    def trigger(self) -> BaseTrigger:
        """Raises WrongUsage where `cron` is none."""
        jitter = round(self.jitter_s) or None
        if self.cron is None:
            return IntervalTrigger(seconds=self.every_s, jitter=jitter)
        try:
            trigger = CronTrigger.from_crontab(self.cron)
        except ValueError as error:
            raise WrongUsage(
                f"{self.cron!r} is no cron expression: {error}.",
                hint='Give five fields, for instance --cron "*/15 6-20 * * 1-5".',
            ) from error
        trigger.jitter = jitter
        return trigger


class Timetable:
    """Calls `due` at each tick; must be started inside a running loop."""

    def __init__(self, times: Times, due: Callable[[], Awaitable[None]]) -> None:
        self._times = times
        self._trigger = times.trigger()
        self._due = due
        # Missed ticks are never too late, and never more than one.
        self._scheduler = AsyncIOScheduler(
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )

    def start(self) -> None:
        self._scheduler.add_job(self._due, self._trigger, id=TICK)
        self._scheduler.start()

    def stop(self) -> None:
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def change(self, times: Times) -> None:
        """Other times from now on."""
        self._times, self._trigger = times, times.trigger()
        self.reckon_anew()

    def reckon_anew(self) -> None:
        """The clock was set: what was reckoned by the old one is void."""
        self._scheduler.reschedule_job(TICK, trigger=self._trigger)

    def every_s(self) -> float:
        """How long from the next tick to the one after it, in seconds."""
        if self._times.cron is None:
            return self._times.every_s
        first = self._trigger.get_next_fire_time(None, now())
        second = self._trigger.get_next_fire_time(first, first + timedelta(seconds=1)) if first else None
        return float((second - first).total_seconds()) if first and second else math.inf

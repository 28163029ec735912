"""When there is a tick: APScheduler's triggers, on the clock of this machine.

Ticks that were missed (sleep, a long run) are folded into one.
https://apscheduler.readthedocs.io/en/3.x/userguide.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]
from apscheduler.triggers.base import BaseTrigger  # type: ignore[import-untyped]
from apscheduler.triggers.combining import OrTrigger  # type: ignore[import-untyped]
from apscheduler.triggers.cron import CronTrigger  # type: ignore[import-untyped]
from apscheduler.triggers.interval import IntervalTrigger  # type: ignore[import-untyped]

from asana_mirror.errors import WrongUsage
from asana_mirror.times import now

TICK = "tick"
MOST_LOOKED_AHEAD = 5000  # ticks, to find the longest pause between two: a month of every ten minutes
AHEAD = timedelta(days=32)  # so every night, every weekend, and the first of a month
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DAY = f"[0-7]|{'|'.join(DAYS)}"
_WEEKDAYS = re.compile(rf"(\*|{_DAY})(?:-({_DAY}))?(?:/([1-9]\d*))?")


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
            trigger = _cron_trigger(self.cron, jitter)
        except ValueError as error:
            raise WrongUsage(
                f"{self.cron!r} is no cron expression: {error}.",
                hint='Give five fields, for instance --cron "*/15 6-20 * * 1-5".',
            ) from error
        if trigger.get_next_fire_time(None, now()) is None:
            raise WrongUsage(f"{self.cron!r} is a time that never comes.", hint="Look at its day and month.")
        return trigger


def _cron_trigger(cron: str, jitter: int | None) -> BaseTrigger:
    """As `man 5 crontab` has it: Sunday is 0 or 7, and of a day and a weekday either will do. Raises ValueError."""
    fields = cron.split()
    if len(fields) != 5:
        raise ValueError(f"it has {len(fields)} fields, not five")
    minute, hour, day, month, weekday = fields

    def on(day: str, weekday: str, jitter: int | None) -> BaseTrigger:
        return CronTrigger(minute=minute, hour=hour, day=day, month=month, day_of_week=weekday, jitter=jitter)

    days = _weekdays(weekday.lower())
    if day.startswith("*") or weekday.startswith("*"):
        return on(day, days, jitter)
    return OrTrigger([on(day, "*", None), on("*", days, None)], jitter=jitter)


def _weekdays(field: str) -> str:
    """Their names: APScheduler's numbers begin with Monday, those of cron with Sunday."""
    found: set[int] = set()
    for part in field.split(","):
        match = _WEEKDAYS.fullmatch(part)
        if not match:
            raise ValueError(f"{part!r} is no day of the week")
        first, last, step = match.groups()
        begin = 0 if first == "*" else _day(first)
        end = 6 if first == "*" or (step and not last) else _day(last or first)
        found.update(day % 7 for day in range(begin, end + (7 if end < begin else 0) + 1, int(step or 1)))
    return ",".join(DAYS[day] for day in sorted(found))


def _day(text: str) -> int:
    return int(text) if text.isdigit() else DAYS.index(text)


class Timetable:
    """Calls `due` at each tick; must be started inside a running loop."""

    def __init__(self, times: Times, due: Callable[[], Awaitable[None]]) -> None:
        self._times = times
        self._due = due
        # Missed ticks are never too late, and never more than one.
        self._scheduler = AsyncIOScheduler(
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )

    def start(self) -> None:
        self._scheduler.add_job(self._due, self._times.trigger(), id=TICK)
        self._scheduler.start()

    def stop(self) -> None:
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def change(self, times: Times) -> None:
        """Other times from now on."""
        self._times = times
        self.reckon_anew()

    def reckon_anew(self) -> None:
        """The clock was set: what was reckoned by the old one is void, the first moment of an interval included."""
        self._scheduler.reschedule_job(TICK, trigger=self._times.trigger())

    def every_s(self) -> float:
        """How long from the next tick to the one after it, in seconds."""
        if self._times.cron is None:
            return self._times.every_s
        return next((_seconds(*pair) for pair in pairwise(self._ahead())), math.inf)

    def longest_s(self) -> float:
        """The longest time between two ticks, in seconds: a night, a weekend."""
        if self._times.cron is None:
            return self._times.every_s
        return max((_seconds(*pair) for pair in pairwise(self._ahead())), default=math.inf)

    def _ahead(self) -> Iterator[datetime]:
        """The ticks to come, without their shifts."""
        trigger = replace(self._times, jitter_s=0.0).trigger()
        moment, until = trigger.get_next_fire_time(None, now()), now() + AHEAD
        for number in range(MOST_LOOKED_AHEAD):
            if moment is None:
                return
            yield moment
            if moment > until and number:
                return
            moment = trigger.get_next_fire_time(moment, moment + timedelta(seconds=1))


def _seconds(first: datetime, second: datetime) -> float:
    return (second - first).total_seconds()

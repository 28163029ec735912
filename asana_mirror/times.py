"""Times as Asana writes them: ISO 8601, UTC, milliseconds."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def as_asana_writes(moment: datetime) -> str:
    """`2026-11-22T08:15:30.123Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:23] + "Z"


def is_time(text: str) -> bool:
    """Whether a text is a time as Asana writes it, and one that there was or will be."""
    if _TIME.fullmatch(text) is None:
        return False
    try:
        return 1970 <= datetime.fromisoformat(text).year < 9000
    except ValueError:
        return False


def system_clock() -> datetime:
    return datetime.now(UTC)


clock: Callable[[], datetime] = system_clock  # by another one, a soak lets weeks pass within an hour


def now() -> datetime:
    """This machine's clock; nobody else looks at it for a time of day."""
    return clock()


def utc_now() -> str:
    """This machine's clock."""
    return as_asana_writes(now())


def utc_before(age_s: float) -> str:
    """This machine's clock, some seconds ago."""
    return as_asana_writes(now() - timedelta(seconds=age_s))


def utc_after(seconds: float) -> str:
    """This machine's clock, some seconds from now."""
    return utc_before(-seconds)


def earlier(moment: str, seconds: float) -> str:
    """Some seconds before a moment, both as Asana writes times."""
    return as_asana_writes(datetime.fromisoformat(moment) - timedelta(seconds=seconds))


def seconds_since(moment: str | None, then: datetime) -> float:
    """How long before `then` a moment was; infinitely long where there was none, or where it is no time."""
    if moment is None or not is_time(moment):
        return math.inf
    return (then - datetime.fromisoformat(moment)).total_seconds()

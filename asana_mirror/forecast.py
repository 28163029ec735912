"""What the next run would cost: told without writing anything, and asked for only where the mirror knows nothing."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

import httpx
from sqlite_utils import Database

from asana_mirror.catalog import ask_also
from asana_mirror.errors import MirrorError
from asana_mirror.estimate import Estimate, Line, seconds_for
from asana_mirror.outlook import Outlook, unknown_places
from asana_mirror.run import SyncOptions, asana_for
from asana_mirror.sounding import Sounding
from asana_mirror.store import Mirror, check_mirror
from asana_mirror.store.allowances import remembered
from asana_mirror.store.opening import looked_into, wal_of
from asana_mirror.words import Scope


@dataclass
class Forecast:
    """The plan of a run; `sync --dry-run --json` prints it."""

    mode: str
    resumed: bool
    lines: list[Line] = field(default_factory=list)
    requests: int = 0
    seconds: float = 0.0
    per_minute: float = 0.0
    lower_bound: bool = False
    remarks: list[str] = field(default_factory=list)
    asked: int = 0  # requests that the forecast itself took


async def forecast(options: SyncOptions, *, transport: httpx.AsyncBaseTransport | None = None) -> Forecast:
    """Tell what a run with these options would ask now. Raises what would keep it from beginning."""
    path, estimate = options.mirror, Estimate()
    ask_also(options.extra_fields)
    check_mirror(path)
    told = Forecast("first", resumed=False)
    unknown: Scope | None = options.scope
    if path.exists() and path.stat().st_size:
        told, unknown, estimate = _looked_up(options)
    if unknown is not None:
        async with asana_for(options, transport) as asana:
            searches = told.mode == "first" and not options.scope.in_places
            await Sounding(asana, unknown, estimate, searches=searches).sound()
            told.asked = asana.requests
    told.lines = sorted(estimate.lines.values(), key=lambda line: -line.requests)
    told.requests, told.remarks = estimate.requests, estimate.remarks
    told.lower_bound = estimate.lower_bound
    learned = remembered(path, options.token)[0].per_minute
    told.per_minute = min(options.per_minute, learned or options.per_minute)
    told.seconds = round(seconds_for(told.requests, told.per_minute), 1)
    return told


def _looked_up(options: SyncOptions) -> tuple[Forecast, Scope | None, Estimate]:
    """Look without a trace; once more, as beside any run, if one began meanwhile."""
    path = options.mirror
    was_open = wal_of(path).exists()
    try:
        found = _look(options, without_trace=True)
    except (sqlite3.Error, MirrorError):
        if was_open or not wal_of(path).exists():
            raise
    else:
        if was_open or not wal_of(path).exists():
            return found
    return _look(options, without_trace=False)


def _look(options: SyncOptions, *, without_trace: bool) -> tuple[Forecast, Scope | None, Estimate]:
    estimate = Estimate()
    with looked_into(options.mirror, without_trace=without_trace) as connection:
        connection.execute("BEGIN")  # all of it as of one moment, beside a run that writes
        told, unknown = _from_mirror(Mirror(options.mirror, Database(connection)), options, estimate)
    return told, unknown, estimate


def _from_mirror(mirror: Mirror, options: SyncOptions, estimate: Estimate) -> tuple[Forecast, Scope | None]:
    """What the mirror tells, and of which places it knows nothing."""
    scope = options.scope
    round_number, mode, resumed = mirror.rounds.upcoming(scope, full=options.full)
    told = Forecast(mode, resumed)
    holder = mirror.rounds.unended()
    if holder:
        estimate.remark(
            f"The last run has no end ({holder}): if it still works, this is the plan for after a kill."
        )
    if resumed:
        Outlook(mirror, options, mode, estimate).go_on(round_number)
        Outlook(mirror, options, "changes", estimate).begin(takes_over=False)
        return told, None
    if not mirror.rounds.was_walked(scope):
        return told, scope
    Outlook(mirror, options, mode, estimate).begin()
    unknown = unknown_places(mirror, scope)
    return told, unknown if unknown.in_places else None

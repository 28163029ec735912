"""One run: look, take hold of the mirror, listen, read until nothing is left, then say who is gone."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx

from asana_mirror import __version__
from asana_mirror.catalog import ExtraFields, ask_also
from asana_mirror.client import Asana
from asana_mirror.contact import check_places, first_contact
from asana_mirror.ending import Show, Stop, cancelled_after_grace, holder, on_record, opened
from asana_mirror.errors import BudgetSpent, TooManyMissing
from asana_mirror.exclusion import Exclusion
from asana_mirror.freshness import Focus
from asana_mirror.plan import WALKS, too_many
from asana_mirror.quota import Governor
from asana_mirror.reading import Reading
from asana_mirror.store import Mirror, Run, check_mirror, hold
from asana_mirror.store.allowances import hash_of, remembered
from asana_mirror.store.opening import sqlite_translated
from asana_mirror.times import utc_before, utc_now
from asana_mirror.turns import Budget
from asana_mirror.words import Answer, Page, Scope
from asana_mirror.work import Attention, Work

QUIET_KEPT_S = 2 * 86400.0  # books of small runs that changed nothing
KEPT_S = 30 * 86400.0

__all__ = ["Report", "Show", "Stop", "SyncOptions", "sync"]


@dataclass(frozen=True)
class SyncOptions:
    """All that a run is told. Ages are in seconds; `per_minute` is never exceeded, 0 means no limit."""

    mirror: Path
    token: str = field(repr=False)
    base_url: str
    per_minute: float = 1500.0
    max_wait_s: float = 600.0
    max_deletes: int | None = None
    proxy: str | None = None
    scope: Scope = field(default_factory=Scope)
    exclude: Exclusion = field(default_factory=Exclusion)
    full: bool = False
    max_age_s: float = 24 * 3600.0
    sweep_every_s: float = 7 * 24 * 3600.0
    budget_s: float | None = None
    max_requests: int | None = None
    extra_fields: ExtraFields = field(default_factory=dict)

    def attention(self, focus: Focus | None = None) -> Attention:
        """To what a run attends."""
        return Attention(self.scope, self.max_age_s, self.sweep_every_s, focus)


@dataclass
class Report:
    """What a run did; `sync --json` prints it."""

    run: int
    mode: str
    resumed: bool
    outcome: str = "complete"
    requests: int = 0
    refused: int = 0
    seconds: float = 0.0
    seconds_waited: float = 0.0
    rows_inserted: int = 0
    rows_updated: int = 0
    rows_unchanged: int = 0
    rows_deleted: int = 0
    drift: int = 0
    waiting: int = 0
    left: int = 0
    not_readable: int = 0
    not_decodable: int = 0

    def went_on(self, later: Report) -> Report:
        """Both in one, where a run finished an interrupted walk and then followed what had changed meanwhile."""
        added = ("requests", "refused", "seconds_waited", "rows_inserted", "rows_updated", "rows_unchanged")
        for name in (*added, "rows_deleted", "drift"):
            setattr(self, name, round(getattr(self, name) + getattr(later, name), 3))
        self.run, self.waiting, self.left = later.run, later.waiting, later.left
        self.outcome = later.outcome
        self.not_readable, self.not_decodable = later.not_readable, later.not_decodable
        return self


async def sync(
    options: SyncOptions,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    stop: Stop | None = None,
    show: Show | None = None,
) -> Report:
    """Bring the mirror up to date: the first time everything is read, later what changed.

    Raises a MirrorError for whatever keeps the run from its end; what was read until then is kept.
    """
    path = options.mirror
    stop = stop or Stop()
    check_mirror(path)
    if Path(f"{path}.lock").exists():
        with hold(path):
            pass  # so that a mirror held by another run is said before anything is asked
    async with asana_for(options, transport, stop) as asana:
        return await sync_through(asana, options, stop=stop, show=show)


async def sync_through(
    asana: Asana,
    options: SyncOptions,
    *,
    stop: Stop,
    show: Show | None = None,
    focus: Focus | None = None,
) -> Report:
    """One run through a door that is open already. With a `focus`, where everything was read once, only a part."""
    began, path = time.monotonic(), options.mirror
    ask_also(options.extra_fields)
    asana.begin_anew()
    with _deadline(options.budget_s, stop), _fewer_collections():
        workspaces = [] if focus else await _look(asana, options, stop)
        with (
            hold(path),
            sqlite_translated(path),
            opened(path) as mirror,
            _remembering(asana, mirror, options),
        ):
            attention = options.attention(focus)
            report = await _round(asana, mirror, options, attention, workspaces, stop, show)
            if report.resumed and report.outcome == "complete":
                # What was read before the interruption may have changed since.
                asana.open_new_books()
                report = report.went_on(await _round(asana, mirror, options, attention, [], stop, show))
            report.seconds = round(time.monotonic() - began, 3)
            return report


def asana_for(
    options: SyncOptions, transport: httpx.AsyncBaseTransport | None, stop: Stop | None = None
) -> Asana:
    """The door to Asana that these options describe, with what the mirror knows of this token's allowance."""
    beliefs, pause_s = remembered(options.mirror, options.token)
    most = options.max_requests
    return Asana(
        options.token,
        options.base_url,
        governor=Governor(options.per_minute or math.inf, beliefs, now=time.monotonic(), pause_s=pause_s),
        budget=Budget(most, partial(stop.spend, f"{most:,} requests")) if stop and most else None,
        max_wait_s=options.max_wait_s,
        proxy=options.proxy,
        transport=transport,
    )


@contextlib.contextmanager
def _fewer_collections() -> Iterator[None]:
    """Pages are decoded, written and forgotten, and hold no circles: to look for these so often costs a twentieth."""
    before = gc.get_threshold()
    gc.set_threshold(10_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextlib.contextmanager
def _deadline(budget_s: float | None, stop: Stop) -> Iterator[None]:
    """Stop when the time is over."""
    if budget_s is None:
        yield
        return
    loop = asyncio.get_running_loop()
    timer = loop.call_later(budget_s, stop.spend, f"{budget_s:,.0f} s")
    try:
        yield
    finally:
        timer.cancel()


async def _look(asana: Asana, options: SyncOptions, stop: Stop) -> list[Answer[Page]]:
    """The first questions; nothing is touched yet."""
    try:
        async with cancelled_after_grace(stop, asana):
            workspaces = await first_contact(asana, options.scope)
            await check_places(asana, options.scope)
            return workspaces
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
        raise stop.reason() from None


@contextlib.contextmanager
def _remembering(asana: Asana, mirror: Mirror, options: SyncOptions) -> Iterator[None]:
    """Keep what is learned of the allowance: at the end, and at once when Asana tells to wait."""
    token_hash = hash_of(options.token)

    def remember() -> None:
        with mirror.atomic():
            mirror.allowances.keep(token_hash, asana.governor, now_s=time.monotonic())

    asana.remember = remember
    try:
        yield
    finally:
        asana.remember = lambda: None
        with contextlib.suppress(sqlite3.Error):
            remember()


async def _round(
    asana: Asana,
    mirror: Mirror,
    options: SyncOptions,
    attention: Attention,
    workspaces: list[Answer[Page]],
    stop: Stop,
    show: Show | None,
) -> Report:
    light = attention.focus.mode if attention.focus else None
    with mirror.atomic():
        run = mirror.rounds.begin(
            options.scope,
            full=options.full,
            light=light,
            now=utc_now(),
            holder=holder(),
            version=__version__,
        )
        mirror.excluded.configure(options.exclude)
    mirror.unheard.find_anew()
    report = Report(run.id, run.mode, run.resumed)
    work = Work(asana, mirror, run, attention, stop)
    try:
        async with on_record(mirror, run, work.reading, stop, show):
            await work.begin(workspaces)
            await work.until_nothing_is_left()
            report.rows_deleted = conclude(mirror, run, work.reading, options)
    except BudgetSpent:
        report.outcome = "budget"
        mirror.search.catch_up()  # what is here by now is found
    finally:
        _fill_in(report, mirror, asana, work.reading)
    return report


def conclude(mirror: Mirror, run: Run, reading: Reading, options: SyncOptions) -> int:
    """Nothing is left to read: mark who is gone, unless that is suspiciously many; returns rows deleted."""
    mirror.search.catch_up()
    excessive = too_many(mirror.absence.losses(run.round), options.max_deletes)
    if excessive:
        table, (gone, living) = next(iter(excessive.items()))
        raise TooManyMissing(f"{gone} of {living} {table} would disappear, with no event that explains it.")
    now, news = utc_now(), reading.consequences
    with mirror.atomic():
        news.drift += len(news.missed_by_events & mirror.absence.unexplained(run.round))
        deleted = mirror.absence.bury(run.round, run_id=run.id, now=now)
        mirror.inbox.drop_the_buried()
        if deleted:
            mirror.rounds.forget_below_the_buried(now)
        reading.keep_books(now)
        if options.scope.is_whole and run.mode in WALKS:
            mirror.ledger.drop_what_is_over(run.round)
            mirror.streams.look_closely(now=run.started_at)
        if run.mode == "tick":
            mirror.deliveries.forget_told_for_nothing()
            mirror.ledger.thin_out(quiet_before=utc_before(QUIET_KEPT_S), before=utc_before(KEPT_S))
        mirror.rounds.end(run, "complete", now=now, deleted=deleted, drift=news.drift)
    return deleted


def _fill_in(report: Report, mirror: Mirror, asana: Asana, reading: Reading) -> None:
    report.requests, report.refused = asana.requests, asana.refused
    report.seconds_waited = round(asana.seconds_waited, 3)
    report.rows_inserted = reading.tally.inserted
    report.rows_updated = reading.tally.updated
    report.rows_unchanged = reading.tally.unchanged
    report.drift = reading.consequences.drift
    with contextlib.suppress(sqlite3.Error):
        report.waiting = mirror.ages.count_waiting()
        report.left = mirror.rounds.count_left(reading.run.round)
        report.not_readable = mirror.ledger.count_problems()
        report.not_decodable = mirror.ledger.count_undecoded()

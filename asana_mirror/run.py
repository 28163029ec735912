"""One run: look, take hold of the mirror, read until nothing is left, then say who is gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from asana_mirror import __version__
from asana_mirror.client import Asana
from asana_mirror.doubts import Doubts
from asana_mirror.errors import (
    AsanaUnreachable,
    BadToken,
    CarryOnWithout,
    Interrupted,
    ListTooLong,
    MirrorError,
    OffsetExpired,
    TooManyMissing,
    WrongUsage,
)
from asana_mirror.plan import too_many
from asana_mirror.reading import Progress, Reading
from asana_mirror.store import Mirror, Run, check_mirror, hold
from asana_mirror.store.opening import in_our_words, sqlite_translated
from asana_mirror.times import utc_now
from asana_mirror.wire import page_request
from asana_mirror.words import Answer, Checkpoint, Page, Scope, step_named

GRACE_S = 3.0  # for pages in flight after a request to stop
SHOW_EVERY_S = 0.25
MOST_PAGES_OF_WORKSPACES = (
    200  # nobody is in 20,000; a list that leads to itself must not be followed for ever
)


class Stop(asyncio.Event):
    """A request to stop between two pages, and the signal that asked for it."""

    signal_number: int = signal.SIGINT

    def ask(self, signal_number: int = signal.SIGINT) -> None:
        """Stop; asked twice, at once."""
        if self.is_set():
            raise KeyboardInterrupt
        self.signal_number = signal_number
        self.set()


@dataclass(frozen=True)
class SyncOptions:
    """All that a run is told."""

    mirror: Path
    token: str = field(repr=False)
    base_url: str
    per_minute: float = 1500.0
    max_wait_s: float = 600.0
    max_deletes: int | None = None
    proxy: str | None = None
    scope: Scope = field(default_factory=Scope)


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
    not_readable: int = 0
    not_decodable: int = 0


Show = Callable[[Progress], None]


async def sync(
    options: SyncOptions,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    stop: Stop | None = None,
    show: Show | None = None,
) -> Report:
    """Bring the mirror up to date: everything that the token sees is read and reconciled.

    Raises a MirrorError for whatever keeps the run from its end; what was read until then is kept.
    """
    began = time.monotonic()
    path = options.mirror
    stop = stop or Stop()
    check_mirror(path)
    if Path(f"{path}.lock").exists():
        with hold(path):
            pass  # so that a mirror held by another run is said before anything is asked
    async with Asana(
        options.token,
        options.base_url,
        per_minute=options.per_minute,
        max_wait_s=options.max_wait_s,
        proxy=options.proxy,
        transport=transport,
    ) as asana:
        workspaces = await first_contact(asana, options.scope)
        with hold(path), sqlite_translated(path), opened(path) as mirror:
            with mirror.atomic():
                run = mirror.rounds.begin(options.scope, now=utc_now(), holder=holder(), version=__version__)
            report = Report(run.id, run.mode, run.resumed)
            reading = Reading(asana, mirror, run, options.scope, stop)
            try:
                async with on_record(mirror, run, reading, stop, show):
                    await _read_everything(asana, mirror, run, options, reading, workspaces, stop)
                    report.rows_deleted = conclude(mirror, run, reading, options)
            finally:
                _fill_in(report, mirror, asana, reading, time.monotonic() - began)
            return report


async def first_contact(asana: Asana, scope: Scope) -> list[Answer[Page]]:
    """Read the workspaces before anything is touched: a wrong token or host must leave no trace."""
    step = step_named("workspaces")
    answers: list[Answer[Page]] = []
    offset: str | None = None
    for _ in range(MOST_PAGES_OF_WORKSPACES):
        try:
            answers.append(await asana.page(*page_request(step, offset)))
        except OffsetExpired:
            answers, offset = [], None
            continue
        except (CarryOnWithout, ListTooLong) as refusal:
            raise _no_way_in(refusal) from refusal
        offset = answers[-1].content.next_offset
        if offset is None:
            break
    else:
        raise AsanaUnreachable("The list of workspaces does not come to an end.")
    names = {
        str(record.get("gid")): record.get("name")
        for answer in answers
        for record in answer.content.records
        if isinstance(record, dict)
    }
    for gid in scope.workspaces:
        if gid not in names:
            visible = ", ".join(f"{gid} ({name})" for gid, name in names.items()) or "none"
            raise WrongUsage(
                f"This token sees no workspace {gid}.", hint=f"The workspaces it sees: {visible}."
            )
    return answers


def _no_way_in(refusal: CarryOnWithout | ListTooLong) -> MirrorError:
    """Without its workspaces a token leads nowhere."""
    if isinstance(refusal, CarryOnWithout) and refusal.status in (402, 403, 451):
        return BadToken(f"The token may not list its workspaces: {refusal}")
    return AsanaUnreachable(
        f"There is no Asana at this address: it refuses to list workspaces ({refusal}).",
        hint="Check --base-url; Asana's own is https://app.asana.com/api/1.0",
    )


async def _read_everything(
    asana: Asana,
    mirror: Mirror,
    run: Run,
    options: SyncOptions,
    reading: Reading,
    workspaces: list[Answer[Page]],
    stop: Stop,
) -> None:
    if run.mode == "first":
        mirror.search.put_off()
    root = step_named("workspaces")
    with mirror.atomic():
        reading.ask_for([root])
    rest: Checkpoint | None = Checkpoint(root, run.round)
    for answer in workspaces:
        if rest is not None:
            with mirror.atomic():
                rest = reading.write_page(rest, answer)
    doubts = Doubts(asana, mirror, run, options.scope, reading, stop)
    await read_until_nothing_is_left(mirror, run, reading, doubts, stop)


async def read_until_nothing_is_left(
    mirror: Mirror, run: Run, reading: Reading, doubts: Doubts, stop: Stop
) -> None:
    """Read what is due, ask for who is in doubt, and so on until neither is left."""
    while True:
        await reading.drain()
        if not stop.is_set() and not reading.postponed:
            await doubts.resolve()
        if stop.is_set():
            raise asyncio.CancelledError
        if reading.postponed:
            listing, why = next(iter(reading.postponed.items()))
            raise AsanaUnreachable(
                f"{len(reading.postponed)} listings could not be read, {listing} among them: {why}",
                hint="Everything else was read and kept. Run the same command again: it asks only for the rest.",
            )
        if not mirror.rounds.due(run.round, 1):
            return


def conclude(mirror: Mirror, run: Run, reading: Reading, options: SyncOptions) -> int:
    """Nothing is left to read: mark who is gone, unless that is suspiciously many; returns rows deleted."""
    mirror.search.catch_up()
    excessive = too_many(mirror.absence.losses(run.round), options.max_deletes)
    if excessive:
        table, (gone, living) = next(iter(excessive.items()))
        raise TooManyMissing(f"{gone} of {living} {table} would disappear, with no event that explains it.")
    now = utc_now()
    with mirror.atomic():
        deleted = mirror.absence.bury(run.round, run_id=run.id, now=now)
        reading.keep_books(now)
        if options.scope == Scope() and run.mode != "repair":
            mirror.ledger.drop_what_is_over(run.round)
        mirror.rounds.end(run, "complete", now=now, deleted=deleted)
    return deleted


@asynccontextmanager
async def on_record(
    mirror: Mirror, run: Run, reading: Reading, stop: Stop, show: Show | None = None
) -> AsyncIterator[None]:
    """Show and watch over a run; however it ends, its figures and its outcome are on file."""
    try:
        async with cancelled_after_grace(stop), shown(show, reading.progress):
            yield
    except BaseException as error:
        ended = what_ended_it(error, mirror.path, stop)
        _record_end(mirror, run, reading, _outcome(ended))
        raise ended from error


@asynccontextmanager
async def cancelled_after_grace(stop: Stop) -> AsyncIterator[None]:
    """Once asked to stop, pages in flight may finish; what takes longer is cut off."""
    task = asyncio.current_task()

    async def watch() -> None:
        await stop.wait()
        await asyncio.sleep(GRACE_S)
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
        return Interrupted(stop.signal_number)
    return error


def _outcome(error: BaseException) -> str:
    if isinstance(error, (Interrupted, asyncio.CancelledError, KeyboardInterrupt)):
        return "interrupted"
    if isinstance(error, AsanaUnreachable):
        return "unreachable"
    return "guarded" if isinstance(error, TooManyMissing) else "failed"


def _record_end(mirror: Mirror, run: Run, reading: Reading, outcome: str) -> None:
    now = utc_now()
    # On a full disk even this cannot be written; the next run finds the run without an end.
    with contextlib.suppress(sqlite3.Error), mirror.atomic():
        reading.keep_books(now)
        mirror.rounds.end(run, outcome, now=now)


def _fill_in(report: Report, mirror: Mirror, asana: Asana, reading: Reading, seconds: float) -> None:
    report.requests, report.refused = asana.requests, asana.refused
    report.seconds, report.seconds_waited = round(seconds, 3), round(asana.seconds_waited, 3)
    report.rows_inserted = reading.tally.inserted
    report.rows_updated = reading.tally.updated
    report.rows_unchanged = reading.tally.unchanged
    with contextlib.suppress(sqlite3.Error):
        report.not_readable = mirror.ledger.count_problems()
        report.not_decodable = mirror.ledger.count_undecoded()


def holder() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"

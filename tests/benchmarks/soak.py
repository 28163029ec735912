"""Weeks of a watch in an hour: does it stay equal, and does it stay small?

    python tests/benchmarks/soak.py [--hours 1.0] [--weeks 3] [--quick] [--json FILE]

The sandbox runs in a process of its own, the watch in this one, over real sockets, both by a clock that runs some
hundred times faster. There is a tick every five minutes of that clock, and people change something all the time.
Meanwhile tokens die, webhooks are deleted, deliveries are lost, doubled and late, requests fail, and for two days
nothing comes through at all. In the end the mirror is compared with the world: after the watch alone, after one
ordinary run (both but for what may lag), and after a full one.

It ends by itself, after --hours and a few minutes. --quick takes three minutes, for less than a day.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from apscheduler.triggers.interval import IntervalTrigger
from beside import DIRECT, Broken
from figures import Figure
from office import (
    Office,
    end_in_good_order_when_told,
    file_mb,
    office_beside,
    open_files,
    resident_mb,
)
from suite import row, say

import asana_mirror.client
import asana_mirror.listening
import asana_mirror.quota
import asana_mirror.times
import asana_mirror.watch
import asana_mirror.wire
import asana_mirror.work
from asana_mirror.long_lived import watch_until_stopped
from asana_mirror.ports import listen
from asana_mirror.run import SyncOptions, sync
from asana_mirror.times import as_asana_writes
from asana_mirror.timetable import Times
from asana_mirror.watch import WatchOptions

HOUR_S, DAY_S = 3600.0, 86_400.0
EVERY_S = 300.0  # by the fast clock, as all that follows
QUIET_S = 9 * HOUR_S  # in which a watch comes round to everything but what has its age
AWAY_S = 2 * DAY_S
WEBHOOK_GONE_EVERY_S = 12 * HOUR_S
TOKENS_DEAD_EVERY_S = 9 * HOUR_S
FAULTS = {"share": 0.01, "hooks_lost": 0.02, "hooks_doubled": 0.05, "hooks_late": 0.05}
PATIENCE_S = 2.0  # real seconds, as all that follows
BEGIN_WITHIN_S = 180.0
SAY_EVERY_S = 30.0
END_WITHIN_S = 60.0
FLAT = 1.15
QUICK_HOURS, QUICK_WEEKS = 0.05, 0.15


@dataclass(frozen=True)
class Plan:
    """How long it takes, how much time passes in it, and how much happens in an hour of that."""

    hours: float = 1.0
    weeks: float = 3.0
    edits_an_hour: float = 20.0
    tasks: int = 400
    projects: int = 15
    traced: bool = True
    seed: int = 1

    @property
    def speed(self) -> float:
        return self.weeks * 7 * 24 / self.hours

    @property
    def seconds(self) -> float:
        return self.hours * HOUR_S

    def real_s(self, fast_s: float) -> float:
        return fast_s / self.speed


@dataclass(frozen=True)
class FastTimes(Times):
    """Ticks by the fast clock, for a scheduler that knows only this machine's."""

    speed: float = 1.0

    def trigger(self) -> Any:
        return IntervalTrigger(seconds=self.every_s / self.speed)


@contextmanager
def time_flies(began_s: float, speed: float) -> Iterator[None]:
    """The fast clock in place of this machine's, and what counts real seconds in the same proportion."""
    watch, work, client, wire = (getattr(asana_mirror, name) for name in ("watch", "work", "client", "wire"))
    backoff_s, asked_at = client.backoff_s, wire.asked_at

    def clock() -> datetime:
        return datetime.fromtimestamp(began_s + (time.time() - began_s) * speed, UTC)

    places: list[tuple[Any, str, Any]] = [
        (asana_mirror.times, "clock", clock),
        (watch, "TEND_EVERY_S", watch.TEND_EVERY_S / speed),
        (watch, "GATHER_S", 0.02),
        (work, "NEWS_EVERY_S", 0.1),
        (asana_mirror.quota, "SEARCHES", round(asana_mirror.quota.SEARCHES * speed)),
        (asana_mirror.listening, "LOOK_EVERY_S", asana_mirror.listening.LOOK_EVERY_S / speed),
        (client, "FIRST_CONTACT_S", PATIENCE_S),
        (client, "backoff_s", lambda tries, randomness: backoff_s(tries, randomness) / 20),
        (wire, "asked_at", lambda headers, took_s, now: asked_at(headers, took_s * speed, now)),
    ]
    with ExitStack() as patched:
        for place, name, other in places:
            patched.enter_context(patch.object(place, name, other))
        yield


class Heard(logging.Handler):
    """What the watch says: runs by mode, and its complaints, each once."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: Counter[str] = Counter()
        self.complaints: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        fields = getattr(record, "fields", None)
        if fields and "mode" in fields:
            self.runs[fields["mode"]] += 1
        elif record.levelno >= logging.WARNING:
            text = record.getMessage()
            if record.exc_info:
                text += f"\n{logging.Formatter().formatException(record.exc_info)}"
            key = text[:2000]
            if key in self.complaints or len(self.complaints) < 200:
                self.complaints[key] += 1

    @contextmanager
    def listening(self) -> Iterator[Heard]:
        log = logging.getLogger("asana_mirror")
        log.setLevel(logging.INFO)
        log.addHandler(self)
        log.propagate = False
        try:
            yield self
        finally:
            log.removeHandler(self)


@dataclass
class Point:
    """What this process and the mirror hold at one moment."""

    share: float
    resident_mb: float
    traced_mb: float
    objects: int
    open_files: int
    file_mb: float
    wal_mb: float
    runs_on_file: int
    quiet_runs_over: int  # books that should have been let go
    runs: int
    tasks: int
    projects: int
    webhooks: int


@dataclass
class Soak:
    """One watch, and what happens to it."""

    plan: Plan
    office: Office
    mirror: Path
    began_s: float
    heard: Heard = field(default_factory=Heard)
    points: list[Point] = field(default_factory=list)
    health: Counter[str] = field(default_factory=Counter)
    port: int = 0
    _first: Path | None = None

    # -- the watch ------------------------------------------------------------------------------------

    @property
    def options(self) -> SyncOptions:
        office = self.office
        return SyncOptions(self.mirror, office.token, office.base_url, per_minute=0, max_wait_s=PATIENCE_S)

    async def run(self) -> dict[str, Any]:
        """The weeks, the quiet after them, and how far the mirror differs."""
        with listen("127.0.0.1", 0) as listener, self.heard.listening():
            self.port = listener.getsockname()[1]
            times = FastTimes(EVERY_S, speed=self.plan.speed)
            options = WatchOptions(self.options, times, f"http://127.0.0.1:{self.port}/asana")
            watching = asyncio.create_task(watch_until_stopped(options, listener=listener))
            try:
                await self._first_webhooks(watching)
                told = await self._weeks(watching)
                await asyncio.wait_for(asyncio.shield(self._ended(watching)), END_WITHIN_S)
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
            return {**told, "compared": await self._compared()}

    async def _ended(self, watching: asyncio.Task[None]) -> None:
        if not watching.done():
            os.kill(os.getpid(), signal.SIGTERM)  # which the watch hears, as long as it lives
            await watching

    async def _do(self, what: str, **more: Any) -> Any:
        return await asyncio.to_thread(self.office.do, what, **more)

    async def _first_webhooks(self, watching: asyncio.Task[None]) -> None:
        deadline = time.monotonic() + BEGIN_WITHIN_S
        while (await self._do("state"))["webhooks"] < self.office.projects:
            if watching.done() or time.monotonic() > deadline:
                raise Broken(f"The watch did not begin: {self.heard.complaints}")
            await asyncio.sleep(0.5)

    async def _weeks(self, watching: asyncio.Task[None]) -> dict[str, Any]:
        plan, began, runs = self.plan, time.monotonic(), Counter(self.heard.runs)
        await self._do("faults", **FAULTS)
        await self._do("begin", per_second=plan.edits_an_hour * plan.speed / HOUR_S)
        for at_s, act in sorted(self._calendar(), key=lambda one: one[0]):
            wait_s = began + at_s - time.monotonic()
            done, _ = await asyncio.wait({watching}, timeout=max(0.0, wait_s))
            if done:
                watching.result()
                raise Broken("The watch ended by itself.")
            await act()
        passed_s = time.monotonic() - began
        edits = await self._do("end")
        await self._do("faults")
        made = {mode: number - runs[mode] for mode, number in self.heard.runs.items()}
        due = passed_s * plan.speed / EVERY_S
        await asyncio.sleep(plan.real_s(QUIET_S))
        return {"edits": edits, "runs": made, "ticks_due": round(due), "office": await self._do("state")}

    # -- what happens to it ---------------------------------------------------------------------------

    def _calendar(self) -> Iterator[tuple[float, Callable[[], Any]]]:
        """Moments in real seconds, and what happens then."""
        plan = self.plan
        away_s = min(plan.real_s(AWAY_S), plan.seconds / 10)
        yield plan.seconds * 0.4, lambda: self._do("cut", is_cut=True)
        yield plan.seconds * 0.4 + away_s, lambda: self._do("cut", is_cut=False)
        for every_s, what, n in (
            (WEBHOOK_GONE_EVERY_S, "drop_webhooks", 1),
            (TOKENS_DEAD_EVERY_S, "forget_streams", 2),
        ):
            for at_s in _each(plan.real_s(every_s), plan.seconds):
                yield at_s, lambda what=what, n=n: self._do(what, n=n)
        for at_s in _each(SAY_EVERY_S, plan.seconds):
            yield at_s, self._say_how_it_is
        for quarter in (1, 2, 3, 4):
            yield plan.seconds * quarter / 4, lambda quarter=quarter: self._measure(quarter / 4)

    async def _say_how_it_is(self) -> None:
        fast_s = (time.time() - self.began_s) * self.plan.speed
        health = await asyncio.to_thread(self._health)
        self.health["healthy" if health["healthy"] else "not healthy"] += 1
        runs = ", ".join(f"{number:,} {mode}" for mode, number in sorted(self.heard.runs.items()))
        why = "" if health["healthy"] else f"  {' '.join(health['why'])[:120]}"
        say(
            f"  day {fast_s / DAY_S:5.2f}: {resident_mb():.0f} MB, {open_files()} files open, "
            f"{runs}; {sum(self.heard.complaints.values())} complaints{why}\n"
        )

    def _health(self) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.port}/-/asana/health"
        with contextlib.suppress(OSError), DIRECT.open(url, timeout=10) as answer:
            told: dict[str, Any] = json.load(answer)
            return told
        return {"healthy": False, "why": [""]}

    # -- what it holds --------------------------------------------------------------------------------

    async def _measure(self, share: float) -> None:
        state = await self._do("state")
        gc.collect()
        on_file, quiet, newest = self._books()
        traced = tracemalloc.get_traced_memory()[0] / 1e6 if self.plan.traced else 0.0
        point = Point(
            share,
            resident_mb(),
            round(traced, 2),
            len(gc.get_objects()),
            open_files(),
            file_mb(self.mirror),
            file_mb(Path(f"{self.mirror}-wal")),
            on_file,
            quiet,
            newest,
            *(state[name] for name in ("tasks", "projects", "webhooks")),
        )
        self.points.append(point)
        say(f"  {json.dumps(asdict(point))}\n")
        if self.plan.traced and share in (0.25, 1.0):
            await asyncio.to_thread(self._compare_memory, share)

    def _books(self) -> tuple[int, int, int]:
        """Rows of sync_runs; those of quiet runs that ended three days ago; the newest run."""
        over = as_asana_writes(datetime.fromtimestamp(self._fast_now_s() - 3 * DAY_S, UTC))
        with closing(sqlite3.connect(f"file:{self.mirror}?mode=ro", uri=True)) as db:
            (on_file, newest) = db.execute("SELECT count(*), max(id) FROM sync_runs").fetchone()
            (quiet,) = db.execute(
                "SELECT count(*) FROM sync_runs WHERE mode IN ('tick', 'news') AND ended_at < ? "
                "AND rows_inserted + rows_updated + rows_deleted = 0",
                [over],
            ).fetchone()
        return on_file, quiet, newest

    def _fast_now_s(self) -> float:
        return self.began_s + (time.time() - self.began_s) * self.plan.speed

    def _compare_memory(self, share: float) -> None:
        snapshot = tracemalloc.take_snapshot()
        if self._first is None:
            self._first = self.mirror.with_name("quarter.trace")
            snapshot.dump(str(self._first))
            return
        before = tracemalloc.Snapshot.load(str(self._first))
        say(f"  what grew since the first quarter (at {share}):\n")
        for line in snapshot.compare_to(before, "lineno")[:15]:
            say(f"    {line}\n")

    # -- the end --------------------------------------------------------------------------------------

    async def _compared(self) -> dict[str, Any]:
        """After the watch alone; after one ordinary run; after a full one."""
        told = {"watch": await self._compare(lag=True)}
        for name, full in (("ordinary", False), ("full", True)):
            report = await sync(SyncOptions(**{**vars(self.options), "full": full}))
            told[name] = {**await self._compare(lag=not full), "report": asdict(report)}
        return told

    async def _compare(self, *, lag: bool) -> dict[str, Any]:
        found: dict[str, Any] = await self._do("compare", mirror=str(self.mirror), lag=lag, within_s=600)
        return found


def _each(every_s: float, until_s: float) -> Iterator[float]:
    at_s = every_s
    while at_s < until_s:
        yield at_s
        at_s += every_s


# -- what is told -------------------------------------------------------------------------------------


def soak(plan: Plan) -> dict[str, Any]:
    """All that was seen."""
    began_s = time.time()
    clock = {"began_s": began_s, "speed": plan.speed}
    limits = {"hook_delay_s": 0.1}
    world = {"tasks": plan.tasks, "projects": plan.projects, "stories_per_task": 3.0}
    with (
        office_beside(world, seed=plan.seed, limits=limits, clock=clock) as office,
        tempfile.TemporaryDirectory() as folder,
        time_flies(began_s, plan.speed),
    ):
        one = Soak(plan, office, Path(folder) / "asana.db", began_s)
        if plan.traced:
            tracemalloc.start()
        told = asyncio.run(one.run())
    tracemalloc.stop()
    return {
        "plan": {**asdict(plan), "speed": plan.speed},
        **told,
        "points": [asdict(point) for point in one.points],
        "health": dict(one.health),
        "complaints": dict(one.heard.complaints.most_common(40)),
    }


def figures(told: dict[str, Any]) -> list[Figure]:
    compared, points = told["compared"], told["points"]
    found = [
        Figure(f"differences {when}", compared[name]["differences"], at_most=most)
        for name, when, most in (
            ("watch", "after the watch alone, but for what may lag", None),
            ("ordinary", "after one ordinary run, but for what may lag", 0),
            ("full", "after a full run", 0),
        )
    ]
    unsound = sum(len(one["unsound"]) for one in compared.values())
    found.append(Figure("what SQLite finds wrong with the file", unsound, at_most=0))
    for name, unit in (("resident_mb", "MB"), ("traced_mb", "MB")):
        held = [point[name] for point in points]
        if min(held) > 0:
            note = _each_of(points, name, unit)
            found.append(
                Figure(f"{name}, largest by smallest", max(held) / min(held), at_most=FLAT, note=note)
            )
    last = points[-1]
    more_files = last["open_files"] - points[0]["open_files"]
    found += [
        Figure(
            "more files open than at first", more_files, at_most=10, note=_each_of(points, "open_files", "")
        ),
        Figure("books of quiet runs older than three days", last["quiet_runs_over"], at_most=0),
        Figure("runs on file", last["runs_on_file"], note=f"of {last['runs']:,}"),
        Figure("ticks", told["runs"].get("tick", 0), note=f"of {told['ticks_due']:,} that were due"),
        Figure("the mirror", last["file_mb"], "MB", note=_each_of(points, "file_mb")),
        Figure("what lies in its WAL", last["wal_mb"], "MB", note=_each_of(points, "wal_mb")),
        Figure("edits", told["edits"]["made"], note=f"{told['edits']['rate']} a second"),
        Figure("complaints in the log", sum(told["complaints"].values())),
    ]
    return found


def _each_of(points: list[dict[str, Any]], name: str, unit: str = "MB") -> str:
    return ", ".join(f"{point[name]:,} {unit}".strip() for point in points)


def measure(quick: bool) -> list[Figure]:
    """In a process of its own: what this one holds by now would count."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "soak.json"
        command = [sys.executable, str(Path(__file__).resolve()), "--json", str(file)]
        done = subprocess.run([*command, *(["--quick"] if quick else [])], stdout=sys.stderr, check=False)
        if not file.exists():
            raise Broken(f"The soak ended with {done.returncode}.")
        told = json.loads(file.read_text(encoding="utf-8"))
    return figures(told)


def _plan() -> tuple[Plan, Path | None]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hours", type=float, default=1.0, help="how long it takes")
    parser.add_argument("--weeks", type=float, default=3.0, help="how much time passes in them")
    parser.add_argument("--edits-an-hour", type=float, default=20.0, help="by the fast clock")
    parser.add_argument("--tasks", type=int, default=400)
    parser.add_argument("--projects", type=int, default=15)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--untraced", dest="traced", action="store_false", help="without tracemalloc")
    parser.add_argument("--quick", action="store_true", help="three minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was seen here")
    given = vars(parser.parse_args())
    file, quick = given.pop("json"), given.pop("quick")
    return Plan(**{**given, **({"hours": QUICK_HOURS, "weeks": QUICK_WEEKS} if quick else {})}), file


def main() -> int:
    plan, file = _plan()
    end_in_good_order_when_told()
    told = soak(plan)
    found = figures(told)
    for figure in found:
        say(row(figure))
    for name, one in told["compared"].items():
        for line in [*one["shown"], *one["unsound"]]:
            say(f"  {name}: {line}\n")
    for complaint, times in list(told["complaints"].items())[:10]:
        say(f"  {times} × {complaint[:300]}\n")
    text = json.dumps({**told, "figures": [one.as_json() for one in found]}, indent=1, ensure_ascii=False)
    if file:
        file.write_text(text + "\n", encoding="utf-8")
    return int(any(figure.reached is False for figure in found))


if __name__ == "__main__":
    sys.exit(main())

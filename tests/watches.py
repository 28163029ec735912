"""Watches over small worlds: in this loop, beside a port, or as processes of their own."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import httpx
from lag import equal_but_for_lag
from worlds import IN_PROCESS, Mirrored, rows, value

from asana_mirror import long_lived
from asana_mirror.ports import listen
from asana_mirror.run import Stop, SyncOptions, sync
from asana_mirror.sandbox import Limits, World, create_app, generate
from asana_mirror.sandbox.change_fields import set_fields
from asana_mirror.timetable import Times
from asana_mirror.watch import Watch, WatchOptions

LONG_S = 3600.0
SMALL = {"tasks": 30, "projects": 3, "stories_per_task": 0.5, "users": 5, "tags": 4}


def in_a_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """A test that is a coroutine; whatever it begins has ended by its end."""

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        async def work() -> None:
            await test(*arguments, **named)
            await asyncio.sleep(0.01)
            left = {task for task in asyncio.all_tasks() - {asyncio.current_task()} if not _is_asanas(task)}
            assert left == set()

        asyncio.run(work())

    return run


def _is_asanas(task: asyncio.Task[Any] | None) -> bool:
    """The sandbox delivers as long as its loop runs."""
    return task is not None and (task.get_name() == "webhooks" or "sandbox" in repr(task.get_coro()))


async def until(condition: Callable[[], Any], within_s: float = 8.0) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "It did not become true in time."
        await asyncio.sleep(0.01)


# -- the world ----------------------------------------------------------------------------------------


@dataclass
class Office(Mirrored):
    """A small world, not mirrored yet, in which a project is in use; `renamed` holds what its people did last."""

    renamed: dict[str, str] = field(default_factory=dict)
    changes: int = 0

    @property
    def project(self) -> str:
        """The one in use."""
        return str(self.world.inside["project", self.world.workspaces[0]][0])

    @property
    def task(self) -> dict[str, Any]:
        """One that lives in it."""
        found: dict[str, Any] = self.world.records[self.world.project_order(self.project)[0]]
        return found

    def rename(self) -> None:
        self.changes += 1
        name = f"Renamed {self.changes}"
        set_fields(self.world, self.world.me, self.task, {"name": name})
        self.renamed[self.task["gid"]] = name

    def is_told(self) -> bool:
        """Whether the mirror knows of all that was renamed."""
        if not self.path.exists():
            return False
        return all(
            value(self.path, "SELECT count(*) FROM tasks WHERE gid = ? AND name = ?", gid, name)
            for gid, name in self.renamed.items()
        )

    def runs(self, *modes: str) -> list[Any]:
        """The runs on file, the first one first."""
        if not self.path.exists():
            return []
        chosen = f"WHERE mode IN ({', '.join('?' * len(modes))})" if modes else ""
        try:
            return rows(self.path, f"SELECT * FROM sync_runs {chosen} ORDER BY id", *modes)
        except sqlite3.OperationalError:  # the file is just being made
            return []

    def is_mirrored(self) -> bool:
        return any(run["outcome"] == "complete" for run in self.runs())

    def is_equal(self) -> bool:
        return equal_but_for_lag(self)

    def options(self, **options: Any) -> SyncOptions:
        wanted = {"mirror": self.path, "token": self.world.token, "base_url": IN_PROCESS, "per_minute": 0}
        return SyncOptions(**wanted | options)


def office(folder: Path, limits: Limits | None = None, *, seed: int = 21, **shape: Any) -> Office:
    world = generate(seed=seed, **(SMALL | shape))
    made = Office(world, create_app(world, limits=limits), folder / "mirror.db")
    made.rename()
    return made


class Before:
    """Stands before an app: away it answers 503 to all; a request that ends with `holds` waits for `let_go`.

    `holds` is a path, or a method and a path.
    """

    def __init__(self, app: Any) -> None:
        self.app = app
        self.is_away = False
        self.holds: str | None = None
        self.held = asyncio.Event()
        self.let_go = asyncio.Event()
        self.is_let_go = False
        self.requests = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.requests += 1
        if self.is_away:
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b"{}"})
            return
        if self.holds and f"{scope['method']} {scope['path']}".endswith(self.holds):
            self.held.set()
            while not (self.is_let_go or self.let_go.is_set()):  # it may be served in another loop
                await asyncio.sleep(0.01)
        await self.app(scope, receive, send)


# -- watches in this loop -----------------------------------------------------------------------------


@dataclass
class Watching:
    """A watch under way."""

    watch: Watch
    stop: Stop
    task: asyncio.Task[None]

    def ended(self) -> int:
        """How many runs have come to their end, in one way or another."""
        return int(sum(count for name, count in self.watch.totals.items() if name.startswith("runs ")))

    async def ticks(self, number: int, within_s: float = 8.0) -> None:
        """Wait for so many more runs."""
        wanted = self.ended() + number
        await until(lambda: self.ended() >= wanted or self.task.done(), within_s)

    async def end(self) -> float:
        """Stop it; the seconds that it took."""
        began = time.monotonic()
        self.stop.set()
        await asyncio.wait_for(asyncio.shield(self.task), 8)
        return time.monotonic() - began


@asynccontextmanager
async def watching(
    there: Office,
    every_s: float = LONG_S,
    *,
    app: Any = None,
    transport: httpx.AsyncBaseTransport | None = None,
    webhook_url: str | None = None,
    read_again: Callable[[], WatchOptions] | None = None,
    times: Times | None = None,
    **options: Any,
) -> AsyncIterator[Watching]:
    """A watch over an office, in this loop; it has ended at the end."""
    stop = Stop()
    wanted = WatchOptions(there.options(**options), times or Times(every_s), webhook_url)
    transport = transport or httpx.ASGITransport(app or there.app)
    watch = Watch(wanted, stop, transport=transport, read_again=read_again)
    made = Watching(watch, stop, asyncio.create_task(watch.run()))
    try:
        yield made
    finally:
        stop.set()
        with suppress(Exception):
            await asyncio.wait_for(made.task, 8)


@dataclass
class Answering(Watching):
    """A watch beside a port."""

    url: str

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(timeout=5) as client:
            return await client.get(self.url + path)

    async def health(self) -> int:
        return (await self.get("/-/asana/health")).status_code

    async def metric(self, name: str) -> float:
        text = (await self.get("/-/asana/metrics")).text
        return sum(float(line.split()[1]) for line in text.splitlines() if line.split()[0] == name)


@asynccontextmanager
async def answering(
    there: Office,
    every_s: float = LONG_S,
    *,
    url: str,
    hooks: str | None = None,
    beside: Any = None,
    **options: Any,
) -> AsyncIterator[Answering]:
    """A watch beside a port of its own, on an Asana at `url`; `hooks` is the path below which webhooks deliver."""
    made: list[Any] = []

    def kept(options: WatchOptions, stop: Stop, **more: Any) -> Watch:
        made.extend((Watch(options, stop, **more), stop))
        return made[0]

    with listen("127.0.0.1", 0) as listener, patch.object(long_lived, "Watch", kept):
        here = f"http://127.0.0.1:{listener.getsockname()[1]}"
        wanted = WatchOptions(
            there.options(base_url=url, **options), Times(every_s), here + hooks if hooks else None
        )
        work: Coroutine[Any, Any, None] = long_lived.watch_until_stopped(
            wanted, listener=listener, beside=beside
        )
        task = asyncio.create_task(work)
        await until(lambda: made)
        try:
            yield Answering(made[0], made[1], task, here)
        finally:
            made[1].set()
            with suppress(Exception):
                await asyncio.wait_for(task, 8)


async def by_hand(there: Office, **options: Any) -> Any:
    """A sync as a person runs it meanwhile."""
    return await sync(there.options(**options), transport=httpx.ASGITransport(there.app))


# -- clocks that are set ------------------------------------------------------------------------------


class SetClock:
    """This machine's clock, which somebody sets; what passes by itself is not touched, and Asana's is right."""

    def __init__(self, ahead_s: float = 0.0) -> None:
        self.ahead_s = ahead_s

    def now(self, zone: Any = None) -> datetime:
        return datetime.fromtimestamp(self.time(), UTC).astimezone(zone or UTC)

    def time(self) -> float:
        return time.time() + self.ahead_s

    @contextmanager
    def everywhere(self) -> Iterator[SetClock]:
        clock = self

        class Dated(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:
                return clock.now(tz)

        seconds = SimpleNamespace(time=self.time, monotonic=time.monotonic)
        with (
            patch("asana_mirror.times.clock", self.now),
            patch("asana_mirror.watch.time", seconds),
            patch("apscheduler.schedulers.base.datetime", Dated),
            patch("apscheduler.triggers.interval.datetime", Dated),
        ):
            yield self


# -- watches in processes of their own ----------------------------------------------------------------


class Process:
    """A command as people start it. Whatever it says, it never says the token: `end` checks it."""

    def __init__(self, world: World, folder: Path, *arguments: str, token: str | None = None) -> None:
        self.token = token or world.token
        clean = {name: text for name, text in os.environ.items() if not name.startswith("ASANA")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "asana_mirror", *arguments],
            env={**clean, "ASANA_ACCESS_TOKEN": self.token, "PYTHONUNBUFFERED": "1"},
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.out: list[str] = []
        self.err: list[str] = []
        streams = ((self.process.stdout, self.out), (self.process.stderr, self.err))
        self._ears = [
            threading.Thread(target=_keep, args=(stream, kept), daemon=True) for stream, kept in streams
        ]
        for ear in self._ears:
            ear.start()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: Any) -> None:
        self.process.kill()
        self.process.wait()

    def until(self, condition: Callable[[], Any], within_s: float = 15.0) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.02)

    @property
    def said(self) -> str:
        return "".join((*self.out, *self.err))

    def has_said(self, words: str) -> bool:
        return words in self.said

    def end(self, number: int | None = signal.SIGTERM, within_s: float = 5.0) -> int:
        """Send a signal (None: it ends by itself) and wait for its end; the exit code."""
        if number is not None:
            self.process.send_signal(number)
        self.process.wait(within_s)
        for ear in self._ears:
            ear.join(5)
        assert self.token not in self.said
        assert "Traceback" not in self.said, self.said
        return self.process.returncode


def _keep(stream: Any, kept: list[str]) -> None:
    for line in stream:
        kept.append(line)


def projects(there: Office) -> list[str]:
    return [gid for gid in there.world.inside["project", there.world.workspaces[0]] if there.world.alive(gid)]

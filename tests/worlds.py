"""Small worlds, mirrors of them, and ways to come between the two."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl

import httpx

from asana_mirror.run import Report, Stop, SyncOptions, sync
from asana_mirror.sandbox import App, Limits, World, create_app
from asana_mirror.store import Mirror

Asgi = Callable[[Any, Any, Any], Awaitable[None]]
IN_PROCESS = "http://asana.test/api/1.0"
ROOT = "/api/1.0"


def mirror(
    world: World,
    path: Path,
    app: Asgi | None = None,
    *,
    url: str = IN_PROCESS,
    stop: Stop | None = None,
    **options: Any,
) -> Report:
    """One run against an app in this process, or against a url."""
    wanted = {"mirror": path, "token": world.token, "base_url": url, "per_minute": 0} | options
    transport = httpx.ASGITransport(app) if app is not None else None
    return asyncio.run(sync(SyncOptions(**wanted), transport=transport, stop=stop))


def write(world: World, app: Asgi, method: str, path: str, **fields: Any) -> dict[str, Any]:
    """One change as a person makes it; the record it answers with."""

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            headers = {"Authorization": f"Bearer {world.token}", "Asana-Enable": "ai_teammate_actors"}
            return await client.request(
                method,
                IN_PROCESS + path,
                headers=headers,
                json={"data": fields} if method != "DELETE" else None,
            )

    answer = asyncio.run(ask())
    assert answer.status_code < 300, answer.text
    found: dict[str, Any] = answer.json()["data"]
    return found


def rows(path: Path, sql: str, *values: Any) -> list[Any]:
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        return db.execute(sql, values).fetchall()


def row(path: Path, table: str, gid: str) -> Any:
    """The row of a record, tombstone or not; None when there is none."""
    found = rows(path, f"SELECT * FROM {table} WHERE gid = ?", gid)
    return found[0] if found else None


def value(path: Path, sql: str, *values: Any) -> Any:
    return rows(path, sql, *values)[0][0]


def is_alive(path: Path, table: str, gid: str) -> bool:
    found = row(path, table, gid)
    return found is not None and found["_synced_at"] is not None and found["_deleted_at"] is None


def always_refused(world: World) -> list[tuple[str, int]]:
    """The lists that no person's token is shown, and Asana's answer: portfolios of everybody, and the audit log."""
    return [
        refusal
        for workspace in world.workspaces
        for refusal in (
            (f"/portfolios?workspace={workspace}", 400),
            (f"/workspaces/{workspace}/audit_log_events", 403),
        )
    ]


# Collections that every run reads, and streams.
EACH_RUN = (
    *("workspaces", "users", "agents", "teams", "tags", "custom_fields", "projects"),
    *("assigned_tasks", "tag_tasks", "events", "portfolios", "goals", "time_tracking_entries"),
)


def quiet_may_cost(world: World) -> int:
    """The requests of a run in which nothing has happened."""
    pages = world.pages_to_read()
    known = len(world.workspaces)  # that the portfolios of everybody are refused
    return sum(pages[name] for name in EACH_RUN) - known


# -- between mirror and Asana -------------------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    method: str
    path: str  # below the API's root
    query: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]

    @property
    def asked(self) -> tuple[Any, ...]:
        return self.method, self.path, tuple(sorted(self.query))

    def header(self, name: str) -> str | None:
        return dict(self.headers).get(name)


class Listener:
    """Stands before an app and notes every request."""

    def __init__(self, app: Asgi) -> None:
        self.app = app
        self.requests: list[Request] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = tuple((name.decode(), text.decode()) for name, text in scope["headers"])
            query = tuple(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
            path = scope["path"].removeprefix(ROOT)
            self.requests.append(Request(scope["method"], path, query, headers))
        await self.app(scope, receive, send)

    def repeated(self) -> list[tuple[Any, ...]]:
        return [asked for asked, times in Counter(r.asked for r in self.requests).items() if times > 1]


Change = Callable[[str, dict[str, Any]], None]


class Rewriter:
    """Stands behind an app and rewrites its 200s: change(path below the root, the envelope)."""

    def __init__(self, app: Asgi, change: Change) -> None:
        self.app = app
        self.change = change

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start: MutableMapping[str, Any] = {}
        parts: list[bytes] = []

        async def keep(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                parts.append(message.get("body", b""))

        await self.app(scope, receive, keep)
        body = b"".join(parts)
        if start["status"] == 200:
            envelope = json.loads(body)
            self.change(scope["path"].removeprefix(ROOT), envelope)
            body = json.dumps(envelope).encode()
        kept = [(name, text) for name, text in start["headers"] if name != b"content-length"]
        await send({**start, "headers": [*kept, (b"content-length", str(len(body)).encode())]})
        await send({"type": "http.response.body", "body": body})


class Struck:
    """Stands before an app. After so many requests it keeps the mirror's files as they lie there, and stops the run.

    Put back afterwards they are what a SIGKILL at that moment would have left behind. `moments` are requests,
    unless something else is counted by calling `tick`.
    """

    counts_requests = True

    def __init__(self, app: Asgi, path: Path, moments: int) -> None:
        self.app = app
        self.path = path
        self.left = moments
        self.stop = Stop()
        self._kept: dict[Path, bytes | None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self.counts_requests:
            self.tick()
        await self.app(scope, receive, send)

    def tick(self) -> None:
        self.left -= 1
        if self.left == 0:
            files = (self.path, Path(f"{self.path}-wal"))
            self._kept = {file: file.read_bytes() if file.exists() else None for file in files}
            self.stop.set()

    def put_back(self) -> bool:
        """Whether the run lasted until the strike."""
        if self._kept is None:
            return False
        Path(f"{self.path}-shm").unlink(missing_ok=True)
        for file, content in self._kept.items():
            file.unlink(missing_ok=True)
            if content is not None:
                file.write_bytes(content)
        return True


class StruckAfterCommit(Struck):
    """The same, but the moments are transactions: the strike comes right after one, before the next begins."""

    counts_requests = False

    @contextmanager
    def counting(self) -> Iterator[None]:
        real, depth = Mirror.atomic, 0

        @contextmanager
        def counted(mirror: Mirror) -> Iterator[None]:
            nonlocal depth
            depth += 1
            try:
                with real(mirror):
                    yield
            finally:
                depth -= 1
            if depth == 0:
                self.tick()

        with patch.object(Mirror, "atomic", counted):
            yield


# -- runs in processes of their own -------------------------------------------------------------------


def begin_run(world: World, path: Path, url: str, *options: str) -> subprocess.Popen[bytes]:
    """A run as people start it, in a process of its own."""
    command = [sys.executable, "-m", "asana_mirror", "sync", str(path), "--base-url", url, "--rpm", "0"]
    return subprocess.Popen(
        [*command, *options],
        env={**os.environ, "ASANA_ACCESS_TOKEN": world.token},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


# -- a world with its mirror --------------------------------------------------------------------------


@dataclass
class Mirrored:
    """A world, an app that serves it, and where its mirror lies."""

    world: World
    app: App
    path: Path

    def sync(self, **options: Any) -> Report:
        return mirror(self.world, self.path, self.app, **options)

    def write(self, method: str, path: str, **fields: Any) -> dict[str, Any]:
        return write(self.world, self.app, method, path, **fields)

    def row(self, table: str, gid: str) -> Any:
        return row(self.path, table, gid)

    def is_alive(self, table: str, gid: str) -> bool:
        return is_alive(self.path, table, gid)


def mirrored(tmp_path: Path, world: World, limits: Limits | None = None, **options: Any) -> Mirrored:
    """A world that has been mirrored once."""
    both = Mirrored(world, create_app(world, limits=limits), tmp_path / "mirror.db")
    both.sync(**options)
    return both

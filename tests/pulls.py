"""A mirrored world with files to pull, and a host of files that does wrong on purpose."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from worlds import IN_PROCESS, Asgi, mirror, rows

from asana_mirror import fetching
from asana_mirror.pull import PullOptions, PullReport, pull
from asana_mirror.run import SyncOptions
from asana_mirror.sandbox import World, create_app, generate, running
from asana_mirror.sandbox.downloads import content

Answer = Callable[["Host", Any, Any, Any], Awaitable[None]]


class Host:
    """Stands before the sandbox: notes each download, and lets the next ones be answered otherwise."""

    def __init__(self, app: Asgi) -> None:
        self.app = app
        self.asked: list[dict[str, str]] = []  # the headers of each download
        self.wrong: list[Answer] = []
        self.lookups = 0
        self.sent = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.lookups += scope["path"].startswith("/api/1.0/attachments/")
            if scope["path"].startswith("/download/"):
                self.asked.append({name.decode(): text.decode() for name, text in scope["headers"]})
                if self.wrong:
                    await self.wrong.pop(0)(self, scope, receive, send)
                    return
        await self.app(scope, receive, send)

    async def piece(self, send: Any, data: bytes, more: bool = True) -> None:
        self.sent += len(data)
        await send({"type": "http.response.body", "body": data, "more_body": more})


async def start(send: Any, status: int, **headers: str) -> None:
    pairs = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})


def says(status: int, **headers: str) -> Answer:
    async def answer(host: Host, scope: Any, receive: Any, send: Any) -> None:
        await start(send, status, **headers)
        await host.piece(send, b"<Error/>", more=False)

    return answer


def sends(
    data: bytes, *, announced: int | None = None, forever: bool = False, etag: str | None = None
) -> Answer:
    """A 200 with these bytes, and no others unless it goes on `forever`."""

    async def answer(host: Host, scope: Any, receive: Any, send: Any) -> None:
        headers = {} if announced is None else {"content_length": str(announced)}
        await start(send, 200, **headers, **({"etag": etag} if etag else {}))
        await host.piece(send, data, more=forever)
        for left in range(200 if forever else 0, 0, -1):
            await asyncio.sleep(0)
            await host.piece(send, b"\0" * 65_536, more=left > 1)

    return answer


def stalls_after(sent: int) -> Answer:
    """The right answer, but no more of it than so many bytes."""

    async def answer(host: Host, scope: Any, receive: Any, send: Any) -> None:
        left = sent

        async def some(message: Any) -> None:
            nonlocal left
            if message["type"] == "http.response.body":
                while left <= 0:  # until the other side hangs up
                    if (await receive())["type"] == "http.disconnect":
                        raise ConnectionResetError
                message = {**message, "body": message["body"][:left]}
                left -= len(message["body"])
                host.sent += len(message["body"])
            await send(message)

        await host.app(scope, receive, some)

    return answer


async def without_ranges(host: Host, scope: Any, receive: Any, send: Any) -> None:
    headers = [pair for pair in scope["headers"] if pair[0] not in (b"range", b"if-range")]
    await host.app({**scope, "headers": headers}, receive, send)


@dataclass
class Filed:
    """A world, its mirror, and the host of its files."""

    world: World
    path: Path
    host: Host
    url: str = IN_PROCESS

    @property
    def folder(self) -> Path:
        return self.path.with_name(f"{self.path.stem}-files")

    @property
    def hosted(self) -> list[str]:
        sql = "SELECT gid FROM attachments WHERE host = 'asana' AND _deleted_at IS NULL ORDER BY gid"
        return [found["gid"] for found in rows(self.path, sql)]

    def pull(self, *, within_s: float = 30, **options: Any) -> PullReport:
        reach = SyncOptions(self.path, self.world.token, self.url, per_minute=0, max_wait_s=5.0)
        transport = httpx.ASGITransport(self.host) if "asana.test" in self.url else None
        wanted = PullOptions(reach, **options)
        return asyncio.run(asyncio.wait_for(pull(wanted, transport=transport), within_s))

    def content(self, gid: str) -> bytes:
        """What Asana has."""
        rec = self.world.attachment(gid)
        assert rec is not None
        return content(self.world, rec)

    def row(self, gid: str) -> Any:
        found = rows(self.path, "SELECT * FROM attachment_files WHERE attachment_gid = ?", gid)
        return found[0] if found else None

    def file(self, gid: str) -> Path:
        return self.folder / self.row(gid)["path"]

    def change(self, gid: str, **fields: Any) -> None:
        """At Asana, and in the mirror as if it had been synced since."""
        rec = self.world.attachment(gid)
        assert rec is not None
        owner = self.world.records[rec["parent"]]
        kept = next(one for one in self.world.keep_attachments(owner) if one["gid"] == gid)
        kept.update(fields)

    def only(self, gid: str, **fields: Any) -> str:
        """Leave no other file to pull."""
        self.change(gid, **fields)
        others = [other for other in self.hosted if other != gid]
        with rows_written(self.path) as db:
            db.executemany("UPDATE attachments SET host = 'other' WHERE gid = ?", [(one,) for one in others])
            db.execute("UPDATE attachments SET size = ? WHERE gid = ?", [fields.get("size"), gid])
        return gid

    def is_whole(self, gid: str) -> bool:
        """Whether the file lies where the table says, with the content that Asana has, under its hash."""
        found, wanted = self.row(gid), self.content(gid)
        digest = hashlib.sha256(wanted).hexdigest()
        assert (found["sha256"], found["size"]) == (digest, len(wanted))
        assert found["path"] == f"{digest[:2]}/{digest}"
        assert found["message"] is None
        return self.file(gid).read_bytes() == wanted

    def parts(self) -> list[Path]:
        return [file for file in (self.folder / "partial").iterdir() if not file.name.startswith(".")]


@contextmanager
def rows_written(path: Path) -> Iterator[Any]:
    db = sqlite3.connect(path)
    try:
        with db:
            yield db
    finally:
        db.close()


def small_world(seed: int) -> World:
    """With files of some kilobytes on tasks and projects."""
    world = generate(seed=seed, tasks=60, projects=3, stories_per_task=0, attachments_share=0.4)
    for owner in [*world.iter_records("tasks"), *world.iter_records("projects")]:
        rec = world.records[owner["gid"]]
        for attachment in world.keep_attachments(rec) if world.attachment_count(rec) else ():
            if "size" in attachment:
                attachment["size"] %= 20_000
    return world


def filed(world: World, path: Path) -> Filed:
    app = create_app(world)
    mirror(world, path, app)
    return Filed(world, path, Host(app))


@contextmanager
def served(filed: Filed) -> Iterator[Filed]:
    """The same over real HTTP."""
    with running(filed.host) as url:
        before, filed.url = filed.url, url
        yield filed
        filed.url = before


def begin_pull(filed: Filed, *options: str, **more: Any) -> subprocess.Popen[str]:
    """A pull as people start it, in a process of its own."""
    command = [sys.executable, "-m", "asana_mirror", "attachments", "pull", str(filed.path), "--base-url"]
    return subprocess.Popen(
        [*command, filed.url, "--rpm", "0", "--json", *options],
        env={**os.environ, "ASANA_ACCESS_TOKEN": filed.world.token},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


def report_of(child: subprocess.Popen[str]) -> dict[str, Any]:
    out, told = child.communicate(timeout=30)
    assert child.returncode == 0, told
    found: dict[str, Any] = json.loads(out)
    return found


def until(condition: Any, within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while True:
        try:
            if condition():
                return
        except sqlite3.OperationalError:
            pass  # it is being written
        assert time.monotonic() < deadline
        time.sleep(0.02)


def one_of(here: Filed, size: int = 1000) -> str:
    """The only file there is to pull."""
    return here.only(here.hosted[0], size=size)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Path]:
    world = small_world(61)
    path = tmp_path_factory.mktemp("made") / "asana.db"
    filed(world, path)
    return world, path


@pytest.fixture
def here(made: tuple[World, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Filed]:
    """A mirror of its own; what a test changes at Asana is put right afterwards."""
    world, path = made
    monkeypatch.setattr(fetching, "backoff_s", lambda tries, randomness: 0.01)
    kept = {owner: [dict(one) for one in shelf] for owner, shelf in world.attachment_shelf.items()}
    shutil.copy(path, tmp_path / "asana.db")
    yield Filed(world, tmp_path / "asana.db", Host(create_app(world)))
    world.attachment_shelf.update(kept)

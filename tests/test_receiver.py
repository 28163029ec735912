"""Deliveries of webhooks: only what Asana signed is kept, and it is kept before it is acknowledged."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import hmac
import json
import random
import socket
import sqlite3
import subprocess
import sys
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import rows, value

from asana_mirror import receiver as receiving
from asana_mirror.deliveries import is_signed, mark_of, read_delivery, seal
from asana_mirror.receiver import COUNTED, MOST_BYTES, REFUSALS, Receiver
from asana_mirror.sandbox import App, Limits, World, create_app, generate, running
from asana_mirror.store import Mirror
from asana_mirror.times import utc_now
from asana_mirror.wire import read_events
from asana_mirror.words import Event

HERE = "http://127.0.0.1:9"
PREFIX = "/-/asana-webhooks"
KEY, OTHER_KEY, PROJECT = "k1-of_A", "k2-of_B", "1200000000000001"
SECRET = "5ec2e7" * 10
CHANGED = {
    "action": "changed",
    "created_at": "2026-11-22T08:15:30.123Z",
    "resource": {"gid": "1200000000000007", "resource_type": "task", "resource_subtype": "default_task"},
    "parent": None,
    "user": {"gid": "1200000000000009", "resource_type": "user"},
    "change": {"field": "name", "action": "changed"},
}
HEARTBEAT = b'{"events": []}'
DELIVERY = orjson.dumps({"events": [CHANGED]})


def signature(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@dataclass
class Door:
    """A mirror, its receiver, and how often there was news."""

    path: Path
    news: int = 0
    receiver: Receiver = field(init=False)

    def __post_init__(self) -> None:
        self.receiver = Receiver(self.path, PREFIX, news=self._hear)

    def _hear(self) -> None:
        self.news += 1

    def write(self, change: Callable[[Mirror], Any]) -> None:
        mirror = Mirror(self.path)
        with mirror.atomic():
            change(mirror)
        mirror.close()

    def expect(self, key: str = KEY, project: str = PROJECT) -> None:
        self.write(lambda mirror: mirror.webhooks.ask(key, project, target(key), now=utc_now()))

    def establish(self, key: str = KEY) -> None:
        self.write(lambda mirror: mirror.webhooks.shake_hands(key, SECRET, now=utc_now()))
        self.write(lambda mirror: mirror.webhooks.establish(key, "77", now=utc_now()))

    def ask(self, method: str = "POST", path: str = f"{PREFIX}/{KEY}", **options: Any) -> httpx.Response:
        return asyncio.run(self.asked(method, path, **options))

    async def asked(self, method: str, path: str, **options: Any) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.receiver)) as client:
            return await client.request(method, HERE + path, **options)

    def deliver(self, body: bytes = DELIVERY, **headers: str) -> int:
        signed = {"x-hook-signature": signature(body), **headers}
        return self.ask(content=body, headers=signed).status_code

    def shake(self, secret: str, key: str = KEY) -> httpx.Response:
        return self.ask(path=f"{PREFIX}/{key}", content=b"{}", headers={"x-hook-secret": secret})

    @property
    def counted(self) -> dict[str, int]:
        return {name: count for name, count in self.receiver.counts.items() if count}

    @property
    def kept(self) -> list[tuple[str, str]]:
        return [tuple(row) for row in rows(self.path, "SELECT project_gid, body FROM sync_deliveries")]

    def webhook(self, key: str = KEY) -> Any:
        return rows(self.path, "SELECT * FROM sync_webhooks WHERE key = ?", key)[0]


def target(key: str) -> str:
    return f"{HERE}{PREFIX}/{key}"


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    """A receiver with one webhook that was asked for."""
    path = tmp_path / "mirror.db"
    Mirror(path).close()
    made = Door(path)
    made.expect()
    yield made
    made.receiver.close()


@pytest.fixture
def open_door(door: Door) -> Door:
    """A receiver with one webhook that Asana has made."""
    door.establish()
    return door


async def unheard() -> AsyncIterator[bytes]:
    """A body that nobody may look at."""
    pytest.fail("The body was read")
    yield b""


# -- with the sandbox ---------------------------------------------------------------------------------


@dataclass
class Asana:
    """A sandbox with a project of tasks."""

    world: World
    app: App
    project: str

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.world.token}"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), headers=headers) as client:
            return await client.request(method, f"http://asana.test/api/1.0{path}", **options)

    def done(self, method: str, path: str, **data: Any) -> Any:
        answer = asyncio.run(self.ask(method, path, json={"data": data}))
        assert answer.is_success, answer.text
        return answer.json()

    def events(self, sync: str | None = None) -> Any:
        params = {"resource": self.project} | ({"sync": sync} if sync else {})
        return asyncio.run(self.ask("GET", "/events", params=params)).json()

    def deliver(self) -> None:
        asyncio.run(self.app.courier.deliver())

    def a_task(self) -> str:
        tasks = asyncio.run(self.ask("GET", f"/projects/{self.project}/tasks")).json()["data"]
        return str(tasks[0]["gid"])


def asana(**options: Any) -> Asana:
    world = generate(seed=5, tasks=60)
    project = str(world.inside["project", world.workspaces[0]][0])
    return Asana(world, create_app(world, **options), project)


def test_a_webhook_is_made_and_tells_of_changes(door: Door) -> None:
    asked = asana(transport=httpx.ASGITransport(door.receiver))
    door.expect(OTHER_KEY, asked.project)
    made = asked.done("POST", "/webhooks", resource=asked.project, target=target(OTHER_KEY))
    assert door.webhook(OTHER_KEY)["secret"] == made["X-Hook-Secret"]
    assert door.webhook(OTHER_KEY)["heard_at"]
    asked.deliver()
    assert door.counted == {"handshakes": 1, "accepted": 1, "heartbeats": 1}
    assert (door.kept, door.news) == ([], 0)
    asked.done("PUT", f"/tasks/{asked.a_task()}", name="Told at once")
    asked.deliver()
    [(project, body)] = door.kept
    told = orjson.loads(body)["events"]
    assert project == asked.project
    assert "name" in [event.get("change", {}).get("field") for event in told]
    assert door.counted == {"handshakes": 1, "accepted": 2, "heartbeats": 1, "events": len(told)}
    assert door.news == 1
    assert door.webhook(OTHER_KEY)["deliveries"] == 2


def test_webhook_and_stream_tell_of_an_event_with_the_same_mark(door: Door) -> None:
    asked = asana(transport=httpx.ASGITransport(door.receiver))
    door.expect(OTHER_KEY, asked.project)
    asked.done("POST", "/webhooks", resource=asked.project, target=target(OTHER_KEY))
    sync, task = asked.events()["sync"], asked.a_task()
    asked.done("PUT", f"/tasks/{task}", name="Another name", due_on="2026-12-01")
    asked.done("POST", f"/tasks/{task}/stories", text="A comment")
    section = asked.done("POST", f"/projects/{asked.project}/sections", name="New")["data"]["gid"]
    asked.done("POST", f"/sections/{section}/addTask", task=task)
    asked.deliver()
    by_webhook = [event for _, body in door.kept for event in read_delivery(body.encode())]
    by_stream = read_events(asked.events(sync)).events
    assert len(by_webhook) > 4
    assert {mark_of(event) for event in by_webhook} == {mark_of(event) for event in by_stream}
    assert len({mark_of(event) for event in by_webhook}) == len(set(by_webhook))


# -- handshakes ---------------------------------------------------------------------------------------


def test_the_secret_is_said_back_while_the_handshake_is_expected(door: Door) -> None:
    answer = door.shake(SECRET)
    assert (answer.status_code, answer.headers["x-hook-secret"], answer.content) == (200, SECRET, b"")
    assert door.webhook()["secret"] == SECRET
    assert door.shake(SECRET).status_code == 200  # Asana may try again
    assert door.counted == {"handshakes": 2}


def test_the_first_secret_counts(door: Door) -> None:
    door.shake(SECRET)
    assert door.shake("another").status_code == 403
    assert door.webhook()["secret"] == SECRET
    assert door.counted == {"handshakes": 1, "unexpected_handshake": 1}


def test_the_same_handshake_once_more_is_answered_in_the_same_way(open_door: Door) -> None:
    before = tuple(open_door.webhook())
    answer = open_door.shake(SECRET)
    assert (answer.status_code, answer.headers["x-hook-secret"]) == (200, SECRET)
    assert tuple(open_door.webhook()) == before


@pytest.mark.parametrize("secret", ["another", f"{SECRET}0"])
def test_no_handshake_replaces_an_established_secret(open_door: Door, secret: str) -> None:
    before = tuple(open_door.webhook())
    with closing(sqlite3.connect(open_door.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # it is refused without waiting for a lock
        answer = open_door.shake(secret)
    assert (answer.status_code, "x-hook-secret" in answer.headers) == (403, False)
    assert tuple(open_door.webhook()) == before
    assert open_door.counted == {"unexpected_handshake": 1}
    assert open_door.deliver() == 200


@pytest.mark.parametrize("secret", [b"", b"x" * 257, b"caf\xe9", b"two words", b"a\tb"])
def test_odd_secrets_are_refused(door: Door, secret: bytes) -> None:
    answer = door.ask(headers=[(b"X-Hook-Secret", secret)], content=unheard())
    assert (answer.status_code, "x-hook-secret" in answer.headers) == (400, False)
    assert door.webhook()["secret"] is None
    assert door.counted == {"bad_handshake": 1}


def test_the_longest_secret_is_taken(door: Door) -> None:
    assert door.shake("x" * 256).status_code == 200


def test_two_secrets_are_none(door: Door) -> None:
    answer = door.ask(headers=[("X-Hook-Secret", "one"), ("X-Hook-Secret", "other")])
    assert answer.status_code == 400
    assert door.webhook()["secret"] is None


def test_no_handshake_at_a_target_nobody_asked_for(door: Door) -> None:
    assert door.shake(SECRET, "unknown").status_code == 404
    assert door.counted == {"unknown_path": 1}


# -- deliveries ---------------------------------------------------------------------------------------


def test_a_delivery_is_kept_as_it_came(open_door: Door) -> None:
    body = b' {"events":[ ' + orjson.dumps(CHANGED) + '], "ü": "\N{SNOWMAN}"}\n'.encode()
    answer = open_door.ask(content=body, headers={"X-Hook-Signature": signature(body)})
    assert (answer.status_code, answer.content) == (200, b"")
    assert open_door.kept == [(PROJECT, body.decode())]
    assert open_door.counted == {"accepted": 1, "events": 1}
    assert (open_door.news, open_door.webhook()["deliveries"]) == (1, 1)


def test_a_heartbeat_only_shows_that_the_webhook_lives(open_door: Door) -> None:
    open_door.write(lambda mirror: mirror.db.execute("UPDATE sync_webhooks SET heard_at = NULL"))
    assert open_door.deliver(HEARTBEAT) == 200
    assert open_door.webhook()["heard_at"]
    assert (open_door.kept, open_door.news) == ([], 0)
    assert open_door.counted == {"accepted": 1, "heartbeats": 1}


def test_a_delivery_may_come_before_the_call_that_makes_the_webhook_has_ended(door: Door) -> None:
    door.shake(SECRET)
    assert door.deliver() == 200
    assert len(door.kept) == 1


def test_news_is_told_when_the_delivery_is_on_file_and_acknowledged(open_door: Door) -> None:
    seen: list[tuple[int, int]] = []
    sent: list[Any] = []

    def news() -> None:
        seen.append((len(open_door.kept), len(sent)))

    asyncio.run(drive(Receiver(open_door.path, PREFIX, news=news), [DELIVERY], sent))
    assert seen == [(1, 2)]


def test_hex_digits_may_be_large(open_door: Door) -> None:
    assert open_door.deliver(**{"x-hook-signature": signature(DELIVERY).upper()}) == 200


def test_the_same_signature_twice_is_one(open_door: Door) -> None:
    twice = [("x-hook-signature", signature(DELIVERY))] * 2
    assert open_door.ask(content=DELIVERY, headers=twice).status_code == 200


# -- refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "reason"),
    [
        ("POST", "/", "unknown_path"),
        ("POST", PREFIX, "unknown_path"),
        ("POST", f"{PREFIX}/", "unknown_path"),
        ("POST", f"{PREFIX}/unknown", "unknown_path"),
        ("POST", f"{PREFIX}/{KEY}/", "unknown_path"),
        ("POST", f"{PREFIX}/{KEY}%00", "unknown_path"),
        ("POST", f"{PREFIX}/%C3%BC", "unknown_path"),
        ("POST", f"{PREFIX}-other/{KEY}", "unknown_path"),
        ("POST", f"{PREFIX}/{'k' * 5000}", "unknown_path"),
        ("GET", "/elsewhere", "unknown_path"),
        ("GET", f"{PREFIX}/{KEY}", "wrong_method"),
        ("PUT", f"{PREFIX}/{KEY}", "wrong_method"),
        ("HEAD", f"{PREFIX}/unknown", "wrong_method"),
    ],
)
def test_only_targets_are_answered(open_door: Door, method: str, path: str, reason: str) -> None:
    answer = open_door.ask(method, path, content=unheard(), headers={"x-hook-signature": "0" * 64})
    assert answer.status_code == {"unknown_path": 404, "wrong_method": 405}[reason]
    assert answer.headers.get("allow") == ("POST" if reason == "wrong_method" else None)
    assert open_door.counted == {reason: 1}


def test_a_path_that_is_no_text_is_unknown(open_door: Door) -> None:
    sent: list[Any] = []
    asyncio.run(drive(open_door.receiver, [DELIVERY], sent, path=f"{PREFIX}/caf\udce9"))
    assert sent[0]["status"] == 404


def test_a_webhook_that_asana_refused_has_no_target(door: Door) -> None:
    door.write(lambda mirror: mirror.webhooks.refuse(KEY, 403, "No", now=utc_now()))
    assert door.ask(content=unheard(), headers={"x-hook-signature": "0" * 64}).status_code == 404
    assert door.shake(SECRET).status_code == 404
    assert door.counted == {"unknown_path": 2}


@pytest.mark.parametrize(
    "signatures", [[], [""], ["0" * 63], ["0" * 65], ["g" * 64], ["0" * 64, "1" * 64], [f"sha256={'0' * 57}"]]
)
def test_what_is_not_signed_is_not_read(open_door: Door, signatures: list[str]) -> None:
    headers = [("X-Hook-Signature", one) for one in signatures]
    assert open_door.ask(content=unheard(), headers=headers).status_code == 401
    assert open_door.counted == {"unsigned": 1}


def test_a_second_signature_spoils_the_first(open_door: Door) -> None:
    headers = [("x-hook-signature", signature(DELIVERY)), ("x-hook-signature", "0" * 64)]
    assert open_door.ask(content=DELIVERY, headers=headers).status_code == 401


@pytest.mark.parametrize("body", [DELIVERY, b"no JSON", b"", HEARTBEAT])
def test_what_is_signed_by_somebody_else_is_not_parsed(
    open_door: Door, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    monkeypatch.setattr(receiving, "read_delivery", lambda body: pytest.fail("It was parsed"))
    assert open_door.deliver(body, **{"x-hook-signature": signature(body, "another")}) == 401
    assert (open_door.kept, open_door.webhook()["deliveries"]) == ([], 0)
    assert open_door.counted == {"wrong_signature": 1}


def test_each_webhook_has_its_own_secret(open_door: Door) -> None:
    open_door.expect(OTHER_KEY, "2")
    open_door.write(lambda mirror: mirror.webhooks.shake_hands(OTHER_KEY, "other", now=utc_now()))
    answer = open_door.ask(
        path=f"{PREFIX}/{OTHER_KEY}", content=DELIVERY, headers={"x-hook-signature": signature(DELIVERY)}
    )
    assert answer.status_code == 401


@pytest.mark.parametrize("secret", ["", "None", SECRET])
def test_nothing_fits_a_secret_that_never_came(door: Door, secret: str) -> None:
    headers = {"x-hook-signature": signature(DELIVERY, secret)}
    assert door.ask(content=unheard(), headers=headers).status_code == 401
    assert door.counted == {"wrong_signature": 1}


def test_a_large_body_is_refused_by_its_length(open_door: Door) -> None:
    for length in (MOST_BYTES + 1, 10**30, "000" + str(MOST_BYTES + 1)):
        headers = {"x-hook-signature": "0" * 64, "content-length": str(length)}
        assert open_door.ask(content=unheard(), headers=headers).status_code == 413
    assert open_door.counted == {"too_large": 3}


def test_a_large_body_is_cut_off_while_it_comes(open_door: Door) -> None:
    came = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal came
        while came <= 2 * MOST_BYTES:
            came += 65_536
            yield b" " * 65_536

    headers = {"x-hook-signature": "0" * 64}
    assert open_door.ask(content=endless(), headers=headers).status_code == 413
    assert came == MOST_BYTES + 65_536
    assert open_door.counted == {"too_large": 1}


def test_the_largest_body_is_taken(open_door: Door) -> None:
    body = DELIVERY.ljust(MOST_BYTES)
    assert open_door.deliver(body) == 200
    assert open_door.deliver(body + b" ") == 413


def test_a_slow_body_is_given_up(open_door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "PATIENCE_S", 0.1)

    async def slow() -> AsyncIterator[bytes]:
        for byte in DELIVERY:
            yield bytes([byte])
            await asyncio.sleep(0.02)

    headers = {"x-hook-signature": signature(DELIVERY)}
    assert open_door.ask(content=slow(), headers=headers).status_code == 408
    assert (open_door.kept, open_door.counted) == ([], {"too_slow": 1})


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"null", b'{"events": {}}', b'{"events": 7}', b"\xff\xfe", b"[" * 9999],
)
def test_what_is_signed_and_no_delivery_is_refused(open_door: Door, body: bytes) -> None:
    assert open_door.deliver(body) == 400
    assert (open_door.kept, open_door.webhook()["deliveries"]) == ([], 0)
    assert open_door.counted == {"malformed": 1}


@pytest.mark.parametrize("body", [b"", b"{}", b'{"events": null}', b'{"events": []}'])
def test_what_is_signed_and_tells_nothing_is_a_heartbeat(open_door: Door, body: bytes) -> None:
    assert open_door.deliver(body) == 200
    assert (open_door.kept, open_door.webhook()["deliveries"]) == ([], 1)
    assert open_door.counted == {"accepted": 1, "heartbeats": 1}


async def drive(receiver: Receiver, chunks: list[bytes | None], sent: list[Any], **more: Any) -> None:
    """A request by hand; None among the chunks: whoever asked has gone."""
    waiting = list(chunks)

    async def receive() -> dict[str, Any]:
        chunk = waiting.pop(0)
        if chunk is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": chunk, "more_body": bool(waiting)}

    async def send(message: Any) -> None:
        sent.append(message)

    body = b"".join(chunk for chunk in chunks if chunk)
    headers = [(b"x-hook-signature", signature(body).encode())]
    scope = {"type": "http", "method": "POST", "path": f"{PREFIX}/{KEY}", "headers": headers}
    await receiver({**scope, **more}, receive, more.get("send", send))


def test_who_leaves_before_the_end_is_not_answered(open_door: Door) -> None:
    sent: list[Any] = []
    asyncio.run(drive(open_door.receiver, [DELIVERY, None], sent))
    assert (sent, open_door.kept, open_door.counted) == ([], [], {})


def test_a_delivery_counts_although_nobody_hears_the_answer(open_door: Door) -> None:
    async def broken(message: Any) -> None:
        raise BrokenPipeError

    asyncio.run(drive(open_door.receiver, [DELIVERY], [], send=broken))
    assert (len(open_door.kept), open_door.news) == (1, 1)


# -- a mirror that cannot be written ------------------------------------------------------------------


def test_a_locked_mirror_lets_asana_deliver_again(open_door: Door) -> None:
    assert open_door.deliver() == 200
    with closing(sqlite3.connect(open_door.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(2):  # with the connection it had, and with a new one
            began = time.monotonic()
            answer = open_door.ask(content=DELIVERY, headers={"x-hook-signature": signature(DELIVERY)})
            assert time.monotonic() - began < 1
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert (len(open_door.kept), open_door.news) == (1, 1)
    assert open_door.deliver() == 200
    assert (len(open_door.kept), open_door.news) == (2, 2)
    assert open_door.counted == {"accepted": 2, "events": 2, "not_kept": 2}


def test_a_mirror_that_nobody_else_may_read_is_not_waited_for_longer(open_door: Door) -> None:
    with closing(sqlite3.connect(open_door.path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        assert open_door.deliver() == 503
        assert time.monotonic() - began < 1
    assert open_door.deliver() == 200


def test_a_locked_mirror_cannot_shake_hands(door: Door) -> None:
    with closing(sqlite3.connect(door.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert door.shake(SECRET).status_code == 503
    assert door.shake(SECRET).status_code == 200
    assert door.counted == {"handshakes": 1, "not_kept": 1}


def test_on_a_full_disk_nothing_of_a_delivery_is_kept(open_door: Door) -> None:
    assert open_door.deliver() == 200
    before = tuple(open_door.webhook())
    held = open_door.receiver._mirror
    assert held is not None
    (pages,) = held.db.execute("PRAGMA page_count").fetchone()
    held.db.execute(f"PRAGMA max_page_count = {pages}")
    large = DELIVERY.ljust(100_000)
    assert open_door.deliver(large) == 503
    assert tuple(open_door.webhook()) == before
    assert len(open_door.kept) == 1
    assert open_door.deliver(large) == 200
    assert open_door.counted == {"accepted": 2, "events": 2, "not_kept": 1}


def test_a_mirror_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    for path in (tmp_path / "none.db", tmp_path / "no folder" / "none.db", tmp_path):
        door = Door(path)
        assert door.deliver() == 503
        assert door.counted == {"not_kept": 1}
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_does_not_become_a_mirror(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    assert Door(path).deliver() == 503
    assert path.stat().st_size == 0


def test_after_close_the_file_is_opened_anew(open_door: Door, tmp_path: Path) -> None:
    assert open_door.deliver() == 200
    open_door.receiver.close()
    open_door.receiver.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["mirror.db"]  # the last one out took the WAL
    assert open_door.deliver() == 200


# -- the server's side --------------------------------------------------------------------------------


def test_it_starts_and_ends_with_its_server(open_door: Door) -> None:
    assert open_door.deliver() == 200
    told = iter(["lifespan.startup", "lifespan.shutdown"])
    said = []

    async def receive() -> dict[str, str]:
        return {"type": next(told)}

    async def send(message: Any) -> None:
        said.append(message["type"])

    asyncio.run(open_door.receiver({"type": "lifespan"}, receive, send))
    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert not Path(f"{open_door.path}-wal").exists()


def test_websockets_are_closed(open_door: Door) -> None:
    said = []

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        said.append(message["type"])

    scope = {"type": "websocket", "path": f"{PREFIX}/{KEY}", "headers": []}
    asyncio.run(open_door.receiver(scope, receive, send))
    assert said == ["websocket.close"]


def test_it_can_be_imported_without_datasette() -> None:
    script = "import sys, asana_mirror.receiver; sys.exit(bool({'datasette', 'uvicorn'} & {*sys.modules}))"
    subprocess.run([sys.executable, "-c", script], check=True)


# -- over sockets -------------------------------------------------------------------------------------


def statuses(url: str, request: str) -> list[int]:
    """What is answered to a request whose body never comes, until the connection is closed."""
    parts = httpx.URL(url)
    with socket.create_connection((parts.host, parts.port or 0), timeout=8) as connection:
        connection.sendall(request.encode())
        answer = connection.makefile("rb").read()
    return [int(line.split()[1]) for line in answer.splitlines() if line.startswith(b"HTTP/1.1 ")]


def test_over_sockets_a_change_arrives(door: Door) -> None:
    asked = asana(limits=Limits(hook_delay_s=0.01))
    door.expect(OTHER_KEY, asked.project)
    with running(door.receiver) as here, running(asked.app) as url:
        there = here.removesuffix("/api/1.0") + f"{PREFIX}/{OTHER_KEY}"
        client = httpx.Client(headers={"Authorization": f"Bearer {asked.world.token}"})
        made = client.post(f"{url}/webhooks", json={"data": {"resource": asked.project, "target": there}})
        assert made.status_code == 201
        client.put(f"{url}/tasks/{asked.a_task()}", json={"data": {"name": "Told over a socket"}})
        client.close()
        deadline = time.monotonic() + 5
        while not door.news:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert [project for project, _ in door.kept] == [asked.project] * door.news
    assert not set(door.counted) & set(REFUSALS)
    assert not Path(f"{door.path}-wal").exists()  # closed with the server


def test_over_sockets_refusals_come_before_the_body(open_door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "PATIENCE_S", 0.2)
    signed = f"X-Hook-Signature: {'0' * 64}\r\n"
    with running(open_door.receiver) as here:
        for path, headers, answered in (
            (KEY, f"Content-Length: {10**9}\r\n", [401]),
            (KEY, f"{signed}Content-Length: {10**9}\r\n", [413]),
            (KEY, f"{signed}Content-Length: 10\r\n", [100, 408]),  # only here the body is asked for
            ("unknown", f"{signed}Content-Length: 10\r\n", [404]),
        ):
            head = f"POST {PREFIX}/{path} HTTP/1.1\r\nHost: here\r\n{headers}Expect: 100-continue\r\n\r\n"
            assert statuses(here, head) == answered
    assert open_door.counted == {"unsigned": 1, "too_large": 1, "too_slow": 1, "unknown_path": 1}


def test_over_sockets_a_connection_carries_many_deliveries(open_door: Door) -> None:
    with running(open_door.receiver) as here, httpx.Client() as client:
        there = here.removesuffix("/api/1.0") + f"{PREFIX}/{KEY}"
        for _ in range(20):
            headers = {"x-hook-signature": signature(DELIVERY)}
            assert client.post(there, content=DELIVERY, headers=headers).status_code == 200
        assert client.post(there, content=DELIVERY).status_code == 401
        assert client.post(there, content=DELIVERY, headers=headers).status_code == 200
    assert (len(open_door.kept), open_door.news) == (21, 21)


# -- thousands of them --------------------------------------------------------------------------------


def forged(chance: random.Random) -> tuple[str, str, list[tuple[str, str]], bytes | list[bytes]]:
    """Method, path, headers and body of a request that Asana did not send, or not so."""
    body = orjson.dumps({"events": [CHANGED] * chance.randrange(3), "forged": chance.random()})
    right = signature(body)
    wrong = signature(body, f"guess {chance.random()}")
    here = f"{PREFIX}/{KEY}"
    unparsable = chance.choice([b"{", b"[]", b'{"events": 7}', b"\xff", chance.randbytes(50)])
    cut = chance.randrange(len(body))
    return chance.choice(
        [
            ("POST", here, [], body),
            ("POST", here, [("x-hook-signature", wrong)], body),
            ("POST", here, [("x-hook-signature", wrong)], [body[:cut], body[cut:]]),
            ("POST", here, [("x-hook-signature", right)], body[:cut]),
            ("POST", here, [("x-hook-signature", right)], [body, b" "]),
            ("POST", here, [("x-hook-signature", right[: chance.randrange(64)])], body),
            ("POST", here, [("x-hook-signature", right), ("x-hook-signature", wrong)], body),
            ("POST", here, [("x-hook-signature", signature(unparsable))], unparsable),
            ("POST", here, [("x-hook-secret", f"mine {chance.random()}")], b"{}"),
            ("POST", here, [("x-hook-secret", f"{chance.random()}")], b"{}"),
            ("POST", here, [("x-hook-secret", f"{SECRET}0"), ("x-hook-signature", right)], body),
            (
                "POST",
                here,
                [("x-hook-signature", right), ("content-length", "9" * chance.randrange(8, 20))],
                body,
            ),
            ("POST", f"{here}{chance.random()}", [("x-hook-signature", right)], body),
            ("POST", f"{PREFIX}/{chance.getrandbits(128):x}", [("x-hook-signature", right)], body),
            ("POST", f"{PREFIX}/{OTHER_KEY}", [("x-hook-signature", right)], body),
            ("POST", f"{PREFIX}/refused", [("x-hook-signature", right)], body),
            (chance.choice(["GET", "PUT", "DELETE"]), here, [("x-hook-signature", right)], body),
        ]
    )


async def flood(door: Door, chance: random.Random, bad: int, good: int, number: int) -> int:
    """Bad requests with good ones in between; answers how many were accepted though they are forged."""

    async def chunks(body: list[bytes]) -> AsyncIterator[bytes]:
        for chunk in body:
            yield chunk

    fooled, right = 0, sorted(chance.sample(range(bad), good))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(door.receiver)) as client:
        for place in range(bad):
            if right and place == right[0]:
                told = {"events": [CHANGED], "number": number + good - len(right)}
                body = orjson.dumps(told).ljust(5_000)
                headers = {"x-hook-signature": signature(body)}
                answer = await client.post(target(KEY), content=body, headers=headers)
                assert answer.status_code == 200
                del right[0]
            method, path, more, content = forged(chance)
            sent = chunks(content) if isinstance(content, list) else content
            answer = await client.request(method, HERE + path, headers=more, content=sent)
            fooled += answer.status_code < 400
    return fooled


def test_thousands_of_forgeries_leave_nothing_behind(open_door: Door) -> None:
    for key in (OTHER_KEY, "refused"):
        open_door.expect(key)
    open_door.write(lambda mirror: mirror.webhooks.refuse("refused", 403, "No", now=utc_now()))
    chance = random.Random(20261122)
    assert asyncio.run(flood(open_door, chance, 5_000, 100, 0)) == 0
    tracemalloc.start()
    try:
        assert asyncio.run(flood(open_door, chance, 1_000, 20, 100)) == 0
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        assert asyncio.run(flood(open_door, chance, 4_000, 80, 120)) == 0
        gc.collect()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [orjson.loads(body)["number"] for _, body in open_door.kept] == list(range(200))
    assert after - before < 100_000
    assert peak - before < 2_000_000
    assert set(open_door.receiver.counts) == set(COUNTED)
    counts = open_door.receiver.counts
    assert (counts["accepted"], counts["events"], counts["heartbeats"], open_door.news) == (200, 200, 0, 200)
    assert sum(counts[reason] for reason in REFUSALS) == 10_000
    met = set(REFUSALS) - {"too_slow", "not_kept"}
    assert all(counts[reason] > 300 for reason in met), counts
    assert open_door.webhook()["secret"] == SECRET
    assert value(open_door.path, "SELECT sum(deliveries) FROM sync_webhooks") == 200


# -- the pure part ------------------------------------------------------------------------------------

WORDS = st.text(max_size=12)
PERHAPS = st.none() | WORDS
EVENTS = st.builds(
    Event, WORDS, WORDS, WORDS, parent=PERHAPS, parent_gid=PERHAPS, field=PERHAPS, created_at=PERHAPS
)
NAMES = st.sampled_from(
    ["events", "resource", "gid", "action", "change", "parent", "resource_type", "created_at"]
)
TOLD = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
    max_leaves=20,
)


def tells(event: Event) -> tuple[str | None, ...]:
    return event.created_at, event.action, event.resource, event.gid, event.field, event.parent_gid


@given(st.binary(max_size=300), st.text(max_size=40), st.lists(st.integers(0, 300), max_size=6))
def test_how_a_body_is_cut_never_matters(body: bytes, secret: str, cuts: list[int]) -> None:
    sealed, done = seal(secret), 0
    for cut in [*sorted(cuts), len(body)]:
        sealed.update(body[done:cut])
        done = max(done, cut)
    assert is_signed(sealed, signature(body, secret))


@given(st.binary(min_size=1, max_size=300), st.text(max_size=40), st.data())
def test_one_bit_is_enough_to_spoil_a_signature(body: bytes, secret: str, data: st.DataObject) -> None:
    right, place = signature(body, secret), data.draw(st.integers(0, len(body) * 8 - 1))
    changed = bytearray(body)
    changed[place // 8] ^= 1 << place % 8
    sealed = seal(secret)
    sealed.update(bytes(changed))
    assert not is_signed(sealed, right)
    digit = data.draw(st.integers(0, 63))
    other = data.draw(
        st.sampled_from("0123456789abcdefABCDEF\u0660").filter(lambda it: it.lower() != right[digit])
    )
    sealed = seal(secret)
    sealed.update(body)
    assert not is_signed(sealed, right[:digit] + other + right[digit + 1 :])


@pytest.mark.parametrize("between", ["|", ",", '","', ";", " ", "\n", "\x1f", "\x00", "\\", "/"])
def test_a_mark_says_where_its_parts_end(between: str) -> None:
    one = Event("tasks", "1", "changed", field=f"a{between}b", parent_gid="c")
    assert mark_of(one) != mark_of(replace(one, field="a", parent_gid=f"b{between}c"))


@pytest.mark.parametrize("word", ["", "None", "null", "-"])
def test_a_mark_tells_nothing_from_a_word(word: str) -> None:
    none = Event("tasks", "1", "changed")
    assert mark_of(none) != mark_of(replace(none, field=word))


@given(EVENTS, EVENTS, st.data())
def test_a_mark_tells_an_event_from_all_others(one: Event, other: Event, data: st.DataObject) -> None:
    assert (mark_of(one) == mark_of(other)) == (tells(one) == tells(other))
    name = data.draw(st.sampled_from(["created_at", "action", "resource", "gid", "field", "parent_gid"]))
    assert mark_of(replace(one, **{name: f"{getattr(one, name)}x"})) != mark_of(one)
    assert mark_of(replace(one, parent="projects")) == mark_of(one)


@given(st.binary() | TOLD.map(lambda told: json.dumps(told).encode()))
def test_whatever_comes_is_events_or_no_delivery(body: bytes) -> None:
    try:
        events = read_delivery(body)
    except ValueError:
        return
    assert all(isinstance(event, Event) and event.gid for event in events)
    assert all(mark_of(event) for event in events)


def test_what_cannot_be_understood_is_left_out() -> None:
    told = [CHANGED, 7, None, {}, {"resource": {"gid": "8"}}, {"resource": {"resource_type": "task"}}]
    [event] = read_delivery(orjson.dumps({"events": told}))
    assert (event.resource, event.gid, event.action, event.field) == (
        "tasks",
        "1200000000000007",
        "changed",
        "name",
    )


def test_half_a_character_spoils_no_delivery() -> None:
    told = orjson.dumps({"events": [CHANGED]}).replace(b'"changed"', b'"chang\\ud800"', 1)
    [event] = read_delivery(told)
    assert mark_of(event)

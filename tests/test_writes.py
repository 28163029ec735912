"""What the client does where a request changes something: nothing is made twice, and the lane of writes is kept."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from asana_mirror.client import Asana
from asana_mirror.errors import BadToken, CarryOnWithout, WaitAndRepeat
from asana_mirror.quota import WRITES_IN_FLIGHT, Governor
from asana_mirror.sandbox import Faults, Limits, World, create_app, generate, running

URL = "http://asana.test/api/1.0"
Answer = Callable[[httpx.Request], Any]


def done(answer: Answer, work: Callable[[Asana], Awaitable[Any]]) -> Any:
    async def go() -> Any:
        governor = Governor(math.inf, now=time.monotonic())
        async with Asana("t", URL, governor=governor, transport=httpx.MockTransport(answer)) as asana:
            return await work(asana)

    return asyncio.run(asyncio.wait_for(go(), 20))


class Answers:
    """One after another; the last one for ever."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def made() -> httpx.Response:
    return httpx.Response(201, json={"data": {"gid": "7"}, "X-Hook-Secret": "s"})


def refused(status: int, **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"errors": [{"message": "No."}]}, headers=headers)


async def create(asana: Asana) -> Any:
    return (await asana.create("/webhooks", {"resource": "1", "target": "https://here/x"})).content


async def delete(asana: Asana) -> Any:
    return await asana.delete("/webhooks/7")


def test_what_is_made_is_sent_as_asana_wants_it() -> None:
    answers = Answers(made())
    assert done(answers, create) == {"gid": "7"}
    (request,) = answers.requests
    assert (request.method, str(request.url)) == ("POST", f"{URL}/webhooks")
    assert json.loads(request.content) == {"data": {"resource": "1", "target": "https://here/x"}}
    assert request.headers["content-type"] == "application/json"
    assert request.headers["authorization"] == "Bearer t"
    assert request.headers["content-length"] == str(len(request.content))


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ReadError("The connection broke"),
        httpx.ReadTimeout("No answer"),
        refused(500),
        refused(503, **{"Retry-After": "0"}),
        httpx.Response(502, text="<html>"),
        httpx.Response(201, content=b'{"data": {"gi'),
    ],
    ids=["broken", "silent", "500", "503", "502", "cut"],
)
def test_what_may_have_been_made_is_not_made_again(trouble: httpx.Response | Exception) -> None:
    answers = Answers(trouble, made())
    with pytest.raises(WaitAndRepeat):
        done(answers, create)
    assert len(answers.requests) == 1


@pytest.mark.parametrize("work", [create, delete])
def test_what_was_refused_for_being_too_much_waits_as_told(work: Callable[[Asana], Awaitable[Any]]) -> None:
    answers, began = Answers(refused(429, **{"Retry-After": "1"}), made()), time.monotonic()
    done(answers, work)
    assert len(answers.requests) == 2
    assert time.monotonic() - began >= 1.0


@pytest.mark.parametrize("status", [400, 402, 403, 404, 451])
def test_a_refusal_to_make_is_told_in_asanas_words(status: int) -> None:
    answers = Answers(refused(status))
    with pytest.raises(CarryOnWithout, match="No") as told:
        done(answers, create)
    assert (told.value.status, len(answers.requests)) == (status, 1)


def test_a_token_that_is_no_good_is_said() -> None:
    with pytest.raises(BadToken):
        done(Answers(refused(401)), create)


@pytest.mark.parametrize(
    "trouble", [httpx.ReadError("broken"), refused(500), httpx.Response(200, content=b"")]
)
def test_deleting_is_repeated_until_it_is_done(trouble: httpx.Response | Exception) -> None:
    answers = Answers(trouble, refused(404))  # the first one may have done it
    assert done(answers, delete) is None
    assert [(r.method, str(r.url), r.content) for r in answers.requests] == [
        ("DELETE", f"{URL}/webhooks/7", b"")
    ] * 2


def test_a_deletion_that_is_forbidden_is_told() -> None:
    with pytest.raises(CarryOnWithout):
        done(Answers(refused(403)), delete)


# -- against the sandbox ------------------------------------------------------------------------------


def shaking(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, headers={"X-Hook-Secret": request.headers.get("X-Hook-Secret", "")})


def hooked(limits: Limits, faults: Faults | None = None) -> tuple[World, Any]:
    world = generate(seed=3, tasks=20)
    return world, create_app(world, limits=limits, faults=faults, transport=httpx.MockTransport(shaking))


class InFlight:
    """Stands before an app and counts writes and reads that are under way at once."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.now = {True: 0, False: 0}
        self.most = {True: 0, False: 0}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        reads = scope.get("method") == "GET"
        self.now[reads] += 1
        self.most[reads] = max(self.most[reads], self.now[reads])
        try:
            await self.app(scope, receive, send)
        finally:
            self.now[reads] -= 1


def test_no_more_writes_are_in_flight_than_may_be_and_they_hold_back_no_reads() -> None:
    world, app = hooked(Limits(reads_in_flight=50, writes_in_flight=15, latency_s=0.05))
    project, counted = str(next(world.iter_records("projects"))["gid"]), InFlight(app)

    async def go() -> Asana:
        governor = Governor(math.inf, now=time.monotonic())
        transport = httpx.ASGITransport(counted)
        async with Asana(world.token, URL, governor=governor, transport=transport) as asana:
            writes = [
                asana.create("/webhooks", {"resource": project, "target": f"http://127.0.0.1:9/{number}"})
                for number in range(60)
            ]
            reads = [
                asana.page("/webhooks", {"workspace": world.workspaces[0], "limit": "1"}) for _ in range(40)
            ]
            await asyncio.gather(*writes, *reads)
            return asana

    asana = asyncio.run(asyncio.wait_for(go(), 30))
    assert counted.most == {True: 40, False: WRITES_IN_FLIGHT}
    assert asana.refused == app.stats.refused == 0
    assert asana.uses["POST /webhooks"].requests == 60
    assert asana.uses["/webhooks"].requests == 40


@pytest.mark.parametrize("kind", ["reset", "cut", "500", "502"])
def test_on_a_socket_a_post_leaves_once_and_a_deletion_until_it_is_done(kind: str) -> None:
    faults = Faults()
    world, app = hooked(Limits(), faults)
    project = str(next(world.iter_records("projects"))["gid"])

    async def go(url: str) -> None:
        async with Asana(world.token, url, governor=Governor(math.inf, now=time.monotonic())) as asana:
            fields = {"resource": project, "target": "http://127.0.0.1:9/x"}
            faults.next("^/webhooks$", kind)
            with pytest.raises(WaitAndRepeat):
                await asana.create("/webhooks", fields)
            for gid in list(world.hooks.by_gid):  # a cut answer comes after the work
                world.hooks.remove(world.hooks.by_gid[gid])
            gid = (await asana.create("/webhooks", fields)).content["gid"]
            faults.next("^/webhooks/", kind)
            await asana.delete(f"/webhooks/{gid}")

    with running(app) as url:
        asyncio.run(asyncio.wait_for(go(url), 20))
    assert sum(n for (method, _, _), n in app.stats.by_route.items() if method == "POST") == 2
    assert sum(n for (method, _, _), n in app.stats.by_route.items() if method == "DELETE") == 2
    assert not world.hooks

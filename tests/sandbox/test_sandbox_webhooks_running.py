"""Webhooks while the sandbox runs: by themselves, over sockets, with Asana's own client; nothing is left over."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from hook_target import TARGET, Receiver, a_project, transport, watch

from asana_mirror.sandbox import Limits, create_app, generate, random_edits, running

QUICK = Limits(hook_delay_s=0.01)
SOON_S = 5.0


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


class Listener(ThreadingHTTPServer):
    """A target on a socket: keeps what a receiver keeps."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        super().__init__(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self.server_port}/hook?x=1"


class Answers(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        asked = httpx.Request("POST", self.server.url, headers=dict(self.headers), content=body)
        answer = self.server.receiver(asked)
        self.send_response(answer.status_code)
        for name, text in answer.headers.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *words: Any) -> None:
        """Nothing: tests are quiet."""


@pytest.fixture
def listener(receiver: Receiver) -> Iterator[Listener]:
    with Listener(receiver) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def wait_for(true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + SOON_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


async def in_time(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(SOON_S):
        while not true():
            await asyncio.sleep(0.002)


async def make(front: Any, project: str) -> Any:
    return await front.ask("POST", "/webhooks", json={"data": {"resource": project, "target": TARGET}})


def test_deliveries_run_by_themselves_in_the_loop_of_the_app(front_with: Any, receiver: Receiver) -> None:
    front = front_with(QUICK, transport=transport(receiver))

    async def scene() -> None:
        assert len(asyncio.all_tasks()) == 1
        await make(front, a_project(front.world))
        await in_time(lambda: receiver.bodies)
        random_edits(front.world, 60, seed=1)
        await in_time(lambda: receiver.events)
        await front.app.courier.close()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(scene())


def test_they_end_with_the_last_webhook_and_begin_again(front_with: Any, receiver: Receiver) -> None:
    front = front_with(QUICK, transport=transport(receiver))

    async def scene() -> None:
        for _ in range(2):
            made = (await make(front, a_project(front.world))).json()["data"]["gid"]
            await in_time(lambda: receiver.bodies)
            receiver.bodies.clear()
            await front.ask("DELETE", f"/webhooks/{made}")
            await in_time(lambda: len(asyncio.all_tasks()) == 1)

    asyncio.run(scene())


def test_they_go_on_in_another_loop_and_in_another_app(front_with: Any, receiver: Receiver) -> None:
    front = front_with(QUICK, transport=transport(receiver))
    watch(front, a_project(front.world))  # its loop has ended by now

    async def scene(front: Any) -> None:
        receiver.bodies.clear()
        await front.ask("GET", "/workspaces")
        front.world.events.tell(front.world.me, front.world.records[a_project(front.world)], "changed")
        await in_time(lambda: receiver.events)

    asyncio.run(scene(front))
    asyncio.run(scene(front_with(QUICK, transport=transport(receiver))))


def test_the_app_ends_them_with_its_lifespan(front_with: Any, receiver: Receiver) -> None:
    front = front_with(QUICK, transport=transport(receiver))
    watch(front, a_project(front.world))

    async def scene() -> None:
        inbox: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        said: list[str] = []

        async def send(message: dict[str, str]) -> None:
            said.append(message["type"])

        life = asyncio.create_task(front.app({"type": "lifespan"}, inbox.get, send))
        await inbox.put({"type": "lifespan.startup"})
        await in_time(lambda: receiver.bodies)
        await inbox.put({"type": "lifespan.shutdown"})
        await life
        assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(scene())


def test_a_slow_target_holds_up_no_other_and_is_given_up(front_with: Any) -> None:
    taken: list[str] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        if "x-hook-secret" in request.headers:
            return httpx.Response(200, headers={"x-hook-secret": request.headers["x-hook-secret"]})
        if request.url.path == "/slow":
            await asyncio.sleep(60)
        taken.append(request.url.path)
        return httpx.Response(200)

    front = front_with(Limits(hook_delay_s=0.01, hook_answer_s=0.1), transport=httpx.MockTransport(answer))
    slow = watch(front, a_project(front.world), "http://127.0.0.1/slow")
    watch(front, a_project(front.world), "http://127.0.0.1/quick")

    async def scene() -> None:
        await front.ask("GET", "/workspaces")
        await in_time(lambda: taken)
        await in_time(lambda: front.app.stats.deliveries["refused"])

    asyncio.run(scene())
    assert taken == ["/quick"]
    assert front.data(f"/webhooks/{slow}")["last_failure_content"] == "No answer in time"


def test_a_webhook_made_while_the_last_delivery_of_another_is_open_is_served(
    front_with: Any, receiver: Receiver
) -> None:
    begun = asyncio.Event()
    go_on = asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        if "x-hook-secret" not in request.headers and not begun.is_set():
            begun.set()
            await go_on.wait()
            return httpx.Response(200)
        return receiver(request)

    front = front_with(QUICK, transport=httpx.MockTransport(answer))

    async def scene() -> None:
        first = (await make(front, a_project(front.world))).json()["data"]["gid"]
        await begun.wait()
        await front.ask("DELETE", f"/webhooks/{first}")
        await asyncio.sleep(0.03)  # nothing is left to do but to wait for the open one
        await make(front, a_project(front.world, 1))
        go_on.set()
        await in_time(lambda: receiver.bodies)

    asyncio.run(scene())


def test_a_receiver_may_be_an_app_in_process(front_with: Any) -> None:
    bodies = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [pair for pair in scope["headers"] if pair[0] == b"x-hook-secret"]
        bodies.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    front = front_with(QUICK, transport=httpx.ASGITransport(app))

    async def scene() -> None:
        await make(front, a_project(front.world))
        await in_time(lambda: len(bodies) > 1)

    asyncio.run(scene())
    assert bodies == [b"{}", b'{"events":[]}']


def test_asanas_own_client_makes_lists_changes_and_ends_webhooks(listener: Listener) -> None:
    asana = pytest.importorskip("asana")
    world = generate(seed=11, tasks=100)
    threads = threading.active_count()
    with running(create_app(world, limits=QUICK)) as url:
        settings = asana.Configuration()
        settings.host, settings.access_token = url, world.token
        client = asana.ApiClient(settings)
        hooks, project, ws = asana.WebhooksApi(client), a_project(world), world.workspaces[0]
        made = hooks.create_webhook({"data": {"resource": project, "target": listener.url}}, {})
        wait_for(lambda: listener.receiver.bodies)
        asana.TasksApi(client).create_task({"data": {"name": "Hello ✅", "projects": [project]}}, {})
        wait_for(lambda: ("task", "added") in listener.receiver.said())
        listener.receiver.bodies.clear()
        random_edits(world, 60, seed=3)  # from this thread, while another one delivers
        wait_for(lambda: listener.receiver.events)
        assert [hook["gid"] for hook in hooks.get_webhooks(ws, {"limit": 10})] == [made["gid"]]
        filters = [{"resource_type": "story"}]
        assert hooks.update_webhook({"data": {"filters": filters}}, made["gid"], {})["filters"] == filters
        assert hooks.get_webhook(made["gid"], {})["active"] is True
        with pytest.raises(asana.rest.ApiException) as twice:
            hooks.create_webhook({"data": {"resource": project, "target": listener.url}}, {})
        assert twice.value.status == 403
        hooks.delete_webhook(made["gid"])
        assert list(hooks.get_webhooks(ws, {})) == []
    client.pool.close()
    client.pool.join()
    wait_for(lambda: threading.active_count() <= threads)


def test_a_running_sandbox_with_webhooks_ends_at_once(listener: Listener) -> None:
    world = generate(seed=11, tasks=100)
    with running(create_app(world, limits=QUICK)) as url:
        body = {"data": {"resource": a_project(world), "target": listener.url}}
        headers = {"Authorization": f"Bearer {world.token}"}
        assert httpx.post(f"{url}/webhooks", json=body, headers=headers).status_code == 201
        wait_for(lambda: listener.receiver.bodies)
        assert httpx.get(url.replace("/api/1.0", "/-/stats")).json()["deliveries"]["made"] >= 1
        before = time.monotonic()
    assert time.monotonic() - before < 2


def test_a_sandbox_without_webhooks_loads_no_client() -> None:
    code = "import sys, asana_mirror.sandbox as s; s.create_app(s.generate(tasks=5)); print('httpx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

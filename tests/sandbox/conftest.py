"""A small world, a clock that only tests move, and a client in process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from asana_mirror.sandbox import App, Faults, Limits, World, create_app, generate

NOON = 1_790_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


class Front:
    """The sandbox as a client sees it, without a network."""

    def __init__(self, world: World, app: App, token: str, agents: bool = True) -> None:
        self.world = world
        self.app = app
        self.headers = {"Authorization": f"Bearer {token}"}
        if agents:
            self.headers["Asana-Enable"] = "ai_teammate_actors"

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        headers = self.headers | options.pop("headers", {})
        async with httpx.AsyncClient(transport=transport, base_url="http://asana.test/api/1.0") as client:
            return await client.request(method, path, headers=headers, **options)

    def strictly(self) -> Front:
        """The same where lists without pages refuse to be paged."""
        limits = Limits(search_per_minute=None, paging_everywhere=False)
        strict = Front(self.world, create_app(self.world, limits=limits), self.world.token)
        strict.headers = self.headers
        return strict

    def get(self, path: str, **params: Any) -> httpx.Response:
        return asyncio.run(self.ask("GET", path, params=params))

    def data(self, path: str, **params: Any) -> Any:
        answer = self.get(path, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def all(self, path: str, limit: int = 100, **params: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        offset: str | None = None
        while True:
            answer = self.get(path, limit=limit, **params, **({"offset": offset} if offset else {})).json()
            found += answer["data"]
            if not answer["next_page"]:
                return found
            offset = answer["next_page"]["offset"]

    def write(self, method: str, path: str, **data: Any) -> httpx.Response:
        return asyncio.run(self.ask(method, path, json={"data": data}))

    def done(self, method: str, path: str, **data: Any) -> Any:
        answer = self.write(method, path, **data)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()["data"]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world() -> World:
    return generate(seed=7, tasks=300)


@pytest.fixture(scope="session")
def quiet_world() -> World:
    """Shared by tests that change nothing."""
    return generate(seed=5, tasks=900, workspaces=2)


MakeFront = Callable[..., Front]


@pytest.fixture
def front(world: World, clock: Clock) -> Front:
    return Front(world, create_app(world, clock=clock), world.token)


@pytest.fixture
def quiet(quiet_world: World, clock: Clock) -> Front:
    limits = Limits(search_per_minute=None)  # the clock stands still
    return Front(quiet_world, create_app(quiet_world, limits=limits, clock=clock), quiet_world.token)


@pytest.fixture
def front_with(world: World, clock: Clock) -> MakeFront:
    def make(
        limits: Limits | None = None,
        faults: Faults | None = None,
        token: str | None = None,
        agents: bool = True,
        **options: Any,
    ) -> Front:
        app = create_app(world, limits=limits, faults=faults, clock=clock, **options)
        return Front(world, app, token or world.token, agents)

    return make

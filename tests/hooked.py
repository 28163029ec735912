"""A mirrored world whose webhooks come to a small receiver in this process."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from worlds import IN_PROCESS, Mirrored, mirror, rows

from asana_mirror.client import Asana
from asana_mirror.hooks import Hooks, Tended
from asana_mirror.quota import Governor
from asana_mirror.sandbox import Limits, World, create_app
from asana_mirror.store import Mirror
from asana_mirror.times import utc_now

URL = "http://127.0.0.1:9/asana"


class Receiver:
    """Says each secret back that is expected; `at_handshake` is called before, with the key."""

    def __init__(self) -> None:
        self.mirror: Mirror | None = None
        self.answers = True
        self.keeps = True  # whether the handshake comes to this mirror, or to somebody else at its address
        self.at_handshake: Callable[[str], None] = lambda key: None
        self.handshakes: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        secret = dict(scope["headers"]).get(b"x-hook-secret")
        status, headers = 200, []
        if secret is not None:
            key = scope["path"].rpartition("/")[2]
            self.handshakes.append(key)
            self.at_handshake(key)
            expected = self.answers and (not self.keeps or self._shake_hands(key, secret.decode()))
            status, headers = (200, [(b"x-hook-secret", secret)]) if expected else (404, [])
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    def _shake_hands(self, key: str, secret: str) -> bool:
        assert self.mirror is not None
        with self.mirror.atomic():
            return self.mirror.webhooks.shake_hands(key, secret, now=utc_now())


@dataclass
class Hooked(Mirrored):
    """A world with its mirror, and the webhooks between them."""

    receiver: Receiver = field(default_factory=Receiver)
    token: str | None = None

    def within(self, act: Callable[[Hooks], Awaitable[Any]], url: str = URL, app: Any = None) -> Any:
        async def work() -> Any:
            with closing(Mirror(self.path)) as held:
                self.receiver.mirror = held
                transport = httpx.ASGITransport(app or self.app)
                governor = Governor(math.inf, now=time.monotonic())
                token = self.token or self.world.token
                async with Asana(
                    token, IN_PROCESS, governor=governor, transport=transport, max_wait_s=1.0
                ) as asana:
                    return await asyncio.wait_for(act(Hooks(asana, held, url)), 30)

        return asyncio.run(work())

    def tend(
        self, *projects: str, now: str | None = None, stop: asyncio.Event | None = None, **more: Any
    ) -> Tended:
        """Look after the webhooks of these projects, or of all."""
        wanted, asked = projects or self.projects, stop or asyncio.Event()
        done: Tended = self.within(lambda hooks: hooks.tend(wanted, now=now, stop=asked), **more)
        return done

    @property
    def projects(self) -> tuple[str, ...]:
        found = rows(
            self.path, "SELECT gid FROM projects WHERE _synced_at IS NOT NULL AND _deleted_at IS NULL"
        )
        return tuple(sorted(row["gid"] for row in found))

    @property
    def table(self) -> dict[str, Any]:
        """Project → its row; that there is one for each is checked."""
        found = rows(self.path, "SELECT * FROM sync_webhooks")
        by_project = {row["project_gid"]: row for row in found}
        assert len(by_project) == len(found)
        return by_project

    @property
    def at_asana(self) -> dict[str, str]:
        """Target → the project that is watched."""
        return {hook.rec["target"]: hook.rec["resource"] for hook in self.world.hooks}

    def is_settled(self, *projects: str) -> bool:
        """Whether just these projects have a webhook, in the mirror and at Asana alike."""
        table = self.table
        assert {row["state"] for row in table.values()} <= {"active"}
        assert all(row["secret"] for row in table.values())
        gids = {row["gid"]: project for project, row in table.items()}
        assert gids == {hook.gid: hook.rec["resource"] for hook in self.world.hooks}
        assert {row["target"]: project for project, row in table.items()} == self.at_asana
        return set(table) == set(projects or self.projects)

    def strange(self, target: str, project: str | None = None, token: str | None = None) -> str:
        """A webhook at Asana of which the mirror knows nothing; its gid."""
        hooks, place = self.world.hooks, project or self.projects[0]
        hook = hooks.draft(token or self.world.token, self.world.records[place], target, [], False)
        hooks.add(hook)
        return hook.gid

    def asked(self, method: str) -> int:
        """Requests for webhooks that were made until now."""
        routes = self.app.stats.by_route.items()
        return sum(number for (verb, route, _), number in routes if verb == method and "webhooks" in route)


def hooked(tmp_path: Path, world: World, limits: Limits | None = None, **options: Any) -> Hooked:
    """A world that has been mirrored once, with the mirror's webhooks."""
    receiver = Receiver()
    limits = limits or Limits(hook_delay_s=1000.0)
    app = create_app(world, limits=limits, transport=httpx.ASGITransport(receiver))
    both = Hooked(world, app, tmp_path / "mirror.db", receiver)
    mirror(world, both.path, app, **options)
    return both

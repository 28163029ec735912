"""A watch's ticks on a clock of their own: hours of them in seconds, each counted."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
from worlds import IN_PROCESS, rows

from asana_mirror.ending import Stop
from asana_mirror.freshness import Tick
from asana_mirror.run import Report, SyncOptions, asana_for, sync_through
from asana_mirror.sandbox import App, Limits, World, create_app
from asana_mirror.sandbox.change_fields import set_fields
from asana_mirror.sandbox.change_stories import add_comment

EVERY_S = 300.0


class FastClock:
    """Both sides' clock: it runs, and can be put forward."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s

    def moment(self) -> datetime:
        return datetime.fromtimestamp(self(), UTC)


class Ticking:
    """A world, its mirror, and a watch's ticks without the waiting between them."""

    def __init__(self, world: World, path: Path, limits: Limits | None = None, **options: Any) -> None:
        self.clock = FastClock()
        self.world, self.path = world, path
        self.app: App = create_app(world, limits=limits, clock=self.clock)
        wanted = {"mirror": path, "token": world.token, "base_url": IN_PROCESS, "per_minute": 0} | options
        self.options = SyncOptions(**wanted)
        self.reports: list[Report] = []
        self._ticked_at: float | None = None

    def sync(self) -> Report:
        """A run that looks at everything."""
        return self._run(None)

    def tick(self, after_s: float = EVERY_S, **more: Any) -> Report:
        """The clock is put forward, and there is a tick."""
        self.clock.ahead_s += after_s
        now_s = self.clock()
        elapsed_s = now_s - (self._ticked_at or now_s)
        report = self._run(Tick(now_s, elapsed_s, after_s, **more))
        self.reports.append(report)
        return report

    def _run(self, focus: Tick | None) -> Report:
        async def work() -> Report:
            async with asana_for(self.options, httpx.ASGITransport(self.app)) as asana:
                return await sync_through(asana, self.options, stop=Stop(), focus=focus)

        with patch("asana_mirror.times.clock", self.clock.moment):
            began = self.clock()
            report = asyncio.run(work())
        self._ticked_at = began
        return report

    def ages(self) -> dict[str, float]:
        """Project → seconds since its stream was heard."""
        now = self.clock.moment()
        found = rows(
            self.path,
            "SELECT parent_gid, last_walked_at FROM sync_checkpoints AS c JOIN projects ON gid = parent_gid "
            "WHERE c.name = 'events' AND _deleted_at IS NULL",
        )
        return {gid: (now - datetime.fromisoformat(moment)).total_seconds() for gid, moment in found}


class People:
    """They work in some projects, now here, now there: rename a task, or comment on one."""

    def __init__(self, world: World, active: Collection[str], seed: int = 1) -> None:
        self._world = world
        self._random = random.Random(seed)
        self._tasks = {gid: standing_only_in(world, gid) for gid in active}
        self.changes = 0

    def work(self, share: float) -> None:
        """In each of their projects something happens with this probability."""
        for tasks in self._tasks.values():
            if self._random.random() < share:
                self._change(self._world.records[self._random.choice(tasks)])

    def _change(self, task: dict[str, Any]) -> None:
        self.changes += 1
        by = next(iter(self._world.members[self._world.workspaces[0]]))
        if self.changes % 2:
            set_fields(self._world, by, task, {"name": f"Renamed {self.changes}"})
        else:
            add_comment(self._world, by, task, {"text": f"Said {self.changes}"})


def standing_only_in(world: World, project: str) -> list[str]:
    """A project's tasks of which no other project's stream tells."""
    order = world.project_order(project)
    return [
        gid
        for gid in order
        if len(world.records[gid]["memberships"]) == 1 and not world.records[gid].get("parent")
    ]

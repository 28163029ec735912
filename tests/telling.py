"""Webhooks without the web: what the world tells of its projects is put on file as the receiver would."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import closing

import httpx
from worlds import IN_PROCESS, Mirrored

from asana_mirror.ending import Stop
from asana_mirror.freshness import Focus
from asana_mirror.run import Report, SyncOptions, asana_for, sync_through
from asana_mirror.sandbox.hooks import told
from asana_mirror.store import Mirror
from asana_mirror.store.webhooks import ACTIVE, Webhook
from asana_mirror.times import utc_now


def watch_projects(both: Mirrored) -> None:
    """A webhook on each living project that has none."""
    world = both.world
    for workspace in world.workspaces:
        for project in world.living(world.inside["project", workspace]):
            if not world.hooks.watching.get(project["gid"]):
                world.hooks.add(world.hooks.draft(world.token, project, "http://127.0.0.1:9/x", [], True))


def deliver(both: Mirrored, *, lost: float = 0.0, doubled: float = 0.0, seed: int = 0) -> int:
    """Put what webhooks have to tell on file, some of it never, some twice, in any order; returns how many bodies."""
    chance, found = random.Random(seed), []
    for hook in both.world.hooks:
        events, hook.outbox[:] = list(hook.outbox), []
        if events and chance.random() >= lost:
            body = json.dumps({"events": [told(both.world, hook, event) for event in events]})
            found += [(hook.rec["resource"], body)] * (2 if chance.random() < doubled else 1)
    chance.shuffle(found)
    with closing(Mirror(both.path)) as mirror, mirror.atomic():
        for project, body in found:
            mirror.deliveries.keep(Webhook(f"key of {project}", project, "", ACTIVE), body, now=utc_now())
    return len(found)


def look(both: Mirrored, focus: Focus, **options: object) -> Report:
    """A run of a watch that looks at a part."""
    wanted = SyncOptions(both.path, both.world.token, IN_PROCESS, per_minute=0, **options)  # type: ignore[arg-type]

    async def work() -> Report:
        async with asana_for(wanted, httpx.ASGITransport(both.app)) as asana:
            return await sync_through(asana, wanted, stop=Stop(), focus=focus)

    return asyncio.run(work())

"""A sandbox in which people work, for another process: told where it is on the first line, ended with standard input.

What is to be done in it comes as POST /-/office, `{"do": NAME, …}`: see the methods of `Office`. Everything happens in
the event loop that answers requests, so no request ever sees half of a change.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import re
import sqlite3
import sys
import time
from collections.abc import Callable, MutableMapping
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from asana_mirror.sandbox import App, Faults, Limits, World, create_app, generate, random_edits, running
from asana_mirror.sandbox.change_fields import set_fields
from asana_mirror.sandbox.change_stories import add_comment
from asana_mirror.sandbox.faults import break_off

Message = MutableMapping[str, Any]

AT_ONCE = 5  # changes, before requests have their turn
LOOK_EVERY_S = 0.01
SHOWN = 40  # differences
OF_A_COMMENT = re.compile(r"(?:edited|reacted to) story \d+ of task (\d+)")


class Line(httpx.AsyncBaseTransport):
    """By which webhooks leave, unless it is cut."""

    def __init__(self) -> None:
        self.is_cut = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.is_cut:
            raise httpx.ConnectError("The line is cut")
        async with httpx.AsyncHTTPTransport(verify=False) as transport:
            answer = await transport.handle_async_request(request)
            body = await answer.aread()
        return httpx.Response(answer.status_code, headers=answer.headers, content=body)


class Work:
    """Changes at an even rate, as far as this machine keeps up."""

    def __init__(self, world: World, seed: int) -> None:
        self.made = 0
        self.untold: set[str] = set()  # tasks whose comments changed while no stream told of it
        self._world = world
        self._seed = seed
        self._began = time.monotonic()
        self._ended: float | None = None
        self._task: asyncio.Task[None] | None = None

    def begin(self, per_second: float) -> None:
        self.made, self._began, self._ended = 0, time.monotonic(), None
        self._task = asyncio.get_running_loop().create_task(self._go_on(per_second))

    def end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task, self._ended = None, time.monotonic()

    def as_json(self) -> dict[str, Any]:
        seconds = (self._ended or time.monotonic()) - self._began
        return {"made": self.made, "seconds": round(seconds, 3), "rate": round(self.made / seconds, 2)}

    async def _go_on(self, per_second: float) -> None:
        while True:
            due = int((time.monotonic() - self._began) * per_second) - self.made
            for _ in range(min(due, AT_ONCE)):
                self._change_something()
            await asyncio.sleep(0 if due > AT_ONCE else LOOK_EVERY_S)

    def _change_something(self) -> None:
        self._seed += 1
        for done in random_edits(self._world, 1, self._seed):
            self.made += 1
            found = OF_A_COMMENT.match(done)
            if found and not self._is_told(found[1]):
                self.untold.add(found[1])

    def _is_told(self, gid: str | None) -> bool:
        task = self._world.records.get(gid or "")
        if task is None:
            return False
        within = any(self._world.alive(project) for project, _ in task.get("memberships", ()))
        return within or self._is_told(task.get("parent"))


class Office:
    """Stands in front of a sandbox and lets things happen in it. What a method returns is told as JSON."""

    def __init__(self, app: App, line: Line, seed: int) -> None:
        self._app = app
        self._line = line
        self._world = app.world
        self._rng = random.Random(seed)
        self._work = Work(app.world, seed * 1_000_000)
        self._probes: dict[int, tuple[str, str, str]] = {}

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] == "/-/office":
            await self._obey(receive, send)
        elif scope["type"] == "http" and self._line.is_cut and not scope["path"].startswith("/-/"):
            await break_off(send)
        else:
            await self._app(scope, receive, send)

    async def _obey(self, receive: Any, send: Any) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        order = json.loads(body)
        act: Callable[..., Any] = getattr(self, order.pop("do"))
        told = json.dumps(act(**order)).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": told})

    # -- what happens ---------------------------------------------------------------------------------

    def begin(self, per_second: float) -> None:
        self._work.begin(per_second)

    def end(self) -> dict[str, Any]:
        self._work.end()
        return self._work.as_json()

    def faults(self, **shares: float) -> None:
        """Requests and deliveries that fail from now on: what `Faults` takes."""
        self._app.faults = Faults(seed=self._rng.randrange(10**6), **shares)  # type: ignore[arg-type]

    def cut(self, is_cut: bool) -> None:
        """Nothing comes in and nothing goes out, but people go on working."""
        self._line.is_cut = is_cut

    def forget_streams(self, n: int) -> int:
        """Event streams whose tokens die before their time."""
        streams = self._world.events.streams
        chosen = self._rng.sample(sorted(streams), min(n, len(streams)))
        for gid in chosen:
            del streams[gid]
        return len(chosen)

    def drop_webhooks(self, n: int) -> int:
        """Webhooks that somebody deletes."""
        chosen = self._rng.sample(list(self._world.hooks), min(n, len(self._world.hooks.by_gid)))
        for hook in chosen:
            self._world.hooks.remove(hook)
        return len(chosen)

    # -- probes ---------------------------------------------------------------------------------------

    def probe(self, number: int) -> dict[str, Any]:
        """One marked change: a task's name, or every other time a comment."""
        task, name, world = self._a_task(), f"probe {number}", self._world
        if number % 2:
            set_fields(world, world.me, task, {"name": name})
            self._probes[number] = ("tasks", task["gid"], name)
        else:
            story = add_comment(world, world.me, task, {"text": name})
            self._probes[number] = ("stories", story["gid"], name)
        table, gid, _ = self._probes[number]
        return {"table": table, "gid": gid, "name": name, "at_s": time.monotonic()}

    def _a_task(self) -> Any:
        """One in a project of which the mirror has heard: its events are told to somebody."""
        world, listened_to = self._world, self._listened_to()
        while True:
            task = world.records[self._rng.choice(world.tasks)]
            homes = [gid for gid, _ in task.get("memberships", ())]
            if "trashed" not in task and listened_to.intersection(homes):
                return task

    def overtaken(self, numbers: list[int]) -> list[int]:
        """Those probes that another change has undone meanwhile."""
        return [number for number in numbers if not self._holds(*self._probes[number])]

    def _holds(self, table: str, gid: str, name: str) -> bool:
        record = self._world.find(gid)
        return record is not None and record.get("name" if table == "tasks" else "text") == name

    # -- what is told ---------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        world, stats = self._world, self._app.stats
        return {
            "clock_s": world.clock(),
            "tasks": sum(world.alive(gid) for gid in world.tasks),
            "projects": len(world.living(world.inside["project", world.workspaces[0]])),
            "webhooks": len(world.hooks.by_gid),
            "waiting": sum(bool(hook.outbox or hook.queue) for hook in world.hooks),
            "streams": len(world.events.streams),
            "requests": stats.requests,
            "refused": stats.refused,
            "deliveries": dict(stats.deliveries),
            "faults": self._app.faults.made,
            **self._work.as_json(),
        }

    def compare(self, mirror: str, lag: bool) -> dict[str, Any]:
        """What differs between the world and a mirror; `lag`: besides what may lag behind.

        `told` are those differences of which a stream or a webhook must have told.
        """
        from lag import Lag, tasks_without_a_stream
        from truth import WHOLE_ROW, differences, unsound
        from worlds import Mirrored

        path = Path(mirror)
        both = Mirrored(self._world, self._app, path)
        may_lag = Lag(both, self._work.untold)
        alone, listened_to = tasks_without_a_stream(both), self._listened_to() & _known_projects(path)

        def besides(table: str, key: Any, column: str) -> bool:
            if may_lag(table, key, column):
                return True
            # A move leaves modified_at alone: if its project came and went unheard, only the task's age is left.
            story = self._world.story(key) if (table, column) == ("stories", WHOLE_ROW) else None
            return bool(story and story["target"] in alone and story["resource_subtype"] != "comment_added")

        def untold(table: str, key: Any, column: str) -> bool:
            return besides(table, key, column) or not self._is_told(table, key, listened_to)

        found = differences(self._world, path, **({"besides": besides} if lag else {}))
        told = differences(self._world, path, besides=untold)
        return {
            "differences": len(found),
            "shown": found[:SHOWN],
            "told": len(told),
            "told_shown": told[:SHOWN],
            "unsound": unsound(path),
        }

    def _is_told(self, table: str, key: Any, listened_to: set[str]) -> bool:
        """Whether a task or what stands on it is in one of these projects."""
        gid = key[0] if isinstance(key, tuple) else key
        if table == "task_projects" and key[1] not in listened_to:
            return False
        if table in ("stories", "story_likes", "attachments"):
            part = self._world.story(gid) or self._world.attachment(gid) or {}
            gid = part.get("target") or part.get("parent")
        elif not table.startswith("task"):
            return False
        while (task := self._world.records.get(gid or "")) is not None:
            if any(project in listened_to for project, _ in task.get("memberships", ())):
                return True
            gid = task.get("parent")
        return False

    def _listened_to(self) -> set[str]:
        """Living projects with a stream or a webhook."""
        world = self._world
        told = {*world.events.streams, *(gid for gid, hooks in world.hooks.watching.items() if hooks)}
        return {gid for gid in told if world.alive(gid)}


def _known_projects(mirror: Path) -> set[str]:
    """Those that the mirror has met in a list: of a new one it knows nothing until that list has its turn."""
    with closing(sqlite3.connect(mirror)) as db:
        return {
            gid
            for (gid,) in db.execute(
                "SELECT gid FROM projects WHERE _synced_at IS NOT NULL AND _deleted_at IS NULL"
            )
        }


def fast_clock(began_s: float, speed: float) -> Callable[[], float]:
    """Epoch seconds: from a moment on, time passes so many times faster."""
    return lambda: began_s + (time.time() - began_s) * speed


def main() -> None:
    sys.path.append(str(Path(__file__).resolve().parent.parent))  # where `truth` lies
    order = json.loads(sys.argv[1])
    world = generate(**{"seed": 1, **order["world"]})
    told = {"token": world.token, "projects": len(world.inside["project", world.workspaces[0]])}
    gc.collect()
    gc.freeze()
    line, clock = Line(), order["clock"]
    app = create_app(
        world,
        limits=Limits(**order["limits"]),
        clock=fast_clock(**clock) if clock else None,
        transport=line,
    )
    with running(Office(app, line, order["seed"])) as base_url:
        sys.stdout.write(json.dumps({**told, "base_url": base_url}) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()

"""`watch` with webhooks: news in seconds, streams for certainty, both together."""

from __future__ import annotations

import asyncio
import functools
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from watches import (
    LONG_S,
    Before,
    Office,
    answering,
    in_a_loop,
    office,
    projects,
    until,
)
from worlds import value

from asana_mirror import watch as watches
from asana_mirror.browse import datasette_app
from asana_mirror.errors import DiskFull, MirrorBusy
from asana_mirror.sandbox import Limits, running
from asana_mirror.sandbox.change_places import create_project
from asana_mirror.sandbox.change_tasks import create_task
from asana_mirror.store import hold
from asana_mirror.timetable import Times
from asana_mirror.watch import WatchOptions

HOOKS = "/asana"
QUICK = Limits(hook_delay_s=0.05)


def count(there: Office, state: str = "active") -> int:
    if not there.runs():
        return 0
    return int(value(there.path, "SELECT count(*) FROM sync_webhooks WHERE state = ?", state))


def is_hooked(there: Office) -> bool:
    """Whether each project has its webhook, and what happened before it came is read."""
    return count(there) == len(projects(there)) and not under_way(there)


def under_way(there: Office) -> bool:
    return any(run["ended_at"] is None for run in there.runs())


async def at_asana(url: str, there: Office, method: str, path: str, **fields: Any) -> Any:
    """Something that a person does over the wire."""
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {there.world.token}"}) as asana:
        answer = await asana.request(method, url + path, json={"data": fields} if fields else None)
        assert answer.is_success, answer.text
        return answer.json()["data"]


async def rename(url: str, there: Office) -> None:
    there.changes += 1
    name = f"Renamed {there.changes}"
    await at_asana(url, there, "PUT", f"/tasks/{there.task['gid']}", name=name)
    there.renamed[there.task["gid"]] = name


async def quiet(there: Office) -> None:
    """Until what was begun has ended."""
    seen = -1
    while seen != (seen := len(there.runs())) or under_way(there):
        await asyncio.sleep(0.5)


@in_a_loop
async def test_what_webhooks_tell_arrives_without_waiting_for_the_tick(tmp_path: Path) -> None:
    there = office(tmp_path, QUICK)
    with running(there.app) as url:
        async with answering(there, LONG_S, url=url, hooks=HOOKS) as under_way:
            await until(lambda: is_hooked(there))
            for _ in range(3):
                await rename(url, there)
                await until(there.is_told, 2)
            assert there.runs("tick") == []
            assert await under_way.metric('asana_mirror_deliveries_total{result="accepted"}') >= 3
            assert await under_way.metric('asana_mirror_webhooks{state="active"}') == len(projects(there))
    assert there.is_equal()


@in_a_loop
async def test_what_happens_while_webhooks_are_made_is_read_from_the_streams(tmp_path: Path) -> None:
    """Between the first run and its webhook nothing tells of a project but its stream."""
    there = office(tmp_path, QUICK)
    before = Before(there.app)
    before.holds = "POST /api/1.0/webhooks"
    with running(before) as url:
        async with answering(there, LONG_S, url=url, hooks=HOOKS):
            await until(lambda: there.is_mirrored() and not under_way(there))
            there.rename()
            before.holds = None
            before.is_let_go = True
            await until(lambda: is_hooked(there) and there.is_told(), 4)
    assert there.is_equal()


@in_a_loop
async def test_a_reload_while_webhooks_are_made_loses_nothing(tmp_path: Path) -> None:
    """Of those that were made by then nobody says so any more."""
    there = office(tmp_path, Limits(hook_delay_s=0.05, latency_s=0.1, premium=False))
    before = Before(there.app)
    before.holds = "POST /api/1.0/webhooks"
    with running(before) as url:
        async with answering(there, LONG_S, url=url, hooks=HOOKS) as watch:
            await until(lambda: there.is_mirrored() and not under_way(there))
            there.rename()
            before.is_let_go = True
            await until(lambda: count(there) == 1)
            before.is_let_go = False
            same = watch.watch._options
            watch.watch._read_again = lambda: same
            watch.watch.reload()
            await watch.ticks(1)
            before.is_let_go = True
            await until(lambda: there.is_told() and is_hooked(there), 4)


@in_a_loop
async def test_news_is_followed_while_a_tick_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asana_mirror.work.NEWS_EVERY_S", 0.2)
    there = office(tmp_path, QUICK, tasks=60)
    with running(there.app) as url:
        async with answering(there, LONG_S, url=url, hooks=HOOKS) as watch:
            await until(lambda: is_hooked(there))
            await quiet(there)
            there.app.limits = Limits(hook_delay_s=0.05, latency_s=0.25)
            watch.watch._options = WatchOptions(
                there.options(base_url=url, max_age_s=1.0, sweep_every_s=1.0, per_minute=600), Times(LONG_S)
            )
            await watch.watch._tick()
            await until(lambda: under_way(there) and there.runs()[-1]["mode"] == "tick")
            await asyncio.sleep(0.5)
            await rename(url, there)
            await until(there.is_told, 5)
            assert under_way(there)
            assert there.runs()[-1]["mode"] == "tick"


@in_a_loop
async def test_a_webhook_deleted_at_asana_is_made_again_and_its_project_caught_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = office(tmp_path, QUICK)
    with running(there.app) as url:
        async with answering(there, LONG_S, url=url, hooks=HOOKS) as watch:
            await until(lambda: is_hooked(there))
            [hook] = [hook for hook in there.world.hooks if hook.rec["resource"] == there.project]
            await at_asana(url, there, "DELETE", f"/webhooks/{hook.gid}")
            await quiet(there)
            there.rename()
            monkeypatch.setattr(watches, "TEND_EVERY_S", 0.0)
            watch.watch.tell()
            await until(there.is_told, 4)
            await until(lambda: len(list(there.world.hooks)) == len(projects(there)))
            monkeypatch.setattr(watches, "TEND_EVERY_S", LONG_S)
            await until(lambda: is_hooked(there))
            await rename(url, there)
            await until(there.is_told, 2)
    assert there.is_equal()


@in_a_loop
async def test_a_delivery_that_is_lost_is_found_by_the_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = office(tmp_path, Limits(hook_delay_s=0.05, premium=False))
    there.app.faults.hook_shares["lost"] = 1.0
    with running(there.app) as url:
        async with answering(there, LONG_S, url=url, hooks=HOOKS) as watch:
            await until(lambda: is_hooked(there))
            await quiet(there)
            await rename(url, there)
            for _ in range(3):
                await watch.watch._tick()
                await watch.ticks(1)
            assert not there.is_told()  # hours would pass
            monkeypatch.setattr("asana_mirror.freshness.COLD_S", 0.5)
            await watch.watch._tick()
            await until(there.is_told, 2)
    assert there.is_equal()


@in_a_loop
async def test_what_webhook_and_stream_tell_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = office(tmp_path, Limits(hook_delay_s=0.05, premium=False))
    with running(there.app) as url:
        async with answering(there, LONG_S, url=url, hooks=HOOKS) as watch:
            await until(lambda: is_hooked(there))
            await quiet(there)
            await rename(url, there)
            await until(there.is_told, 2)
            await quiet(there)
            read = reads_of_tasks(there)
            monkeypatch.setattr("asana_mirror.freshness.COLD_S", 0.01)
            streams = streams_heard(there)
            await watch.watch._tick()
            await until(lambda: there.runs("tick") and not under_way(there))
            assert streams_heard(there) > streams
            assert reads_of_tasks(there) == read


def reads_of_tasks(there: Office) -> int:
    """How often a task was asked for by itself, or what hangs on it."""
    routes = there.app.stats.by_route.items()
    return sum(number for (verb, route, _), number in routes if verb == "GET" and route.startswith("/tasks/"))


def streams_heard(there: Office) -> int:
    routes = there.app.stats.by_route.items()
    return sum(number for (_, route, _), number in routes if route == "/events")


@in_a_loop
async def test_a_new_project_gets_its_webhook_at_the_next_tick(tmp_path: Path) -> None:
    there = office(tmp_path, Limits(hook_delay_s=0.05, premium=False))
    with running(there.app) as url:
        async with answering(there, 0.4, url=url, hooks=HOOKS) as watch:
            await until(lambda: is_hooked(there))
            team = there.world.records[there.project]["team"]
            workspace = there.world.workspaces[0]
            create_project(there.world, there.world.me, {"name": "New", "team": team, "workspace": workspace})
            await watch.watch._tick()
            lists_are_read_at_once(watch)
            await until(lambda: len(projects(there)) == 4 and is_hooked(there), 6)


def lists_are_read_at_once(watch: Any) -> None:
    """Otherwise those of a small workspace have their turn within minutes."""
    watch.watch._ticked_at = None


@in_a_loop
async def test_streams_that_could_not_be_heard_wait_for_the_tick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever fails at once must not be tried again at once, and again."""
    there = office(tmp_path, QUICK)
    real = watches.sync_through

    async def fail(*arguments: Any, **named: Any) -> Any:
        if named["focus"] is not None:
            raise DiskFull("The disk is full.")
        return await real(*arguments, **named)

    monkeypatch.setattr(watches, "sync_through", fail)
    with running(there.app) as url:
        async with answering(there, LONG_S, url=url, hooks=HOOKS) as watch:
            await until(lambda: watch.watch.totals["runs failed"])
            await asyncio.sleep(0.5)
            assert watch.watch.totals["runs failed"] == 1
            monkeypatch.setattr(watches, "sync_through", real)
            heard = streams_heard(there)
            await watch.watch._tick()
            await watch.ticks(1)
            assert streams_heard(there) >= heard + len(projects(there))


def is_held(path: Path, held: ExitStack) -> bool:
    """Whether the mirror could be taken hold of, as a sync by hand does."""
    try:
        held.enter_context(hold(path))
    except MirrorBusy:
        return False
    return True


@in_a_loop
async def test_trouble_with_webhooks_never_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The file cannot be opened when they are looked after, and after that a sync by hand holds it."""
    there = office(tmp_path, QUICK)
    real = watches.opened

    def full(path: Path) -> Any:
        raise DiskFull("The disk is full.")

    with running(there.app) as url:
        async with answering(there, LONG_S, url=url, hooks=HOOKS) as watch:
            await until(lambda: is_hooked(there))
            await quiet(there)
            monkeypatch.setattr(watches, "opened", full)
            there.app.faults.hook_shares["lost"] = 1.0  # so that a tick brings the new task
            create_task(there.world, there.world.me, {"name": "New", "projects": [there.project]})
            lists_are_read_at_once(watch)
            await watch.watch._tick()
            await until(lambda: "The webhooks could not be looked after: DiskFull" in caplog.text)
            with ExitStack() as held:
                await until(lambda: is_held(there.path, held))  # between two runs
                await watch.watch._tick()
                await until(lambda: "Another run holds" in caplog.text)
            monkeypatch.setattr(watches, "opened", real)
            there.app.faults.hook_shares["lost"] = 0.0
            await rename(url, there)
            await until(there.is_told, 4)


# -- beside Datasette ---------------------------------------------------------------------------------


@in_a_loop
async def test_an_empty_file_is_browsed_once_it_is_filled(tmp_path: Path) -> None:
    there = office(tmp_path)
    there.path.touch()
    with running(there.app) as url:
        beside = functools.partial(datasette_app, there.path)
        async with answering(there, LONG_S, url=url, hooks=HOOKS, beside=beside) as watch:
            await until(there.is_mirrored)
            assert await watch.health() == 200
            tasks = (await watch.get("/mirror/tasks.json?_shape=array&_size=max")).json()
            assert there.task["gid"] in {task["gid"] for task in tasks}
            await until(lambda: is_hooked(there))
            await rename(url, there)
            await until(there.is_told, 2)
            page = await watch.get(f"/mirror/tasks.json?gid={there.task['gid']}&_shape=array")
            assert page.json()[0]["name"] == there.task["name"]
            assert (await watch.get(f"{HOOKS}/unknown")).status_code == 405  # the receiver's answer


LOOK = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM tasks').fetchone()"


@in_a_loop
async def test_whoever_looks_into_the_file_takes_no_delivery_away(tmp_path: Path) -> None:
    """A process that closes a file loses its locks on it: then the next one out takes the WAL of all others away."""
    there = office(tmp_path, QUICK)
    with running(there.app) as url:
        async with answering(there, LONG_S, url=url, hooks=HOOKS) as watch:
            await until(lambda: is_hooked(there))
            for _ in range(2):
                assert await watch.health() == 200
                await asyncio.to_thread(subprocess.run, [sys.executable, "-c", LOOK, there.path], check=True)
                assert Path(f"{there.path}-wal").exists()
                await rename(url, there)
                await until(there.is_told, 2)
    assert there.is_equal()

"""What webhooks deliver is followed at once, and is no news any more when a stream tells it again."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import integers, lists, sampled_from
from lag import equal_but_for_lag
from telling import deliver, look, watch_projects
from truth import unsound
from worlds import IN_PROCESS, Listener, Mirrored, mirrored, rows, value

from asana_mirror.freshness import News, Tick
from asana_mirror.sandbox import generate, random_edits
from asana_mirror.sandbox.change_fields import set_fields
from asana_mirror.sandbox.change_stories import add_comment
from asana_mirror.store import Mirror


@pytest.fixture
def both(tmp_path: Path) -> Mirrored:
    found = mirrored(tmp_path, generate(seed=8, tasks=60, projects=4, stories_per_task=2.0))
    watch_projects(found)
    return found


def some_task(both: Mirrored) -> str:
    """A task of one project only."""
    return str(
        value(
            both.path,
            "SELECT gid FROM tasks WHERE parent_gid IS NULL AND "
            "(SELECT count(*) FROM task_projects WHERE task_gid = gid) = 1 ORDER BY gid",
        )
    )


def rename(both: Mirrored, gid: str, name: str) -> None:
    set_fields(both.world, both.world.me, both.world.records[gid], {"name": name})


def asked(both: Mirrored, focus: News | Tick) -> list[str]:
    """Paths that a run asks for."""
    listener = Listener(both.app)
    look(Mirrored(both.world, listener, both.path), focus)  # type: ignore[arg-type]
    return [request.path for request in listener.requests]


def test_a_rename_costs_the_task_and_its_stories(both: Mirrored) -> None:
    gid = some_task(both)
    rename(both, gid, "Renamed")
    deliver(both)
    assert sorted(asked(both, News())) == [f"/tasks/{gid}", f"/tasks/{gid}/stories"]
    assert both.row("tasks", gid)["name"] == "Renamed"
    assert value(both.path, "SELECT count(*) FROM sync_deliveries") == 0


def test_many_changes_of_one_task_are_read_once(both: Mirrored) -> None:
    gid = some_task(both)
    for number in range(20):
        rename(both, gid, f"Renamed {number}")
        deliver(both, doubled=0.5, seed=number)
    assert sorted(asked(both, News())) == [f"/tasks/{gid}", f"/tasks/{gid}/stories"]


def test_without_news_nothing_is_asked(both: Mirrored) -> None:
    assert asked(both, News()) == []


def test_what_a_webhook_told_is_no_news_when_the_stream_tells_it_again(both: Mirrored) -> None:
    gid = some_task(both)
    rename(both, gid, "Renamed")
    deliver(both)
    look(both, News())
    project = value(both.path, "SELECT project_gid FROM task_projects WHERE task_gid = ?", gid)
    assert asked(both, News(frozenset([project]))) == ["/events"]
    assert value(both.path, "SELECT count(*) FROM sync_told") == 0  # what is over is forgotten


def test_what_only_the_stream_tells_is_read_beside_what_a_webhook_told(both: Mirrored) -> None:
    gid = some_task(both)
    project = value(both.path, "SELECT project_gid FROM task_projects WHERE task_gid = ?", gid)
    rename(both, gid, "Told")
    deliver(both)
    look(both, News())
    rename(both, gid, "Untold")
    deliver(both, lost=1.0)
    look(both, News(frozenset([project])))
    assert both.row("tasks", gid)["name"] == "Untold"


def test_two_changes_that_nothing_tells_apart_are_both_followed(both: Mirrored) -> None:
    """A webhook told the first, which was read; the second came within the same millisecond."""
    gid = some_task(both)
    project = value(both.path, "SELECT project_gid FROM task_projects WHERE task_gid = ?", gid)
    now = both.world.now
    both.world.now = lambda: "2030-01-01T00:00:00.000Z"  # type: ignore[method-assign]
    try:
        rename(both, gid, "First")
        deliver(both)
        look(both, News())
        rename(both, gid, "Second")
    finally:
        both.world.now = now  # type: ignore[method-assign]
    deliver(both, lost=1.0)
    look(both, News(frozenset([project])))
    assert both.row("tasks", gid)["name"] == "Second"


def test_a_project_is_renamed_at_once(both: Mirrored) -> None:
    project = value(both.path, "SELECT gid FROM projects ORDER BY gid")
    assert both.write("PUT", f"/projects/{project}", name="Another name")["name"] == "Another name"
    deliver(both)
    look(both, News())
    assert both.row("projects", project)["name"] == "Another name"


def test_a_deleted_task_is_a_tombstone_at_once_and_comes_back(both: Mirrored) -> None:
    gid = some_task(both)
    both.write("DELETE", f"/tasks/{gid}")
    deliver(both)
    look(both, News())
    assert both.row("tasks", gid)["_deleted_reason"] == "deleted"
    assert unsound(both.path) == []


def test_what_is_delivered_in_a_long_run_goes_before_what_it_still_has_to_read(both: Mirrored) -> None:
    """The run is a tick that sweeps; a comment is delivered while it reads."""
    import asyncio

    import httpx

    import asana_mirror.work
    from asana_mirror.ending import Stop
    from asana_mirror.run import SyncOptions, asana_for, sync_through

    gid, asked_for = some_task(both), []

    async def slow(scope: object, receive: object, send: object) -> None:
        path = scope["path"].removeprefix("/api/1.0")  # type: ignore[index]
        asked_for.append(path)
        if len(asked_for) == 10:
            add_comment(both.world, both.world.me, both.world.records[gid], {"text": "In between"})
            deliver(both)
        await asyncio.sleep(0.02)
        await both.app(scope, receive, send)  # type: ignore[arg-type]

    async def work() -> None:
        options = SyncOptions(both.path, both.world.token, IN_PROCESS, per_minute=0, sweep_every_s=1.0)
        async with asana_for(options, httpx.ASGITransport(slow)) as asana:
            tick = Tick(1e9, 300.0, 300.0)
            await sync_through(asana, options, stop=Stop(), focus=tick)

    before, asana_mirror.work.NEWS_EVERY_S = asana_mirror.work.NEWS_EVERY_S, 0.0
    try:
        asyncio.run(work())
    finally:
        asana_mirror.work.NEWS_EVERY_S = before
    assert value(both.path, "SELECT count(*) FROM stories WHERE text = 'In between'") == 1
    assert asked_for.index(f"/tasks/{gid}/stories") < len(asked_for) - 10
    assert value(both.path, "SELECT count(*) FROM sync_deliveries") == 0


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    steps=lists(sampled_from(["edit", "deliver", "lose", "news", "stream", "tick"]), min_size=4, max_size=16),
    seed=integers(0, 9999),
)
def test_in_whatever_order_news_comes_a_run_over_everything_finds_nothing_lost(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], seed: int
) -> None:
    world = generate(seed=8, tasks=40, projects=3, stories_per_task=1.0, users=5, tags=3)
    both = mirrored(tmp_path_factory.mktemp("news"), world)
    watch_projects(both)
    for number, step in enumerate(steps):
        if step == "edit":
            random_edits(both.world, 3, seed + number)
            watch_projects(both)
        elif step in ("deliver", "lose"):
            deliver(both, lost=0.5 * (step == "lose"), doubled=0.3, seed=seed + number)
        elif step == "tick":
            look(both, Tick(1e9 + number * 1000.0, 1000.0, 300.0))
        else:
            projects = (
                [row[0] for row in rows(both.path, "SELECT gid FROM projects")] if step == "stream" else []
            )
            look(both, News(frozenset(projects)))
        assert unsound(both.path) == []
    both.sync()
    assert equal_but_for_lag(both)


def test_deliveries_that_wait_are_taken_in_by_any_run(both: Mirrored) -> None:
    gid = some_task(both)
    rename(both, gid, "Renamed")
    deliver(both)
    both.sync()
    assert value(both.path, "SELECT count(*) FROM sync_deliveries") == 0
    with closing(Mirror(both.path)) as mirror:
        assert mirror.inbox.count() == 0

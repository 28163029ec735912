"""What webhooks deliver is followed at once, and is no news any more when a stream tells it again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import integers, lists, sampled_from
from lag import equal_but_for_lag
from telling import deliver, look, watch_projects
from truth import unsound
from worlds import Listener, Mirrored, mirrored, rows, value

from asana_mirror.freshness import News, Tick
from asana_mirror.sandbox import generate, random_edits
from asana_mirror.sandbox.change_fields import set_fields
from asana_mirror.sandbox.change_places import create_project, trash_project
from asana_mirror.sandbox.change_stories import add_comment, edit_story
from asana_mirror.sandbox.change_tasks import add_project, create_task
from asana_mirror.store import Mirror
from asana_mirror.words import Wish


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
    """A webhook told the first edit of a comment, which was read; the second came within the same millisecond."""
    gid = some_task(both)
    project = value(both.path, "SELECT project_gid FROM task_projects WHERE task_gid = ?", gid)
    story = add_comment(both.world, both.world.me, both.world.records[gid], {"text": "To be edited"})
    deliver(both)
    look(both, News(frozenset([project])))
    clock = both.world.clock
    both.world.clock = lambda: 1.9e9  # type: ignore[method-assign]
    edit_story(both.world, both.world.me, story, {"text": "First"})
    deliver(both)
    look(both, News())
    edit_story(both.world, both.world.me, story, {"text": "Second"})
    both.world.clock = clock  # type: ignore[method-assign]
    deliver(both, lost=1.0)
    look(both, News(frozenset([project])))
    assert both.row("stories", story["gid"])["text"] == "Second"


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


@pytest.mark.parametrize("dies", [False, True])
def test_a_project_that_only_tasks_name_is_asked_for(both: Mirrored, dies: bool) -> None:
    """It was made since the projects were listed, and perhaps it is gone already, with what stood only there."""
    world, me = both.world, both.world.me
    gid = some_task(both)
    known = value(both.path, "SELECT project_gid FROM task_projects WHERE task_gid = ?", gid)
    made = {"name": "New", "workspace": world.workspaces[0], "team": world.records[known]["team"]}
    new = create_project(world, me, made)
    alone = create_task(
        world, me, {"name": "Alone", "projects": [new["gid"]], "workspace": world.workspaces[0]}
    )
    subtasks = [create_task(world, me, {"name": f"Below {n}"}, world.records[gid]) for n in range(4)]
    for task in (*subtasks, world.records[gid]):
        add_project(world, me, task, new)
    look(both, News(frozenset([known])))
    assert both.row("projects", new["gid"])["_synced_at"] is None
    if dies:
        trash_project(world, me, world.records[new["gid"]])
    listener = Listener(both.app)
    seen = Mirrored(world, listener, both.path)  # type: ignore[arg-type]
    for number in range(3):
        look(seen, Tick(1e9 + number * 300.0, 300.0, 300.0))
    asked_for = [request.path for request in listener.requests]
    times_asked = asked_for.count(f"/projects/{new['gid']}")
    assert times_asked == 1 or (times_asked == 0 and not dies)  # the list may show it first
    assert both.is_alive("projects", new["gid"]) is not dies
    assert both.is_alive("tasks", alone["gid"]) is not dies
    both.sync()
    assert equal_but_for_lag(both)


@pytest.mark.parametrize("look_at", ["news", "everything"])
def test_what_happened_below_a_task_before_it_came_to_a_stream_is_read_then(
    both: Mirrored, look_at: str
) -> None:
    """Its parent stood in no project, so that nobody told of it; then the parent is put into one."""
    world, me, workspace = both.world, both.world.me, both.world.workspaces[0]
    parent = create_task(world, me, {"name": "Loose", "assignee": me, "workspace": workspace})
    below = create_task(world, me, {"name": "Below"}, parent)
    further = create_task(world, me, {"name": "Further below"}, below)
    both.sync()
    assert both.is_alive("tasks", further["gid"])
    rename(both, further["gid"], "Changed unheard")
    project = world.records[value(both.path, "SELECT gid FROM projects ORDER BY gid")]
    add_project(world, me, parent, project)
    deliver(both)
    if look_at == "news":
        look(both, News())
    else:
        both.sync()
    assert both.row("tasks", further["gid"])["name"] == "Changed unheard"


def test_what_happened_below_a_task_while_its_project_was_unknown_is_read_with_the_project(
    both: Mirrored,
) -> None:
    world, me, workspace = both.world, both.world.me, both.world.workspaces[0]
    known = world.records[value(both.path, "SELECT gid FROM projects ORDER BY gid")]
    parent = create_task(world, me, {"name": "Loose", "assignee": me, "workspace": workspace})
    below = create_task(world, me, {"name": "Below"}, parent)
    both.sync()
    new = create_project(world, me, {"name": "New", "workspace": workspace, "team": known["team"]})
    add_project(world, me, parent, new)
    rename(both, below["gid"], "Changed unheard")
    with closing(Mirror(both.path)) as mirror, mirror.atomic():
        mirror.inbox.note([Wish("projects", new["gid"])])
    look(both, News())
    assert both.row("tasks", below["gid"])["name"] == "Changed unheard"


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long run turns to news whenever there is any."""
    monkeypatch.setattr("asana_mirror.work.NEWS_EVERY_S", 0.0)


def look_while(both: Mirrored, happens: Callable[[list[str]], None], **options: Any) -> list[str]:
    """A slow tick; `happens` is called after each answer with the paths asked for so far."""
    asked_for: list[str] = []

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        asked_for.append(scope["path"].removeprefix("/api/1.0"))
        await asyncio.sleep(0.02)
        await both.app(scope, receive, send)
        happens(asked_for)

    look(Mirrored(both.world, slow, both.path), Tick(1e9, 300.0, 300.0), **options)  # type: ignore[arg-type]
    return asked_for


@pytest.mark.usefixtures("at_once")
def test_what_is_delivered_in_a_long_run_goes_before_what_it_still_has_to_read(both: Mirrored) -> None:
    gid = some_task(both)

    def comment(asked_for: list[str]) -> None:
        if len(asked_for) >= 10 and "told" not in asked_for:
            asked_for.append("told")
            add_comment(both.world, both.world.me, both.world.records[gid], {"text": "In between"})
            deliver(both)

    asked_for = look_while(both, comment, sweep_every_s=1.0)
    assert value(both.path, "SELECT count(*) FROM stories WHERE text = 'In between'") == 1
    assert asked_for.index(f"/tasks/{gid}/stories") < len(asked_for) - 10
    assert value(both.path, "SELECT count(*) FROM sync_deliveries") == 0


@pytest.mark.usefixtures("at_once")
def test_what_was_read_in_a_run_is_read_again_in_it_when_more_is_told_of_it(both: Mirrored) -> None:
    gid = value(both.path, "SELECT gid FROM tasks WHERE parent_gid IS NOT NULL ORDER BY gid")
    rename(both, gid, "Before")
    deliver(both)

    def rename_again(asked_for: list[str]) -> None:
        if f"/tasks/{gid}" in asked_for and "told" not in asked_for:
            asked_for.append("told")
            rename(both, gid, "In between")
            deliver(both)

    asked_for = look_while(both, rename_again)
    assert "told" in asked_for
    assert both.row("tasks", gid)["name"] == "In between"


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

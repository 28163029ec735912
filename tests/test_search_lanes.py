"""Searches in place of lists of single tasks: as right as the plain walk, for about half of its requests."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from lag import equal_at_last, equal_but_for_lag
from truth import differences, unsound
from worlds import Listener, Mirrored, Rewriter, mirror, rows, value

from asana_mirror import search_lanes
from asana_mirror.errors import Interrupted
from asana_mirror.run import Stop
from asana_mirror.sandbox import Limits, World, create_app, generate, random_edits
from asana_mirror.sandbox.change_stories import add_attachment, add_comment
from asana_mirror.words import Scope

PLAIN = Limits(premium=False)
UNLIMITED = Limits(search_per_minute=None)


def first(path: Path, world: World, limits: Limits = UNLIMITED, app: Any = None) -> Mirrored:
    both = Mirrored(world, app or create_app(world, limits=limits), path / "mirror.db")
    both.path.parent.mkdir(exist_ok=True)
    mirror(world, both.path, both.app)
    return both


def searches(app: Any) -> int:
    return sum(count for (_, path, _), count in app.stats.by_route.items() if path.endswith("/tasks/search"))


def content(path: Path) -> dict[str, set[Any]]:
    """All rows and links, without the mirror's own columns."""
    found = {}
    with closing(sqlite3.connect(path)) as db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            if not table.startswith(("sync_", "sqlite_")) and "_fts" not in table:
                columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})") if row[1][0] != "_"]
                found[table] = set(db.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall())
    return found


@pytest.mark.parametrize(
    "arguments",
    [
        {"seed": 301, "tasks": 500, "stories_per_task": 2.0},
        {"seed": 302, "tasks": 500, "imported": 260, "stories_per_task": 2.0},
        {"seed": 303, "tasks": 400, "workspaces": 2, "stories_per_task": 1.0, "agents": 4},
    ],
    ids=["an office", "an import", "two workspaces"],
)
@pytest.mark.parametrize("lag_s", [0.0, 45.0])
def test_the_mirror_is_the_plain_walks_in_every_column_and_link(
    tmp_path: Path, arguments: dict[str, Any], lag_s: float
) -> None:
    """Right after many edits, of which a lagging search does not know yet."""
    world = generate(**arguments)
    app = create_app(world, limits=Limits(search_per_minute=None, search_lag_s=lag_s))
    random_edits(world, 80, arguments["seed"])

    found = first(tmp_path / "searched", world, app=app)
    walked = first(tmp_path / "walked", world, PLAIN)

    told, plain = content(found.path), content(walked.path)
    more = {row[0] for row in told["tasks"] - plain["tasks"]}
    assert not more & set(world.reachable_tasks())  # what no list shows is found as well
    for table in told:
        assert plain[table] <= told[table], table
        assert more or plain[table] == told[table], table
    assert differences(world, found.path) == []
    assert unsound(found.path) == []
    assert searches(app) > 3
    assert found.app.stats.requests < 0.8 * walked.app.stats.requests


def test_where_search_is_allowed_hardly_any_task_is_asked_for_what_is_below_and_on_it(tmp_path: Path) -> None:
    """But for its stories: of what the lists of subtasks and attachments would cost, six in seven are saved."""
    world = generate(304, 3000, stories_per_task=2.0, attachments_share=0.13)
    both = first(tmp_path, world)
    pages = world.pages_to_read()
    saved = sum(pages.values()) - both.app.stats.requests
    assert saved >= 6 / 7 * (pages["subtasks"] + pages["task_attachments"])
    assert differences(world, both.path) == []


def test_where_it_is_not_allowed_one_request_is_lost_and_never_again(tmp_path: Path) -> None:
    world = generate(305, 150, plan="free")
    both = first(tmp_path, world, PLAIN)
    assert searches(both.app) == 1
    assert both.app.stats.requests <= sum(world.pages_to_read().values()) + 1
    assert [tuple(row) for row in rows(both.path, "SELECT state, status FROM sync_searches")] == [
        ("refused", 402)
    ]
    # Nothing is missing for it.
    assert rows(both.path, "SELECT * FROM sync_problems WHERE listing LIKE '%search%'") == []

    both.sync()
    both.sync(full=True)
    assert searches(both.app) == 1


def test_a_full_run_rests_on_no_search(tmp_path: Path) -> None:
    world = generate(306, 120)
    both = first(tmp_path, world)
    before = searches(both.app)
    both.sync(full=True)
    assert searches(both.app) == before
    assert differences(world, both.path) == []


@pytest.mark.parametrize("skipped", ["attachments", "stories"])
def test_what_is_skipped_is_not_searched_for(tmp_path: Path, skipped: str) -> None:
    world = generate(307, 120, stories_per_task=1.0)
    listener = Listener(create_app(world, limits=UNLIMITED))
    path = tmp_path / "mirror.db"
    mirror(world, path, listener, scope=Scope(skip=(skipped,)))
    asked = [dict(request.query) for request in listener.requests if request.path.endswith("/tasks/search")]
    assert any("is_subtask" in query for query in asked)
    assert any("has_attachment" in query for query in asked) == (skipped != "attachments")
    assert value(path, f"SELECT count(*) FROM {skipped} WHERE _synced_at IS NOT NULL") == 0
    assert {row[0] for row in rows(path, "SELECT gid FROM tasks")} >= set(world.reachable_tasks())


def test_tasks_in_no_project_without_assignee_or_tag_show_in_no_list_and_are_found(tmp_path: Path) -> None:
    world = generate(308, 100, stories_per_task=1.0)
    app = create_app(world, limits=UNLIMITED)
    workspace = world.workspaces[0]
    fresh = Mirrored(world, app, tmp_path / "mirror.db")
    gid = fresh.write("POST", "/tasks", name="Nobody's", workspace=workspace)["gid"]
    fresh.write("POST", f"/tasks/{gid}/subtasks", name="Below it")

    fresh.sync()

    assert gid not in world.reachable_tasks()
    assert fresh.is_alive("tasks", gid)
    assert value(fresh.path, "SELECT count(*) FROM tasks WHERE parent_gid = ?", gid) == 1

    fresh.write("PUT", f"/tasks/{gid}", name="Renamed")
    fresh.sync()
    assert value(fresh.path, "SELECT name FROM tasks WHERE gid = ?", gid) == "Renamed"


# -- searches that are wrong --------------------------------------------------------------------------


def _spoiled(world: World, change: Any) -> Any:
    def spoil(path: str, envelope: dict[str, Any]) -> None:
        if path.endswith("/tasks/search"):
            change(envelope)

    return Rewriter(create_app(world, limits=UNLIMITED), spoil)


def _empty(envelope: dict[str, Any]) -> None:
    envelope["data"] = []


def _every_other(envelope: dict[str, Any]) -> None:
    del envelope["data"][::2]


def _shuffled(envelope: dict[str, Any]) -> None:
    envelope["data"].reverse()


def _undated(envelope: dict[str, Any]) -> None:
    for record in envelope["data"]:
        record["created_at"] = None


def _nonsense(envelope: dict[str, Any]) -> None:
    envelope["data"] = [None, {}, 17, {"gid": None}]


@pytest.mark.parametrize(
    "change", [_empty, _every_other, _shuffled, _undated, _nonsense], ids=lambda change: change.__name__[1:]
)
def test_a_search_that_is_wrong_loses_nothing(tmp_path: Path, change: Any) -> None:
    world = generate(309, 400, stories_per_task=0.5)
    app = _spoiled(world, change)
    path = tmp_path / "mirror.db"
    mirror(world, path, app)
    assert differences(world, path) == []


def test_without_the_sample_a_search_that_finds_no_attachments_would_be_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it is known what the sample is for: a broken guard shows."""
    monkeypatch.setattr(search_lanes, "LEAST_OF", 10**9)
    world = generate(309, 400, stories_per_task=0.5)
    path = tmp_path / "mirror.db"
    mirror(world, path, _spoiled(world, _empty))
    assert any(difference.startswith("attachments") for difference in differences(world, path))


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_a_search_that_fails_half_way_is_replaced_by_lists(
    tmp_path: Path, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asana_mirror.client.backoff_s", lambda *_: 0.0)
    world = generate(310, 600, stories_per_task=0.5)
    app = create_app(world, limits=UNLIMITED)
    asked = 0

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        nonlocal asked
        if scope["type"] == "http" and scope["path"].endswith("/tasks/search"):
            asked += 1
            if asked > 3:
                body = b'{"errors": [{"message": "No"}]}'
                await send({"type": "http.response.start", "status": status, "headers": []})
                await send({"type": "http.response.body", "body": body})
                return
        await app(scope, receive, send)

    path = tmp_path / "mirror.db"
    mirror(world, path, failing)
    assert differences(world, path) == []
    assert "void" in {row[0] for row in rows(path, "SELECT state FROM sync_searches")}


# -- stopped, and changed meanwhile -------------------------------------------------------------------


@pytest.mark.parametrize("requests", [1, 5, 20, 40, 60, 100, 200, 300])
def test_a_run_that_was_stopped_goes_on_with_its_searches(tmp_path: Path, requests: int) -> None:
    world = generate(311, 300, imported=120, stories_per_task=1.0)
    app = create_app(world, limits=Limits(search_per_minute=None, search_lag_s=30))
    both, stop = Mirrored(world, app, tmp_path / "mirror.db"), Stop()

    async def stopping(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)
        if app.stats.requests >= requests:
            stop.set()

    with pytest.raises(Interrupted):
        mirror(world, both.path, stopping, stop=stop)
    random_edits(world, 40, requests)
    both.sync(max_deletes=1000)
    assert equal_but_for_lag(both)
    assert equal_at_last(both, max_deletes=1000)


@pytest.mark.parametrize("seed", range(320, 326))
def test_what_changes_during_a_first_walk_is_there_after_the_next_run(tmp_path: Path, seed: int) -> None:
    world = generate(seed, 150, stories_per_task=2.0)
    app = create_app(world, limits=Limits(search_per_minute=None, search_lag_s=20))
    both = Mirrored(world, app, tmp_path / "mirror.db")

    async def busy(scope: Any, receive: Any, send: Any) -> None:
        if app.stats.requests % 6 == 5:
            random_edits(world, 1, seed + app.stats.requests)
        await app(scope, receive, send)

    mirror(world, both.path, busy)
    both.sync(max_deletes=1000)
    assert equal_but_for_lag(both)
    assert equal_at_last(both, max_deletes=1000)


def test_what_was_changed_minutes_ago_is_asked_for_where_search_lags_further_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the other guards: neither stories nor the sample tell of the attachments."""
    monkeypatch.setattr(search_lanes, "LEAST_OF", 10**9)
    world, ahead_s = generate(330, 300, stories_per_task=1.0), 0.0
    app = create_app(
        world,
        limits=Limits(search_per_minute=None, search_lag_s=600),
        clock=lambda: time.time() + ahead_s,
    )
    link = {"resource_subtype": "external", "url": "https://example.com/a", "name": "new"}
    for gid in sorted(world.reachable_tasks())[::7]:
        add_attachment(world, world.me, {**link, "parent": gid})
    ahead_s = 300.0
    path = tmp_path / "mirror.db"
    mirror(world, path, app, scope=Scope(skip=("stories",)))  # of which one would tell of each attachment
    found = differences(world, path)
    assert [one for one in found if one.startswith(("attachments", "tasks"))] == []


def test_a_task_that_changed_after_its_stories_were_read_has_them_read_again(tmp_path: Path) -> None:
    """It stands in no project, so that no stream tells: only its row, found by a search, is newer."""
    world = generate(331, 300, stories_per_task=1.0)
    app = create_app(world, limits=UNLIMITED)
    gid = next(gid for gid in sorted(world.reachable_tasks()) if _is_unheard(world, world.record(gid)))
    read, said = asyncio.Event(), asyncio.Event()

    async def late(scope: Any, receive: Any, send: Any) -> None:
        if b"is_subtask=true" in scope["query_string"] and not said.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(read.wait(), 5)
            assert read.is_set()
            said.set()
            add_comment(world, world.me, world.records[gid], {"text": "Said meanwhile"})
        await app(scope, receive, send)
        if scope["path"].endswith(f"/tasks/{gid}/stories"):
            read.set()

    path = tmp_path / "mirror.db"
    mirror(world, path, late)
    assert said.is_set()
    assert differences(world, path) == []


def _is_unheard(world: World, task: dict[str, Any]) -> bool:
    """A subtask of which no stream tells and that is assigned to somebody."""
    above = task
    while above.get("parent"):
        if above["memberships"]:
            return False
        above = world.record(above["parent"]["gid"])
    return bool(task["parent"] and task["assignee"]) and not above["memberships"]

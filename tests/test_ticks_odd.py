"""Ticks and news among refusals, odd answers and narrow scopes: nothing is lost, nothing is repeated for ever."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from telling import look
from ticking import Ticking
from worlds import Listener, Rewriter, mirrored, rows, value, write

from asana_mirror.errors import AsanaUnreachable
from asana_mirror.freshness import News
from asana_mirror.sandbox import Limits, generate
from asana_mirror.store import Mirror
from asana_mirror.store.webhooks import ACTIVE, Webhook
from asana_mirror.times import utc_now
from asana_mirror.words import Scope

HOUR = 12  # ticks


def office(path: Path, projects: int = 4, premium: bool = False, **options: Any) -> Ticking:
    world = generate(seed=5, tasks=projects * 15, projects=projects, stories_per_task=0.2, users=5, tags=4)
    return Ticking(world, path / "asana.db", Limits(premium=premium), **options)


class Refusing:
    """Stands before an app and answers what it is told to with a status of its own."""

    def __init__(self, app: Any, refuses: Callable[[Any], int | None]) -> None:
        self.app = app
        self.refuses = refuses

    async def __call__(self, scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        status = self.refuses(scope) if scope["type"] == "http" else None
        if status is None:
            await self.app(scope, receive, send)
            return
        body = json.dumps({"errors": [{"message": "No"}]}).encode()
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})


def is_events(scope: Any) -> bool:
    return bool(scope["path"].endswith("/events"))


def some_project(ticking: Ticking) -> str:
    return str(ticking.world.inside["project", ticking.world.workspaces[0]][0])


@pytest.mark.parametrize("narrowed", ["workspaces", "projects", "nothing"])
def test_a_gap_whose_sweep_was_cut_off_is_swept_by_the_next_run(tmp_path: Path, narrowed: str) -> None:
    """The fresh token is on file by then, so that nobody will tell of the gap again."""
    ticking = office(tmp_path, max_wait_s=1.0)
    project = some_project(ticking)
    places = {"workspaces": (ticking.world.workspaces[0],), "projects": (project,)}
    ticking.options = type(ticking.options)(
        **{
            **ticking.options.__dict__,
            "scope": Scope(**({narrowed: places[narrowed]} if narrowed in places else {})),
        }
    )
    ticking.sync()
    app, task = ticking.app, ticking.world.project_order(project)[0]
    write(ticking.world, app, "PUT", f"/tasks/{task}", name="Changed in the gap")
    ticking.world.lose_events(0.0)
    ticking.clock.ahead_s += 2 * 86_400  # tokens die
    ticking.app = Refusing(app, lambda scope: None if is_events(scope) else 503)  # type: ignore[assignment]
    with suppress(AsanaUnreachable):
        ticking.tick(streams=frozenset([project]))
    ticking.app = app
    assert value(ticking.path, "SELECT count(*) FROM sync_checkpoints WHERE why = 'gap' AND due = 1") > 0
    ticking.tick()
    assert value(ticking.path, "SELECT name FROM tasks WHERE gid = ?", task) == "Changed in the gap"
    assert value(ticking.path, "SELECT count(*) FROM sync_checkpoints WHERE due = 1") == 0


def test_many_projects_that_only_tasks_name_stop_nothing(tmp_path: Path) -> None:
    """Private ones of others, in which visible tasks stand as well: asked for once, and no loss."""

    def add_private(path: str, envelope: dict[str, Any]) -> None:
        found = envelope.get("data")
        for record in found if isinstance(found, list) else [found]:
            if isinstance(record, dict) and "memberships" in record:
                gid = str(9_000_000_000_000 + int(record["gid"]) % 60)
                private = {"gid": gid, "resource_type": "project", "name": "Private"}
                record["memberships"] = [
                    *(record["memberships"] or []),
                    {"project": private, "section": None},
                ]

    ticking = office(tmp_path, projects=14)
    listener = Listener(Rewriter(ticking.app, add_private))
    ticking.app = listener  # type: ignore[assignment]
    ticking.sync()
    stubs = value(ticking.path, "SELECT count(*) FROM projects WHERE _synced_at IS NULL")
    assert stubs > 50
    for run in (ticking.sync, ticking.tick, ticking.tick):
        assert run().outcome == "complete"
    singly = [request.path for request in listener.requests if request.path.startswith("/projects/9000")]
    assert len(singly) == len(set(singly)) == stubs


def test_streams_that_are_refused_from_the_start_cost_their_turn_only(tmp_path: Path) -> None:
    ticking = office(tmp_path, projects=20)
    ticking.app = Refusing(ticking.app, lambda scope: 403 if is_events(scope) else None)  # type: ignore[assignment]
    ticking.sync()
    costs = [ticking.tick().requests for _ in range(HOUR)]
    assert max(costs) < ticking.sync().requests / 3


def test_a_watch_over_a_workspace_finds_what_is_new_in_it(tmp_path: Path) -> None:
    ticking = office(tmp_path)
    workspace = ticking.world.workspaces[0]
    ticking.options = type(ticking.options)(
        **{**ticking.options.__dict__, "scope": Scope(workspaces=(workspace,))}
    )
    ticking.sync()
    team = value(ticking.path, "SELECT team_gid FROM projects WHERE team_gid IS NOT NULL")
    fields = {"name": "New", "workspace": workspace}
    project = write(ticking.world, ticking.app, "POST", "/projects", team=team, **fields)["gid"]
    tag = write(ticking.world, ticking.app, "POST", "/tags", **fields)["gid"]
    for _ in range(HOUR + 1):
        ticking.tick()
    assert value(ticking.path, "SELECT name FROM projects WHERE gid = ?", project) == "New"
    assert value(ticking.path, "SELECT name FROM tags WHERE gid = ?", tag) == "New"


@pytest.mark.parametrize("status", [429, 500])
def test_a_search_that_fails_is_a_hint_less(tmp_path: Path, status: int) -> None:
    ticking = office(tmp_path, premium=True, max_wait_s=3.0)
    ticking.sync()
    searches: list[str] = []

    def refuse(scope: Any) -> int | None:
        searches.extend([scope["path"]] if scope["path"].endswith("/search") else [])
        return status if scope["path"].endswith("/search") else None

    ticking.app = Refusing(ticking.app, refuse)  # type: ignore[assignment]
    assert ticking.tick().outcome == "complete"
    assert len(searches) == 1


ODD_TIMES = ("2026-02-30T10:00:00.000Z", "0001-01-01T00:00:00.000Z", "2026-01-01T24:30:00.000Z", "soon", None)


@pytest.mark.parametrize("at", ODD_TIMES)
def test_an_event_at_no_time_is_followed_like_others(tmp_path: Path, at: str | None) -> None:
    both = mirrored(tmp_path, generate(seed=5, tasks=30, projects=2, stories_per_task=0.2))
    project = value(both.path, "SELECT gid FROM projects ORDER BY gid")
    tasks = both.world.project_order(project)
    told = [
        {
            "action": "changed",
            "created_at": at,
            "resource": {"gid": gid, "resource_type": "task"},
            "change": {"field": "name"},
        }
        for gid in tasks
    ]
    both.write("PUT", f"/tasks/{tasks[0]}", name="Renamed")
    with closing(Mirror(both.path)) as mirror, mirror.atomic():
        webhook = Webhook("key", project, "", ACTIVE)
        mirror.deliveries.keep(webhook, json.dumps({"events": told}), now=utc_now())
    assert look(both, News()).outcome == "complete"
    assert both.row("tasks", tasks[0])["name"] == "Renamed"
    assert value(both.path, "SELECT count(*) FROM sync_inbox") == 0


@pytest.mark.parametrize("at", [*ODD_TIMES, "2099-01-01", "2099-13-01T00:00:00.000Z"])
def test_a_task_modified_at_no_time_spoils_no_tick(tmp_path: Path, at: str | None) -> None:
    ticking = office(tmp_path, premium=True)
    odd = ticking.world.project_order(some_project(ticking))[0]

    def change(path: str, envelope: dict[str, Any]) -> None:
        found = envelope.get("data")
        for record in found if isinstance(found, list) else [found]:
            if isinstance(record, dict) and record.get("gid") == odd and "modified_at" in record:
                record["modified_at"] = at

    ticking.app = Rewriter(ticking.app, change)  # type: ignore[assignment]
    for run in (ticking.sync, ticking.tick, ticking.tick):
        assert run().outcome == "complete"


def test_what_webhooks_told_of_projects_without_a_stream_is_not_kept(tmp_path: Path) -> None:
    both = mirrored(tmp_path, generate(seed=5, tasks=30, projects=2, stories_per_task=0.2))
    with closing(Mirror(both.path)) as mirror, mirror.atomic():
        mirror.deliveries.note_told("no such project", ["one", "two"])
    from asana_mirror.freshness import Tick

    look(both, Tick(1e9, 300.0, 300.0))
    assert value(both.path, "SELECT count(*) FROM sync_told") == 0


def test_two_that_upgrade_a_mirror_at_the_same_time_do_not_trip_over_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second reads the version before the first has taken the step."""
    from asana_mirror.store import opening

    path = tmp_path / "asana.db"
    Mirror(path).close()
    real, seen = opening.version_of, iter([3])
    monkeypatch.setattr(opening, "version_of", lambda db: next(seen, None) or real(db))
    Mirror(path).close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (len(opening.steps()),)
    assert rows(path, "SELECT count(*) FROM sync_webhooks")[0][0] == 0

"""Worlds that have some of everything: a first run, what later runs cost, kills, and mirrors of an older version."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from everything import (
    KINDS,
    TABLES,
    after,
    asked,
    beyond,
    by_path,
    change_everything,
    equal,
    mirrored_world,
    served,
    some_of_everything,
)
from worlds import Listener, Mirrored, Struck, mirror, rows, value, write

from asana_mirror.catalog import LISTINGS
from asana_mirror.errors import Interrupted
from asana_mirror.sandbox import World, create_app
from asana_mirror.words import Scope

WORLDS: dict[str, dict[str, Any]] = {
    "two workspaces": {"seed": 101, "workspaces": 2},
    "a free plan": {"seed": 102, "plan": "free"},
    "agents everywhere": {"seed": 103},
}
PAID = ("portfolio", "goal")  # what a free plan has nothing of
WITHOUT_NEW = Scope(skip=KINDS)


def _world(name: str) -> World:
    world = some_of_everything(**WORLDS[name])
    if name == "agents everywhere":
        world.let_agents_act()
    return world


def _expected_empty(name: str) -> set[str]:
    empty = {
        "webhooks",
        "audit_log_events",
    }  # which nobody made yet, and which a service account alone may read
    if name == "a free plan":
        empty |= {table for table in TABLES if any(kind in table for kind in PAID)}
    return empty


# -- a first run --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WORLDS)
def test_a_first_run_mirrors_everything(tmp_path: Path, name: str) -> None:
    both = mirrored_world(tmp_path, _world(name))

    assert equal(both)
    assert {t for t in TABLES if not rows(both.path, f"SELECT 1 FROM {t}")} == _expected_empty(name)


def test_a_first_run_costs_its_pages_and_hardly_more(tmp_path: Path) -> None:
    world = some_of_everything(104, workspaces=2)
    pages = sum(world.pages_to_read().values())
    listener = Listener(create_app(world))

    mirror(world, tmp_path / "mirror.db", listener)

    assert listener.repeated() == []
    assert len(listener.requests) <= 1.02 * pages + len(world.workspaces)  # which refuse others' portfolios


def test_webhooks_are_mirrored_as_records(tmp_path: Path) -> None:
    both = mirrored_world(tmp_path, some_of_everything(105, 20))
    world = both.world
    project = world.records[world.inside["project", world.workspaces[0]][0]]
    filters = [{"action": "changed", "fields": ["name"], "resource_type": "task"}]
    hook = world.hooks.draft(world.token, project, "https://mirror.example/asana/1", filters, False)
    world.hooks.add(hook)

    both.sync(max_age_s=0)

    row = both.row("webhooks", hook.gid)
    assert (row["resource_gid"], row["resource_type"]) == (project["gid"], "project")
    assert row["target"] == "https://mirror.example/asana/1"
    assert json.loads(row["filters"])[0]["fields"] == ["name"]
    world.hooks.remove(hook)
    both.sync(max_age_s=0)
    assert not both.is_alive("webhooks", hook.gid)


# -- what a quiet run costs ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", WORLDS)
def test_a_quiet_run_asks_for_everything_new_a_hundred_records_at_a_time(tmp_path: Path, name: str) -> None:
    both = mirrored_world(tmp_path, _world(name))
    both.sync()
    copy = Mirrored(both.world, both.app, tmp_path / "copy.db")
    shutil.copyfile(both.path, copy.path)

    extra = beyond(asked(both), asked(copy, scope=WITHOUT_NEW))

    spaces = len(both.world.workspaces)
    lists = {"/portfolios": spaces, "/goals": spaces, "/time_tracking_entries": spaces}
    assert extra.keys() <= lists.keys()
    assert all(extra[path] <= most for path, most in lists.items())
    if name == "a free plan":
        assert extra.keys() == {"/time_tracking_entries"}


def test_lists_of_several_pages_cost_a_request_for_each_hundred_records(tmp_path: Path) -> None:
    world = some_of_everything(106)
    both = mirrored_world(tmp_path, world)
    for number in range(130):
        write(world, both.app, "POST", "/goals", name=f"Goal {number}", workspace=world.workspaces[0])
    both.sync()
    assert equal(both)

    quiet = by_path(asked(both))

    assert quiet["/goals"] == -(-value(both.path, "SELECT count(*) FROM goals") // 100) == 2
    assert quiet["/goals/{}/stories"] == quiet["/memberships"] == 0


def test_an_empty_list_is_asked_for_by_its_age_only(tmp_path: Path) -> None:
    both = mirrored_world(tmp_path, some_of_everything(107))
    for kind in ("goals", "portfolios"):
        for record in list(both.world.iter_records(kind)):
            both.write("DELETE", f"/{kind}/{record['gid']}")
    for entry in list(both.world.iter_records("time_tracking_entries")):
        both.write("DELETE", f"/time_tracking_entries/{entry['gid']}")
    both.sync()
    both.sync(max_age_s=0)
    assert equal(both)
    every_run = {"/goals", "/portfolios", "/time_tracking_entries"}

    assert every_run.isdisjoint(by_path(asked(both)))
    with after(days=1.1):
        assert every_run <= by_path(asked(both)).keys()


def test_what_is_read_by_age_is_not_asked_for_before_nor_twice(tmp_path: Path) -> None:
    both = mirrored_world(tmp_path, some_of_everything(108))
    both.sync()
    quiet = by_path(asked(both))

    with after(days=1.1):
        daily = by_path(asked(both))
        assert by_path(asked(both)) == quiet
    with after(days=8):
        weekly = by_path(asked(both))

    for path in ("/roles", "/time_periods", "/favorites", "/allocations", "/budgets", "/portfolios/{}/items"):
        asked_for = [each["/users/me/favorites" if path == "/favorites" else path] for each in (quiet, daily)]
        assert asked_for[0] == 0
        assert asked_for[1] > 0
    for path in ("/memberships", "/rates", "/task_templates", "/status_updates", "/custom_types"):
        assert quiet[path] == daily[path] == 0
        assert weekly[path] > 0


# -- a mirror of the former version -------------------------------------------------------------------


def _as_the_former_version_left_it(both: Mirrored) -> None:
    """A mirror that knows nothing of the new kinds: no lists, no rows, and the number of that version."""
    new = [name for name, listing in LISTINGS.items() if listing.resource in KINDS]
    new += ["goal_stories", "brief_attachments", "own_sections"]
    with closing(sqlite3.connect(both.path)) as db, db:
        for name in new:
            db.execute("DELETE FROM sync_checkpoints WHERE name = ?", [name])
        for table in ("stories", "attachments", "sections", *TABLES, *KINDS):
            of_new = {
                "stories": "target_type = 'goal'",
                "attachments": "parent_type = 'project_brief'",
                "sections": "user_task_list_gid IS NOT NULL",
            }
            if rows(both.path, "SELECT 1 FROM sqlite_master WHERE name = ?", table):
                db.execute(f"DELETE FROM {table} WHERE {of_new.get(table, '1')}")
        db.execute("DELETE FROM custom_field_settings WHERE parent_type IN ('portfolio', 'goal')")
        db.execute("DELETE FROM sync_problems")
        db.execute("UPDATE sync_runs SET version = '0.4.0'")


@pytest.fixture
def former(tmp_path: Path) -> Mirrored:
    both = mirrored_world(tmp_path, some_of_everything(109, workspaces=2))
    _as_the_former_version_left_it(both)
    return both


def test_a_mirror_of_the_former_version_gets_all_new_kinds_in_its_next_run(
    former: Mirrored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asana_mirror.run.__version__", "0.5.0")
    monkeypatch.setattr("asana_mirror.review.__version__", "0.5.0")

    assert former.sync().mode == "changes"

    assert equal(former)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_an_upgrade_that_is_killed_goes_on_in_the_next_run(
    former: Mirrored, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, share: float
) -> None:
    monkeypatch.setattr("asana_mirror.run.__version__", "0.5.0")
    monkeypatch.setattr("asana_mirror.review.__version__", "0.5.0")
    before = tmp_path / "before.db"
    shutil.copyfile(former.path, before)
    needed = former.sync().requests
    shutil.copyfile(before, former.path)
    struck = Struck(former.app, former.path, int(needed * share))
    with contextlib.suppress(Interrupted):
        mirror(former.world, former.path, struck, stop=struck.stop)
    assert struck.put_back()

    former.sync()

    assert equal(former)


# -- killed -------------------------------------------------------------------------------------------


def test_a_kill_at_any_moment_of_a_first_run_with_everything_loses_nothing(tmp_path: Path) -> None:
    world = some_of_everything(110, 25, users=5)
    both = served(tmp_path, world)
    request = 2
    while True:
        struck = Struck(both.app, both.path, request)
        with contextlib.suppress(Interrupted):
            mirror(world, both.path, struck, stop=struck.stop)
        if not struck.put_back():
            break
        both.sync()
        assert equal(both)
        both.path.unlink()
        request += 31
    assert request > 120


def test_a_kill_while_everything_changed_loses_nothing(tmp_path: Path) -> None:
    both = mirrored_world(tmp_path, some_of_everything(111))
    before = tmp_path / "before.db"
    shutil.copyfile(both.path, before)
    change_everything(both.world, 15, 111)
    request = 3
    while True:
        struck = Struck(both.app, both.path, request)
        with contextlib.suppress(Interrupted):
            mirror(both.world, both.path, struck, stop=struck.stop, max_deletes=1000, max_age_s=0)
        if not struck.put_back():
            break
        both.sync(max_deletes=1000, max_age_s=0)
        assert equal(both)
        shutil.copyfile(before, both.path)
        request += 37
    assert request > 100

"""What a run asks for: as few requests as the API allows, in the form that Asana wants them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from lag import equal_but_for_lag, tasks_without_a_stream
from truth import differences
from worlds import Listener, Mirrored, Rewriter, mirror, mirrored, quiet_may_cost

from asana_mirror.sandbox import Limits, create_app, generate, random_edits, running

WORLDS = {
    "small": {"seed": 71, "tasks": 150},
    "larger": {"seed": 72, "tasks": 2500, "stories_per_task": 3.0},
    "two workspaces": {"seed": 73, "tasks": 300, "workspaces": 2},
    "long lists": {
        "seed": 74,
        "tasks": 500,
        "projects": 2,
        "users": 130,
        "tags": 140,
        "stories_per_task": 40.0,
    },
}


@pytest.mark.parametrize("arguments", WORLDS.values(), ids=WORLDS)
def test_a_first_run_costs_its_pages_and_hardly_more(tmp_path: Path, arguments: dict[str, Any]) -> None:
    world = generate(**arguments)
    app = create_app(world)
    listener = Listener(app)
    pages = world.pages_to_read()

    report = mirror(world, tmp_path / "mirror.db", listener)

    assert report.requests == app.stats.requests == len(listener.requests)
    assert report.requests <= 1.02 * sum(pages.values())
    assert listener.repeated() == []
    assert app.stats.count(template="/events") == pages["events"]
    assert differences(world, tmp_path / "mirror.db") == []


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> tuple[Listener, set[str]]:
    """Every request of a first run and of one after edits, and the paths that answered with lists."""
    world = generate(75, 200, workspaces=2)
    lists: set[str] = set()

    def note(path: str, envelope: dict[str, Any]) -> None:
        if isinstance(envelope["data"], list):
            lists.add(path)

    listener = Listener(Rewriter(create_app(world), note))
    path = tmp_path_factory.mktemp("heard") / "mirror.db"
    mirror(world, path, listener)
    random_edits(world, 60, 75)
    mirror(world, path, listener)
    return listener, lists


def test_every_request_lets_agents_in(heard: tuple[Listener, set[str]]) -> None:
    assert {request.header("asana-enable") for request in heard[0].requests} == {"ai_teammate_actors"}


def test_every_list_is_asked_for_by_the_hundred(heard: tuple[Listener, set[str]]) -> None:
    listener, lists = heard
    asked = [r for r in listener.requests if r.path in lists and r.path != "/events"]
    assert len(asked) > 300
    whole = {r.path for r in asked if "limit" not in dict(r.query)}
    assert whole == {"/budgets", "/access_requests"}  # which have no pages
    assert {dict(r.query)["limit"] for r in asked if r.path not in whole} == {"100"}


def test_every_list_names_the_fields_it_wants(heard: tuple[Listener, set[str]]) -> None:
    """A list without opt_fields is compact, and everything in it would have to be read again one by one.

    Only of these there is nothing to choose, or nothing but gids is wanted.
    """
    listener, lists = heard
    asked = [r for r in listener.requests if r.path in lists and r.path != "/events"]
    bare = {"/memberships", "/reactions", "/budgets", "/rates", "/users/me/favorites", "/portfolios/*/items"}
    assert {re.sub(r"\d+", "*", r.path) for r in asked if "opt_fields" not in dict(r.query)} == bare


def test_a_run_only_reads(heard: tuple[Listener, set[str]]) -> None:
    assert {request.method for request in heard[0].requests} == {"GET"}


def test_requests_say_who_asks(heard: tuple[Listener, set[str]]) -> None:
    assert all("asana-mirror" in (request.header("user-agent") or "") for request in heard[0].requests)


def test_a_first_run_reads_nothing_one_by_one(tmp_path: Path) -> None:
    """But for what stands in no list: the briefs of projects, and the portfolios of others."""
    world = generate(76, 200)
    listener = Listener(create_app(world))
    mirror(world, tmp_path / "mirror.db", listener)
    single = [r.path for r in listener.requests if re.fullmatch(r"/\w+/\d+", r.path)]
    listed_nowhere = {f"/project_briefs/{brief['gid']}" for brief in world.iter_records("project_briefs")}
    listed_nowhere |= {
        f"/portfolios/{portfolio['gid']}"
        for portfolio in world.iter_records("portfolios")
        if portfolio["owner"]["gid"] != world.me
    }
    assert set(single) <= listed_nowhere
    assert len(single) == len(set(single)) > 3


@pytest.mark.parametrize("full", [False, True])
def test_no_later_run_asks_anything_twice(tmp_path: Path, full: bool) -> None:
    world = generate(77, 200)
    both = mirrored(tmp_path, world)
    random_edits(world, 100, 77)
    listener = Listener(both.app)
    assert mirror(world, both.path, listener, full=full).mode == ("full" if full else "changes")
    # Who left the last project is told of no more: what events called for is followed by what its row calls for.
    quiet = {f"/tasks/{gid}/stories" for gid in tasks_without_a_stream(both)}
    assert [asked for asked in listener.repeated() if asked[1] not in (() if full else quiet)] == []
    assert len(listener.repeated()) <= 1


def test_a_task_that_left_its_list_costs_one_request_to_be_sure(tmp_path: Path) -> None:
    world = generate(78, 150, stories_per_task=1.0)
    both = mirrored(tmp_path, world)
    gids = [gid for gid in sorted(world.reachable_tasks()) if not world.records[gid].get("subtasks")][:10]
    for gid in gids:
        both.write("DELETE", f"/tasks/{gid}")
    listener = Listener(both.app)
    mirror(world, both.path, listener, full=True)

    single = [r.path for r in listener.requests if re.fullmatch(r"/tasks/\d+", r.path)]
    assert len(single) <= len(gids)
    assert set(single) <= {f"/tasks/{gid}" for gid in gids}


def test_a_task_that_an_event_told_the_end_of_costs_none_but_for_its_parent(tmp_path: Path) -> None:
    world = generate(78, 150, stories_per_task=1.0)
    both = mirrored(tmp_path, world)
    gids = [gid for gid in sorted(world.reachable_tasks()) if not world.records[gid].get("subtasks")][:10]
    told = [gid for gid in gids if gid not in tasks_without_a_stream(both)]
    parents = {world.records[gid].get("parent") for gid in told} - {None}
    for gid in told:
        both.write("DELETE", f"/tasks/{gid}")
    listener = Listener(both.app)
    mirror(world, both.path, listener)

    single = [r.path for r in listener.requests if re.fullmatch(r"/tasks/\d+", r.path)]
    assert set(single) <= {f"/tasks/{gid}" for gid in parents}  # who count their subtasks
    assert listener.repeated() == []
    assert equal_but_for_lag(both)


def test_up_to_fifty_requests_are_in_flight_and_never_more(tmp_path: Path) -> None:
    world = generate(79, 250, stories_per_task=2.0)
    app = create_app(world, limits=Limits(latency_s=0.1, reads_in_flight=50))
    with running(app) as url:
        mirror(world, tmp_path / "mirror.db", url=url)

    assert app.stats.refused == 0
    assert 30 <= app.stats.most_in_flight <= 50
    assert differences(world, tmp_path / "mirror.db") == []


def test_a_free_domain_costs_a_page_for_each_page_as_well(tmp_path: Path) -> None:
    world = generate(80, 150, plan="free")
    app = create_app(world, limits=Limits(premium=False))
    mirror(world, tmp_path / "mirror.db", app)
    assert app.stats.requests <= 1.02 * sum(world.pages_to_read().values()) + 1


def test_the_token_is_sent_and_never_written(tmp_path: Path) -> None:
    both = mirrored(tmp_path, generate(81, 30))
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert both.world.token.encode() not in kept
    assert both.path.stat().st_mode & 0o777 == 0o600


def test_a_quiet_later_run_costs_its_collections_and_one_request_per_project(tmp_path: Path) -> None:
    world = generate(82, 300)
    both: Mirrored = mirrored(tmp_path, world)

    report = both.sync()

    assert report.requests <= 1.05 * quiet_may_cost(world)
    assert differences(world, both.path) == []

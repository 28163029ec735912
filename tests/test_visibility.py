"""What a token may not see is said in words, is not mistaken for empty, and deletes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from everything import (
    KINDS,
    TABLES,
    after,
    asked,
    by_path,
    equal,
    mirrored_world,
    not_mirrored,
    served,
    some_of_everything,
)
from truth import differences, unsound
from worlds import Listener, Mirrored, mirror, rows, value

from asana_mirror.catalog import RESOURCES
from asana_mirror.sandbox import World, create_app
from asana_mirror.visibility import BY_LISTING
from asana_mirror.words import Scope

# Paths of lists of what is new, with the kind of list of which `status` then speaks.
LISTS = {
    "/goals": "goals",
    "/goal_relationships": "goal_relationships",
    "/goals/*/stories": "stories",
    "/portfolios": "portfolios",
    "/portfolios/*/items": "portfolio_items",
    "/projects/*/project_portfolio_settings": "project_portfolio_settings",
    "/memberships": "project_memberships",
    "/status_updates": "status_updates",
    "/projects/*/project_statuses": "project_statuses",
    "/reactions": "reactions",
    "/time_periods": "time_periods",
    "/time_tracking_entries": "time_tracking_entries",
    "/time_tracking_categories": "time_tracking_categories",
    "/timesheet_approval_statuses": "timesheet_approval_statuses",
    "/allocations": "allocations",
    "/budgets": "budgets",
    "/rates": "rates",
    "/ooo_entries": "ooo_entries",
    "/roles": "roles",
    "/access_requests": "access_requests",
    "/custom_types": "custom_types",
    "/project_templates": "project_templates",
    "/task_templates": "task_templates",
    "/workspaces/*/workspace_memberships": "workspace_memberships",
    "/users/me/favorites": "favorites",
    "/webhooks": "webhooks",
}
ALWAYS = {  # what any person's token is told
    "portfolios of other people: a personal token lists only your own, and those that are items of them",
    "only a service account of an Enterprise organization reads the audit log",
}
BELOW_THEM = {"goal_relationships", "stories", "portfolio_items"}  # goals and portfolios
WORDS = {
    402: "Asana asks for a paid plan",
    403: "the token may not see it",
    404: "not found, or not visible to this token",
    451: "withheld for legal reasons",
}


@pytest.fixture(scope="module")
def pattern_mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mirrored_world(tmp_path_factory.mktemp("visible"), some_of_everything(161)).path


@pytest.fixture
def both(tmp_path: Path, pattern_mirror: Path) -> Mirrored:
    world = some_of_everything(161)
    path = tmp_path / "mirror.db"
    shutil.copyfile(pattern_mirror, path)
    return Mirrored(world, create_app(world), path)


def _refuse(world: World, status: int, paths: Iterable[str] = LISTS) -> None:
    for path in paths:
        world.refuse(path, status)


def _allow(world: World, paths: Iterable[str] = LISTS) -> None:
    for path in paths:
        world.allow(path)


def _tombstones(both: Mirrored) -> int:
    return sum(
        value(both.path, f"SELECT count(*) FROM {name} WHERE _deleted_at IS NOT NULL") for name in RESOURCES
    )


def _is_plain(told: Iterable[dict[str, Any]]) -> bool:
    """One line for each kind and reason, in words that name neither an address nor a table."""
    words = [one["words"] for one in told]
    assert sorted(words) == sorted(set(words))
    assert [text for text in words if "/" in text or "_" in text.partition("lacks the scope")[0]] == []
    return True


# -- refused lists ------------------------------------------------------------------------------------


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("status", WORDS)
def test_refused_lists_delete_nothing_and_are_told_in_words(both: Mirrored, status: int, full: bool) -> None:
    _refuse(both.world, status)

    report = both.sync(max_age_s=0, full=full)

    assert (report.outcome, report.rows_deleted) == ("complete", 0)
    assert differences(both.world, both.path) == []
    told = not_mirrored(both)
    unmet = {"reactions", *(BELOW_THEM if full else ())}  # nothing leads there
    assert set(LISTS.values()) - {one["resource"] for one in told} <= unmet
    assert {one["why"] for one in told if one["listing"] not in BY_LISTING} == {WORDS[status]}
    assert _is_plain(told)


@pytest.mark.parametrize("status", WORDS)
def test_what_was_refused_from_the_beginning_comes_in_when_it_is_allowed(tmp_path: Path, status: int) -> None:
    world = some_of_everything(162)
    _refuse(world, status)
    both = mirrored_world(tmp_path, world)
    assert not rows(both.path, "SELECT 1 FROM goals WHERE _synced_at IS NOT NULL")

    _allow(world)
    with after(days=8):
        both.sync()

        assert {one["words"] for one in not_mirrored(both)} == ALWAYS
        assert equal(both)


def test_a_parent_that_may_not_be_seen_hides_its_own_lists_only(both: Mirrored) -> None:
    project = next(both.world.iter_records("budgets"))["parent"]["gid"]
    before = value(both.path, "SELECT count(*) FROM budgets WHERE _deleted_at IS NULL")
    both.world.refuse(project, 403)

    both.sync(max_age_s=0, full=True)

    assert value(both.path, "SELECT count(*) FROM budgets WHERE _deleted_at IS NULL") in (before, before - 1)
    assert unsound(both.path) == []
    both.world.allow(project)
    both.sync(full=True)
    assert equal(both)


# -- refused for good ---------------------------------------------------------------------------------


def _asked_below_projects(path: Path, status: int, **more: Any) -> tuple[Mirrored, Listener]:
    """A first run in a workspace of thirty projects whose plan has neither rates nor allocations."""
    world = some_of_everything(163, 60, projects=30, stories_per_task=0.5)
    world.refuse("/rates", status)
    world.refuse("/allocations", status)
    both = served(path, world)
    listener = Listener(both.app)
    mirror(world, both.path, listener, **more)
    return both, listener


def test_a_kind_that_the_plan_does_not_include_is_soon_asked_for_no_more(tmp_path: Path) -> None:
    both, listener = _asked_below_projects(tmp_path, 402)
    counted = by_path([(r.path, {}) for r in listener.requests])
    assert 3 <= counted["/rates"] <= 10
    assert 3 <= counted["/allocations"] <= 10
    told = {one["resource"]: one for one in not_mirrored(both)}
    assert (told["rates"]["lists"], told["rates"]["of"]) == (30, 30)
    assert told["rates"]["words"] == "rates of 30 projects: Asana asks for a paid plan"

    assert by_path(asked(both))["/rates"] == 0
    with after(days=1.1):  # allocations are looked at each day, rates each week
        counted = by_path(asked(both))
        assert (counted["/rates"], counted["/allocations"]) == (0, 1)
    with after(days=8):
        assert by_path(asked(both))["/rates"] == 1
        assert by_path(asked(both))["/rates"] == 0


def test_what_is_refused_for_reasons_of_its_own_is_asked_for_everywhere(tmp_path: Path) -> None:
    _, listener = _asked_below_projects(tmp_path, 403)
    assert by_path([(r.path, {}) for r in listener.requests])["/rates"] == 30


def test_when_the_plan_is_bought_everything_comes_in(tmp_path: Path) -> None:
    both, _ = _asked_below_projects(tmp_path, 402)
    both.world.allow("/rates")
    both.world.allow("/allocations")
    with after(days=8):
        both.sync()
        assert equal(both)
        assert {one["words"] for one in not_mirrored(both)} == ALWAYS


# -- scopes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["scoped", "limited", "service"])
def test_a_first_run_with_any_token_ends_complete(tmp_path: Path, name: str) -> None:
    world = some_of_everything(164)
    both = mirrored_world(tmp_path, world, token=world.tokens[name])

    assert value(both.path, "SELECT outcome FROM sync_runs") == "complete"
    told = not_mirrored(both)
    assert _is_plain(told)
    if name == "scoped":
        words = {one["words"] for one in told}
        assert "goals: the token lacks the scope goals:read" in words
        assert "task templates of 4 projects: the token lacks the scope task_templates:read" in words
        assert len(told) >= 15
    else:
        assert {one["words"] for one in told} == (ALWAYS if name == "limited" else set())
    assert both.sync(token=world.tokens[name], max_age_s=0).outcome == "complete"


@pytest.mark.parametrize("full", [False, True])
def test_a_narrower_token_takes_nothing_from_the_mirror(both: Mirrored, full: bool) -> None:
    """Portfolios of others and custom fields are read one by one, and refused for lack of a scope then."""
    report = both.sync(token=both.world.tokens["scoped"], max_age_s=0, full=full)

    assert (report.outcome, report.rows_deleted) == ("complete", 0)
    assert _tombstones(both) == 0
    assert _is_plain(not_mirrored(both))
    both.sync(max_age_s=0)
    assert {one["words"] for one in not_mirrored(both)} == ALWAYS
    assert equal(both)


# -- switched off -------------------------------------------------------------------------------------


def test_what_the_user_skips_is_no_problem(both: Mirrored) -> None:
    _refuse(both.world, 402)
    both.sync(max_age_s=0)
    assert len(not_mirrored(both)) > 20
    skip = Scope(skip=(*KINDS, "stories"))

    requests = asked(both, scope=skip, max_age_s=0)

    assert not_mirrored(both) == []
    assert not {path for path, _ in requests} & {path for path in LISTS if "*" not in path}
    assert differences(both.world, both.path) == []


def test_what_was_skipped_comes_in_when_it_is_not(tmp_path: Path) -> None:
    world = some_of_everything(165)
    both = mirrored_world(tmp_path, world, scope=Scope(skip=KINDS))
    filled = {t for t in TABLES if rows(both.path, f"SELECT 1 FROM {t} LIMIT 1")}
    assert all(
        not rows(both.path, f"SELECT 1 FROM {t} WHERE _synced_at IS NOT NULL") for t in filled & set(KINDS)
    )
    both.sync()
    assert equal(both)

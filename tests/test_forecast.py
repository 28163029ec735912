"""`sync --dry-run`: what a run would cost, as that run then costs; nothing written, nothing asked without need."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from narrowed import tokens
from test_narrowed import cut_short, projects_of, two_teams
from worlds import IN_PROCESS, Mirrored, mirrored, value

from asana_mirror.forecast import Forecast, forecast
from asana_mirror.run import SyncOptions
from asana_mirror.sandbox import Limits, create_app, generate, random_edits
from asana_mirror.store import Mirror
from asana_mirror.words import Scope

WORLDS: dict[str, dict[str, Any]] = {
    "small": {"seed": 61, "tasks": 120, "stories_per_task": 3.0},
    "two workspaces": {"seed": 62, "tasks": 200, "workspaces": 2, "stories_per_task": 1.0},
    "long lists": {
        "seed": 63,
        "tasks": 500,
        "projects": 2,
        "users": 4,
        "tags": 120,
        "stories_per_task": 30.0,
    },
}


def told(both: Mirrored, **options: Any) -> Forecast:
    wanted = {
        "mirror": both.path,
        "token": both.world.token,
        "base_url": IN_PROCESS,
        "per_minute": 0,
    } | options
    return asyncio.run(forecast(SyncOptions(**wanted), transport=httpx.ASGITransport(both.app)))


def by_reason(found: Forecast) -> dict[str, int]:
    """Requests for each reason."""
    reasons: dict[str, int] = {}
    for line in found.lines:
        reasons[line.why] = reasons.get(line.why, 0) + line.requests
    return reasons


def is_near(found: Forecast, cost: int, within: float) -> bool:
    assert abs(found.requests - cost) <= within * cost, (cost, found)
    return True


def costs_as_told(both: Mirrored, *, within: float = 0.0, **options: Any) -> Forecast:
    """Tell what a run will cost, and let it run."""
    asked = both.app.stats.requests
    found = told(both, **options)
    assert found.asked == both.app.stats.requests - asked
    assert is_near(found, both.sync(**options).requests, within)
    return found


def make_old(both: Mirrored, column: str, condition: str, days: int) -> None:
    with Mirror(both.path).db.conn as db:
        db.execute(
            f"UPDATE sync_checkpoints SET {column} = strftime('%Y-%m-%dT%H:%M:%fZ', {column}, '-{days} days') "
            f"WHERE {condition}"
        )


@pytest.fixture
def both(tmp_path: Path) -> Mirrored:
    """Mirrored, changed and mirrored again; nothing has happened since."""
    found = mirrored(tmp_path, generate(64, 120, projects=5, stories_per_task=2.0))
    random_edits(found.world, 40, 64)
    found.sync()
    found.sync()
    return found


# -- what the mirror knows ----------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", WORLDS.values(), ids=WORLDS)
def test_quiet_runs_and_full_ones_cost_what_was_told(tmp_path: Path, arguments: dict[str, Any]) -> None:
    both = mirrored(tmp_path, generate(**arguments))
    random_edits(both.world, 60, 61)
    assert costs_as_told(both, full=True, within=0.1).mode == "full"  # the edits are not known yet
    found = costs_as_told(both)
    assert (found.mode, found.asked, found.lower_bound) == ("changes", 0, False)
    assert costs_as_told(both, full=True, within=0.01).asked == 0


@pytest.mark.parametrize(
    "scope",
    [
        Scope(skip=("stories", "tags")),
        Scope(only=("projects",)),
        Scope(skip=("tasks",)),
        Scope(only=("stories",)),
    ],
    ids=lambda scope: f"{scope.only}{scope.skip}",
)
def test_what_a_run_leaves_out_is_not_counted(both: Mirrored, scope: Scope) -> None:
    costs_as_told(both, scope=scope)
    costs_as_told(both, scope=scope, full=True, within=0.01)


def test_places_are_counted_alone(both: Mirrored) -> None:
    project, team = projects_of(both.world)[0], two_teams(both.world)[0]
    for scope in (
        Scope(projects=(project,)),
        Scope(teams=(team,)),
        Scope(workspaces=(both.world.workspaces[0],)),
    ):
        assert costs_as_told(both, scope=scope).asked == 0
        costs_as_told(both, scope=scope, full=True, within=0.01)


def test_what_has_grown_old_is_told_with_its_reason(both: Mirrored) -> None:
    make_old(both, "last_walked_at", "name IN ('team_memberships', 'project_sections')", 2)
    lists = value(
        both.path,
        "SELECT count(*) FROM sync_checkpoints WHERE name IN ('team_memberships', "
        "'project_sections') AND parent_gid IN (SELECT gid FROM teams WHERE _deleted_at IS NULL "
        "UNION SELECT gid FROM projects WHERE _deleted_at IS NULL)",
    )
    assert by_reason(costs_as_told(both))["age"] == lists > 3
    assert "age" not in by_reason(told(both))
    assert by_reason(costs_as_told(both, max_age_s=0, within=0.05))["age"] > lists


def test_sweeps_are_told_with_all_that_they_look_at(both: Mirrored) -> None:
    project = projects_of(both.world)[0]
    make_old(both, "swept_at", f"name = 'project_tasks' AND parent_gid = '{project}'", 8)
    assert by_reason(costs_as_told(both))["sweep"] >= 3
    assert by_reason(costs_as_told(both, sweep_every_s=0, within=0.02))["sweep"] >= 3 * 5


def test_dead_tokens_are_told_as_gaps(both: Mirrored) -> None:
    make_old(both, "last_walked_at", "name = 'events'", 2)
    both.app.limits = Limits(sync_token_lifetime_s=-1)
    found = costs_as_told(both, within=0.02)
    assert by_reason(found)["gap"] >= 3 * len(tokens(both.path))


def test_stories_that_wait_are_told_when_their_turn_has_come(both: Mirrored) -> None:
    both.sync(sweep_every_s=0)
    waiting = value(both.path, "SELECT count(*) FROM sync_checkpoints WHERE waiting_since IS NOT NULL")
    make_old(both, "waiting_since", "waiting_since IS NOT NULL", 3)
    some = by_reason(costs_as_told(both))["sweep"]
    assert 0.2 * waiting < some < 0.7 * waiting
    make_old(both, "waiting_since", "waiting_since IS NOT NULL", 7)
    assert by_reason(costs_as_told(both))["sweep"] == waiting - some


def test_what_a_run_that_was_cut_short_had_heard_is_told(both: Mirrored) -> None:
    random_edits(both.world, 40, 65, ["rename", "comment", "complete"])
    cut_short(both, 12, Scope())
    found = told(both)
    assert by_reason(found)["event"] > 5
    assert any("follows" not in remark for remark in found.remarks) or found.remarks == []
    assert is_near(found, both.sync().requests, 0.35)


def test_lists_too_long_are_told_as_their_parts(tmp_path: Path) -> None:
    world = generate(66, 260, projects=1, stories_per_task=0.5, users=2)
    both = Mirrored(world, create_app(world, limits=Limits(longest_list=100)), tmp_path / "mirror.db")
    both.sync()
    assert value(both.path, "SELECT count(*) FROM sync_checkpoints WHERE split = 1") > 0
    costs_as_told(both)
    costs_as_told(both, sweep_every_s=0, within=0.02)
    costs_as_told(both, full=True, within=0.02)


def test_what_is_refused_is_told_as_one_request(tmp_path: Path) -> None:
    world = generate(67, 100, projects=4, stories_per_task=1.0)
    project = projects_of(world)[0]
    for path in (f"/projects/{project}/tasks", f"/workspaces/{world.workspaces[0]}/agents"):
        world.refuse(path, 403)
    both = mirrored(tmp_path, world)
    costs_as_told(both)
    costs_as_told(both, full=True, within=0.02)

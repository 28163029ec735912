"""`sync --dry-run` where the mirror knows little or nothing: a few questions, a fair estimate, and no trace."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from test_forecast import costs_as_told, is_near, told
from test_narrowed import cut_short, projects_of, two_teams
from worlds import IN_PROCESS, Listener, Mirrored, mirrored, rows

from asana_mirror.cli import cli
from asana_mirror.errors import BadToken, WrongUsage
from asana_mirror.estimate import SampledProject, SampledTree, evenly, expected, seconds_for
from asana_mirror.sandbox import World, create_app, generate, random_edits
from asana_mirror.store import Mirror, hold
from asana_mirror.times import utc_now
from asana_mirror.words import Scope

WORLDS: dict[str, dict[str, Any]] = {
    "small": {"seed": 71, "tasks": 150},
    "two workspaces": {"seed": 73, "tasks": 300, "workspaces": 2},
    "large projects": {"seed": 68, "tasks": 900, "projects": 6, "stories_per_task": 1.0},
    "tagged": {"seed": 69, "tasks": 200, "tags": 120, "stories_per_task": 1.0},
}


def unread(tmp_path: Path, world: World) -> Mirrored:
    return Mirrored(world, create_app(world), tmp_path / "mirror.db")


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# -- a first run --------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", WORLDS.values(), ids=WORLDS)
def test_a_first_run_costs_about_what_was_told(tmp_path: Path, arguments: dict[str, Any]) -> None:
    both = unread(tmp_path, generate(**arguments))
    found = told(both)
    assert list(tmp_path.iterdir()) == []
    assert found.mode == "first"
    assert found.asked < 0.35 * found.requests
    assert is_near(found, both.sync().requests, 0.2)


def test_of_many_projects_ten_are_counted_and_stand_for_all(tmp_path: Path) -> None:
    world = generate(70, 1500, projects=40, stories_per_task=0.5)
    both = unread(tmp_path, world)
    listener = Listener(both.app)
    found = told(Mirrored(world, listener, both.path))  # type: ignore[arg-type]
    tasks = [request for request in listener.requests if re.fullmatch(r"/projects/\d+/tasks", request.path)]
    assert len(tasks) == 10
    assert found.asked == len(listener.requests) < 180
    assert {dict(request.query)["opt_fields"] for request in tasks} == {"gid,num_subtasks,projects"}
    assert any("10 of 40 projects" in remark for remark in found.remarks)
    assert is_near(found, sum(world.pages_to_read().values()), 0.5)


def test_one_project_or_team_is_counted_alone(tmp_path: Path) -> None:
    world = generate(68, 300, projects=6, stories_per_task=1.0)
    team = two_teams(world)[0]
    for number, scope in enumerate((Scope(projects=(projects_of(world)[0],)), Scope(teams=(team,)))):
        both = Mirrored(world, create_app(world), tmp_path / f"{number}.db")
        costs_as_told(both, scope=scope, within=0.1)


def test_a_project_that_the_mirror_never_read_is_counted_by_asking(tmp_path: Path) -> None:
    world = generate(68, 200, projects=5, stories_per_task=1.0)
    both = unread(tmp_path, world)
    first, second = projects_of(world)[:2]
    both.sync(scope=Scope(projects=(first,)))
    assert told(both, scope=Scope(projects=(first,))).asked == 0
    costs_as_told(both, scope=Scope(projects=(second,)), within=0.1)
    whole = told(both)
    assert (whole.mode, whole.asked > 0) == ("full", True)
    both.sync()
    new = both.write(
        "POST", "/projects", name="New", workspace=world.workspaces[0], team=world.records[first]["team"]
    )
    both.write("POST", "/tasks", name="In it", projects=[new["gid"]])
    found = costs_as_told(both, scope=Scope(projects=(new["gid"],)), within=0.35)
    assert (found.mode, found.asked > 0) == ("changes", True)


@pytest.mark.parametrize("status", [402, 403, 404, 429])
def test_without_counts_of_tasks_the_estimate_is_a_lower_bound(tmp_path: Path, status: int) -> None:
    world = generate(68, 900, projects=6, stories_per_task=1.0)
    for project in projects_of(world):
        world.refuse(f"/projects/{project}/task_counts", status)
    both = unread(tmp_path, world)
    found = told(both)
    assert found.lower_bound
    assert any("does not say how many tasks" in remark for remark in found.remarks)
    assert 300 < found.requests < both.sync().requests


@pytest.mark.parametrize("name", ["projects", "tags", "users"])
def test_a_list_that_is_refused_makes_it_a_lower_bound(tmp_path: Path, name: str) -> None:
    world = generate(71, 100)
    path = f"/workspaces/{world.workspaces[0]}/tags" if name == "tags" else f"/{name}"
    world.refuse(path, 403)
    found = told(unread(tmp_path, world))
    assert found.lower_bound
    assert any("cannot be counted" in remark for remark in found.remarks)


def test_what_keeps_a_run_from_beginning_keeps_the_forecast_as_well(tmp_path: Path) -> None:
    both = unread(tmp_path, generate(71, 30))
    with pytest.raises(BadToken):
        told(both, token="wrong")
    with pytest.raises(WrongUsage, match="no project 999"):
        told(both, scope=Scope(projects=("999",)))
    with pytest.raises(WrongUsage, match="no workspace 999"):
        told(both, scope=Scope(workspaces=("999",)))
    assert list(tmp_path.iterdir()) == []


# -- no trace -----------------------------------------------------------------------------------------


def test_a_whole_mirror_answers_without_a_request_and_stays_as_it_is(tmp_path: Path) -> None:
    both = mirrored(tmp_path, generate(71, 100, stories_per_task=1.0))
    random_edits(both.world, 20, 71)
    before, asked = files(tmp_path), both.app.stats.requests
    for options in (
        {},
        {"full": True},
        {"max_age_s": 0, "sweep_every_s": 0},
        {"scope": Scope(skip=("tasks",))},
    ):
        assert told(both, token="of no use", **options).asked == 0  # type: ignore[arg-type]
    assert both.app.stats.requests == asked
    assert files(tmp_path) == before


def test_beside_a_run_that_holds_the_mirror_it_tells_what_that_run_had_begun_with(tmp_path: Path) -> None:
    both = mirrored(tmp_path, generate(71, 60, stories_per_task=1.0))
    quiet = told(both)
    with hold(both.path):
        writer = Mirror(both.path)
        with writer.atomic():
            writer.rounds.begin(Scope(), now=utc_now(), holder="someone", version="0")
        with writer.atomic():
            writer.db.execute("UPDATE tasks SET name = 'half-way'")
            found = told(both)
        writer.close()
    assert found.requests == quiet.requests
    assert any("someone" in remark for remark in found.remarks)


def test_a_walk_that_was_cut_short_tells_at_least_what_is_left(tmp_path: Path) -> None:
    both = unread(tmp_path, generate(71, 200, stories_per_task=1.0))
    cut_short(both, 150, Scope())
    before = files(tmp_path)
    found = told(both)
    assert files(tmp_path) == before
    assert (found.resumed, found.lower_bound, found.asked) == (True, True, 0)
    assert 20 < found.requests <= both.sync().requests


def test_a_mirror_of_an_older_schema_says_what_to_do(tmp_path: Path) -> None:
    both = mirrored(tmp_path, generate(71, 30))
    with Mirror(both.path).db.conn as db:
        db.execute("PRAGMA user_version = 1")
    with pytest.raises(WrongUsage, match="older"):
        told(both)


# -- as a person meets it -----------------------------------------------------------------------------


def dry_run(both: Mirrored, monkeypatch: pytest.MonkeyPatch, *more: str) -> Result:
    monkeypatch.setenv("ASANA_ACCESS_TOKEN", both.world.token)
    return CliRunner().invoke(cli, ["sync", str(both.path), "--base-url", IN_PROCESS, "--dry-run", *more])


def test_the_plan_is_a_table_with_its_sum_and_its_duration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = mirrored(tmp_path, generate(71, 100, stories_per_task=1.0))
    plan = told(both, full=True)
    done = dry_run(both, monkeypatch, "--full", "--rpm", "150")
    assert done.exit_code == 0, done.output
    for line in plan.lines:
        assert re.search(rf"│ {line.why} +│ +{line.lists:,} │ +{line.requests:,} │", done.output), line
    assert f"{plan.requests:,} requests" in done.output
    assert f"{plan.requests / 150:.1f} min at 150 a minute" in done.output
    assert "nothing was written" in done.output
    unlimited = dry_run(both, monkeypatch, "--rpm", "0")
    assert "with 50 in flight" in unlimited.output
    assert "events will tell" in unlimited.output


def test_the_plan_is_there_for_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = mirrored(tmp_path, generate(71, 100, stories_per_task=1.0))
    plan = json.loads(dry_run(both, monkeypatch, "--json", "--rpm", "60").output)
    assert plan["mode"] == "changes"
    assert plan["requests"] == sum(line["requests"] for line in plan["lines"]) == plan["seconds"]
    assert plan["asked"] == 0
    assert rows(both.path, "SELECT count(*) FROM sync_runs")[0][0] == 1


def test_the_duration_goes_by_what_was_learned_of_the_allowance(tmp_path: Path) -> None:
    both = mirrored(tmp_path, generate(72, 30))
    before = told(both, per_minute=1500)
    with closing(sqlite3.connect(both.path)) as db, db:
        db.execute("UPDATE sync_allowances SET per_minute = 15")
    after = told(both, per_minute=1500)
    assert (before.per_minute, after.per_minute) == (1500, 15)
    assert after.seconds == pytest.approx(100 * before.seconds, rel=0.1)


# -- the arithmetic -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("requests", "per_minute", "seconds"),
    [(1500, 1500, 60), (300, 150, 120), (900, 0, 6), (54_000, 54_000, 360)],
)
def test_the_duration_is_that_of_the_allowance_or_of_all_that_may_be_in_flight(
    requests: int, per_minute: float, seconds: float
) -> None:
    assert seconds_for(requests, per_minute) == pytest.approx(seconds)


def test_a_sample_comes_from_all_over() -> None:
    assert evenly([1, 2, 3], 10) == [1, 2, 3]
    assert evenly(range(100), 4) == [12, 37, 62, 87]


@pytest.mark.parametrize(
    ("projects", "sample", "trees", "reckoned"),
    [
        (0, [], [], (0, 0, 0)),
        (2, [SampledProject(1, [(0, 1)]), SampledProject(0, [])], [], (1, 2, 0)),
        (4, [SampledProject(150, [(0, 1)] * 100)], [], (600, 8, 0)),  # one of four, and its first page
        (2, [SampledProject(2, [(0, 2), (0, 2)])] * 2, [], (2, 2, 0)),  # each in both
        (1, [SampledProject(2, [(3, 1), (0, 1)])], [SampledTree(5, 2)], (7, 1, 2)),
    ],
)
def test_what_a_sample_says_of_all(
    projects: int, sample: list[SampledProject], trees: list[SampledTree], reckoned: tuple[int, int, int]
) -> None:
    found = expected(projects, sample, trees)
    assert (found.tasks, found.project_pages, found.subtask_lists) == reckoned

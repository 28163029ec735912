"""Ticks of a watch without webhooks: what each costs, how old anything grows, and that nothing is missed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lag import equal_but_for_lag
from ticking import EVERY_S, People, Ticking, standing_only_in
from truth import unsound
from worlds import Listener, Mirrored, Rewriter, rows, value

from asana_mirror.sandbox import Limits, generate, random_edits
from asana_mirror.sandbox.change_fields import set_fields

HOUR = 12  # ticks


def small(path: Path, *, premium: bool = True, search_lag_s: float = 0.0, tasks: int = 120) -> Ticking:
    world = generate(seed=5, tasks=tasks, projects=8, stories_per_task=2.0)
    ticking = Ticking(world, path / "asana.db", Limits(premium=premium, search_lag_s=search_lag_s))
    ticking.sync()
    return ticking


@pytest.mark.parametrize("premium", [True, False])
def test_a_busy_world_is_mirrored_by_ticks_alone(tmp_path: Path, premium: bool) -> None:
    """Edits of all kinds for two hours, then quiet until each collection had its turn."""
    ticking = small(tmp_path, premium=premium, search_lag_s=45.0)
    for number in range(2 * HOUR):
        random_edits(ticking.world, 4, seed=number)
        ticking.tick()
    for _ in range(7 * HOUR):
        ticking.tick()
    assert equal_but_for_lag(ticking)  # type: ignore[arg-type]
    assert {row[0] for row in rows(ticking.path, "SELECT outcome FROM sync_runs")} == {"complete"}


def test_what_happens_in_active_projects_is_here_after_two_ticks(tmp_path: Path) -> None:
    ticking = small(tmp_path, premium=False)
    active = [gid for gid in ticking.ages() if standing_only_in(ticking.world, gid)][:3]
    people = People(ticking.world, active)
    for _ in range(70):  # each stream has its turn once
        people.work(1.0)
        ticking.tick()
    for _ in range(20):
        people.work(0.5)
        ticking.tick()
        ages = ticking.ages()
        assert max(ages[gid] for gid in active) <= EVERY_S + 5
    ticking.tick()
    ticking.tick()
    named = "SELECT gid, name FROM tasks"
    stale = [gid for gid, name in rows(ticking.path, named) if ticking.world.records[gid]["name"] != name]
    assert stale == []


def test_with_a_search_a_project_that_wakes_up_is_heard_in_the_next_tick(tmp_path: Path) -> None:
    ticking = small(tmp_path)
    for _ in range(HOUR):
        ticking.tick()
    asleep = max(ticking.ages(), key=lambda gid: (len(standing_only_in(ticking.world, gid)), gid))
    People(ticking.world, [asleep]).work(1.0)
    ticking.tick()
    task = value(ticking.path, "SELECT name FROM tasks WHERE name LIKE 'Renamed%'")
    assert task == "Renamed 1"
    assert ticking.ages()[asleep] < 5


def test_a_search_that_lags_behind_the_streams_is_not_taken_for_the_answer(tmp_path: Path) -> None:
    ticking = small(tmp_path)
    tasks = [gid for project in ticking.ages() for gid in standing_only_in(ticking.world, project)][:10]
    for gid in tasks:
        set_fields(ticking.world, ticking.world.me, ticking.world.records[gid], {"name": f"Now {gid}"})

    def lag_behind(path: str, envelope: dict[str, Any]) -> None:
        for task in envelope["data"] if path.endswith("/tasks/search") else ():
            if "name" in task:
                task.update(name="As it was", modified_at="2026-01-01T00:00:00.000Z")

    ticking.app = Rewriter(ticking.app, lag_behind)  # type: ignore[assignment]
    ticking.tick()
    found = rows(ticking.path, "SELECT gid, name FROM tasks WHERE name LIKE 'Now%' OR name = 'As it was'")
    assert {row["gid"]: row["name"] for row in found} == {gid: f"Now {gid}" for gid in tasks}


def test_tasks_of_which_streams_told_come_a_hundred_at_a_time_where_they_may_be_searched(
    tmp_path: Path,
) -> None:
    # An event may be a millisecond younger than what its task says, and that one is read by itself.
    for premium, most in ((True, 3), (False, 10)):
        folder = tmp_path / str(premium)
        folder.mkdir()
        ticking = small(folder, premium=premium)
        for _ in range(75 if not premium else 1):
            ticking.tick()
        tasks = [gid for project in ticking.ages() for gid in standing_only_in(ticking.world, project)][:10]
        for number, gid in enumerate(tasks):
            set_fields(ticking.world, ticking.world.me, ticking.world.records[gid], {"notes": f"{number}"})
        listener = Listener(ticking.app)
        ticking.app = listener  # type: ignore[assignment]
        for _ in range(1 if premium else 72):
            ticking.tick()
        singly = [
            request.path
            for request in listener.requests
            if request.path in {f"/tasks/{gid}" for gid in tasks}
        ]
        assert len(singly) <= most
        assert value(ticking.path, "SELECT count(*) FROM tasks WHERE length(notes) = 1") == len(tasks)


def test_where_searching_is_not_allowed_it_is_asked_for_once_a_day(tmp_path: Path) -> None:
    ticking = small(tmp_path, premium=False)
    listener = Listener(ticking.app)
    ticking.app = listener  # type: ignore[assignment]
    for _ in range(2 * 24 * HOUR // 6):
        ticking.tick(after_s=6 * EVERY_S)
    assert 1 <= len([request for request in listener.requests if request.path.endswith("/tasks/search")]) <= 3


@pytest.mark.parametrize(("premium", "ticks"), [(True, 1), (False, HOUR)])
def test_a_new_project_is_found_at_once_by_a_search_and_else_within_the_hour(
    tmp_path: Path, premium: bool, ticks: int
) -> None:
    ticking = small(tmp_path, premium=premium)
    both = Mirrored(ticking.world, ticking.app, ticking.path)
    workspace = ticking.world.workspaces[0]
    team = value(ticking.path, "SELECT team_gid FROM projects WHERE team_gid IS NOT NULL")
    project = both.write("POST", "/projects", name="New here", workspace=workspace, team=team)["gid"]
    task = both.write("POST", "/tasks", name="In it", projects=[project])["gid"]
    for _ in range(ticks):
        ticking.tick()
    assert both.is_alive("projects", project)
    assert both.is_alive("tasks", task)


def test_no_stream_is_older_than_six_hours(tmp_path: Path) -> None:
    ticking = small(tmp_path, premium=False)
    oldest = 0.0
    for _ in range(10 * HOUR):
        ticking.tick()
        oldest = max(oldest, *ticking.ages().values())
    assert oldest <= 6 * 3600


def test_quiet_ticks_are_evenly_cheap(tmp_path: Path) -> None:
    """A run over everything asks for each stream and collection; ticks spread that over hours."""
    ticking = small(tmp_path)
    whole = ticking.sync().requests
    costs = [ticking.tick().requests for _ in range(8 * HOUR)]
    assert sum(costs) / len(costs) < whole / 2
    assert max(costs) < whole


def test_a_long_gap_is_no_ordinary_tick_and_every_stream_is_heard(tmp_path: Path) -> None:
    ticking = small(tmp_path, premium=False)
    ticking.tick()
    ticking.tick(after_s=8 * 3600.0)
    assert max(ticking.ages().values()) < 60


def test_books_of_quiet_ticks_are_let_go_of_after_two_days(tmp_path: Path) -> None:
    ticking = small(tmp_path)
    for _ in range(4 * 24):
        ticking.tick(after_s=3600.0)
    kept = value(ticking.path, "SELECT count(*) FROM sync_runs WHERE mode = 'tick'")
    changed = value(
        ticking.path,
        "SELECT count(*) FROM sync_runs WHERE mode = 'tick' AND rows_inserted + rows_updated + rows_deleted > 0",
    )
    assert kept <= 49 + changed
    assert (
        value(
            ticking.path, "SELECT count(*) FROM sync_requests WHERE run_id NOT IN (SELECT id FROM sync_runs)"
        )
        == 0
    )
    assert unsound(ticking.path) == []

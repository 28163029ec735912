"""Later runs: what is gone is marked, what is only refused or suspiciously much is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lag import equal_but_for_age
from second_runs import Record, equal, task_with
from second_runs import both as both
from truth import LINKS, RESOURCES, living
from worlds import Mirrored, always_refused, mirrored, rows, value

from asana_mirror.errors import TooManyMissing
from asana_mirror.sandbox import World, generate

# -- what is gone -------------------------------------------------------------------------------------


def _homes(record: Record) -> list[str]:
    return [place["project"]["gid"] for place in record["memberships"]]


def _only_in_one_project(record: Record) -> bool:
    return len(_homes(record)) == 1 and not record["tags"] and record["assignee"] is None


def _stories(both: Mirrored, task: str) -> list[Any]:
    return rows(both.path, "SELECT * FROM stories WHERE target_gid = ? AND _synced_at IS NOT NULL", task)


def test_a_deleted_task_stays_as_a_tombstone_with_all_below_it(both: Mirrored) -> None:
    task = task_with(both.world, lambda record: record["num_subtasks"] and _only_in_one_project(record))
    subtasks = rows(both.path, "SELECT gid FROM tasks WHERE parent_gid = ?", task["gid"])
    told = len(_stories(both, task["gid"]))
    both.write("DELETE", f"/tasks/{task['gid']}")

    report = both.sync()

    row = both.row("tasks", task["gid"])
    assert (row["name"], row["_deleted_reason"] in ("deleted", "gone")) == (task["name"], True)
    assert row["_deleted_at"] is not None
    assert row["_changed_run"] == report.run
    assert {story["_deleted_reason"] for story in _stories(both, task["gid"])} == {"parent_deleted"}
    assert len(_stories(both, task["gid"])) == told
    assert not any(both.is_alive("tasks", row["gid"]) for row in subtasks)
    assert report.rows_deleted > len(subtasks)
    assert equal(both)


def test_an_undeleted_task_is_alive_again_with_all_below_it(both: Mirrored) -> None:
    task = task_with(both.world, lambda record: record["num_subtasks"] and _only_in_one_project(record))
    both.write("DELETE", f"/tasks/{task['gid']}")
    both.sync()
    assert not both.is_alive("tasks", task["gid"])
    assert both.world.undelete(task["gid"])

    both.sync()

    assert both.is_alive("tasks", task["gid"])
    assert both.row("tasks", task["gid"])["_deleted_reason"] is None
    assert {story["_deleted_at"] for story in _stories(both, task["gid"])} == {None}
    assert equal(both)


def test_a_deleted_comment_is_a_tombstone_and_its_task_lives(both: Mirrored) -> None:
    comment = next(s for s in both.world.iter_records("stories") if s["type"] == "comment")
    both.write("DELETE", f"/stories/{comment['gid']}")
    both.sync()

    row = both.row("stories", comment["gid"])
    assert row["_deleted_at"] is not None
    assert row["text"] == comment["text"]
    assert both.is_alive("tasks", comment["target"]["gid"])
    assert equal(both)


def test_a_task_moved_to_another_project_leaves_the_old_one(both: Mirrored) -> None:
    task = task_with(both.world, _only_in_one_project)
    old = _homes(task)[0]
    new = next(p["gid"] for p in both.world.iter_records("projects") if p["gid"] != old)
    both.write("POST", f"/tasks/{task['gid']}/addProject", project=new)
    both.write("POST", f"/tasks/{task['gid']}/removeProject", project=old)

    both.sync()

    found = rows(both.path, "SELECT project_gid FROM task_projects WHERE task_gid = ?", task["gid"])
    assert [row["project_gid"] for row in found] == [new]
    assert both.is_alive("tasks", task["gid"])
    assert equal(both)


def test_a_task_removed_from_its_last_project_lives_on(both: Mirrored) -> None:
    """No list shows it any more; leaving a place is not dying."""
    task = task_with(both.world, _only_in_one_project)
    both.write("POST", f"/tasks/{task['gid']}/removeProject", project=_homes(task)[0])
    assert task["gid"] not in both.world.reachable_tasks()

    both.sync()
    assert both.is_alive("tasks", task["gid"])
    assert value(both.path, "SELECT count(*) FROM task_projects WHERE task_gid = ?", task["gid"]) == 0
    assert equal(both)

    both.write("PUT", f"/tasks/{task['gid']}", name="Changed where no list shows it")
    both.sync()
    assert both.row("tasks", task["gid"])["name"] == "Changed where no list shows it"
    assert equal(both)

    both.write("DELETE", f"/tasks/{task['gid']}")
    both.sync()
    assert not both.is_alive("tasks", task["gid"])


def test_an_assigned_task_survives_the_end_of_its_project(both: Mirrored) -> None:
    task = task_with(both.world, lambda record: len(_homes(record)) == 1 and record["assignee"])
    project = _homes(task)[0]
    sections = rows(both.path, "SELECT gid FROM sections WHERE project_gid = ?", project)
    both.write("DELETE", f"/projects/{project}")

    both.sync()

    assert both.is_alive("tasks", task["gid"])
    assert both.row("projects", project)["_deleted_at"] is not None
    assert {both.row("sections", row["gid"])["_deleted_reason"] for row in sections} == {"parent_deleted"}
    assert equal_but_for_age(both)


def test_a_project_comes_back_with_its_tasks(both: Mirrored) -> None:
    project = _homes(task_with(both.world, _only_in_one_project))[0]
    lived = living(both.path, "tasks").keys()
    both.write("DELETE", f"/projects/{project}")
    both.sync(max_deletes=1000)
    assert living(both.path, "tasks").keys() < lived
    assert both.world.undelete(project)

    both.sync()

    assert living(both.path, "tasks").keys() == lived
    assert equal(both)


def test_somebody_who_leaves_the_workspace_stays_named(both: Mirrored) -> None:
    world = both.world
    known = {identity.user for identity in world.identities.values()}
    user = next(u for u in world.iter_records("users") if u["gid"] not in known)
    told = value(both.path, "SELECT count(*) FROM stories WHERE created_by_gid = ?", user["gid"])
    assert told
    world.leave(user["gid"])

    both.sync()

    assert both.row("users", user["gid"])["_deleted_at"] is not None
    assert value(both.path, "SELECT name FROM actors WHERE gid = ?", user["gid"]) == user["name"]
    assert value(both.path, "SELECT count(*) FROM stories WHERE created_by_gid = ?", user["gid"]) >= told
    assert equal_but_for_age(both)


def test_what_becomes_invisible_is_a_tombstone_and_comes_back_when_it_shows_again(both: Mirrored) -> None:
    task = task_with(both.world, _only_in_one_project)
    lived = living(both.path, "tasks").keys()
    both.world.refuse(task["gid"], 404)  # no stream tells of it, its project's list shows it
    both.sync(max_deletes=1000, max_age_s=0)
    assert both.row("tasks", task["gid"])["_deleted_reason"] in ("gone", "access_lost")
    both.world.allow(task["gid"])

    both.sync(max_age_s=0)

    assert living(both.path, "tasks").keys() == lived
    assert equal(both)


# -- what is refused for a while ----------------------------------------------------------------------


def _busy_project(world: World) -> str:
    return max(
        (p["gid"] for p in world.iter_records("projects")), key=lambda gid: len(world.project_order(gid))
    )


def _problems(both: Mirrored) -> list[tuple[int, str]]:
    """Besides what no person's token is shown."""
    found = rows(both.path, "SELECT listing, status FROM sync_problems")
    usual = always_refused(both.world)
    return [(row["status"], row["listing"]) for row in found if tuple(row) not in usual]


@pytest.mark.parametrize("status", [402, 403, 404, 451])
def test_a_task_list_that_is_refused_for_a_while_loses_nothing(both: Mirrored, status: int) -> None:
    project = _busy_project(both.world)
    lived = {table: living(both.path, table).keys() for table in ("tasks", "stories", "task_projects")}
    both.world.refuse(f"/projects/{project}/tasks", status)
    both.write("POST", "/tasks", name="Not to be seen for now", projects=[project])

    report = both.sync()

    assert report.outcome == "complete"
    assert report.rows_deleted == 0
    assert [problem for problem in _problems(both) if problem[0] != status] == []
    assert len(_problems(both)) == 1
    assert project in _problems(both)[0][1]
    for table, keys in lived.items():
        assert keys <= living(both.path, table).keys()

    both.world.allow(f"/projects/{project}/tasks")
    both.sync()

    assert _problems(both) == []
    assert equal(both)


@pytest.mark.parametrize("status", [402, 403, 451])
def test_a_project_that_is_refused_for_a_while_loses_nothing(both: Mirrored, status: int) -> None:
    """All that names the project is refused: its tasks, its sections, its attachments, itself."""
    project = _busy_project(both.world)
    before = {table: living(both.path, table).keys() for table in (*RESOURCES, *LINKS)}
    both.world.refuse(project, status)

    report = both.sync()

    assert report.rows_deleted == 0
    assert report.not_readable == len(_problems(both)) + len(always_refused(both.world))
    assert len(_problems(both)) > 0
    assert {table: living(both.path, table).keys() for table in before} == before

    both.world.allow(project)
    both.sync()

    assert _problems(both) == []
    assert equal(both)


def test_stories_refused_on_a_first_run_arrive_when_they_are_allowed(tmp_path: Path) -> None:
    world = generate(22, 80)
    world.refuse("/tasks/*/stories", 403)
    both = mirrored(tmp_path, world)
    assert {row["target_type"] for row in living(both.path, "stories").values()} == {"goal"}
    assert len(living(both.path, "tasks")) == len(world.reachable_tasks())
    world.allow("/tasks/*/stories")

    both.sync()

    assert equal(both)


# -- when suddenly very much is gone ------------------------------------------------------------------


@pytest.fixture
def emptied(tmp_path: Path) -> Mirrored:
    """A mirror of a hundred tasks, of which sixty were deleted and nobody told."""
    world = generate(23, 100)
    both = mirrored(tmp_path, world)
    world.lose_events(1.0)
    for gid in sorted(world.reachable_tasks())[:60]:
        if world.alive(gid):
            both.write("DELETE", f"/tasks/{gid}")
    return both


def _tombstones(path: Path) -> int:
    return sum(value(path, f"SELECT count(*) FROM {t} WHERE _deleted_at IS NOT NULL") for t in RESOURCES)


def test_a_run_that_would_lose_most_tasks_stops_before_the_first_tombstone(emptied: Mirrored) -> None:
    with pytest.raises(TooManyMissing) as stopped:
        emptied.sync(sweep_every_s=0)

    assert stopped.value.exit_code == 6
    assert stopped.value.hint
    assert _tombstones(emptied.path) == 0
    assert len(living(emptied.path, "tasks")) == 100
    assert value(emptied.path, "SELECT outcome FROM sync_runs ORDER BY id DESC LIMIT 1") == "guarded"
    with pytest.raises(TooManyMissing):
        emptied.sync(max_deletes=20)  # who was missed once is asked for again, without another sweep
    assert _tombstones(emptied.path) == 0


def test_told_that_it_is_right_the_run_goes_through(emptied: Mirrored) -> None:
    with pytest.raises(TooManyMissing):
        emptied.sync(sweep_every_s=0)

    report = emptied.sync(max_deletes=10_000)

    assert report.rows_deleted >= 60
    assert equal_but_for_age(emptied)


def test_tasks_that_came_back_before_the_next_run_are_not_lost(emptied: Mirrored) -> None:
    with pytest.raises(TooManyMissing):
        emptied.sync(sweep_every_s=0)
    gone = [gid for gid in emptied.world.tasks if not emptied.world.alive(gid)]
    for gid in gone:
        emptied.world.undelete(gid)  # of which nobody is told either

    emptied.sync(sweep_every_s=0)

    assert len(living(emptied.path, "tasks")) == 100
    assert equal(emptied)

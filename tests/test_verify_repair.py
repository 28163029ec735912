"""Mirror against Asana: whatever changed there is found and repaired; nothing else is touched."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from truth import differences, living
from verifications import assert_found_and_repaired, compared, is_equal, project_of_some, spoil
from verifications import both as both
from verifications import ours as ours
from verifications import pristine as pristine
from worlds import IN_PROCESS, Listener, Mirrored, always_refused, mirrored, rows, value

from asana_mirror.client import Asana
from asana_mirror.errors import Interrupted, MirrorBusy, TooManyMissing, WrongUsage
from asana_mirror.purge import PurgeOptions, purge
from asana_mirror.repair import Wrong, repaired
from asana_mirror.run import Stop, SyncOptions
from asana_mirror.sandbox import World, generate, random_edits
from asana_mirror.store import hold
from asana_mirror.store.rows import rows_of

# -- changed there ------------------------------------------------------------------------------------


def _task_in_one_project(both: Mirrored) -> tuple[str, str]:
    found = rows(
        both.path,
        "SELECT task_gid, project_gid FROM task_projects JOIN tasks ON gid = task_gid "
        "WHERE assignee_gid IS NULL AND gid NOT IN (SELECT task_gid FROM task_tags) "
        "GROUP BY task_gid HAVING count(*) = 1",
    )[0]
    return found[0], found[1]


def test_a_task_new_there(both: Mirrored) -> None:
    project = project_of_some(both)
    task = both.write("POST", "/tasks", name="New", projects=[project])["gid"]
    below = both.write("POST", f"/tasks/{task}/subtasks", name="Below")["gid"]
    both.write("POST", f"/tasks/{below}/stories", text="Said below")
    assert_found_and_repaired(both, "tasks", task, f"/projects/{project}/tasks")
    assert (
        value(both.path, "SELECT text FROM stories WHERE target_gid = ? ORDER BY gid", below) == "Said below"
    )


def test_a_task_deleted_there(both: Mirrored) -> None:
    task, project = _task_in_one_project(both)
    both.write("POST", f"/tasks/{task}/stories", text="Last words")
    both.sync()
    both.write("DELETE", f"/tasks/{task}")
    assert_found_and_repaired(both, "tasks", task, f"/projects/{project}/tasks")
    assert both.row("tasks", task)["_deleted_reason"] == "gone"
    reasons = rows(both.path, "SELECT DISTINCT _deleted_reason FROM stories WHERE target_gid = ?", task)
    assert [row[0] for row in reasons] == ["parent_deleted"]


def test_a_task_moved_there(both: Mirrored) -> None:
    task, project = _task_in_one_project(both)
    other = value(both.path, "SELECT gid FROM projects WHERE gid != ? AND _synced_at NOT NULL", project)
    both.write("POST", f"/tasks/{task}/addProject", project=other)
    both.write("POST", f"/tasks/{task}/removeProject", project=project)
    assert_found_and_repaired(both, "tasks", task, f"/projects/{other}/tasks")
    assert both.is_alive("tasks", task)


def test_absence_from_one_listing_is_not_death(both: Mirrored) -> None:
    task, project = _task_in_one_project(both)
    both.write("POST", f"/tasks/{task}/removeProject", project=project)
    assert_found_and_repaired(both, "tasks", task, f"/projects/{project}/tasks")
    assert both.is_alive("tasks", task)


def test_a_task_deleted_there_that_no_listing_shows(both: Mirrored) -> None:
    task, project = _task_in_one_project(both)
    both.write("POST", f"/tasks/{task}/removeProject", project=project)
    both.sync()
    both.write("DELETE", f"/tasks/{task}")
    assert_found_and_repaired(both, "tasks", task, None)
    assert not both.is_alive("tasks", task)


def test_a_comment_edited_there(both: Mirrored) -> None:
    comment = next(s for s in both.world.iter_records("stories") if s["type"] == "comment")
    both.write("PUT", f"/stories/{comment['gid']}", text="What I meant")
    assert_found_and_repaired(both, "stories", comment["gid"], "text")


def test_a_project_deleted_there_takes_along_what_stood_only_in_it(both: Mirrored) -> None:
    task, project = _task_in_one_project(both)
    both.write("DELETE", f"/projects/{project}")
    workspace = both.world.workspaces[0]
    assert_found_and_repaired(both, "projects", project, f"/projects?workspace={workspace}")
    assert not both.is_alive("tasks", task)


def test_listings_alone_are_enough_to_find_and_repair_what_came_and_went(both: Mirrored) -> None:
    """Without a sample: what stood below the gone and below the returned is looked after all the same."""
    gone, project = _task_in_one_project(both)
    below = both.write("POST", f"/tasks/{gone}/subtasks", name="Below")["gid"]
    both.sync()
    told = value(both.path, "SELECT target_gid FROM stories WHERE target_gid NOT IN (?, ?)", gone, below)
    spoil(both, "UPDATE tasks SET _deleted_at = '2026' WHERE gid = ?", told)
    spoil(both, "UPDATE stories SET _deleted_at = '2026' WHERE target_gid = ?", told)
    both.write("DELETE", f"/projects/{project}")

    found = compared(both, sample=0, repair=True)

    assert ("projects", project) in {(one.what, one.gid) for one in found.differences}
    assert found.agrees
    assert not both.is_alive("tasks", gone)
    assert not both.is_alive("tasks", below)
    assert both.is_alive("tasks", told)
    assert is_equal(
        both, besides={"reference_gids", "attributable_to_gid"}
    )  # what others say of it, no list tells


def test_a_field_that_no_workspace_lists_any_more_is_gone(tmp_path: Path) -> None:
    both = mirrored(tmp_path, generate(57, 20, workspaces=2, stories_per_task=0.0))
    field = value(both.path, "SELECT gid FROM custom_fields WHERE is_global_to_workspace")
    both.write("DELETE", f"/custom_fields/{field}")
    found = compared(both, sample=0, repair=True)
    assert {(one.what, one.gid) for one in found.differences} == {("custom_fields", field)}
    assert found.agrees
    assert not both.is_alive("custom_fields", field)


def test_a_task_gone_from_its_listing_is_asked_for_by_itself(both: Mirrored) -> None:
    task, _ = _task_in_one_project(both)
    both.write("DELETE", f"/tasks/{task}")
    listener = Listener(both.app)
    assert compared(both, listener, sample=0, repair=True).agrees
    assert f"/tasks/{task}" in {request.path for request in listener.requests}
    assert both.row("tasks", task)["_deleted_reason"] == "gone"


def test_a_task_that_differs_is_read_again_with_what_stands_on_it(both: Mirrored) -> None:
    task, _ = _task_in_one_project(both)
    both.write("POST", f"/tasks/{task}/stories", text="This moved modified_at")

    async def repair() -> None:
        options = SyncOptions(mirror=both.path, token=both.world.token, base_url=IN_PROCESS, per_minute=0)
        async with Asana(options.token, IN_PROCESS, transport=httpx.ASGITransport(both.app)) as asana:
            with rows_of(both.path) as known:
                await repaired(asana, options, Wrong(records=[("tasks", task)]), known, Stop())

    asyncio.run(repair())
    assert is_equal(both)


# Lists of others that name a project, and that no stream tells of.
TOLD_BY_AGE = {"goal_relationships", "portfolio_items", "favorites", "project_briefs"}


def test_what_is_gone_is_nobodys_affair_any_more(both: Mirrored) -> None:
    task, project = _task_in_one_project(both)
    both.write("DELETE", f"/projects/{project}")
    both.sync()
    assert not both.is_alive("tasks", task)
    found = compared(both)
    assert {one.what for one in found.differences} <= TOLD_BY_AGE
    assert found.not_compared == []
    both.sync(max_age_s=0)
    found = compared(both)
    assert (found.differences, found.not_compared) == ([], [])


KINDS = (
    *("section_gone", "section_new", "project_gone", "project_new", "person_gone", "person_new", "delete"),
    *("comment_gone", "detach", "reparent", "add_home", "leave_home", "depend", "field_change", "tag_change"),
    *("team_people", "project_people", "comment_react", "create_below", "assign"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_people_do_is_found_and_repaired(both: Mirrored, kind: str) -> None:
    """Alone, so that no other edit brings along what this one should have brought."""
    assert random_edits(both.world, 4, 1, kinds=[kind])
    assert differences(both.world, both.path)
    found = compared(both, repair=True)
    assert found.repair is not None
    assert found.repair.left == []
    assert is_equal(both)


# -- what a repair leaves alone -----------------------------------------------------------------------


def test_a_repair_asks_only_for_what_differs(both: Mirrored) -> None:
    project = project_of_some(both)
    task = both.write("POST", "/tasks", name="New", projects=[project])["gid"]
    looked = compared(both, sample=0).requests
    listener = Listener(both.app)
    repaired = compared(both, listener, sample=0, repair=True)
    again = [request.path for request in listener.requests[looked:]]
    assert repaired.agrees
    assert sorted(again) == sorted(
        [f"/projects/{project}/tasks"] * 2 + [f"/tasks/{task}/stories", "/attachments"]
    )


def test_a_repair_moves_no_cursor(both: Mirrored) -> None:
    """Events that came before it are still to be heard by the next run."""
    project = project_of_some(both)
    who = value(both.path, "SELECT assignee_gid FROM tasks WHERE assignee_gid IN (SELECT gid FROM users)")
    both.write("POST", "/tasks", name="New", projects=[project], assignee=who)
    spoil(both, "UPDATE sync_checkpoints SET cursor = '2020' WHERE name = 'assigned_tasks'")

    def cursors() -> dict[str, Any]:
        return {row["listing"]: row["cursor"] for row in rows(both.path, "SELECT * FROM sync_checkpoints")}

    before = cursors()
    assert compared(both, sample=0, repair=True).agrees
    assert {listing: cursor for listing, cursor in cursors().items() if listing in before} == before
    assert [row["mode"] for row in rows(both.path, "SELECT mode FROM sync_runs ORDER BY id")] == [
        "first",
        "repair",
    ]
    both.sync()
    assert is_equal(both)


def test_a_repair_forgets_no_problem(both: Mirrored) -> None:
    both.world.refuse(f"/projects/{project_of_some(both)}/sections", 403)
    both.sync(full=True)
    task, _ = _task_in_one_project(both)
    spoil(both, "UPDATE tasks SET name = 'Spoilt' WHERE gid = ?", task)
    assert compared(both, repair=True).agrees
    assert value(both.path, "SELECT count(*) FROM sync_problems") == 1 + len(always_refused(both.world))


def test_a_repair_brings_back_no_purged_person(both: Mirrored) -> None:
    author = value(both.path, "SELECT created_by_gid FROM stories JOIN users ON users.gid = created_by_gid")
    purge(PurgeOptions(both.path, people=((author,),)), agreed=lambda report: None)
    random_edits(both.world, 20, 3)
    found = compared(both, repair=True)
    assert found.repair is not None
    assert found.repair.left == []
    assert both.row("users", author) is None or both.row("users", author)["name"] is None


def _many_vanish(world: World) -> None:
    for gid in sorted(world.reachable_tasks()):
        world.refuse(gid, 404)


def test_the_guard_holds_in_a_repair(tmp_path: Path) -> None:
    both = mirrored(tmp_path, generate(55, 120, projects=2, stories_per_task=0.0))
    lived = living(both.path, "tasks").keys()
    _many_vanish(both.world)
    with pytest.raises(TooManyMissing):
        compared(both, sample=0, repair=True)
    assert living(both.path, "tasks").keys() == lived
    assert value(both.path, "SELECT outcome FROM sync_runs ORDER BY id DESC") == "guarded"
    assert compared(both, sample=0, repair=True, max_deletes=1000).agrees
    assert living(both.path, "tasks").keys() < lived


def test_a_mirror_half_read_is_synced_before_it_is_repaired(ours: Mirrored) -> None:
    spoil(ours, "UPDATE sync_runs SET outcome = 'interrupted'")
    assert compared(ours).agrees
    with pytest.raises(WrongUsage, match="did not come to its end"):
        compared(ours, repair=True)


def test_a_mirror_that_a_run_holds_may_be_compared_but_not_repaired(ours: Mirrored) -> None:
    with hold(ours.path):
        assert compared(ours, sample=5).agrees
        with pytest.raises(MirrorBusy):
            compared(ours, sample=5, repair=True)


def _stopping(both: Mirrored, stop: Stop, after: int) -> Callable[..., Any]:
    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        if both.app.stats.requests >= after:
            stop.set()
        await both.app(scope, receive, send)

    return wrapped


def test_it_stops_on_request(both: Mirrored) -> None:
    both.app.stats.reset()
    stop = Stop()
    with pytest.raises(Interrupted) as stopped:
        compared(both, _stopping(both, stop, 20), stop=stop)
    assert stopped.value.exit_code == 130
    assert both.app.stats.requests < 80

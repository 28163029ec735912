"""Search knows late what happened, and shows at once what there is."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest
from searching import limits, search, search_all

from asana_mirror.sandbox import World, random_edits

LAG_S = 30


@pytest.fixture
def late(front_with: Any) -> Any:
    return front_with(limits(LAG_S))


def a_task(world: World, wanted: Callable[[dict[str, Any]], bool]) -> str:
    home = world.workspaces[0]
    return next(
        gid
        for gid in world.tasks
        if world.records[gid]["workspace"] == home and wanted(world.record(gid)) and world.alive(gid)
    )


def test_a_new_task_is_found_when_the_lag_is_over(late: Any, clock: Any) -> None:
    task = late.done("POST", "/tasks", workspace=late.world.workspaces[0], name="zebra", assignee="me")["gid"]
    clock.now += LAG_S - 1
    assert search(late, text="zebra") == []
    assert task not in search(late, sort_by="created_at")
    clock.now += 1
    assert search(late, text="zebra") == [task]
    assert search(late, sort_by="created_at")[0] == task


def test_a_changed_task_matches_and_sorts_by_its_old_values(late: Any, clock: Any) -> None:
    world = late.world
    task = a_task(world, lambda rec: not rec["completed"])
    before = world.records[task]["modified_at"]
    late.done("PUT", f"/tasks/{task}", completed=True)
    clock.now += LAG_S - 1
    assert task in search_all(late, completed="false")
    assert task not in search_all(late, completed="true")
    assert task not in search_all(late, modified_at__after=before)
    assert search(late, sort_by="modified_at")[0] != task
    clock.now += 1
    assert task in search_all(late, completed="true")
    assert task in search_all(late, modified_at__after=before)
    assert search(late, sort_by="modified_at")[0] == task


def test_a_late_match_is_shown_as_it_is_now(late: Any) -> None:
    world = late.world
    task = a_task(world, lambda rec: not rec["completed"])
    created, old = world.records[task]["created_at"], world.records[task]["name"]
    late.done("PUT", f"/tasks/{task}", name="zebra", completed=True)
    where, fields = f"/workspaces/{world.workspaces[0]}/tasks/search", "name,completed"
    query = {"created_on": created[:10], "text": old, "completed": "false", "opt_fields": fields}
    [shown] = [rec for rec in late.data(where, **query) if rec["gid"] == task]
    assert (shown["name"], shown["completed"]) == ("zebra", True)


def test_two_changes_become_known_one_after_the_other(late: Any, clock: Any) -> None:
    task = a_task(late.world, lambda rec: not rec["parent"])
    for name in ("zebra", "quagga", "okapi"):
        late.done("PUT", f"/tasks/{task}", name=name, notes="")
        clock.now += 10
    known = []
    for _ in range(4):  # from 30 s after the first on
        known.append([name for name in ("zebra", "quagga", "okapi") if task in search_all(late, text=name)])
        clock.now += 10
    assert known == [["zebra"], ["quagga"], ["okapi"], ["okapi"]]


def test_a_trashed_task_is_never_shown_and_one_brought_back_is_late(late: Any, clock: Any) -> None:
    world = late.world
    task = a_task(world, lambda rec: rec["assignee"] is not None)
    late.done("DELETE", f"/tasks/{task}")
    assert task not in search_all(late)
    clock.now += LAG_S
    assert world.undelete(task)
    assert task not in search_all(late)
    clock.now += LAG_S
    assert task in search_all(late)


def test_a_moved_task_is_still_where_it_was(late: Any, clock: Any) -> None:
    world = late.world
    task = a_task(world, lambda rec: len(rec["projects"]) == 1 and not rec["parent"])
    parent = a_task(world, lambda rec: rec["gid"] != task)
    project = world.records[task]["memberships"][0][0]
    late.done("POST", f"/tasks/{task}/removeProject", project=project)
    late.done("POST", f"/tasks/{task}/setParent", parent=parent)
    assert task in search_all(late, projects__any=project)
    assert task not in search_all(late, is_subtask="true")
    clock.now += LAG_S
    assert task not in search_all(late, projects__any=project)
    assert task in search_all(late, is_subtask="true")


def test_attachments_come_and_go_late(late: Any, clock: Any) -> None:
    world = late.world
    task = a_task(world, lambda rec: not world.attachments(world.records[rec["gid"]]))
    form = {"parent": task, "resource_subtype": "external", "name": "Plan", "url": "https://example.com/p"}
    file = asyncio.run(late.ask("POST", "/attachments", data=form)).json()["data"]["gid"]
    assert task not in search_all(late, has_attachment="true")
    clock.now += LAG_S
    assert task in search_all(late, has_attachment="true")
    late.done("DELETE", f"/attachments/{file}")
    assert task in search_all(late, has_attachment="true")
    clock.now += LAG_S
    assert task not in search_all(late, has_attachment="true")


def test_a_task_stays_blocked_until_search_hears_of_the_other(late: Any, clock: Any) -> None:
    world = late.world
    first = a_task(world, lambda rec: not rec["completed"] and not rec["dependents"])
    task = a_task(
        world, lambda rec: not rec["dependencies"] and not rec["dependents"] and rec["gid"] != first
    )
    late.done("POST", f"/tasks/{task}/addDependencies", dependencies=[first])
    clock.now += LAG_S
    late.done("PUT", f"/tasks/{first}", completed=True)
    assert task in search_all(late, is_blocked="true")
    assert first in search_all(late, is_blocking="true")
    clock.now += LAG_S
    assert task not in search_all(late, is_blocked="true")
    assert first not in search_all(late, is_blocking="true")


QUERIES: tuple[dict[str, str], ...] = (
    *({}, {"completed": "true"}, {"is_subtask": "true"}, {"has_attachment": "true"}, {"is_blocked": "true"}),
    *({"due_on": "null"}, {"modified_at__after": "2026-01-01"}, {"assignee__any": "null"}, {"text": "a"}),
    *({"followers__any": "me"}, {"liked_by__not": "me"}, {"resource_subtype": "approval"}),
)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_edited_a_late_search_says_what_was_true_but_for_what_is_gone(
    front_with: Any, clock: Any, seed: int
) -> None:
    prompt, late = front_with(limits()), front_with(limits(LAG_S))
    world, rng = late.world, random.Random(seed)
    for _ in range(4):
        random_edits(world, 20, seed=rng.randrange(10**6))
        home = world.workspaces[0]
        living = {rec["gid"] for rec in world.living(world.tasks) if rec["workspace"] == home}
        assert search_all(prompt) == living
        true_then = [search_all(prompt, **query) for query in QUERIES]
        for pause_s in (1, LAG_S - 1):
            clock.now += pause_s
            random_edits(world, 20, seed=rng.randrange(10**6))
        gone = {gid for gid in world.tasks if not world.alive(gid)}
        assert [search_all(late, **query) for query in QUERIES] == [then - gone for then in true_then]
        clock.now += 7


def test_without_lag_a_new_task_is_found_at_once(front_with: Any) -> None:
    front = front_with(limits())
    before = search_all(front)
    task = front.done("POST", "/tasks", workspace=front.world.workspaces[0], name="zebra")["gid"]
    assert search_all(front) - before == {task}


def test_without_lag_nothing_is_remembered(front: Any) -> None:
    random_edits(front.world, 50, seed=2)
    assert front.world.past.as_of(1e9) == {}


def test_what_is_older_than_the_lag_is_forgotten(late: Any, clock: Any) -> None:
    random_edits(late.world, 50, seed=2)
    assert late.world.past.as_of(LAG_S)
    clock.now += LAG_S + 1
    late.done("PUT", f"/tasks/{late.world.tasks[0]}", name="zebra")
    assert set(late.world.past.as_of(1e9)) == {late.world.tasks[0]}


def test_a_lag_may_begin_while_the_sandbox_runs(front_with: Any, clock: Any) -> None:
    front = front_with(limits())
    task = front.world.tasks[0]
    front.app.limits = limits(LAG_S)
    front.done("PUT", f"/tasks/{task}", name="zebra")
    assert search(front, text="zebra") == []
    clock.now += LAG_S
    assert search(front, text="zebra") == [task]

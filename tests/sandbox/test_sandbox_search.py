"""Search filters and sorts as Asana describes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from searching import path, search, search_all, tasks

Json = dict[str, Any]


def members(key: str) -> Callable[[Json], set[str]]:
    return lambda task: {other["gid"] for other in task[key]}


def one(key: str) -> Callable[[Json], set[str]]:
    return lambda task: {task[key]["gid"]} if task[key] else set()


def sections(task: Json) -> set[str]:
    return {place["section"]["gid"] for place in task["memberships"]}


TIES: dict[str, Callable[[Json], set[str]]] = {
    "projects": members("projects"),
    "sections": sections,
    "tags": members("tags"),
    "followers": members("followers"),
    "assignee": one("assignee"),
    "assigned_by": one("assigned_by"),
    "created_by": one("created_by"),
}


@pytest.mark.parametrize("field", TIES)
def test_any_and_not_part_the_tasks_in_two(quiet: Any, field: str) -> None:
    every, get = tasks(quiet.world), TIES[field]
    wanted = set(sorted({gid for task in every for gid in get(task)})[:3])
    given = ",".join(wanted)
    with_them = {task["gid"] for task in every if get(task) & wanted}
    assert with_them
    assert search_all(quiet, **{f"{field}__any": given}) == with_them
    assert search_all(quiet, **{f"{field}__not": given}) == {task["gid"] for task in every} - with_them


@pytest.mark.parametrize("field", ["projects", "sections", "tags"])
def test_all_wants_every_one_of_them(quiet: Any, field: str) -> None:
    every, get = tasks(quiet.world), TIES[field]
    wanted = next(get(task) for task in every if len(get(task)) > 1)
    found = search_all(quiet, **{f"{field}__all": ",".join(wanted)})
    assert found == {task["gid"] for task in every if wanted <= get(task)}


def test_projects_and_sections_together_find_what_is_in_either(quiet: Any) -> None:
    every = tasks(quiet.world)
    project = next(task["projects"][0]["gid"] for task in every if task["projects"])
    section = next(
        place["section"]["gid"]
        for task in every
        for place in task["memberships"]
        if place["project"]["gid"] != project
    )
    either = {t["gid"] for t in every if project in TIES["projects"](t) or section in sections(t)}
    assert search_all(quiet, projects__any=project, sections__any=section) == either


def test_unknown_places_exclude_nothing_and_hold_nothing(quiet: Any) -> None:
    everything = {task["gid"] for task in tasks(quiet.world)}
    assert search_all(quiet, projects__not="404,405") == everything
    assert search_all(quiet, projects__any="404") == set()


def test_a_team_stands_for_its_projects(quiet: Any) -> None:
    world = quiet.world
    team = next(p["team"]["gid"] for p in world.iter_records("projects") if p["team"])
    theirs = {p["gid"] for p in world.iter_records("projects") if p["team"] and p["team"]["gid"] == team}
    wanted = {task["gid"] for task in tasks(world) if TIES["projects"](task) & theirs}
    assert search_all(quiet, teams__any=team) == wanted


def test_a_person_is_me_or_an_email_or_a_gid(quiet: Any) -> None:
    world = quiet.world
    email = world.records[world.me]["email"]
    mine = {task["gid"] for task in tasks(world) if world.me in TIES["followers"](task)}
    assert mine
    for name in ("me", email, world.me):
        assert search_all(quiet, followers__any=name) == mine


def test_people_who_like_a_task_can_be_left_out(quiet: Any) -> None:
    liked = {t["gid"] for t in tasks(quiet.world) if t["liked"]}
    assert liked
    assert search_all(quiet, liked_by__not="me") == {t["gid"] for t in tasks(quiet.world)} - liked


@pytest.mark.parametrize("value", ["true", "false"])
@pytest.mark.parametrize("name", ["is_subtask", "has_attachment", "completed", "is_blocked", "is_blocking"])
def test_flags_part_the_tasks_in_two(quiet: Any, name: str, value: str) -> None:
    world = quiet.world
    done = {task["gid"]: task["completed"] for task in tasks(world)}
    true_of: dict[str, Callable[[Json], bool]] = {
        "is_subtask": lambda task: task["parent"] is not None,
        "has_attachment": lambda task: bool(world.attachments(world.records[task["gid"]])),
        "completed": lambda task: task["completed"],
        "is_blocked": lambda task: any(not done[other["gid"]] for other in task["dependencies"]),
        "is_blocking": lambda task: not task["completed"] and bool(task["dependents"]),
    }
    wanted = {task["gid"] for task in tasks(world) if true_of[name](task) == (value == "true")}
    assert wanted
    assert search_all(quiet, **{name: value}) == wanted


MOMENTS = ("created_at", "modified_at", "completed_at", "due_at")
DAYS = ("due_on", "start_on", "created_on", "modified_on", "completed_on")


@pytest.mark.parametrize("field", [*MOMENTS, *DAYS])
def test_before_and_after_leave_out_their_bound(quiet: Any, field: str) -> None:
    held: dict[str, str] = {}
    for task in tasks(quiet.world):
        value = task.get(field) or task.get(field.replace("_on", "_at"))
        if value:
            held[task["gid"]] = value[:10] if field in DAYS else value
    bound = sorted(held.values())[len(held) // 2]
    later = search_all(quiet, **{f"{field}__after": bound})
    assert later == {gid for gid, value in held.items() if value > bound}
    earlier = search_all(quiet, **{f"{field}__before": bound})
    assert earlier == {gid for gid, value in held.items() if value < bound}
    if field in DAYS:
        assert search_all(quiet, **{field: bound}) == {gid for gid, value in held.items() if value == bound}


def test_null_finds_tasks_without_a_day(quiet: Any) -> None:
    for field in ("due_on", "start_on"):
        without = {task["gid"] for task in tasks(quiet.world) if task[field] is None}
        assert search_all(quiet, **{field: "null"}) == without
    assert search_all(quiet, created_on="null") == set()


def test_subtypes_and_words_are_found(quiet: Any) -> None:
    every = tasks(quiet.world)
    approvals = {task["gid"] for task in every if task["resource_subtype"] == "approval"}
    assert search_all(quiet, resource_subtype="approval") == approvals
    assert every[5]["gid"] in search_all(quiet, text=every[5]["name"].upper())


@pytest.mark.parametrize(
    "query",
    [
        {"offset": "eyJ0"},
        {"created_at": "2024-01-01"},
        {"teams__not": "1"},
        {"completed": "maybe"},
        {"due_on__after": "null"},
        {"modified_at__after": "yesterday"},
        {"resource_subtype": "section"},
        {"sort_by": "name"},
        {"limit": "101"},
    ],
)
def test_what_search_does_not_have_is_refused(quiet: Any, query: dict[str, str]) -> None:
    named = {name.replace("__", "."): value for name, value in query.items()}
    assert quiet.get(path(quiet.world), **named).status_code == 400


def test_every_order_of_the_description_is_kept(quiet: Any) -> None:
    keys: dict[str, Callable[[Json], Any]] = {
        "created_at": lambda rec: rec["created_at"],
        "modified_at": lambda rec: rec["modified_at"],
        "completed_at": lambda rec: rec["completed_at"] or "",
        "due_date": lambda rec: rec["due_at"] or rec["due_on"] or "",
        "likes": lambda rec: rec["num_likes"],
    }
    for name, key in keys.items():
        for ascending in ("true", "false"):
            found = [quiet.world.record(gid) for gid in search(quiet, sort_by=name, sort_ascending=ascending)]
            values = [key(rec) for rec in found]
            assert len(values) == 100
            assert values == sorted(values, reverse=ascending == "false"), name

"""The switch by which agents act everywhere, as Asana has announced it for its next phase."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from asana_mirror.sandbox import World, generate, random_edits
from asana_mirror.sandbox.edits_goals import change_goals

PLACES = (  # resource and field that agents come to stand in
    ("tasks", "created_by"),
    ("tasks", "completed_by"),
    ("tasks", "followers"),
    ("tasks", "likes"),
    ("projects", "members"),
    ("projects", "followers"),
    ("stories", "created_by"),
    ("status_updates", "author"),
    ("status_updates", "likes"),
    ("goals", "followers"),
    ("project_memberships", "member"),
    ("goal_memberships", "member"),
)


@pytest.fixture(scope="module")
def acting() -> World:
    world = generate(seed=7, tasks=600, workspaces=2)
    world.let_agents_act()
    return world


def people_in(value: Any) -> Iterator[dict[str, Any]]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict):
            yield one.get("user", one)


@pytest.mark.parametrize(("resource", "field"), PLACES)
def test_agents_stand_where_people_do(acting: World, resource: str, field: str) -> None:
    kinds = [who["resource_type"] for rec in acting.iter_records(resource) for who in people_in(rec[field])]
    assert {"agent", "user"} <= set(kinds)


def test_the_same_world_gives_the_same_agents() -> None:
    one, two = generate(seed=3, tasks=150), generate(seed=3, tasks=150)
    plain = list(one.iter_records("status_updates"))
    for world in (one, two):
        world.let_agents_act()
    for resource in ("tasks", "projects", "stories", "status_updates", "goals", "memberships"):
        assert list(one.iter_records(resource)) == list(two.iter_records(resource))
    assert [rec["gid"] for rec in one.iter_records("status_updates")] == [rec["gid"] for rec in plain]
    assert list(one.iter_records("status_updates")) != plain


def test_agents_show_only_to_requests_that_enable_them(front_with: Any) -> None:
    front = front_with()
    world = front.world
    world.let_agents_act()
    by_agents = [
        rec["gid"]
        for rec in world.iter_records("status_updates")
        if rec["author"]["resource_type"] == "agent"
    ]
    path = f"/status_updates/{by_agents[0]}"
    assert front.data(path) | {"html_text": 0} == world.record(by_agents[0]) | {"html_text": 0}
    assert front_with(agents=False).data(path)["author"] is None


def test_agents_make_edits_and_events_name_them(front: Any) -> None:
    world = front.world
    world.let_agents_act()
    project = world.inside["project", world.workspaces[0]]
    syncs = {gid: front.get("/events", resource=gid).json()["sync"] for gid in project}
    random_edits(world, 150, seed=4)
    rng = random.Random(4)
    for _ in range(60):
        change_goals(world, rng)
    kinds = set()
    for gid, sync in syncs.items():
        answer = front.get("/events", resource=gid, sync=sync)
        for event in answer.json()["data"] if answer.status_code == 200 else ():
            kinds.add((event["user"] or {}).get("resource_type"))
    assert {"agent", "user"} <= kinds
    teams = list(world.iter_records("team_memberships"))
    assert {membership["user"]["resource_type"] for membership in teams} == {"user"}

"""My Tasks, what goes with what, and what a service account alone may read."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import Front
from plans import PLURALS, description_of_plans, gids, records
from test_sandbox_description import Description

from asana_mirror.sandbox import change_tasks, create_app


@pytest.fixture(scope="module")
def description() -> Description:
    found = description_of_plans()
    if found is None:
        pytest.skip("asana-openapi.json is not at hand")
    return found


# -- My Tasks --------------------------------------------------------------------------------------


def test_ones_own_my_tasks_have_sections_and_those_of_others_none(front: Front, front_with: Any) -> None:
    world, ws = front.world, front.world.workspaces[0]
    mine = world.user_task_list(world.me, ws)["gid"]
    sections = front.data(f"/projects/{mine}/sections", opt_fields="name,project,projects")
    assert 2 <= len(sections) <= 4
    assert all(rec["project"] is None and rec["projects"] == [] for rec in sections)
    limited = front_with(token=world.tokens["limited"])
    other = limited.data("/users/me/user_task_list", workspace=ws)["gid"]
    assert front.get(f"/projects/{other}/sections").status_code == 404
    foreign = limited.data(f"/projects/{other}/sections")[0]["gid"]
    assert front.get(f"/sections/{foreign}").status_code == 404
    assert limited.get(f"/sections/{foreign}").status_code == 200
    placed = [t for t in world.iter_records("tasks") if t["assignee"] and t["assignee"]["gid"] == world.me]
    assert placed
    assert {t["assignee_section"]["gid"] for t in placed} <= set(gids(sections))
    by_section = [gids(front.all(f"/sections/{rec['gid']}/tasks")) for rec in sections]
    assert sorted(gid for found in by_section for gid in found) == sorted(gids(placed))


def test_every_member_has_a_task_list(quiet: Front) -> None:
    for membership in quiet.world.iter_records("workspace_memberships"):
        told = membership["user_task_list"]["gid"]
        assert quiet.data(f"/user_task_lists/{told}")["owner"]["gid"] == membership["user"]["gid"]
    assert len(records(quiet.world, "user_task_list")) == len(
        list(quiet.world.iter_records("workspace_memberships"))
    )


# -- what goes with what ---------------------------------------------------------------------------


def test_what_stands_on_a_deleted_project_or_task_goes_and_comes_with_it(front: Front) -> None:
    world = front.world
    budget = records(world, "budget")[0]
    project = budget["parent"]["gid"]
    below = [
        r
        for kind in ("budget", "rate", "allocation")
        for r in records(world, kind)
        if r["parent"]["gid"] == project
    ]
    front.done("DELETE", f"/projects/{project}")
    for rec in below:
        assert front.get(f"/{PLURALS[rec['resource_type']]}/{rec['gid']}").status_code == 404
    assert front.get("/budgets", parent=project).status_code == 404
    assert world.undelete(project)
    assert front.data(f"/budgets/{budget['gid']}") == budget
    entry = records(world, "time_tracking_entry")[0]
    front.done("DELETE", f"/tasks/{entry['task']['gid']}")
    assert front.get(f"/time_tracking_entries/{entry['gid']}").status_code == 404
    ws = world.workspaces[0]
    day = entry["entered_on"]
    assert entry["gid"] not in gids(
        front.data("/time_tracking_entries", workspace=ws, entered_on_start_date=day)
    )


def test_who_leaves_takes_absences_and_wishes_along(front: Front) -> None:
    world, ws = front.world, front.world.workspaces[0]
    user = list(world.members[ws])[3]
    made = front.done(
        "POST", "/ooo_entries", workspace=ws, user=user, start_date="2027-01-01", end_date="2027-01-01"
    )
    world.favorites[world.me, ws].append(user)
    assert user in gids(front.data("/users/me/favorites", workspace=ws, resource_type="user"))
    world.leave(user)
    assert user not in gids(front.data("/users/me/favorites", workspace=ws, resource_type="user"))
    assert front.get(f"/ooo_entries/{made['gid']}").status_code == 404
    assert front.get("/ooo_entries", user=user, workspace=ws).status_code == 404
    assert user not in [r["requester"]["gid"] for r in records(world, "access_request")]
    assert user not in [r["owner"]["gid"] for r in records(world, "user_task_list")]


def test_a_limited_token_sees_only_what_stands_on_what_it_sees(quiet: Front) -> None:
    world, ws = quiet.world, quiet.world.workspaces[0]
    token = world.tokens["limited"]
    limited = Front(world, create_app(world, clock=lambda: 1_790_000_000.0), token)
    every = records(world, "time_tracking_entry")
    visible = {r["gid"] for r in every if world.visible(token, r["task"]["gid"])}
    assert visible < {r["gid"] for r in every}
    found = limited.all("/time_tracking_entries", workspace=ws, entered_on_start_date="2000-01-01")
    assert set(gids(found)) == visible
    for rec in records(world, "allocation"):
        seen = world.visible(token, rec["parent"]["gid"])
        assert limited.get(f"/allocations/{rec['gid']}").status_code == (200 if seen else 404)


# -- for service accounts alone --------------------------------------------------------------------


@pytest.fixture
def service(front: Front, front_with: Any) -> Front:
    return front_with(token=front.world.tokens["service"])  # type: ignore[no-any-return]


def test_only_a_service_account_reads_the_audit_log(
    front: Front, service: Front, description: Description
) -> None:
    ws = front.world.workspaces[0]
    path = f"/workspaces/{ws}/audit_log_events"
    assert front.get(path).status_code == 403
    answer = service.get(path).json()
    description.check("/workspaces/{}/audit_log_events", answer)
    times = [rec["created_at"] for rec in answer["data"]]
    assert times == sorted(times)
    assert len(times) == 30
    assert "resource_type" not in answer["data"][0]


def test_the_audit_log_is_filtered_and_never_ends(front: Front, service: Front, clock: Any) -> None:
    world, ws = front.world, front.world.workspaces[0]
    path = f"/workspaces/{ws}/audit_log_events"
    every = service.data(path)
    at = every[10]["created_at"]
    assert service.data(path, start_at=at) == every[10:]
    assert service.data(path, end_at=at) == every[:10]
    one = next(rec for rec in every if rec["actor"]["actor_type"] == "user")
    for name, value, of in (
        ("event_type", one["event_type"], lambda r: r["event_type"]),
        ("actor_type", "asana", lambda r: r["actor"]["actor_type"]),
        ("actor_gid", one["actor"]["gid"], lambda r: r["actor"].get("gid")),
        ("resource_gid", one["resource"]["gid"], lambda r: r["resource"]["gid"]),
    ):
        assert service.data(path, **{name: value}) == [rec for rec in every if of(rec) == value], name
    assert service.get(path, actor_type="robot").status_code == 400
    assert service.get(path, event_type="nothing_like_it", limit=10).json() == {"data": [], "next_page": None}

    offset, found = None, []
    while len(found) < 30:
        answer = service.get(path, limit=7, **({"offset": offset} if offset else {})).json()
        found += answer["data"]
        offset = answer["next_page"]["offset"]
    assert found == every
    quiet = service.get(path, limit=7, offset=offset).json()
    assert quiet["data"] == []
    clock.now += 90_000  # no offset of this list expires
    made = world.log_audit("task_deleted", resource=world.tasks[0])
    later = service.get(path, limit=7, offset=quiet["next_page"]["offset"]).json()
    assert gids(later["data"]) == [made["gid"]]
    assert later["next_page"]
    assert world.audit.forget(at) == 10
    assert gids(service.data(path)) == [*gids(every[10:]), made["gid"]]


def test_a_service_account_hears_of_the_whole_workspace(
    front: Front, service: Front, description: Description
) -> None:
    world, ws = front.world, front.world.workspaces[0]
    path = f"/workspaces/{ws}/events"
    assert front.get(path).status_code == 403
    first = service.get(path)
    assert first.status_code == 412
    for k in range(1003):
        change_tasks.create_task(world, world.me, {"workspace": ws, "name": f"task {k}"})
    front.done("PUT", f"/tasks/{world.tasks[0]}", name="The last one")
    answer = service.get(path, sync=first.json()["sync"]).json()
    description.check("/workspaces/{}/events", answer)
    assert (len(answer["data"]), answer["has_more"]) == (1000, True)
    rest = service.get(path, sync=answer["sync"]).json()
    assert not rest["has_more"]
    assert world.tasks[0] in {event["resource"]["gid"] for event in rest["data"]}
    assert service.get(path, sync="nonsense").status_code == 412

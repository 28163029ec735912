"""Memberships of all five kinds, as /memberships has them and as the deprecated paths do."""

from __future__ import annotations

from typing import Any

import pytest

KINDS = ("project", "portfolio", "goal", "custom_field", "custom_type")


def records(world: Any, kind: str) -> list[dict[str, Any]]:
    return list(world.iter_records(f"{kind}_memberships"))


def parents(world: Any, kind: str) -> list[str]:
    return list(dict.fromkeys(rec["parent"]["gid"] for rec in records(world, kind)))


@pytest.mark.parametrize("kind", KINDS)
def test_memberships_are_listed_by_parent_and_member(quiet: Any, kind: str) -> None:
    world = quiet.world
    expected = records(world, kind)
    assert expected
    found = []
    for parent in parents(world, kind):
        listed = quiet.all("/memberships", parent=parent, limit=2)
        found += listed
        member = listed[-1]["member"]
        one = quiet.data("/memberships", parent=parent, member=member["gid"])
        assert one == listed[-1:]
        single = quiet.data(f"/memberships/{one[0]['gid']}")
        assert (
            single.items()
            >= {key: one[0][key] for key in ("gid", "member", "parent", "access_level")}.items()
        )
    assert [rec["gid"] for rec in found] == [rec["gid"] for rec in expected]
    assert {rec["resource_subtype"] for rec in found} == {f"{kind}_membership"}
    kinds = {rec["member"]["resource_type"] for rec in found}
    assert kinds >= {"user", "team"}


def test_fields_cannot_be_chosen(quiet: Any) -> None:
    goal = parents(quiet.world, "goal")[0]
    plain = quiet.data("/memberships", parent=goal)
    assert quiet.data("/memberships", parent=goal, opt_fields="access_level") == plain
    path = f"/memberships/{plain[0]['gid']}"
    assert quiet.data(path, opt_fields="user") == quiet.data(path)


def test_a_parent_or_a_member_with_a_kind_is_needed(quiet: Any) -> None:
    world = quiet.world
    team = world.inside["team", world.workspaces[0]][0]
    assert quiet.get("/memberships").status_code == 400
    assert quiet.get("/memberships", member=team).status_code == 400
    assert quiet.get("/memberships", member=team, resource_subtype="task_membership").status_code == 400
    assert quiet.get("/memberships", parent="12345").status_code == 404
    assert quiet.get("/memberships", parent=world.tasks[0]).status_code == 400
    for kind in ("project", "goal"):
        subtype = f"{kind}_membership"
        found = quiet.all("/memberships", member=team, resource_subtype=subtype)
        expected = [rec["gid"] for rec in records(world, kind) if rec["member"]["gid"] == team]
        assert [rec["gid"] for rec in found] == expected


@pytest.mark.parametrize("kind", KINDS)
def test_access_is_granted_changed_and_ended(front: Any, kind: str) -> None:
    world = front.world
    parent = parents(world, kind)[0]
    held = {rec["member"]["gid"] for rec in front.data("/memberships", parent=parent)}
    ws = world.workspaces[0]
    for member in (next(gid for gid in [*world.members[ws], *world.inside["agent", ws]] if gid not in held),):
        given = {"parent": parent, "member": member, "access_level": "editor"}
        made = front.done("POST", "/memberships", **given)
        assert (made["member"]["gid"], made["access_level"]) == (member, "editor")
        path = f"/memberships/{made['gid']}"
        assert front.done("PUT", path, access_level="admin")["access_level"] == "admin"
        assert front.write("PUT", path, access_level="king").status_code == 400
        front.done("DELETE", path)
        assert front.get(path).status_code == 404
    assert {rec["member"]["gid"] for rec in front.data("/memberships", parent=parent)} == held


def test_teams_join_and_leave_but_not_a_projects_own(front: Any) -> None:
    world = front.world
    ws = world.workspaces[0]
    goal = world.inside["goal", ws][0]
    team = world.inside["team", ws][1]
    made = front.done("POST", "/memberships", parent=goal, member=team)
    assert made["member"]["resource_type"] == "team"
    assert made["user"] is None
    front.done("DELETE", f"/memberships/{made['gid']}")
    own = next(rec for rec in records(world, "project") if rec["member"]["resource_type"] == "team")
    assert front.write("DELETE", f"/memberships/{own['gid']}").status_code == 400


def test_sharing_a_project_moves_its_modified_at(front: Any, clock: Any) -> None:
    world = front.world
    project = world.inside["project", world.workspaces[0]][0]
    outside = next(
        gid for gid in world.members[world.workspaces[0]] if gid not in world.records[project]["members"]
    )
    clock.now += 10
    made = front.done("POST", "/memberships", parent=project, member=outside)
    shown = front.data(f"/projects/{project}")
    assert outside in [member["gid"] for member in shown["members"]]
    assert shown["modified_at"] == world.now()
    assert front.data(f"/project_memberships/{made['gid']}")["write_access"] == "full_write"


def test_who_leaves_the_workspace_shares_nothing_in_it_any_more(front: Any) -> None:
    world = front.world
    people = [rec["member"]["gid"] for kind in KINDS for rec in records(world, kind)]
    leaver = max(
        (gid for gid in people if gid != world.me and gid in world.members[world.workspaces[0]]),
        key=people.count,
    )
    assert people.count(leaver) > 4
    world.leave(leaver)
    assert leaver not in [rec["member"]["gid"] for kind in KINDS for rec in records(world, kind)]


def test_the_deprecated_paths_name_the_same_memberships(quiet: Any) -> None:
    world = quiet.world
    project, portfolio = parents(world, "project")[0], parents(world, "portfolio")[0]
    plain = quiet.data("/memberships", parent=project)
    older = quiet.all(f"/projects/{project}/project_memberships", limit=1)
    assert [rec["gid"] for rec in older] == [rec["gid"] for rec in plain]
    assert {rec["resource_type"] for rec in older} == {"project_membership"}
    person = next(rec["member"]["gid"] for rec in plain if rec["member"]["resource_type"] == "user")
    assert len(quiet.data(f"/projects/{project}/project_memberships", user=person)) == 1
    people = [
        rec["gid"]
        for rec in quiet.data("/memberships", parent=portfolio)
        if rec["member"]["resource_type"] == "user"
    ]
    assert [rec["gid"] for rec in quiet.data("/portfolio_memberships", portfolio=portfolio)] == people
    by_path = quiet.data(f"/portfolios/{portfolio}/portfolio_memberships")
    assert [rec["gid"] for rec in by_path] == people
    user = by_path[0]["user"]["gid"]
    ws = world.workspaces[0]
    found = quiet.data("/portfolio_memberships", workspace=ws, user=user)
    assert by_path[0]["gid"] in [rec["gid"] for rec in found]
    assert {rec["user"]["gid"] for rec in found} == {user}
    assert quiet.get("/portfolio_memberships").status_code == 400
    assert quiet.get("/portfolio_memberships", workspace=ws).status_code == 400
    assert quiet.data(f"/portfolio_memberships/{people[0]}")["portfolio"]["gid"] == portfolio
    assert quiet.get(f"/project_memberships/{people[0]}").status_code == 404

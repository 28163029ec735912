"""What the lists of plans and tracked time show, and how it changes."""

from __future__ import annotations

from typing import Any

from conftest import Front
from plans import gids, records

from asana_mirror.sandbox import World


def test_roles_come_compact_and_standard_ones_cannot_be_changed(front: Front) -> None:
    ws = front.world.workspaces[0]
    found = front.data("/roles", workspace=ws)
    assert {rec["is_standard_role"] for rec in found} == {True, False}
    assert set(found[0]) == {"gid", "resource_type", "name", "description", "is_standard_role"}
    standard = next(rec for rec in found if rec["is_standard_role"])
    assert front.write("PUT", f"/roles/{standard['gid']}", name="x").status_code == 403
    made = front.done("POST", "/roles", workspace=ws, name="R", description="", base_role_type="guest")
    assert front.done("PUT", f"/roles/{made['gid']}", permissions={"create_goal": True})["permissions"] == {
        "create_goal": True
    }
    front.done("DELETE", f"/roles/{made['gid']}")
    assert front.get(f"/roles/{made['gid']}").status_code == 404


def test_periods_nest_and_are_filtered_by_their_days(quiet: Front) -> None:
    ws = quiet.world.workspaces[0]
    found = {rec["gid"]: rec for rec in records(quiet.world, "time_period")}
    assert len(found) == 14
    for rec in found.values():
        parent = rec["parent"]
        assert (parent is None) == (rec["period"] == "FY")
        assert parent is None or parent["start_on"] <= rec["start_on"] <= rec["end_on"] <= parent["end_on"]
    later = quiet.data("/time_periods", workspace=ws, start_on="2026-01-01", end_on="2026-06-30")
    assert {rec["period"] for rec in later} == {"H1", "Q1", "Q2"}


def test_entries_add_up_to_the_actual_time_of_their_task(front: Front) -> None:
    world = front.world
    spent: dict[str, int] = {}
    for entry in records(world, "time_tracking_entry"):
        spent[entry["task"]["gid"]] = spent.get(entry["task"]["gid"], 0) + entry["duration_minutes"]
    told = {
        t["gid"]: t["actual_time_minutes"] for t in world.iter_records("tasks") if t["actual_time_minutes"]
    }
    assert spent == told
    task = next(iter(spent))
    made = front.done("POST", f"/tasks/{task}/time_tracking_entries", duration_minutes=7)
    assert front.data(f"/tasks/{task}")["actual_time_minutes"] == spent[task] + 7
    front.done("PUT", f"/time_tracking_entries/{made['gid']}", duration_minutes=9)
    assert front.data(f"/tasks/{task}")["actual_time_minutes"] == spent[task] + 9
    front.done("DELETE", f"/time_tracking_entries/{made['gid']}")
    assert front.data(f"/tasks/{task}")["actual_time_minutes"] == spent[task]
    assert front.write("POST", f"/tasks/{task}/time_tracking_entries", duration_minutes=0).status_code == 400


def test_entries_are_found_by_all_that_is_asked_for(quiet: Front) -> None:
    world = quiet.world
    every = records(world, "time_tracking_entry")
    one = next(rec for rec in every if rec["attributable_to"])
    day, user = one["entered_on"], one["created_by"]["gid"]
    for query, fits in (
        ({"task": one["task"]["gid"]}, lambda r: r["task"] == one["task"]),
        (
            {"attributable_to": one["attributable_to"]["gid"]},
            lambda r: r["attributable_to"] == one["attributable_to"],
        ),
        ({"user": user}, lambda r: r["created_by"]["gid"] == user),
        (
            {"user": user, "entered_on_start_date": day},
            lambda r: r["created_by"]["gid"] == user and r["entered_on"] >= day,
        ),
        (
            {"user": user, "task": one["task"]["gid"]},
            lambda r: r["created_by"]["gid"] == user and r["task"] == one["task"],
        ),
    ):
        assert set(gids(quiet.all("/time_tracking_entries", **query))) == {
            r["gid"] for r in every if fits(r)
        }, query
    ws = world.records[one["gid"]]["workspace"]
    found = quiet.all(
        "/time_tracking_entries", workspace=ws, entered_on_start_date=day, entered_on_end_date=day
    )
    here = {r["gid"] for r in every if r["entered_on"] == day and world.records[r["gid"]]["workspace"] == ws}
    assert set(gids(found)) == here
    portfolio = next(p for p in world.iter_records("portfolios") if set(world.records[p["gid"]]["items"]))
    items = world.records[portfolio["gid"]]["items"]
    found = quiet.all("/time_tracking_entries", portfolio=portfolio["gid"])
    assert set(gids(found)) == {
        r["gid"] for r in every if r["attributable_to"] and r["attributable_to"]["gid"] in items
    }


def test_entries_of_a_week_are_those_of_its_timesheet(quiet: Front) -> None:
    some = 0
    for week in records(quiet.world, "timesheet_approval_status"):
        for entry in quiet.data(
            "/time_tracking_entries",
            timesheet_approval_status=week["gid"],
            opt_fields="approval_status,entered_on",
        ):
            assert week["start_date"] <= entry["entered_on"] <= week["end_date"]
            assert entry["approval_status"] == week["approval_status"]
            some += 1
    assert some


def test_lists_of_entries_may_know_only_what_is_documented(front: Front) -> None:
    entry = records(front.world, "time_tracking_entry")[0]
    asked = {"task": entry["task"]["gid"], "opt_fields": "task,created_at,description,entered_on"}
    assert {"task", "created_at", "description"} < set(front.data("/time_tracking_entries", **asked)[0])
    front.world.lists_only_documented_fields = True
    assert set(front.data("/time_tracking_entries", **asked)[0]) == {"gid", "resource_type", "entered_on"}
    path = f"/time_tracking_entries/{entry['gid']}"
    assert "task" in front.data(path, opt_fields="task")


def test_archived_categories_come_only_when_asked_for(front: Front) -> None:
    ws = front.world.workspaces[0]
    living = front.data("/time_tracking_categories", workspace=ws, opt_fields="is_archived")
    archived = front.data(
        "/time_tracking_categories", workspace=ws, is_archived="true", opt_fields="is_archived"
    )
    assert {rec["is_archived"] for rec in living} == {False}
    assert {rec["is_archived"] for rec in archived} == {True}
    front.done("PUT", f"/time_tracking_categories/{living[0]['gid']}", is_archived=True)
    assert living[0]["gid"] not in gids(front.data("/time_tracking_categories", workspace=ws))


def test_timesheets_are_filtered_and_change_only_as_they_may(front: Front) -> None:
    ws, every = front.world.workspaces[0], records(front.world, "timesheet_approval_status")
    path = "/timesheet_approval_statuses"
    draft = front.data(path, workspace=ws, approval_statuses="draft,rejected")
    assert set(gids(draft)) == {r["gid"] for r in every if r["approval_status"] in ("DRAFT", "REJECTED")}
    one = every[0]
    found = front.data(
        path, workspace=ws, from_date=one["end_date"], to_date=one["end_date"], user=one["user"]["gid"]
    )
    assert gids(found) == [one["gid"]]
    week = next(r for r in every if r["approval_status"] == "DRAFT")
    assert front.write("PUT", f"{path}/{week['gid']}", approval_status="approved").status_code == 400
    assert (
        front.done("PUT", f"{path}/{week['gid']}", approval_status="submitted")["approval_status"]
        == "SUBMITTED"
    )
    given = {"workspace": ws, "user": "me", "start_date": "2026-01-06", "end_date": "2026-01-12"}
    assert front.write("POST", path, **given).status_code == 400
    assert (
        front.write(
            "POST", path, **given | {"start_date": "2026-01-05", "end_date": "2026-01-11"}
        ).status_code
        == 201
    )


def test_allocations_are_of_people_and_placeholders(front: Front) -> None:
    ws, every = front.world.workspaces[0], records(front.world, "allocation")
    assert {rec["assignee"]["resource_type"] for rec in every} == {"user", "placeholder"}
    assert {rec["effort"] and rec["effort"]["type"] for rec in every} == {None, "hours", "percent"}
    for rec in every:
        assert rec in front.data("/allocations", parent=rec["parent"]["gid"])
        assert rec in front.data("/allocations", assignee=rec["assignee"]["gid"], workspace=ws)
    other = front.world.inside["project", ws][-1]
    assert front.done("PUT", f"/allocations/{every[0]['gid']}", parent=other)["parent"]["gid"] == other
    assert every[0]["gid"] in gids(front.data("/allocations", parent=other))
    assert every[0]["gid"] not in gids(front.data("/allocations", parent=every[0]["parent"]["gid"]))


def test_a_budget_counts_what_was_spent_on_its_project(front: Front) -> None:
    ws = front.world.workspaces[0]
    project = front.world.inside["project", ws][1]
    made = front.done(
        "POST", "/budgets", parent=project, budget_type="time", total={"enabled": True, "value": 600}
    )
    assert front.write("POST", "/budgets", parent=project, budget_type="time").status_code == 400
    task = front.world.project_order(project)[0]
    given = {"duration_minutes": 30, "attributable_to": project, "billable_status": "billable"}
    entry = front.done("POST", f"/tasks/{task}/time_tracking_entries", **given)
    before = front.data(f"/budgets/{made['gid']}")
    front.done("DELETE", f"/time_tracking_entries/{entry['gid']}")
    after = front.data(f"/budgets/{made['gid']}")
    assert before["actual"]["value"] == after["actual"]["value"] + 30
    assert (after["total"]["units"], after["total"]["value"]) == ("minutes", 600)
    assert after["estimate"] == {
        "billable_status_filter": "billable", "source": "none", "enabled": False, "units": None, "value": None
    }  # fmt: skip
    assert front.data("/budgets", parent=project, opt_fields="gid") == [after]
    cost = front.done("PUT", f"/budgets/{made['gid']}", budget_type="cost")
    assert (cost["total"]["units"], cost["total"]["value"]) == ("EUR", 0)


def test_rates_are_one_per_project_and_resource(front: Front) -> None:
    rate = records(front.world, "rate")[0]
    parent, resource = rate["parent"]["gid"], rate["resource"]["gid"]
    assert front.data("/rates", parent=parent, resource=resource) == [rate]
    assert front.write("POST", "/rates", parent=parent, resource=resource, rate=1).status_code == 400
    assert front.done("PUT", f"/rates/{rate['gid']}", rate=12.25)["rate"] == 12.25
    front.done("DELETE", f"/rates/{rate['gid']}")
    assert front.data("/rates", parent=parent, resource=resource) == []


def test_absences_are_filtered_by_overlap(front: Front) -> None:
    ws = front.world.workspaces[0]
    days = {"start_date": "2027-03-01", "end_date": "2027-03-05"}
    made = front.done("POST", "/ooo_entries", workspace=ws, user="me", **days)
    for query, there in (
        ({"start_date": "2027-03-05"}, True),
        ({"start_date": "2027-03-06"}, False),
        ({"end_date": "2027-03-01"}, True),
        ({"end_date": "2027-02-28"}, False),
        ({}, True),
    ):
        found = front.data("/ooo_entries", user="me", workspace=ws, **query)
        assert (made["gid"] in gids(found)) == there, query
    assert front.write("PUT", f"/ooo_entries/{made['gid']}", end_date="2027-01-01").status_code == 400


def test_access_requests_wait_until_somebody_decides(front: Front, front_with: Any) -> None:
    every = [r for r in records(front.world, "access_request") if r["target"]["resource_type"] == "project"]
    one, target = every[0], every[0]["target"]["gid"]
    assert gids(front.data("/access_requests", target=target, user=one["requester"]["gid"])) == [one["gid"]]
    front.done("POST", f"/access_requests/{one['gid']}/approve")
    assert one["gid"] not in gids(front.data("/access_requests", target=target))
    assert one["gid"] not in gids(records(front.world, "access_request"))
    assert one["requester"]["gid"] in gids(front.data(f"/projects/{target}", opt_fields="members")["members"])
    assert front.write("POST", f"/access_requests/{one['gid']}/reject").status_code == 404


def test_custom_types_stand_in_several_projects_and_on_tasks(quiet: Front) -> None:
    world = quiet.world
    held = [
        (p, t)
        for p in world.inside["project", world.workspaces[0]]
        for t in gids(quiet.data("/custom_types", project=p))
    ]
    assert len({kind for _, kind in held}) == 3 < len(held)
    assert {kind["status_options"] is None for kind in records(world, "custom_type")} == {True, False}
    custom = [task for task in world.iter_records("tasks") if task["custom_type"]]
    assert custom
    for task in custom:
        kind = world.record(task["custom_type"]["gid"])
        assert task["resource_subtype"] == "custom"
        assert task["custom_type_status_option"]["gid"] in gids(kind["status_options"])
        for project in task["projects"]:
            assert (project["gid"], kind["gid"]) in held or world.record(project["gid"])["team"] is None


def test_favorites_are_ones_own_and_ordered(front: Front) -> None:
    world, ws = front.world, front.world.workspaces[0]
    order = world.favorites[world.me, ws]
    found = []
    for kind in ("portfolio", "project", "tag", "task", "user", "project_template"):
        listed = front.data("/users/me/favorites", workspace=ws, resource_type=kind)
        assert {rec["resource_type"] for rec in listed} == {kind}
        assert all(set(rec) == {"gid", "resource_type", "name"} for rec in listed)
        places = [order.index(rec["gid"]) for rec in listed]
        assert places == sorted(places)
        found += gids(listed)
    assert sorted(found) == sorted(order)
    other = list(world.members[ws])[2]
    assert front.get(f"/users/{other}/favorites", workspace=ws, resource_type="task").status_code == 403
    task = next(gid for gid in order if world.records[gid]["resource_type"] == "task")
    front.done("DELETE", f"/tasks/{task}")
    assert task not in gids(front.data("/users/me/favorites", workspace=ws, resource_type="task"))


def test_everything_can_be_made_changed_and_deleted(front: Front) -> None:
    world, ws = front.world, front.world.workspaces[0]
    project, user = world.inside["project", ws][-1], list(world.members[ws])[-1]
    days = {"start_date": "2027-01-04", "end_date": "2027-01-10"}
    role = {"workspace": ws, "name": "Guide", "description": "Shows", "base_role_type": "member"}
    for path, given, change in (
        ("/roles", role, {"name": "Guide 🧭"}),
        ("/time_tracking_categories", {"workspace": ws, "name": "Travel"}, {"color": "aqua"}),
        (f"/tasks/{world.tasks[0]}/time_tracking_entries", {"duration_minutes": 5}, {"description": "أهلا"}),
        ("/allocations", {"parent": project, "assignee": user, **days}, {"end_date": "2027-01-20"}),
        ("/budgets", {"parent": project, "budget_type": "cost"}, {"budget_type": "time"}),
        ("/rates", {"parent": project, "resource": user, "rate": 3}, {"rate": 4.5}),
        ("/ooo_entries", {"workspace": ws, "user": user, **days}, {"start_date": "2027-01-05"}),
    ):
        answer = front.write("POST", path, **given)
        assert answer.status_code == 201, (path, answer.text)
        made = answer.json()["data"]
        own = f"/{path.rpartition('/')[2]}/{made['gid']}"
        assert front.data(own) == made
        assert front.done("PUT", own, **change) == {**front.data(own), **change}
        assert front.done("DELETE", own) == {}
        assert front.get(own).status_code == 404


def test_what_cannot_be_is_refused(front: Front) -> None:
    world, ws = front.world, front.world.workspaces[0]
    project, task = world.inside["project", ws][-1], world.tasks[0]
    days = {"start_date": "2027-01-04", "end_date": "2027-01-10"}
    archived = front.data("/time_tracking_categories", workspace=ws, is_archived="true")[0]["gid"]
    entry = {"duration_minutes": 5}
    for path, given in (
        ("/roles", {"workspace": ws, "name": "No base"}),
        ("/roles", {"workspace": ws, "name": "x", "description": "", "base_role_type": "king"}),
        ("/time_tracking_categories", {"workspace": ws}),
        ("/time_tracking_categories", {"workspace": ws, "name": "x", "color": "plaid"}),
        (f"/tasks/{task}/time_tracking_entries", {}),
        (f"/tasks/{task}/time_tracking_entries", {"duration_minutes": "many"}),
        (f"/tasks/{task}/time_tracking_entries", {**entry, "categories": [archived]}),
        (f"/tasks/{task}/time_tracking_entries", {**entry, "billable_status": "perhaps"}),
        ("/allocations", {"parent": project, "assignee": "me", "start_date": "2027-01-04"}),
        ("/allocations", {"parent": project, "assignee": "12345", **days}),
        ("/allocations", {"parent": project, "assignee": "me", **days, "effort": 7}),
        ("/budgets", {"parent": project, "budget_type": "fame"}),
        ("/rates", {"parent": project, "resource": "me", "rate": "dear"}),
        ("/ooo_entries", {"workspace": ws, "user": "me", "start_date": "2027-01-04"}),
        ("/access_requests", {"target": task}),
    ):
        assert front.write("POST", path, **given).status_code == 400, (path, given)


def test_access_is_asked_for_by_who_has_none(front_with: Any, world: World) -> None:
    ws = world.workspaces[0]
    private = [
        gid for gid in world.inside["project", ws] if world.records[gid]["privacy_setting"] == "private"
    ]
    target = private[0]
    world.records[target]["members"] = [world.me]
    limited, full = front_with(token=world.tokens["limited"]), front_with()
    assert limited.get(f"/projects/{target}").status_code == 404
    made = limited.done("POST", "/access_requests", target=target, message="أرجوكم 🙏")
    assert full.write("POST", "/access_requests", target=target).status_code == 400
    assert made["gid"] in gids(full.data("/access_requests", target=target))
    assert limited.get("/access_requests", target=target).status_code == 404
    full.done("POST", f"/access_requests/{made['gid']}/approve")
    assert limited.get(f"/projects/{target}").status_code == 200

"""What a reader finds: pages, filters, fields, and who may see what."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asana_mirror.sandbox import Limits, generate

QUIETLY = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def gids(records: list[dict[str, Any]]) -> list[str]:
    return [record["gid"] for record in records]


def biggest_project(world: Any) -> str:
    return max(world.inside["project", world.workspaces[0]], key=lambda gid: len(world.project_order(gid)))


@QUIETLY
@given(limits=st.lists(st.integers(1, 100), min_size=1, max_size=12))
def test_any_page_sizes_give_each_record_exactly_once(quiet: Any, limits: list[int]) -> None:
    project = biggest_project(quiet.world)
    found: list[str] = []
    offset: dict[str, str] = {}
    turn = 0
    while True:
        answer = quiet.get(f"/projects/{project}/tasks", limit=limits[turn % len(limits)], **offset).json()
        found += gids(answer["data"])
        turn += 1
        if answer["next_page"] is None:
            break
        offset = {"offset": answer["next_page"]["offset"]}
    assert found == quiet.world.project_order(project)


def test_every_listing_together_shows_every_reachable_task(quiet: Any) -> None:
    world = quiet.world
    found: set[str] = set()
    for ws in world.workspaces:
        for project in gids(quiet.all("/projects", workspace=ws)):
            found |= set(gids(quiet.all(f"/projects/{project}/tasks")))
        for actor in gids(quiet.all("/users", workspace=ws)) + gids(quiet.all(f"/workspaces/{ws}/agents")):
            found |= set(gids(quiet.all("/tasks", assignee=actor, workspace=ws)))
        for tag in gids(quiet.all("/tags", workspace=ws)):
            found |= set(gids(quiet.all(f"/tags/{tag}/tasks")))
    waiting = list(found)
    while waiting:
        below = gids(quiet.all(f"/tasks/{waiting.pop()}/subtasks"))
        found |= set(below)
        waiting += below
    assert found == world.reachable_tasks()
    assert len(found) > 850


def test_counted_pages_are_the_pages_that_are_served(quiet: Any) -> None:
    world, expected = quiet.world, quiet.world.pages_to_read(limit=20)
    served: Counter[str] = Counter()

    def read(kind: str, path: str, **query: str) -> list[str]:
        before = quiet.app.stats.requests
        found = gids(quiet.all(path, limit=20, **query))
        served[kind] += quiet.app.stats.requests - before
        return found

    read("workspaces", "/workspaces")
    for ws in world.workspaces:
        actors = read("users", "/users", workspace=ws) + read("agents", f"/workspaces/{ws}/agents")
        read("custom_fields", f"/workspaces/{ws}/custom_fields")
        for team in read("teams", f"/workspaces/{ws}/teams"):
            read("team_memberships", f"/teams/{team}/team_memberships")
        for project in read("projects", "/projects", workspace=ws):
            read("sections", f"/projects/{project}/sections")
            read("project_tasks", f"/projects/{project}/tasks")
            read("project_attachments", "/attachments", parent=project)
            served["events"] += 1
        for actor in actors:
            read("assigned_tasks", "/tasks", assignee=actor, workspace=ws)
        for tag in read("tags", "/tags", workspace=ws):
            read("tag_tasks", f"/tags/{tag}/tasks")
    for task in world.reachable_tasks():
        read("stories", f"/tasks/{task}/stories")
        read("task_attachments", "/attachments", parent=task)
        if world.record(task)["num_subtasks"]:
            read("subtasks", f"/tasks/{task}/subtasks")
    assert served == {kind: expected[kind] for kind in served}


def test_stories_served_are_the_stories_counted(quiet: Any) -> None:
    world = quiet.world
    expected = {record["gid"] for record in world.iter_records("stories")}
    paths = [f"/tasks/{gid}/stories" for gid in world.tasks]
    paths += [f"/goals/{goal['gid']}/stories" for goal in world.iter_records("goals")]
    found = [gid for path in paths for gid in gids(quiet.all(path, limit=97))]
    assert len(found) == len(set(found)) == len(expected)
    assert set(found) == expected


def test_a_record_that_leaves_during_paging_takes_no_other_with_it(front: Any) -> None:
    project = biggest_project(front.world)
    before = front.world.project_order(project)
    first = front.get(f"/projects/{project}/tasks", limit=10).json()
    for gid in before[2:5]:
        front.done("DELETE", f"/tasks/{gid}")
        front.done("POST", f"/tasks/{before[8]}/removeProject", project=project) if gid == before[3] else None
    rest = front.all(f"/projects/{project}/tasks", limit=10) if not first["next_page"] else []
    offset = first["next_page"]["offset"]
    while offset:
        answer = front.get(f"/projects/{project}/tasks", limit=10, offset=offset).json()
        rest += answer["data"]
        offset = (answer["next_page"] or {}).get("offset")
    assert gids(rest) == before[10:]


def test_an_offset_is_bound_to_its_listing_and_dies(front: Any, clock: Any) -> None:
    a, b = front.world.inside["project", front.world.workspaces[0]][:2]
    offset = front.get(f"/projects/{a}/tasks", limit=1).json()["next_page"]["offset"]
    assert front.get(f"/projects/{b}/tasks", limit=1, offset=offset).status_code == 400
    assert front.get(f"/projects/{a}/tasks", limit=1, offset=offset[:-3] + "AAA").status_code == 400
    assert front.get(f"/projects/{a}/tasks", limit=1, offset="nonsense").status_code == 400
    assert front.get(f"/projects/{a}/tasks", limit=2, offset=offset, opt_fields="name").status_code == 200
    clock.now += Limits().offset_lifetime_s + 1
    answer = front.get(f"/projects/{a}/tasks", limit=1, offset=offset)
    assert answer.status_code == 400
    assert "expired" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize("limit", ["0", "101", "-1", "ten", ""])
def test_a_limit_outside_1_to_100_is_refused(front: Any, limit: str) -> None:
    assert front.get("/workspaces", limit=limit).status_code == 400


def test_without_a_limit_there_is_no_next_page(front: Any) -> None:
    assert "next_page" not in front.get("/workspaces").json()
    assert front.get("/workspaces", limit=5).json()["next_page"] is None


def test_a_list_without_limit_is_cut_or_refused(front_with: Any) -> None:
    cut = front_with(Limits(unpaged_cut=5))
    project = biggest_project(cut.world)
    assert len(cut.data(f"/projects/{project}/tasks")) == 5
    assert (
        front_with(Limits(unpaged_cut=5, unpaged_refused=True)).get(f"/projects/{project}/tasks").status_code
        == 400
    )


def test_a_list_that_is_too_long_breaks_at_its_end(front_with: Any) -> None:
    front = front_with(Limits(longest_list=12))
    project = biggest_project(front.world)
    page = front.get(f"/projects/{project}/tasks", limit=10).json()
    answer = front.get(f"/projects/{project}/tasks", limit=10, offset=page["next_page"]["offset"])
    assert answer.status_code == 400
    assert "too large" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 400),
        ({"workspace": "W"}, 400),
        ({"assignee": "me"}, 400),
        ({"assignee": "me", "workspace": "W"}, 200),
        ({"project": "P", "section": "S"}, 400),
        ({"section": "S"}, 200),
        ({"tag": "T"}, 200),
        ({"project": "123"}, 404),
    ],
)
def test_tasks_are_listed_by_one_place_only(quiet: Any, query: dict[str, str], status: int) -> None:
    world = quiet.world
    ws = world.workspaces[0]
    project = world.inside["project", ws][0]
    real = {
        "W": ws,
        "P": project,
        "S": world.records[project]["sections"][0],
        "T": world.inside["tag", ws][0],
    }
    assert quiet.get("/tasks", **{key: real.get(v, v) for key, v in query.items()}).status_code == status


def test_modified_since_and_completed_since_filter(quiet: Any) -> None:
    world = quiet.world
    project = biggest_project(world)
    records = [world.record(gid) for gid in world.project_order(project)]
    since = sorted(record["modified_at"] for record in records)[len(records) // 2]
    expected = [record["gid"] for record in records if record["modified_at"] >= since]
    assert gids(quiet.all("/tasks", limit=3, project=project, modified_since=since)) == expected
    unfinished = [r["gid"] for r in records if not r["completed"]]
    assert gids(quiet.all(f"/projects/{project}/tasks", completed_since="now")) == unfinished
    assert quiet.get("/tasks", project=project, modified_since="soon").status_code == 400


def test_archived_projects_can_be_asked_for_alone(quiet: Any) -> None:
    ws = quiet.world.workspaces[0]
    every = quiet.all("/projects", workspace=ws, opt_fields="archived")
    gone = quiet.all(f"/workspaces/{ws}/projects", archived="true")
    assert gids(gone) == [p["gid"] for p in every if p["archived"]]
    assert 0 < len(gone) < len(every)


def test_opt_fields_reach_into_objects_and_arrays(quiet: Any) -> None:
    world = quiet.world
    task = next(r for r in world.iter_records("tasks") if r["assignee"] and len(r["followers"]) > 1)
    asked = "assignee.email,followers.name,memberships.project.name,nonsense,workspace"
    got = quiet.data(f"/tasks/{task['gid']}", opt_fields=asked)
    assert set(got) == {"gid", "resource_type", "assignee", "followers", "memberships", "workspace"}
    assert set(got["assignee"]) == {"gid", "resource_type", "email"}
    assert got["followers"] == task["followers"]
    assert got["workspace"] == task["workspace"]
    for pair in got["memberships"]:
        assert set(pair) == {"project"}
        assert set(pair["project"]) == {"gid", "resource_type", "name"}


def test_opt_in_fields_come_only_when_named(quiet: Any) -> None:
    task = quiet.world.tasks[0]
    opt_in = {
        "created_by",
        "dependencies",
        "dependents",
        "html_notes",
        "is_rendered_as_separator",
        "num_subtasks",
    }
    assert not opt_in & set(quiet.data(f"/tasks/{task}"))
    assert opt_in <= set(quiet.data(f"/tasks/{task}", opt_fields=",".join(opt_in)))
    assert set(quiet.data("/tasks", project=biggest_project(quiet.world))[0]) == {
        *("gid", "resource_type", "name", "resource_subtype")
    }


def test_agents_show_only_to_those_who_ask_for_them(front_with: Any) -> None:
    knows, ignores = front_with(), front_with(agents=False)
    world = knows.world
    ws = world.workspaces[0]
    task = next(
        r for r in world.iter_records("tasks") if (r["assignee"] or {}).get("resource_type") == "agent"
    )
    assert knows.data(f"/tasks/{task['gid']}")["assignee"] == task["assignee"]
    assert ignores.data(f"/tasks/{task['gid']}")["assignee"] is None
    assert len(knows.data(f"/workspaces/{ws}/agents")) == 3
    assert ignores.get(f"/workspaces/{ws}/agents").status_code == 404
    assert ignores.get(f"/agents/{task['assignee']['gid']}").status_code == 404


def test_a_limited_token_sees_less_and_404_for_the_rest(front_with: Any) -> None:
    front = front_with()
    world = front.world
    limited = front_with(token=world.tokens["limited"])
    ws = world.workspaces[0]
    every, some = gids(front.all("/projects", workspace=ws)), gids(limited.all("/projects", workspace=ws))
    assert set(some) < set(every)
    for gid in every:
        visible = world.visible(world.tokens["limited"], gid)
        assert visible == (gid in some)
        assert limited.get(f"/projects/{gid}").status_code == (200 if visible else 404)
    for task in world.tasks:
        visible = world.visible(world.tokens["limited"], task)
        assert limited.get(f"/tasks/{task}").status_code == (200 if visible else 404)


def test_a_missing_scope_is_named(front_with: Any) -> None:
    front = front_with()
    scoped = front_with(token=front.world.tokens["scoped"])
    assert scoped.get("/workspaces").status_code == 200
    answer = scoped.get(f"/tasks/{front.world.tasks[0]}/stories")
    assert answer.status_code == 403
    assert "stories:read" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize("status", [402, 403, 404, 451])
def test_refusals_can_be_ordered_and_lifted(front: Any, status: int) -> None:
    project = front.world.inside["project", front.world.workspaces[0]][0]
    front.world.refuse(project, status)
    assert front.get(f"/projects/{project}/tasks").status_code == status
    assert front.get("/events", resource=project).status_code == status
    listed = gids(front.all("/projects", workspace=front.world.workspaces[0]))
    assert (project in listed) == (status != 404)
    front.world.allow(project)
    front.world.refuse("/workspaces/*/tags", status)
    assert front.get(f"/projects/{project}").status_code == 200
    assert front.get(f"/workspaces/{front.world.workspaces[0]}/tags").status_code == status


def test_truth_knows_what_a_refusal_puts_out_of_reach(front: Any) -> None:
    world = front.world
    task = next(r for r in world.iter_records("tasks") if r["num_subtasks"] and r["memberships"])
    below = world.records[task["gid"]]["subtasks"][0]
    assert below in world.reachable_tasks()
    world.refuse(task["gid"], 403)
    assert front.get(f"/tasks/{task['gid']}/subtasks").status_code == 403
    assert task["gid"] in world.reachable_tasks()
    assert not world.visible(world.token, task["gid"])
    if not world.record(below)["memberships"] and not world.record(below)["assignee"]:
        assert below not in world.reachable_tasks()


def test_a_limited_token_stays_in_its_workspaces(quiet_world: Any) -> None:
    limited = quiet_world.tokens["limited"]
    home, foreign = quiet_world.workspaces
    assert quiet_world.visible(limited, home)
    assert not quiet_world.visible(limited, foreign)
    assert not any(quiet_world.visible(limited, gid) for gid in quiet_world.inside["project", foreign])


def test_wrong_tokens_and_unknown_paths(front_with: Any) -> None:
    assert front_with(token="wrong").get("/workspaces").status_code == 401
    answer = front_with().get("/flying_carpets")
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["help"]


def test_search_finds_what_no_list_shows_and_costs_a_plan(front_with: Any) -> None:
    front = front_with(Limits(search_per_minute=None))
    world, ws = front.world, front.world.workspaces[0]
    found: list[str] = []
    bound: dict[str, str] = {}
    while True:
        query = {"is_subtask": "true", "sort_by": "created_at", "sort_ascending": "true", "limit": 7, **bound}
        got = front.data(f"/workspaces/{ws}/tasks/search", **query, opt_fields="created_at")
        if not got:
            break
        found += gids(got)
        bound = {"created_at.after": got[-1]["created_at"]}
    assert set(found) == {r["gid"] for r in world.iter_records("tasks") if r["parent"]}
    assert front_with(Limits.free()).get(f"/workspaces/{ws}/tasks/search").status_code == 402


def test_project_memberships_name_members_and_teams(quiet: Any) -> None:
    world = quiet.world
    found: list[str] = []
    for project in world.inside["project", world.workspaces[0]]:
        records = quiet.all("/memberships", parent=project)
        found += gids(records)
        people = {r["member"]["gid"] for r in records if r["member"]["resource_type"] != "team"}
        assert people == {user["gid"] for user in world.record(project)["members"]}
    personal = {p["gid"] for p in world.iter_records("projects") if p["team"] is None}
    shared = world.iter_records("project_memberships")
    expected = [r["gid"] for r in shared if r["parent"]["gid"] not in personal]
    assert found == expected
    team = world.inside["team", world.workspaces[0]][0]
    shared = quiet.all("/memberships", member=team, resource_subtype="project_membership")
    assert shared
    assert {r["member"]["gid"] for r in shared} == {team}


def test_what_the_world_lacks_is_an_empty_list_not_an_unknown_path(front_with: Any) -> None:
    front = front_with()
    team = front.world.inside["team", front.world.workspaces[0]][0]
    path = f"/teams/{team}/custom_field_settings"
    assert front.get(path, limit=100).json() == {"data": [], "next_page": None}
    assert front.get("/teams/12345/custom_field_settings").status_code == 404


def test_the_same_seed_gives_the_same_world() -> None:
    one, two = generate(seed=3, tasks=150), generate(seed=3, tasks=150)
    for resource in ("users", "projects", "tasks", "stories", "attachments"):
        assert list(one.iter_records(resource)) == list(two.iter_records(resource))
    assert [r["gid"] for r in generate(seed=4, tasks=150).iter_records("tasks")]


def test_a_world_has_the_awkward_things(quiet_world: Any) -> None:
    tasks = list(quiet_world.iter_records("tasks"))
    assert any(int(task["gid"]) > 2**53 for task in tasks)
    assert any(int(task["gid"]) < 2**53 for task in tasks)
    assert max(len(task["notes"]) for task in tasks) == 60_000
    assert any(len(task["memberships"]) > 1 for task in tasks)
    assert any(not task["memberships"] and not task["assignee"] and not task["tags"] for task in tasks)
    kinds = {
        value["resource_subtype"]
        for task in tasks
        for value in task["custom_fields"]
        if value["display_value"]
    }
    assert kinds == {"text", "number", "enum", "multi_enum", "date", "people", "reference"}
    subtypes = {story["resource_subtype"] for story in quiet_world.iter_records("stories")}
    assert len(subtypes) > 18
    assert any(project["team"] is None for project in quiet_world.iter_records("projects"))
    assert {a["host"] for a in quiet_world.iter_records("attachments")} >= {"asana", "gdrive", "external"}


def test_null_bytes_never_come(quiet_world: Any) -> None:
    for resource in ("tasks", "stories", "users"):
        assert not any("\x00" in str(record) for record in quiet_world.iter_records(resource))


def test_task_counts_come_only_when_asked_for_and_count_the_living(front: Any) -> None:
    world = front.world
    project = biggest_project(world)
    path = f"/projects/{project}/task_counts"
    order = world.project_order(project)
    done = sum(bool(world.records[gid].get("completed")) for gid in order)

    assert front.data(path) == {}
    assert front.data(path, opt_fields="num_tasks") == {"num_tasks": len(order)}
    names = "num_tasks,num_completed_tasks,num_incomplete_tasks"
    counted = front.data(path, opt_fields=names)
    assert counted == dict(zip(names.split(","), (len(order), done, len(order) - done), strict=True))
    front.write("DELETE", f"/tasks/{order[0]}")
    assert front.data(path, opt_fields="num_tasks") == {"num_tasks": len(order) - 1}
    assert front.get("/projects/123/task_counts").status_code == 404

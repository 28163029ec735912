"""What writes leave behind: the record, its modified_at, a story, events; and the ways to the trash."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asana_mirror.sandbox import Limits, random_edits
from asana_mirror.sandbox.edits import RARE, WEIGHTS


def a_project(world: Any, place: int = 0) -> str:
    return str(world.inside["project", world.workspaces[0]][place])


def a_task(world: Any, project: str | None = None) -> str:
    return str(world.project_order(project or a_project(world))[0])


def last_story(world: Any, task: str) -> Any:
    return world.rendered(world.stories(world.records[task])[-1])


def events(front: Any, resource: str, sync: str) -> list[dict[str, Any]]:
    answer = front.get("/events", resource=resource, sync=sync)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"])


def listen(front: Any, resource: str) -> str:
    answer = front.get("/events", resource=resource)
    assert answer.status_code == 412
    return str(answer.json()["sync"])


def told(found: list[dict[str, Any]]) -> set[tuple[str, str, str | None]]:
    return {(e["resource"]["resource_type"], e["action"], e.get("change", {}).get("field")) for e in found}


MOVING = {
    "name": {"name": "Another"},
    "notes": {"notes": "Other words"},
    "completed": {"completed": True},
    "due": {"due_on": "2027-01-02"},
    "assignee": {"assignee": "me"},
}


@pytest.mark.parametrize("change", MOVING.values(), ids=MOVING)
def test_a_change_moves_modified_at_and_writes_a_story(
    front: Any, clock: Any, change: dict[str, Any]
) -> None:
    task = front.done("POST", "/tasks", workspace=front.world.workspaces[0], name="One")["gid"]
    before = front.world.record(task)
    clock.now += 60
    after = front.done("PUT", f"/tasks/{task}", **change)
    assert after["modified_at"] > before["modified_at"]
    assert last_story(front.world, task)["created_at"] == after["modified_at"]


def test_moves_followers_likes_and_dependencies_leave_modified_at_alone(front: Any, clock: Any) -> None:
    world = front.world
    task, other = world.project_order(a_project(world))[:2]
    before = world.record(task)["modified_at"]
    clock.now += 60
    project = a_project(world, 1)
    front.done("POST", f"/tasks/{task}/addProject", project=project)
    front.done("POST", f"/sections/{world.records[project]['sections'][0]}/addTask", task=task)
    front.done("POST", f"/tasks/{task}/addFollowers", followers=[*world.members[world.workspaces[0]]][:3])
    front.done("POST", f"/tasks/{task}/addDependencies", dependencies=[other])
    front.done("PUT", f"/tasks/{task}", liked=True)
    front.done("POST", f"/tasks/{task}/removeProject", project=project)
    after = world.record(task)
    assert after["modified_at"] == before
    assert after["liked"]
    assert [d["gid"] for d in after["dependencies"]][-1] == other
    assert task in [d["gid"] for d in world.record(other)["dependents"]]


def test_an_edited_comment_moves_nothing_but_a_trashed_one_does(front: Any, clock: Any) -> None:
    world = front.world
    task = a_task(world)
    sync = listen(front, a_project(world))
    story = front.done("POST", f"/tasks/{task}/stories", html_text="<body>Hello &amp; <b>bye</b></body>")
    assert story["text"] == "Hello & bye"
    written = world.record(task)["modified_at"]
    clock.now += 60
    edited = front.done("PUT", f"/stories/{story['gid']}", text="Changed", is_pinned=True, liked=True)
    assert (edited["text"], edited["is_edited"], edited["is_pinned"], edited["num_likes"]) == (
        "Changed",
        True,
        True,
        1,
    )
    assert world.record(task)["modified_at"] == written
    front.done("DELETE", f"/stories/{story['gid']}")
    assert world.record(task)["modified_at"] > written
    assert front.get(f"/stories/{story['gid']}").status_code == 404
    found = told(events(front, a_project(world), sync))
    assert {("story", "added", None), ("story", "changed", "text"), ("story", "deleted", None)} <= found


def test_a_generated_comment_can_be_edited_and_stays_so(front: Any) -> None:
    world = front.world
    task = next(r for r in map(world.records.get, world.tasks) if world.story_count(r) > 3)
    before = front.all(f"/tasks/{task['gid']}/stories", opt_fields="text,resource_subtype")
    comment = next(s for s in before if s["resource_subtype"] == "comment_added")
    front.done("PUT", f"/stories/{comment['gid']}", text="Mine now")
    after = front.all(f"/tasks/{task['gid']}/stories", opt_fields="text,resource_subtype")
    assert [s["text"] for s in after] == [
        "Mine now" if s["gid"] == comment["gid"] else s["text"] for s in before
    ]


def test_a_deleted_task_takes_everything_below_it_along_and_back(front: Any) -> None:
    world = front.world
    parent = next(
        r for r in map(world.records.get, world.tasks) if r.get("subtasks") and r.get("memberships")
    )
    gid, project = parent["gid"], parent["memberships"][0][0]
    below, stories = parent["subtasks"][0], world.stories(parent)
    before = world.record(gid)
    sync = listen(front, project)
    front.done("DELETE", f"/tasks/{gid}")
    for path in (f"/tasks/{gid}", f"/tasks/{below}", *(f"/stories/{s['gid']}" for s in stories)):
        assert front.get(path).status_code == 404
    assert gid not in world.project_order(project)
    assert not {gid, below} & world.reachable_tasks()
    assert world.undelete(gid)
    assert world.record(gid) | {"modified_at": ""} == before | {"modified_at": ""}
    assert front.get(f"/tasks/{below}").status_code == 200
    found = events(front, project, sync)
    assert [(e["action"], e["resource"]["gid"]) for e in found] == [("deleted", gid), ("undeleted", gid)]


def test_a_task_keeps_its_place_in_a_project(front: Any) -> None:
    world = front.world
    project = a_project(world)
    sections = world.records[project]["sections"]
    tasks = [front.done("POST", "/tasks", projects=[project], name=n)["gid"] for n in "abc"]
    front.done("POST", f"/tasks/{tasks[2]}/addProject", project=project, insert_before=tasks[0])
    order = [gid for gid in world.project_order(project) if gid in tasks]
    assert order == [tasks[2], tasks[0], tasks[1]]
    front.done("POST", f"/sections/{sections[-1]}/addTask", task=tasks[1])
    assert front.data(f"/sections/{sections[-1]}/tasks")[0]["gid"] == tasks[1]
    assert world.record(tasks[1])["memberships"][0]["section"]["gid"] == sections[-1]


def test_a_moved_task_tells_both_sections(front: Any) -> None:
    world = front.world
    project = next(
        p for p in world.inside["project", world.workspaces[0]] if len(world.records[p]["sections"]) > 1
    )
    old, new = world.records[project]["sections"][:2]
    task = front.done("POST", "/tasks", memberships=[{"project": project, "section": old}], name="x")["gid"]
    sync = listen(front, project)
    front.done("POST", f"/sections/{new}/addTask", task=task)
    found = [(e["action"], (e["parent"] or {}).get("gid")) for e in events(front, project, sync)]
    assert found[:3] == [("removed", old), ("added", new), ("added", task)]
    story = last_story(world, task)
    assert story["resource_subtype"] == "section_changed"
    assert (story["old_section"]["gid"], story["new_section"]["gid"]) == (old, new)


def test_subtasks_tell_the_project_above_them(front: Any) -> None:
    world = front.world
    project = a_project(world)
    sync = listen(front, project)
    child = front.done("POST", f"/tasks/{a_task(world)}/subtasks", name="child")["gid"]
    grandchild = front.done("POST", f"/tasks/{child}/subtasks", name="grandchild")["gid"]
    front.done("PUT", f"/tasks/{grandchild}", completed=True)
    front.done("POST", f"/tasks/{grandchild}/setParent", parent=None)
    found = events(front, project, sync)
    assert {child, grandchild} <= {e["resource"]["gid"] for e in found}
    assert ("removed", child) in [(e["action"], (e["parent"] or {}).get("gid")) for e in found]
    assert front.write("POST", f"/tasks/{a_task(world)}/setParent", parent=child).status_code == 400


def test_custom_field_values_of_every_kind_can_be_set(front: Any) -> None:
    world = front.world
    task = next(r for r in world.iter_records("tasks") if len(r["custom_fields"]) > 5)
    values: dict[str, Any] = {
        "text": "words",
        "number": 12.5,
        "date": {"date": "2027-01-01"},
        "people": [world.me],
        "reference": [world.tasks[0]],
    }
    for held in task["custom_fields"]:
        field, kind = world.records[held["gid"]], held["resource_subtype"]
        if held["representation_type"] in ("formula", "custom_id"):
            answer = front.write("PUT", f"/tasks/{task['gid']}", custom_fields={held["gid"]: 1})
            assert answer.status_code == 400
            continue
        option = (field.get("enum_options") or [None])[-1]
        value = {**values, "enum": option, "multi_enum": [option]}[kind]
        front.done("PUT", f"/tasks/{task['gid']}", custom_fields={held["gid"]: value})
        after = {v["gid"]: v for v in world.record(task["gid"])["custom_fields"]}[held["gid"]]
        assert after["display_value"]
        if kind != "reference":
            assert last_story(world, task["gid"])["resource_subtype"] == f"{kind}_custom_field_changed"


def test_sections_tags_fields_and_people_can_be_kept(front: Any) -> None:
    world = front.world
    ws, project = world.workspaces[0], a_project(world)
    section = front.done("POST", f"/projects/{project}/sections", name="New")["gid"]
    first = world.records[project]["sections"][0]
    front.done("POST", f"/projects/{project}/sections/insert", section=section, before_section=first)
    assert front.data(f"/projects/{project}/sections")[0]["gid"] == section
    assert front.done("PUT", f"/sections/{section}", name="Newer")["name"] == "Newer"
    front.done("DELETE", f"/sections/{section}")
    assert (
        front.write("DELETE", f"/sections/{world.records[a_task(world)]['memberships'][0][1]}").status_code
        == 400
    )
    tag = front.done("POST", "/tags", workspace=ws, name="fresh")["gid"]
    front.done("POST", f"/tasks/{a_task(world)}/addTag", tag=tag)
    assert [t["gid"] for t in front.data(f"/tags/{tag}/tasks")] == [a_task(world)]
    field = front.done("POST", "/custom_fields", workspace=ws, name="Size", resource_subtype="enum")["gid"]
    option = front.done("POST", f"/custom_fields/{field}/enum_options", name="Big", color="red")["gid"]
    small = front.done("POST", f"/custom_fields/{field}/enum_options", name="Small", insert_before=option)[
        "gid"
    ]
    path = f"/custom_fields/{field}/enum_options/insert"
    front.done("POST", path, enum_option=small, after_enum_option=option)
    assert front.done("PUT", f"/enum_options/{small}", enabled=False)["enabled"] is False
    front.done("POST", f"/projects/{project}/addCustomFieldSetting", custom_field=field)
    assert field in [v["gid"] for v in world.record(a_task(world))["custom_fields"]]
    front.done("POST", f"/projects/{project}/removeCustomFieldSetting", custom_field=field)
    assert field not in [v["gid"] for v in world.record(a_task(world))["custom_fields"]]
    user = front.done("POST", f"/workspaces/{ws}/addUser", user="ada@northwind.example")["gid"]
    team = world.inside["team", ws][0]
    front.done("POST", f"/teams/{team}/addUser", user=user)
    front.done("POST", f"/projects/{project}/addMembers", members=user)
    front.done("POST", f"/workspaces/{ws}/removeUser", user=user)
    assert front.get(f"/users/{user}").status_code == 404
    assert user not in world.team_members[team]


def test_attachments_by_link_and_by_upload(front: Any) -> None:
    task = a_task(front.world)
    form = {"parent": task, "resource_subtype": "external", "name": "Plan", "url": "https://example.com/p"}
    link = asyncio.run(front.ask("POST", "/attachments", data=form)).json()["data"]
    assert (link["host"], link["view_url"], "size" in link) == ("external", "https://example.com/p", False)
    files = {"file": ("été.txt", b"12345", "text/plain")}
    sent = asyncio.run(front.ask("POST", "/attachments", data={"parent": task}, files=files)).json()["data"]
    assert (sent["host"], sent["size"], sent["name"]) == ("asana", 5, "été.txt")
    front.done("DELETE", f"/attachments/{link['gid']}")
    left = [a["gid"] for a in front.data("/attachments", parent=task)]
    assert sent["gid"] in left
    assert link["gid"] not in left


def test_a_deleted_project_leaves_tasks_that_live_elsewhere(front: Any) -> None:
    world = front.world
    project, other = a_project(world), a_project(world, 1)
    alone = front.done("POST", "/tasks", projects=[project], name="alone")["gid"]
    twice = front.done("POST", "/tasks", projects=[project, other], name="twice")["gid"]
    mine = front.done("POST", "/tasks", projects=[project], assignee="me", name="mine")["gid"]
    front.done("DELETE", f"/projects/{project}")
    assert front.get(f"/projects/{project}/tasks").status_code == 404
    assert front.get(f"/tasks/{alone}").status_code == 404
    assert [p["gid"] for p in front.data(f"/tasks/{twice}")["projects"]] == [other]
    assert front.data(f"/tasks/{mine}")["memberships"] == []
    assert world.undelete(project)
    assert len(front.data(f"/tasks/{twice}")["projects"]) == 2
    assert alone in world.project_order(project)


def test_someone_who_leaves_is_still_named_where_they_were(front: Any) -> None:
    world = front.world
    users = {identity.user for identity in world.identities.values()}
    leaver = next(
        u
        for u in world.members[world.workspaces[0]]
        if u not in users and world.assigned[u, world.workspaces[0]]
    )
    theirs = next(iter(world.assigned[leaver, world.workspaces[0]]))
    world.leave(leaver)
    assert world.record(theirs)["assignee"] is None
    assert front.get(f"/users/{leaver}").status_code == 404
    assert last_story(world, theirs)["assignee"]["gid"] == leaver


def test_sync_tokens_expire_repeat_and_come_in_hundreds(front_with: Any, clock: Any) -> None:
    front = front_with(Limits(sync_token_lifetime_s=3600))
    world = front.world
    project, task = a_project(world), a_task(world)
    sync = listen(front, project)
    for number in range(60):
        front.done("PUT", f"/tasks/{task}", name=f"Name {number}")
    first = front.get("/events", resource=project, sync=sync).json()
    assert (len(first["data"]), first["has_more"]) == (100, True)
    assert front.get("/events", resource=project, sync=sync).json()["data"] == first["data"]
    second = front.get("/events", resource=project, sync=first["sync"]).json()
    assert (len(second["data"]), second["has_more"]) == (20, False)
    assert front.get("/events", resource=a_project(world, 1), sync=sync).status_code == 412
    clock.now += 3601
    dead = front.get("/events", resource=project, sync=second["sync"])
    assert dead.status_code == 412
    assert front.get("/events", resource=project, sync=dead.json()["sync"]).json()["data"] == []


def test_lost_events_reach_nobody(front: Any) -> None:
    sync = listen(front, a_project(front.world))
    front.world.lose_events(1.0)
    front.done("PUT", f"/tasks/{a_task(front.world)}", name="unheard")
    assert events(front, a_project(front.world), sync) == []


@pytest.mark.parametrize("kind", [*WEIGHTS, *RARE])
def test_each_kind_of_random_edit_leaves_a_sound_world(world: Any, kind: str) -> None:
    random_edits(world, 5, seed=3, kinds=["section_new", "delete"])  # something to take away, to bring back
    done = random_edits(world, 8, seed=4, kinds=[kind])
    assert done
    sound(world)


def test_many_random_edits_change_much_and_delete_little(world: Any) -> None:
    counts = {
        name: sum(1 for _ in world.iter_records(name)) for name in ("tasks", "projects", "users", "stories")
    }
    assert len(random_edits(world, 200, seed=9)) == 200
    sound(world)
    for name, before in counts.items():
        assert sum(1 for _ in world.iter_records(name)) > 0.85 * before


def sound(world: Any) -> None:
    """Both sides of every tie agree."""
    for rec in map(world.records.get, world.tasks):
        gid = rec["gid"]
        for project, section in rec.get("memberships", ()):
            assert world.records[section]["project"] == project
            assert world.records[section]["tasks"].count(gid) == 1
        if rec.get("parent"):
            assert world.records[rec["parent"]]["subtasks"].count(gid) == 1
        for other in rec.get("dependencies", ()):
            assert gid in world.records[other]["dependents"]
        if rec.get("assignee"):
            assert gid in world.assigned[rec["assignee"], rec["workspace"]]
        assert all(gid in world.tagged[tag] for tag in rec.get("tags", ()))
    placed = [
        gid for rec in world.records.values() if rec["resource_type"] == "section" for gid in rec["tasks"]
    ]
    assert len(placed) == sum(len(world.records[gid].get("memberships", ())) for gid in world.tasks)
    for resource in ("tasks", "stories", "projects", "attachments"):
        for record in world.iter_records(resource):
            assert record["gid"]

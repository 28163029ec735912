"""What a webhook delivers: signed batches, filtered, retried by the world's clock, lost or doubled on purpose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hook_target import TARGET, Receiver, a_project, deliver, transport, watch

from asana_mirror.sandbox import Faults, Limits, random_edits

FILE = Path(__file__).parents[3] / "shared" / "asana-openapi.json"
HOUR_S = 3600


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def hooked(front_with: Any, receiver: Receiver) -> Any:
    return front_with(transport=transport(receiver))


def faulty(front_with: Any, receiver: Receiver, **shares: Any) -> Any:
    """A front with such faults, a webhook on the first project, and its first heartbeat taken."""
    front = front_with(faults=Faults(**shares), transport=transport(receiver))
    watch(front, a_project(front.world))
    deliver(front)
    receiver.bodies.clear()
    return front


def add_task(front: Any, name: str = "New", **more: Any) -> str:
    more.setdefault("projects", [a_project(front.world)])
    return str(front.done("POST", "/tasks", name=name, **more)["gid"])


def added(receiver: Receiver) -> list[str]:
    """The tasks that were told to be added to a project, in the order of delivery."""
    return [
        event["resource"]["gid"]
        for event in receiver.events
        if event["action"] == "added" and (event["parent"] or {}).get("resource_type") == "project"
    ]


# -- events -------------------------------------------------------------------------------------------


def test_the_first_delivery_is_a_heartbeat(hooked: Any, receiver: Receiver) -> None:
    gid = watch(hooked, a_project(hooked.world))
    deliver(hooked)
    assert receiver.bodies == [b'{"events":[]}']
    hook = hooked.data(f"/webhooks/{gid}")
    assert hook["active"]
    assert hook["last_success_at"] == hooked.world.now()


def test_events_come_together_as_gids_and_types(hooked: Any, receiver: Receiver) -> None:
    world, project = hooked.world, a_project(hooked.world)
    watch(hooked, project)
    task = add_task(hooked, "Secret name", assignee=world.me)
    deliver(hooked)
    [events, beat] = receiver.batches
    assert beat == []
    assert events[0]["user"] == {"gid": world.me, "resource_type": "user"}
    assert {event["created_at"] for event in events} == {world.now()}
    entered = next(event for event in events if (event["parent"] or {}).get("gid") == project)
    assert entered["resource"] == {"gid": task, "resource_type": "task", "resource_subtype": "default_task"}
    assert entered["parent"] == {"gid": project, "resource_type": "project"}
    assert "change" not in entered
    hooked.done("PUT", f"/tasks/{task}", assignee=None)
    hooked.done("PUT", f"/tasks/{task}", assignee=world.me)
    deliver(hooked)
    change = next(e["change"] for e in receiver.events if e.get("change", {}).get("new_value"))
    assert change["field"] == "assignee"
    assert change["new_value"] == {"gid": world.me, "resource_type": "user"}
    assert not any(b"Secret name" in body for body in receiver.bodies)


def test_a_webhook_tells_what_the_event_stream_tells(hooked: Any, receiver: Receiver) -> None:
    world, projects = hooked.world, hooked.world.inside["project", hooked.world.workspaces[0]][:4]
    syncs = {}
    for project in projects:
        syncs[project] = hooked.get("/events", resource=project).json()["sync"]
        watch(hooked, project, f"http://127.0.0.1/{project}")
    random_edits(world, 120, seed=5)
    deliver(hooked)
    streamed = []
    for project, sync in syncs.items():
        answer = hooked.get("/events", resource=project, sync=sync).json()
        streamed += answer["data"]
        assert not answer["has_more"]
    assert len(streamed) > 50

    def bare(event: dict[str, Any]) -> tuple[Any, ...]:
        return (
            *(event["resource"]["gid"], event["resource"]["resource_type"], event["action"]),
            *((event["parent"] or {}).get("gid"), event.get("change", {}).get("field"), event["created_at"]),
        )

    assert sorted(map(bare, receiver.events), key=str) == sorted(map(bare, streamed), key=str)


def test_what_happens_below_a_task_reaches_webhooks_on_it(hooked: Any, receiver: Receiver) -> None:
    task = add_task(hooked)
    watch(hooked, task)
    below = hooked.done("POST", f"/tasks/{task}/subtasks", name="Below")["gid"]
    deliver(hooked)
    receiver.bodies.clear()
    hooked.done("POST", f"/tasks/{below}/stories", text="Hello")
    deliver(hooked)
    assert ("story", "added") in receiver.said()


def test_many_events_are_cut_into_deliveries_in_order(hooked: Any, receiver: Receiver) -> None:
    filters = [{"resource_type": "task", "action": "changed", "fields": ["name"]}]
    task = add_task(hooked)
    watch(hooked, a_project(hooked.world), filters=filters)
    for number in range(230):
        hooked.world.events.tell(
            hooked.world.me, hooked.world.records[task], "changed", change={"field": "name", "number": number}
        )
    deliver(hooked)
    assert [len(batch) for batch in receiver.batches] == [100, 100, 30, 0]
    assert [event["change"]["number"] for event in receiver.events] == list(range(230))


def test_agents_are_named_only_to_who_may_meet_them(front_with: Any, receiver: Receiver) -> None:
    for agents, user in ((False, None), (True, "agent")):
        front = front_with(agents=agents, transport=transport(receiver))
        gid, agent = (
            watch(front, a_project(front.world)),
            front.world.inside["agent", front.world.workspaces[0]][0],
        )
        receiver.bodies.clear()
        front.world.events.tell(agent, front.world.records[a_project(front.world)], "changed")
        deliver(front)
        assert (receiver.events[0]["user"] or {}).get("resource_type") == user
        front.done("DELETE", f"/webhooks/{gid}")


@pytest.mark.skipif(not FILE.exists(), reason="asana-openapi.json is not at hand")
def test_delivered_events_keep_to_the_description(hooked: Any, receiver: Receiver) -> None:
    schemas = json.loads(FILE.read_text())["components"]
    event = schemas["schemas"]["EventResponse"]["properties"]
    for name in ("user", "parent"):
        event[name] = {"anyOf": [event[name], {"type": "null"}]}
    schema = {"$ref": "#/components/schemas/EventResponse", "components": schemas}
    watch(hooked, a_project(hooked.world))
    random_edits(hooked.world, 100, seed=2)
    deliver(hooked)
    assert len(receiver.events) > 20
    for told in receiver.events:
        jsonschema.Draft202012Validator(schema).validate(told)
        assert set(told) <= set(event)


# -- filters ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([{"resource_type": "story", "resource_subtype": "comment_added"}], {("story", "added")}),
        ([{"resource_type": "task", "action": "deleted"}], {("task", "deleted")}),
        ([{"resource_type": "task", "action": "changed", "fields": ["due_on"]}], {("task", "changed")}),
        ([{"resource_type": "task", "action": "changed", "fields": ["liked"]}], set()),
        ([{"resource_type": "task", "resource_subtype": "milestone"}], set()),
        ([{"action": "deleted"}, {"resource_type": "section"}], {("task", "deleted"), ("section", "added")}),
    ],
)
def test_an_event_comes_when_any_filter_lets_it_pass(
    hooked: Any, receiver: Receiver, filters: Any, expected: set[tuple[str, str]]
) -> None:
    watch(hooked, a_project(hooked.world), filters=filters)
    task = add_task(hooked)
    hooked.done("POST", f"/tasks/{task}/stories", text="Hello")
    hooked.done("PUT", f"/tasks/{task}", due_on="2027-01-01")
    hooked.done("DELETE", f"/tasks/{task}")
    hooked.done("POST", f"/projects/{a_project(hooked.world)}/sections", name="Later")
    deliver(hooked)
    assert set(receiver.said()) == expected


def test_new_filters_hold_for_what_happens_from_then_on(hooked: Any, receiver: Receiver) -> None:
    gid = watch(hooked, a_project(hooked.world), filters=[{"resource_type": "section"}])
    add_task(hooked)
    hooked.done("PUT", f"/webhooks/{gid}", filters=[{"resource_type": "task"}])
    task = add_task(hooked)
    deliver(hooked)
    assert {event["resource"]["gid"] for event in receiver.events} == {task}


def test_a_workspace_tells_of_projects_and_people_but_never_of_tasks(hooked: Any, receiver: Receiver) -> None:
    world, ws = hooked.world, hooked.world.workspaces[0]
    kinds = ("project", "team_membership", "workspace_membership", "task", "story")
    watch(hooked, ws, filters=[{"resource_type": kind} for kind in kinds])
    team = world.inside["team", ws][0]
    project = hooked.done("POST", "/projects", name="New", team=team)["gid"]
    add_task(hooked, projects=[project])
    hooked.done("PUT", f"/projects/{project}", name="Newer")
    hooked.done("DELETE", f"/projects/{project}")
    hooked.done("POST", f"/workspaces/{ws}/addUser", user="somebody@example.com")
    hooked.done("POST", f"/teams/{team}/addUser", user="somebody@example.com")
    hooked.done("POST", f"/workspaces/{ws}/removeUser", user="somebody@example.com")
    deliver(hooked)
    assert receiver.said() == [
        *(("project", "added"), ("project", "changed"), ("project", "deleted")),
        *(("workspace_membership", "added"), ("team_membership", "added")),
        *(("workspace_membership", "removed"), ("team_membership", "removed")),
    ]
    assert receiver.events[0]["parent"] == {"gid": team, "resource_type": "team"}


def test_a_team_tells_only_of_its_own_projects(hooked: Any, receiver: Receiver) -> None:
    mine, other = hooked.world.inside["team", hooked.world.workspaces[0]][:2]
    watch(hooked, mine, filters=[{"resource_type": "project", "action": "added"}])
    hooked.done("POST", "/projects", name="Theirs", team=other)
    project = hooked.done("POST", "/projects", name="Ours", team=mine)["gid"]
    deliver(hooked)
    assert [event["resource"]["gid"] for event in receiver.events] == [project]


# -- heartbeats and retries ---------------------------------------------------------------------------


def test_a_heartbeat_comes_every_eight_hours(hooked: Any, receiver: Receiver, clock: Any) -> None:
    watch(hooked, a_project(hooked.world))
    for hours in range(25):
        deliver(hooked)
        assert len(receiver.bodies) == 1 + hours // 8
        clock.now += HOUR_S


def test_a_refused_delivery_comes_again_later_each_time(hooked: Any, receiver: Receiver, clock: Any) -> None:
    gid = watch(hooked, a_project(hooked.world))
    deliver(hooked)
    receiver.answers = [500, 404, 302]
    first, waits = add_task(hooked), []
    for _ in range(3):
        deliver(hooked)
        second = add_task(hooked)
        deliver(hooked)  # too early: nothing is sent
        waits.append(hooked.world.hooks.by_gid[gid].next_try_s - clock.now)
        clock.now += waits[-1]
    assert waits == [10, 20, 40]
    failing = hooked.data(f"/webhooks/{gid}")
    assert failing["delivery_retry_count"] == 2
    assert failing["last_failure_content"].startswith("302 Found\n\nAs it was told")
    assert failing["last_failure_at"] < failing["next_attempt_after"] < failing["failure_deletion_timestamp"]
    deliver(hooked)
    assert added(receiver)[0] == first
    assert added(receiver)[-1] == second
    done = hooked.data(f"/webhooks/{gid}")
    assert done["delivery_retry_count"] == 0
    assert done["next_attempt_after"] is done["failure_deletion_timestamp"] is None
    assert done["last_failure_at"] == failing["last_failure_at"]
    told = hooked.app.stats.as_json()["deliveries"]
    assert (told["refused"], told["retried"], told["lost"]) == (3, 3, 0)


def test_a_repeated_delivery_has_the_same_bytes(hooked: Any, receiver: Receiver, clock: Any) -> None:
    watch(hooked, a_project(hooked.world))
    deliver(hooked)
    task = add_task(hooked)
    receiver.answers = [500]
    deliver(hooked)
    hooked.done("DELETE", f"/tasks/{task}")
    clock.now += 10
    deliver(hooked)
    assert receiver.refused == [receiver.bodies[1]]
    assert b'"deleted"' in receiver.bodies[2]


def test_after_a_day_without_success_the_webhook_is_deleted(
    hooked: Any, receiver: Receiver, clock: Any
) -> None:
    gid = watch(hooked, a_project(hooked.world))
    deliver(hooked)
    add_task(hooked)
    receiver.answers = [503] * 1000
    for _ in range(49):
        assert hooked.get(f"/webhooks/{gid}").status_code == 200
        deliver(hooked)
        clock.now += HOUR_S / 2
    deliver(hooked)
    assert hooked.get(f"/webhooks/{gid}").status_code == 404
    told = hooked.app.stats.as_json()["deliveries"]
    assert told["refused"] > 24  # at least once an hour
    assert (told["made"], told["lost"]) == (1, 1)


def test_one_broken_target_holds_up_no_other(hooked: Any, receiver: Receiver) -> None:
    watch(hooked, a_project(hooked.world))
    watch(hooked, a_project(hooked.world), f"{TARGET}&second")
    receiver.answers = [500]
    deliver(hooked)
    assert len(receiver.bodies) == 1


# -- faults -------------------------------------------------------------------------------------------


def test_lost_deliveries_never_come(front_with: Any, receiver: Receiver) -> None:
    front = faulty(front_with, receiver, hooks_lost=1.0)
    add_task(front)
    deliver(front)
    assert receiver.bodies == []
    assert front.app.stats.deliveries["lost"] == 1


def test_events_that_reach_nobody_reach_no_webhook(hooked: Any, receiver: Receiver) -> None:
    watch(hooked, a_project(hooked.world))
    hooked.world.lose_events(1.0)
    add_task(hooked)
    deliver(hooked)
    assert receiver.events == []


def test_doubled_deliveries_come_twice(front_with: Any, receiver: Receiver) -> None:
    front = faulty(front_with, receiver, hooks_doubled=1.0)
    add_task(front)
    deliver(front)
    assert len(receiver.bodies) == 2
    assert receiver.bodies[0] == receiver.bodies[1]
    assert front.app.stats.deliveries["doubled"] == 1


def test_late_deliveries_come_after_newer_ones(front_with: Any, receiver: Receiver) -> None:
    front = faulty(front_with, receiver, hooks_late=1.0)
    old = add_task(front)
    deliver(front)
    front.app.faults = Faults()
    new = add_task(front)
    for _ in range(3):
        deliver(front)
    assert added(receiver) == [new, old]


def test_faults_meet_only_their_share(front_with: Any, receiver: Receiver) -> None:
    front = faulty(front_with, receiver, hooks_lost=0.2, hooks_doubled=0.2, hooks_late=0.2)
    for _ in range(60):
        front.world.events.tell(front.world.me, front.world.records[a_project(front.world)], "changed")
        deliver(front)
    for kind in ("lost", "doubled", "late"):
        assert 4 <= front.app.stats.deliveries[kind] <= 22


def test_the_delay_of_retries_and_heartbeats_can_be_chosen(
    front_with: Any, receiver: Receiver, clock: Any
) -> None:
    limits = Limits(hook_backoff_s=2, hook_deadline_s=5, heartbeat_s=100)
    front = front_with(limits, transport=transport(receiver))
    gid = watch(front, a_project(front.world))
    receiver.answers = [500] * 9
    for _ in range(3):
        deliver(front)
        clock.now += 2
    deliver(front)
    assert front.get(f"/webhooks/{gid}").status_code == 404
    assert len(receiver.answers) == 7

"""Webhooks are made with a handshake, only towards this machine; listed, filtered anew, and ended."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from hook_target import TARGET, Receiver, a_project, deliver, transport, watch

from asana_mirror.sandbox import Limits, create_app, generate
from asana_mirror.sandbox.render import NODES

FILE = Path(__file__).parents[3] / "shared" / "asana-openapi.json"


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def hooked(front_with: Any, receiver: Receiver) -> Any:
    return front_with(transport=transport(receiver))


def refused(front: Any, **data: Any) -> tuple[int, str]:
    answer = front.write("POST", "/webhooks", **data)
    return answer.status_code, answer.json()["errors"][0]["message"]


def answering(front_with: Any, answer: Any) -> Any:
    return front_with(Limits(hook_answer_s=0.05), transport=httpx.MockTransport(answer))


# -- the handshake ------------------------------------------------------------------------------------


def test_a_webhook_is_made_when_its_target_says_the_secret_back(hooked: Any, receiver: Receiver) -> None:
    project = a_project(hooked.world)
    answer = hooked.write("POST", "/webhooks", resource=project, target=TARGET)
    assert answer.status_code == 201
    [shake] = receiver.handshakes
    assert (shake.method, shake.content, str(shake.url)) == ("POST", b"{}", TARGET)
    assert answer.json()["X-Hook-Secret"] == shake.headers["x-hook-secret"]
    made = answer.json()["data"]
    assert made["resource"] == {
        "gid": project,
        "resource_type": "project",
        "name": hooked.world.records[project]["name"],
    }
    assert (made["target"], made["filters"], made["active"]) == (TARGET, [], False)
    assert made["created_at"] == hooked.world.now()
    assert made["last_success_at"] is made["last_failure_at"] is made["last_failure_content"] is None
    assert "secret" not in made


def test_every_webhook_has_its_own_secret(hooked: Any, receiver: Receiver) -> None:
    watch(hooked, a_project(hooked.world))
    watch(hooked, a_project(hooked.world), f"{TARGET}&second")
    assert len(set(receiver.secrets.values())) == 2


def test_it_can_be_asked_for_with_a_form(hooked: Any) -> None:
    form = {"resource": a_project(hooked.world), "target": TARGET}
    assert asyncio.run(hooked.ask("POST", "/webhooks", data=form)).status_code == 201


def test_without_the_secret_in_the_answer_there_is_no_webhook(hooked: Any, receiver: Receiver) -> None:
    receiver.shakes = False
    status, message = refused(hooked, resource=a_project(hooked.world), target=TARGET)
    assert status == 400
    assert "handshake" in message
    assert hooked.data("/webhooks", workspace=hooked.world.workspaces[0]) == []


@pytest.mark.parametrize("status", [201, 302, 401, 500])
def test_only_200_and_204_confirm_a_handshake(front_with: Any, status: int) -> None:
    front = answering(front_with, lambda request: httpx.Response(status, headers=request.headers))
    told, message = refused(front, resource=a_project(front.world), target=TARGET)
    assert told == 400
    assert str(status) in message


def test_a_handshake_may_be_answered_without_content(front_with: Any) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(204, headers={"x-hook-secret": request.headers["x-hook-secret"]})

    watch(answering(front_with, answer), a_project(front_with().world))


def test_a_target_that_is_silent_or_broken_gets_no_webhook(front_with: Any) -> None:
    async def silent(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        return httpx.Response(200)

    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("Nobody there")

    for answer, reason in ((silent, "in time"), (broken, "Nobody there")):
        front = answering(front_with, answer)
        status, message = refused(front, resource=a_project(front.world), target=TARGET)
        assert status == 400
        assert reason in message
        assert not front.world.hooks


def test_the_create_call_stays_open_during_the_handshake(front_with: Any) -> None:
    seen: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(front.app.stats.in_flight)
        return httpx.Response(200, headers={"x-hook-secret": request.headers["x-hook-secret"]})

    front = answering(front_with, answer)
    watch(front, a_project(front.world))
    assert seen == [1]


# -- what is refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        *("https://example.com/hook", "http://10.0.0.1/", "http://192.168.1.1:80/", "http://localhost:8000/"),
        *(
            "http://127.0.0.1@example.com/",
            "http://127.0.0.1.example.com/",
            "http://0.0.0.0/",
            "http://[::2]/",
        ),
        *("ftp://127.0.0.1/", "127.0.0.1:80", "nonsense", "", "http://[::ffff:10.0.0.1]/", "http://127.1.1/"),
    ],
)
def test_targets_beyond_this_machine_are_refused(hooked: Any, receiver: Receiver, target: str) -> None:
    status, _ = refused(hooked, resource=a_project(hooked.world), target=target)
    assert status == 403
    assert not receiver.handshakes


def test_all_addresses_of_this_machine_are_reached(hooked: Any) -> None:
    for target in ("http://127.0.0.1:1/a", "https://127.0.0.2/", "http://[::1]:8080/x?y=z"):
        watch(hooked, a_project(hooked.world), target)


def test_targets_of_this_machine_can_be_refused_as_asana_does(front_with: Any, receiver: Receiver) -> None:
    front = front_with(Limits(local_targets=False), transport=transport(receiver))
    assert refused(front, resource=a_project(front.world), target=TARGET)[0] == 403
    assert not receiver.handshakes


def test_what_is_missing_or_unknown_is_named(hooked: Any) -> None:
    project = a_project(hooked.world)
    assert refused(hooked, resource=project) == (400, "target: Missing input")
    assert refused(hooked, target=TARGET) == (400, "resource: Missing input")
    assert refused(hooked, resource="17", target=TARGET)[0] == 400
    assert refused(hooked, resource=hooked.world.me, target=TARGET)[0] == 400


def test_a_second_webhook_for_the_same_resource_and_target_is_refused(hooked: Any, clock: Any) -> None:
    project = a_project(hooked.world)
    gid = watch(hooked, project)
    status, message = refused(hooked, resource=project, target=TARGET)
    assert status == 403
    assert message.startswith("Duplicated webhook")
    hooked.done("DELETE", f"/webhooks/{gid}")
    watch(hooked, project)


def test_two_equal_ones_at_once_make_one(front_with: Any, receiver: Receiver) -> None:
    async def unhurried(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.01)
        return receiver(request)

    front = answering(front_with, unhurried)
    data = {"data": {"resource": a_project(front.world), "target": TARGET}}

    async def both() -> list[int]:
        answers = await asyncio.gather(*(front.ask("POST", "/webhooks", json=data) for _ in range(2)))
        return sorted(answer.status_code for answer in answers)

    assert asyncio.run(both()) == [201, 403]


def test_a_resource_holds_so_many_webhooks_and_its_event_stream(front_with: Any, receiver: Receiver) -> None:
    front = front_with(Limits(hooks_per_resource=3), transport=transport(receiver))
    front.get("/events", resource=a_project(front.world))
    for number in range(2):
        watch(front, a_project(front.world), f"{TARGET}&{number}")
    assert refused(front, resource=a_project(front.world), target=TARGET)[0] == 403
    watch(front, a_project(front.world, 1))


def test_a_token_holds_so_many_webhooks(front_with: Any, receiver: Receiver) -> None:
    front = front_with(Limits(hooks_per_token=2), transport=transport(receiver))
    for number in range(2):
        watch(front, a_project(front.world, number))
    assert refused(front, resource=a_project(front.world, 2), target=TARGET)[0] == 403
    other = front.world.admit("other", front.world.me)
    watch(front_with(token=other, transport=transport(receiver)), a_project(front.world, 2))


@pytest.mark.parametrize("kind", ["workspace", "team"])
def test_a_webhook_on_a_workspace_or_team_needs_filters(hooked: Any, kind: str) -> None:
    world = hooked.world
    gid = world.workspaces[0] if kind == "workspace" else world.inside["team", world.workspaces[0]][0]
    assert refused(hooked, resource=gid, target=TARGET)[0] == 400
    assert refused(hooked, resource=gid, target=TARGET, filters=[])[0] == 400
    fields = [{"resource_type": "project", "action": "changed", "fields": ["name"]}]
    assert refused(hooked, resource=gid, target=TARGET, filters=fields)[0] == 400
    watch(hooked, gid, filters=[{"resource_type": "project"}])


@pytest.mark.parametrize(
    "filters",
    [
        *({}, "task", ["task"], [{"action": "renamed"}], [{"resource_type": 7}]),
        *([{"action": "added", "fields": ["name"]}], [{"fields": ["name"]}]),
        [{"action": "changed", "fields": "name"}],
    ],
)
def test_filters_that_are_none_are_refused(hooked: Any, filters: Any) -> None:
    assert refused(hooked, resource=a_project(hooked.world), target=TARGET, filters=filters)[0] == 400


# -- reading, changing, ending ------------------------------------------------------------------------


def test_webhooks_are_listed_by_workspace_and_resource_in_pages(hooked: Any) -> None:
    ws, resources = hooked.world.workspaces[0], [a_project(hooked.world, n) for n in range(3)]
    gids = [watch(hooked, resource) for resource in resources]
    assert hooked.get("/webhooks").status_code == 400
    found = hooked.all("/webhooks", limit=2, workspace=ws)
    assert [hook["gid"] for hook in found] == gids
    assert set(found[0]) == {"gid", "resource_type", "active", "resource", "target"}
    [one] = hooked.data("/webhooks", workspace=ws, resource=resources[1], opt_fields="resource.name,filters")
    assert (one["gid"], one["filters"]) == (gids[1], [])
    assert one["resource"]["name"] == hooked.world.records[resources[1]]["name"]
    assert hooked.get("/webhooks", workspace=ws, resource="17").status_code == 404


def test_webhooks_of_another_workspace_are_listed_there(front: Any, receiver: Receiver) -> None:
    world = generate(seed=5, tasks=60, workspaces=2)
    front = type(front)(world, create_app(world, transport=transport(receiver)), world.token)
    for ws in world.workspaces:
        watch(front, world.inside["project", ws][0])
    for ws in world.workspaces:
        [hook] = front.data("/webhooks", workspace=ws)
        assert hook["resource"]["gid"] == world.inside["project", ws][0]


def test_a_webhook_shows_only_to_the_token_that_made_it(hooked: Any, front_with: Any) -> None:
    gid, ws = watch(hooked, a_project(hooked.world)), hooked.world.workspaces[0]
    other = front_with(token=hooked.world.admit("other", hooked.world.me))
    assert hooked.data(f"/webhooks/{gid}")["gid"] == gid
    assert other.data("/webhooks", workspace=ws) == []
    for method in ("GET", "PUT", "DELETE"):
        assert other.write(method, f"/webhooks/{gid}", filters=[]).status_code == 404


def test_filters_are_replaced_as_a_whole(hooked: Any) -> None:
    first, second = [{"resource_type": "task"}], [{"resource_type": "story", "action": "added"}]
    gid = watch(hooked, a_project(hooked.world), filters=first)
    assert hooked.done("PUT", f"/webhooks/{gid}", filters=second)["filters"] == second
    assert hooked.done("PUT", f"/webhooks/{gid}")["filters"] == second
    assert hooked.write("PUT", f"/webhooks/{gid}", filters=[{"action": "no"}]).status_code == 400
    assert hooked.done("PUT", f"/webhooks/{gid}", filters=[])["filters"] == []


def test_a_webhook_of_a_workspace_keeps_its_filters(hooked: Any) -> None:
    gid = watch(hooked, hooked.world.workspaces[0], filters=[{"resource_type": "project"}])
    assert hooked.write("PUT", f"/webhooks/{gid}", filters=[]).status_code == 400


def test_a_deleted_webhook_is_gone_and_hears_nothing(hooked: Any, receiver: Receiver) -> None:
    gid = watch(hooked, a_project(hooked.world))
    hooked.done("POST", "/tasks", name="Before", projects=[a_project(hooked.world)])
    assert hooked.done("DELETE", f"/webhooks/{gid}") == {}
    deliver(hooked)
    assert receiver.bodies == []
    assert hooked.get(f"/webhooks/{gid}").status_code == 404


def test_each_method_needs_its_scope(hooked: Any, front_with: Any, receiver: Receiver) -> None:
    world, ws = hooked.world, hooked.world.workspaces[0]
    token = world.admit("narrow", world.me, scopes=["webhooks:read"])
    narrow = front_with(token=token, transport=transport(receiver))
    assert narrow.get("/webhooks", workspace=ws).status_code == 200
    status, message = refused(narrow, resource=a_project(world), target=TARGET)
    assert status == 403
    assert "webhooks:write" in message


@pytest.mark.skipif(not FILE.exists(), reason="asana-openapi.json is not at hand")
def test_answers_about_webhooks_keep_to_the_description(hooked: Any, receiver: Receiver) -> None:
    whole = json.loads(FILE.read_text())
    schemas = whole["components"]["schemas"]
    described = {
        **schemas["WebhookCompact"]["properties"],
        **schemas["WebhookResponse"]["allOf"][1]["properties"],
    }
    assert set(NODES["webhook"].fields) == set(described)
    for field in schemas["WebhookResponse"]["allOf"][1]["properties"].values():
        field["type"] = [field["type"], "null"]  # the description's own example has nulls here
    hook = watch(hooked, a_project(hooked.world), filters=[{"resource_type": "task"}])
    answers = {"get": [hooked.get(f"/webhooks/{hook}")]}
    receiver.answers = [500]
    deliver(hooked)
    answers["get"].append(hooked.get(f"/webhooks/{hook}"))
    assert answers["get"][1].json()["data"]["failure_deletion_timestamp"]
    answers["put"] = [hooked.write("PUT", f"/webhooks/{hook}", filters=[])]
    answers["delete"] = [hooked.write("DELETE", f"/webhooks/{hook}")]
    for method, found in answers.items():
        told = whole["paths"]["/webhooks/{webhook_gid}"][method]["responses"]["200"]["content"]
        schema = {**told["application/json"]["schema"], "components": whole["components"]}
        for answer in found:
            jsonschema.Draft202012Validator(schema).validate(answer.json())

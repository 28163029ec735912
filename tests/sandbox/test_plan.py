"""Plans and tracked time: parameters, refusals and fields are as Asana describes them."""

from __future__ import annotations

import random
from typing import Any

import jsonschema
import pytest
from conftest import Front
from plans import PLURALS, RESPONSES, UNPAGED, description_of_plans, gids, lists, records
from test_sandbox_description import Description

from asana_mirror.sandbox import World, generate
from asana_mirror.sandbox.edits_plan import change_plan
from asana_mirror.sandbox.render import NODES
from asana_mirror.sandbox.routes import TABLE


@pytest.fixture(scope="module")
def description() -> Description:
    found = description_of_plans()
    if found is None:
        pytest.skip("asana-openapi.json is not at hand")
    return found


# -- against Asana's description -------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(RESPONSES))
def test_a_resource_has_exactly_the_described_fields(description: Description, kind: str) -> None:
    assert set(NODES[kind].fields) == set(description.fields(RESPONSES[kind]))


@pytest.mark.parametrize("kind", sorted(RESPONSES))
def test_every_whole_record_keeps_to_the_description(
    quiet_world: World, description: Description, kind: str
) -> None:
    schema = {
        "$ref": f"#/components/schemas/{RESPONSES[kind]}",
        "components": description.whole["components"],
    }
    validator = jsonschema.Draft202012Validator(schema)
    found = records(quiet_world, kind)
    assert found
    for record in found:
        validator.validate(record)
        if kind != "access_request":  # which has no message where none was written
            assert set(record) == set(description.fields(RESPONSES[kind]))


def test_every_list_keeps_to_the_description(quiet: Front, description: Description) -> None:
    for template, path, query in lists(quiet.world):
        answer = quiet.get(path, **query, **({} if template in UNPAGED else {"limit": 50}))
        assert answer.status_code == 200, (path, answer.text)
        assert answer.json()["data"], path
        description.check(template, answer.json())


def test_every_named_field_of_a_list_comes_when_asked_for(quiet: Front, description: Description) -> None:
    paging = {"offset", "path", "uri"}
    for template, path, query in lists(quiet.world):
        names = {name for name in description.opt_fields(template) if "." not in name} - paging
        answer = quiet.data(path, **query, opt_fields=",".join(names)) if names else []
        for record in answer:
            assert set(record) - {"message"} == {"gid", "resource_type"} | names - {"message"}, path


@pytest.mark.parametrize("kind", sorted(PLURALS))
def test_a_single_record_is_whole_and_its_fields_can_be_chosen(
    quiet: Front, description: Description, kind: str
) -> None:
    template = f"/{PLURALS[kind]}/{{}}"
    for record in records(quiet.world, kind)[:3]:
        path = template.format(record["gid"])
        assert quiet.data(path) == record
        description.check(template, quiet.get(path).json())
        for name in description.opt_fields(template):
            chosen = quiet.data(path, opt_fields=name)
            assert set(chosen) == {"gid", "resource_type", name.partition(".")[0]}
    assert quiet.get(template.format("12345")).status_code == 404


def test_new_paths_and_their_scopes_are_those_of_the_description(description: Description) -> None:
    ours = {template for template, _, _ in lists(generate(seed=7, tasks=300))} | {
        f"/{plural}/{{}}" for plural in PLURALS.values()
    }
    for path, operations in description.whole["paths"].items():
        template = "/".join("{}" if part.startswith("{") else part for part in path.split("/"))
        for method in ("get", "post", "put", "delete") if template in ours else ():
            route = TABLE.get((method.upper(), *template[1:].split("/")))
            if method not in operations:
                continue
            assert route is not None, (method, path)
            scopes = next((s["oauth2"] for s in operations[method]["security"] if "oauth2" in s), [])
            if template != "/projects/{}/sections":
                assert route.scope == (scopes[0] if scopes else None), (method, path)


# -- parameters and refusals -----------------------------------------------------------------------


def test_what_is_required_is_missed(quiet: Front) -> None:
    ws, me = quiet.world.workspaces[0], quiet.world.me
    for path, query in (
        ("/time_periods", {}),
        ("/time_tracking_categories", {}),
        ("/timesheet_approval_statuses", {}),
        ("/budgets", {}),
        ("/rates", {}),
        ("/custom_types", {}),
        ("/access_requests", {}),
        ("/ooo_entries", {"user": me}),
        ("/ooo_entries", {"workspace": ws}),
        ("/allocations", {}),
        ("/allocations", {"assignee": me}),
        ("/allocations", {"workspace": ws}),
        ("/time_tracking_entries", {}),
        ("/time_tracking_entries", {"workspace": ws}),
        ("/time_tracking_entries", {"entered_on_start_date": "2024-01-01"}),
        ("/users/me/favorites", {"workspace": ws}),
        ("/users/me/favorites", {"resource_type": "task"}),
        ("/users/me/favorites", {"workspace": ws, "resource_type": "goal"}),
        ("/time_periods", {"workspace": ws, "start_on": "soon"}),
        ("/time_tracking_categories", {"workspace": ws, "is_archived": "maybe"}),
        ("/timesheet_approval_statuses", {"workspace": ws, "approval_statuses": "lost"}),
    ):
        assert quiet.get(path, **query).status_code == 400, (path, query)


def test_what_is_unknown_is_not_found(quiet: Front) -> None:
    ws = quiet.world.workspaces[0]
    for path, query in (
        ("/roles", {"workspace": "12345"}),
        ("/budgets", {"parent": "12345"}),
        ("/rates", {"parent": ws}),
        ("/allocations", {"parent": "12345"}),
        ("/allocations", {"assignee": "12345", "workspace": ws}),
        ("/ooo_entries", {"user": "12345", "workspace": ws}),
        ("/custom_types", {"project": "12345"}),
        ("/access_requests", {"target": ws}),
        ("/time_tracking_entries", {"task": "12345"}),
    ):
        assert quiet.get(path, **query).status_code == 404, (path, query)


def test_lists_without_pages_refuse_to_be_paged(quiet: Front) -> None:
    for template, path, query in lists(quiet.world):
        if template in UNPAGED:
            assert "next_page" not in quiet.get(path, **query).json()
            assert quiet.strictly().get(path, **query, limit=10).status_code == 400
            assert quiet.strictly().get(path, **query, offset="x").status_code == 400
            assert "next_page" not in quiet.get(path, **query, limit=10).json()
        else:
            assert "next_page" in quiet.get(path, **query, limit=10).json()


def test_pages_add_up_to_the_list(quiet: Front) -> None:
    for template, path, query in lists(quiet.world):
        if template not in UNPAGED:
            assert quiet.all(path, limit=2, **query) == quiet.data(path, **query)


def test_a_missing_scope_is_a_403_that_names_it(front: Front, front_with: Any) -> None:
    scoped = front_with(token=front.world.tokens["scoped"])
    for template, path, query in lists(front.world):
        scope = TABLE[("GET", *template[1:].split("/"))].scope
        answer = scoped.get(path, **query)
        if scope in (None, "users:read", "tasks:read", "projects:read"):
            assert answer.status_code == 200, (path, answer.text)
        else:
            assert answer.status_code == 403, path
            assert scope in answer.text


def test_refusals_are_obeyed_by_path_and_by_gid(front: Front) -> None:
    ws = front.world.workspaces[0]
    front.world.refuse("/roles", 402)
    assert front.get("/roles", workspace=ws).status_code == 402
    entry = records(front.world, "time_tracking_entry")[0]
    front.world.refuse(entry["task"]["gid"], 404)
    assert front.get(f"/time_tracking_entries/{entry['gid']}").status_code == 404
    assert entry["gid"] not in gids(records(front.world, "time_tracking_entry"))
    front.world.allow(entry["task"]["gid"])
    assert front.data(f"/time_tracking_entries/{entry['gid']}") == entry


# -- edits -----------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_plans() -> None:
    one, two = generate(seed=3, tasks=150), generate(seed=3, tasks=150)
    for kind in RESPONSES:
        assert records(one, kind) == records(two, kind)


def test_random_changes_keep_everything_as_described(front: Front, description: Description) -> None:
    rng = random.Random(4)
    done = [change_plan(front.world, rng) for _ in range(400)]
    assert len({" ".join(word for word in text.split() if not word.isdecimal()) for text in done}) > 40
    for kind in RESPONSES:
        schema = {
            "$ref": f"#/components/schemas/{RESPONSES[kind]}",
            "components": description.whole["components"],
        }
        validator = jsonschema.Draft202012Validator(schema)
        for record in records(front.world, kind):
            validator.validate(record)

"""Every answer to a read keeps to Asana's own description, where that file is at hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from asana_mirror.sandbox.render import NODES
from asana_mirror.sandbox.routes import READS
from asana_mirror.sandbox.world import World

FILE = Path(__file__).parents[3] / "shared" / "asana-openapi.json"
pytestmark = pytest.mark.skipif(not FILE.exists(), reason="asana-openapi.json is not at hand")
RESPONSES = {
    "workspace": "WorkspaceResponse",
    "user": "UserResponse",
    "agent": "AgentResponse",
    "team": "TeamResponse",
    "team_membership": "TeamMembershipResponse",
    "workspace_membership": "WorkspaceMembershipResponse",
    "project": "ProjectResponse",
    "section": "SectionResponse",
    "tag": "TagResponse",
    "custom_field": "CustomFieldResponse",
    "custom_field_setting": "CustomFieldSettingResponse",
    "enum_option": "EnumOption",
    "task": "TaskResponse",
    "story": "StoryResponse",
    "attachment": "AttachmentResponse",
    "user_task_list": "UserTaskListResponse",
    "event": "EventResponse",
    "task_count": "TaskCountResponse",
}
VALUES = {  # these stand on a value of a custom field, not on its definition
    *("date_value", "enum_value", "multi_enum_values", "number_value", "text_value", "display_value"),
    *("people_value", "reference_value", "html_text_value", "enabled"),
}


class Description:
    def __init__(self) -> None:
        self.whole = json.loads(FILE.read_text())
        self.schemas = self.whole["components"]["schemas"]
        self._loosen(self.schemas)

    def _loosen(self, schema: Any) -> None:
        """OpenAPI's nullable as JSON Schema has it; any object may be null, as Asana answers."""
        if isinstance(schema, list):
            for item in schema:
                self._loosen(item)
        if not isinstance(schema, dict):
            return
        for item in schema.values():
            self._loosen(item)
        for name, one in list(schema.get("properties", {}).items()):
            if isinstance(one, dict) and ("$ref" in one or "allOf" in one or one.get("type") == "object"):
                schema["properties"][name] = {"anyOf": [one, {"type": "null"}]}
        nullable = schema.get("nullable") is True or "`null`" in str(schema.get("description"))
        if nullable and isinstance(schema.get("type"), str):
            schema["type"] = [schema["type"], "null"]
            if None not in schema.get("enum", [None]):
                schema["enum"].append(None)

    def fields(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self._collect(self.schemas[name], found)
        return found

    def _collect(self, schema: dict[str, Any], found: dict[str, Any]) -> None:
        if "$ref" in schema:
            self._collect(self.schemas[schema["$ref"].rpartition("/")[2]], found)
        for part in schema.get("allOf", ()):
            self._collect(part, found)
        found.update(schema.get("properties", {}))

    def answer_of(self, template: str) -> dict[str, Any]:
        for path, operations in self.whole["paths"].items():
            if "/".join("{}" if part.startswith("{") else part for part in path.split("/")) == template:
                schema = operations["get"]["responses"]["200"]["content"]["application/json"]["schema"]
                return dict(schema)
        raise LookupError(template)

    def opt_fields(self, template: str) -> list[str]:
        for path, operations in self.whole["paths"].items():
            if "/".join("{}" if part.startswith("{") else part for part in path.split("/")) == template:
                for one in operations["get"].get("parameters", ()):
                    if one.get("name") == "opt_fields":
                        return list(one["schema"]["items"]["enum"])
        return []

    def check(self, template: str, answer: dict[str, Any]) -> None:
        schema = {**self.answer_of(template), "components": self.whole["components"]}
        jsonschema.Draft202012Validator(schema).validate(answer)


@pytest.fixture(scope="module")
def description() -> Description:
    return Description()


def examples(world: World, template: str) -> list[tuple[str, dict[str, str]]]:
    """Requests that exercise a path: full of records where there are some."""
    ws = world.workspaces[0]
    tasks = [world.records[gid] for gid in world.tasks]
    busy = max(tasks, key=lambda rec: len(rec.get("custom_values", ())))
    gids: dict[str, list[str]] = {
        "workspaces": world.workspaces,
        "users": list(world.members[ws])[:4],
        "agents": world.inside["agent", ws],
        "teams": world.inside["team", ws],
        "projects": world.inside["project", ws][:6],
        "sections": world.records[world.inside["project", ws][0]]["sections"],
        "tags": world.inside["tag", ws][:3],
        "custom_fields": world.inside["custom_field", ws],
        "tasks": [busy["gid"], *(r["gid"] for r in tasks if r.get("dependencies") or r.get("subtasks"))][:8],
        "stories": [s["gid"] for rec in tasks[:60] for s in world.stories(rec)],
        "attachments": [a["gid"] for rec in tasks[:200] for a in world.attachments(rec)],
        "team_memberships": list(world.team_members[world.inside["team", ws][0]].values()),
        "memberships": [rec["gid"] for rec in world.iter_records("memberships")][:5],
        "workspace_memberships": list(world.members[ws].values()),
        "user_task_lists": [world.user_task_list(world.me, ws)["gid"]],
    }
    needs: dict[str, dict[str, str]] = {
        "/attachments": {"parent": next(r["gid"] for r in tasks if world.attachment_count(r))},
        "/memberships": {"parent": world.inside["project", ws][0]},
        "/users/{}/teams": {"organization": ws},
        "/users/{}/team_memberships": {"workspace": ws},
        "/users/{}/user_task_list": {"workspace": ws},
        "/team_memberships": {"team": world.inside["team", ws][0]},
        "/tasks": {"project": world.inside["project", ws][0]},
    }
    query = needs.get(template, {})
    if "{}" not in template:
        return [(template, query)]
    found = []
    for gid in gids[template.split("/")[1]]:
        found.append((template.replace("{}", gid, 1).replace("{}", world.me), query))
    return found


TEMPLATES = [template for template, _, _ in READS if template != "/events"]


@pytest.mark.parametrize("template", TEMPLATES)
def test_answers_keep_to_the_description(quiet: Any, description: Description, template: str) -> None:
    paged = "next_page" in json.dumps(description.answer_of(template))
    for path, query in examples(quiet.world, template):
        plain = quiet.get(path, **query, **({"limit": 5} if paged else {}))
        assert plain.status_code == 200, plain.text
        description.check(template, plain.json())


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_named_field_comes_as_described(quiet: Any, description: Description, template: str) -> None:
    names = [name for name in description.opt_fields(template) if name not in ("offset", "path", "uri")]
    for path, query in examples(quiet.world, template)[:3]:
        answer = quiet.get(path, **query, opt_fields=",".join(names)).json()
        description.check(template, answer)
        records = answer["data"] if isinstance(answer["data"], list) else [answer["data"]]
        for record in records[:20]:
            allowed = {"gid", "resource_type"} | {name.partition(".")[0] for name in names}
            assert set(record) <= allowed
    path, query = examples(quiet.world, template)[0]
    for name in names:
        answer = quiet.get(path, **query, opt_fields=name).json()
        records = answer["data"] if isinstance(answer["data"], list) else [answer["data"]]
        for record in records[:3]:
            assert set(record) <= {"gid", "resource_type", name.partition(".")[0]}


@pytest.mark.parametrize("node", sorted(RESPONSES))
def test_a_resource_has_exactly_the_described_fields(description: Description, node: str) -> None:
    described = set(description.fields(RESPONSES[node]))
    if node == "agent":
        described.add("created_by")
    if node == "custom_field":
        described -= VALUES
        assert set(NODES["custom_field_value"].fields) == described | VALUES
    assert set(NODES[node].fields) == described


def test_whole_records_keep_to_the_description(quiet_world: World, description: Description) -> None:
    for plural, node in (("tasks", "task"), ("stories", "story"), ("projects", "project")):
        schema = {
            "$ref": f"#/components/schemas/{RESPONSES[node]}",
            "components": description.whole["components"],
        }
        validator = jsonschema.Draft202012Validator(schema)
        for number, record in enumerate(quiet_world.iter_records(plural)):
            if number % 7 == 0:
                validator.validate(record)


def test_events_keep_to_the_description(front: Any, description: Description) -> None:
    from asana_mirror.sandbox import random_edits

    world = front.world
    syncs = {}
    for project in world.inside["project", world.workspaces[0]]:
        syncs[project] = front.get("/events", resource=project).json()["sync"]
    random_edits(world, 150, seed=3)
    seen = 0
    for project, sync in syncs.items():
        answer = front.get("/events", resource=project, sync=sync)
        if answer.status_code == 200:
            description.check("/events", answer.json())
            seen += len(answer.json()["data"])
    assert seen > 50

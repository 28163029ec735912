"""Goals, portfolios and what belongs to them keep to Asana's own description, where that file is at hand."""

from __future__ import annotations

import json
import random
from typing import Any

import jsonschema
import pytest
from test_sandbox_description import FILE, Description

from asana_mirror.sandbox import generate
from asana_mirror.sandbox.edits_goals import change_goals
from asana_mirror.sandbox.goal_routes import GOAL_READS
from asana_mirror.sandbox.render import NODES
from asana_mirror.sandbox.routes import TABLE

pytestmark = pytest.mark.skipif(not FILE.exists(), reason="asana-openapi.json is not at hand")
RESPONSES = {
    "status_update": "StatusUpdateResponse",
    "project_status": "ProjectStatusResponse",
    "project_brief": "ProjectBriefResponse",
    "portfolio": "PortfolioResponse",
    "project_portfolio_setting": "ProjectPortfolioSettingResponse",
    "goal": "GoalResponse",
    "goal_relationship": "GoalRelationshipResponse",
    "project_template": "ProjectTemplateResponse",
    "task_template": "TaskTemplateResponse",
    "older_project_membership": "ProjectMembershipNormalResponse",
    "older_portfolio_membership": "DeprecatedPortfolioMembershipResponse",
    "project_membership": "ProjectMembershipCompactResponse",
    "portfolio_membership": "PortfolioMembershipCompactResponse",
    "custom_field_membership": "CustomFieldMembershipCompact",
    "custom_type_membership": "CustomTypeMembershipCompact",
    "reaction": "ReactionCompact",
}
ALWAYS_NULL = ("is_commenter", "is_editor")  # by their description, against their type
LISTED_BY = {  # path: which query it needs, and the resource that gives a gid for it
    "/status_updates": ("parent", "projects"),
    "/memberships": ("parent", "goals"),
    "/portfolio_memberships": ("portfolio", "portfolios"),
    "/goals": ("workspace", "workspaces"),
    "/goal_relationships": ("supported_goal", "goals"),
    "/task_templates": ("project", "projects"),
    "/project_templates": ("workspace", "workspaces"),
}


@pytest.fixture(scope="module")
def description() -> Description:
    return Description()


def examples(world: Any, template: str) -> list[tuple[str, dict[str, str]]]:
    """Requests that exercise a path, for everything that the world has to ask about."""
    if template == "/portfolios":
        return [(template, {"workspace": world.workspaces[0], "owner": "me"})]
    if template == "/reactions":
        targets = [r for kind in ("status_updates", "stories") for r in world.iter_records(kind)]
        return [
            (template, {"target": r["gid"], "emoji_base": r["reaction_summary"][0]["emoji_base"]})
            for r in targets
            if r["reaction_summary"]
        ]
    if template in LISTED_BY:
        name, resource = LISTED_BY[template]
        return [(template, {name: record["gid"]}) for record in world.iter_records(resource)]
    resource = template.split("/")[1]
    records = world.iter_records(resource)
    if resource == "portfolio_memberships":  # the deprecated path knows no teams
        records = [record for record in records if record["member"]["resource_type"] == "user"]
    return [(template.replace("{}", record["gid"]), {}) for record in records]


TEMPLATES = [template for template, _, _ in GOAL_READS]


@pytest.mark.parametrize("template", TEMPLATES)
def test_answers_keep_to_the_description(quiet: Any, description: Description, template: str) -> None:
    paged = "next_page" in json.dumps(description.answer_of(template))
    found = examples(quiet.world, template)
    assert found
    for path, query in found[:25]:
        plain = quiet.get(path, **query, **({"limit": 5} if paged else {}))
        assert plain.status_code == 200, plain.text
        description.check(template, plain.json())


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_named_field_comes_as_described(quiet: Any, description: Description, template: str) -> None:
    names = [name for name in description.opt_fields(template) if name not in ("offset", "path", "uri")]
    if template.startswith("/memberships"):
        names = []  # described, but not honoured
    for path, query in examples(quiet.world, template)[:3] if names else ():
        answer = quiet.get(path, **query, opt_fields=",".join(names)).json()
        description.check(template, answer)
        records = answer["data"] if isinstance(answer["data"], list) else [answer["data"]]
        for record in records[:20]:
            assert set(record) <= {"gid", "resource_type"} | {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("node", sorted(RESPONSES))
def test_a_resource_has_exactly_the_described_fields(description: Description, node: str) -> None:
    assert set(NODES[node].fields) == set(description.fields(RESPONSES[node]))


def test_a_goals_membership_has_the_described_fields(description: Description) -> None:
    compact = set(description.fields("GoalMembershipCompact"))
    full = set(description.fields("GoalMembershipResponse"))
    assert set(NODES["goal_membership"].compact) | {"gid", "resource_type"} == compact
    assert {name for name, field in NODES["goal_membership"].fields.items() if not field.opt_in} == full


@pytest.mark.parametrize(
    "node", ["status_update", "portfolio", "goal", "project_template", "goal_relationship"]
)
def test_compact_records_have_the_described_fields(description: Description, node: str) -> None:
    compact = description.fields(RESPONSES[node].replace("Response", "Compact"))
    assert {"gid", "resource_type", *NODES[node].compact} == set(compact)


def test_whole_records_keep_to_the_description_after_many_changes(description: Description) -> None:
    world = generate(seed=9, tasks=120, workspaces=2)
    rng = random.Random(5)
    for _ in range(150):
        change_goals(world, rng)
    for node in (*RESPONSES, "goal_membership"):
        if node.startswith("older"):
            continue
        name = RESPONSES.get(node, "GoalMembershipCompact")
        schema = {"$ref": f"#/components/schemas/{name}", "components": description.whole["components"]}
        validator = jsonschema.Draft202012Validator(schema)
        plural = f"{node}es" if node.endswith("s") else f"{node}s"
        records = list(world.iter_records(plural))
        assert records, node
        for record in records:
            validator.validate({key: item for key, item in record.items() if key not in ALWAYS_NULL})


def test_metrics_and_recipes_are_whole(description: Description) -> None:
    world = generate(seed=5, tasks=300)
    metrics = [goal["metric"] for goal in world.iter_records("goals")]
    described = set(description.fields("GoalMetricBase")) | {"can_manage"}
    assert None in metrics
    assert set().union(*(metric for metric in metrics if metric)) == described
    for template in world.iter_records("task_templates"):
        assert set(template["template"]) == set(description.fields("TaskTemplateRecipe"))


def test_every_scope_is_the_described_one(description: Description) -> None:
    for path, operations in description.whole["paths"].items():
        template = "/".join("{}" if part.startswith("{") else part for part in path.split("/"))
        for method, operation in operations.items():
            key = (method.upper(), *template[1:].split("/"))
            if key not in TABLE or template not in TEMPLATES:
                continue
            scopes = [
                name for one in operation.get("security", ()) for names in one.values() for name in names
            ]
            assert TABLE[key].scope == (scopes[0] if scopes else None), key

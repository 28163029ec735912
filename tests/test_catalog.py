"""The catalog against Asana's own description, where that file is at hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asana_mirror.catalog import LISTINGS, RESOURCES, opt_fields

DESCRIPTION = Path(__file__).resolve().parents[2] / "shared" / "asana-openapi.json"
ANNOUNCED = {"agents": {"created_by"}}  # in words, not yet in the description

SCHEMAS = {
    "workspaces": "WorkspaceResponse",
    "users": "UserResponse",
    "agents": "AgentResponse",
    "teams": "TeamResponse",
    "team_memberships": "TeamMembershipResponse",
    "projects": "ProjectResponse",
    "sections": "SectionResponse",
    "tags": "TagResponse",
    "custom_fields": "CustomFieldResponse",
    "enum_options": "EnumOption",
    "custom_field_settings": "CustomFieldSettingResponse",
    "tasks": "TaskResponse",
    "stories": "StoryResponse",
    "attachments": "AttachmentResponse",
}


@pytest.fixture(scope="module")
def asana() -> dict[str, Any]:
    if not DESCRIPTION.exists():
        pytest.skip("Asana's description is not at hand")
    return json.loads(DESCRIPTION.read_text(encoding="utf-8"))


def fields(asana: dict[str, Any], schema: dict[str, Any]) -> Iterator[str]:
    if "$ref" in schema:
        schema = asana["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for part in (*schema.get("allOf", ()), *schema.get("oneOf", ()), *schema.get("anyOf", ())):
        yield from fields(asana, part)
    yield from schema.get("properties", ())


def documented_opt_fields(asana: dict[str, Any], path: str) -> set[str]:
    shape = re.sub(r"\{[^}]*\}", "{}", path.partition("?")[0])
    (operation,) = (
        operations["get"]
        for template, operations in asana["paths"].items()
        if re.sub(r"\{[^}]*\}", "{}", template) == shape and "get" in operations
    )
    (parameter,) = (p for p in operation["parameters"] if p.get("name") == "opt_fields")
    return set(parameter["schema"]["items"]["enum"])


@pytest.mark.parametrize("name", RESOURCES)
def test_every_field_that_asana_describes_is_stored_or_left_out_with_a_reason(
    asana: dict[str, Any], name: str
) -> None:
    described = set(fields(asana, {"$ref": f"x/{SCHEMAS[name]}"})) - {"gid", "resource_type"}
    resource = RESOURCES[name]
    assert described <= {*resource.field_names(), *resource.leaves_out}
    assert all(resource.leaves_out.values())


@pytest.mark.parametrize("name", LISTINGS)
def test_a_listing_asks_only_for_fields_that_asana_documents(asana: dict[str, Any], name: str) -> None:
    listing = LISTINGS[name]
    asked = set(opt_fields(listing.resource).split(","))
    assert asked - ANNOUNCED.get(listing.resource, set()) <= documented_opt_fields(asana, listing.path)


@pytest.mark.parametrize("name", [name for name, entry in RESOURCES.items() if entry.path])
def test_a_single_read_gives_what_a_listing_gives(asana: dict[str, Any], name: str) -> None:
    path = RESOURCES[name].path or ""
    asked = set(opt_fields(name).split(",")) - ANNOUNCED.get(name, set())
    assert asked <= documented_opt_fields(asana, path)


def test_opt_in_fields_are_asked_for_by_name() -> None:
    asked = opt_fields("tasks").split(",")
    for field in (
        "created_by",
        "dependencies",
        "external",
        "html_notes",
        "is_rendered_as_separator",
        "num_subtasks",
    ):
        assert field in asked
    assert "html_text" in opt_fields("stories").split(",")


def test_whoever_may_be_an_agent_is_asked_for_in_a_way_that_tells() -> None:
    """A bare name brings the kind of an actor; a dotted one alone brings only gid and name."""
    for field in ("assignee", "created_by", "completed_by", "followers", "likes.user"):
        assert field in opt_fields("tasks").split(",")


def test_every_listing_leads_somewhere_known() -> None:
    for listing in LISTINGS.values():
        assert listing.resource in RESOURCES
        assert listing.below is None or listing.below == "actors" or listing.below in RESOURCES
        assert listing.split is None or listing.split in LISTINGS

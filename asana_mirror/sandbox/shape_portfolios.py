"""The fields of portfolios, of their ties to projects, and of the templates of projects and tasks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .render import MISSING, NODES, Field, Node, Rec, View, head, made, many, one, part, renderer, value
from .shape_places import settings
from .shape_status import current
from .shape_work import html
from .values import custom_field_values

RECIPE_DEFAULTS: dict[str, Any] = {
    "relative_start_on": None,
    "relative_due_on": None,
    "due_time": None,
    "dependencies": [],
    "dependents": [],
    "attachments": [],
    "subtasks": [],
}


def _portfolio_fields() -> dict[str, Field]:
    return {
        **head(),
        "name": value("name"),
        "archived": value("archived", False, opt_in=True),
        "color": value("color"),
        "start_on": value("start_on"),
        "due_on": value("due_on"),
        "default_access_level": value("default_access_level", "viewer"),
        "created_at": value("created_at"),
        "created_by": one("user", "created_by"),
        "custom_field_settings": Field(settings, "custom_field_setting", many=True, part=True),
        "current_status_update": Field(current, "status_update"),
        "custom_fields": part("custom_field_value", custom_field_values, many=True),
        "members": many("user", "members"),
        "owner": one("user", "owner"),
        "workspace": one("workspace", "workspace"),
        "permalink_url": made(lambda view, rec: f"https://app.asana.com/0/portfolio/{rec['gid']}/list"),
        "public": made(lambda view, rec: rec.get("privacy_setting") != "members_only"),
        "privacy_setting": value("privacy_setting", "public_to_domain"),
        "project_templates": many("project_template", "project_templates"),
    }


def _project_template_fields() -> dict[str, Field]:
    return {
        **head(),
        "name": value("name"),
        "description": value("description", ""),
        "html_description": made(lambda view, rec: html(rec.get("description", ""))),
        "public": value("public", True),
        "owner": one("user", "owner"),
        "team": one("team", "team"),
        "requested_dates": value("requested_dates", []),
        "color": value("color"),
        "requested_roles": value("requested_roles", []),
    }


def _compact(view: View, kind: str, gids: list[str]) -> list[Any]:
    return [renderer(kind, "compact")(view, rec) for rec in view.refs(gids)]


def _recipe(view: View, rec: Rec) -> dict[str, Any]:
    """What a template makes a task of; no resource, so what it names comes compact and whole with it."""
    held = rec["recipe"]
    return {
        "name": rec["name"],
        "task_resource_subtype": "default_task",
        **RECIPE_DEFAULTS,
        **held,
        "html_description": html(held["description"]),
        "memberships": _compact(view, "project", [rec["project"]]),
        "followers": _compact(view, "user", held["followers"]),
        "custom_fields": _compact(view, "custom_field", held["custom_fields"]),
    }


def _own(name: str, field: Field) -> Field:
    """A field of an item, got as its own kind has it; absent where that kind has none."""

    def get(view: View, rec: Rec) -> Any:
        mine = NODES[rec["resource_type"]].fields.get(name)
        return MISSING if mine is None else mine.get(view, rec)

    return replace(field, get=get)


NODES["portfolio"] = Node(_portfolio_fields(), ("name",))
_ITEM_FIELDS = NODES["portfolio"].fields | NODES["project"].fields
NODES["portfolio_item"] = Node({name: _own(name, field) for name, field in _ITEM_FIELDS.items()}, ("name",))
NODES["project_portfolio_setting"] = Node(
    {
        **head(),
        "project": one("project", "project"),
        "portfolio": one("portfolio", "portfolio"),
        "is_access_control_inherited": value("is_access_control_inherited", False),
        "created_at": value("created_at"),
    },
    ("project", "portfolio", "is_access_control_inherited"),
)
NODES["project_template"] = Node(_project_template_fields(), ("name",))
NODES["task_template"] = Node(
    {
        **head(),
        "name": value("name"),
        "project": one("project", "project"),
        "template": made(_recipe),
        "created_by": one("user", "created_by"),
        "created_at": value("created_at"),
    },
    ("name",),
)

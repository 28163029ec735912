"""The fields of goals, of what supports them, and of their metrics."""

from __future__ import annotations

from typing import Any

from .render import MISSING, NODES, Field, Node, Rec, View, head, made, many, one, part, value
from .shape_places import settings
from .shape_status import COLORS, current
from .shape_work import html, liked_parts
from .values import custom_field_values

AUTOMATIC = ("subgoal_progress", "project_task_completion", "project_milestone_completion", "task_completion")


def _workspace_level(view: View, rec: Rec) -> Any:
    """Only organizations have teams, and so only their goals tell whose they are."""
    return rec.get("team") is None if view.records[rec["workspace"]]["is_organization"] else MISSING


def status_word(status_type: str) -> str:
    """A goal's own word for the type of its last status update."""
    return COLORS.get(status_type, status_type)


def _metric(view: View, rec: Rec) -> dict[str, Any] | None:
    held = rec.get("metric")
    if held is None:
        return None
    shown = dict(held, current_display_value=_display(held))
    if held["progress_source"] in AUTOMATIC:
        shown["is_custom_weight"] = held.get("is_custom_weight", False)
    if held["progress_source"] == "external":
        shown["can_manage"] = held.get("made_by") == view.me
    shown.pop("made_by", None)
    return shown


def _display(metric: Rec) -> str:
    precision, number = metric["precision"], metric["current_number_value"]
    if metric["unit"] == "percentage":
        return f"{number * 100:.{precision}f}%"
    text = f"{number:.{precision}f}"
    return f"{metric['currency_code']} {text}" if metric["unit"] == "currency" else text


def _goal_fields() -> dict[str, Field]:
    liked = liked_parts()
    return {
        **head(),
        "name": value("name"),
        "html_notes": made(lambda view, rec: html(rec.get("notes", ""))),
        "notes": value("notes", ""),
        "due_on": value("due_on"),
        "start_on": value("start_on"),
        "is_workspace_level": made(_workspace_level),
        **{name: liked[name] for name in ("liked", "likes", "num_likes")},
        "team": one("team", "team"),
        "workspace": one("workspace", "workspace"),
        "followers": many("user", "followers"),
        "time_period": one("time_period", "time_period"),
        "metric": made(_metric),
        "owner": one("user", "owner"),
        "current_status_update": Field(current, "status_update"),
        "status": value("status"),
        "privacy_setting": value("privacy_setting", "public_to_workspace"),
        "default_access_level": value("default_access_level", "editor"),
        "custom_fields": part("custom_field_value", custom_field_values, many=True),
        "custom_field_settings": Field(settings, "custom_field_setting", many=True, part=True),
    }


NODES["goal"] = Node(_goal_fields(), ("name", "owner"))
NODES["goal_relationship"] = Node(
    {
        **head(),
        "resource_subtype": value("resource_subtype"),
        "supporting_resource": one("named", "supporting_resource"),
        "contribution_weight": value("contribution_weight", 0),
        "supported_goal": one("goal", "supported_goal"),
    },
    ("resource_subtype", "supporting_resource", "contribution_weight"),
)

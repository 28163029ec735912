"""The fields of plans: roles, time periods, allocations, budgets, rates, absences, access, custom types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .plan_records import standing
from .render import NODES, Node, Rec, View, head, made, one, part, told, value

if TYPE_CHECKING:
    from .world import World

CURRENCY = "EUR"  # configured for the domain
COUNTED = {"billable": ("billable",), "non_billable": ("nonBillable",)}  # any: all of them


def _units(rec: Rec) -> str:
    return "minutes" if rec["budget_type"] == "time" else CURRENCY


def _estimate(view: View, rec: Rec) -> dict[str, Any]:
    """What the configured source says; null while it is switched off."""
    told = rec["estimate"]["enabled"]
    return {
        **rec["estimate"],
        "units": _units(rec) if told else None,
        "value": rec["estimates"].get(rec["budget_type"], 0) if told else None,
    }


def _actual(view: View, rec: Rec) -> dict[str, Any]:
    wanted = rec["actual"]["billable_status_filter"]
    return {**rec["actual"], "units": _units(rec), "value": spent(view.world, rec, wanted)}


def spent(world: World, budget: Rec, wanted: str) -> float:
    """Minutes, or their price, of the entries that are attributed to the budget's project."""
    entries = [
        entry
        for entry in standing(world, "time_tracking_entry", budget["parent"])
        if wanted not in COUNTED or entry["billable_status"] in COUNTED[wanted]
    ]
    if budget["budget_type"] == "time":
        return sum(int(entry["duration_minutes"]) for entry in entries)
    rates = {rate["resource"]: float(rate["rate"]) for rate in standing(world, "rate", budget["parent"])}
    prices = (entry["duration_minutes"] / 60 * rates.get(entry["created_by"], 0.0) for entry in entries)
    return round(float(sum(prices)), 2)


def _total(view: View, rec: Rec) -> dict[str, Any]:
    told = rec["total"]["enabled"]
    return {
        **rec["total"],
        "units": _units(rec) if told else None,
        "value": rec["totals"].get(rec["budget_type"], 0) if told else None,
    }


def _status_options(view: View, rec: Rec) -> list[Rec] | None:
    held = rec["status_options"]
    return None if held is None else view.refs(held)


_RATE = {
    **head(),
    "parent": one("project", "parent"),
    "resource": one("user", "resource"),
    "rate": value("rate"),
    "currency_code": made(lambda view, rec: CURRENCY),
    "created_by": one("user", "created_by"),
}
_ALLOCATION = {
    **head(),
    "start_date": value("start_date"),
    "end_date": value("end_date"),
    "effort": value("effort"),
    "assignee": one("user", "assignee"),
    "created_by": one("user", "created_by"),
    "parent": one("project", "parent"),
    "resource_subtype": value("resource_subtype", "project_allocation"),
}
_OOO_ENTRY = {
    **head(),
    "start_date": value("start_date"),
    "end_date": value("end_date"),
    "user": one("user", "user"),
    "created_by": one("user", "created_by"),
}
_ACCESS_REQUEST = {
    **head(),
    "message": told("message"),
    "approval_status": value("approval_status"),
    "requester": one("user", "requester"),
    "target": one("resource", "target"),
}
_PERIOD = ("end_on", "start_on", "period", "display_name")

NODES["role"] = Node(
    {
        **head(),
        "name": value("name"),
        "description": value("description", ""),
        "is_standard_role": value("is_standard_role", False),
        "creation_time": value("creation_time"),
        "modified_at": value("modified_at"),
        "base_role_type": value("base_role_type"),
        "permissions": value("permissions"),
        "workspace": one("workspace", "workspace"),
    },
    ("name", "description", "is_standard_role"),
)
NODES["time_period"] = Node(
    {**head(), **{name: value(name) for name in _PERIOD}, "parent": one("time_period", "parent")}, _PERIOD
)
NODES["allocation"] = Node(_ALLOCATION, tuple(_ALLOCATION))
NODES["budget"] = Node(
    {
        **head(),
        "budget_type": value("budget_type"),
        "estimate": made(_estimate),
        "actual": made(_actual),
        "total": made(_total),
        "parent": one("project", "parent"),
    },
    ("budget_type",),
)
NODES["rate"] = Node(_RATE, tuple(_RATE))
NODES["ooo_entry"] = Node(_OOO_ENTRY, tuple(_OOO_ENTRY))
NODES["access_request"] = Node(_ACCESS_REQUEST, tuple(_ACCESS_REQUEST))
NODES["custom_type_status_option"] = Node(
    {
        **head(),
        "name": value("name"),
        "completion_state": value("completion_state"),
        "enabled": value("enabled"),
        "color": value("color"),
    },
    ("name",),
)
NODES["custom_type"] = Node(
    {
        **head(),
        "name": value("name"),
        "status_options": part("custom_type_status_option", _status_options, many=True),
    },
    ("name",),
)

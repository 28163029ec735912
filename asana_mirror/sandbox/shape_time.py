"""The fields of tracked time: entries, their categories, and the weeks that somebody approves."""

from __future__ import annotations

from .render import NODES, Node, head, many, one, value

_IN_LISTS = {
    **head(),
    "duration_minutes": value("duration_minutes"),
    "entered_on": value("entered_on"),
    "attributable_to": one("project", "attributable_to"),
    "created_by": one("user", "created_by"),
    "categories": many("time_tracking_category", "categories"),
}
_COMPACT = ("duration_minutes", "entered_on", "attributable_to", "created_by", "categories")
_TIMESHEET = {
    **head(),
    "created_at": value("created_at"),
    "user": one("user", "user"),
    "workspace": one("workspace", "workspace"),
    "start_date": value("start_date"),
    "end_date": value("end_date"),
    "approval_status": value("approval_status"),
}

NODES["time_tracking_entry"] = Node(
    {
        **_IN_LISTS,
        "task": one("task", "task"),
        "created_at": value("created_at"),
        "approval_status": value("approval_status", "DRAFT"),
        "billable_status": value("billable_status", "notApplicable"),
        "description": value("description", ""),
    },
    _COMPACT,
)
# What the lists answer with whose documentation is taken at its word.
NODES["time_tracking_entry_documented"] = Node(_IN_LISTS, _COMPACT)
NODES["time_tracking_category"] = Node(
    {**head(), "name": value("name"), "color": value("color"), "is_archived": value("is_archived", False)},
    ("name", "color"),
)
NODES["timesheet_approval_status"] = Node(_TIMESHEET, tuple(_TIMESHEET))

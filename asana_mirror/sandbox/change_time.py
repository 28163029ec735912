"""Tracked time: entries and categories come, change and go, and weeks are handed in and judged."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from .asks import bad
from .generate_time import monday
from .plan_records import add, change, standing, trash
from .render import Rec
from .telling import actor, gids_in, known, tell_changed, touch

if TYPE_CHECKING:
    from .world import World

KIND = "time_tracking_entry"
BILLABLE = ("billable", "nonBillable", "notApplicable")
COLORS = (
    *("none", "red", "orange", "yellow-orange", "yellow", "yellow-green", "green", "blue-green", "aqua"),
    *("blue", "indigo", "purple", "magenta", "hot-pink", "pink", "cool-gray"),
)
TRANSITIONS = {  # what a week may become; the records say it in capitals
    "DRAFT": ("submitted",),
    "SUBMITTED": ("draft", "approved", "rejected"),
    "APPROVED": ("draft",),
    "REJECTED": ("draft", "submitted"),
}


def a_day(given: Rec, key: str) -> str:
    """A date of a body; 400 when it is missing or none."""
    try:
        return date.fromisoformat(given[key]).isoformat()
    except (KeyError, TypeError, ValueError):
        raise bad(f"{key}: Not a valid date: {given.get(key)}") from None


def one_of(given: Rec, key: str, allowed: tuple[str, ...]) -> str:
    value = given.get(key)
    if value not in allowed:
        raise bad(f"{key}: Expected one of {', '.join(allowed)}")
    return str(value)


# -- entries ------------------------------------------------------------------------------------------


def create_entry(world: World, by: str, task: Rec, given: Rec) -> Rec:
    if "duration_minutes" not in given:
        raise bad("duration_minutes: Missing input")
    homes = [project for project, _ in task.get("memberships", ()) if world.alive(project)]
    fields: Rec = {
        "entered_on": world.now()[:10],
        "attributable_to": homes[0] if homes else None,
        "categories": [],
        "billable_status": "notApplicable",
        "description": "",
        **_entry_fields(world, task["workspace"], given),
    }
    entry = add(
        world,
        KIND,
        workspace=task["workspace"],
        task=task["gid"],
        created_by=by,
        created_at=world.now(),
        approval_status="DRAFT",
        **fields,
    )
    _count(world, by, task)
    return entry


def update_entry(world: World, by: str, entry: Rec, given: Rec) -> None:
    change(world, entry, **_entry_fields(world, entry["workspace"], given))
    _count(world, by, world.records[entry["task"]])


def trash_entry(world: World, by: str, entry: Rec) -> None:
    trash(entry)
    _count(world, by, world.records[entry["task"]])


def _entry_fields(world: World, workspace: str, given: Rec) -> Rec:
    found: Rec = {}
    if "duration_minutes" in given:
        minutes = given["duration_minutes"]
        if isinstance(minutes, bool) or not isinstance(minutes, int) or minutes < 1:
            raise bad("duration_minutes: Must be greater than 0")
        found["duration_minutes"] = minutes
    if "entered_on" in given:
        found["entered_on"] = a_day(given, "entered_on")
    if "attributable_to" in given:
        project = given["attributable_to"]
        found["attributable_to"] = None if project is None else known(world, "project", project)["gid"]
    if "billable_status" in given:
        found["billable_status"] = one_of(given, "billable_status", BILLABLE)
    if "description" in given:
        found["description"] = str(given["description"] or "")
    if "categories" in given:
        found["categories"] = [_category(world, workspace, gid) for gid in gids_in(given["categories"])]
        if len(found["categories"]) > 1:
            raise bad("categories: At most one category")
    return found


def _category(world: World, workspace: str, gid: str) -> str:
    category = known(world, "time_tracking_category", gid)
    if category["workspace"] != workspace or category["is_archived"]:
        raise bad(f"categories: Not a category for new entries: {gid}")
    return str(category["gid"])


def _count(world: World, by: str, task: Rec) -> None:
    """Let the task say how long it took: the sum of its entries."""
    minutes = [entry["duration_minutes"] for entry in standing(world, KIND, task["gid"])]
    total = sum(minutes) if minutes else None
    if task.get("actual_time_minutes") != total:
        task["actual_time_minutes"] = total
        touch(world, task)
        tell_changed(world, by, task, "actual_time_minutes")


# -- categories ---------------------------------------------------------------------------------------


def create_category(world: World, by: str, given: Rec) -> Rec:
    workspace = known(world, "workspace", given.get("workspace"))["gid"]
    if not isinstance(given.get("name"), str):
        raise bad("name: Missing input")
    fields = {"color": "none", **_category_fields(given), "is_archived": False}
    return add(world, "time_tracking_category", workspace=workspace, **fields)


def update_category(world: World, by: str, category: Rec, given: Rec) -> None:
    category.update(_category_fields(given))


def _category_fields(given: Rec) -> Rec:
    found: Rec = {key: given[key] for key in ("name", "is_archived") if key in given}
    if not isinstance(found.get("is_archived", False), bool):
        raise bad("is_archived: Value is not a boolean")
    if "color" in given:
        found["color"] = one_of(given, "color", COLORS)
    return found


def trash_category(world: World, by: str, category: Rec) -> None:
    trash(category)


# -- weeks --------------------------------------------------------------------------------------------


def create_timesheet(world: World, by: str, given: Rec) -> Rec:
    """For a whole week, from a Monday to a Sunday."""
    workspace = known(world, "workspace", given.get("workspace"))["gid"]
    user = actor(world, given.get("user"), by)
    first, last = a_day(given, "start_date"), a_day(given, "end_date")
    if monday(first).isoformat() != first or date.fromisoformat(last) - date.fromisoformat(
        first
    ) != timedelta(6):
        raise bad("start_date: Must be a Monday, and end_date the following Sunday")
    for rec in standing(world, "timesheet_approval_status", workspace):
        if (rec["user"], rec["start_date"]) == (user, first):
            raise bad("start_date: There is a timesheet approval status for this week")
    return add(
        world,
        "timesheet_approval_status",
        workspace=workspace,
        user=user,
        start_date=first,
        end_date=last,
        approval_status="DRAFT",
        created_at=world.now(),
    )


def update_timesheet(world: World, by: str, week: Rec, given: Rec) -> None:
    """Hand in, take back, approve or reject; 400 for what cannot follow. The week's entries go along."""
    wanted: Any = given.get("approval_status")
    if wanted not in TRANSITIONS[week["approval_status"]]:
        raise bad(f"approval_status: Cannot become {wanted} from {week['approval_status']}")
    week["approval_status"] = wanted.upper()
    for entry in standing(world, KIND, week["user"]):
        here = entry["created_by"] == week["user"] and entry["workspace"] == week["workspace"]
        if here and week["start_date"] <= entry["entered_on"] <= week["end_date"]:
            entry["approval_status"] = week["approval_status"]

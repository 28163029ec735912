"""What the tests of plans and tracked time share: which resources there are, and where each is listed."""

from __future__ import annotations

from typing import Any

from test_sandbox_description import FILE, Description

from asana_mirror.sandbox import World

RESPONSES = {
    "role": "RbacRoleResponse",
    "time_period": "TimePeriodResponse",
    "allocation": "AllocationResponse",
    "budget": "BudgetResponse",
    "rate": "RateResponse",
    "ooo_entry": "OooEntryResponse",
    "access_request": "AccessRequestResponse",
    "custom_type": "CustomTypeResponse",
    "custom_type_status_option": "CustomTypeStatusOptionResponse",
    "time_tracking_entry": "TimeTrackingEntryBase",
    "time_tracking_category": "TimeTrackingCategoryResponse",
    "timesheet_approval_status": "TimesheetApprovalStatusResponse",
    "workspace_membership": "WorkspaceMembershipResponse",
    "user_task_list": "UserTaskListResponse",
    "audit_log_event": "AuditLogEvent",
}
PLURALS = {
    "role": "roles",
    "time_period": "time_periods",
    "allocation": "allocations",
    "budget": "budgets",
    "rate": "rates",
    "ooo_entry": "ooo_entries",
    "custom_type": "custom_types",
    "time_tracking_entry": "time_tracking_entries",
    "time_tracking_category": "time_tracking_categories",
    "timesheet_approval_status": "timesheet_approval_statuses",
}


def description_of_plans() -> Description | None:
    """Asana's own description, where it is at hand."""
    if not FILE.exists():
        return None
    found = Description()
    total = found.schemas["BudgetTotalRequest"]["properties"]["value"]
    total["type"] = [total["type"], "null"]  # as the text of BudgetTotalResponse says, though not its types
    return found


def records(world: World, kind: str) -> list[dict[str, Any]]:
    return list(world.iter_records(PLURALS.get(kind, f"{kind}s")))


def gids(found: list[dict[str, Any]]) -> list[str]:
    return [rec["gid"] for rec in found]


def lists(world: World) -> list[tuple[str, str, dict[str, str]]]:
    """(template, path, query) of every new list, each with something in it."""
    ws, me = world.workspaces[0], world.me
    absent = records(world, "ooo_entry")[0]["user"]["gid"]
    entry, category = records(world, "time_tracking_entry")[0], records(world, "time_tracking_category")[0]
    project = records(world, "budget")[0]["parent"]["gid"]
    target = records(world, "access_request")[0]["target"]["gid"]
    held = records(world, "allocation")[0]
    task, typed = entry["task"]["gid"], world.inside["project", ws][0]
    tasks = world.user_task_list(me, ws)["gid"]
    day = {"entered_on_start_date": "2000-01-01"}
    return [
        ("/roles", "/roles", {"workspace": ws}),
        ("/time_periods", "/time_periods", {"workspace": ws}),
        ("/allocations", "/allocations", {"parent": held["parent"]["gid"]}),
        ("/allocations", "/allocations", {"assignee": held["assignee"]["gid"], "workspace": ws}),
        ("/budgets", "/budgets", {"parent": project}),
        ("/rates", "/rates", {"parent": project}),
        ("/ooo_entries", "/ooo_entries", {"user": absent, "workspace": ws}),
        ("/access_requests", "/access_requests", {"target": target}),
        ("/custom_types", "/custom_types", {"project": typed}),
        ("/users/{}/favorites", f"/users/{me}/favorites", {"workspace": ws, "resource_type": "project"}),
        ("/time_tracking_entries", "/time_tracking_entries", {"workspace": ws, **day}),
        ("/tasks/{}/time_tracking_entries", f"/tasks/{task}/time_tracking_entries", {}),
        (
            "/time_tracking_categories/{}/time_tracking_entries",
            f"/time_tracking_categories/{category['gid']}/time_tracking_entries",
            {},
        ),
        ("/time_tracking_categories", "/time_tracking_categories", {"workspace": ws}),
        ("/timesheet_approval_statuses", "/timesheet_approval_statuses", {"workspace": ws}),
        ("/projects/{}/sections", f"/projects/{tasks}/sections", {}),
    ]


UNPAGED = ("/budgets", "/access_requests")

"""What a mirror must hold of plans and tracked time, of people's lists and favorites, and of the audit log.

The rules are those of `truth`, which asks for this and adds it to the rest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from asana_mirror.sandbox import World

Record = dict[str, Any]
Row = dict[str, Any]
Tables = dict[str, dict[Any, Row]]
Add = Callable[..., None]  # (found, table, record, **columns of our own)

ELSEWHERE: dict[str, set[str]] = {"time_tracking_entries": {"categories"}, "custom_types": {"status_options"}}

OF_SEVERAL_KINDS = {("allocations", "assignee"), ("rates", "resource"), ("access_requests", "target")}

# Structures that name a record and are kept as they came all the same.
AS_JSON = {("audit_log_events", "resource")}

LINKS: dict[str, tuple[str, str, str]] = {
    "time_tracking_entry_categories": (
        "time_tracking_entries",
        "time_tracking_entry_gid",
        "time_tracking_category_gid",
    ),
    "project_custom_types": ("projects", "project_gid", "custom_type_gid"),
    "favorites": ("workspaces", "workspace_gid", "item_gid"),
}

ORDERED_WITHIN = {
    "sections": ("project_gid", "user_task_list_gid"),
    "custom_type_status_options": ("custom_type_gid",),
    "favorites": ("workspace_gid", "item_type"),
}

# Asana's record does not say in which workspace it was listed, or says it under this name anyway.
OF_A_WORKSPACE = (
    *("time_periods", "time_tracking_categories", "time_tracking_entries", "ooo_entries"),
    *("roles", "timesheet_approval_statuses", "user_task_lists", "workspace_memberships"),
)
OF_A_PROJECT = ("allocations", "budgets", "rates")
RESOURCES = (
    *OF_A_WORKSPACE,
    *OF_A_PROJECT,
    *("access_requests", "custom_types", "custom_type_status_options", "audit_log_events"),
)

OUTLIVES_ITS_LISTINGS = ("custom_types",)


def add_plans(found: Tables, world: World, strays: Iterable[str], add: Add, service: bool) -> None:
    """service: whether the mirror was filled by the token of a service account, which alone reads the audit log."""
    for table in OF_A_WORKSPACE:
        for record in world.iter_records(table):
            add(found, table, record, workspace_gid=_workspace(world, record))
    for table in OF_A_PROJECT:
        for record in world.iter_records(table):
            add(found, table, record)
    for record in world.iter_records("access_requests"):
        if any(record["target"]["gid"] in found.get(places, ()) for places in ("projects", "portfolios")):
            add(found, "access_requests", record)
    for record in world.iter_records("audit_log_events") if service else ():
        add(found, "audit_log_events", record, workspace_gid=_workspace(world, record))
    _add_custom_types(found, world, strays, add)
    _add_my_tasks(found, world, add)
    _add_favorites(found, world)


def _workspace(world: World, record: Record) -> str:
    """Where a record was listed: it says so itself, or the world knows."""
    told = record.get("workspace")
    return str(told["gid"] if told else world.records[record["gid"]]["workspace"])


def _add_custom_types(found: Tables, world: World, strays: Iterable[str], add: Add) -> None:
    for project in found["projects"]:
        for gid in world.records[project].get("custom_types", ()):
            found["project_custom_types"][project, gid] = {}
    gids = {gid for _, gid in found["project_custom_types"]}
    for record in world.iter_records("custom_types"):
        if record["gid"] in gids.union(strays):
            add(found, "custom_types", record)
            for position, option in enumerate(record["status_options"] or ()):
                place = {"custom_type_gid": record["gid"], "position": position}
                add(found, "custom_type_status_options", option, **place)


def _add_my_tasks(found: Tables, world: World, add: Add) -> None:
    """The sections of the own user's lists; those of others show to nobody."""
    for workspace in world.workspaces_of(world.me):
        tasks = world.user_task_list(world.me, workspace)["gid"]
        sections = [gid for gid in world.inside["section", tasks] if world.alive(gid)]
        for position, gid in enumerate(sections):
            add(found, "sections", world.record(gid), position=position, user_task_list_gid=tasks)


def _add_favorites(found: Tables, world: World) -> None:
    """Each type is a list of its own, so that a position is a place among things of the same type."""
    for workspace in world.workspaces_of(world.me):
        before: dict[str, int] = defaultdict(int)
        for gid in world.favorites[world.me, workspace]:
            kind = world.records[gid]["resource_type"]
            if world.visible(world.token, gid) and (kind != "user" or gid in world.members[workspace]):
                found["favorites"][workspace, gid] = {"item_type": kind, "position": before[kind]}
                before[kind] += 1


def links(table: str, record: Record) -> dict[str, Iterator[Row]]:
    if table != "time_tracking_entries":
        return {}
    categories = ({"time_tracking_category_gid": other["gid"]} for other in record["categories"])
    return {"time_tracking_entry_categories": categories}

"""What a mirror must hold of goals, portfolios, status updates, briefs, templates, memberships and reactions.

The rules are those of `truth`, which asks for this and adds it to the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from asana_mirror.sandbox import World

Row = dict[str, Any]
Tables = dict[str, dict[Any, Row]]
Add = Callable[..., None]  # (found, table, record, **columns of our own)

SHARED = {  # table of memberships: the table of what is shared
    "project_memberships": "projects",
    "portfolio_memberships": "portfolios",
    "goal_memberships": "goals",
    "custom_field_memberships": "custom_fields",
    "custom_type_memberships": "custom_types",
}
RESOURCES = (
    *("portfolios", "project_portfolio_settings", "goals", "goal_relationships"),
    *("status_updates", "project_statuses", "project_briefs", "project_templates", "task_templates"),
    *SHARED,
    "reactions",
)

# Fields of memberships that say again what others say, or that Asana has deprecated.
_SAID_TWICE = {"user", "project", "goal", "workspace", "role", "write_access", "is_commenter", "is_editor"}
ELSEWHERE: dict[str, set[str]] = {
    "status_updates": {"likes"},
    "portfolios": {"members", "custom_fields", "custom_field_settings", "project_templates"},
    "goals": {"likes", "followers", "custom_fields", "custom_field_settings"},
    **dict.fromkeys(SHARED, _SAID_TWICE),
}
OF_SEVERAL_KINDS = {
    ("status_updates", "parent"),
    ("goal_relationships", "supporting_resource"),
    *((table, "member") for table in SHARED),
}

# Structures that look like a reference and are kept as they came all the same.
AS_JSON = {("goals", "metric")}

LINKS: dict[str, tuple[str, str, str]] = {
    "status_update_likes": ("status_updates", "status_update_gid", "actor_gid"),
    "portfolio_members": ("portfolios", "portfolio_gid", "actor_gid"),
    "portfolio_project_templates": ("portfolios", "portfolio_gid", "project_template_gid"),
    "portfolio_custom_fields": ("portfolios", "portfolio_gid", "custom_field_gid"),
    "portfolio_items": ("portfolios", "portfolio_gid", "item_gid"),
    "goal_followers": ("goals", "goal_gid", "actor_gid"),
    "goal_likes": ("goals", "goal_gid", "actor_gid"),
    "goal_custom_fields": ("goals", "goal_gid", "custom_field_gid"),
}
LINKED_BY: dict[str, dict[str, str]] = {  # table: link table and the field that it keeps
    "status_updates": {"status_update_likes": "likes"},
    "portfolios": {
        "portfolio_members": "members",
        "portfolio_project_templates": "project_templates",
        "portfolio_custom_fields": "custom_fields",
    },
    "goals": {"goal_followers": "followers", "goal_likes": "likes", "goal_custom_fields": "custom_fields"},
}
ORDERED_WITHIN = {"portfolio_items": ("portfolio_gid",)}

# An item that is taken out of its last portfolio is still there to be read.
OUTLIVES_ITS_LISTINGS = ("portfolios",)


def add_goals(found: Tables, world: World, strays: Iterable[str], add: Add, service: bool) -> None:
    """What needs the projects of `found` only; service: with whose token the mirror was filled."""
    _add_portfolios(found, world, strays, add, service)
    for record in world.iter_records("goals"):
        add(found, "goals", record)
        _add_settings(found, world, record, add)
    for record in world.iter_records("goal_relationships"):
        add(found, "goal_relationships", record)
    for record in world.iter_records("project_templates"):
        add(found, "project_templates", record, workspace_gid=world.records[record["gid"]]["workspace"])
    for table in ("project_portfolio_settings", "project_briefs", "task_templates"):
        for record in world.iter_records(table):
            if record["project"]["gid"] in found["projects"]:
                add(found, table, record)
    _add_statuses(found, world, add)


def _add_portfolios(found: Tables, world: World, strays: Iterable[str], add: Add, service: bool) -> None:
    """Those that the token's list shows, and all that is met below them."""
    records = {record["gid"]: record for record in world.iter_records("portfolios")}
    waiting = [gid for gid, record in records.items() if service or record["owner"]["gid"] == world.me]
    waiting += [gid for gid in strays if gid in records]
    while waiting:
        gid = waiting.pop()
        if gid in found["portfolios"] or gid not in records:
            continue
        add(found, "portfolios", records[gid])
        _add_settings(found, world, records[gid], add)
        items = [item for item in world.records[gid]["items"] if world.visible(world.token, item)]
        for position, item in enumerate(items):
            kind = world.records[item]["resource_type"]
            found["portfolio_items"][gid, item] = {"item_type": kind, "position": position}
        waiting += items


def _add_settings(found: Tables, world: World, record: Row, add: Add) -> None:
    for position, setting in enumerate(record["custom_field_settings"]):
        add(found, "custom_field_settings", world.record(setting["gid"]), position=position)


def _add_statuses(found: Tables, world: World, add: Add) -> None:
    parents = found["projects"].keys() | found["portfolios"].keys() | found["goals"].keys()
    for record in world.iter_records("status_updates"):
        if record["parent"]["gid"] in parents:
            add(found, "status_updates", record)
    for record in world.iter_records("project_statuses"):
        project = world.records[record["gid"]]["parent"]
        if project in found["projects"]:
            add(found, "project_statuses", record, project_gid=project)


def add_shared(found: Tables, world: World, add: Add) -> None:
    """What needs all the rest of `found`: memberships, and reactions to comments and status updates."""
    for table, places in SHARED.items():
        for record in world.iter_records(table):
            if record["parent"]["gid"] in found[places]:
                add(found, table, record)
    for rec in world.truth.existing("reactions"):
        for table, kind in (("stories", "story"), ("status_updates", "status_update")):
            if rec["target"] in found[table]:
                place = {"target_gid": rec["target"], "target_type": kind, "emoji_base": rec["emoji_base"]}
                add(found, "reactions", world.rendered(rec), **place)

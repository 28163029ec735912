"""What stands on what: records that are gone, or unseen, as soon as the ones that they belong to are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .render import Rec

if TYPE_CHECKING:
    from .world import World

STANDS_ON: dict[str, tuple[str, ...]] = {  # kind: its fields that name what it needs
    "story": ("target",),
    "attachment": ("parent",),
    "status_update": ("parent",),
    "project_brief": ("project",),
    "project_portfolio_setting": ("project", "portfolio"),
    "goal_relationship": ("supported_goal", "supporting_resource"),
    "task_template": ("project",),
    "project_status": ("parent",),
    "reaction": ("target",),
    "membership": ("parent",),
    "custom_field_membership": ("parent",),
    "custom_type_membership": ("parent",),
    "time_tracking_entry": ("task",),
    "allocation": ("parent",),
    "budget": ("parent",),
    "rate": ("parent",),
    "access_request": ("target",),
}


def put_below(world: World, kind: str, parent: str, /, **fields: Any) -> Rec:
    """Add a record that is listed below another one, after those that are there."""
    rec = world.put(kind, **fields)
    world.inside[kind, parent].append(rec["gid"])
    return rec


def below(world: World, kind: str, parent: str) -> list[str]:
    """What lives below a record, oldest first."""
    return [gid for gid in world.inside.get((kind, parent), ()) if world.find(gid) is not None]


def take_away(world: World, rec: Rec, *parents: str) -> None:
    """Remove for good a record that ties others together: it never goes to the trash."""
    for parent in parents:
        world.inside[rec["resource_type"], parent].remove(rec["gid"])
    del world.records[rec["gid"]]

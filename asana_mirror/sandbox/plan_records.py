"""Where the records of planning are listed, and how they come, move and go."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .draw import gid_number
from .render import Rec

if TYPE_CHECKING:
    from .world import World

# The fields by which a kind is listed: `world.inside[kind, gid]` holds what names this gid there.
LISTED_BY: dict[str, tuple[str, ...]] = {
    "role": ("workspace",),
    "time_period": ("workspace",),
    "placeholder": ("workspace",),
    "custom_type": ("workspace",),
    "custom_type_status_option": ("custom_type",),
    "time_tracking_category": ("workspace",),
    "time_tracking_entry": ("workspace", "task", "attributable_to", "created_by"),
    "timesheet_approval_status": ("workspace",),
    "ooo_entry": ("workspace", "user"),
    "allocation": ("parent", "assignee"),
    "budget": ("parent",),
    "rate": ("parent",),
    "access_request": ("target",),
    "audit_log_event": ("workspace",),
}
FIRST_COUNT = 7_000_000  # generated gids that no world mints, so that all others stay what they were


def add(world: World, kind: str, gid: str | None = None, **fields: Any) -> Rec:
    """Put a record into the world and into every list that shows it."""
    rec = world.put(kind, gid, **fields)
    for key in LISTED_BY[kind]:
        if rec.get(key):
            world.inside[kind, rec[key]].append(rec["gid"])
    return rec


def change(world: World, rec: Rec, **fields: Any) -> None:
    """Give fields new values, and the record other places in the lists when these were listed by them."""
    kind, gid = rec["resource_type"], rec["gid"]
    for key, value in fields.items():
        if key in LISTED_BY[kind] and rec.get(key) != value:
            if rec.get(key):
                world.inside[kind, rec[key]].remove(gid)
            if value:
                world.inside[kind, value].append(gid)
        rec[key] = value


def trash(rec: Rec) -> None:
    rec["trashed"] = rec["gid"]


def standing(world: World, kind: str, owner: str) -> Iterator[Rec]:
    """The living records of a kind that name this owner, as they were made."""
    for gid in world.inside[kind, owner]:
        rec = world.find(gid)
        if rec is not None:
            yield rec


def forget_person(world: World, workspace: str, user: str) -> None:
    """What goes with somebody who leaves a workspace: absences, and requests to be let in."""
    absences = [rec for rec in standing(world, "ooo_entry", user) if rec["workspace"] == workspace]
    for kind in ("project", "portfolio"):
        for place in world.inside[kind, workspace]:
            requests = standing(world, "access_request", place)
            absences += [rec for rec in requests if rec["requester"] == user]
    for rec in absences:
        trash(rec)


def inside(target: Rec) -> list[str]:
    """Who needs not ask for access to a private project or portfolio."""
    owner = [target["owner"]] if target["resource_type"] == "portfolio" else []
    return [*owner, *target.get("members", ())]


class Planner:
    """What makes records of planning needs: a Random of its own, and gids of its own."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rng = random.Random(f"{world.seed}/plan")
        self.org = world.workspaces[0]
        self.people = list(world.members[self.org])
        self.projects = [world.records[gid] for gid in world.inside["project", self.org]]
        self._count = FIRST_COUNT

    def gid(self) -> str:
        self._count += 1
        return str(gid_number(self._count))

    def add(self, kind: str, **fields: Any) -> Rec:
        return add(self.world, kind, self.gid(), **fields)

    def person(self) -> str:
        return self.rng.choice(self.people)

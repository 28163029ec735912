"""Sharing: who may do what with a project, portfolio, goal, custom field or custom type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .asks import bad
from .change_tasks import change_people
from .render import Rec
from .sharing import HELD_IN, LEVELS, members_of, memberships_of
from .telling import actor, known, tell_changed

if TYPE_CHECKING:
    from .world import World


def share(world: World, by: str, given: Rec) -> Rec:
    """400 without a parent that can be shared and a member that is somebody or a team."""
    parent = world.find(str(given.get("parent")))
    if parent is None or parent["resource_type"] not in HELD_IN:
        raise bad(f"parent: Not a recognized ID: {given.get('parent')}")
    member = _member(world, by, given.get("member"))
    level = given.get("access_level") or given.get("role")
    if level is not None:
        _grant(parent, member, level)
    _change(world, by, parent, member, True)
    return next(rec for rec in memberships_of(world, parent) if rec["member"] == member)


def _member(world: World, by: str, named: Any) -> str:
    rec = world.records.get(str(named))
    if rec is not None and rec["resource_type"] == "team":
        return str(known(world, "team", named)["gid"])
    return actor(world, named, by)


def _grant(parent: Rec, member: str, level: Any) -> None:
    if level not in LEVELS[parent["resource_type"]]:
        raise bad(f"access_level: Not a valid level: {level}")
    parent["access"] = {**parent.get("access", {}), member: level}


def _change(world: World, by: str, parent: Rec, member: str, add: bool) -> None:
    kind = parent["resource_type"]
    if world.records[member]["resource_type"] != "team":
        change_people(world, by, parent, HELD_IN[kind], [member], add)
        return
    teams = [gid for gid in parent.get("member_teams", ()) if gid != member]
    parent["member_teams"] = [*teams, member] if add else teams
    tell_changed(world, by, parent, HELD_IN[kind], "added" if add else "removed", member)


def set_level(world: World, by: str, membership: Rec, given: Rec) -> None:
    if "access_level" in given:
        _grant(world.records[membership["parent"]], membership["member"], given["access_level"])


def unshare(world: World, by: str, membership: Rec) -> None:
    """400 for a project's own team, which goes only with the project to another team."""
    parent, member = world.records[membership["parent"]], membership["member"]
    _change(world, by, parent, member, False)
    if member in members_of(parent):
        raise bad("member: This is the project's own team")
    parent["access"] = {gid: level for gid, level in parent.get("access", {}).items() if gid != member}

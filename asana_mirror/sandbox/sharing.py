"""Memberships of projects, which follow from a project's members and team and are stored nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .asks import Ask, bad, unknown
from .draw import mix
from .pages import Listing, page
from .reads import Answer, shown
from .render import NODES, Field, Node, Rec, head, value

if TYPE_CHECKING:
    from .world import World

FIRST_GID = 5_000_000_000_000_000


def memberships_of(world: World, project: Rec) -> Iterator[Rec]:
    """People first, then the team, unless the project is private."""
    members = list(project.get("members", ()))
    if project.get("team") and project.get("privacy_setting") != "private":
        members.append(project["team"])
    for member in members:
        if world.alive(member):
            yield {
                "gid": str(FIRST_GID + mix(int(project["gid"]) ^ mix(int(member))) % 10**15),
                "resource_type": "membership",
                "resource_subtype": "project_membership",
                "parent": project["gid"],
                "member": member,
                "access_level": "admin" if member == project.get("owner") else "editor",
            }


def every_membership(world: World) -> Iterator[Rec]:
    for workspace in world.workspaces:
        for project in world.living(world.inside["project", workspace]):
            yield from memberships_of(world, project)


def memberships(ask: Ask) -> Answer:
    """By parent (only projects have any), or by a team as member."""
    member = ask.query.get("member")
    if "parent" in ask.query:
        parent = ask.world.find(ask.query["parent"])
        if parent is None or not ask.sees(parent):
            raise unknown("parent", ask.query["parent"])
        found = list(memberships_of(ask.world, parent)) if parent["resource_type"] == "project" else []
    elif member is not None and ask.query.get("resource_subtype") == "project_membership":
        ask.rec("team", member)
        found = [rec for rec in every_membership(ask.world) if ask.view.ref(rec["parent"]) is not None]
    else:
        raise bad("parent: Missing input")
    found = [rec for rec in found if member in (None, rec["member"])]
    gids = [rec["gid"] for rec in found]
    return page(ask, Listing("membership", len(found), lambda a, b: found[a:b], lambda a, b: gids[a:b]))


def membership(ask: Ask) -> Answer:
    for rec in every_membership(ask.world):
        if rec["gid"] == ask.gids[0] and ask.view.ref(rec["parent"]) is not None:
            return shown(ask, "membership", rec)
    raise unknown("membership", ask.gids[0])


_FIELDS = {
    **head(),
    "resource_subtype": value("resource_subtype"),
    "parent": Field(lambda view, rec: view.ref(rec["parent"]), "project"),
    "member": Field(lambda view, rec: view.ref(rec["member"]), "user"),
    "access_level": value("access_level"),
}
NODES["membership"] = Node(_FIELDS, tuple(_FIELDS))

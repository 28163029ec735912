"""Status updates and project briefs: written, edited and trashed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .asks import bad
from .change_fields import plain
from .render import Rec
from .shape_goals import status_word
from .shape_status import COLORS, as_project_status
from .standing import below, put_below
from .telling import tell_changed, touch

if TYPE_CHECKING:
    from .world import World

ANYWHERE = ("on_track", "at_risk", "off_track", "dropped")
STATUS_TYPES = {
    "project": (*ANYWHERE, "on_hold", "complete"),
    "portfolio": (*ANYWHERE, "on_hold", "complete"),
    "goal": (*ANYWHERE, "achieved", "partial", "missed"),
}


def post_status(world: World, by: str, given: Rec) -> Rec:
    """400 without a text, a type that its parent may have, or a parent that has statuses."""
    parent = world.find(str(given.get("parent")))
    if parent is None or parent["resource_type"] not in STATUS_TYPES:
        raise bad(f"parent: Not a recognized ID: {given.get('parent')}")
    if given.get("status_type") not in STATUS_TYPES[parent["resource_type"]]:
        raise bad(f"status_type: Not a valid type: {given.get('status_type')}")
    title = given.get("title") or "Status update"
    return _post(world, by, parent, given, title=str(title), status_type=given["status_type"])


def post_project_status(world: World, by: str, project: Rec, given: Rec) -> Rec:
    """The deprecated way, with a color for a type."""
    types = {color: status_type for status_type, color in COLORS.items()} | {"complete": "complete"}
    if given.get("color") not in types:
        raise bad(f"color: Not a valid color: {given.get('color')}")
    title, status_type = str(given.get("title") or "Status update"), types[given["color"]]
    return as_project_status(_post(world, by, project, given, title=title, status_type=status_type))


def _post(world: World, by: str, parent: Rec, given: Rec, title: str, status_type: str) -> Rec:
    now = world.now()
    rec = put_below(
        world,
        "status_update",
        parent["gid"],
        parent=parent["gid"],
        title=title,
        status_type=status_type,
        author=by,
        created_at=now,
        modified_at=now,
        **written(given),
    )
    _settle(world, by, parent)
    return rec


def written(given: Rec) -> Rec:
    """The text of a body in both forms; 400 without any, or with both."""
    text, formatted = given.get("text"), given.get("html_text")
    if text and formatted:
        raise bad("text: Specify at most one of text and html_text")
    if not (text or formatted):
        raise bad("text: Missing input")
    if formatted:
        return {"text": plain(str(formatted)), "html_text": str(formatted)}
    return {"text": str(text), "html_text": None}


def trash_status(world: World, by: str, rec: Rec) -> None:
    rec["trashed"] = rec["gid"]
    _settle(world, by, world.records[rec["parent"]])


def _settle(world: World, by: str, parent: Rec) -> None:
    """The newest status is what its parent shows."""
    touch(world, parent)
    if parent["resource_type"] == "goal":
        gids = below(world, "status_update", parent["gid"])
        parent["status"] = status_word(world.records[gids[-1]]["status_type"]) if gids else None
        tell_changed(world, by, parent, "status")


# -- briefs -------------------------------------------------------------------------------------------


def write_brief(world: World, by: str, project: Rec, given: Rec) -> Rec:
    """400 when the project has one, or when there is nothing in it."""
    if below(world, "project_brief", project["gid"]):
        raise bad("project: This project has a brief")
    fields = {"title": str(given.get("title") or ""), **written(given)}
    touch(world, project)
    return put_below(world, "project_brief", project["gid"], project=project["gid"], **fields)


def edit_brief(world: World, by: str, rec: Rec, given: Rec) -> None:
    if "title" in given:
        rec["title"] = str(given["title"])
    if given.get("text") or given.get("html_text"):
        rec |= written(given)


def trash_brief(world: World, by: str, rec: Rec) -> None:
    rec["trashed"] = rec["gid"]
    touch(world, world.records[rec["project"]])

"""Comments, reactions and attachments: written, edited, trashed and brought back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .asks import bad
from .change_fields import plain, set_liked
from .lazy import attachment
from .render import Rec
from .telling import add_story, known, tell_changed, touch

if TYPE_CHECKING:
    from .world import World


def add_comment(world: World, by: str, task: Rec, given: Rec) -> Rec:
    """400 without any text."""
    text = plain(given["html_text"]) if given.get("html_text") else given.get("text")
    if not text and not given.get("sticker_name"):
        raise bad("text: Missing input")
    more = {key: given[key] for key in ("is_pinned", "sticker_name") if given.get(key)}
    return add_story(world, by, task, "comment_added", str(text or ""), **more)


def kept(world: World, story: Rec) -> Rec:
    """The story as the world keeps it, so that it may be edited."""
    shelf = world.keep_stories(world.records[story["target"]])
    return next(rec for rec in shelf if rec["gid"] == story["gid"])


def edit_story(world: World, by: str, story: Rec, given: Rec) -> Rec:
    """Change a comment's text or pin, or like it; no modified_at moves."""
    story = kept(world, story)
    text = plain(given["html_text"]) if given.get("html_text") else given.get("text")
    if text is not None and story["resource_subtype"] != "comment_added":
        raise bad("text: Only comments can be edited")
    if text is not None and text != story["text"]:
        story |= {"text": str(text), "is_edited": True}
        tell_changed(world, by, story, "text")
    for key in ("is_pinned", "sticker_name"):
        if key in given and given[key] != story.get(key):
            story[key] = given[key]
            tell_changed(world, by, story, key)
    if "liked" in given:
        set_liked(world, by, story, given["liked"])
    return story


def react(world: World, by: str, rec: Rec, base: str, variant: str | None = None) -> None:
    """Add this actor's emoji reaction to a story or status update, or take it back."""
    rec = kept(world, rec) if rec["resource_type"] == "story" else rec
    reactions = rec["reactions"] = {key: list(who) for key, who in rec.get("reactions", {}).items()}
    who = reactions.setdefault((base, variant or base), [])
    if by in who:
        who.remove(by)
    else:
        who.append(by)
    tell_changed(world, by, rec, "reaction_summary")


def trash_story(world: World, by: str, story: Rec) -> None:
    story = kept(world, story)
    story["trashed"] = story["gid"]
    touch(world, world.records[story["target"]])
    world.events.tell(by, story, "deleted")


def restore_story(world: World, by: str, story: Rec) -> None:
    story.pop("trashed", None)
    touch(world, world.records[story["target"]])
    world.events.tell(by, story, "undeleted")


def add_attachment(world: World, by: str, given: Rec) -> Rec:
    """A link (`resource_subtype` external, with name and url) or an uploaded file, on a task, project or brief."""
    found = world.find(str(given.get("parent")))
    place = found is not None and found["resource_type"] in ("project", "project_brief")
    parent = found if found and place else known(world, "task", given.get("parent"))
    uploaded = given.get("file")
    host = "asana" if isinstance(uploaded, dict) else given.get("resource_subtype")
    if host not in ("asana", "external") or (
        host == "external" and not (given.get("url") and given.get("name"))
    ):
        raise bad("file: Missing input")
    name = str(given.get("name") or (uploaded or {}).get("name"))
    rec = attachment(world.mint(), parent["gid"], host, name, world.now(), 0)
    if host == "external":
        rec |= {"url": str(given["url"]), "connected_to_app": bool(given.get("connect_to_app"))}
    else:
        rec |= {"size": (uploaded or {})["size"], "content": (uploaded or {}).get("content", rec["gid"])}
    world.keep_attachments(parent).append(rec)
    world.task_of_added[rec["gid"]] = parent["gid"]
    world.events.tell(by, rec, "added", parent["gid"])
    if parent["resource_type"] == "task":
        add_story(world, by, parent, "attachment_added", f"attached {name}")
        tell_changed(world, by, parent, "attachments", "added", rec["gid"])
    return rec


def trash_attachment(world: World, by: str, rec: Rec) -> None:
    owner = world.records[rec["parent"]]
    rec = next(item for item in world.keep_attachments(owner) if item["gid"] == rec["gid"])
    rec["trashed"] = rec["gid"]
    if owner["resource_type"] == "task":
        touch(world, owner)
    world.events.tell(by, rec, "deleted")

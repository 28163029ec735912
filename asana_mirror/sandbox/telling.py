"""What every change leaves behind: a newer modified_at, a system story, an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .asks import bad
from .render import Rec

if TYPE_CHECKING:
    from .world import World


def touch(world: World, rec: Rec) -> None:
    rec["modified_at"] = world.now()


def name_of(world: World, gid: str | None) -> str:
    return str(world.records[gid]["name"]) if gid else "nobody"


def add_story(
    world: World, by: str, task: Rec, subtype: str, text: str, touches: bool = True, **fields: Any
) -> Rec:
    """Write a story on a task and tell of it. Moves, followers and dependencies leave modified_at alone."""
    story: Rec = {
        "gid": world.mint(),
        "resource_type": "story",
        "created_at": world.now(),
        "created_by": by,
        "target": task["gid"],
        "source": "api",
        "resource_subtype": subtype,
        "text": text,
        **fields,
    }
    world.keep_stories(task).append(story)
    world.task_of_added[story["gid"]] = task["gid"]
    if touches:
        touch(world, task)
    world.events.tell(by, story, "added", task["gid"])
    return story


def tell_changed(
    world: World, by: str, rec: Rec, field: str, action: str = "changed", value: Any = None
) -> None:
    """An event that a field changed; value: the gid that it now is, or that came or went."""
    change = {"field": field, "action": action}
    if isinstance(value, str):
        change[{"changed": "new_value", "added": "added_value", "removed": "removed_value"}[action]] = value
    world.events.tell(by, rec, "changed", change=change)


def insert_at(items: list[str], gid: str, before: str | None, after: str | None) -> None:
    """Put a gid into an ordered list, next to another one (400 when that is not in it) or last."""
    anchor = before or after
    if anchor is not None and anchor not in items:
        raise bad(f"{'insert_before' if before else 'insert_after'}: Not in this list: {anchor}")
    if anchor == gid:
        return
    if gid in items:
        items.remove(gid)
    if anchor is None:
        items.append(gid)
    else:
        items.insert(items.index(anchor) + (before is None), gid)


def actor(world: World, gid: Any, by: str) -> str:
    """The gid of a user or agent named in a write; 400 when there is none."""
    found = by if gid == "me" else gid
    if isinstance(found, str) and "@" in found:
        found = next((r["gid"] for r in world.records.values() if r.get("email") == found), found)
    rec = world.records.get(found) if isinstance(found, str) else None
    if rec is None or rec["resource_type"] not in ("user", "agent"):
        raise bad(f"user: Not a recognized ID: {gid}")
    return str(rec["gid"])


def known(world: World, kind: str, gid: Any) -> Rec:
    """A living record that a write refers to; 400 when there is none of this kind."""
    rec = world.find(gid) if isinstance(gid, str) else None
    if rec is None or rec["resource_type"] != kind:
        raise bad(f"{kind}: Not a recognized ID: {gid}")
    return rec


def gids_in(value: Any) -> list[str]:
    """Gids as Asana takes them: a list, or one string with commas."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, list):
        return [item["gid"] if isinstance(item, dict) else str(item) for item in value]
    raise bad("Expected a list of IDs")

"""Stories and attachments of generated tasks: made again, alike, each time someone looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .draw import (
    ATTACHMENT_GIDS,
    ATTACHMENTS_PER_TASK,
    DAY_MS,
    STORIES_PER_TASK,
    STORY_GIDS,
    day,
    iso,
    millis,
    mix,
    pick,
)
from .names import EMOJI, FILES, HOSTS, REMARKS, STICKERS, THINGS
from .render import Rec

if TYPE_CHECKING:
    from .world import World

Named = tuple[str, str]  # gid and the name it had in the beginning


@dataclass
class Pools:
    """What generated stories may speak of; frozen when the world is made, so that stories never change."""

    actors: list[Named] = field(default_factory=list)
    projects: list[Named] = field(default_factory=list)
    sections: list[Named] = field(default_factory=list)
    tags: list[Named] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    fields: dict[str, list[Named]] = field(default_factory=dict)  # by kind of custom field
    options: list[str] = field(default_factory=list)


Writer = Callable[[Pools, int, str], dict[str, Any]]


def made_story(world: World, task: Rec, place: int) -> Rec:
    """The place-th story of a task as the seed has it."""
    pools = world.pools
    number = task["ordinal"] * STORIES_PER_TASK + place
    bits = mix(number + world.seed * 0x51ED270B)
    author, who = pick(pools.actors, bits >> 8)
    begun = millis(task["created_at"])
    story: Rec = {
        "gid": str(STORY_GIDS + number),
        "resource_type": "story",
        "created_at": iso(begun + place * 61_000 + (bits & 0x7FFF)),
        "created_by": author,
        "target": task["gid"],
        "source": pick(("web", "web", "mobile", "email", "api"), bits >> 16),
    }
    choice = bits % 100
    if choice < 45:
        return story | _comment(world, bits >> 20)
    subtype, write = pick(_WRITERS, bits >> 12)
    return story | {"resource_subtype": subtype} | write(pools, bits >> 20, who)


def _comment(world: World, bits: int) -> dict[str, Any]:
    actors = world.pools.actors
    found: dict[str, Any] = {"resource_subtype": "comment_added", "text": pick(REMARKS, bits)}
    if bits % 7 == 0:
        found["likes"] = [pick(actors, bits >> 5)[0]]
    if bits % 11 == 0:
        found["reactions"] = {pick(EMOJI, bits >> 6): [pick(actors, bits >> 9)[0]]}
    if bits % 13 == 0:
        found["is_edited"] = True
    if bits % 29 == 0:
        found["is_pinned"] = True
    if bits % 31 == 0:
        found |= {"sticker_name": pick(STICKERS, bits >> 7), "text": ""}
    if bits % 37 == 0:
        found["previews"] = [_preview(bits)]
    return found


def _preview(bits: int) -> dict[str, Any]:
    link = f"https://example.com/{bits % 9973}"
    return {
        "fallback": f"Greta: see {link}",
        "footer": "example.com",
        "header": "A page",
        "header_link": link,
        "html_text": "<body>A few words of it</body>",
        "text": "A few words of it",
        "title": pick(THINGS, bits),
        "title_link": link,
    }


def _dates(bits: int) -> dict[str, Any]:
    due = 1_700_000_000_000 + bits % 700 * DAY_MS
    timed = bits % 3 == 0
    return {"start_on": None, "due_at": iso(due) if timed else None, "due_on": day(due)}


def _assigned(pools: Pools, bits: int, who: str) -> dict[str, Any]:
    gid, name = pick(pools.actors, bits)
    return {"text": f"{who} assigned to {name}", "assignee": gid}


def _follower_added(pools: Pools, bits: int, who: str) -> dict[str, Any]:
    gid, name = pick(pools.actors, bits)
    return {"text": f"{who} added {name} to followers", "follower": gid}


def _renamed(pools: Pools, bits: int, who: str) -> dict[str, Any]:
    old, new = pick(THINGS, bits), pick(THINGS, bits >> 7)
    return {"text": f'{who} changed the name to "{new}"', "old_name": old, "new_name": new}


def _due_date(pools: Pools, bits: int, who: str) -> dict[str, Any]:
    new = _dates(bits)
    return {
        "text": f"{who} changed the due date to {new['due_on']}",
        "old_dates": _dates(bits >> 9),
        "new_dates": new,
    }


def _to_project(pools: Pools, bits: int, who: str) -> dict[str, Any]:
    gid, name = pick(pools.projects, bits)
    return {"text": f"{who} added to {name}", "project": gid}


def _section_changed(pools: Pools, bits: int, who: str) -> dict[str, Any]:
    old, new = pick(pools.sections, bits), pick(pools.sections, bits >> 9)
    return {
        "text": f'{who} moved this from "{old[1]}" to "{new[1]}"',
        "old_section": old[0],
        "new_section": new[0],
    }


def _tagged(pools: Pools, bits: int, who: str) -> dict[str, Any]:
    gid, name = pick(pools.tags, bits)
    return {"text": f"{who} added to {name}", "tag": gid}


def _about_task(key: str, words: str) -> Writer:
    def write(pools: Pools, bits: int, who: str) -> dict[str, Any]:
        return {"text": f"{who} {words}", key: pick(pools.tasks, bits)}

    return write


def _completed(pools: Pools, bits: int, who: str) -> dict[str, Any]:
    return {"text": f"{who} marked this task complete"}


def _subtype_changed(pools: Pools, bits: int, who: str) -> dict[str, Any]:
    return {
        "text": f"{who} made this a milestone",
        "old_resource_subtype": "default_task",
        "new_resource_subtype": "milestone",
    }


def _approval(pools: Pools, bits: int, who: str) -> dict[str, Any]:
    new = pick(("approved", "rejected", "changes_requested"), bits)
    return {"text": f"{who}: {new}", "old_approval_status": "pending", "new_approval_status": new}


def _field_changed(kind: str) -> Writer:
    def write(pools: Pools, bits: int, who: str) -> dict[str, Any]:
        gid, name = pick(pools.fields[kind], bits)
        return {"text": f"{who} changed {name}", "custom_field": gid} | _field_values(kind, pools, bits >> 8)

    return write


def _field_values(kind: str, pools: Pools, bits: int) -> dict[str, Any]:
    if kind == "text":
        return {"old_text_value": pick(THINGS, bits), "new_text_value": pick(THINGS, bits >> 6)}
    if kind == "number":
        return {"old_number_value": None, "new_number_value": bits % 1000}
    if kind == "enum":
        return {"old_enum_value": pick(pools.options, bits), "new_enum_value": pick(pools.options, bits >> 6)}
    if kind == "multi_enum":
        return {"old_multi_enum_values": [], "new_multi_enum_values": [pick(pools.options, bits)]}
    if kind == "people":
        return {"old_people_value": [], "new_people_value": [pick(pools.actors, bits)[0]]}
    return {"old_date_value": None, "new_date_value": _dates(bits)}


_WRITERS: tuple[tuple[str, Writer], ...] = (
    ("assigned", _assigned),
    ("assigned", _assigned),
    ("follower_added", _follower_added),
    ("name_changed", _renamed),
    ("due_date_changed", _due_date),
    ("added_to_project", _to_project),
    ("section_changed", _section_changed),
    ("added_to_tag", _tagged),
    ("dependency_added", _about_task("dependency", "marked this as blocked")),
    ("mentioned", _about_task("task", "mentioned this task")),
    ("marked_duplicate", _about_task("duplicate_of", "marked this a duplicate")),
    ("duplicated", _about_task("duplicated_from", "duplicated this task")),
    ("marked_complete", _completed),
    ("resource_subtype_changed", _subtype_changed),
    ("approval_status_changed", _approval),
    *(
        (f"{kind}_custom_field_changed", _field_changed(kind))
        for kind in ("text", "number", "enum", "multi_enum")
    ),
    *((f"{kind}_custom_field_changed", _field_changed(kind)) for kind in ("people", "date")),
)


def made_attachment(world: World, task: Rec, place: int) -> Rec:
    """The place-th attachment of a task as the seed has it."""
    number = task["ordinal"] * ATTACHMENTS_PER_TASK + place
    bits = mix(number + world.seed * 0x2545F491)
    begun = millis(task["created_at"])
    gid = str(ATTACHMENT_GIDS + number)
    made = iso(begun + place * 90_000 + (bits & 0x3FFF))
    return attachment(gid, task["gid"], pick(HOSTS, bits >> 5), pick(FILES, bits >> 12), made, bits)


def attachment(gid: str, parent: str, host: str, name: str, created_at: str, bits: int) -> Rec:
    found: Rec = {
        "gid": gid,
        "resource_type": "attachment",
        "parent": parent,
        "host": host,
        "name": name,
        "created_at": created_at,
    }
    if host == "asana":
        found["size"] = 100 + bits % 5_000_000
    if host == "external":
        found["url"] = f"https://files.example.com/{gid}"
    return found

"""Changes of a task's own fields, each with the story that Asana writes about it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .asks import bad
from .draw import iso, millis
from .render import Rec
from .telling import actor, add_story, gids_in, known, name_of, tell_changed, touch
from .values import fields_on as fields_on

if TYPE_CHECKING:
    from .world import World

DATES = ("start_on", "start_at", "due_on", "due_at")
SUBTYPES = ("default_task", "milestone", "approval", "custom")
VERDICTS = ("pending", "approved", "rejected", "changes_requested")


def set_name(world: World, by: str, task: Rec, name: Any) -> None:
    old = task.get("name", "")
    if name == old:
        return
    task["name"] = str(name)
    add_story(
        world, by, task, "name_changed", f'changed the name to "{name}"', old_name=old, new_name=str(name)
    )
    tell_changed(world, by, task, "name")


def plain(text: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", text))


def set_notes(world: World, by: str, task: Rec, notes: Any) -> None:
    if notes == task.get("notes", ""):
        return
    task["notes"] = str(notes)
    add_story(world, by, task, "notes_changed", "changed the description")
    tell_changed(world, by, task, "notes")


def set_html_notes(world: World, by: str, task: Rec, text: Any) -> None:
    set_notes(world, by, task, plain(str(text)))


def set_completed(world: World, by: str, task: Rec, completed: Any) -> None:
    if bool(completed) == task.get("completed", False):
        return
    task["completed"] = bool(completed)
    task["completed_at"] = world.now() if completed else None
    task["completed_by"] = by if completed else None
    if task.get("resource_subtype") == "approval":
        task["approval_status"] = "approved" if completed else "pending"
    word = "complete" if completed else "incomplete"
    add_story(world, by, task, f"marked_{word}", f"marked this task {word}")
    tell_changed(world, by, task, "completed")


def set_approval(world: World, by: str, task: Rec, status: Any) -> None:
    if task.get("resource_subtype") != "approval" or status not in VERDICTS:
        raise bad("approval_status: Not a valid status for this task")
    old = task.get("approval_status", "pending")
    if status == old:
        return
    done = status != "pending"
    task |= {
        "approval_status": status,
        "completed": done,
        "completed_at": world.now() if done else None,
        "completed_by": by if done else None,
    }
    fields = {"old_approval_status": old, "new_approval_status": status}
    add_story(world, by, task, "approval_status_changed", f"set this to {status}", **fields)
    tell_changed(world, by, task, "approval_status")


def set_subtype(world: World, by: str, task: Rec, subtype: Any) -> None:
    if subtype not in SUBTYPES:
        raise bad(f"resource_subtype: Not a valid subtype: {subtype}")
    old = task.get("resource_subtype", "default_task")
    if subtype == old:
        return
    task["resource_subtype"] = subtype
    fields = {"old_resource_subtype": old, "new_resource_subtype": subtype}
    add_story(world, by, task, "resource_subtype_changed", f"made this a {subtype}", **fields)
    tell_changed(world, by, task, "resource_subtype")


def _told_dates(task: Rec) -> dict[str, Any]:
    return {key: task.get(key) for key in ("start_on", "due_at", "due_on")}


def set_dates(world: World, by: str, task: Rec, given: Rec) -> None:
    """Due and start; a time brings its day along, a day alone takes the time away."""
    old, before = _told_dates(task), [task.get(key) for key in DATES]
    for end in ("start", "due"):
        on, at = f"{end}_on", f"{end}_at"
        try:
            if given.get(at):
                task[at] = iso(millis(given[at]))
                task[on] = task[at][:10]
            elif on in given or at in given:
                task[on] = iso(millis(given[on]))[:10] if given.get(on) else None
                task[at] = None
        except (TypeError, ValueError):
            raise bad(f"{end}_on: Not a valid date: {given.get(on) or given.get(at)}") from None
    if [task.get(key) for key in DATES] == before:
        return
    new = _told_dates(task)
    add_story(
        world,
        by,
        task,
        "due_date_changed",
        f"changed the date to {new['due_on']}",
        old_dates=old,
        new_dates=new,
    )
    for field in DATES:
        if field in given:
            tell_changed(world, by, task, field)


def set_assignee(world: World, by: str, task: Rec, gid: Any) -> None:
    old = task.get("assignee")
    new = None if gid in (None, "null", "") else actor(world, gid, by)
    if new == old:
        return
    workspace = task["workspace"]
    if old:
        world.assigned[old, workspace].pop(task["gid"], None)
    task |= {"assignee": new, "assigned_by": by if new else None, "assignee_section": None}
    if new:
        world.assigned[new, workspace][task["gid"]] = None
        add_story(world, by, task, "assigned", f"assigned to {name_of(world, new)}", assignee=new)
    else:
        add_story(world, by, task, "unassigned", "unassigned this", assignee=old)
    tell_changed(world, by, task, "assignee", value=new)
    if new and new not in task.get("followers", ()):
        task["followers"] = [*task.get("followers", ()), new]
        tell_changed(world, by, task, "followers", "added", new)


def set_liked(world: World, by: str, rec: Rec, liked: Any) -> None:
    """Like or unlike a task or story; moves no modified_at."""
    likes = [gid for gid in rec.get("likes", ()) if gid != by]
    if bool(liked) == (len(likes) < len(rec.get("likes", ()))):
        return
    rec["likes"] = [*likes, by] if liked else likes
    tell_changed(world, by, rec, "likes", "added" if liked else "removed", by)


def set_external(world: World, by: str, task: Rec, external: Any) -> None:
    if not isinstance(external, dict):
        raise bad("external: Expected an object")
    task["external"] = {**task.get("external", {}), **external}
    touch(world, task)


def set_custom_fields(world: World, by: str, owner: Rec, values: Any) -> None:
    if not isinstance(values, dict):
        raise bad("custom_fields: Expected an object of field IDs and values")
    shown = fields_on(world, owner)
    for gid, given in values.items():
        field = known(world, "custom_field", gid)
        if gid not in shown:
            raise bad(f"Custom field with ID {gid} is not on given object")
        set_custom_field(world, by, owner, field, given)


def set_custom_field(world: World, by: str, owner: Rec, field: Rec, given: Any) -> None:
    """Set a value on a task or project; 400 when it does not fit the field."""
    if field.get("representation_type") in ("formula", "custom_id"):
        raise bad(f"custom_field: {field['gid']} is read only")
    held = owner.setdefault("custom_values", {})
    old, new = held.get(field["gid"]), _fitting(world, by, field, given)
    if old == new:
        return
    if new is None:
        held.pop(field["gid"])
    else:
        held[field["gid"]] = new
    kind = field["resource_subtype"]
    if owner["resource_type"] == "task":
        fields = {"custom_field": field["gid"], **_told_values(kind, old, new)}
        subtype = f"{kind}_custom_field_changed"
        add_story(world, by, owner, subtype, f"changed {field['name']}", **fields)
    else:
        touch(world, owner)
    tell_changed(world, by, owner, "custom_fields", value=field["gid"])


def _fitting(world: World, by: str, field: Rec, given: Any) -> Any:
    kind = field["resource_subtype"]
    if given is None or given in ("", []):
        return None
    if kind == "text":
        return str(given)
    if kind == "number":
        if isinstance(given, bool) or not isinstance(given, int | float):
            raise bad(f"custom_field: {given!r} is not a number")
        return round(given, field.get("precision", 0))
    if kind == "date":
        moment = given.get("date_time") if isinstance(given, dict) else None
        date = given.get("date") if isinstance(given, dict) else given
        return {"date": moment[:10] if moment else date, "date_time": moment}
    if kind == "people":
        return [actor(world, gid, by) for gid in gids_in(given)]
    gids = gids_in(given)
    if kind == "reference":
        return [gid for gid in gids if world.alive(gid)]
    if any(gid not in field["enum_options"] for gid in gids):
        raise bad(f"custom_field: Not an option of this field: {given}")
    return gids[0] if kind == "enum" else gids


def _told_values(kind: str, old: Any, new: Any) -> dict[str, Any]:
    """The old and new value as a story has them."""
    if kind == "reference":
        return {}
    if kind == "multi_enum":
        return {"old_multi_enum_values": old or [], "new_multi_enum_values": new or []}
    if kind == "people":
        return {"old_people_value": old or [], "new_people_value": new or []}
    if kind == "number":
        return {
            f"{age}_number_value": None if v is None else int(v) for age, v in (("old", old), ("new", new))
        }
    if kind == "date":
        return {"old_date_value": _story_date(old), "new_date_value": _story_date(new)}
    return {f"old_{kind}_value": old, f"new_{kind}_value": new}


def _story_date(held: Any) -> dict[str, Any] | None:
    return held and {"start_on": None, "due_at": held["date_time"], "due_on": held["date"]}


Setter = Callable[["World", str, Rec, Any], None]
SETTERS: dict[str, Setter] = {
    "name": set_name,
    "notes": set_notes,
    "html_notes": set_html_notes,
    "resource_subtype": set_subtype,
    "completed": set_completed,
    "approval_status": set_approval,
    "assignee": set_assignee,
    "liked": set_liked,
    "external": set_external,
    "custom_fields": set_custom_fields,
}


def set_fields(world: World, by: str, task: Rec, given: Rec) -> None:
    """What PUT /tasks/{} does; fields that cannot be set are passed over."""
    for name, setter in SETTERS.items():
        if name in given:
            setter(world, by, task, given[name])
    if any(name in given for name in DATES):
        set_dates(world, by, task, given)

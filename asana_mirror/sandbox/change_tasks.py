"""Tasks come, go, and stand elsewhere: creation, trash, parents, projects, sections, tags, ties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .asks import bad
from .change_fields import DATES, plain, set_custom_fields, set_dates, set_external
from .render import Rec
from .telling import actor, add_story, gids_in, insert_at, known, name_of, tell_changed, touch

if TYPE_CHECKING:
    from .world import World

PROJECTS_PER_TASK = 20


def create_task(world: World, by: str, given: Rec, parent: Rec | None = None) -> Rec:
    """A new task where the fields say: workspace, or projects, or a parent (400 without any)."""
    if parent is None and given.get("parent"):
        parent = known(world, "task", given["parent"])
    projects = [known(world, "project", gid) for gid in gids_in(given.get("projects") or [])]
    places = [
        (known(world, "project", m["project"]), m.get("section")) for m in given.get("memberships") or []
    ]
    places += [(project, None) for project in projects]
    workspace = given.get("workspace") or (parent or (places[0][0] if places else {})).get("workspace")
    if workspace is None:
        raise bad("workspace: Missing input")
    task = world.put(
        "task",
        name=str(given.get("name", "")),
        notes=plain(given["html_notes"]) if given.get("html_notes") else str(given.get("notes") or ""),
        workspace=known(world, "workspace", workspace)["gid"],
        ordinal=len(world.tasks),
        created_at=world.now(),
        modified_at=world.now(),
        created_by=by,
        followers=list(
            dict.fromkeys([by, *(actor(world, g, by) for g in gids_in(given.get("followers") or []))])
        ),
    )
    world.tasks.append(task["gid"])
    _begin(world, by, task, given)
    if parent is not None:
        _put_below(world, by, task, parent, None, None)
    elif not places:
        world.events.tell_above(by, task, "added", task["workspace"])
    for project, section in places:
        add_project(world, by, task, project, section, quietly=True)
    for gid in gids_in(given.get("tags") or []):
        add_tag(world, by, task, known(world, "tag", gid))
    if "custom_fields" in given:
        set_custom_fields(world, by, task, given["custom_fields"])
    return task


def _begin(world: World, by: str, task: Rec, given: Rec) -> None:
    """The fields a task is born with, of which no story tells."""
    if given.get("resource_subtype"):
        task["resource_subtype"] = given["resource_subtype"]
    if given.get("completed"):
        task |= {"completed": True, "completed_at": world.now(), "completed_by": by}
    if given.get("assignee"):
        gid = actor(world, given["assignee"], by)
        task |= {"assignee": gid, "assigned_by": by}
        world.assigned[gid, task["workspace"]][task["gid"]] = None
        add_story(world, by, task, "assigned", f"assigned to {name_of(world, gid)}", assignee=gid)
    if given.get("external"):
        set_external(world, by, task, given["external"])
    if any(given.get(name) for name in DATES):
        set_dates(world, by, task, given)


# -- trash --------------------------------------------------------------------------------------------


def _below(world: World, task: Rec) -> list[Rec]:
    found = [task]
    for rec in found:
        found += [world.records[gid] for gid in rec.get("subtasks", ())]
    return found


def trash_task(world: World, by: str, task: Rec) -> None:
    """To the trash with all below it; only the task itself is told of."""
    touch(world, task)
    world.events.tell(by, task, "deleted")
    for rec in _below(world, task):
        rec.setdefault("trashed", task["gid"])


def restore_task(world: World, by: str, task: Rec) -> bool:
    """Back from the trash with what went along; False when its parent is still there."""
    parent = task.get("parent")
    if task.get("trashed") != task["gid"] or (parent and not world.alive(parent)):
        return False
    for rec in _below(world, task):
        if rec.get("trashed") == task["gid"]:
            del rec["trashed"]
    touch(world, task)
    world.events.tell(by, task, "undeleted")
    return True


# -- parents ------------------------------------------------------------------------------------------


def set_parent(
    world: World, by: str, task: Rec, parent: Rec | None, before: str | None = None, after: str | None = None
) -> None:
    """Make a task the subtask of another, or of none; 400 when it would be above itself."""
    if parent is not None and parent in _below(world, task):
        raise bad("parent: A task cannot be below itself")
    old = world.records.get(task.get("parent") or "")
    if old is not None and old is not parent:
        world.events.tell(by, task, "removed", old["gid"])
        old["subtasks"].remove(task["gid"])
        task["parent"] = None
    if parent is not None:
        _put_below(world, by, task, parent, before, after)
    if old is not parent:
        touch(world, task)
        tell_changed(world, by, task, "parent", value=parent and parent["gid"])


def _put_below(world: World, by: str, task: Rec, parent: Rec, before: str | None, after: str | None) -> None:
    new = task.get("parent") != parent["gid"]
    insert_at(parent.setdefault("subtasks", []), task["gid"], before, after)
    task["parent"] = parent["gid"]
    if new:
        world.events.tell(by, task, "added", parent["gid"])


# -- projects and sections ----------------------------------------------------------------------------


def membership(task: Rec, project: str) -> tuple[str, str] | None:
    return next((pair for pair in task.get("memberships", ()) if pair[0] == project), None)


def add_project(
    world: World,
    by: str,
    task: Rec,
    project: Rec,
    section: str | None = None,
    before: str | None = None,
    after: str | None = None,
    first: bool = False,
    quietly: bool = False,
) -> None:
    """Put a task into a project, or to another place in it. Neither moves modified_at."""
    held = membership(task, project["gid"])
    anchor = before or after
    if section is None and anchor is not None:
        section = (membership(known(world, "task", anchor), project["gid"]) or (None, None))[1]
    if section is None:
        section = held[1] if held else world.living(project["sections"])[0]["gid"]
    place = known(world, "section", section)
    if place["project"] != project["gid"]:
        raise bad(f"section: Not in this project: {section}")
    if anchor is not None and anchor not in place["tasks"]:
        raise bad(f"insert_before: Not in this section: {anchor}")
    if held is None and len(task.get("memberships", ())) >= PROJECTS_PER_TASK:
        raise bad("project: This task is already in as many projects as it can be")
    if held is not None:
        world.records[held[1]]["tasks"].remove(task["gid"])
    pair = (project["gid"], section)
    pairs = list(task.get("memberships", ()))
    task["memberships"] = [pair if p == held else p for p in pairs] if held else [*pairs, pair]
    insert_at(place["tasks"], task["gid"], before, after)
    if first:
        place["tasks"].insert(0, place["tasks"].pop())
    _tell_place(world, by, task, project, held, section, quietly)


def _tell_place(
    world: World, by: str, task: Rec, project: Rec, held: tuple[str, str] | None, section: str, quietly: bool
) -> None:
    if held is None:
        world.events.tell(by, task, "added", project["gid"])
        world.events.tell(by, task, "added", section)
        if not quietly:
            text = f"added to {project['name']}"
            add_story(world, by, task, "added_to_project", text, touches=False, project=project["gid"])
    elif held[1] != section:
        world.events.tell(by, task, "removed", held[1])
        world.events.tell(by, task, "added", section)
        text = f"moved this to {name_of(world, section)}"
        fields = {"old_section": held[1], "new_section": section}
        add_story(world, by, task, "section_changed", text, touches=False, **fields)


def remove_project(world: World, by: str, task: Rec, project: Rec) -> None:
    held = membership(task, project["gid"])
    if held is None:
        raise bad("project: The task is not in this project")
    text = f"removed from {project['name']}"
    add_story(world, by, task, "removed_from_project", text, touches=False, project=project["gid"])
    world.events.tell(by, task, "removed", held[1])
    world.events.tell(by, task, "removed", project["gid"])
    task["memberships"] = [pair for pair in task["memberships"] if pair != held]
    world.records[held[1]]["tasks"].remove(task["gid"])


# -- tags, followers, dependencies --------------------------------------------------------------------


def add_tag(world: World, by: str, task: Rec, tag: Rec) -> None:
    if tag["gid"] in task.get("tags", ()):
        return
    task["tags"] = [*task.get("tags", ()), tag["gid"]]
    world.tagged[tag["gid"]][task["gid"]] = None
    add_story(world, by, task, "added_to_tag", f"added to {tag['name']}", tag=tag["gid"])
    tell_changed(world, by, task, "tags", "added", tag["gid"])


def remove_tag(world: World, by: str, task: Rec, tag: Rec) -> None:
    if tag["gid"] not in task.get("tags", ()):
        return
    task["tags"] = [gid for gid in task["tags"] if gid != tag["gid"]]
    world.tagged[tag["gid"]].pop(task["gid"], None)
    add_story(world, by, task, "removed_from_tag", f"removed from {tag['name']}", tag=tag["gid"])
    tell_changed(world, by, task, "tags", "removed", tag["gid"])


def change_people(
    world: World, by: str, rec: Rec, key: str, gids: Any, add: bool, stories: bool = False
) -> None:
    """Add to or take from the followers or members of a task, project, portfolio or goal."""
    for gid in gids_in(gids):
        who = actor(world, gid, by)
        held = rec.get(key, [])
        if (who in held) == add:
            continue
        rec[key] = [*held, who] if add else [other for other in held if other != who]
        if key == "members":
            touch(world, rec)
        tell_changed(world, by, rec, key, "added" if add else "removed", who)
        if stories and add:
            text = f"added {name_of(world, who)} as a follower"
            add_story(world, by, rec, "follower_added", text, touches=False, follower=who)


def change_dependency(world: World, by: str, task: Rec, on: Rec, add: bool) -> None:
    """Let a task depend on another or not; 400 for a circle."""
    if add and (on is task or _depends(world, on, task["gid"])):
        raise bad("dependencies: A task cannot depend on itself")
    if (on["gid"] in task.get("dependencies", ())) == add:
        return
    for rec, key, other in ((task, "dependencies", on), (on, "dependents", task)):
        held = [gid for gid in rec.get(key, ()) if gid != other["gid"]]
        rec[key] = [*held, other["gid"]] if add else held
        tell_changed(world, by, rec, key, "added" if add else "removed", other["gid"])
    subtype = "dependency_added" if add else "dependency_removed"
    text = f"{subtype.replace('_', ' ')}: {on['name']}"
    add_story(world, by, task, subtype, text, touches=False, dependency=on["gid"])


def _depends(world: World, task: Rec, gid: str) -> bool:
    waiting, seen = [task["gid"]], set()
    while waiting:
        here = waiting.pop()
        if here == gid:
            return True
        if here not in seen:
            seen.add(here)
            waiting += world.records[here].get("dependencies", ())
    return False

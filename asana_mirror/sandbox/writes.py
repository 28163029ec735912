"""Answers every POST, PUT and DELETE: finds the records that are named and lets the world change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import change_fields, change_places, change_stories, change_tasks
from .asks import Ask, bad
from .reads import Answer, Reader, shown
from .render import Rec, renderer
from .telling import gids_in, known

NOTHING: Answer = {"data": {}}


def by(ask: Ask) -> str:
    return ask.identity.user


def named(ask: Ask, kind: str, key: str) -> Rec:
    """The record that a field of the body names; 400 when it is missing or unknown."""
    if ask.body.get(key) is None:
        raise bad(f"{key}: Missing input")
    return known(ask.world, kind, ask.body[key])


def made(node: str, change: Callable[..., Rec]) -> Reader:
    """Create from the body."""
    return lambda ask: shown(ask, node, change(ask.world, by(ask), ask.body))


def made_in(node: str, kind: str, change: Callable[..., Rec]) -> Reader:
    """Create from the body, below the record in the path."""
    return lambda ask: shown(ask, node, change(ask.world, by(ask), ask.rec(kind), ask.body))


def updated(kind: str, change: Callable[..., Any]) -> Reader:
    def answer(ask: Ask) -> Answer:
        rec = ask.rec(kind)
        changed = change(ask.world, by(ask), rec, ask.body)
        return shown(ask, kind, changed if isinstance(changed, dict) else rec)

    return answer


def trashed(kind: str, change: Callable[..., Any]) -> Reader:
    def answer(ask: Ask) -> Answer:
        change(ask.world, by(ask), ask.rec(kind))
        return NOTHING

    return answer


def done(kind: str, change: Callable[[Ask, Rec], Any], back: str = "") -> Reader:
    """Do something to the record in the path; answer with it (`back` is its kind), or with nothing."""

    def answer(ask: Ask) -> Answer:
        rec = ask.rec(kind)
        change(ask, rec)
        return shown(ask, back, rec) if back else NOTHING

    return answer


def _within(key: str) -> Callable[[Ask], None]:
    """Name the record in the path in the body, as the older form of the path has it."""

    def put(ask: Ask) -> None:
        ask.body[key] = ask.gids[0]

    return put


def made_within(node: str, key: str, change: Callable[..., Rec]) -> Reader:
    put = _within(key)

    def answer(ask: Ask) -> Answer:
        put(ask)
        return shown(ask, node, change(ask.world, by(ask), ask.body))

    return answer


# -- tasks --------------------------------------------------------------------------------------------


def _subtask(ask: Ask) -> Answer:
    return shown(ask, "task", change_tasks.create_task(ask.world, by(ask), ask.body, ask.rec("task")))


def _one_place(ask: Ask) -> tuple[str | None, str | None]:
    before, after = ask.body.get("insert_before"), ask.body.get("insert_after")
    if before is not None and after is not None:
        raise bad("insert_before: Specify at most one of insert_before and insert_after")
    return before, after


def _set_parent(ask: Ask, task: Rec) -> None:
    if "parent" not in ask.body:
        raise bad("parent: Missing input")
    parent = named(ask, "task", "parent") if ask.body["parent"] is not None else None
    change_tasks.set_parent(ask.world, by(ask), task, parent, *_one_place(ask))


def _add_project(ask: Ask, task: Rec) -> None:
    before, after = _one_place(ask)
    first = "section" in ask.body and "insert_after" in ask.body and after is None
    project, section = named(ask, "project", "project"), ask.body.get("section")
    change_tasks.add_project(ask.world, by(ask), task, project, section, before, after, first)


def _add_to_section(ask: Ask, section: Rec) -> None:
    before, after = _one_place(ask)
    project = ask.rec("project", section["project"])
    first = before is None and after is None
    task = named(ask, "task", "task")
    change_tasks.add_project(ask.world, by(ask), task, project, section["gid"], before, after, first)


def _remove_project(ask: Ask, task: Rec) -> None:
    change_tasks.remove_project(ask.world, by(ask), task, named(ask, "project", "project"))


def _tag(change: Callable[..., None]) -> Callable[[Ask, Rec], None]:
    return lambda ask, task: change(ask.world, by(ask), task, named(ask, "tag", "tag"))


def people(key: str, add: bool, stories: bool = False) -> Callable[[Ask, Rec], None]:
    def change(ask: Ask, rec: Rec) -> None:
        if key not in ask.body:
            raise bad(f"{key}: Missing input")
        change_tasks.change_people(ask.world, by(ask), rec, key, ask.body[key], add, stories)

    return change


def _ties(key: str, add: bool) -> Callable[[Ask, Rec], None]:
    def change(ask: Ask, task: Rec) -> None:
        for gid in gids_in(ask.body.get(key)):
            other = known(ask.world, "task", gid)
            pair = (task, other) if key == "dependencies" else (other, task)
            change_tasks.change_dependency(ask.world, by(ask), *pair, add)

    return change


# -- places and people --------------------------------------------------------------------------------


def _rename_section(ask: Ask, section: Rec) -> None:
    if ask.body.get("name"):
        change_places.rename_section(ask.world, by(ask), section, str(ask.body["name"]))


def _remove_setting(ask: Ask, project: Rec) -> None:
    change_places.remove_setting(ask.world, by(ask), project, str(ask.body.get("custom_field")))


def _join_team(ask: Ask) -> Answer:
    rec = change_places.join_team(ask.world, by(ask), ask.rec("team"), ask.body.get("user"))
    return shown(ask, "team_membership", rec)


def _join_workspace(ask: Ask) -> Answer:
    workspace = ask.rec("workspace")
    rec = change_places.join_workspace(ask.world, by(ask), workspace, ask.body.get("user"))
    return {"data": renderer("user", "compact", ask.query.get("opt_fields"))(ask.view, rec)}


def _leave(change: Callable[..., None]) -> Callable[[Ask, Rec], None]:
    return lambda ask, rec: change(ask.world, by(ask), rec, ask.body.get("user"))


def _move_section(ask: Ask, project: Rec) -> None:
    change_places.move_section(ask.world, by(ask), project, ask.body)


WRITES: tuple[tuple[str, str, Reader, str | None], ...] = (
    ("POST", "/tasks", made("task", change_tasks.create_task), "tasks:write"),
    ("PUT", "/tasks/{}", updated("task", change_fields.set_fields), "tasks:write"),
    ("DELETE", "/tasks/{}", trashed("task", change_tasks.trash_task), "tasks:delete"),
    ("POST", "/tasks/{}/subtasks", _subtask, "tasks:write"),
    ("POST", "/tasks/{}/setParent", done("task", _set_parent, "task"), "tasks:write"),
    ("POST", "/tasks/{}/addProject", done("task", _add_project), "tasks:write"),
    ("POST", "/tasks/{}/removeProject", done("task", _remove_project), "tasks:write"),
    ("POST", "/tasks/{}/addTag", done("task", _tag(change_tasks.add_tag)), "tasks:write"),
    ("POST", "/tasks/{}/removeTag", done("task", _tag(change_tasks.remove_tag)), "tasks:write"),
    ("POST", "/tasks/{}/addFollowers", done("task", people("followers", True, True), "task"), "tasks:write"),
    ("POST", "/tasks/{}/removeFollowers", done("task", people("followers", False), "task"), "tasks:write"),
    ("POST", "/tasks/{}/addDependencies", done("task", _ties("dependencies", True)), "tasks:write"),
    ("POST", "/tasks/{}/removeDependencies", done("task", _ties("dependencies", False)), "tasks:write"),
    ("POST", "/tasks/{}/addDependents", done("task", _ties("dependents", True)), "tasks:write"),
    ("POST", "/tasks/{}/removeDependents", done("task", _ties("dependents", False)), "tasks:write"),
    ("POST", "/tasks/{}/stories", made_in("story", "task", change_stories.add_comment), "stories:write"),
    ("PUT", "/stories/{}", updated("story", change_stories.edit_story), "stories:write"),
    ("DELETE", "/stories/{}", trashed("story", change_stories.trash_story), "stories:delete"),
    ("POST", "/attachments", made("attachment", change_stories.add_attachment), "attachments:write"),
    (
        "DELETE",
        "/attachments/{}",
        trashed("attachment", change_stories.trash_attachment),
        "attachments:delete",
    ),
    ("POST", "/sections/{}/addTask", done("section", _add_to_section), "tasks:write"),
    ("PUT", "/sections/{}", done("section", _rename_section, "section"), None),
    ("DELETE", "/sections/{}", trashed("section", change_places.trash_section), None),
    ("POST", "/projects", made("project", change_places.create_project), "projects:write"),
    (
        "POST",
        "/workspaces/{}/projects",
        made_within("project", "workspace", change_places.create_project),
        "projects:write",
    ),
    (
        "POST",
        "/teams/{}/projects",
        made_within("project", "team", change_places.create_project),
        "projects:write",
    ),
    ("PUT", "/projects/{}", updated("project", change_places.update_project), "projects:write"),
    ("DELETE", "/projects/{}", trashed("project", change_places.trash_project), "projects:delete"),
    ("POST", "/projects/{}/sections", made_in("section", "project", change_places.create_section), None),
    ("POST", "/projects/{}/sections/insert", done("project", _move_section), None),
    ("POST", "/projects/{}/addMembers", done("project", people("members", True), "project"), None),
    ("POST", "/projects/{}/removeMembers", done("project", people("members", False), "project"), None),
    ("POST", "/projects/{}/addFollowers", done("project", people("followers", True), "project"), None),
    ("POST", "/projects/{}/removeFollowers", done("project", people("followers", False), "project"), None),
    (
        "POST",
        "/projects/{}/addCustomFieldSetting",
        made_in("custom_field_setting", "project", change_places.add_setting),
        "projects:write",
    ),
    ("POST", "/projects/{}/removeCustomFieldSetting", done("project", _remove_setting), "projects:write"),
    ("POST", "/tags", made("tag", change_places.create_tag), "tags:write"),
    ("POST", "/workspaces/{}/tags", made_within("tag", "workspace", change_places.create_tag), "tags:write"),
    ("PUT", "/tags/{}", updated("tag", change_places.update_tag), "tags:write"),
    ("DELETE", "/tags/{}", trashed("tag", change_places.trash_tag), None),
    (
        "POST",
        "/custom_fields",
        made("custom_field", change_places.create_custom_field),
        "custom_fields:write",
    ),
    (
        "PUT",
        "/custom_fields/{}",
        updated("custom_field", change_places.update_custom_field),
        "custom_fields:write",
    ),
    ("DELETE", "/custom_fields/{}", trashed("custom_field", change_places.trash_custom_field), None),
    (
        "POST",
        "/custom_fields/{}/enum_options",
        made_in("enum_option", "custom_field", change_places.create_option),
        "custom_fields:write",
    ),
    (
        "POST",
        "/custom_fields/{}/enum_options/insert",
        made_in("enum_option", "custom_field", change_places.move_option),
        "custom_fields:write",
    ),
    ("PUT", "/enum_options/{}", updated("enum_option", change_places.update_option), "custom_fields:write"),
    ("POST", "/teams/{}/addUser", _join_team, None),
    ("POST", "/teams/{}/removeUser", done("team", _leave(change_places.leave_team)), None),
    ("POST", "/workspaces/{}/addUser", _join_workspace, None),
    ("POST", "/workspaces/{}/removeUser", done("workspace", _leave(change_places.leave_workspace)), None),
)

"""Projects, sections, tags, custom fields, teams and workspaces: made, changed, taken apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .asks import bad
from .change_fields import plain, set_assignee, set_custom_fields
from .plan_records import forget_person
from .render import Rec
from .sharing import HELD_IN
from .telling import actor, insert_at, known, tell_changed, touch

if TYPE_CHECKING:
    from .world import World

PROJECT_FIELDS = (
    *("name", "notes", "archived", "color", "icon", "due_on", "start_on", "default_view", "privacy_setting"),
    *("default_access_level", "minimum_access_level_for_customization", "minimum_access_level_for_sharing"),
)
TAG_FIELDS = ("name", "color", "notes")
FIELD_FIELDS = (
    *("name", "description", "precision", "format", "currency_code", "custom_label", "custom_label_position"),
    *("has_notifications_enabled", "is_global_to_workspace", "privacy_setting", "default_access_level"),
)


def _named(given: Rec) -> str:
    name = given.get("name")
    if not isinstance(name, str):
        raise bad("name: Missing input")
    return name


# -- projects -----------------------------------------------------------------------------------------


def create_project(world: World, by: str, given: Rec) -> Rec:
    team = known(world, "team", given["team"]) if given.get("team") else None
    workspace = known(world, "workspace", given.get("workspace") or (team or {}).get("workspace"))
    if workspace["is_organization"] and team is None:
        raise bad("team: Missing input")
    project = world.put(
        "project",
        name=_named(given),
        workspace=workspace["gid"],
        team=team and team["gid"],
        created_at=world.now(),
        modified_at=world.now(),
        owner=by,
        members=[by],
        followers=[by],
        sections=[],
        settings=[],
    )
    world.events.tell_above(by, project, "added", project["team"] or project["workspace"])
    update_project(world, by, project, {key: v for key, v in given.items() if key != "name"})
    create_section(world, by, project, {"name": "Untitled section"})
    return project


def update_project(world: World, by: str, project: Rec, given: Rec) -> None:
    wanted = {key: given[key] for key in PROJECT_FIELDS if key in given}
    if "due_date" in given:
        wanted["due_on"] = given["due_date"]
    if "public" in given:
        wanted["privacy_setting"] = "public_to_workspace" if given["public"] else "private"
    if "html_notes" in given:
        wanted["notes"] = plain(str(given["html_notes"]))
    if "owner" in given:
        wanted["owner"] = None if given["owner"] is None else actor(world, given["owner"], by)
    if "team" in given:
        wanted["team"] = known(world, "team", given["team"])["gid"]
    for key, value in wanted.items():
        if project.get(key) != value:
            project[key] = value
            touch(world, project)
            tell_changed(world, by, project, key, value=value if key in ("owner", "team") else None)
    if "custom_fields" in given:
        set_custom_fields(world, by, project, given["custom_fields"])


def trash_project(world: World, by: str, project: Rec) -> None:
    """To the trash with its sections, and with the tasks that stand nowhere else and belong to nobody."""
    world.events.tell(by, project, "deleted")
    for section in world.living(project["sections"]):
        section["trashed"] = project["gid"]
        for task in world.living(section["tasks"]):
            elsewhere = any(
                place != project["gid"] and world.alive(place) for place, _ in task["memberships"]
            )
            if not (elsewhere or task.get("assignee") or task.get("parent") or task.get("tags")):
                _mark_below(world, task, project["gid"])
    project["trashed"] = project["gid"]


def _mark_below(world: World, task: Rec, root: str) -> None:
    task.setdefault("trashed", root)
    for gid in task.get("subtasks", ()):
        _mark_below(world, world.records[gid], root)


def restore_project(world: World, by: str, project: Rec) -> bool:
    if project.get("trashed") != project["gid"]:
        return False
    for gid, rec in world.records.items():
        if rec.get("trashed") == project["gid"] and gid:
            del rec["trashed"]
    world.events.tell(by, project, "undeleted")
    return True


def add_setting(world: World, by: str, place: Rec, given: Rec) -> Rec:
    """Put a custom field on a project, portfolio or goal; 400 when it is there."""
    wanted = given.get("custom_field")
    if isinstance(wanted, dict):
        new = {**wanted, "workspace": place["workspace"], "is_global_to_workspace": False}
        field = create_custom_field(world, by, new)
    else:
        field = known(world, "custom_field", wanted)
    kind = place["resource_type"]
    if any(world.records[gid]["custom_field"] == field["gid"] for gid in place["settings"]):
        raise bad(f"custom_field: This field is already on the {kind}")
    stands = {"project" if kind == "project" else "parent": place["gid"]}
    important = bool(given.get("is_important"))
    rec = world.put("custom_field_setting", **stands, custom_field=field["gid"], is_important=important)
    insert_at(place["settings"], rec["gid"], given.get("insert_before"), given.get("insert_after"))
    touch(world, place)
    tell_changed(world, by, place, "custom_field_settings", "added", field["gid"])
    return rec


def remove_setting(world: World, by: str, place: Rec, field: str) -> None:
    found = next((gid for gid in place["settings"] if world.records[gid]["custom_field"] == field), None)
    if found is None:
        raise bad(f"custom_field: This field is not on the {place['resource_type']}")
    place["settings"].remove(found)
    del world.records[found]
    touch(world, place)
    tell_changed(world, by, place, "custom_field_settings", "removed", field)


# -- sections -----------------------------------------------------------------------------------------


def create_section(world: World, by: str, project: Rec, given: Rec) -> Rec:
    name = _named(given)
    rec = world.put("section", name=name, project=project["gid"], created_at=world.now(), tasks=[])
    insert_at(project["sections"], rec["gid"], given.get("insert_before"), given.get("insert_after"))
    world.events.tell(by, rec, "added", project["gid"])
    return rec


def rename_section(world: World, by: str, section: Rec, name: str) -> None:
    if section["name"] != name:
        section["name"] = name
        tell_changed(world, by, section, "name")


def trash_section(world: World, by: str, section: Rec) -> None:
    """400 for a section with tasks, and for a project's last one."""
    if section["project"] is None:
        raise bad("section: Sections of My Tasks cannot be deleted here")
    project = world.records[section["project"]]
    if world.living(section["tasks"]):
        raise bad("section: The section must be empty to be deleted")
    if len(world.living(project["sections"])) < 2:
        raise bad("section: The last section of a project cannot be deleted")
    section["trashed"] = section["gid"]
    heir = world.living(project["sections"])[0]
    for gid in section["tasks"]:  # all in the trash; should they come back, they need a place
        task = world.records[gid]
        moved = (project["gid"], heir["gid"])
        task["memberships"] = [moved if s == section["gid"] else (p, s) for p, s in task["memberships"]]
    heir["tasks"] += section["tasks"]
    section["tasks"] = []
    world.events.tell(by, section, "deleted")


def move_section(world: World, by: str, project: Rec, given: Rec) -> None:
    section = known(world, "section", given.get("section"))
    before, after = given.get("before_section"), given.get("after_section")
    if (before is None) == (after is None):
        raise bad("Exactly one of before_section and after_section is required")
    insert_at(project["sections"], section["gid"], before, after)
    tell_changed(world, by, project, "sections")


# -- tags and custom fields ---------------------------------------------------------------------------


def create_tag(world: World, by: str, given: Rec) -> Rec:
    workspace = known(world, "workspace", given.get("workspace"))["gid"]
    fields = {key: given[key] for key in TAG_FIELDS if key in given}
    fields["name"] = _named(given)
    return world.put("tag", workspace=workspace, created_at=world.now(), followers=[by], **fields)


def update_tag(world: World, by: str, tag: Rec, given: Rec) -> None:
    tag.update({key: given[key] for key in TAG_FIELDS if key in given})


def trash_tag(world: World, by: str, tag: Rec) -> None:
    tag["trashed"] = tag["gid"]


def create_custom_field(world: World, by: str, given: Rec) -> Rec:
    workspace = known(world, "workspace", given.get("workspace"))["gid"]
    kind = given.get("resource_subtype") or given.get("type")
    if kind not in ("text", "number", "enum", "multi_enum", "date", "people", "reference"):
        raise bad(f"resource_subtype: Not a valid subtype: {kind}")
    fields = {key: given[key] for key in FIELD_FIELDS if given.get(key) is not None}
    fields["name"] = _named(given)
    rec = world.put("custom_field", workspace=workspace, resource_subtype=kind, created_by=by, **fields)
    if kind in ("enum", "multi_enum"):
        rec["enum_options"] = []
        for option in given.get("enum_options") or []:
            create_option(world, by, rec, option)
    return rec


def update_custom_field(world: World, by: str, field: Rec, given: Rec) -> None:
    wanted = {key: given[key] for key in FIELD_FIELDS if key in given and key != "is_global_to_workspace"}
    field.update(wanted)


def trash_custom_field(world: World, by: str, field: Rec) -> None:
    field["trashed"] = field["gid"]
    for rec in world.records.values():
        if rec["resource_type"] == "custom_field_setting" and rec["custom_field"] == field["gid"]:
            rec.setdefault("trashed", field["gid"])


def create_option(world: World, by: str, field: Rec, given: Rec) -> Rec:
    if "enum_options" not in field:
        raise bad("custom_field: This field has no options")
    color = given.get("color") or "none"
    enabled = given.get("enabled", True)
    rec = world.put(
        "enum_option", name=_named(given), color=color, enabled=enabled, custom_field=field["gid"]
    )
    insert_at(field["enum_options"], rec["gid"], given.get("insert_before"), given.get("insert_after"))
    return rec


def update_option(world: World, by: str, option: Rec, given: Rec) -> None:
    option.update({key: given[key] for key in ("name", "color", "enabled") if key in given})


def move_option(world: World, by: str, field: Rec, given: Rec) -> Rec:
    option = known(world, "enum_option", given.get("enum_option"))
    before, after = given.get("before_enum_option"), given.get("after_enum_option")
    insert_at(field["enum_options"], option["gid"], before, after)
    return option


# -- people -------------------------------------------------------------------------------------------


def join_team(world: World, by: str, team: Rec, given: Any) -> Rec:
    user = actor(world, given, by)
    held = world.team_members[team["gid"]]
    if user not in held:
        held[user] = world.put("team_membership", user=user, team=team["gid"])["gid"]
        world.events.tell_above(by, world.records[held[user]], "added", team["gid"])
    return world.records[held[user]]


def leave_team(world: World, by: str, team: Rec, given: Any) -> None:
    gid = world.team_members[team["gid"]].pop(actor(world, given, by), None)
    if gid is not None:
        world.events.tell_above(by, world.records.pop(gid), "removed", team["gid"])


def join_workspace(world: World, by: str, workspace: Rec, given: Any) -> Rec:
    """Add someone by gid or email; an unknown address is a new user."""
    known_already = any(rec.get("email") == given for rec in world.records.values())
    if isinstance(given, str) and "@" in given and not known_already:
        user = world.put("user", name=given.partition("@")[0], email=given, photo=None)["gid"]
    else:
        user = actor(world, given, by)
    held = world.members[workspace["gid"]]
    if user not in held:
        fields = {"user": user, "workspace": workspace["gid"], "created_at": world.now()}
        held[user] = world.put("workspace_membership", **fields)["gid"]
        world.events.tell_above(by, world.records[held[user]], "added", workspace["gid"])
    return world.records[user]


def leave_workspace(world: World, by: str, workspace: Rec, given: Any) -> None:
    """Someone goes: out of all teams and projects, and nothing is assigned to them any more."""
    user = actor(world, given, by)
    gid = world.members[workspace["gid"]].pop(user, None)
    if gid is None:
        raise bad("user: Not a member of this workspace")
    world.events.tell_above(by, world.records.pop(gid), "removed", workspace["gid"])
    for team in world.living(world.inside["team", workspace["gid"]]):
        leave_team(world, by, team, user)
    for project in world.living(world.inside["project", workspace["gid"]]):
        for key in ("members", "followers"):
            if user in project.get(key, ()):
                project[key] = [other for other in project[key] if other != user]
                tell_changed(world, by, project, key, "removed", user)
    for kind, key in HELD_IN.items():
        for rec in world.living(world.inside.get((kind, workspace["gid"]), ())):
            if user in rec.get(key, ()):
                rec[key] = [other for other in rec[key] if other != user]
                tell_changed(world, by, rec, key, "removed", user)
    for task in world.living(list(world.assigned[user, workspace["gid"]])):
        set_assignee(world, by, task, None)
    forget_person(world, workspace["gid"], user)

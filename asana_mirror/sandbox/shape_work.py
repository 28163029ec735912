"""The fields of tasks, stories and attachments, and of the small parts inside them."""

from __future__ import annotations

from html import escape
from typing import Any

from .downloads import address
from .draw import mix
from .render import MISSING, NODES, Field, Node, Rec, View, head, made, many, one, part, told, value
from .values import custom_field_values


def html(text: str) -> str:
    return f"<body>{escape(text, quote=False)}</body>"


def likes(view: View, rec: Rec) -> list[tuple[str, Rec]]:
    return [(rec["gid"], user) for user in view.refs(rec.get("likes", ()))]


def _memberships(view: View, rec: Rec) -> list[tuple[Rec, Rec | None]]:
    found = []
    for project, section in rec.get("memberships", ()):
        place = view.ref(project)
        if place is not None:
            found.append((place, view.ref(section)))
    return found


def _projects(view: View, rec: Rec) -> list[Rec]:
    return view.refs(project for project, _ in rec.get("memberships", ()))


def _assignee_section(view: View, rec: Rec) -> Rec | None:
    return view.ref(rec.get("assignee_section")) if rec.get("assignee") == view.me else None


def _approval(view: View, rec: Rec) -> Any:
    return rec.get("approval_status", "pending") if rec.get("resource_subtype") == "approval" else MISSING


def liked_parts() -> dict[str, Field]:
    fields: dict[str, Field] = {}
    for verb, noun in (("hearted", "hearts"), ("liked", "likes")):
        fields[verb] = made(lambda view, rec: view.me in rec.get("likes", ()))
        fields[noun] = part("like", likes, many=True)
        fields[f"num_{noun}"] = made(lambda view, rec: len(view.refs(rec.get("likes", ()))))
    return fields


def _task_fields() -> dict[str, Field]:
    return {
        **head(),
        "name": value("name", ""),
        "resource_subtype": value("resource_subtype", "default_task"),
        "created_by": one("user", "created_by", opt_in=True),
        "approval_status": made(_approval),
        "assignee_status": value("assignee_status", "upcoming"),
        "assigned_by": one("user", "assigned_by"),
        "completed": value("completed", False),
        "completed_at": value("completed_at"),
        "completed_by": one("user", "completed_by"),
        "created_at": value("created_at"),
        "dependencies": many("resource", "dependencies", opt_in=True),
        "dependents": many("resource", "dependents", opt_in=True),
        "due_at": value("due_at"),
        "due_on": value("due_on"),
        "external": Field(lambda view, rec: rec.get("external", MISSING), opt_in=True),
        "html_notes": made(lambda view, rec: html(rec.get("notes", "")), opt_in=True),
        "is_rendered_as_separator": value("is_rendered_as_separator", False, opt_in=True),
        **liked_parts(),
        "memberships": part("task_membership", _memberships, many=True),
        "modified_at": value("modified_at"),
        "notes": value("notes", ""),
        "num_subtasks": made(lambda view, rec: len(view.refs(rec.get("subtasks", ()))), opt_in=True),
        "start_at": value("start_at"),
        "start_on": value("start_on"),
        "actual_time_minutes": value("actual_time_minutes"),
        "assignee": one("user", "assignee"),
        "assignee_section": Field(_assignee_section, "section"),
        "custom_fields": part("custom_field_value", custom_field_values, many=True),
        "custom_type": one("custom_type", "custom_type"),
        "custom_type_status_option": one("custom_type_status_option", "custom_type_status_option"),
        "followers": many("user", "followers"),
        "parent": one("task", "parent"),
        "projects": Field(_projects, "project", many=True),
        "tags": many("tag", "tags"),
        "workspace": one("workspace", "workspace"),
        "permalink_url": made(lambda view, rec: f"https://app.asana.com/0/0/{rec['gid']}"),
    }


def _past(key: str, node: str) -> Field:
    """A conditional reference of a story, which outlives what it points at."""
    return Field(lambda view, rec: view.past(rec[key]) if key in rec else MISSING, node)


def _past_many(key: str, node: str) -> Field:
    def get(view: View, rec: Rec) -> Any:
        if key not in rec:
            return MISSING
        return [other for gid in rec[key] if (other := view.past(gid)) is not None]

    return Field(get, node, many=True)


def _of_comments(field: Field) -> Field:
    """Asana gives these only on comments."""
    get = field.get

    def only(view: View, rec: Rec) -> Any:
        return get(view, rec) if rec["resource_subtype"] == "comment_added" else MISSING

    return Field(only, field.node, field.many, field.part, field.opt_in)


def reaction_summary(view: View, rec: Rec) -> list[dict[str, Any]]:
    return [
        {"emoji_base": base, "variant": variant, "count": len(who), "reacted": view.me in who}
        for (base, variant), who in rec.get("reactions", {}).items()
        if who
    ]


def _is_comment(view: View, rec: Rec) -> bool:
    return bool(rec["resource_subtype"] == "comment_added")


def _story_fields() -> dict[str, Field]:
    fields = {
        **head(),
        "created_at": value("created_at"),
        "resource_subtype": value("resource_subtype"),
        "text": value("text", ""),
        "html_text": made(lambda view, rec: html(rec.get("text", "")), opt_in=True),
        "is_pinned": _of_comments(value("is_pinned", False)),
        "sticker_name": value("sticker_name"),
        "created_by": Field(lambda view, rec: view.past(rec.get("created_by")), "user"),
        "type": made(lambda view, rec: "comment" if _is_comment(view, rec) else "system"),
        "is_editable": made(lambda view, rec: _is_comment(view, rec) and rec.get("created_by") == view.me),
        "is_edited": _of_comments(value("is_edited", False)),
        **{name: _of_comments(field) for name, field in liked_parts().items()},
        "reaction_summary": made(reaction_summary),
        "previews": _of_comments(made(lambda view, rec: rec.get("previews", []))),
        "source": value("source", "web"),
        "target": one("story_target", "target"),
    }
    for name in (
        *("old_name", "new_name", "old_dates", "new_dates", "old_resource_subtype", "new_resource_subtype"),
        *("old_text_value", "new_text_value", "old_number_value", "new_number_value", "old_date_value"),
        *("new_date_value", "new_approval_status", "old_approval_status"),
    ):
        fields[name] = told(name)
    for name in ("assignee", "follower"):
        fields[name] = _past(name, "user")
    for name in ("task", "duplicate_of", "duplicated_from", "dependency"):
        fields[name] = _past(name, "task")
    for name in ("old_section", "new_section", "project", "tag"):
        fields[name] = _past(name, name.rpartition("_")[2])
    fields["story"] = Field(
        lambda view, rec: view.world.story(rec["story"]) if "story" in rec else MISSING, "story"
    )
    fields["custom_field"] = _past("custom_field", "custom_field")
    for age in ("old", "new"):
        fields[f"{age}_enum_value"] = _past(f"{age}_enum_value", "enum_option")
        fields[f"{age}_people_value"] = _past_many(f"{age}_people_value", "user")
        fields[f"{age}_multi_enum_values"] = _past_many(f"{age}_multi_enum_values", "enum_option")
    return fields


def _connected(view: View, rec: Rec) -> Any:
    return rec.get("connected_to_app", False) if rec["host"] in ("external", "gdrive") else MISSING


def _subtype(rec: Rec) -> str:
    return str(rec["host"])


def _download_url(view: View, rec: Rec) -> str | None:
    if rec["host"] in ("box", "vimeo"):
        return None
    if rec["host"] == "external":
        return str(rec["url"])
    if rec["host"] == "asana":
        return address(view.world, view.origin, rec)
    return f"https://{rec['host']}.example/download/{rec['gid']}"


def _view_url(view: View, rec: Rec) -> str | None:
    return str(rec["url"]) if rec["host"] == "external" else f"https://{rec['host']}.example/{rec['gid']}"


def _attachment_fields() -> dict[str, Field]:
    return {
        **head(),
        "name": value("name"),
        "resource_subtype": made(lambda view, rec: _subtype(rec)),
        "created_at": value("created_at"),
        "download_url": made(_download_url),
        "permanent_url": made(
            lambda view, rec: f"https://app.asana.com/app/asana/-/get_asset?asset_id={rec['gid']}"
        ),
        "host": value("host"),
        "parent": one("attachment_parent", "parent"),
        "size": told("size"),
        "view_url": made(_view_url),
        "connected_to_app": made(_connected),
    }


def _is_task(rec: Rec) -> bool:
    return bool(rec["resource_type"] == "task")


def _like_fields() -> dict[str, Field]:
    return {
        "gid": made(lambda view, like: str(mix(int(like[0]) ^ mix(int(like[1]["gid"]))) % 10**16)),
        "user": Field(lambda view, like: like[1], "user"),
    }


NODES["attachment_parent"] = Node(
    {
        **head(),
        "name": made(lambda view, rec: rec.get("name", rec.get("title"))),
        "resource_subtype": made(
            lambda view, rec: rec.get("resource_subtype", "default_task" if _is_task(rec) else None)
        ),
        "created_by": one("user", "created_by", opt_in=True),
    },
    ("name", "resource_subtype"),
)
NODES["story_target"] = Node(
    {
        **head(),
        "name": value("name", ""),
        "resource_subtype": made(
            lambda view, rec: rec.get("resource_subtype", "default_task" if _is_task(rec) else MISSING)
        ),
        "created_by": one("user", "created_by", opt_in=True),
    },
    ("name", "resource_subtype"),
)
NODES["resource"] = Node(head(), ("gid", "resource_type"))
NODES["task"] = Node(_task_fields(), ("name", "resource_subtype"))
NODES["story"] = Node(_story_fields(), ("created_at", "created_by", "resource_subtype", "text"))
NODES["attachment"] = Node(_attachment_fields(), ("name", "resource_subtype"))
NODES["like"] = Node(_like_fields(), ("gid", "user"))
NODES["task_membership"] = Node(
    {
        "project": Field(lambda view, pair: pair[0], "project"),
        "section": Field(lambda view, pair: pair[1], "section"),
    },
    ("project", "section"),
)

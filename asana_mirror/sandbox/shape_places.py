"""The fields of workspaces, people, teams, projects, sections and tags."""

from __future__ import annotations

from typing import Any

from .render import NODES, Field, Node, Rec, View, head, made, many, one, part, value
from .shape_status import brief, current, current_status
from .shape_work import html
from .values import custom_field_values

ACCESS = "all_team_members"


def _members(view: View, rec: Rec) -> list[Rec]:
    return view.refs(rec.get("members", ()))


def _user_fields() -> dict[str, Field]:
    return {
        **head(),
        "name": value("name"),
        "email": value("email"),
        "photo": value("photo"),
        "workspaces": Field(
            lambda view, rec: view.refs(view.world.workspaces_of(rec["gid"])), "workspace", many=True
        ),
        "custom_fields": made(lambda view, rec: []),
    }


def settings(view: View, rec: Rec) -> list[Rec]:
    return view.refs(rec.get("settings", ()))


def _project_fields() -> dict[str, Field]:
    return {
        **head(),
        "name": value("name"),
        "archived": value("archived", False),
        "color": value("color"),
        "icon": value("icon"),
        "created_at": value("created_at"),
        "current_status": Field(current_status, "project_status", part=True),
        "current_status_update": Field(current, "status_update"),
        "custom_field_settings": Field(settings, "custom_field_setting", many=True, part=True),
        "default_view": value("default_view", "list"),
        "due_date": value("due_on"),
        "due_on": value("due_on"),
        "html_notes": made(lambda view, rec: html(rec.get("notes", "")), opt_in=True),
        "members": Field(_members, "user", many=True),
        "modified_at": value("modified_at"),
        "notes": value("notes", ""),
        "public": made(lambda view, rec: rec.get("privacy_setting") != "private"),
        "privacy_setting": value("privacy_setting", "public_to_workspace"),
        "start_on": value("start_on"),
        "default_access_level": value("default_access_level", "editor"),
        "minimum_access_level_for_customization": value("minimum_access_level_for_customization", "editor"),
        "minimum_access_level_for_sharing": value("minimum_access_level_for_sharing", "editor"),
        "custom_fields": part("custom_field_value", custom_field_values, many=True),
        "completed": value("completed", False),
        "completed_at": value("completed_at"),
        "completed_by": one("user", "completed_by"),
        "followers": many("user", "followers"),
        "owner": one("user", "owner"),
        "team": one("team", "team"),
        "permalink_url": made(lambda view, rec: f"https://app.asana.com/0/{rec['gid']}/list"),
        "project_brief": Field(brief, "project_brief", opt_in=True),
        "created_from_template": one("project_template", "created_from_template", opt_in=True),
        "workspace": one("workspace", "workspace"),
    }


def _team_fields() -> dict[str, Field]:
    fields = {
        **head(),
        "name": value("name"),
        "description": value("description", "", opt_in=True),
        "html_description": made(lambda view, rec: html(rec.get("description", "")), opt_in=True),
        "organization": one("workspace", "workspace"),
        "permalink_url": made(lambda view, rec: f"https://app.asana.com/0/{rec['gid']}/overview"),
        "visibility": value("visibility", "public"),
        "team_content_management_access_level": value(
            "team_content_management_access_level", "no_restriction"
        ),
        "endorsed": value("endorsed", False),
        "custom_field_settings": made(lambda view, rec: []),
    }
    for right in (
        *("edit_team_name_or_description", "edit_team_visibility_or_trash_team", "member_invite_management"),
        *("guest_invite_management", "join_request_management", "team_member_removal"),
    ):
        fields[f"{right}_access_level"] = value(f"{right}_access_level", ACCESS)
    return fields


def _task_list(view: View, rec: Rec) -> Any:
    return view.world.user_task_list(rec["user"], rec["workspace"])


def _task_list_fields() -> dict[str, Field]:
    return {
        **head(),
        "name": value("name"),
        "owner": one("user", "owner"),
        "workspace": one("workspace", "workspace"),
    }


def _workspace_membership_fields() -> dict[str, Field]:
    return {
        **head(),
        "user": one("user", "user"),
        "workspace": one("workspace", "workspace"),
        "user_task_list": Field(_task_list, "user_task_list", part=True),
        "is_active": value("is_active", True),
        "is_admin": value("is_admin", False),
        "is_guest": value("is_guest", False),
        "is_view_only": value("is_view_only", False),
        "vacation_dates": value("vacation_dates"),
        "created_at": value("created_at"),
    }


NODES["workspace"] = Node(
    {
        **head(),
        "name": value("name"),
        "email_domains": value("email_domains", []),
        "is_organization": value("is_organization", False),
    },
    ("name",),
)
NODES["user"] = Node(_user_fields(), ("name",))
NODES["agent"] = Node(
    {
        **head(),
        "resource_subtype": value("resource_subtype", "asana_teammate"),
        "name": value("name"),
        "description": value("description"),
        "behavior_guidance": value("behavior_guidance"),
        "workspace": one("workspace", "workspace"),
        "created_by": one("user", "created_by"),
        "photo": value("photo"),
    },
    ("name", "resource_subtype"),
)
NODES["team"] = Node(_team_fields(), ("name",))
NODES["team_membership"] = Node(
    {
        **head(),
        "user": one("user", "user"),
        "team": one("team", "team"),
        "is_guest": value("is_guest", False),
        "is_limited_access": value("is_limited_access", False),
        "is_admin": value("is_admin", False),
    },
    ("user", "team", "is_guest", "is_limited_access", "is_admin"),
)
NODES["workspace_membership"] = Node(_workspace_membership_fields(), ("user", "workspace"))
NODES["user_task_list"] = Node(_task_list_fields(), ("name", "owner", "workspace"))
NODES["project"] = Node(_project_fields(), ("name",))
NODES["section"] = Node(
    {
        **head(),
        "name": value("name"),
        "created_at": value("created_at"),
        "project": one("project", "project"),
        "projects": Field(lambda view, rec: view.refs([rec["project"]]), "project", many=True),
    },
    ("name",),
)
NODES["tag"] = Node(
    {
        **head(),
        "name": value("name"),
        "color": value("color"),
        "notes": value("notes", ""),
        "created_at": value("created_at"),
        "followers": many("user", "followers"),
        "workspace": one("workspace", "workspace"),
        "permalink_url": made(lambda view, rec: f"https://app.asana.com/0/{rec['gid']}"),
    },
    ("name",),
)

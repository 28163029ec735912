"""Catalog entries: what a workspace keeps about its people, its rules and its watchers."""

from __future__ import annotations

from asana_mirror.catalog.parts import WEEK, of_workspace
from asana_mirror.catalog.shapes import (
    Column,
    Embedded,
    Kept,
    Listing,
    OpenReference,
    Reference,
    Resource,
    Since,
)

USER_TASK_LISTS = Resource(
    # https://developers.asana.com/reference/getusertasklist
    name="user_task_lists",
    path="/user_task_lists/{gid}",
    columns=(Column("name"),),
    references=(Reference("owner", "actors", asks=()), Reference("workspace", "workspaces", asks=())),
)

WORKSPACE_MEMBERSHIPS = Resource(
    # https://developers.asana.com/reference/getworkspacemembershipsforworkspace
    name="workspace_memberships",
    path="/workspace_memberships/{gid}",
    columns=(
        Column("is_active", "boolean"),
        Column("is_admin", "boolean"),
        Column("is_guest", "boolean"),
        Column("is_view_only", "boolean"),
        Column("vacation_dates", "json", asks=("end_on", "start_on")),
        Column("created_at"),
    ),
    references=(Reference("user", "actors"), Reference("workspace", "workspaces")),
    embedded=(Embedded("user_task_list", "user_task_lists", many=False),),
    own_columns=("user_task_list_gid",),
    one_place=True,
)

PERMISSIONS = (
    *("allowed_guest_invites", "assign_roles", "create_and_edit_ai_automations"),
    *("create_and_edit_ai_teammates", "create_app_authorization", "create_global_custom_fields"),
    *("create_goal", "create_pat_authorization", "create_portfolio", "create_project"),
    *("create_read_only_link", "create_team", "download_mobile_attachments", "export_project_data"),
    *("import_data", "manage_roles", "proactive_ai", "share_goal_with_domain", "share_portfolios_with_org"),
    *("share_teams_with_org", "standard_ai", "task_deletion_policy", "upload_attachments"),
    *("view_public_teams", "view_shared_with_org_portfolios", "view_shared_with_org_projects"),
    "view_shared_with_org_tasks",
)

ROLES = Resource(
    # https://developers.asana.com/reference/getroles
    name="roles",
    path="/roles/{gid}",
    columns=(
        Column("name"),
        Column("description"),
        Column("is_standard_role", "boolean"),
        Column("creation_time"),
        Column("modified_at"),
        Column("base_role_type"),
        Column("permissions", "json", asks=PERMISSIONS),
    ),
    references=(Reference("workspace", "workspaces"),),
    one_place=True,
)

WEBHOOKS = Resource(
    # https://developers.asana.com/reference/getwebhooks
    name="webhooks",
    path="/webhooks/{gid}",
    columns=(
        Column("active", "boolean"),
        Column("target"),
        Column("created_at"),
        Column("last_failure_at"),
        Column("last_failure_content"),
        Column("last_success_at"),
        Column("delivery_retry_count", "integer"),
        Column("next_attempt_after"),
        Column("failure_deletion_timestamp"),
        Column("filters", "json", asks=("action", "fields", "resource_subtype")),
    ),
    open_references=(OpenReference("resource"),),
    own_columns=("workspace_gid",),
    one_place=True,
)

AUDIT_LOG_EVENTS = Resource(
    # https://developers.asana.com/reference/getauditlogevents
    name="audit_log_events",
    path=None,
    columns=(
        Column("created_at"),
        Column("event_type"),
        Column("event_category"),
        Column("actor", "json"),
        Column("resource", "json"),
        Column("details", "json"),
        Column("context", "json"),
    ),
    own_columns=("workspace_gid",),
)

RESOURCES = (USER_TASK_LISTS, WORKSPACE_MEMBERSHIPS, ROLES, WEBHOOKS, AUDIT_LOG_EVENTS)

FAVORITE_TYPES = ("project", "portfolio", "task", "tag", "user", "project_template")
LISTINGS = (
    of_workspace("workspace_memberships", "/workspaces/{gid}/workspace_memberships"),
    of_workspace(
        "own_task_list",
        "/users/me/user_task_list?workspace={gid}",
        resource="user_task_lists",
        by_age=WEEK,
        stands=None,
        single=True,
        paged=False,
    ),
    Listing(  # My Tasks has sections like a project; of others' lists Asana does not show them
        "own_sections",
        "sections",
        below="user_task_lists",
        path="/projects/{gid}/sections",
        rank=9,
        by_age=1,
        stands="user_task_list_gid",
        fills=(("user_task_list_gid", "{gid}"),),
        position="position",
        via="own_task_list",
    ),
    of_workspace("workspace_roles", "/roles?workspace={gid}", resource="roles"),
    of_workspace("workspace_webhooks", "/webhooks?workspace={gid}", resource="webhooks"),
    *(
        of_workspace(
            f"favorite_{kind}s",
            f"/users/me/favorites?workspace={{gid}}&resource_type={kind}",
            resource="favorites",
            rank=10,
            stands=None,
            fills=(),
            fields=False,
            kept=Kept("favorites", "workspace_gid", "item_gid", "item_type", only=kind, position="position"),
        )
        for kind in FAVORITE_TYPES
    ),
    of_workspace(
        "audit_log",
        "/workspaces/{gid}/audit_log_events",
        resource="audit_log_events",
        each_run=True,
        stands=None,
        fields=False,
        since=Since("start_at"),
        log=True,
    ),
)

"""Catalog entries: workspaces and who is in them."""

from __future__ import annotations

from asana_mirror.catalog.link_rows import references_to
from asana_mirror.catalog.parts import settings_of, values_of
from asana_mirror.catalog.shapes import Column, Links, Listing, Reference, Resource

PHOTO = Column(
    "photo",
    "json",
    asks=tuple(f"image_{size}" for size in ("21x21", "27x27", "36x36", "60x60", "128x128", "1024x1024")),
)

WORKSPACES = Resource(
    # https://developers.asana.com/reference/getworkspaces
    name="workspaces",
    path="/workspaces/{gid}",
    columns=(Column("name"), Column("is_organization", "boolean"), Column("email_domains", "json")),
)

USERS = Resource(
    # https://developers.asana.com/reference/getusers
    name="users",
    path="/users/{gid}",
    columns=(Column("name"), Column("email"), PHOTO),
    links=(
        Links(
            "workspaces",
            table="user_workspaces",
            owner="user_gid",
            key=("workspace_gid",),
            rows=references_to("workspaces"),
            asks=("name",),
        ),
        # Each workspace has fields of its own for its people.
        values_of("user", united=True),
    ),
)

AGENTS = Resource(
    # https://developers.asana.com/reference/getagentsforworkspace
    name="agents",
    path="/agents/{gid}",
    columns=(
        Column("name"),
        Column("resource_subtype"),
        Column("description"),
        Column("behavior_guidance"),
        PHOTO,
    ),
    # created_by is said in Asana's announcement of agents, not yet in its description of the API.
    references=(Reference("workspace", "workspaces", asks=()), Reference("created_by", "actors", asks=())),
)

TEAMS = Resource(
    # https://developers.asana.com/reference/getteamsforworkspace
    name="teams",
    path="/teams/{gid}",
    columns=(
        Column("name"),
        Column("description"),
        Column("html_description"),
        Column("permalink_url"),
        Column("visibility"),
        Column("edit_team_name_or_description_access_level"),
        Column("edit_team_visibility_or_trash_team_access_level"),
        Column("member_invite_management_access_level"),
        Column("guest_invite_management_access_level"),
        Column("join_request_management_access_level"),
        Column("team_member_removal_access_level"),
        Column("team_content_management_access_level"),
        Column("endorsed", "boolean"),
    ),
    references=(Reference("organization", "workspaces"),),
    embedded=(settings_of("team"),),
)

TEAM_MEMBERSHIPS = Resource(
    # https://developers.asana.com/reference/getteammembershipsforteam
    name="team_memberships",
    path="/team_memberships/{gid}",
    columns=(
        Column("is_guest", "boolean"),
        Column("is_limited_access", "boolean"),
        Column("is_admin", "boolean"),
    ),
    references=(Reference("user", "actors"), Reference("team", "teams")),
    one_place=True,
)

RESOURCES = (WORKSPACES, USERS, AGENTS, TEAMS, TEAM_MEMBERSHIPS)

LISTINGS = (
    Listing("workspaces", "workspaces", below=None, path="/workspaces", rank=0, each_run=True),
    Listing(
        "workspace_users",
        "users",
        below="workspaces",
        path="/users?workspace={gid}",
        rank=1,
        each_run=True,
        stands=("user_workspaces", "workspace_gid"),
    ),
    Listing(
        "workspace_agents",
        "agents",
        below="workspaces",
        path="/workspaces/{gid}/agents",
        rank=1,
        each_run=True,
        stands="workspace_gid",
        fills=(("workspace_gid", "{gid}"),),
    ),
    Listing(
        "workspace_teams",
        "teams",
        below="workspaces",
        path="/workspaces/{gid}/teams",
        rank=1,
        each_run=True,
        stands="organization_gid",
    ),
    Listing(
        "team_memberships",
        "team_memberships",
        below="teams",
        path="/teams/{gid}/team_memberships",
        rank=3,
        by_age=1,
        stands="team_gid",
        fills=(("team_gid", "{gid}"),),
    ),
)

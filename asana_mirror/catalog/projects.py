"""Catalog entries: projects and what gives them their shape."""

from __future__ import annotations

from asana_mirror.catalog.parts import actors_in, settings_of, values_of
from asana_mirror.catalog.shapes import Column, Embedded, Listing, Reference, Resource

PROJECTS = Resource(
    # https://developers.asana.com/reference/getprojects
    name="projects",
    path="/projects/{gid}",
    columns=(
        Column("name"),
        Column("archived", "boolean"),
        Column("color"),
        Column("icon"),
        Column("created_at"),
        Column("modified_at"),
        Column("default_view"),
        Column("due_date"),
        Column("due_on"),
        Column("start_on"),
        Column("notes"),
        Column("html_notes"),
        Column("public", "boolean"),
        Column("privacy_setting"),
        Column("default_access_level"),
        Column("minimum_access_level_for_customization"),
        Column("minimum_access_level_for_sharing"),
        Column("completed", "boolean"),
        Column("completed_at"),
        Column("permalink_url"),
    ),
    references=(
        Reference("completed_by", "actors"),
        Reference("owner", "actors", asks=()),
        Reference("team", "teams"),
        Reference("workspace", "workspaces"),
        Reference("current_status", "project_statuses", asks=("title",)),
        Reference("current_status_update", "status_updates", asks=("title",)),
        Reference("project_brief", "project_briefs", asks=()),
        Reference("created_from_template", "project_templates"),
    ),
    links=(
        actors_in("members", "project"),
        actors_in("followers", "project"),
        values_of("project"),
    ),
    embedded=(settings_of("project", ("project_gid", "{gid}")),),
)

SECTIONS = Resource(
    # https://developers.asana.com/reference/getsectionsforproject
    name="sections",
    path="/sections/{gid}",
    columns=(Column("name"), Column("created_at")),
    references=(Reference("project", "projects"),),
    own_columns=("position", "user_task_list_gid"),
    one_place=True,
    leaves_out={"projects": "deprecated; a section stands in one project"},
)

TAGS = Resource(
    # https://developers.asana.com/reference/gettagsforworkspace
    name="tags",
    path="/tags/{gid}",
    columns=(
        Column("name"),
        Column("color"),
        Column("notes"),
        Column("created_at"),
        Column("permalink_url"),
    ),
    references=(Reference("workspace", "workspaces"),),
    links=(actors_in("followers", "tag"),),
)

VALUE_FIELDS = dict.fromkeys(
    (
        "date_value",
        "enum_value",
        "multi_enum_values",
        "number_value",
        "text_value",
        "html_text_value",
        "display_value",
        "people_value",
        "reference_value",
    ),
    "a value on an owner, never part of the definition",
)

CUSTOM_FIELDS = Resource(
    # https://developers.asana.com/reference/getcustomfieldsforworkspace
    name="custom_fields",
    path="/custom_fields/{gid}",
    columns=(
        Column("name"),
        Column("type"),
        Column("resource_subtype"),
        Column("representation_type"),
        Column("description"),
        Column("enabled", "boolean"),
        Column("id_prefix"),
        Column("input_restrictions", "json"),
        Column("is_formula_field", "boolean"),
        Column("precision", "integer"),
        Column("format"),
        Column("currency_code"),
        Column("custom_label"),
        Column("custom_label_position"),
        Column("is_global_to_workspace", "boolean"),
        Column("has_notifications_enabled", "boolean"),
        Column("asana_created_field"),
        Column("is_value_read_only", "boolean"),
        Column("privacy_setting"),
        Column("default_access_level"),
    ),
    references=(Reference("created_by", "actors"),),
    embedded=(
        Embedded(
            "enum_options",
            "enum_options",
            within=(("custom_field_gid", "{gid}"),),
            parent="custom_field_gid",
        ),
    ),
    leaves_out=VALUE_FIELDS,
)

ENUM_OPTIONS = Resource(
    name="enum_options",
    path=None,
    columns=(Column("name"), Column("color"), Column("enabled", "boolean")),
    own_columns=("custom_field_gid", "position"),
    one_place=True,
)

CUSTOM_FIELD_SETTINGS = Resource(
    # https://developers.asana.com/reference/getcustomfieldsettingsforproject
    name="custom_field_settings",
    path=None,
    columns=(Column("is_important", "boolean"),),
    embedded=(Embedded("custom_field", "custom_fields", many=False),),
    own_columns=("custom_field_gid", "parent_gid", "parent_type", "project_gid", "position"),
    one_place=True,
    leaves_out={"parent": "known from the record that holds the setting", "project": "the same"},
)

RESOURCES = (PROJECTS, SECTIONS, TAGS, CUSTOM_FIELDS, ENUM_OPTIONS, CUSTOM_FIELD_SETTINGS)

LISTINGS = (
    Listing(
        "workspace_custom_fields",
        "custom_fields",
        below="workspaces",
        path="/workspaces/{gid}/custom_fields",
        rank=1,
        each_run=True,
    ),
    Listing(
        "workspace_tags",
        "tags",
        below="workspaces",
        path="/workspaces/{gid}/tags",
        rank=2,
        each_run=True,
        stands="workspace_gid",
        fills=(("workspace_gid", "{gid}"),),
    ),
    Listing(
        "workspace_projects",
        "projects",
        below="workspaces",
        path="/projects?workspace={gid}",
        rank=2,
        each_run=True,
        stands="workspace_gid",
        fills=(("workspace_gid", "{gid}"),),
    ),
    Listing(
        "team_projects",
        "projects",
        below="teams",
        path="/teams/{gid}/projects",
        rank=2,
        stands="team_gid",
        fills=(("team_gid", "{gid}"),),
        on_demand=True,
    ),
    Listing(
        "project_sections",
        "sections",
        below="projects",
        path="/projects/{gid}/sections",
        rank=3,
        events=True,
        by_age=1,
        stands="project_gid",
        fills=(("project_gid", "{gid}"),),
        position="position",
    ),
)

"""Catalog entries: what new projects and tasks are made from, the types of tasks, and who asks to come in."""

from __future__ import annotations

from asana_mirror.catalog.parts import WEEK, of_project, of_workspace
from asana_mirror.catalog.shapes import (
    Column,
    Embedded,
    Kept,
    Listing,
    OpenReference,
    Reference,
    Resource,
)

PROJECT_TEMPLATES = Resource(
    # https://developers.asana.com/reference/getprojecttemplates
    name="project_templates",
    path="/project_templates/{gid}",
    columns=(
        Column("name"),
        Column("description"),
        Column("html_description"),
        Column("public", "boolean"),
        Column("color"),
        Column("requested_dates", "json", asks=("description", "name")),
        Column("requested_roles", "json", asks=("name",)),
    ),
    references=(Reference("owner", "actors", asks=()), Reference("team", "teams")),
    own_columns=("workspace_gid",),
    one_place=True,
)

TASK_TEMPLATES = Resource(
    # https://developers.asana.com/reference/gettasktemplates
    name="task_templates",
    path="/task_templates/{gid}",
    columns=(
        Column("name"),
        Column(
            "template",
            "json",
            asks=(  # the recipe by its bare name is its name alone
                *("name", "task_resource_subtype", "description", "html_description", "relative_start_on"),
                *("relative_due_on", "due_time", "memberships.name", "dependencies.name", "dependents.name"),
                *("followers.name", "attachments.name", "subtasks.name", "custom_fields.name"),
            ),
        ),
        Column("created_at"),
    ),
    references=(Reference("created_by", "actors", asks=()), Reference("project", "projects", asks=())),
    one_place=True,
)

CUSTOM_TYPES = Resource(
    # https://developers.asana.com/reference/getcustomtypes
    name="custom_types",
    path="/custom_types/{gid}",
    columns=(Column("name"),),
    embedded=(
        Embedded(
            "status_options",
            "custom_type_status_options",
            within=(("custom_type_gid", "{gid}"),),
            parent="custom_type_gid",
        ),
    ),
)

CUSTOM_TYPE_STATUS_OPTIONS = Resource(
    name="custom_type_status_options",
    path=None,
    columns=(Column("name"), Column("completion_state"), Column("enabled", "boolean"), Column("color")),
    own_columns=("custom_type_gid", "position"),
    one_place=True,
)

ACCESS_REQUESTS = Resource(
    # https://developers.asana.com/reference/getaccessrequests
    name="access_requests",
    path=None,
    columns=(Column("message"), Column("approval_status")),
    references=(Reference("requester", "actors"),),
    open_references=(OpenReference("target", asks=()),),
    one_place=True,
)

RESOURCES = (PROJECT_TEMPLATES, TASK_TEMPLATES, CUSTOM_TYPES, CUSTOM_TYPE_STATUS_OPTIONS, ACCESS_REQUESTS)


def _requests_for(parent: str) -> Listing:
    kind = parent.removesuffix("s")
    return Listing(
        f"{kind}_access_requests",
        "access_requests",
        below=parent,
        path="/access_requests?target={gid}",
        rank=10,
        by_age=1,
        stands="target_gid",
        fills=(("target_gid", "{gid}"), ("target_type", kind)),
        paged=False,
    )


LISTINGS = (
    of_workspace("project_templates", "/project_templates?workspace={gid}"),
    of_project("task_templates", "/task_templates?project={gid}", "project_gid", by_age=WEEK),
    Listing(
        "project_custom_types",
        "custom_types",
        below="projects",
        path="/custom_types?project={gid}",
        rank=10,
        by_age=WEEK,
        stands=("project_custom_types", "project_gid"),
        kept=Kept("project_custom_types", "project_gid", "custom_type_gid"),
        alone="custom_type_itself",
    ),
    Listing(  # a type that no project shows may live on
        "custom_type_itself",
        "custom_types",
        below="custom_types",
        path="/custom_types/{gid}",
        rank=10,
        by_age=WEEK,
        single=True,
        paged=False,
        on_demand=True,
    ),
    _requests_for("projects"),
    _requests_for("portfolios"),
)

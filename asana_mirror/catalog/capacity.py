"""Catalog entries: time that was spent, that is planned, and what it costs."""

from __future__ import annotations

from asana_mirror.catalog.link_rows import references_to
from asana_mirror.catalog.parts import WEEK, of_project, of_workspace
from asana_mirror.catalog.shapes import (
    Column,
    Links,
    Listing,
    OpenReference,
    Reference,
    Resource,
    Since,
)

TIME_TRACKING_CATEGORIES = Resource(
    # https://developers.asana.com/reference/gettimetrackingcategories
    name="time_tracking_categories",
    path="/time_tracking_categories/{gid}",
    columns=(Column("name"), Column("color"), Column("is_archived", "boolean")),
    own_columns=("workspace_gid",),
)

TIME_TRACKING_ENTRIES = Resource(
    # https://developers.asana.com/reference/gettimetrackingentries
    name="time_tracking_entries",
    path="/time_tracking_entries/{gid}",
    columns=(
        Column("duration_minutes", "integer"),
        Column("entered_on"),
        Column("created_at"),
        Column("approval_status"),
        Column("billable_status"),
        Column("description"),
    ),
    references=(
        Reference("attributable_to", "projects"),
        Reference("created_by", "actors"),
        Reference("task", "tasks"),
    ),
    links=(
        Links(
            "categories",
            table="time_tracking_entry_categories",
            owner="time_tracking_entry_gid",
            key=("time_tracking_category_gid",),
            rows=references_to("time_tracking_categories"),
            asks=("name",),
        ),
    ),
    own_columns=("workspace_gid",),
    one_place=True,
)

TIMESHEET_APPROVAL_STATUSES = Resource(
    # https://developers.asana.com/reference/gettimesheetapprovalstatuses
    name="timesheet_approval_statuses",
    path="/timesheet_approval_statuses/{gid}",
    columns=(Column("created_at"), Column("start_date"), Column("end_date"), Column("approval_status")),
    references=(Reference("user", "actors"), Reference("workspace", "workspaces")),
    one_place=True,
)

ALLOCATIONS = Resource(
    # https://developers.asana.com/reference/getallocations
    name="allocations",
    path="/allocations/{gid}",
    columns=(
        Column("resource_subtype"),
        Column("start_date"),
        Column("end_date"),
        Column("effort", "json", asks=("type", "value")),
    ),
    references=(Reference("created_by", "actors"), Reference("parent", "projects")),
    open_references=(OpenReference("assignee"),),
    one_place=True,
)

BUDGETS = Resource(
    # https://developers.asana.com/reference/getbudgets
    name="budgets",
    path="/budgets/{gid}",
    columns=(
        Column("budget_type"),
        Column("estimate", "json", asks=("billable_status_filter", "enabled", "source", "units", "value")),
        Column("actual", "json", asks=("billable_status_filter", "units", "value")),
        Column("total", "json", asks=("enabled", "units", "value")),
    ),
    references=(Reference("parent", "projects"),),
    one_place=True,
)

RATES = Resource(
    # https://developers.asana.com/reference/getrates
    name="rates",
    path="/rates/{gid}",
    columns=(Column("rate", "real"), Column("currency_code")),
    references=(Reference("created_by", "actors"), Reference("parent", "projects")),
    open_references=(OpenReference("resource"),),
    one_place=True,
)

OOO_ENTRIES = Resource(
    # https://developers.asana.com/reference/getoooentries
    name="ooo_entries",
    path="/ooo_entries/{gid}",
    columns=(Column("start_date"), Column("end_date")),
    references=(Reference("user", "actors"), Reference("created_by", "actors")),
    own_columns=("workspace_gid",),
    one_place=True,
)

RESOURCES = (
    *(TIME_TRACKING_CATEGORIES, TIME_TRACKING_ENTRIES, TIMESHEET_APPROVAL_STATUSES),
    *(ALLOCATIONS, BUDGETS, RATES, OOO_ENTRIES),
)

LISTINGS = (
    of_workspace(
        "time_tracking_categories",
        "/time_tracking_categories?workspace={gid}",
        among=("is_archived", 0),
    ),
    of_workspace(
        "archived_time_tracking_categories",
        "/time_tracking_categories?workspace={gid}&is_archived=true",
        resource="time_tracking_categories",
        among=("is_archived", 1),
    ),
    of_workspace(
        "workspace_time_tracking_entries",
        "/time_tracking_entries?workspace={gid}",
        resource="time_tracking_entries",
        each_run=True,
        since=Since("entered_on_start_date", begins="1970-01-01"),
        untold="task",
    ),
    of_workspace("timesheet_approval_statuses", "/timesheet_approval_statuses?workspace={gid}"),
    of_project("allocations", "/allocations?parent={gid}", "parent_gid"),
    of_project("budgets", "/budgets?parent={gid}", "parent_gid", paged=False, fields=False),
    of_project("rates", "/rates?parent={gid}", "parent_gid", by_age=WEEK, fields=False),
    Listing(
        "ooo_entries",
        "ooo_entries",
        below="users",
        path="/ooo_entries?user={gid}&workspace={workspace}",
        rank=10,
        by_age=1,
        stands="user_gid",
        fills=(("user_gid", "{gid}"), ("workspace_gid", "{workspace}")),
    ),
)

"""Catalog entries: portfolios, what is in them, and goals with what supports them."""

from __future__ import annotations

from asana_mirror.catalog.link_rows import references_to
from asana_mirror.catalog.parts import (
    MORE_VALUE_ASKS,
    WEEK,
    actors_in,
    likes_of,
    of_project,
    of_workspace,
    settings_of,
    values_of,
)
from asana_mirror.catalog.shapes import Column, Kept, Links, Listing, OpenReference, Reference, Resource

PORTFOLIOS = Resource(
    # https://developers.asana.com/reference/getportfolios
    name="portfolios",
    path="/portfolios/{gid}",
    columns=(
        Column("name"),
        Column("archived", "boolean"),
        Column("color"),
        Column("start_on"),
        Column("due_on"),
        Column("default_access_level"),
        Column("created_at"),
        Column("permalink_url"),
        Column("public", "boolean"),
        Column("privacy_setting"),
    ),
    references=(
        Reference("created_by", "actors"),
        Reference("owner", "actors"),
        Reference("workspace", "workspaces"),
        Reference("current_status_update", "status_updates", asks=("title",)),
    ),
    links=(
        actors_in("members", "portfolio"),
        Links(
            "project_templates",
            table="portfolio_project_templates",
            owner="portfolio_gid",
            key=("project_template_gid",),
            rows=references_to("project_templates"),
            asks=("name",),
        ),
        values_of("portfolio", *MORE_VALUE_ASKS),
    ),
    embedded=(settings_of("portfolio"),),
)

PROJECT_PORTFOLIO_SETTINGS = Resource(
    # https://developers.asana.com/reference/getprojectportfoliosettingsforproject
    name="project_portfolio_settings",
    path="/project_portfolio_settings/{gid}",
    columns=(Column("is_access_control_inherited", "boolean"), Column("created_at")),
    references=(Reference("project", "projects", asks=()), Reference("portfolio", "portfolios", asks=())),
    one_place=True,
    stands_on=("portfolio_gid", "portfolios"),
)

GOALS = Resource(
    # https://developers.asana.com/reference/getgoals
    name="goals",
    path="/goals/{gid}",
    columns=(
        Column("name"),
        Column("notes"),
        Column("html_notes"),
        Column("due_on"),
        Column("start_on"),
        Column("is_workspace_level", "boolean"),
        Column("liked", "boolean"),
        Column("num_likes", "integer"),
        Column(
            "metric",
            "json",
            asks=(
                *("can_manage", "currency_code", "current_display_value", "current_number_value"),
                *("initial_number_value", "is_custom_weight", "precision", "progress_source"),
                *("resource_subtype", "target_number_value", "unit"),
            ),
        ),
        Column("status"),
        Column("privacy_setting"),
        Column("default_access_level"),
    ),
    references=(
        Reference("team", "teams"),
        Reference("workspace", "workspaces"),
        Reference("time_period", "time_periods", asks=("display_name",)),
        Reference("owner", "actors"),
        Reference("current_status_update", "status_updates", asks=("title",)),
    ),
    links=(
        likes_of("goal"),
        actors_in("followers", "goal"),
        values_of("goal", *MORE_VALUE_ASKS),
    ),
    embedded=(settings_of("goal"),),
)

GOAL_RELATIONSHIPS = Resource(
    # https://developers.asana.com/reference/getgoalrelationships
    name="goal_relationships",
    path="/goal_relationships/{gid}",
    columns=(Column("resource_subtype"), Column("contribution_weight", "real")),
    references=(Reference("supported_goal", "goals"),),
    open_references=(OpenReference("supporting_resource"),),
    one_place=True,
)

TIME_PERIODS = Resource(
    # https://developers.asana.com/reference/gettimeperiods
    name="time_periods",
    path="/time_periods/{gid}",
    columns=(Column("start_on"), Column("end_on"), Column("period"), Column("display_name")),
    references=(Reference("parent", "time_periods", asks=("display_name",)),),
    own_columns=("workspace_gid",),
    one_place=True,
)

RESOURCES = (PORTFOLIOS, PROJECT_PORTFOLIO_SETTINGS, TIME_PERIODS, GOALS, GOAL_RELATIONSHIPS)

LISTINGS = (
    of_workspace(  # a person is shown only what that person owns, and has to say so
        "workspace_portfolios",
        "/portfolios?workspace={gid}",
        resource="portfolios",
        each_run=True,
        instead="own_portfolios",
        alone="portfolio_itself",
    ),
    of_workspace(
        "own_portfolios",
        "/portfolios?workspace={gid}&owner=me",
        resource="portfolios",
        each_run=True,
        alone="portfolio_itself",
        on_demand=True,
    ),
    Listing(  # others' portfolios are met as items only
        "portfolio_itself",
        "portfolios",
        below="portfolios",
        path="/portfolios/{gid}",
        rank=10,
        by_age=1,
        single=True,
        paged=False,
        on_demand=True,
    ),
    Listing(
        "portfolio_items",
        "portfolio_items",
        below="portfolios",
        path="/portfolios/{gid}/items",
        rank=9,
        by_age=1,
        when=("*",),
        fields=False,
        kept=Kept("portfolio_items", "portfolio_gid", "item_gid", "item_type", position="position"),
    ),
    of_project(
        "project_portfolio_settings",
        "/projects/{gid}/project_portfolio_settings",
        "project_gid",
        by_age=WEEK,
    ),
    of_workspace("time_periods", "/time_periods?workspace={gid}"),
    of_workspace("workspace_goals", "/goals?workspace={gid}", resource="goals", each_run=True),
    Listing(
        "goal_relationships",
        "goal_relationships",
        below="goals",
        path="/goal_relationships?supported_goal={gid}",
        rank=10,
        by_age=1,
        when=("*",),
        stands="supported_goal_gid",
        fills=(("supported_goal_gid", "{gid}"),),
    ),
    Listing(
        "goal_stories",
        "stories",
        below="goals",
        path="/goals/{gid}/stories",
        rank=10,
        by_age=1,
        when=("*",),
        stands="target_gid",
        fills=(("target_gid", "{gid}"), ("target_type", "goal")),
    ),
)

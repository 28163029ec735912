"""Parts that several catalog entries share: who is named in a list, values and settings of custom fields, places."""

from __future__ import annotations

from typing import Any

from asana_mirror.catalog.link_rows import VALUE_COLUMNS, custom_field_values, likes, references_to
from asana_mirror.catalog.shapes import Embedded, Links, Listing

VALUE_ASKS = (
    "name",
    "type",
    "display_value",
    "text_value",
    "number_value",
    "enum_value.name",
    "date_value.date",
    "date_value.date_time",
    "multi_enum_values.name",
)
# What shows on tasks, portfolios and goals besides.
MORE_VALUE_ASKS = ("resource_subtype", "people_value", "people_value.name", "reference_value")

WEEK = 7  # times --max-age, for what changes seldom, or is told by a change of its parent


def actors_in(field: str, owner: str) -> Links:
    """A list of people and agents, whose bare name brings the kind: `task_followers` and the like."""
    return Links(
        field,
        table=f"{owner}_{field}",
        owner=f"{owner}_gid",
        key=("actor_gid",),
        rows=references_to("actors"),
        asks=("", "name"),
    )


def likes_of(owner: str) -> Links:
    """Who likes it."""
    return Links(
        "likes",
        table=f"{owner}_likes",
        owner=f"{owner}_gid",
        key=("actor_gid",),
        rows=likes,
        asks=("user", "user.name"),
    )


def values_of(owner: str, *more: str, united: bool = False) -> Links:
    """The values of custom fields; `more` are further parts of a value that come only when named."""
    return Links(
        "custom_fields",
        table=f"{owner}_custom_fields",
        owner=f"{owner}_gid",
        key=("custom_field_gid",),
        values=VALUE_COLUMNS,
        rows=custom_field_values,
        united=united,
        asks=(*VALUE_ASKS, *more),
    )


def settings_of(owner: str, *within: tuple[str, str]) -> Embedded:
    """The custom fields that show there, in their order."""
    return Embedded(
        "custom_field_settings",
        "custom_field_settings",
        within=(("parent_gid", "{gid}"), ("parent_type", owner), *within),
        parent="parent_gid",
    )


def of_workspace(name: str, path: str, *, resource: str | None = None, **more: Any) -> Listing:
    """A list of all that a workspace has of a kind, read each day unless more is said."""
    told: dict[str, Any] = {
        "rank": 9,
        "by_age": 1,
        "stands": "workspace_gid",
        "fills": (("workspace_gid", "{gid}"),),
    }
    return Listing(name, resource or name, below="workspaces", path=path, **told | more)


def of_project(name: str, path: str, column: str, **more: Any) -> Listing:
    """A list of what a project has of a kind; `column` names the project."""
    told: dict[str, Any] = {"rank": 10, "by_age": 1, "stands": column, "fills": ((column, "{gid}"),)}
    return Listing(name, name, below="projects", path=path, **told | more)

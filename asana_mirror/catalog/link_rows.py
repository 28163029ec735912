"""Lists inside records that are not plain lists of references: how each becomes link rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import orjson

from asana_mirror.catalog.shapes import Json, LinkRows, Note, Row
from asana_mirror.errors import Undecodable


def references_to(table: str) -> LinkRows:
    """Rows of a plain list of compact records."""

    def rows(values: list[Json], note: Note) -> Iterator[Row]:
        for value in values:
            gid = note(value, table)
            if gid is not None:
                yield (gid,)

    return rows


def likes(values: list[Json], note: Note) -> Iterator[Row]:
    """A like is an object around its user (or agent)."""
    for value in values:
        gid = note(value.get("user") if isinstance(value, dict) else None, "actors")
        if gid is not None:
            yield (gid,)


def memberships(values: list[Json], note: Note) -> Iterator[Row]:
    """A task's memberships: the project, and the section of it (which may be null)."""
    for value in values:
        if not isinstance(value, dict):
            continue
        project_gid = note(value.get("project"), "projects")
        if project_gid is not None:
            yield (project_gid, note(value.get("section"), "sections", project_gid=project_gid))


VALUE_COLUMNS = (
    "type",
    "display_value",
    "text_value",
    "number_value",
    "enum_option_gid",
    "date_value",
    "multi_enum_option_gids",
    "people_gids",
    "reference_gids",
)


def custom_field_values(values: list[Json], note: Note) -> Iterator[Row]:
    """One row for every custom field that Asana lists on the owner, empty ones too.

    https://developers.asana.com/docs/custom-fields-guide
    """
    for value in values:
        if value is None or (field_gid := note(value, "custom_fields")) is None:
            continue
        if not isinstance(value, dict):
            raise Undecodable(f"a custom field is {type(value).__name__}, not an object")
        yield (
            field_gid,
            _text(value.get("resource_subtype") or value.get("type")),
            _text(value.get("display_value")),
            _text(value.get("text_value")),
            _number(value.get("number_value")),
            note(value.get("enum_value"), "enum_options", custom_field_gid=field_gid),
            _date(value.get("date_value")),
            _gids(
                value.get("multi_enum_values"),
                partial(note, table="enum_options", custom_field_gid=field_gid),
            ),
            _gids(value.get("people_value"), partial(note, table="actors")),
            _gids(value.get("reference_value"), _gid),
        )


def _text(value: Json) -> str | None:
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()


def _number(value: Json) -> float | None:
    if value is None:
        return None
    if isinstance(value, (int, float)):
        return float(value)
    raise Undecodable(f"number_value is {type(value).__name__}, not a number")


def _date(value: Json) -> str | None:
    """The date-time where there is one, else the date."""
    if isinstance(value, dict):
        value = value.get("date_time") or value.get("date")
    return _text(value)


def _gid(value: Json) -> str | None:
    return str(value["gid"]) if isinstance(value, dict) and value.get("gid") is not None else None


def _gids(values: Json, gid_of: Callable[[Any], str | None]) -> str | None:
    if not isinstance(values, list):
        return None
    return orjson.dumps([gid for gid in map(gid_of, values) if gid is not None]).decode()

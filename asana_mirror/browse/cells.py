"""The Datasette plugin: gids that Datasette cannot follow become links.

Datasette links foreign keys in tables. It cannot know where a gid in a view leads, nor one whose kind stands
in the column beside it (`target_gid`, `target_type`). Views say it in schema/datasette.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datasette import hookimpl  # type: ignore[import-untyped]
from datasette.utils import tilde_encode  # type: ignore[import-untyped]
from markupsafe import Markup

PLUGIN = "asana-mirror"

# What is not simply the kind with an s behind it.
TABLES_OF_KINDS = {"story": "stories", "time_tracking_category": "time_tracking_categories"}


@hookimpl  # type: ignore[untyped-decorator] # Datasette has no types
def render_cell(
    row: Any, value: object, column: str, table: str | None, database: str | None, datasette: Any
) -> Markup | None:
    if table is None or not isinstance(value, str) or not column.endswith("gid"):
        return None
    described = datasette.metadata("tables", database=database, fallback=False) or {}
    links = described.get(table, {}).get("plugins", {}).get(PLUGIN, {})
    target = table_of(column, row, links)
    if target not in described:
        return None
    href = datasette.urls.path(f"{datasette.urls.table(database, target)}/{tilde_encode(value)}")
    return Markup('<a href="{}">{}</a>').format(href, value)


def table_of(column: str, row: Any, links: Mapping[str, str]) -> str | None:
    """The table a gid in this column of this row leads to; None where Datasette does it or nobody knows."""
    if column in links:
        place = links[column]
        # A place in brackets is a column that names the table.
        return str(row[place[1:-1]]) if place.startswith("[") else place
    kind_column = column.removesuffix("_gid") + "_type"
    if column.endswith("_gid") and kind_column in row.keys():  # noqa: SIM118 # sqlite3.Row iterates values
        kind = row[kind_column]
        return TABLES_OF_KINDS.get(kind, f"{kind}s") if kind else None
    return None

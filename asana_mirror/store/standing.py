"""Where records stand, as SQL: what the catalog says of a list, as a condition on rows."""

from __future__ import annotations

from collections.abc import Iterator

from asana_mirror.catalog import LISTINGS, RESOURCES, Listing
from asana_mirror.words import Step

ALIVE = "_deleted_at IS NULL AND _synced_at IS NOT NULL"
ONE = "= ?"  # stands for the one parent, and the part of its list, that a step names


def member_column(resource: str) -> str:
    """The column of a link table that names a record of this resource."""
    return f"{resource.removesuffix('s')}_gid"


def place_columns(listing: Listing) -> list[str]:
    """The columns that together name a parent and the part of its list; the first may be one of a link table."""
    stands = listing.stands[1] if isinstance(listing.stands, tuple) else listing.stands
    if stands is None:
        return []
    return [stands, *(["workspace_gid"] if listing.within_workspace else []), *filter(None, [listing.part])]


def place_values(step: Step) -> list[str]:
    """The values of these columns for one step."""
    listing = step.listing
    if listing.below is None:
        return []
    values = [step.parent_gid or ""]
    if listing.within_workspace:
        values.append(step.workspace_gid or "")
    if listing.part:
        values.append(step.part or "")
    return values


def standing_in(listing: Listing, which: str = ONE, *, alone: bool = False) -> str | None:
    """The condition that a record stands in a listing of a parent; None where no column says so.

    Its parameters are `place_values`, unless another condition than ONE says `which` parents are meant.
    `alone`: and nowhere else, as far as lists of tasks go.
    """
    if listing.below is None:
        return "1"
    if listing.stands is None:
        return None
    if isinstance(listing.stands, tuple):
        table, column = listing.stands
        member = member_column(listing.resource)
        return f"gid IN (SELECT {member} FROM {table} WHERE {column} {which})"
    conditions = [f"{listing.stands} {which}"]
    if alone:
        conditions += ["parent_gid IS NULL"]
        conditions += [f"NOT EXISTS (SELECT 1 FROM task_projects WHERE task_gid = {listing.resource}.gid)"]
    elif which == ONE:
        conditions += [f"{column} {ONE}" for column in place_columns(listing)[1:]]
    if listing.among:
        column, value = listing.among
        conditions.append(f"{column} IS {value}")
    if listing.alone:
        conditions.append(
            f"gid NOT IN (SELECT parent_gid FROM sync_checkpoints WHERE name = '{listing.alone}')"
        )
    return " AND ".join(conditions)


def standing_on() -> Iterator[tuple[str, str, str]]:
    """(child, its column, parent) for whatever cannot outlive its parent."""
    for listing in LISTINGS.values():
        entry = RESOURCES.get(listing.resource)
        if entry and entry.one_place and isinstance(listing.stands, str) and listing.below:
            yield listing.resource, listing.stands, listing.below
    for resource in RESOURCES.values():
        if resource.stands_on:
            yield resource.name, *resource.stands_on
        for embedded in resource.embedded:
            if embedded.parent:
                yield embedded.resource, embedded.parent, resource.name

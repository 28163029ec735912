"""What to ask next: pure. Records open listings; absence from all of them raises a doubt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from asana_mirror.catalog import LISTINGS, RESOURCES, Listing, Row, listings_below
from asana_mirror.words import Scope, Step

# Who is asked for first when several are missing: what is below a dead parent is in doubt only afterwards.
DOUBT_ORDER = ("workspaces", "teams", "users", "agents", "custom_fields", "tags", "projects", "tasks")

_ACTORS = ("users", "agents")


def wanted(listing: Listing, scope: Scope) -> bool:
    """Whether a run of this scope reads the listing, or something that is found through it."""
    if listing.resource in scope.skip:
        return False
    return not scope.only or listing.resource in scope.only or _leads_to(listing, scope.only)


def _leads_to(listing: Listing, resources: tuple[str, ...]) -> bool:
    """Whether records of `resources` are found through this listing."""
    return any(
        below.resource in resources or _leads_to(below, resources)
        for below in _opened_by(listing.resource)
        if below.resource != listing.resource
    )


def _opened_by(resource: str) -> tuple[Listing, ...]:
    opened = listings_below(resource)
    return (*opened, *listings_below("actors")) if resource in _ACTORS else opened


def steps_below(
    resource: str, gid: str, row: Row, *, workspace_gid: str | None, scope: Scope
) -> Iterator[Step]:
    """The listings that one record opens.

    `row` is in the order of the resource's columns; `workspace_gid` is where the record was listed.
    """
    if resource == "workspaces":
        if scope.workspaces and gid not in scope.workspaces:
            return
        workspace_gid = gid
    opened = [listing for listing in _opened_by(resource) if wanted(listing, scope)]
    if not opened:
        return
    columns = dict(zip(RESOURCES[resource].column_names(), row, strict=False))
    for listing in opened:
        if listing.name == "section_tasks" or (listing.below == "actors" and workspace_gid is None):
            continue
        if listing.when is None or listing.when(columns):
            yield Step(listing, gid, workspace_gid)


def steps_of_split(section_gids: Iterable[str], workspace_gid: str | None) -> list[Step]:
    """The parts that together are a project's listing too long to be read in one."""
    return [Step(LISTINGS["section_tasks"], gid, workspace_gid) for gid in section_gids]


def too_many(losses: Mapping[str, tuple[int, int]], max_deletes: int | None) -> dict[str, tuple[int, int]]:
    """The mass-deletion guard: which tables would lose more than a run may take on its own.

    `losses` are (about to go, living) for each table. More than a fifth and more than 50 is too many, unless
    the user allows a number per table.
    """
    if max_deletes is not None:
        return {table: loss for table, loss in losses.items() if loss[0] > max_deletes}
    return {
        table: (gone, living) for table, (gone, living) in losses.items() if gone > 50 and gone > living * 0.2
    }

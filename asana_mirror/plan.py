"""What to ask next: pure. Records open listings; absence from all of them raises a doubt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from asana_mirror.catalog import LISTINGS, RESOURCES, Listing, Row, listings_below, listings_opened_by
from asana_mirror.words import Scope, Step

# Who is asked for first when several are missing: what is below a dead parent is in doubt only afterwards.
DOUBT_ORDER = (
    *("workspaces", "teams", "users", "agents", "custom_fields", "tags", "projects", "tasks"),
    *("portfolios", "goals", "custom_types", "project_briefs", "user_task_lists", "time_tracking_categories"),
)

_ACTORS = ("users", "agents")
_PARTS = {listing.split for listing in LISTINGS.values() if listing.split}
WALKS = ("first", "full")  # modes of runs that read everything
PAGE = 100  # records in a page, at most


def wanted(listing: Listing, scope: Scope) -> bool:
    """Whether a run of this scope reads the listing, or something that is found through it."""
    if listing.resource in scope.skip:
        return False
    if listing.kept and listing.below in scope.only:
        return True  # the links of its parent
    return not scope.only or listing.resource in scope.only or _leads_to(listing, scope.only)


def _leads_to(listing: Listing, resources: tuple[str, ...]) -> bool:
    """Whether records of `resources` are found through this listing."""
    parts = (below for below in listings_below(listing.resource) if below.name in _PARTS)
    return any(
        below.resource in resources or _leads_to(below, resources)
        for below in (*opened_by(listing.resource), *parts)  # a list too long is read by its parts
        if below.resource != listing.resource
    )


@cache
def opened_by(resource: str) -> tuple[Listing, ...]:
    """The listings to which records of `resource` lead by themselves."""
    opened = listings_opened_by(resource)
    if resource in _ACTORS:
        opened = (*opened, *listings_opened_by("actors"))
    return tuple(listing for listing in opened if not listing.on_demand)


def steps_below(
    resource: str,
    gid: str,
    row: Row,
    *,
    workspace_gid: str | None,
    scope: Scope,
    via: str | None = None,
) -> Iterator[Step]:
    """The listings that one record opens; `wanted` says which of them a narrowed run may read.

    `row` is in the order of the resource's columns; `workspace_gid` is where the record was listed, and `via` the
    listing that showed it.
    """
    if resource == "workspaces":
        if scope.workspaces and gid not in scope.workspaces:
            return
        workspace_gid = gid
    opened = opened_by(resource)
    if not opened:
        return
    places = RESOURCES[resource].places
    precedence = _precedence(resource, row)
    for listing in opened:
        if (listing.within_workspace and workspace_gid is None) or listing.via not in (None, via):
            continue
        if listing.opens is not None:
            for parent_gid, part in listing.opens(gid, row):
                yield Step(listing, parent_gid, workspace_gid, precedence=precedence, part=part)
        elif listing.unless_zero is None or row[places[listing.unless_zero]] != 0:
            yield Step(listing, gid, workspace_gid, precedence=precedence)


def _precedence(resource: str, row: Row) -> str | None:
    """What people look at first: projects in use, then what was changed last."""
    if resource not in ("projects", "tasks"):
        return None
    places = RESOURCES[resource].places
    modified_at = row[places["modified_at"]]
    if resource == "tasks":
        return None if modified_at is None else str(modified_at)
    in_use = not (row[places["archived"]] or row[places["completed"]])
    return f"{int(in_use)} {modified_at or ''}"


# Why a listing is read. After the first two, what stands below its records is looked at as well.
GAP, SWEEP, AGE, EVENT = "gap", "sweep", "age", "event"
THOROUGH = (GAP, SWEEP)
RENAMED = "something it shows was renamed"
MOVED = "its task changed"
CHANGED = "what it stands on changed"


@dataclass(frozen=True)
class News:
    """What a fresh record brought that the mirror did not have."""

    born: bool = False  # it was not here, or not alive
    differs: bool = False  # in a column or in a link
    changed: frozenset[str] = frozenset()  # columns
    reshaped: bool = False  # other custom fields than before
    thorough: str | None = None  # read to see what no event told: why
    heard: bool = True  # a stream tells what happens to it
    told: bool = True  # and has told of it in this run


def reason_below(listing: Listing, news: News) -> str | None:
    """Why a listing below a record is read in a run that follows changes; None where nothing calls for it."""
    if listing.each_run:
        return "each run"
    if listing.via:
        return None if not news.born else "new"
    if news.born:  # of tasks that stood elsewhere before it was known, nobody may have told
        return GAP if listing.name == "project_tasks" else "new"
    if listing.name == "project_tasks":
        return "its custom fields changed" if news.reshaped else None
    if listing.name == "subtasks":
        return news.thorough or ("its count changed" if "num_subtasks" in news.changed else None)
    moved = "modified_at" in news.changed
    if listing.name == "task_stories":  # who follows or where it stands is told by a story that moves nothing
        return MOVED if moved or (news.differs and not news.heard) else None
    if listing.name == "task_attachments":
        return MOVED if moved and not (news.heard and news.told) else None
    if "*" in listing.when and news.differs:
        return CHANGED
    return None if news.changed.isdisjoint(listing.when) else CHANGED


Way = Literal["singly", "modified", "listing"]


def pages(records: int) -> int:
    """Requests that it takes to list so many records."""
    return max(1, -(-records // PAGE))


def way_to_read(wishes: int, *, moved: int = 0, standing: int, whole: bool = False) -> Way:
    """The cheapest way to read some records of one list, in requests; of equal ways the one with fewer records.

    `moved` of them will be in a list of what was modified; `standing` stand in the whole list, which is
    preferred where it costs no more (`whole`) because it tells something besides: the order, who is missing.
    """
    singly = wishes
    modified = pages(moved) + wishes - moved if moved else singly
    listing = pages(standing)
    cheapest = min(singly, modified)
    if listing < cheapest or (whole and listing == cheapest):
        return "listing"
    return "modified" if modified < singly else "singly"


def columns_that_differ(resource: str, before: Row, after: Row) -> frozenset[str]:
    """Names of the columns in which two rows differ."""
    names = RESOURCES[resource].column_names()
    return frozenset(name for name, old, new in zip(names, before, after, strict=False) if old != new)


def is_swept(step: Step, mode: str) -> bool:
    """Whether a walk of this listing shows all: its whole length, and what stands below a project's tasks."""
    if step.listing.each_run:
        return step.since is None
    return mode in WALKS or step.why in (*THOROUGH, "new")


def sweep_of(project_gid: str, why: str) -> list[Step]:
    """The lists of a project; the first of them leads to all that stands on its tasks."""
    names = ("project_sections", "project_tasks", "project_attachments")
    return [Step(LISTINGS[name], project_gid, why=why) for name in names]


def steps_of_split(section_gids: Iterable[str], whole: Step) -> list[Step]:
    """The parts that together are a project's listing too long to be read in one."""
    listing = LISTINGS[whole.listing.split or ""]
    return [Step(listing, gid, whole.workspace_gid, whole.why) for gid in section_gids]


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

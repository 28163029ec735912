"""The nouns of the program as frozen types: read this first.

A *step* asks for one *listing* (all records of a resource below one parent). Its *checkpoint* says how far it
has been read. An *answer* is what Asana said; a *page* is an answer that lists records. A *batch* is a page
turned into rows, links and stubs. An *event* is a notice that a record changed, never its content; what events ask
for is folded into *wishes*, one for each record.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from asana_mirror.catalog import LISTINGS, Listing, Row

T = TypeVar("T")


def _quoted(value: str | None) -> str:
    """A value as a part of an address: nearly always a gid, of which there is nothing to quote."""
    if not value:
        return ""
    return value if value.isascii() and value.isalnum() else quote(value, safe="")


@dataclass(frozen=True)
class Step:
    """One listing of one parent: the unit of work and of checkpoint."""

    listing: Listing
    parent_gid: str | None = None
    workspace_gid: str | None = None
    why: str = field(default="", compare=False)
    since: str | None = field(default=None, compare=False)  # ask only for what was modified since then
    precedence: str | None = field(default=None, compare=False)  # of its kind, the greatest is read first
    part: str | None = None  # of the parent's list, where it is shown in parts only

    @cached_property
    def key(self) -> str:
        """The request without limit and offset; unique, and the same in every run."""
        gids = {"gid": self.parent_gid, "workspace": self.workspace_gid, "part": self.part}
        return self.listing.path.format(**{name: _quoted(value) for name, value in gids.items()})

    def fills(self) -> dict[str, str]:
        """Columns known from where the listing stands, for records that do not say it themselves."""
        gids = {"gid": self.parent_gid, "workspace": self.workspace_gid, "part": self.part}
        return {column: template.format(**gids) for column, template in self.listing.fills}


@dataclass(frozen=True)
class Checkpoint:
    """How far a step has come in the current walk."""

    step: Step
    round: int
    offset: str | None = None
    records: int = 0
    restarts: int = 0
    walk_began_at: str | None = None
    next_cursor: str | None = None
    split: bool = False


@dataclass(frozen=True)
class ApiChange:
    """An `Asana-Change` or `Asana-Deprecation-Warning` header: something that will change, and where to read on."""

    header: str
    value: str
    name: str | None = None
    info: str | None = None
    affected: bool | None = None


@dataclass(frozen=True)
class Page:
    """One page of a listing."""

    records: list[Any]
    next_offset: str | None


@dataclass(frozen=True)
class Event:
    """A notice that something happened to a record.

    https://developers.asana.com/reference/events
    """

    resource: str  # the catalog's name, or Asana's type where the catalog has none
    gid: str
    action: str  # added, changed, removed, deleted, undeleted
    parent: str | None = None
    parent_gid: str | None = None
    field: str | None = None  # which field changed
    created_at: str | None = None


@dataclass(frozen=True)
class EventsPage:
    """What one call of a stream told, and the token that goes on from there."""

    events: list[Event]
    sync: str
    has_more: bool = False


@dataclass(frozen=True)
class Wish:
    """A record to be read, or known to be deleted: all events about it in one."""

    resource: str
    gid: str
    to_read: bool = True
    deleted: bool = False  # a deleted event explains why it may be gone
    anew: bool = False  # with all below it
    moves: bool = False  # its modified_at moved for sure, so that modified_since finds it
    placed: bool = False  # it came to another place in a list
    parent: str | None = None
    parent_gid: str | None = None
    project_gid: str | None = None  # whose stream told
    first_at: str | None = None  # by Asana's clock
    last_at: str | None = None


@dataclass(frozen=True)
class Answer(Generic[T]):
    """A successful answer: what it says, and when it was asked for by Asana's clock (at the latest)."""

    content: T
    asked_at: str


@dataclass
class EndpointUse:
    """What one endpoint was asked in a run."""

    requests: int = 0
    refused: int = 0
    records: int = 0
    bytes: int = 0
    cost_estimate: float = 0.0


@dataclass(frozen=True)
class UndecodedRecord:
    """A record whose shape did not fit: kept whole, with the reason."""

    resource: str
    gid: str
    error: str
    record: str
    has_gid: bool = True


@dataclass
class Batch:
    """A page as rows. Rows are tuples in the order of `Resource.column_names()`, then `_extra`."""

    rows: dict[str, dict[str, Row]] = field(default_factory=dict)  # resource → gid → row
    links: dict[str, dict[str, dict[Row, Row]]] = field(default_factory=dict)  # table → owner → key → values
    stubs: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)  # table → gid → known columns
    actors: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)  # gid → type, name
    children: dict[tuple[str, str], dict[str, set[str]]] = field(default_factory=dict)
    """(resource, its parent column) → parent gid → all the gids that stand there."""
    undecoded: list[UndecodedRecord] = field(default_factory=list)
    shown_elsewhere: set[str] = field(
        default_factory=set
    )  # records of which this round has shown a part before
    listed: dict[str, int] = field(default_factory=dict)  # gid → place in the page, in Asana's order


@dataclass(frozen=True)
class Scope:
    """What a run is narrowed to; empty: everything the token may see."""

    workspaces: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether nothing of what the token may see is left out."""
        return self == Scope()

    @property
    def in_places(self) -> bool:
        """Whether only some projects are wanted."""
        return bool(self.teams or self.projects)


def step_named(
    name: str,
    parent_gid: str | None = None,
    workspace_gid: str | None = None,
    why: str = "",
    since: str | None = None,
    part: str | None = None,
) -> Step:
    """The step for the listing that the catalog calls `name`."""
    return Step(LISTINGS[name], parent_gid, workspace_gid, why, since, part=part)

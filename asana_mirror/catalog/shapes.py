"""The vocabulary in which a catalog entry is written: columns, references, links, listings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol

Json = Any
Row = tuple[Any, ...]
Opened = tuple[str, str | None]  # a parent's gid, and the part of its list that is meant, if any
ColumnType = Literal["text", "integer", "real", "boolean", "json"]


class Note(Protocol):
    """Remembers that a record refers to another one, so that the other gets at least a stub row."""

    def __call__(self, value: Json, table: str, **columns: str | None) -> str | None:
        """Return the gid of the compact record `value`, or None for null."""


LinkRows = Callable[[list[Json], Note], Iterator[Row]]


@dataclass(frozen=True)
class Column:
    """A scalar, or a small structure kept as JSON, under Asana's own name."""

    name: str
    type: ColumnType = "text"
    asks: tuple[str, ...] = ()  # sub-fields that come only when named


@dataclass(frozen=True)
class Reference:
    """`x` becomes the foreign key `x_gid`."""

    name: str
    table: str
    asks: tuple[str, ...] = ("name",)

    @property
    def column(self) -> str:
        return f"{self.name}_gid"


@dataclass(frozen=True)
class OpenReference:
    """`x` may be of several kinds: `x_gid` and `x_type`, without a foreign key."""

    name: str
    asks: tuple[str, ...] = ("name",)


@dataclass(frozen=True)
class Links:
    """A list inside a record kept as rows of `table`; replaced with their record."""

    name: str
    table: str
    owner: str
    key: tuple[str, ...]  # columns that, with the owner, tell one link from another
    rows: LinkRows
    values: tuple[str, ...] = ()  # further columns
    asks: tuple[str, ...] = ()
    united: bool = False  # a record listed in several places shows a part of them in each

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.key, *self.values)


@dataclass(frozen=True)
class Embedded:
    """Whole records of another resource inside this one. `within` fills the child's columns from here."""

    name: str
    resource: str
    within: tuple[tuple[str, str], ...] = ()
    many: bool = True
    parent: str | None = (
        None  # the child's column that names this record; None: the child lives elsewhere too
    )


@dataclass(frozen=True)
class Kept:
    """A list that is itself kept as rows of a link table, because no field of a record says who stands in it."""

    table: str
    owner: str  # the column that names the parent
    member: str
    kind: str | None = None  # the column for the type of a member that may be of several kinds
    only: str | None = None  # the one type that this list shows; others are other lists' affair
    position: str | None = None


@dataclass(frozen=True)
class Since:
    """A parameter that lets a list show its later part only."""

    parameter: str
    begins: str | None = None  # what stands for "everything" where Asana insists on it


@dataclass(frozen=True)
class Listing:
    """One way in which Asana lists a resource: all its records below one parent.

    `path` and `fills` are templates over `gid` (the parent's), `workspace` (the listing's workspace) and `part`.
    `stands` is the column of the resource, or the (link table, column), that names the parent: who stands
    here but is missing from the complete listing has left, or is gone.
    """

    name: str
    resource: str  # or, of a list that is only kept as links, what that is called
    below: str | None
    path: str
    rank: int  # what people look at first is read first
    stands: str | tuple[str, str] | None = None
    among: tuple[str, int] | None = (
        None  # a column of the resource and its value: of whom it shows those only
    )
    fills: tuple[tuple[str, str], ...] = ()
    unless_zero: str | None = None  # the parent's column that counts its records: no request where it says 0
    position: str | None = None  # the column, of the resource or of the link table, that keeps the order
    events: bool = False  # what changes in it is told by the parent's event stream
    split: str | None = None  # the listings that together give the same, where this one is too long
    each_run: bool = False  # no stream tells of it, and a hundred records cost one request
    by_age: int = 0  # no stream tells all of it: read when it is so many times --max-age old
    on_demand: bool = False  # read for a reason of its own, never because its parent was met
    when: tuple[str, ...] = ()  # columns of the parent whose change calls for it; "*": any change
    opener: str | None = None  # whose records open it, where that is not the parent
    # The lists that a row opens, where that is not just the one that bears its gid.
    opens: Callable[[str, Row], Iterator[Opened]] | None = None
    via: str | None = None  # opened only by records that came in that listing
    part: str | None = None  # the column that says in which part of the parent's list a record stands
    single: bool = False  # answers with one record, as a list of one
    paged: bool = True  # takes `limit` and `offset`
    fields: bool = True  # takes `opt_fields`
    since: Since | None = None
    log: bool = False  # what it no longer shows was not deleted, and it may show pages without an end
    kept: Kept | None = None
    instead: str | None = None  # what is read where this one is refused
    alone: str | None = None  # the listing by which those are read, one by one, that this one does not show
    untold: str | None = None  # a field it need not tell: records without it are read by themselves

    @property
    def opened_by(self) -> str | None:
        """The resource whose records open it."""
        return self.opener or self.below

    @property
    def within_workspace(self) -> bool:
        """Whether it shows the part of one workspace only."""
        return "{workspace}" in self.path

    @property
    def is_patient(self) -> bool:
        """Whether it is asked for by age only, where it was refused or empty: it may never be there."""
        return (bool(self.by_age) or self.part is not None) and not self.events


@dataclass(frozen=True)
class Resource:
    """A kind of thing in Asana and where it goes. `opt_fields` follow from it."""

    name: str
    path: str | None  # of a single record
    fields: bool = field(default=True, kw_only=True)  # whether a single record is asked for with `opt_fields`
    columns: tuple[Column, ...] = ()
    references: tuple[Reference, ...] = ()
    open_references: tuple[OpenReference, ...] = ()
    links: tuple[Links, ...] = ()
    embedded: tuple[Embedded, ...] = ()
    own_columns: tuple[str, ...] = ()  # filled by where a record stands, not by a field of it
    one_place: bool = False  # stands in one listing only, so that absence there is enough to call it gone
    stands_on: tuple[str, str] | None = None  # a column and what it names, without which it cannot be either
    leaves_out: Mapping[str, str] = field(default_factory=dict)  # field: why it is not stored

    def column_names(self) -> tuple[str, ...]:
        """All columns that a whole record decides, without gid and bookkeeping."""
        return self._column_names

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Where each column stands in a row."""
        return {name: place for place, name in enumerate(self._column_names)}

    @cached_property
    def _column_names(self) -> tuple[str, ...]:
        return (
            *(column.name for column in self.columns),
            *(reference.column for reference in self.references),
            *(f"{reference.name}_{part}" for reference in self.open_references for part in ("gid", "type")),
            *self.own_columns,
        )

    def field_names(self) -> tuple[str, ...]:
        """Asana's names of all the fields that are stored."""
        return (
            *(column.name for column in self.columns),
            *(reference.name for reference in self.references),
            *(reference.name for reference in self.open_references),
            *(links.name for links in self.links),
            *(embedded.name for embedded in self.embedded),
        )

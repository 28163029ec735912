"""The vocabulary in which a catalog entry is written: columns, references, links, listings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol

Json = Any
Row = tuple[Any, ...]
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
class Listing:
    """One way in which Asana lists a resource: all its records below one parent.

    `path` and `fills` are templates over `gid` (the parent's) and `workspace` (the listing's workspace).
    `stands` is the column of the resource, or the (link table, column), that names the parent: who stands
    here but is missing from the complete listing has left, or is gone.
    """

    name: str
    resource: str
    below: str | None
    path: str
    rank: int  # what people look at first is read first
    stands: str | tuple[str, str] | None = None
    fills: tuple[tuple[str, str], ...] = ()
    unless_zero: str | None = None  # the parent's column that counts its records: no request where it says 0
    position: str | None = None  # the column, of the resource or of the link table, that keeps the order
    events: bool = False  # what changes in it is told by the parent's event stream
    split: str | None = None  # the listings that together give the same, where this one is too long
    each_run: bool = False  # no stream tells of it, and a hundred records cost one request
    by_age: bool = False  # no stream tells all of it, and it costs a request per parent
    on_demand: bool = False  # read for a reason of its own, never because its parent was met


@dataclass(frozen=True)
class Resource:
    """A kind of thing in Asana and where it goes. `opt_fields` follow from it."""

    name: str
    path: str | None  # of a single record
    columns: tuple[Column, ...] = ()
    references: tuple[Reference, ...] = ()
    open_references: tuple[OpenReference, ...] = ()
    links: tuple[Links, ...] = ()
    embedded: tuple[Embedded, ...] = ()
    own_columns: tuple[str, ...] = ()  # filled by where a record stands, not by a field of it
    one_place: bool = False  # stands in one listing only, so that absence there is enough to call it gone
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

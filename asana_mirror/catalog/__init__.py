"""What Asana has and where it goes: one entry per resource, data only.

`RESOURCES` names the kinds of things, `LISTINGS` the ways in which Asana lists them. Which fields are asked for
follows from the columns, references and links of an entry, so that nothing is read and dropped, or stored and
never asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from functools import cache
from types import MappingProxyType

from asana_mirror.catalog import (
    capacity,
    people,
    portfolios,
    projects,
    sharing,
    tasks,
    templates,
    updates,
    workspace,
)
from asana_mirror.catalog.shapes import (
    Column,
    Embedded,
    Json,
    Kept,
    Links,
    Listing,
    Note,
    Opened,
    OpenReference,
    Reference,
    Resource,
    Row,
)

__all__ = [
    "LISTINGS",
    "NAMED_BY",
    "NAMES",
    "RESOURCES",
    "RESOURCE_OF",
    "Column",
    "Embedded",
    "ExtraFields",
    "Json",
    "Kept",
    "Links",
    "Listing",
    "Note",
    "OpenReference",
    "Opened",
    "Reference",
    "Resource",
    "Row",
    "ask_also",
    "fields_of",
    "fingerprint",
    "listings_below",
    "listings_of",
    "listings_opened_by",
    "opt_fields",
]

_PARTS = (people, projects, tasks, workspace, sharing, updates, portfolios, capacity, templates)

RESOURCES: dict[str, Resource] = {resource.name: resource for part in _PARTS for resource in part.RESOURCES}

LISTINGS: dict[str, Listing] = {listing.name: listing for part in _PARTS for listing in part.LISTINGS}


def _one_of(name: str) -> str:
    """Asana's name of one record's kind."""
    for plural, singular in (("statuses", "status"), ("ies", "y"), ("s", "")):
        if name.endswith(plural):
            return name.removesuffix(plural) + singular
    return name


# Asana's name of one record's kind → the resource.
RESOURCE_OF: dict[str, str] = {_one_of(name): name for name in RESOURCES}

# The column of a stub in which a compact record's name goes; "name" where nothing is said, None: it has none.
NAMED_BY: dict[str, str | None] = {
    "project_statuses": "title",
    "status_updates": "title",
    "project_briefs": None,
    "stories": None,
    "time_periods": "display_name",
}

# What can be left out by name: resources, and lists that are only kept as links.
NAMES: tuple[str, ...] = tuple(
    dict.fromkeys(
        [
            *(name for name, entry in RESOURCES.items() if entry.path),
            *(listing.resource for listing in LISTINGS.values()),
        ]
    )
)


@cache
def listings_below(resource: str) -> tuple[Listing, ...]:
    """The listings that each record of `resource` opens."""
    return tuple(listing for listing in LISTINGS.values() if listing.below == resource)


@cache
def listings_opened_by(resource: str) -> tuple[Listing, ...]:
    """The listings that records of `resource` may lead to: below them, or named by them."""
    return tuple(listing for listing in LISTINGS.values() if listing.opened_by == resource)


@cache
def listings_of(resource: str) -> tuple[Listing, ...]:
    """The listings in which records of `resource` come."""
    return tuple(listing for listing in LISTINGS.values() if listing.resource == resource)


ExtraFields = Mapping[str, tuple[str, ...]]  # resource → fields of which there is no column

_also: ContextVar[ExtraFields] = ContextVar("_also", default=MappingProxyType({}))


def ask_also(fields: ExtraFields) -> None:
    """From now on, in this task and those it starts, ask for more fields: they are kept in `_extra`."""
    _also.set(fields)


def opt_fields(resource_name: str) -> str:
    """The `opt_fields` of a request for whole records, comma-separated and sorted.

    https://developers.asana.com/docs/inputoutput-options
    """
    return _opt_fields(resource_name, tuple(_also.get().get(resource_name, ())))


@cache
def _opt_fields(resource_name: str, also: tuple[str, ...]) -> str:
    return ",".join(sorted({*_asked(RESOURCES[resource_name]), *also}))


def fields_of(listing: Listing) -> str:
    """The `opt_fields` of a list; none where compact records are all there is, or all that is wanted."""
    return opt_fields(listing.resource) if listing.fields else ""


def fingerprint(listing: Listing) -> str:
    """Tells whether what was mirrored was read with the fields that are asked for today."""
    return _hash(fields_of(listing))


@cache
def _hash(fields: str) -> str:
    return hashlib.sha256(fields.encode()).hexdigest()[:16]


def _asked(resource: Resource) -> Iterator[str]:
    for column in resource.columns:
        yield column.name
        yield from _dotted(column.name, column.asks)
    for reference in resource.references:
        # An actor's bare name brings its kind (user or agent), which the dotted form alone would not.
        if reference.table == "actors" or not reference.asks:
            yield reference.name
        yield from _dotted(reference.name, reference.asks)
    for open_reference in resource.open_references:
        yield open_reference.name
        yield from _dotted(open_reference.name, open_reference.asks)
    for links in resource.links:
        yield from _dotted(links.name, links.asks)
    for embedded in resource.embedded:
        yield from _dotted(embedded.name, tuple(_asked(RESOURCES[embedded.resource])))


def _dotted(name: str, asks: tuple[str, ...]) -> Iterator[str]:
    for ask in asks:
        yield f"{name}.{ask}" if ask else name

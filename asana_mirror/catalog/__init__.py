"""What Asana has and where it goes: one entry per resource, data only.

`RESOURCES` names the kinds of things, `LISTINGS` the ways in which Asana lists them. Which fields are asked for
follows from the columns, references and links of an entry, so that nothing is read and dropped, or stored and
never asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache

from asana_mirror.catalog import people, projects, tasks
from asana_mirror.catalog.shapes import (
    Column,
    Embedded,
    Json,
    Links,
    Listing,
    Note,
    OpenReference,
    Reference,
    Resource,
    Row,
)

__all__ = [
    "LISTINGS",
    "NAMED_BY",
    "RESOURCES",
    "RESOURCE_OF",
    "Column",
    "Embedded",
    "Json",
    "Links",
    "Listing",
    "Note",
    "OpenReference",
    "Reference",
    "Resource",
    "Row",
    "fingerprint",
    "listings_below",
    "listings_of",
    "opt_fields",
]

RESOURCES: dict[str, Resource] = {
    resource.name: resource for resource in (*people.RESOURCES, *projects.RESOURCES, *tasks.RESOURCES)
}

LISTINGS: dict[str, Listing] = {
    listing.name: listing for listing in (*people.LISTINGS, *projects.LISTINGS, *tasks.LISTINGS)
}

# Asana's name of one record's kind → the resource.
RESOURCE_OF: dict[str, str] = {name.removesuffix("s"): name for name in RESOURCES} | {"story": "stories"}

# The column of a stub in which a compact record's name goes; "name" where nothing is said, None: it has none.
NAMED_BY: dict[str, str | None] = {
    "project_statuses": "title",
    "status_updates": "title",
    "project_briefs": None,
    "stories": None,
}


@cache
def listings_below(resource: str) -> tuple[Listing, ...]:
    """The listings that each record of `resource` opens."""
    return tuple(listing for listing in LISTINGS.values() if listing.below == resource)


@cache
def listings_of(resource: str) -> tuple[Listing, ...]:
    """The listings in which records of `resource` come."""
    return tuple(listing for listing in LISTINGS.values() if listing.resource == resource)


@cache
def opt_fields(resource_name: str) -> str:
    """The `opt_fields` of a request for whole records, comma-separated and sorted.

    https://developers.asana.com/docs/inputoutput-options
    """
    return ",".join(sorted(set(_asked(RESOURCES[resource_name]))))


@cache
def fingerprint(resource_name: str) -> str:
    """Tells whether what was mirrored was read with the fields that are asked for today."""
    return hashlib.sha256(opt_fields(resource_name).encode()).hexdigest()[:16]


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

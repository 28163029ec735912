"""Catalog entries: who may do what with projects, portfolios, goals, custom fields and custom types.

One way of Asana's to list memberships, one table for each kind of place.
"""

from __future__ import annotations

from asana_mirror.catalog.parts import WEEK
from asana_mirror.catalog.shapes import Column, Listing, OpenReference, Reference, Resource

SAID_TWICE = {
    "user": "the member",
    "role": "deprecated in favour of access_level",
    "is_commenter": "deprecated and always null",
    "is_editor": "deprecated and always null",
    "write_access": "said by access_level",
    "workspace": "that of the parent",
    "goal": "the parent",
    "project": "the parent",
    "portfolio": "the parent",
}


def _memberships(table: str, parent: str) -> Resource:
    return Resource(
        # https://developers.asana.com/reference/getmemberships
        name=table,
        path="/memberships/{gid}",
        fields=False,
        columns=(Column("resource_subtype"), Column("access_level")),
        references=(Reference("parent", parent),),
        open_references=(OpenReference("member"),),
        one_place=True,
        leaves_out=SAID_TWICE,
    )


def _list(table: str, parent: str) -> Listing:
    return Listing(
        table,
        table,
        below=parent,
        path="/memberships?parent={gid}",
        rank=10,
        by_age=WEEK,
        when=("*",),
        stands="parent_gid",
        fills=(("parent_gid", "{gid}"),),
        fields=False,
    )


PLACES = {
    "project_memberships": "projects",
    "portfolio_memberships": "portfolios",
    "goal_memberships": "goals",
    "custom_field_memberships": "custom_fields",
    "custom_type_memberships": "custom_types",
}

RESOURCES = tuple(_memberships(table, parent) for table, parent in PLACES.items())
LISTINGS = tuple(_list(table, parent) for table, parent in PLACES.items())

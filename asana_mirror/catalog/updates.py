"""Catalog entries: how people tell where a project, a portfolio or a goal stands, and the reactions to that."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from asana_mirror.catalog.parts import WEEK, likes_of, of_project
from asana_mirror.catalog.projects import PROJECTS
from asana_mirror.catalog.shapes import (
    Column,
    Listing,
    Opened,
    OpenReference,
    Reference,
    Resource,
    Row,
)
from asana_mirror.catalog.tasks import DEPRECATED_HEARTS, REACTION_SUMMARY, STORIES

STATUS_UPDATES = Resource(
    # https://developers.asana.com/reference/getstatusesforobject
    name="status_updates",
    path="/status_updates/{gid}",
    columns=(
        Column("title"),
        Column("resource_subtype"),
        Column("status_type"),
        Column("text"),
        Column("html_text"),
        Column("created_at"),
        Column("modified_at"),
        Column("liked", "boolean"),
        Column("num_likes", "integer"),
        REACTION_SUMMARY,
    ),
    references=(Reference("author", "actors"), Reference("created_by", "actors")),
    open_references=(OpenReference("parent"),),
    links=(likes_of("status_update"),),
    one_place=True,
    leaves_out=DEPRECATED_HEARTS,
)

PROJECT_STATUSES = Resource(
    # https://developers.asana.com/reference/getprojectstatusesforproject
    name="project_statuses",
    path="/project_statuses/{gid}",
    columns=(
        Column("title"),
        Column("text"),
        Column("html_text"),
        Column("color"),
        Column("created_at"),
        Column("modified_at"),
    ),
    references=(Reference("author", "actors"), Reference("created_by", "actors")),
    own_columns=("project_gid",),
    one_place=True,
)

PROJECT_BRIEFS = Resource(
    # https://developers.asana.com/reference/getprojectbrief
    name="project_briefs",
    path="/project_briefs/{gid}",
    columns=(Column("title"), Column("text"), Column("html_text"), Column("permalink_url")),
    references=(Reference("project", "projects"),),
    stands_on=("project_gid", "projects"),
)

REACTIONS = Resource(
    # https://developers.asana.com/reference/getreactionsonobject
    name="reactions",
    path=None,
    columns=(Column("emoji"),),
    references=(Reference("user", "actors"),),
    own_columns=("target_gid", "target_type", "emoji_base"),
    one_place=True,
)


def _brief_named(gid: str, row: Row) -> Iterator[Opened]:
    brief = row[PROJECTS.places["project_brief_gid"]]
    if brief is not None:
        yield brief, None


def _emojis_of(resource: Resource, gid: str, row: Row) -> Iterator[Opened]:
    """A list for each emoji with which anybody has reacted."""
    summary = row[resource.places["reaction_summary"]]
    if summary is None or summary == "[]":
        return
    told = orjson.loads(summary)
    for emoji in dict.fromkeys(one.get("emoji_base") for one in told if isinstance(one, dict)):
        if isinstance(emoji, str) and emoji:
            yield gid, emoji


def emojis_of_story(gid: str, row: Row) -> Iterator[Opened]:
    return _emojis_of(STORIES, gid, row)


def emojis_of_update(gid: str, row: Row) -> Iterator[Opened]:
    return _emojis_of(STATUS_UPDATES, gid, row)


def _updates_of(parent: str) -> Listing:
    kind = parent.removesuffix("s")
    return Listing(
        f"{kind}_updates",
        "status_updates",
        below=parent,
        path="/status_updates?parent={gid}",
        rank=10,
        by_age=WEEK,
        when=("current_status_update_gid",),
        stands="parent_gid",
        fills=(("parent_gid", "{gid}"), ("parent_type", kind)),
    )


def _reactions_to(parent: str, kind: str) -> Listing:
    return Listing(
        f"{kind}_reactions",
        "reactions",
        below=parent,
        path="/reactions?target={gid}&emoji_base={part}",
        rank=11,
        when=("reaction_summary",),
        opens={"stories": emojis_of_story, "status_updates": emojis_of_update}[parent],
        stands="target_gid",
        part="emoji_base",
        fills=(("target_gid", "{gid}"), ("target_type", kind), ("emoji_base", "{part}")),
        fields=False,
    )


RESOURCES = (STATUS_UPDATES, PROJECT_STATUSES, PROJECT_BRIEFS, REACTIONS)

LISTINGS = (
    *map(_updates_of, ("projects", "portfolios", "goals")),
    of_project(
        "project_statuses",
        "/projects/{gid}/project_statuses",
        "project_gid",
        by_age=WEEK,
        when=("current_status_gid",),
    ),
    Listing(  # nothing lists briefs: their projects name them
        "project_brief",
        "project_briefs",
        below="project_briefs",
        path="/project_briefs/{gid}",
        rank=10,
        by_age=1,
        when=("project_brief_gid",),
        opener="projects",
        opens=_brief_named,
        single=True,
        paged=False,
    ),
    Listing(
        "brief_attachments",
        "attachments",
        below="project_briefs",
        path="/attachments?parent={gid}",
        rank=10,
        by_age=1,
        when=("*",),
        stands="parent_gid",
        fills=(("parent_gid", "{gid}"), ("parent_type", "project_brief")),
    ),
    _reactions_to("stories", "story"),
    _reactions_to("status_updates", "status_update"),
)

"""What the configuration keeps out of a mirror for good: pure.

A project is excluded if it is named, if its team is named, if it is archived and archived ones are excluded, or if it
is private and private ones are excluded (`privacy_setting` says so, or where that is missing `public`). Teams are
excluded by name only.

- With a project stay out its sections, settings, streams, and every task that stands in excluded projects only, with
  all below it, whichever way it comes: by a person, a tag, a parent, or by itself. A subtask in no project goes with
  its parent. What also stands in a wanted project comes in, without its link to the excluded one. With a team stay
  out its memberships and its projects.
- What a wanted record refers to has a row without a name. The words of wanted stories stay as they are.
- What was mirrored before it was excluded stays as it was and is followed no more: never asked for, never called gone.
  Only its links to wanted projects go, where it has left these; and tasks that stay lose theirs to excluded ones.
- Once an exclusion is lifted, what it kept out is read like something new, with all below it.
- A task that was left out is decided again whenever a list shows it. One that is known only as the parent of such a
  task is looked up once, and again by a full run.

Decided on records as they come, before anything is made of them: what is not decoded leaves no names behind.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from asana_mirror.catalog import LISTINGS, Json
from asana_mirror.words import Batch

Record = tuple[str, str]  # resource, gid

NAMED, ARCHIVED, PRIVATE = "named", "archived", "private"
CONCERNED = frozenset(
    ("teams", "team_memberships", "projects", "sections", "tasks", "stories", "attachments")
)
REMEMBERED = ("teams", "projects", "tasks")  # other records say themselves on which of these they stand
# What must be known before it can be said of a task that it is excluded: all projects first, then the parents that
# projects show. Listings, by the catalog's names.
_BY_PLACE = ("project_tasks", "modified_tasks", "section_tasks", "subtasks")
_PLACES = tuple(
    name for name, one in LISTINGS.items() if one.resource not in ("tasks", "stories", "attachments")
)
STAGES = (_PLACES, (*_PLACES, *_BY_PLACE))
# The fields by which a record that is not here is judged.
ASKS = {"projects": "archived,privacy_setting,public,team.gid", "tasks": "memberships.project.gid,parent.gid"}


@dataclass(frozen=True)
class Exclusion:
    """The rules."""

    projects: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()
    archived: bool = False
    private: bool = False

    def __bool__(self) -> bool:
        return self != Exclusion()

    def why(self, resource: str, record: Json) -> str:
        """Why a project or team is kept out, by what it says of itself; empty: it comes in."""
        gid = gid_of(record) or ""
        if resource == "teams":
            return NAMED if gid in self.teams else ""
        if resource != "projects" or not isinstance(record, Mapping):
            return ""
        if gid in self.projects:
            return NAMED
        team_gid = gid_of(record.get("team"))
        if team_gid in self.teams:
            return hanging_on("teams", team_gid or "")
        if self.archived and record.get("archived"):
            return ARCHIVED
        return PRIVATE if self.private and _is_private(record) else ""

    def still_says(self, resource: str, gid: str, why: str) -> bool:
        """Whether the rule by which something was kept out is still there."""
        if why == NAMED:
            return gid in (self.teams if resource == "teams" else self.projects)
        if why in (ARCHIVED, PRIVATE):
            return self.archived if why == ARCHIVED else self.private
        return why.removeprefix(hanging_on("teams", "")) in self.teams


@dataclass
class Sifted:
    """The records that come in; those that stay out, and on what they depend: (resource, gid) → why."""

    kept: list[Any]
    left_out: dict[Record, str] = field(default_factory=dict)
    above: dict[Record, str] = field(default_factory=dict)


def gid_of(value: Json) -> str | None:
    """The gid of a record, or of a reference to one."""
    gid = value.get("gid") if isinstance(value, Mapping) else None
    return None if gid is None or gid == "" else str(gid)


def hanging_on(resource: str, gid: str) -> str:
    """The reason of what is kept out together with something else."""
    return f"{resource.removesuffix('s')} {gid}"


def ties(resource: str, record: Json) -> Iterator[Record]:
    """On what it depends whether a record comes in: it stays out if there are any and all of them do."""
    if not isinstance(record, Mapping):
        return
    if resource == "tasks":
        projects = list(filter(None, map(_project_of, _list(record.get("memberships")))))
        parent = gid_of(record.get("parent"))
        yield from (("projects", gid) for gid in projects)
        if parent and not projects:
            yield "tasks", parent
        return
    names = {"sections": "project", "team_memberships": "team", "stories": "target", "attachments": "parent"}
    place = record.get(names.get(resource, ""))
    gid = gid_of(place)
    kind = f"{place.get('resource_type') or names[resource]}s" if isinstance(place, Mapping) else ""
    if gid and kind in REMEMBERED:
        yield kind, gid


def without_links(record: Json, projects: Collection[str]) -> Json:
    """A task without its places in these projects."""
    places = _list(record.get("memberships"))
    left = [place for place in places if _project_of(place) not in projects]
    return record if len(left) == len(places) else {**record, "memberships": left}


def without_sections(story: Json) -> Json:
    """A story that does not name the sections between which it tells of a move: nobody can tell whose they are.

    Those of wanted projects have their names from their own lists.
    """
    if not isinstance(story, Mapping):
        return story
    told = {
        name: {"gid": gid_of(story.get(name))} for name in ("old_section", "new_section") if story.get(name)
    }
    return {**story, **told} if told else story


def without_names(batch: Batch, known: Mapping[Record, str]) -> Batch:
    """Whoever is referred to has a name only where it is `known` not to be excluded."""
    stubs = {
        table: {gid: columns if known.get((table, gid)) == "" else {} for gid, columns in found.items()}
        if table in REMEMBERED
        else found
        for table, found in batch.stubs.items()
    }
    return replace(batch, stubs=stubs)


def _project_of(place: Json) -> str | None:
    return gid_of(place.get("project")) if isinstance(place, Mapping) else None


def _list(value: Json) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_private(project: Mapping[str, Any]) -> bool:
    setting = project.get("privacy_setting")
    return setting == "private" if setting is not None else project.get("public") in (False, 0)

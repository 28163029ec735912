"""Events to wishes: pure. However often a record changed, it is read once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from asana_mirror.words import Event, Wish

# Changes that move a task's modified_at, so that a list of what was modified since then shows it.
MOVING = frozenset(
    (
        "name",
        "completed",
        "due_on",
        "due_at",
        "notes",
        "html_notes",
        "assignee",
        "custom_fields",
        "attachments",
    )
)


@dataclass
class Asked:
    """What events ask for: records, whole listings, and whatever a record stands on, as far as the mirror knows."""

    wishes: list[Wish] = field(default_factory=list)
    listings: list[tuple[str, str]] = field(default_factory=list)  # the catalog's name, gid of the parent
    above: list[Wish] = field(default_factory=list)  # wishes for what these records stand on


def asked_by(event: Event, project_gid: str) -> Asked:
    """What one event of a project's stream asks for."""
    told = Wish(
        event.resource,
        event.gid,
        project_gid=project_gid,
        first_at=event.created_at,
        last_at=event.created_at,
    )
    if event.action == "deleted":
        told = replace(told, to_read=False, deleted=True)
    if event.resource == "tasks":
        return _about_task(event, told)
    if event.resource == "stories":
        return _about_story(event, told)
    if event.resource == "sections":
        place = event.parent_gid if event.parent == "projects" and event.parent_gid else project_gid
        return Asked([told] if told.deleted else [], [("project_sections", place)])
    if event.resource == "attachments":
        return _about_attachment(event, told)
    if event.resource == "projects":
        moved = event.action == "changed" and "section" in (event.field or "section")
        return Asked([told], [("project_sections", event.gid)] if moved else [])
    return Asked()


def _about_task(event: Event, told: Wish) -> Asked:
    above = replace(told, to_read=True, deleted=False)
    if event.action in ("deleted", "undeleted"):
        return Asked([replace(told, anew=event.action == "undeleted")], above=[above])
    wishes = [told]
    if event.action == "added" and event.parent_gid:
        placed = event.parent in ("projects", "sections")
        wishes = [replace(told, placed=placed, parent=event.parent, parent_gid=event.parent_gid)]
    elif event.action == "changed":
        wishes = [replace(told, moves=event.field in MOVING)]
    if event.parent == "tasks" and event.parent_gid:  # which counts its subtasks
        wishes.append(replace(above, gid=event.parent_gid))
    listings = [("task_attachments", event.gid)] if event.field == "attachments" else []
    return Asked(wishes, listings)


def _about_story(event: Event, told: Wish) -> Asked:
    if event.action == "changed":  # an edit or a like moves nothing on its task
        return Asked([told])
    on_task = event.parent == "tasks" and event.parent_gid is not None
    told = replace(
        told, parent="tasks" if on_task else None, parent_gid=event.parent_gid if on_task else None
    )
    task = replace(
        told, resource="tasks", to_read=True, deleted=False, moves=True, parent=None, parent_gid=None
    )
    if on_task:
        return Asked([told, replace(task, gid=event.parent_gid or "")])
    return Asked([told], above=[replace(task, resource="stories")])


def _about_attachment(event: Event, told: Wish) -> Asked:
    above = replace(told, to_read=True, deleted=False, moves=True)
    if told.deleted:
        return Asked([told], above=[above])
    if event.parent in ("tasks", "projects") and event.parent_gid:
        listing = "task_attachments" if event.parent == "tasks" else "project_attachments"
        task = replace(above, resource="tasks", gid=event.parent_gid)
        return Asked([task] if event.parent == "tasks" else [], [(listing, event.parent_gid)])
    return Asked([told], above=[above])


def fold(wishes: Iterable[Wish], known: dict[tuple[str, str], Wish]) -> dict[tuple[str, str], Wish]:
    """One wish for each record, of what was known before and what came since, in the order of a stream."""
    folded = dict(known)
    for wish in wishes:
        key = (wish.resource, wish.gid)
        folded[key] = merged(folded[key], wish) if key in folded else wish
    return folded


def merged(before: Wish, after: Wish) -> Wish:
    """Both in one. Streams tell of the same record apart: by Asana's clock the later news decides if it lives."""
    late = (after.last_at or "") < (before.last_at or "")
    decides = before if late else after
    return replace(
        after,
        to_read=decides.to_read,
        deleted=before.deleted or after.deleted,
        anew=before.anew or after.anew,
        moves=before.moves or after.moves,
        placed=before.placed or after.placed,
        parent=after.parent or before.parent,
        parent_gid=after.parent_gid or before.parent_gid,
        project_gid=before.project_gid or after.project_gid,
        first_at=min(filter(None, (before.first_at, after.first_at)), default=None),
        last_at=max(filter(None, (before.last_at, after.last_at)), default=None),
    )

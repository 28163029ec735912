"""What is true of a world, counted from its records and never from what it serves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from .render import Rec
from .sharing import every_membership

if TYPE_CHECKING:
    from .world import World

SINGULAR = {
    "workspaces": "workspace",
    "users": "user",
    "agents": "agent",
    "teams": "team",
    "team_memberships": "team_membership",
    "workspace_memberships": "workspace_membership",
    "projects": "project",
    "sections": "section",
    "tags": "tag",
    "custom_fields": "custom_field",
    "custom_field_settings": "custom_field_setting",
    "tasks": "task",
    "stories": "story",
    "attachments": "attachment",
    "memberships": "membership",
}


class Truth:
    def __init__(self, world: World) -> None:
        self.world = world

    def existing(self, resource: str) -> Iterator[Rec]:
        """Living, visible records of a resource (plural name; ValueError when there is no such resource)."""
        if resource not in SINGULAR:
            raise ValueError(f"The sandbox has no {resource!r}")
        kind = SINGULAR[resource]
        sees = self.world.view().sees
        for rec in self._living(kind):
            if sees is None or sees(rec):
                yield rec

    def _living(self, kind: str) -> Iterator[Rec]:
        world = self.world
        if kind == "story":
            for task in self._living("task"):
                yield from world.stories(task)
        elif kind == "attachment":
            for owner in (*self._living("task"), *self._living("project")):
                yield from world.attachments(owner)
        elif kind == "membership":
            yield from every_membership(self.world)
        elif kind == "custom_field":
            yield from self._custom_fields()
        elif kind == "task":
            yield from world.living(world.tasks)
        else:
            for rec in world.records.values():
                if rec["resource_type"] == kind and "trashed" not in rec and self._stands(kind, rec):
                    yield rec

    def _stands(self, kind: str, rec: Rec) -> bool:
        """Whether a listing can show it: people who left and sections of nobody's project do not."""
        if kind == "user":
            return bool(self.world.workspaces_of(rec["gid"]))
        return kind != "section" or rec["project"] is not None

    def _custom_fields(self) -> Iterator[Rec]:
        seen: dict[str, None] = {}
        for workspace in self.world.workspaces:
            for gid in self.world.inside["custom_field", workspace]:
                seen[gid] = None
        for project in self._living("project"):
            for setting in project.get("settings", ()):
                seen[self.world.records[setting]["custom_field"]] = None
        yield from self.world.living(seen)

    def project_order(self, project: str) -> list[str]:
        """Living tasks of a project as its listing orders them: by section, then by place."""
        world = self.world
        sections = world.living(world.records[project].get("sections", ()))
        return [gid for section in sections for gid in section["tasks"] if world.alive(gid)]

    def reachable_tasks(self) -> set[str]:
        world = self.world
        sees = world.view().sees
        found: set[str] = set()
        waiting: list[str] = []
        for rec in world.living(world.tasks):
            if self._listed(rec):
                waiting.append(rec["gid"])
        while waiting:
            gid = waiting.pop()
            rec = world.records[gid]
            if gid in found or "trashed" in rec or (sees is not None and not sees(rec)):
                continue
            found.add(gid)
            if self._open(gid):
                waiting += rec.get("subtasks", ())
        return found

    def _listed(self, rec: Rec) -> bool:
        if any(self._open(project) for project, _ in rec.get("memberships", ())):
            return True
        return any(self._open(tag) for tag in rec.get("tags", ())) or bool(rec.get("assignee"))

    def _open(self, gid: str) -> bool:
        """Whether listings below a record are answered: it lives, and no refusal was ordered for it."""
        return self.world.alive(gid) and gid not in self.world.refusals.by_gid

    def pages_to_read(self, limit: int) -> dict[str, int]:
        world = self.world

        def pages(count: int) -> int:
            return max(1, -(-count // limit))

        def total(counts: Iterable[int]) -> int:
            return sum(map(pages, counts))

        projects = list(self.existing("projects"))
        found = {"workspaces": pages(len(world.workspaces))}
        found["users"] = total(len(world.members[ws]) for ws in world.workspaces)
        for plural in ("agents", "teams", "tags", "custom_fields", "projects"):
            listed = (world.inside[SINGULAR[plural], ws] for ws in world.workspaces)
            found[plural] = total(len(world.living(gids)) for gids in listed)
        teams = list(self.existing("teams"))
        found["team_memberships"] = total(len(world.team_members[team["gid"]]) for team in teams)
        found["sections"] = total(len(world.living(rec.get("sections", ()))) for rec in projects)
        found["project_tasks"] = total(len(self.project_order(rec["gid"])) for rec in projects)
        found["project_attachments"] = total(map(world.attachment_count, projects))
        found["assigned_tasks"] = total(self._assigned_counts())
        tags = self.existing("tags")
        found["tag_tasks"] = total(len(world.living(world.tagged[tag["gid"]])) for tag in tags)
        found |= self._below_tasks(pages)
        found["events"] = len(projects)
        return found

    def _assigned_counts(self) -> Iterator[int]:
        world = self.world
        for ws in world.workspaces:
            actors = (*world.members[ws], *(rec["gid"] for rec in world.living(world.inside["agent", ws])))
            for actor in actors:
                yield len(world.living(world.assigned[actor, ws]))

    def _below_tasks(self, pages: Callable[[int], int]) -> dict[str, int]:
        world = self.world
        found = {"subtasks": 0, "stories": 0, "task_attachments": 0}
        for gid in self.reachable_tasks():
            task = world.records[gid]
            below = len(world.living(task.get("subtasks", ())))
            found["subtasks"] += pages(below) if below else 0
            found["stories"] += pages(world.story_count(task))
            found["task_attachments"] += pages(world.attachment_count(task))
        return found

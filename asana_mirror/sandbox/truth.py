"""What is true of a world, counted from its records and never from what it serves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from .first_reading import FirstReading
from .reads import ATTACHED_TO
from .render import Rec
from .shape_status import as_project_status, reactions_of
from .sharing import HELD_IN, every_membership
from .standing import STANDS_ON

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
    "portfolios": "portfolio",
    "project_portfolio_settings": "project_portfolio_setting",
    "goals": "goal",
    "goal_relationships": "goal_relationship",
    "status_updates": "status_update",
    "project_statuses": "project_status",
    "project_briefs": "project_brief",
    "project_templates": "project_template",
    "task_templates": "task_template",
    "reactions": "reaction",
    **{f"{kind}_memberships": f"{kind}_membership" for kind in HELD_IN},
    "user_task_lists": "user_task_list",
    "roles": "role",
    "time_periods": "time_period",
    "time_tracking_categories": "time_tracking_category",
    "time_tracking_entries": "time_tracking_entry",
    "timesheet_approval_statuses": "timesheet_approval_status",
    "ooo_entries": "ooo_entry",
    "allocations": "allocation",
    "budgets": "budget",
    "rates": "rate",
    "access_requests": "access_request",
    "custom_types": "custom_type",
    "custom_type_status_options": "custom_type_status_option",
    "audit_log_events": "audit_log_event",
}
DECIDED = ("approved", "denied")  # of access requests, which then are in no list


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
        made: dict[str, Callable[[], Iterable[Rec]]] = {
            "story": self._stories,
            "attachment": self._attachments,
            "membership": lambda: every_membership(world),
            "project_status": self._project_statuses,
            "reaction": self._reactions,
            "custom_field": self._custom_fields,
            "user_task_list": self._task_lists,
            "task": lambda: world.living(world.tasks),
        }
        place = kind.removesuffix("_membership") if kind.endswith("_membership") else ""
        if kind in made:
            yield from made[kind]()
        elif place != kind and place in HELD_IN:
            yield from every_membership(world, place)
        else:
            for rec in world.records.values():
                if rec["resource_type"] == kind and "trashed" not in rec and self._stands(kind, rec):
                    yield rec

    def _stories(self) -> Iterator[Rec]:
        for owner in (*self._living("task"), *self._living("goal")):
            yield from self.world.stories(owner)

    def _attachments(self) -> Iterator[Rec]:
        for place in ATTACHED_TO:
            for owner in self._living(place):
                yield from self.world.attachments(owner)

    def _task_lists(self) -> Iterator[Rec]:
        for workspace in self.world.workspaces:
            for user in self.world.members[workspace]:
                yield self.world.user_task_list(user, workspace)

    def _stands(self, kind: str, rec: Rec) -> bool:
        """Whether a listing can show it: not people who left, others' My Tasks, or requests that were decided."""
        if kind == "user":
            return bool(self.world.workspaces_of(rec["gid"]))
        if kind in STANDS_ON:
            return self.world.find(rec["gid"]) is not None and rec.get("approval_status") not in DECIDED
        return kind != "section" or rec["project"] is not None or rec.get("owner") == self.world.me

    def _project_statuses(self) -> Iterator[Rec]:
        for rec in self._living("status_update"):
            if self.world.records[rec["parent"]]["resource_type"] == "project":
                yield as_project_status(rec)

    def _reactions(self) -> Iterator[Rec]:
        for target in (*self._living("story"), *self._living("status_update")):
            for base in dict.fromkeys(base for base, _ in target.get("reactions", ())):
                yield from reactions_of(target, base)

    def _custom_fields(self) -> Iterator[Rec]:
        seen: dict[str, None] = {}
        for workspace in self.world.workspaces:
            for gid in self.world.inside["custom_field", workspace]:
                seen[gid] = None
        for place in ("project", "portfolio", "goal"):
            for rec in self._living(place):
                for setting in rec.get("settings", ()):
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
        return FirstReading(self.world, limit).pages()

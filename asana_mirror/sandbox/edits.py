"""Edits at random, in words: a busy office for demos, and surprises for tests."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

from . import change_fields, change_places, change_stories, change_tasks, names
from .asks import Refused
from .draw import DAY_MS, day, millis
from .generate_tasks import some_value
from .render import Rec
from .world import World


class Office:
    """Picks who does what to which record; each method is one kind of edit and says what it did."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.rng = random.Random(seed)
        self.workspace = world.workspaces[0]
        self.gone = [rec["gid"] for rec in world.records.values() if rec.get("trashed") == rec["gid"]]

    def by(self) -> str:
        """Who acts: somebody of the workspace, or one of its agents where these act."""
        actors = list(self.world.members[self.workspace])
        if self.world.agents_everywhere:
            actors += [rec["gid"] for rec in self.world.living(self.world.inside["agent", self.workspace])]
        return self.rng.choice(actors)

    def person(self) -> str:
        return self.rng.choice(list(self.world.members[self.workspace]))

    def living(self, kind: str) -> Rec:
        """Any living record of a kind; LookupError when there is none."""
        gids = self.world.tasks if kind == "task" else self.world.inside[kind, self.workspace]
        for _ in range(50):
            rec = self.world.records[self.rng.choice(gids)]
            if "trashed" not in rec and rec["workspace"] == self.workspace:
                return rec
        raise LookupError(kind)

    def project(self) -> Rec:
        return self.living("project")

    def section(self, project: Rec) -> Rec:
        return self.rng.choice(self.world.living(project["sections"]))

    def task_name(self) -> str:
        rng = self.rng
        words = f"{rng.choice(names.VERBS)} {rng.choice(names.THINGS)}{rng.choice(names.TAILS)}"
        return f"{words} ({rng.randrange(10**6)})"

    # -- tasks ----------------------------------------------------------------------------------------

    def create(self) -> str:
        given: Rec = {"name": self.task_name()}
        given |= self.rng.choice(({"projects": [self.project()["gid"]]}, {"assignee": self.by()}))
        given["workspace"] = self.workspace
        task = change_tasks.create_task(self.world, self.by(), given)
        return f"created task {task['gid']}"

    def create_below(self) -> str:
        parent = self.living("task")
        task = change_tasks.create_task(self.world, self.by(), {"name": self.task_name()}, parent)
        return f"created subtask {task['gid']} of {parent['gid']}"

    def rename(self) -> str:
        return self._set("name", self.task_name())

    def rewrite(self) -> str:
        return self._set("notes", f"{self.rng.choice(names.REMARKS)} {self.rng.randrange(10**6)}")

    def complete(self) -> str:
        task = self.living("task")
        return self._set("completed", not task.get("completed"), task)

    def schedule(self) -> str:
        due = millis("2026-01-01") + self.rng.randrange(700) * DAY_MS
        return self._set("due_on", self.rng.choice((day(due), None)))

    def assign(self) -> str:
        actors = [*self.world.members[self.workspace], *self.world.inside["agent", self.workspace], None]
        return self._set("assignee", self.rng.choice(actors))

    def _set(self, field: str, value: Any, task: Rec | None = None) -> str:
        task = task or self.living("task")
        change_fields.set_fields(self.world, self.by(), task, {field: value})
        return f"set {field} of task {task['gid']}"

    def fill(self) -> str:
        task = self.living("task")
        shown = change_fields.fields_on(self.world, task)
        if not shown:
            return self.rename()
        field = self.world.records[self.rng.choice(shown)]
        value = some_value(self.world, self.rng, field)
        if "representation_type" in field:
            return self.rename()
        change_fields.set_custom_field(self.world, self.by(), task, field, value)
        return f"set custom field {field['gid']} of task {task['gid']}"

    def like(self) -> str:
        task, by = self.living("task"), self.by()
        change_fields.set_liked(self.world, by, task, by not in task.get("likes", ()))
        return f"liked or unliked task {task['gid']}"

    def follow(self) -> str:
        task, add = self.living("task"), self.rng.random() < 0.7
        change_tasks.change_people(self.world, self.by(), task, "followers", [self.by()], add, True)
        return f"changed the followers of task {task['gid']}"

    def depend(self) -> str:
        task, other = self.living("task"), self.living("task")
        held = task.get("dependencies", ())
        if held and self.rng.random() < 0.5:
            other = self.world.records[self.rng.choice(held)]
        change_tasks.change_dependency(self.world, self.by(), task, other, other["gid"] not in held)
        return f"changed what task {task['gid']} depends on"

    def tag(self) -> str:
        task, tag = self.living("task"), self.living("tag")
        held = tag["gid"] in task.get("tags", ())
        (change_tasks.remove_tag if held else change_tasks.add_tag)(self.world, self.by(), task, tag)
        return f"{'untagged' if held else 'tagged'} task {task['gid']}"

    # -- places ---------------------------------------------------------------------------------------

    def move(self) -> str:
        task = self.living("task")
        held = [p for p, _ in task.get("memberships", ()) if self.world.alive(p)]
        project = self.world.records[self.rng.choice(held)] if held else self.project()
        section = self.section(project)
        change_tasks.add_project(self.world, self.by(), task, project, section["gid"])
        return f"moved task {task['gid']} to section {section['gid']}"

    def add_home(self) -> str:
        task, project = self.living("task"), self.project()
        change_tasks.add_project(self.world, self.by(), task, project)
        return f"added task {task['gid']} to project {project['gid']}"

    def leave_home(self) -> str:
        task = self.living("task")
        held = [p for p, _ in task.get("memberships", ()) if self.world.alive(p)]
        if not held:
            return self.add_home()
        change_tasks.remove_project(self.world, self.by(), task, self.world.records[held[0]])
        return f"removed task {task['gid']} from project {held[0]}"

    def reparent(self) -> str:
        task = self.living("task")
        parent = None if task.get("parent") and self.rng.random() < 0.4 else self.living("task")
        change_tasks.set_parent(self.world, self.by(), task, parent)
        return f"moved task {task['gid']} below {parent['gid'] if parent else 'nothing'}"

    def section_new(self) -> str:
        project = self.project()
        rec = change_places.create_section(
            self.world, self.by(), project, {"name": self.rng.choice(names.SECTIONS)}
        )
        return f"created section {rec['gid']} in project {project['gid']}"

    def section_rename(self) -> str:
        rec = self.section(self.project())
        change_places.rename_section(self.world, self.by(), rec, f"Stage {self.rng.randrange(10**6)}")
        return f"renamed section {rec['gid']}"

    def section_order(self) -> str:
        project = self.project()
        a, b = self.section(project)["gid"], self.section(project)["gid"]
        change_places.move_section(self.world, self.by(), project, {"section": a, "before_section": b})
        return f"moved section {a} before {b}"

    def section_gone(self) -> str:
        rec = self.section(self.project())
        change_places.trash_section(self.world, self.by(), rec)
        return f"deleted section {rec['gid']}"

    def project_new(self) -> str:
        team = self.living("team")["gid"]
        given = {"name": f"Project {self.rng.randrange(10**6)}", "workspace": self.workspace, "team": team}
        return f"created project {change_places.create_project(self.world, self.by(), given)['gid']}"

    def project_change(self) -> str:
        project = self.project()
        given: Rec = self.rng.choice(
            (
                {"name": f"Renamed {self.rng.randrange(10**6)}"},
                {"archived": not project.get("archived")},
                {"notes": self.rng.choice(names.REMARKS)},
                {"color": self.rng.choice(names.COLORS)},
                {"owner": self.person()},
            )
        )
        change_places.update_project(self.world, self.by(), project, given)
        return f"changed {', '.join(given)} of project {project['gid']}"

    def project_people(self) -> str:
        project, key = self.project(), self.rng.choice(("members", "followers"))
        add = self.rng.random() < 0.6
        change_tasks.change_people(self.world, self.by(), project, key, [self.by()], add)
        return f"changed the {key} of project {project['gid']}"

    def team_people(self) -> str:
        team, user = self.living("team"), self.person()
        if user in self.world.team_members[team["gid"]]:
            change_places.leave_team(self.world, self.by(), team, user)
            return f"user {user} left team {team['gid']}"
        change_places.join_team(self.world, self.by(), team, user)
        return f"user {user} joined team {team['gid']}"

    def tag_change(self) -> str:
        if self.rng.random() < 0.3:
            given = {"name": f"tag {self.rng.randrange(10**6)}", "workspace": self.workspace}
            return f"created tag {change_places.create_tag(self.world, self.by(), given)['gid']}"
        tag = self.living("tag")
        change_places.update_tag(self.world, self.by(), tag, {"name": f"{tag['name'][:20]}!"})
        return f"renamed tag {tag['gid']}"

    def field_change(self) -> str:
        field = self.living("custom_field")
        if "enum_options" in field and self.rng.random() < 0.6:
            given = {"name": f"Option {self.rng.randrange(10**6)}", "color": "blue"}
            rec = change_places.create_option(self.world, self.by(), field, given)
            return f"created enum option {rec['gid']} of custom field {field['gid']}"
        change_places.update_custom_field(
            self.world, self.by(), field, {"description": f"Since {self.rng.randrange(10**6)}"}
        )
        return f"described custom field {field['gid']}"

    # -- stories and attachments ----------------------------------------------------------------------

    def comment(self) -> str:
        task = self.living("task")
        text = f"{self.rng.choice(names.REMARKS)} {self.rng.randrange(10**6)}"
        rec = change_stories.add_comment(self.world, self.by(), task, {"text": text})
        return f"commented on task {task['gid']}: story {rec['gid']}"

    def _a_comment(self) -> Rec:
        for _ in range(50):
            found = [
                s for s in self.world.stories(self.living("task")) if s["resource_subtype"] == "comment_added"
            ]
            if found:
                return self.rng.choice(found)
        raise LookupError("comment")

    def comment_edit(self) -> str:
        rec = self._a_comment()
        change_stories.edit_story(self.world, self.by(), rec, {"text": f"Edited {self.rng.randrange(10**6)}"})
        return f"edited story {rec['gid']} of task {rec['target']}"

    def comment_react(self) -> str:
        rec, by = self._a_comment(), self.by()
        if self.rng.random() < 0.5:
            change_stories.react(self.world, by, rec, *self.rng.choice(names.EMOJI))
        else:
            change_stories.edit_story(self.world, by, rec, {"liked": by not in rec.get("likes", ())})
        return f"reacted to story {rec['gid']} of task {rec['target']}"

    def comment_gone(self) -> str:
        rec = self._a_comment()
        change_stories.trash_story(self.world, self.by(), rec)
        return f"deleted story {rec['gid']} of task {rec['target']}"

    def attach(self) -> str:
        owner = self.living("task") if self.rng.random() < 0.8 else self.project()
        given = {"parent": owner["gid"], "resource_subtype": "external", "url": "https://example.com/f"}
        rec = change_stories.add_attachment(
            self.world, self.by(), given | {"name": self.rng.choice(names.FILES)}
        )
        return f"attached {rec['gid']} to {owner['resource_type']} {owner['gid']}"

    def detach(self) -> str:
        for _ in range(50):
            owner = self.living("task")
            found = self.world.attachments(owner)
            if found:
                change_stories.trash_attachment(self.world, self.by(), found[0])
                return f"deleted attachment {found[0]['gid']} of task {owner['gid']}"
        return self.attach()

    # -- going and coming back ------------------------------------------------------------------------

    def delete(self) -> str:
        task = self.living("task")
        change_tasks.trash_task(self.world, self.by(), task)
        self.gone.append(task["gid"])
        return f"deleted task {task['gid']}"

    def undelete(self) -> str:
        while self.gone:
            gid = self.gone.pop(self.rng.randrange(len(self.gone)))
            if self.world.undelete(gid):
                return f"undeleted {self.world.records[gid]['resource_type']} {gid}"
        return self.delete()

    def project_gone(self) -> str:
        project = min(
            (self.project() for _ in range(5)), key=lambda rec: len(self.world.project_order(rec["gid"]))
        )
        count = len(self.world.project_order(project["gid"]))
        if count > len(self.world.tasks) // 50:
            return self.project_change()
        change_places.trash_project(self.world, self.by(), project)
        self.gone.append(project["gid"])
        return f"deleted project {project['gid']}"

    def person_gone(self) -> str:
        members = self.world.members[self.workspace]
        known = {identity.user for identity in self.world.identities.values()}
        others = [user for user in members if user not in known]
        if len(others) < 5:
            return self.person_new()
        user = self.rng.choice(others)
        change_places.leave_workspace(self.world, self.world.me, self.world.records[self.workspace], user)
        return f"user {user} left the workspace"

    def person_new(self) -> str:
        email = f"new{self.rng.randrange(10**9)}@northwind.example"
        rec = change_places.join_workspace(self.world, self.by(), self.world.records[self.workspace], email)
        return f"user {rec['gid']} joined the workspace"


WEIGHTS: dict[str, int] = {
    "create": 10,
    "create_below": 5,
    "rename": 8,
    "rewrite": 6,
    "complete": 8,
    "schedule": 6,
    "assign": 8,
    "fill": 8,
    "like": 4,
    "follow": 4,
    "depend": 4,
    "tag": 5,
    "move": 6,
    "add_home": 4,
    "leave_home": 2,
    "reparent": 3,
    "section_new": 2,
    "section_rename": 2,
    "section_order": 2,
    "section_gone": 1,
    "project_new": 1,
    "project_change": 3,
    "project_people": 2,
    "team_people": 2,
    "tag_change": 2,
    "field_change": 2,
    "comment": 10,
    "comment_edit": 4,
    "comment_react": 4,
    "comment_gone": 2,
    "attach": 3,
    "detach": 2,
    "delete": 3,
    "undelete": 2,
    "project_gone": 0,
    "person_gone": 0,
    "person_new": 1,
}
RARE = {"project_gone": 0.4, "person_gone": 0.3}


def random_edits(world: World, n: int, seed: int = 1, kinds: Iterable[str] | None = None) -> list[str]:
    """n edits as people make them, each in words; kinds: names from WEIGHTS, each equally likely then."""
    office = Office(world, seed)
    weights: dict[str, float] = {**WEIGHTS, **RARE} if kinds is None else dict.fromkeys(kinds, 1)
    done: list[str] = []
    misses = 0
    while len(done) < n and misses < 100 + 20 * n:
        kind = office.rng.choices(list(weights), list(weights.values()))[0]
        edit: Callable[[], str] = getattr(office, kind)
        try:
            done.append(edit())
        except (Refused, LookupError):  # not every lot fits: a section with tasks, a circle, nothing left
            misses += 1
    return done

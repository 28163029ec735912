"""The tasks of a generated world: their place, their people, their values, their subtasks."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import names
from .draw import DAY_MS, SMALL_GIDS, day, iso, millis, mix, pick
from .render import Rec

if TYPE_CHECKING:
    from .world import World

DEPTH = 4  # subtasks of subtasks of subtasks of subtasks, and no deeper
BORN_MS = millis("2022-03-01")
UNTIL_MS = millis("2025-11-01")
ATTACHMENT_COUNTS = (1, 1, 1, 2, 3, 7)
CUSTOM_TYPES = tuple(str(SMALL_GIDS - 1000 + place) for place in (0, 1))
FIRST_STATUSES = tuple(str(SMALL_GIDS - 1000 + place) for place in (10, 11))


@dataclass
class TaskSeeds:
    count: int
    stories_per_task: float
    attachments_share: float | None = None  # of all tasks; None: as many as there always were
    imported: int = 0  # of `count`


def add_tasks(world: World, seeds: TaskSeeds) -> None:
    """Most tasks stand in exactly one place, so that a page lost anywhere is missed somewhere."""
    grower = _Grower(world, seeds)
    grower.grow_until(seeds.count - seeds.imported)
    if seeds.imported:
        grower.bring_in()
    grower.tie()
    world.pools.tasks = world.tasks[: min(5000, len(world.tasks))]


class _Grower:
    def __init__(self, world: World, seeds: TaskSeeds) -> None:
        self.world = world
        self.rng: random.Random = world.rng
        self.seeds = seeds
        self.until = 0  # so many tasks and no more
        self.instant: int | None = None  # when all that grows now was created
        self.actors: dict[str, list[str]] = {}
        self.projects: dict[str, list[Rec]] = {}
        self.tags: dict[str, list[str]] = {}
        for ws in world.workspaces:
            self.actors[ws] = [*world.members[ws], *world.inside["agent", ws]]
            self.projects[ws] = [world.records[gid] for gid in world.inside["project", ws]]
            self.tags[ws] = world.inside["tag", ws]
        self.personal_sections = {
            ws: world.put(
                "section",
                name="Recently assigned",
                project=None,
                owner=world.me,
                workspace=ws,
                created_at=iso(BORN_MS),
                tasks=[],
            )["gid"]
            for ws in world.workspaces
        }

    def grow_until(self, count: int) -> None:
        self.until = count
        while len(self.world.tasks) < count:
            self.grow()

    def bring_in(self) -> None:
        """An import: everything of one instant, a part of it below tasks that were there before."""
        rng, world = self.rng, self.world
        older = [gid for gid in world.tasks if "parent" not in world.records[gid]]
        self.instant = rng.randrange(BORN_MS, UNTIL_MS - 60 * DAY_MS)
        self.until = self.seeds.count
        while len(world.tasks) < self.until:
            if older and rng.random() < 0.2:
                parent = world.records[rng.choice(older)]
                self._subtask(parent, parent["workspace"], 1)
            else:
                self.grow()

    def grow(self) -> None:
        """One task at the top, with all below it."""
        rng = self.rng
        ws = self.world.workspaces[0] if rng.random() < 0.9 else rng.choice(self.world.workspaces)
        task = self._task(ws)
        lot = rng.random()
        if lot < 0.9:
            self._place(task, ws)
        if lot >= 0.96:
            self._tag(task, ws)
        if 0.9 <= lot < 0.96 or rng.random() < 0.3:
            self._assign(task, ws)
        if lot < 0.9 and rng.random() < 0.06:
            self._tag(task, ws)
        self._subtasks(task, ws, 1)

    def _task(self, ws: str) -> Rec:
        rng, world = self.rng, self.world
        ordinal = len(world.tasks)
        created = rng.randrange(BORN_MS, UNTIL_MS - 60 * DAY_MS) if self.instant is None else self.instant
        actors = self.actors[ws]
        name = f"{rng.choice(names.VERBS)} {rng.choice(names.THINGS)}{rng.choice(names.TAILS)}"
        task = world.put(
            "task",
            name=name if ordinal % 997 != 13 else f"{name} " * 30,
            workspace=ws,
            ordinal=ordinal,
            created_at=iso(created),
            modified_at=iso(created + rng.randrange(60 * DAY_MS)),
            created_by=rng.choice(actors),
            story_count=self._story_count(),
        )
        world.tasks.append(task["gid"])
        self._attachments(task, ordinal)
        self._people(task, actors)
        self._dates(task, created)
        self._rarities(task, ordinal, actors)
        return task

    def _attachments(self, task: Rec, ordinal: int) -> None:
        count = self.rng.choice(ATTACHMENT_COUNTS) if self.rng.random() < 0.15 else 0
        if self.seeds.attachments_share is not None:  # drawn apart, so that nothing else becomes different
            bits = mix(ordinal * 7919 + self.world.seed)
            wanted = bits % 10_000 < self.seeds.attachments_share * 10_000
            count = pick(ATTACHMENT_COUNTS, bits >> 20) if wanted else 0
        if count:
            task["attachment_count"] = count

    def _story_count(self) -> int:
        """0 to several hundred: a fifth have none, few have very many."""
        mean = self.seeds.stories_per_task
        lot = self.rng.random()
        if lot < 0.2 or mean <= 0:
            return 0
        if lot > 0.998:
            return int(self.rng.uniform(100, 101 + mean * 60)) % 1000
        return min(1000, int(self.rng.expovariate(1.0) * mean * 1.13 + 0.5))

    def _people(self, task: Rec, actors: list[str]) -> None:
        rng = self.rng
        if rng.random() < 0.6:
            task["followers"] = rng.sample(actors, min(len(actors), rng.choice((1, 1, 2, 3))))
        if rng.random() < 0.1:
            task["likes"] = rng.sample(actors, min(len(actors), rng.choice((1, 2, 4))))

    def _dates(self, task: Rec, created: int) -> None:
        rng = self.rng
        lot = rng.random()
        due = created + rng.randrange(90) * DAY_MS
        if lot < 0.35:
            task["due_on"] = day(due)
        elif lot < 0.45:
            task |= {"due_on": day(due), "due_at": iso(due)}
        if lot < 0.08:
            task["start_on"] = day(due - 3 * DAY_MS)
        elif 0.35 <= lot < 0.37:
            task |= {"start_on": day(due - DAY_MS), "start_at": iso(due - DAY_MS)}
        if rng.random() < 0.4:
            task |= {
                "completed": True,
                "completed_at": task["modified_at"],
                "completed_by": task["created_by"],
            }

    def _rarities(self, task: Rec, ordinal: int, actors: list[str]) -> None:
        rng = self.rng
        lot = rng.random()
        if lot < 0.04:
            task["resource_subtype"] = "milestone"
        elif lot < 0.08:
            verdict = "approved" if task.get("completed") else rng.choice(("pending", "changes_requested"))
            task |= {"resource_subtype": "approval", "approval_status": verdict}
        elif lot < 0.1:
            task |= {"resource_subtype": "custom"} | _custom_type(ordinal % 2)
        if rng.random() < 0.5:
            task["notes"] = f"{rng.choice(names.REMARKS)}\n\n{rng.choice(names.REMARKS)}"
        if ordinal == 17:
            task["notes"] = names.LONG_NOTE
        if rng.random() < 0.03:
            task["external"] = {"gid": f"crm:{ordinal}", "data": '{"stage": "won"}'}
        if rng.random() < 0.05:
            task["actual_time_minutes"] = rng.randrange(5, 900)

    def _assign(self, task: Rec, ws: str) -> None:
        actor = self.rng.choice(self.actors[ws])
        task |= {"assignee": actor, "assigned_by": task["created_by"], "assignee_status": "upcoming"}
        if actor == self.world.me:
            task["assignee_section"] = self.personal_sections[ws]
        self.world.assigned[actor, ws][task["gid"]] = None

    def _tag(self, task: Rec, ws: str) -> None:
        task["tags"] = self.rng.sample(self.tags[ws], min(len(self.tags[ws]), self.rng.choice((1, 1, 2))))
        for tag in task["tags"]:
            self.world.tagged[tag][task["gid"]] = None

    def _place(self, task: Rec, ws: str) -> None:
        count = self.rng.choices((1, 2, 3), (94, 5, 1))[0]
        task["memberships"] = []
        projects = self.projects[ws]
        chosen = {
            int(len(projects) * self.rng.random() ** 2) for _ in range(count)
        }  # few are big, most small
        for project in (projects[place] for place in sorted(chosen)):
            section = self.rng.choice(project["sections"])
            task["memberships"].append((project["gid"], section))
            self.world.records[section]["tasks"].append(task["gid"])
            self._fill(task, project)

    def _fill(self, task: Rec, project: Rec) -> None:
        for setting in project["settings"]:
            field = self.world.records[self.world.records[setting]["custom_field"]]
            if self.rng.random() < 0.5:
                held = some_value(self.world, self.rng, field)
                if held is not None:
                    task.setdefault("custom_values", {})[field["gid"]] = held

    def _subtasks(self, parent: Rec, ws: str, depth: int) -> None:
        rng = self.rng
        if depth > DEPTH or rng.random() > (0.12 if depth == 1 else 0.3):
            return
        for _ in range(rng.choice((1, 2, 2, 3, 5))):
            if len(self.world.tasks) >= self.until:
                return
            self._subtask(parent, ws, depth)

    def _subtask(self, parent: Rec, ws: str, depth: int) -> None:
        rng = self.rng
        task = self._task(ws)
        task["parent"] = parent["gid"]
        parent.setdefault("subtasks", []).append(task["gid"])
        if rng.random() < 0.15:
            self._assign(task, ws)
        if rng.random() < 0.05:
            self._place(task, ws)
        if rng.random() < 0.04:
            task["is_rendered_as_separator"] = True
        self._subtasks(task, ws, depth + 1)

    def tie(self) -> None:
        """Dependencies, always from a younger task to an older one, so that none goes in a circle."""
        tasks = self.world.tasks
        for _ in range(len(tasks) // 25):
            later = self.rng.randrange(1, len(tasks)) if len(tasks) > 1 else 0
            first = self.rng.randrange(later) if later else 0
            a, b = self.world.records[tasks[later]], self.world.records[tasks[first]]
            if a is not b and b["gid"] not in a.get("dependencies", ()) and a["workspace"] == b["workspace"]:
                a.setdefault("dependencies", []).append(b["gid"])
                b.setdefault("dependents", []).append(a["gid"])


def _custom_type(which: int) -> dict[str, str]:
    """The first status of one of the types that `generate_plan` defines."""
    return {"custom_type": CUSTOM_TYPES[which], "custom_type_status_option": FIRST_STATUSES[which]}


def some_value(world: World, rng: random.Random, field: Rec) -> Any:
    """A value that fits the field, None where the field computes its own."""
    kind = field["resource_subtype"]
    if "representation_type" in field:
        return None
    if kind == "text":
        return rng.choice((*names.THINGS, "مرحبا", 'O\'Neill & "co"'))
    if kind == "number":
        return round(
            rng.uniform(0, 1 if field.get("format") == "percentage" else 5000), field.get("precision", 0)
        )
    if kind in ("enum", "multi_enum"):
        options = field["enum_options"]
        return rng.choice(options) if kind == "enum" else rng.sample(options, rng.randint(1, 3))
    if kind == "people":
        return rng.sample([*world.members[field["workspace"]]], 1)
    if kind == "reference":
        return [rng.choice(world.tasks)]
    moment = BORN_MS + rng.randrange(1000) * DAY_MS
    return {"date": day(moment), "date_time": iso(moment) if rng.random() < 0.3 else None}

"""Makes a world from a seed: the places first (people, teams, projects), then the tasks inside them."""

from __future__ import annotations

import random
from typing import Any

from . import names
from .draw import DAY_MS, day, iso, millis
from .generate_plan import add_plan, finish_plan
from .generate_portfolios import add_goals_and_portfolios
from .generate_tasks import TaskSeeds, add_tasks
from .lazy import attachment
from .render import Rec
from .world import World

BORN = "2022-03-01"  # nothing in a generated world is older
UNTIL = "2025-11-01"  # and nothing is younger, so that what changes later is always the newest


def generate(
    seed: int = 1,
    tasks: int = 1000,
    *,
    stories_per_task: float = 6.0,
    projects: int | None = None,
    users: int | None = None,
    workspaces: int = 1,
    plan: str = "premium",
    agents: int = 3,
    tags: int | None = None,
    attachments_share: float | None = None,
    imported: int = 0,
) -> World:
    """A world with about this many tasks in all, subtasks included, the same for the same arguments.

    `attachments_share`: 0 to 1, the share of tasks with attachments (None: some 0.15);
    `imported`: how many of the tasks came with one import and so have one and the same `created_at`.
    """
    world = World(seed, plan)
    places = Places(world)
    per = max(1, workspaces)
    for number in range(per):
        places.add_workspace(number, users or max(5, min(400, tasks // 60)), agents)
        places.add_teams(max(2, min(40, tasks // 400)) if number == 0 else 0)
        places.add_tags(tags if tags is not None else max(5, min(120, tasks // 150)))
        places.add_custom_fields()
        places.add_projects((projects or max(3, min(2500, tasks // 60))) // (1 if number == 0 else 4) or 1)
    _admit(world, places)
    _fill_pools(world)
    add_tasks(world, TaskSeeds(tasks, stories_per_task, attachments_share, min(imported, tasks)))
    places.finish()
    planner = add_plan(world)
    add_goals_and_portfolios(world)
    finish_plan(planner)
    return world


def _admit(world: World, places: Places) -> None:
    people = list(world.members[world.workspaces[0]])
    world.admit("full", people[0])
    world.admit("limited", people[1], all_seeing=False)
    world.admit(
        "scoped",
        people[0],
        scopes=("tasks:read", "projects:read", "users:read", "workspaces:read", "teams:read"),
    )
    world.admit("service", people[0], service=True)


def _fill_pools(world: World) -> None:
    pools = world.pools
    for rec in world.records.values():
        kind = rec["resource_type"]
        named = (rec["gid"], rec.get("name", ""))
        if kind in ("user", "agent"):
            pools.actors.append(named)
        elif kind in ("project", "section", "tag"):
            getattr(pools, f"{kind}s").append(named)
        elif kind == "custom_field":
            pools.fields.setdefault(rec["resource_subtype"], []).append(named)
        elif kind == "enum_option":
            pools.options.append(rec["gid"])


class Places:
    """Makes everything but tasks, in the order in which one needs the other."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rng: random.Random = world.rng
        self.here = ""  # the workspace being filled
        self.teams: list[str] = []
        self.people: list[str] = []

    def some(self, items: list[str], most: int) -> list[str]:
        return self.rng.sample(items, min(len(items), self.rng.randint(0, most)))

    def moment(self) -> str:
        return iso(self.rng.randrange(millis(BORN), millis(UNTIL)))

    def person_name(self) -> str:
        return f"{self.rng.choice(names.FIRST)} {self.rng.choice(names.LAST)}"

    def add_workspace(self, number: int, users: int, agents: int) -> None:
        world = self.world
        personal = number > 0
        rec = world.put(
            "workspace",
            name="Personal projects" if personal else "Northwind & Søn",
            is_organization=not personal,
            email_domains=[] if personal else ["northwind.example"],
        )
        self.here = rec["gid"]
        world.workspaces.append(self.here)
        count = 1 if personal else users
        self.people = self.people[:1] if personal else [self._add_user(k) for k in range(count)]
        for k, user in enumerate(self.people):
            self._join(user, k)
        if not personal:
            for k in range(agents):
                self._add_agent(k)

    def _add_user(self, k: int) -> str:
        name = self.person_name() if k != 3 else "A very long name " * 12
        size = ("21x21", "27x27", "36x36", "60x60", "128x128", "1024x1024")
        gid = self.world.mint()
        photo = {f"image_{s}": f"https://photos.example/{gid}_{s}.png" for s in size} if k % 3 else None
        fields: dict[str, Any] = {
            "name": name.strip(),
            "email": f"person{k}@northwind.example",
            "photo": photo,
        }
        return str(self.world.put("user", gid, **fields)["gid"])

    def _join(self, user: str, k: int) -> None:
        vacation = {"start_on": "2025-08-01", "end_on": None} if k % 9 == 4 else None
        rec = self.world.put(
            "workspace_membership",
            user=user,
            workspace=self.here,
            is_admin=k == 0,
            is_guest=k % 11 == 7,
            vacation_dates=vacation,
            created_at=self.moment(),
        )
        self.world.members[self.here][user] = rec["gid"]

    def _add_agent(self, k: int) -> None:
        self.world.put(
            "agent",
            workspace=self.here,
            name=names.AGENTS[k % len(names.AGENTS)],
            description="Keeps an eye on things" if k else None,
            behavior_guidance="Be brief." if k % 2 else None,
            created_by=self.people[0],
        )

    def add_teams(self, count: int) -> None:
        self.teams = []
        for k in range(count):
            tail = "" if k < len(names.TEAMS) else f" {k}"
            rec = self.world.put(
                "team",
                name=names.TEAMS[k % len(names.TEAMS)] + tail,
                workspace=self.here,
                visibility=("public", "request_to_join", "secret")[k % 3],
                description='What we do & how\n"quoted"' if k % 2 else "",
                endorsed=k == 0,
            )
            self.teams.append(rec["gid"])
            for j, user in enumerate(self.some(self.people, 12) or self.people[:1]):
                self._join_team(rec["gid"], user, j)

    def _join_team(self, team: str, user: str, j: int) -> None:
        rec = self.world.put(
            "team_membership",
            user=user,
            team=team,
            is_admin=j == 0,
            is_guest=j == 5,
            is_limited_access=j == 6,
        )
        self.world.team_members[team][user] = rec["gid"]

    def add_tags(self, count: int) -> None:
        for k in range(count):
            tail = "" if k < len(names.TAGS) else f" {k}"
            self.world.put(
                "tag",
                name=names.TAGS[k % len(names.TAGS)] + tail,
                workspace=self.here,
                color=self.rng.choice([*names.COLORS, None]),
                notes="Use sparingly." if k % 4 == 0 else "",
                created_at=self.moment(),
                followers=self.some(self.people, 3),
            )

    def add_custom_fields(self) -> None:
        kinds: tuple[tuple[str, str, dict[str, Any]], ...] = (
            ("Priority", "enum", {"asana_created_field": "priority"}),
            ("Channels", "multi_enum", {}),
            ("Estimate", "number", {"precision": 2, "format": "none"}),
            ("Cost", "number", {"precision": 2, "format": "currency", "currency_code": "EUR"}),
            ("Progress", "number", {"precision": 0, "format": "percentage"}),
            ("Customer", "text", {"has_notifications_enabled": True}),
            ("Go-live", "date", {}),
            ("Reviewers", "people", {}),
            ("Related", "reference", {"input_restrictions": ["task"]}),
            ("Twice the sum", "number", {"representation_type": "formula", "precision": 1}),
            ("Ticket", "text", {"representation_type": "custom_id", "id_prefix": "NW"}),
            ("Local stage", "enum", {"is_global_to_workspace": False}),
            ("Local remark", "text", {"is_global_to_workspace": False}),
        )
        self.fields = [self._add_custom_field(*kind) for kind in kinds]

    def _add_custom_field(self, name: str, subtype: str, more: dict[str, Any]) -> str:
        world = self.world
        rec = world.put(
            "custom_field",
            name=name,
            resource_subtype=subtype,
            workspace=self.here,
            created_by=self.people[0],
            description=f"About {name.lower()}",
            **more,
        )
        if subtype in ("enum", "multi_enum"):
            rec["enum_options"] = [
                world.put(
                    "enum_option", name=label, color=color, enabled=label != "Never", custom_field=rec["gid"]
                )["gid"]
                for label, color in zip(
                    ("High", "Medium", "Low", "Never", "🤷"), names.OPTION_COLORS, strict=False
                )
            ]
        return str(rec["gid"])

    def add_projects(self, count: int) -> None:
        for k in range(count):
            self._add_project(k)

    def _add_project(self, k: int) -> None:
        rng, world = self.rng, self.world
        begun = rng.randrange(millis(BORN), millis(UNTIL) - 90 * DAY_MS)
        rec = world.put(
            "project",
            name=f"{names.PROJECTS[k % len(names.PROJECTS)]}{rng.choice(names.TAILS)} {k}",
            workspace=self.here,
            team=rng.choice(self.teams) if self.teams else None,
            created_at=iso(begun),
            modified_at=iso(begun + rng.randrange(90 * DAY_MS)),
            privacy_setting="private" if k % 7 == 3 else "public_to_workspace",
            archived=k % 10 == 9,
            color=rng.choice([*names.COLORS, None]),
            icon=rng.choice(names.ICONS),
            owner=rng.choice(self.people) if k % 5 else None,
            notes='Why we do this:\n- "reasons"\n- & more <reasons>' if k % 3 == 0 else "",
            due_on=day(begun + 200 * DAY_MS) if k % 4 == 0 else None,
            start_on=day(begun) if k % 8 == 0 else None,
            default_view=rng.choice(("list", "board", "timeline", "calendar")),
            members=self.some(self.people, 6),
            followers=self.some(self.people, 4),
        )
        if k % 12 == 5:
            rec |= {"completed": True, "completed_at": rec["modified_at"], "completed_by": self.people[0]}
        agents = world.inside["agent", self.here]
        if k % 6 == 2 and agents:
            rec["members"].append(agents[k % len(agents)])
        self._add_sections(rec)
        self._add_settings(rec, k)

    def _add_sections(self, project: Rec) -> None:
        count = self.rng.randint(1, 6)
        project["sections"] = [
            self.world.put(
                "section",
                name=name,
                project=project["gid"],
                created_at=project["created_at"],
                tasks=[],
            )["gid"]
            for name in self.rng.sample(names.SECTIONS, count)
        ]

    def _add_settings(self, project: Rec, k: int) -> None:
        wanted = self.rng.sample(self.fields[:11], self.rng.randint(0, 7))
        if k % 5 == 1:
            wanted += self.fields[11:] if k == 1 else []
        project["settings"] = [
            self.world.put(
                "custom_field_setting", project=project["gid"], custom_field=field, is_important=place < 2
            )["gid"]
            for place, field in enumerate(wanted)
        ]
        if k % 3 == 0:
            project["own_fields"] = [self.fields[0], self.fields[2], self.fields[5]]
            option = self.world.records[self.fields[0]]["enum_options"][k % 4]
            project["custom_values"] = {self.fields[0]: option, self.fields[2]: k * 1.25}

    def finish(self) -> None:
        """Files on projects, which need no tasks but come last so that tasks keep their gids."""
        world = self.world
        for k, rec in enumerate([r for r in world.records.values() if r["resource_type"] == "project"]):
            shelf = world.attachment_shelf[rec["gid"]] = []
            for j in range(self.rng.randrange(4) if k % 2 else 0):
                gid = world.mint()
                host = names.HOSTS[(j * 3) % len(names.HOSTS)]
                name = names.FILES[(k + j) % len(names.FILES)]
                shelf.append(attachment(gid, rec["gid"], host, name, self.moment(), k * 7919 + j))
                world.task_of_added[gid] = rec["gid"]

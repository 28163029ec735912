"""Makes goals with their metrics and supporters, and the status updates, briefs and reactions of a world."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from . import names
from .change_goals import metric, tied
from .change_status import STATUS_TYPES
from .draw import DAY_MS, day, gid_number, iso, millis
from .generate_tasks import some_value
from .lazy import attachment
from .render import Rec
from .shape_goals import AUTOMATIC, status_word
from .standing import put_below

if TYPE_CHECKING:
    from .world import World

BORN_MS = millis("2024-01-01")
UNTIL_MS = millis("2025-11-01")
FIRST_COUNT = 8_000_000  # generated gids that no world mints, so that all others stay what they were
GOALS = (
    "Grow web traffic by 30 %", "Happy customers 😀", "نمو المبيعات", "Fewer incidents", "Ship v2 & tell everybody",
    "להגדיל את הצוות", "Halve the <backlog>", "One billing system", "A \"quiet\" quarter", "新しい市場",
)  # fmt: skip
METRICS = (  # unit, currency, precision, first, last, now, source
    ("none", None, 0, 0, 100, 37, "manual"),
    ("percentage", None, 1, 0.0, 1.0, 0.251, "subgoal_progress"),
    ("currency", "EUR", 2, 1000.5, 250000, 8123.45, "external"),
    ("none", None, 2, 10, 2, 7.25, "project_task_completion"),
)
TITLES = (
    "Week in review",
    "Status – on our way 🚀",
    "تقرير الحالة",
    "Still <waiting> & hoping",
    "Retrospective",
)
LONG_HTML = (
    "<body><h1>All of it</h1>" + "<p>What was <strong>said</strong> &amp; done, word by word. </p>" * 600
)
BRIEFS = (
    "<body>This is a <strong>project brief</strong>.</body>",
    "<body><h1>الهدف</h1><ul><li>واحد</li><li>שתיים</li></ul></body>",
    "<body></body>",
    f"{LONG_HTML}</body>",
)
BRIEF_TEXTS = ("This is a project brief.", "الهدف\nواحد\nשתיים", "", "All of it\n" + "Word by word. " * 600)


class Seeds:
    """What all of these makers need: who and what there is, a Random of its own, and gids of its own."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rng = random.Random(f"{world.seed}/goals")
        self._count = FIRST_COUNT
        self.here = ""
        self.people: list[str] = []
        self.projects: list[Rec] = []
        self.teams: list[str] = []
        self.fields: list[str] = []

    def enter(self, workspace: str) -> None:
        """Fill this workspace from now on."""
        world = self.world
        self.here = workspace
        self.people = list(world.members[workspace])
        self.projects = [world.records[gid] for gid in world.inside["project", workspace]]
        self.teams = list(world.inside["team", workspace])
        fields = world.living(world.inside["custom_field", workspace])
        self.fields = [rec["gid"] for rec in fields if "representation_type" not in rec]

    def gid(self) -> str:
        self._count += 1
        return str(gid_number(self._count))

    def person(self, place: int | None = None) -> str:
        """Anybody, or who stands at this place (people come round again in small workspaces)."""
        return self.rng.choice(self.people) if place is None else self.people[place % len(self.people)]

    def some(self, most: int) -> list[str]:
        return self.rng.sample(self.people, min(len(self.people), self.rng.randint(0, most)))

    def moment(self) -> str:
        return iso(self.rng.randrange(BORN_MS, UNTIL_MS))

    def reactions(self) -> dict[tuple[str, str], list[str]]:
        chosen = self.rng.sample(names.EMOJI, self.rng.randint(1, 3))
        found = {(base, emoji): self.some(3) or [self.person()] for base, emoji in chosen}
        if self.rng.random() < 0.3:
            found["👍", "👍"] = [self.person()]
        return found


def add_statuses(seeds: Seeds, parent: Rec, count: int) -> None:
    """This many, oldest first; a goal takes its status from the last one."""
    rng = seeds.rng
    begun = rng.randrange(BORN_MS, UNTIL_MS - 60 * DAY_MS)
    for k in range(count):
        rec = _status(seeds, parent, iso(begun + k * 7 * DAY_MS + rng.randrange(DAY_MS)))
        if rng.random() < 0.3:
            rec["likes"] = seeds.some(3)
        if rng.random() < 0.35:
            rec["reactions"] = seeds.reactions()
        if rng.random() < 0.2:
            rec["modified_at"] = iso(millis(rec["created_at"]) + DAY_MS // 2)
        if parent["resource_type"] == "goal":
            parent["status"] = status_word(rec["status_type"])


def _status(seeds: Seeds, parent: Rec, created_at: str) -> Rec:
    rng = seeds.rng
    text, formatted = rng.choice(names.REMARKS), None
    if rng.random() < 0.1:
        text, formatted = "All of it", f"{LONG_HTML}</body>"
    return put_below(
        seeds.world,
        "status_update",
        parent["gid"],
        gid=seeds.gid(),
        parent=parent["gid"],
        title=rng.choice(TITLES),
        text=text,
        html_text=formatted,
        status_type=rng.choice(STATUS_TYPES[parent["resource_type"]]),
        author=seeds.person(),
        created_at=created_at,
        modified_at=created_at,
    )


def add_briefs(seeds: Seeds) -> None:
    """On every second project, some with files."""
    world, rng = seeds.world, seeds.rng
    for k, project in enumerate(seeds.projects[::2]):
        which = k % len(BRIEFS)
        brief = put_below(
            world,
            "project_brief",
            project["gid"],
            gid=seeds.gid(),
            project=project["gid"],
            title=("Stuff to buy — brief", "ملخص", "", "Brief 🗺️")[which],
            text=BRIEF_TEXTS[which],
            html_text=BRIEFS[which],
        )
        shelf = world.attachment_shelf[brief["gid"]] = []
        for j in range(rng.randrange(3)):
            gid, host = seeds.gid(), names.HOSTS[(j * 3 + k) % len(names.HOSTS)]
            name = names.FILES[(k + j) % len(names.FILES)]
            shelf.append(attachment(gid, brief["gid"], host, name, seeds.moment(), k * 104729 + j))
            world.task_of_added[gid] = brief["gid"]


# -- goals --------------------------------------------------------------------------------------------


def add_goals(seeds: Seeds, count: int) -> None:
    """A tree of goals, each with what else supports it."""
    goals = [_goal(seeds, k) for k in range(count)]
    for k, goal in enumerate(goals):
        if k % 5:
            weight = (0, 1, 0.5, 0.25)[k % 4]
            tied(seeds.world, goals[(k - 1) // 2], goal, weight, seeds.gid())
        _support(seeds, goal, k)
        add_statuses(seeds, goal, k % 3)
        _talk(seeds, goal, k)


def _goal(seeds: Seeds, k: int) -> Rec:
    rng, world = seeds.rng, seeds.world
    due = BORN_MS + rng.randrange(900) * DAY_MS
    owner = None if k % 6 == 5 else seeds.person(k)
    goal = world.put(
        "goal",
        seeds.gid(),
        name=f"{GOALS[k % len(GOALS)]}{f' {k}' if k >= len(GOALS) else ''}",
        workspace=seeds.here,
        team=rng.choice(seeds.teams) if k % 3 == 1 and seeds.teams else None,
        owner=owner,
        notes=rng.choice((*names.REMARKS, "")) if k % 4 else names.LONG_NOTE[:20_000] if k == 4 else "",
        due_on=day(due) if k % 3 != 2 else None,
        start_on=day(due - 90 * DAY_MS) if k % 3 == 0 else None,
        followers=list(dict.fromkeys([*([owner] if owner else []), *seeds.some(3)])),
        privacy_setting="members_only" if k % 7 == 3 else "public_to_workspace",
        default_access_level=("editor", "commenter", "viewer")[k % 3],
        time_period=_period(seeds) if k % 4 != 2 else None,
        metric=_metric(seeds, k),
        settings=[],
    )
    world.story_shelf[goal["gid"]] = []
    if k % 4 == 0:
        goal["likes"] = seeds.some(3)
    if k % 6 == 2 and seeds.teams:
        goal |= {"member_teams": [seeds.teams[0]], "access": {seeds.teams[0]: "viewer"}}
    _fill(seeds, goal, k)
    return goal


def _period(seeds: Seeds) -> str | None:
    gids = seeds.world.inside.get(("time_period", seeds.here), ())
    return seeds.rng.choice(gids) if gids else None


def _metric(seeds: Seeds, k: int) -> Rec | None:
    if k % 5 == 3:
        return None
    unit, currency, precision, first, last, now, source = METRICS[k % len(METRICS)]
    more: dict[str, Any] = {"is_custom_weight": k % 2 == 0} if source in AUTOMATIC else {}
    return metric(
        seeds.gid(),
        seeds.person(k),
        precision=precision,
        unit=unit,
        currency_code=currency,
        initial_number_value=first,
        target_number_value=last,
        current_number_value=now,
        progress_source=source,
        **more,
    )


def _fill(seeds: Seeds, goal: Rec, k: int) -> None:
    """Custom fields on every third goal, with values for some of them."""
    if k % 3 == 0 and seeds.fields:
        wanted = seeds.rng.sample(seeds.fields, min(2, len(seeds.fields)))
        add_settings(seeds, goal, wanted)
        add_values(seeds, goal, wanted)


def add_settings(seeds: Seeds, owner: Rec, fields: list[str]) -> None:
    put, gid = seeds.world.put, owner["gid"]
    owner["settings"] = [
        put("custom_field_setting", seeds.gid(), parent=gid, custom_field=field, is_important=place == 0)[
            "gid"
        ]
        for place, field in enumerate(fields)
    ]


def add_values(seeds: Seeds, owner: Rec, fields: list[str]) -> None:
    world, held = seeds.world, {}
    for field in fields:
        rec = world.records[field]
        without_tasks = rec["resource_subtype"] == "reference" and not world.tasks
        if seeds.rng.random() < 0.7 and not without_tasks:
            held[field] = some_value(world, seeds.rng, rec)
    owner["custom_values"] = held


def _support(seeds: Seeds, goal: Rec, k: int) -> None:
    """Projects, portfolios and tasks: each kind on some goals, several on a few."""
    world, rng = seeds.world, seeds.rng
    tasks = [gid for gid in world.tasks[:500] if world.records[gid]["workspace"] == seeds.here]
    supporters: list[str] = []
    if k % 3 == 0 and seeds.projects:
        found = rng.sample(seeds.projects, min(2, len(seeds.projects)))
        supporters += [rec["gid"] for rec in found]
    if k % 4 == 1:
        supporters += world.inside.get(("portfolio", seeds.here), [])[k % 3 : k % 3 + 1]
    if k % 5 == 2 and tasks:
        supporters.append(rng.choice(tasks))
    for gid in supporters:
        tied(world, goal, world.records[gid], rng.choice((0, 1, 0.125)), seeds.gid())


def _talk(seeds: Seeds, goal: Rec, k: int) -> None:
    """Comments and system stories, oldest first; some with likes and reactions."""
    begun = seeds.rng.randrange(BORN_MS, UNTIL_MS - 60 * DAY_MS)
    for j in range((0, 3, 1, 5)[k % 4]):
        _add_story(seeds, goal, iso(begun + j * DAY_MS), system=j == 1)


def _add_story(seeds: Seeds, goal: Rec, created_at: str, system: bool) -> None:
    rng, author = seeds.rng, seeds.person()
    told: Rec = {"resource_subtype": "comment_added", "text": rng.choice(names.REMARKS)}
    if system:
        old = "A former name"
        text = f'{seeds.world.records[author]["name"]} changed the name to "{goal["name"]}"'
        told = {"resource_subtype": "name_changed", "text": text, "old_name": old, "new_name": goal["name"]}
    elif rng.random() < 0.4:
        told |= {"likes": seeds.some(2), "reactions": seeds.reactions()}
    story: Rec = {
        "gid": seeds.gid(),
        "resource_type": "story",
        "created_at": created_at,
        "created_by": author,
        "target": goal["gid"],
        "source": rng.choice(("web", "mobile", "api")),
        **told,
    }
    seeds.world.story_shelf[goal["gid"]].append(story)
    seeds.world.task_of_added[story["gid"]] = goal["gid"]

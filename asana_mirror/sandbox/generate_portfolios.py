"""Makes portfolios, templates and the memberships of custom fields, and lets goals be made between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import names
from .change_portfolios import tie
from .draw import DAY_MS, day
from .generate_goals import BORN_MS, Seeds, add_briefs, add_goals, add_settings, add_statuses, add_values
from .render import Rec
from .standing import put_below

if TYPE_CHECKING:
    from .world import World

PORTFOLIOS = (
    "Everything 🌍",
    "Launches",
    "محفظة المشاريع",
    'Ops & "other"',
    "תיק",
    "Empty shelf",
    "Bets",
    "2026",
)
TEMPLATES = ("Packing list", "Trade fair 🎪", "قالب المشروع", "Onboarding <new>", "Retrospective")
ROLES = ("Designer", "Editor ✍️", "مصمم")
DATES = (
    {"gid": "1", "name": "Start Date", "description": "Choose a start date for your project."},
    {"gid": "2", "name": "Due Date", "description": "اختر تاريخ الاستحقاق"},
)
BELOW = {0: (1, 2), 1: (3,), 4: (1,)}  # portfolios in the first portfolios: two levels deep, and twice met


def add_goals_and_portfolios(world: World) -> None:
    """All of these, after everything that they name was made."""
    seeds = Seeds(world)
    for workspace in world.workspaces:
        seeds.enter(workspace)
        home = workspace == world.workspaces[0]
        scale = len(world.tasks), len(seeds.projects)
        _add_project_templates(seeds, 3 + min(20, len(seeds.teams)) if home else 1)
        for k, project in enumerate(seeds.projects):
            add_statuses(seeds, project, (2, 3, 1, 0, 4)[k % 5])
            _add_task_templates(seeds, project, (2, 0, 1, 0)[k % 4])
        add_briefs(seeds)
        if world.plan != "free":  # which knows neither
            _add_portfolios(seeds, min(60, 3 + min(3, scale[0] // 100) + scale[1] // 12) if home else 1)
            add_goals(seeds, min(200, 4 + min(8, scale[0] // 35) + scale[1] // 6) if home else 2)
        _share_fields(seeds)


# -- portfolios ---------------------------------------------------------------------------------------


def _add_portfolios(seeds: Seeds, count: int) -> None:
    made = [_portfolio(seeds, k) for k in range(count)]
    for k, rec in enumerate(made):
        nested = [made[j] for j in BELOW.get(k, ()) if j < count]
        if k > 6 and seeds.rng.random() < 0.3:
            nested = [made[seeds.rng.randrange(6, k)]]  # always an older one: none goes in a circle
        if k != 5:  # which stays empty
            _add_items(seeds, rec, nested)
        add_statuses(seeds, rec, (2, 0, 1)[k % 3])


def _portfolio(seeds: Seeds, k: int) -> Rec:
    """Of the first six, two are the first user's and one the second's; one is private, one empty."""
    rng = seeds.rng
    owner = seeds.person({0: 0, 1: 2, 2: 3, 3: 4, 4: 1, 5: 0}.get(k, rng.randrange(100)))
    begun = BORN_MS + rng.randrange(500) * DAY_MS
    rec = seeds.world.put(
        "portfolio",
        seeds.gid(),
        name=f"{PORTFOLIOS[k % len(PORTFOLIOS)]}{f' {k}' if k >= len(PORTFOLIOS) else ''}",
        workspace=seeds.here,
        owner=owner,
        created_by=seeds.person(),
        created_at=seeds.moment(),
        color=rng.choice(names.COLORS),
        archived=k % 6 == 5,
        start_on=day(begun) if k % 3 == 0 else None,
        due_on=day(begun + 200 * DAY_MS) if k % 2 == 0 else None,
        default_access_level=("viewer", "editor")[k % 2],
        privacy_setting="members_only" if k % 6 == 2 else "public_to_domain",
        members=[] if k == 5 else list(dict.fromkeys([owner, *seeds.some(3)])),
        items=[],
        settings=[],
        project_templates=_templates(seeds) if k % 3 == 0 else [],
    )
    if k % 5 == 1 and seeds.teams:
        rec |= {"member_teams": [seeds.teams[-1]], "access": {seeds.teams[-1]: "editor"}}
    _fill(seeds, rec, k)
    return rec


def _templates(seeds: Seeds) -> list[str]:
    gids = seeds.world.inside.get(("project_template", seeds.here), [])
    return seeds.rng.sample(gids, min(2, len(gids)))


def _fill(seeds: Seeds, rec: Rec, k: int) -> None:
    """Fields for its items, and other fields with values of the portfolio's own."""
    if k % 4 == 3 or not seeds.fields:
        return
    wanted = seeds.rng.sample(seeds.fields, min(3, len(seeds.fields)))
    if k == 1:
        wanted.append(_local_field(seeds))
    add_settings(seeds, rec, wanted)
    rec["own_fields"] = wanted[:2]
    add_values(seeds, rec, wanted[:2])


def _local_field(seeds: Seeds) -> str:
    """A field that only this portfolio knows: no workspace lists it."""
    rec = seeds.world.put(
        "custom_field",
        seeds.gid(),
        name="Bet size 🎲",
        resource_subtype="number",
        precision=1,
        workspace=seeds.here,
        created_by=seeds.person(),
        is_global_to_workspace=False,
    )
    return str(rec["gid"])


def _add_items(seeds: Seeds, rec: Rec, nested: list[Rec]) -> None:
    found = seeds.rng.sample(seeds.projects, min(len(seeds.projects), seeds.rng.randint(1, 6)))
    for project in found:
        inherited = seeds.rng.random() < 0.3
        tie(seeds.world, rec, project, seeds.moment(), inherited, seeds.gid())
    rec["items"] = [item["gid"] for item in (*found, *nested)]
    seeds.rng.shuffle(rec["items"])


# -- templates ----------------------------------------------------------------------------------------


def _add_project_templates(seeds: Seeds, count: int) -> None:
    rng = seeds.rng
    for k in range(count):
        roles = [
            {"gid": seeds.gid(), "resource_type": "template_role", "name": name} for name in ROLES[: k % 4]
        ]
        seeds.world.put(
            "project_template",
            seeds.gid(),
            name=f"{TEMPLATES[k % len(TEMPLATES)]}{f' {k}' if k >= len(TEMPLATES) else ''}",
            workspace=seeds.here,
            team=seeds.teams[k % len(seeds.teams)] if seeds.teams else None,
            owner=None if k % 3 == 2 else seeds.person(),
            description=rng.choice((*names.REMARKS, "")),
            public=k % 4 != 1,
            color=None if k % 2 else rng.choice(names.COLORS),
            requested_dates=[dict(one) for one in DATES[: k % 3]],
            requested_roles=roles,
        )
    gids = seeds.world.inside["project_template", seeds.here]
    for k, project in enumerate(seeds.projects):
        if k % 5 == 2:
            project["created_from_template"] = gids[k % len(gids)]


def _add_task_templates(seeds: Seeds, project: Rec, count: int) -> None:
    rng = seeds.rng
    for k in range(count):
        put_below(
            seeds.world,
            "task_template",
            project["gid"],
            gid=seeds.gid(),
            name=f"{rng.choice(names.VERBS)} {rng.choice(names.THINGS)}{rng.choice(names.TAILS)}",
            project=project["gid"],
            created_by=seeds.person(),
            created_at=seeds.moment(),
            recipe=_recipe(seeds, k),
        )


def _recipe(seeds: Seeds, k: int) -> Rec:
    rng = seeds.rng
    held: Rec = {
        "description": rng.choice((*names.REMARKS, "")),
        "followers": seeds.some(2),
        "custom_fields": rng.sample(seeds.fields, min(len(seeds.fields), k)),
    }
    if k % 2:
        held |= {"relative_start_on": 1, "relative_due_on": 3, "due_time": "13:15:00.000Z"}
        held["task_resource_subtype"] = "approval_task"
        held["subtasks"] = [{"name": "Then look again 👀", "task_resource_subtype": "default_task"}]
    return held


# -- custom fields ------------------------------------------------------------------------------------


def _share_fields(seeds: Seeds) -> None:
    """The first fields and custom types have members with different rights, a team among them."""
    world = seeds.world
    types = list(world.inside.get(("custom_type", seeds.here), ()))
    for k, gid in enumerate((*seeds.fields[:3], *types[:2])):
        rec = world.records[gid]
        rec["members"] = list(dict.fromkeys([seeds.person(k), seeds.person(k + 1)]))
        rec["access"] = {rec["members"][0]: "admin", rec["members"][-1]: "editor"}
        if seeds.teams and k % 2 == 0:
            rec["member_teams"] = [seeds.teams[0]]

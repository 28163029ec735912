"""Lets agents stand where today only people do, as Asana has announced it for the next phase."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .draw import mix
from .render import Rec

if TYPE_CHECKING:
    from .world import World

SHARE = 0.2  # of all records of a kind that get an agent somewhere
STORIES_SHARE = 20  # one in so many tasks has stories by agents: each of these is kept from then on
SINGLE = {  # kind: fields that name one person
    "task": ("created_by", "completed_by"),
    "status_update": ("author",),
    "portfolio": ("created_by",),
    "task_template": ("created_by",),
}
LISTS = {  # kind: fields that name several
    "task": ("followers", "likes"),
    "project": ("members", "followers"),
    "tag": ("followers",),
    "status_update": ("likes",),
    "portfolio": ("members",),
    "goal": ("followers", "likes"),
}


def let_agents_act(world: World) -> None:
    """Rewrite a share of what names people to agents of the same workspace; the same for the same world.

    Nothing tells of it and no `modified_at` moves: it is meant for a world that nobody has read yet.
    """
    rng = random.Random(f"{world.seed}/agents")
    for rec in list(world.records.values()):
        kind = rec["resource_type"]
        agents = _agents(world, rec) if kind in SINGLE or kind in LISTS else []
        if agents and "trashed" not in rec:
            _rewrite(rng, rec, agents)
    for task in _talked_about(world):
        for story in world.keep_stories(task):
            if rng.random() < SHARE * 2:
                story["created_by"] = rng.choice(_agents(world, task))
    world.agents_everywhere = True


def _agents(world: World, rec: Rec) -> list[str]:
    """The living agents of the workspace that a record belongs to."""
    while "workspace" not in rec:
        rec = world.records[next(rec[key] for key in ("parent", "project") if key in rec)]
    return [agent["gid"] for agent in world.living(world.inside.get(("agent", rec["workspace"]), ()))]


def _rewrite(rng: random.Random, rec: Rec, agents: list[str]) -> None:
    kind = rec["resource_type"]
    for field in SINGLE.get(kind, ()):
        if rec.get(field) and rng.random() < SHARE:
            rec[field] = rng.choice(agents)
    for field in LISTS.get(kind, ()):
        if rng.random() < SHARE:
            held = rec.get(field, [])
            agent = rng.choice(agents)
            rec[field] = [*(other for other in held[1:] if other != agent), agent]


def _talked_about(world: World) -> Iterator[Rec]:
    """Some tasks with stories, and all goals with any."""
    tasks = [
        rec for rec in world.living(world.tasks) if mix(int(rec["gid"]) ^ world.seed) % STORIES_SHARE == 0
    ]
    goals = [rec for ws in world.workspaces for rec in world.living(world.inside.get(("goal", ws), ()))]
    for rec in (*tasks, *goals):
        if world.story_count(rec) and _agents(world, rec):
            yield rec

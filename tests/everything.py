"""Worlds that have some of everything, how they change, and what of it may lag behind Asana by its age."""

from __future__ import annotations

import contextlib
import json
import random
import re
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from truth import differences, unsound
from worlds import Listener, Mirrored, mirror

from asana_mirror import times
from asana_mirror.catalog import LISTINGS
from asana_mirror.sandbox import Limits, World, create_app, generate, random_edits
from asana_mirror.sandbox.edits_goals import change_goals
from asana_mirror.sandbox.edits_plan import change_plan
from asana_mirror.store.state import read_state

SCHEMA = Path(__file__).parents[1] / "schema" / "0005_everything.sql"
TABLES = tuple(re.findall(r"CREATE TABLE (\w+)", SCHEMA.read_text(encoding="utf-8")))
# Kinds that a mirror of the former version did not have, and lists of theirs that are kept as links.
KINDS = tuple(
    name
    for name in dict.fromkeys(listing.resource for listing in LISTINGS.values())
    if name in TABLES
    or name in ("custom_types", "project_briefs", "project_statuses", "project_templates", "status_updates")
)


def some_of_everything(seed: int, tasks: int = 60, **more: Any) -> World:
    """A small world: each of its records costs the tests a little time."""
    return generate(seed, tasks, **{"projects": 4, "stories_per_task": 1.0, "users": 8} | more)


def served(tmp_path: Path, world: World) -> Mirrored:
    """Not mirrored yet. Many short runs search more often than Asana allows in a minute."""
    return Mirrored(world, create_app(world, limits=Limits(search_per_minute=None)), tmp_path / "mirror.db")


def mirrored_world(tmp_path: Path, world: World, **options: Any) -> Mirrored:
    both = served(tmp_path, world)
    both.sync(**options)
    return both


def change_everything(world: World, rounds: int, seed: int) -> list[str]:
    """Edits of plans, goals and work at random, in words."""
    rng = random.Random(seed)
    said = random_edits(world, rounds, seed)
    for _ in range(rounds):
        said.append(change_plan(world, rng))
        with contextlib.suppress(LookupError):  # a free plan has no goals to change
            said.append(change_goals(world, rng))
    return said


def equal(both: Mirrored, **whose: bool) -> bool:
    found = differences(both.world, both.path, **whose)
    assert found == [], found
    assert (found := unsound(both.path)) == [], found
    return True


def after(days: float) -> Any:
    """As if so many days had passed on this machine's clock."""
    return patch.object(times, "clock", lambda: times.system_clock() + timedelta(days=days))


# -- requests ---------------------------------------------------------------------------------------------


def asked(both: Mirrored, **options: Any) -> list[tuple[str, dict[str, str]]]:
    """What one run asks for: path and query of each request, in their order."""
    listener = Listener(both.app)
    mirror(both.world, both.path, listener, **options)
    return [(request.path, dict(request.query)) for request in listener.requests]


def by_path(requests: list[tuple[str, dict[str, str]]]) -> Counter[str]:
    """How many requests went to each kind of path."""
    return Counter(re.sub(r"\d{6,}", "{}", path) for path, _ in requests)


def beyond(more: list[Any], fewer: list[Any]) -> Counter[str]:
    return by_path(more) - by_path(fewer)


# -- what is told --------------------------------------------------------------------------------------


def not_mirrored(both: Mirrored) -> list[dict[str, Any]]:
    """What `status --json` says is not mirrored."""
    told: list[dict[str, Any]] = json.loads(json.dumps(read_state(both.path)))["not_mirrored"]
    return told

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

from lag import Lag
from truth import LINKS, WHOLE_ROW, differences, unsound
from worlds import Listener, Mirrored, mirror, rows

from asana_mirror import times
from asana_mirror.catalog import LISTINGS, RESOURCES
from asana_mirror.sandbox import World, create_app, generate, random_edits
from asana_mirror.sandbox.edits_goals import change_goals
from asana_mirror.sandbox.edits_plan import change_plan

SCHEMA = Path(__file__).parents[1] / "schema" / "0005_everything.sql"
TABLES = tuple(re.findall(r"CREATE TABLE (\w+)", SCHEMA.read_text(encoding="utf-8")))
# Kinds that a mirror of the former version did not have, and lists of theirs that are kept as links.
KINDS = tuple(
    name
    for name in dict.fromkeys(listing.resource for listing in LISTINGS.values())
    if name in TABLES
    or name in ("custom_types", "project_briefs", "project_statuses", "project_templates", "status_updates")
)
DAY_S = 86_400.0


def some_of_everything(seed: int, tasks: int = 60, **more: Any) -> World:
    """A small world: each of its records costs the tests a little time."""
    return generate(seed, tasks, **{"projects": 4, "stories_per_task": 2.0, "users": 8} | more)


def mirrored_world(tmp_path: Path, world: World, **options: Any) -> Mirrored:
    both = Mirrored(world, create_app(world), tmp_path / "mirror.db")
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


# -- what lags --------------------------------------------------------------------------------------------


def lagging_tables() -> set[str]:
    """Tables of which a list that is read by its age alone is the only one, and what hangs on their rows."""
    told = {one.resource for one in LISTINGS.values() if one.each_run or one.events or not one.by_age}
    found = {one.kept.table for one in LISTINGS.values() if one.kept} | {
        one.resource for one in LISTINGS.values() if one.by_age and one.resource in RESOURCES
    }
    found -= told
    found |= {inside.resource for name in found & RESOURCES.keys() for inside in RESOURCES[name].embedded}
    return found | {links.table for name in found & RESOURCES.keys() for links in RESOURCES[name].links}


class AgeLag(Lag):
    """Tells of a difference whether it may be there until its age is up."""

    def __init__(self, both: Mirrored) -> None:
        super().__init__(both)
        self._tables = lagging_tables()
        self._listed = {
            rec["gid"]
            for rec in self._world.iter_records("portfolios")
            if rec["owner"]["gid"] == self._world.me
        }
        empty = "SELECT name, parent_gid FROM sync_checkpoints WHERE records = 0"
        self._unasked = {
            (LISTINGS[name].resource, gid) for name, gid in rows(both.path, empty) if name in LISTINGS
        }
        self._there = both.path

    def __call__(self, table: str, key: Any, column: str) -> bool:
        if table in self._tables or super().__call__(table, key, column):
            return True
        gid = key[0] if isinstance(key, tuple) else key
        owner = LINKS[table][0] if table in LINKS else table
        if (owner, self._workspace_of(gid)) in self._unasked:  # an empty list is asked for by its age only
            return True
        if owner == "portfolios":
            return gid not in self._listed
        return self._stands_on_what_lags(table, gid, column)

    def _stands_on_what_lags(self, table: str, gid: str, column: str) -> bool:
        """Sections of My Tasks, attachments of briefs, stories of goals, reactions to what lags, settings."""
        row = self._row(table, gid)
        if table == "sections":
            return not row.get("project_gid")
        if table == "attachments":
            return row.get("parent_type") == "project_brief"
        if table in ("stories", "story_likes"):
            return self._row("stories", gid).get("target_type") == "goal"
        if table == "reactions":
            return row.get("target_type") != "story" or self._lags(row["target_gid"])
        if table == "custom_field_settings":
            return row.get("parent_type") == "portfolio" and row["parent_gid"] not in self._listed
        return False

    def _workspace_of(self, gid: str) -> str | None:
        rec = self._world.records.get(gid, {})
        return rec.get("workspace")

    def _lags(self, story: str) -> bool:
        return self("stories", story, WHOLE_ROW) or super().__call__("stories", story, "reaction_summary")

    def _row(self, table: str, gid: str) -> dict[str, Any]:
        """As the mirror has it, else as Asana does."""
        found = [] if table in LINKS else rows(self._there, f"SELECT * FROM {table} WHERE gid = ?", gid)
        if found:
            return dict(found[0])
        record = {}
        with contextlib.suppress(KeyError):
            record = self._world.record(gid)
        for name in ("target", "parent", "project"):
            if isinstance(record.get(name), dict):
                record |= {f"{name}_gid": record[name]["gid"], f"{name}_type": record[name]["resource_type"]}
        return record


def _column(both: Mirrored, sql: str) -> set[str]:
    return {row[0] for row in rows(both.path, sql)}


def equal_but_for_age(both: Mirrored) -> bool:
    found = differences(both.world, both.path, besides=AgeLag(both))
    assert found == [], found
    assert (found := unsound(both.path)) == [], found
    return True


def not_mirrored(both: Mirrored) -> dict[str, dict[str, Any]]:
    """What `status` says is not mirrored, by its words."""
    from asana_mirror.store.state import read_state

    told = json.loads(json.dumps(read_state(both.path)))["not_mirrored"]
    assert len({one["words"] for one in told}) == len(told), "one line for each kind and reason"
    return {one["words"]: one for one in told}

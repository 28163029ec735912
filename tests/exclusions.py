"""Worlds of which a part is excluded: what must stay out, said by the world's own records and by nothing else."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lag import AgeLag
from truth import LINKS, RESOURCES, differences, unsound
from worlds import Listener, Mirrored, rows

from asana_mirror.exclusion import Exclusion
from asana_mirror.sandbox import World, create_app, generate

# A wanted task shows what it was given in an excluded project too: the values, and what they are called.
NAMED_BY_VALUES = ("custom_fields", "enum_options")
WHERE_IT_STANDS = "memberships.project.gid,parent.gid"
ON_SOMETHING = {  # what stands on something: the field that says on what
    **dict.fromkeys(
        ("sections", "project_briefs", "project_portfolio_settings", "task_templates"), "project"
    ),
    **dict.fromkeys(
        (
            "status_updates",
            "project_memberships",
            "custom_type_memberships",
            "allocations",
            "budgets",
            "rates",
        ),
        "parent",
    ),
    **dict.fromkeys(("access_requests", "stories"), "target"),
    "attachments": "parent",
    "team_memberships": "team",
}
HIDDEN = Exclusion(archived=True, private=True)


def small(seed: int = 21) -> World:
    return generate(seed, 120, projects=10, stories_per_task=3.0)


@dataclass
class Partly(Mirrored):
    """A world, its mirror, and what the mirror is told to leave out; every request is listened to."""

    exclude: Exclusion = HIDDEN
    listener: Listener = field(init=False)

    def __post_init__(self) -> None:
        self.listener = Listener(self.app)

    def sync(self, **options: Any) -> Any:
        from worlds import mirror

        self.listener.requests.clear()
        return mirror(self.world, self.path, self.listener, **({"exclude": self.exclude} | options))

    def out(self) -> set[str]:
        return left_out(self.world, self.exclude)

    def asked_about(self, gids: Iterable[str]) -> list[str]:
        """Requests of the last run that name one of these, but for where a parent stands."""
        wanted = set(gids)
        return [
            f"{one.path}?{one.query}"
            for one in self.listener.requests
            if dict(one.query).get("opt_fields") != WHERE_IT_STANDS
            and wanted & {*re.findall(r"\d{6,}", one.path), *(value for _, value in one.query)}
        ]

    def is_right(self) -> bool:
        """Whatever is wanted is equal, and of the rest nothing is here that ever came by a sync."""
        assert (found := self.differences()) == [], found[:20]
        assert (found := unsound(self.path)) == [], found
        return True

    def is_clean(self) -> bool:
        """And nothing else is in the mirror."""
        assert (found := traces(self.path, self.out())) == [], found[:20]
        return self.is_right()

    def differences(self, *, but_for_age: bool = False) -> list[str]:
        out, lag = self.out(), AgeLag(self)
        found = differences(self.world, self.path, besides=lambda *where: but_for_age and lag.by_age(*where))
        return [line for line in found if not out & set(re.findall(r"\d{6,}", line))]


def partly(path: Path, exclude: Exclusion, world: World | None = None) -> Partly:
    world = world or small()
    return Partly(world, create_app(world), path / "mirror.db", exclude)


# -- what must stay out -------------------------------------------------------------------------------


def excluded_projects(world: World, exclude: Exclusion) -> set[str]:
    return {
        one["gid"]
        for one in world.iter_records("projects")
        if one["gid"] in exclude.projects
        or (one["team"] or {}).get("gid") in exclude.teams
        or (exclude.archived and one["archived"])
        or (exclude.private and one["privacy_setting"] == "private")
    }


def left_out(world: World, exclude: Exclusion) -> set[str]:
    """The gids of everything that must not come in."""
    projects = excluded_projects(world, exclude)
    places = {*projects, *exclude.teams}
    tasks = _tasks(world, projects)
    out = {*places, *tasks, *_fields(world, places)}
    out |= set(_types(world, projects))
    for resource, place in ON_SOMETHING.items():
        out |= {one["gid"] for one in world.iter_records(resource) if (one[place] or {}).get("gid") in out}
    out |= {rec["gid"] for rec in world.truth.existing("reactions") if rec["target"] in out}
    return out


def _types(world: World, projects: set[str]) -> Iterator[str]:
    """The custom types that only these projects have, and their options."""
    held = {
        project["gid"]: set(project.get("custom_types", ())) for project in world.truth.existing("projects")
    }
    shown = set().union(*(types for project, types in held.items() if project not in projects))
    for gid in set().union(*held.values()) - shown:
        yield gid
        yield from (option["gid"] for option in world.record(gid)["status_options"] or ())


def _tasks(world: World, projects: set[str]) -> set[str]:
    known = {one["gid"]: one for one in world.iter_records("tasks")}

    def is_out(gid: str) -> bool:
        places = [place["project"]["gid"] for place in known[gid]["memberships"]]
        parent = (known[gid]["parent"] or {}).get("gid")
        return set(places) <= projects if places else parent in known and is_out(parent)

    return {gid for gid in known if is_out(gid)}


def _fields(world: World, places: set[str]) -> Iterator[str]:
    """Settings of these places, and the custom fields that stand nowhere else."""
    places_with_fields = ("projects", "teams", "portfolios", "goals")
    settings = {
        place: found for kind in places_with_fields for place, found in _settings(world, kind).items()
    }
    shown = {gid for place, found in settings.items() if place not in places for gid in found.values()}
    shown |= {one["gid"] for one in world.iter_records("custom_fields") if one["is_global_to_workspace"]}
    for place in places & settings.keys():
        yield from settings[place]
        for gid in set(settings[place].values()) - shown:
            yield gid
            yield from (option["gid"] for option in world.record(gid).get("enum_options") or ())


def _settings(world: World, resource: str) -> dict[str, dict[str, str]]:
    return {
        one["gid"]: {
            each["gid"]: world.record(each["gid"])["custom_field"]["gid"]
            for each in one["custom_field_settings"]
        }
        for one in world.iter_records(resource)
        if one.get("custom_field_settings")
    }


def traces(path: Path, out: set[str]) -> list[str]:
    """What a mirror has of these besides nameless rows that other rows refer to."""
    found = []
    with closing(sqlite3.connect(path)) as db:
        for table in RESOURCES:
            names = {column[1] for column in db.execute(f"PRAGMA table_info({table})")}
            name = "name" if "name" in names else "NULL"
            for gid, is_whole, called in db.execute(
                f"SELECT gid, _synced_at IS NOT NULL, {name} FROM {table}"
            ):
                if gid in out and (is_whole or (called and table not in NAMED_BY_VALUES)):
                    found.append(f"{table} {gid} {called or ''}")
        for table, (_, owner, other) in LINKS.items():
            keys = db.execute(f"SELECT {owner}, {other} FROM {table}").fetchall()
            others = out if table == "task_projects" else ()
            found += [f"{table} {a}/{b}" for a, b in keys if a in out or b in others]
    return found


def stand(path: Path, gids: Iterable[str]) -> dict[str, Any]:
    """The whole rows under these gids, with their books."""
    wanted = set(gids)
    return {
        f"{table} {one['gid']}": tuple(one)
        for table in RESOURCES
        for one in rows(path, f"SELECT * FROM {table} WHERE _synced_at IS NOT NULL")
        if one["gid"] in wanted
    }


def a_task(world: World, fits: Callable[[dict[str, Any]], Any]) -> str:
    return next(one["gid"] for one in map(world.record, sorted(world.reachable_tasks())) if fits(one))

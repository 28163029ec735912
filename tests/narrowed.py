"""What belongs to a project, in Asana and in its mirror, so that the rest can be seen to stay as it was."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from lag import AgeLag
from truth import LINKS, RESOURCES, differences
from worlds import Mirrored, rows

from asana_mirror.sandbox import World, create_app

IN_PROJECTS = {  # table: the field that says in which project
    **dict.fromkeys(("project_memberships", "status_updates", "allocations", "budgets", "rates"), "parent"),
    **dict.fromkeys(("project_briefs", "project_portfolio_settings", "task_templates"), "project"),
    "access_requests": "target",
}
Rows = dict[str, dict[tuple[Any, ...], tuple[Any, ...]]]


def of_projects(world: World, projects: Iterable[str]) -> set[str]:
    """Gids of projects, and of all that stands in them: sections, tasks, what is below and on tasks, plans, people."""
    found = set(projects)
    for table, place in IN_PROJECTS.items():
        found.update(one["gid"] for one in world.iter_records(table) if one[place]["gid"] in found)
    for project in projects:
        found.update(gid for gid in world.records[project].get("sections", ()) if world.alive(gid))
    tasks = [gid for project in projects for gid in world.project_order(project)]
    return found | with_what_is_on(world, tasks)


def with_what_is_on(world: World, gids: Iterable[str]) -> set[str]:
    """These, and what is below and on them."""
    found: set[str] = set()
    waiting = list(gids)
    while waiting:
        gid = waiting.pop()
        if gid not in found and world.alive(gid):
            found.add(gid)
            waiting += world.records[gid].get("subtasks", ())
    for table, on in (("stories", "target"), ("attachments", "parent")):
        found.update(record["gid"] for record in world.iter_records(table) if record[on]["gid"] in found)
    found.update(rec["gid"] for rec in world.truth.existing("reactions") if rec["target"] in found)
    return found


def differences_in(world: World, path: Path, gids: set[str]) -> list[str]:
    """Where these and their links differ, but for what may lag."""
    return [line for line in unlike(world, path) if line.split()[1].rstrip(":").split("/")[0] in gids]


def unlike(world: World, path: Path) -> list[str]:
    """Where mirror and Asana differ, but for what may lag.

    That is order, names shown elsewhere, comments nobody tells of, and what is read by its age.
    """
    lag = AgeLag(Mirrored(world, create_app(world), path))
    heard = of_projects(world, [record["gid"] for record in world.iter_records("projects")])

    def may_lag(table: str, key: Any, column: str) -> bool:
        if column in ("position", "display_value") or (table == "stories" and key not in heard):
            return True
        return lag(table, key, column)

    return differences(world, path, besides=may_lag)


def everything(path: Path) -> Rows:
    """Every row of every table, its bookkeeping with it."""
    found: Rows = {}
    with closing(sqlite3.connect(path)) as db:
        for table in (*RESOURCES, *LINKS):
            keys = LINKS[table][1:] if table in LINKS else ("gid",)
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            others = [column for column in columns if column not in keys]
            width = len(keys)
            sql = f"SELECT {', '.join((*keys, *others))} FROM {table}"
            found[table] = {row[:width]: row[width:] for row in db.execute(sql)}
    return found


def changed_outside(before: Rows, after: Rows, gids: set[str]) -> list[str]:
    """Rows of nothing that belongs to these gids which came, went or changed. A stub may come: it is a mention."""
    found = []
    for table in before:
        for key in before[table].keys() | after[table].keys():
            stood, stands = before[table].get(key), after[table].get(key)
            if stood == stands or gids & set(key):
                continue
            if stood is None and table in RESOURCES and stands is not None and set(stands[-5:]) == {None}:
                continue
            found.append(f"{table} {key}: {stood} → {stands}")
    return found


def tokens(path: Path) -> dict[str, str]:
    """The token of each project's stream."""
    sql = "SELECT parent_gid, cursor FROM sync_checkpoints WHERE name = 'events'"
    return {row["parent_gid"]: row["cursor"] for row in rows(path, sql)}

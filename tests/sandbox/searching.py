"""What the tests of search share: a search without a rate limit, and its answers as gids."""

from __future__ import annotations

from typing import Any

from asana_mirror.sandbox import Limits, World


def limits(lag_s: float = 0.0) -> Limits:
    return Limits(search_per_minute=None, search_lag_s=lag_s)  # the clock of the tests stands still


def path(world: World) -> str:
    return f"/workspaces/{world.workspaces[0]}/tasks/search"


def search(front: Any, **query: Any) -> list[str]:
    """The gids of one page, in order; dots of parameters are written as two underscores."""
    named = {name.replace("__", "."): value for name, value in query.items()}
    return [record["gid"] for record in front.data(path(front.world), **named)]


def search_all(front: Any, **query: Any) -> set[str]:
    """All that matches, by following created_at as Asana recommends; for less than 99 tasks of one instant."""
    order = {"sort_by": "created_at", "sort_ascending": "true"}
    found: set[str] = set()
    while True:
        page = search(front, **query, **order)
        found.update(page)
        if len(page) < 100:
            return found
        instants = sorted({front.world.records[gid]["created_at"] for gid in page})
        query["created_at__after"] = instants[-2]  # of the last instant some may be missing


def tasks(world: World) -> list[dict[str, Any]]:
    """The whole API JSON of every task in the first workspace."""
    home = world.workspaces[0]
    return [rec for rec in world.iter_records("tasks") if rec["workspace"]["gid"] == home]

"""GET /workspaces/{}/tasks/search: any task of a workspace, a hundred at a time, without offsets.

It looks in an index that lags behind, shows what it finds as it is now, and orders equals differently each time.
https://developers.asana.com/reference/searchtasksforworkspace
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, islice
from typing import Any

from .asks import Ask, Refused, bad
from .draw import mix
from .reads import Answer
from .render import Rec, renderer
from .search_by import WINDOW, Index, flag, moment, tests

Hit = tuple[Rec, Rec]  # the task as it is, and as search knows it
KEYS: dict[str, Callable[[Rec], Any]] = {
    "created_at": lambda then: then["created_at"],
    "modified_at": lambda then: then["modified_at"],
    "completed_at": lambda then: then.get("completed_at") or "",
    "due_date": lambda then: then.get("due_at") or then.get("due_on") or "",
    "likes": lambda then: len(then.get("likes", ())),
    "relevance": lambda then: 0,  # Asana does not say what it is: any order will do
}


def search(ask: Ask) -> Answer:
    """Found tasks, newest change first unless `sort_by` says otherwise; 402 without a premium plan."""
    if ask.world.plan == "free" or not ask.limits.premium:
        raise Refused(402, "Advanced search requires a premium plan")
    workspace = ask.rec("workspace")["gid"]
    limit = int(ask.query.get("limit", "100")) if ask.query.get("limit", "100").isdecimal() else 0
    if not 1 <= limit <= 100:
        raise bad("limit: Value is not between 1 and 100")
    shown = (
        rec
        for rec, _ in _ordered(ask)
        if rec["workspace"] == workspace and "trashed" not in rec and ask.sees(rec)
    )
    found = list(islice(shown, limit))
    render = renderer("task", "compact", ask.query.get("opt_fields"))
    ask.view.links += len(found)
    return {"data": [render(ask.view, rec) for rec in found]}


def _ordered(ask: Ask) -> Iterator[Hit]:
    """What matches, in the order asked for; lazily, since a page is often all that is taken."""
    sort = ask.query.get("sort_by", "modified_at")
    if sort not in KEYS:
        raise bad(f"sort_by: Not a valid order: {sort}")
    ascending = flag("sort_ascending", ask.query.get("sort_ascending", "false"))
    window = _window(ask)
    hits: Iterable[Hit] = _hits(ask, window if ascending else reversed(window))
    if sort != "created_at":  # in that order they come anyway
        hits = sorted(hits, key=lambda hit: KEYS[sort](hit[1]), reverse=not ascending)
    return _equals_shuffled(ask, hits, KEYS[sort])


def _window(ask: Ask) -> list[Rec]:
    """Tasks of the asked-for time of creation, oldest first: this filter alone finds without a walk."""
    bounds = (moment(name, ask.query[name]) if name in ask.query else None for name in WINDOW)
    return ask.world.by_creation.window(ask.world, *bounds)


def _hits(ask: Ask, recs: Iterable[Rec]) -> Iterator[Hit]:
    index = Index(ask.world, ask.limits.search_lag_s)
    wanted = tests(ask, index)
    for rec in recs:
        then = index.known(rec)
        if then is not None and all(test(then) for test in wanted):
            yield rec, then


def _equals_shuffled(ask: Ask, hits: Iterable[Hit], key: Callable[[Rec], Any]) -> Iterator[Hit]:
    """Results are not stable: what the order leaves open comes differently each time, as the seed has it."""
    world = ask.world
    world.searches += 1
    rng = random.Random(mix(world.seed * 1_000_003 + world.searches))
    for _, equals in groupby(hits, lambda hit: key(hit[1])):
        lot = list(equals)
        if len(lot) > 1:
            rng.shuffle(lot)
        yield from lot

"""Long lists of everything that is new: offsets die, records vanish between two pages, single ones when asked for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from everything import equal, served, some_of_everything
from truth import differences
from worlds import Listener, Mirrored, Rewriter, mirror, row, rows

from asana_mirror.catalog import LISTINGS
from asana_mirror.sandbox import create_app

Record = dict[str, Any]
SMALL: dict[str, Any] = {"tasks": 12, "projects": 3, "users": 5}

PAGED = (
    *("/goals", "/portfolios", "/memberships", "/status_updates", "/time_tracking_entries", "/roles"),
    *("/time_periods", "/goal_relationships", "/portfolios/{}/items", "/users/me/favorites", "/reactions"),
    *("/projects/{}/project_statuses", "/allocations", "/rates", "/ooo_entries", "/custom_types"),
    *("/workspaces/{}/workspace_memberships", "/time_tracking_categories", "/project_templates"),
)


class _ShortPages(Listener):
    """Lets every list have pages of two records, and offsets die once in each of them."""

    def __init__(self, app: Any, dies: bool) -> None:
        super().__init__(app)
        self.dies = dies
        self.died: set[str] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        text = scope["query_string"].decode()
        place = re.sub(r"[&?](offset|limit)=[^&]*", "", f"?{text}")
        template = re.sub(r"\d{6,}", "{}", scope["path"].removeprefix("/api/1.0"))
        if "offset=" in text and self.dies and f"{scope['path']}{place}" not in self.died:
            self.died.add(f"{scope['path']}{place}")
            text = re.sub(r"offset=[^&]*", "offset=dead", text)
        if template in PAGED:
            text = re.sub(r"\blimit=100\b", "limit=2", text)
        await super().__call__({**scope, "query_string": text.encode()}, receive, send)


@pytest.mark.parametrize("dies", [False, True])
def test_lists_have_pages_and_their_offsets_die(tmp_path: Path, dies: bool) -> None:
    world = some_of_everything(173, **SMALL)
    path = tmp_path / "mirror.db"
    short = _ShortPages(create_app(world), dies)

    mirror(world, path, short)

    paged = {re.sub(r"\d{6,}", "{}", r.path) for r in short.requests if "offset" in dict(r.query)}
    assert len(paged & set(PAGED)) >= 12
    assert bool(short.died) == dies
    assert differences(world, path) == []
    assert not [p for p in rows(path, "SELECT * FROM sync_problems") if p["status"] not in (403, 400)]
    mirror(world, path, short, max_age_s=0)
    assert differences(world, path) == []


def test_who_vanishes_between_two_pages_hides_no_other(tmp_path: Path) -> None:
    world = some_of_everything(174, **SMALL)
    app = create_app(world)
    both = Mirrored(world, app, tmp_path / "mirror.db")
    for number in range(6):
        both.write("POST", "/goals", name=f"Goal {number}", workspace=world.workspaces[0])
    goals = [record["gid"] for record in world.iter_records("goals")]
    seen = 0

    def vanish(path: str, envelope: Record) -> None:
        nonlocal seen
        seen += path == "/goals"
        if path == "/goals" and seen == 1 and world.alive(goals[0]):
            world.records[goals[0]]["trashed"] = goals[0]

    mirror(world, both.path, _ShortPages(Rewriter(app, vanish), False))

    alive = {record["gid"] for record in world.iter_records("goals")}
    assert seen > 3
    both.sync(max_age_s=0)
    assert alive == {g for g in goals if both.is_alive("goals", g)}
    assert equal(both)


@pytest.mark.parametrize("path", ["/budgets", "/access_requests"])
def test_a_next_page_that_leads_to_itself_is_given_up_and_nothing_is_lost(tmp_path: Path, path: str) -> None:
    """Where no pages are described there may be some one day; so the way on is tried."""

    def promise(its: str, envelope: Record) -> None:
        if its == path:
            envelope["next_page"] = {"offset": "more", "path": "/more", "uri": "https://more.example"}

    world = some_of_everything(175, **SMALL)
    both = served(tmp_path, world)
    assert mirror(world, both.path, Rewriter(both.app, promise)).outcome == "complete"
    assert differences(world, both.path) == []
    assert mirror(world, both.path, Rewriter(both.app, promise), full=True).rows_deleted == 0
    both.sync(max_age_s=0)
    assert [p for p in rows(both.path, "SELECT * FROM sync_problems") if p["listing"].startswith(path)] == []


# -- records that are gone when they are asked for ----------------------------------------------------


@pytest.mark.parametrize("kind", ["portfolios", "project_briefs"])
def test_a_record_that_is_gone_when_it_is_read_by_itself_stops_nothing(tmp_path: Path, kind: str) -> None:
    world = some_of_everything(176, **SMALL)
    gone: list[str] = []

    async def vanish(scope: Any, receive: Any, send: Any) -> None:
        found = re.fullmatch(rf"/api/1.0/{kind}/(\d+)", scope["path"])
        if found and (not gone or found[1] in gone):
            gone[:] = [found[1]]
            world.records[found[1]]["trashed"] = found[1]
        await app(scope, receive, send)

    app = create_app(world)
    path = tmp_path / "mirror.db"
    report = mirror(world, path, vanish)

    assert gone
    assert report.outcome == "complete"
    there = row(path, kind, gone[0])
    assert there is None or there["_synced_at"] is None or there["_deleted_at"] is not None
    mirror(world, path, app, max_age_s=0)
    assert differences(world, path) == []


def test_every_new_list_is_met_in_these_worlds() -> None:
    """So that no kind of list is left out of what is said here."""
    paths = {re.sub(r"\{\w+\}", "{}", one.path.partition("?")[0]) for one in LISTINGS.values()}
    assert set(PAGED) <= paths

"""What later runs may cost, counted by the sandbox: requests, rows, bytes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from truth import differences
from worlds import Mirrored, mirrored, quiet_may_cost

from asana_mirror.run import Report
from asana_mirror.sandbox import World, generate

EDITS_MAY_COST = 240  # of a hundred tasks in ten projects
WRITTEN_WHEN_QUIET = 8192  # bytes for each request: where its listing stands


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Mirrored:
    world = generate(41, 1500, projects=50, stories_per_task=2.0)
    return mirrored(tmp_path_factory.mktemp("costs"), world)


def counted(both: Mirrored) -> tuple[Report, int, int]:
    """A run, the requests that the sandbox counted, and the bytes written: a reader keeps them all in the WAL."""
    wal = Path(f"{both.path}-wal")
    both.app.stats.reset()
    with closing(sqlite3.connect(both.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT 1 FROM sync_runs").fetchone()
        report = both.sync()
        return report, both.app.stats.requests, wal.stat().st_size


def top_level_tasks(world: World, projects: int, each: int) -> Iterator[str]:
    found: set[str] = set()
    for project in world.inside["project", world.workspaces[0]]:
        tops = [
            gid
            for gid in world.project_order(project)
            if not world.records[gid].get("parent") and gid not in found
        ]
        if len(tops) >= each and projects:
            projects -= 1
            found.update(tops[:each])
            yield from tops[:each]


def may_lag(table: str, key: Any, column: str) -> bool:
    return column == "display_value"  # it shows names from elsewhere


def test_a_quiet_run_asks_each_stream_each_collection_each_person_and_each_tag_once(both: Mirrored) -> None:
    report, requests, written = counted(both)

    assert requests == report.requests <= quiet_may_cost(both.world)
    assert (report.rows_inserted, report.rows_updated, report.rows_deleted) == (0, 0, 0)
    assert written < requests * WRITTEN_WHEN_QUIET


def test_a_hundred_edits_in_ten_projects_cost_little_more_than_a_quiet_run(both: Mirrored) -> None:
    edited = list(top_level_tasks(both.world, 10, 10))
    assert len(edited) == 100
    for number, gid in enumerate(edited):
        if number % 2:
            both.write("PUT", f"/tasks/{gid}", name=f"Renamed {number}")
        else:
            both.write("POST", f"/tasks/{gid}/stories", text=f"Said {number}")

    report, requests, _ = counted(both)

    assert requests <= quiet_may_cost(both.world) + EDITS_MAY_COST
    assert report.rows_inserted == 100  # the comments, and what Asana writes about a new name
    assert report.rows_updated <= 110
    assert differences(both.world, both.path, besides=may_lag) == []


def test_what_a_run_rewrote_once_it_leaves_alone_in_the_next(both: Mirrored) -> None:
    for gid in top_level_tasks(both.world, 3, 3):
        both.write("PUT", f"/tasks/{gid}", completed=True)
    both.sync()

    report, requests, _ = counted(both)

    assert (report.rows_inserted, report.rows_updated) == (0, 0)
    assert requests <= quiet_may_cost(both.world)

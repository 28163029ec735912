"""Later runs: what changed arrives, what is quiet is left alone, in whatever order things happen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lag import equal_at_last, equal_but_for_lag
from second_runs import both as both
from second_runs import equal, task_with
from truth import LINKS, RESOURCES, differences, unsound
from worlds import Mirrored, mirror, mirrored, rows

from asana_mirror.sandbox import create_app, generate, random_edits
from asana_mirror.sandbox.edits import WEIGHTS


def test_nothing_falls_between_the_lists_of_a_project(tmp_path: Path) -> None:
    """A section that comes between reading the sections and the tasks is told by a stream opened before both."""
    world = generate(39, 60, projects=3, stories_per_task=1.0)
    both = Mirrored(world, create_app(world), tmp_path / "mirror.db")
    asked: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope["path"].rpartition("/")[2])
        if asked[-1] == "events" and asked.count("events") == 3:
            random_edits(world, 8, 39, ["section_new"])
        await both.app(scope, receive, send)

    mirror(world, both.path, app)
    both.sync()
    assert equal(both)


# -- what changed -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [31, 32, 33, 34])
def test_after_two_hundred_edits_a_second_run_makes_them_equal_again(tmp_path: Path, seed: int) -> None:
    world = generate(seed, 300, workspaces=1 + seed % 2)
    both = mirrored(tmp_path, world)
    assert len(random_edits(world, 200, seed)) == 200
    assert differences(world, both.path)

    assert both.sync().mode == "changes"

    assert equal_but_for_lag(both)
    assert equal_at_last(both)


def test_many_runs_with_edits_between_them_stay_equal(tmp_path: Path) -> None:
    world = generate(35, 100)
    both = mirrored(tmp_path, world)
    for seed in range(6):
        random_edits(world, 40, seed)
        both.sync(max_deletes=1000)
        assert equal_but_for_lag(both)
    assert equal_at_last(both)


def _busy(both: Mirrored, every: int, seed: int) -> Any:
    """The app of a busy office: a few edits between every so many answers."""

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        if both.app.stats.requests % every == every - 1:
            random_edits(both.world, 2, seed + both.app.stats.requests)
        await both.app(scope, receive, send)

    return wrapped


@pytest.mark.parametrize("seed", [37, 38])
def test_edits_made_while_a_run_reads_are_there_after_the_next_one(tmp_path: Path, seed: int) -> None:
    world = generate(seed, 100, stories_per_task=3.0)
    both = Mirrored(world, create_app(world), tmp_path / "mirror.db")
    for _ in range(2):
        mirror(world, both.path, _busy(both, 8, seed), max_deletes=1000)
        assert unsound(both.path) == []
        both.sync(max_deletes=1000)
        assert equal_but_for_lag(both)
    assert equal_at_last(both)


@pytest.mark.parametrize("kind", sorted(WEIGHTS))
def test_edits_of_one_kind_alone_arrive(tmp_path: Path, kind: str) -> None:
    """Alone, so that no other edit brings along what this one should have brought."""
    world = generate(36, 90, projects=8, stories_per_task=4.0)
    both = mirrored(tmp_path, world)
    assert random_edits(world, 12, 1, kinds=[kind])

    assert both.sync(max_deletes=1000).mode == "changes"

    assert equal_but_for_lag(both)
    assert equal_at_last(both)


def _everything(path: Path) -> dict[str, list[Any]]:
    tables = (*RESOURCES, *LINKS, "actors")
    return {table: [tuple(row) for row in rows(path, f"SELECT * FROM {table}")] for table in tables}


def test_a_quiet_second_run_writes_nothing(both: Mirrored) -> None:
    before = _everything(both.path)

    report = both.sync()

    assert (report.rows_inserted, report.rows_updated, report.rows_deleted) == (0, 0, 0)
    assert _everything(both.path) == before


def test_a_run_writes_only_the_row_that_changed(both: Mirrored) -> None:
    task = task_with(both.world, lambda record: record["memberships"])
    both.write("PUT", f"/projects/{task['memberships'][0]['project']['gid']}", color="dark-red", notes="New")
    before = _everything(both.path)

    report = both.sync()

    changed = {
        (table, row[0])
        for table, found in _everything(both.path).items()
        for row in set(found) - set(before[table])
    }
    assert changed == {("projects", task["memberships"][0]["project"]["gid"])}
    assert (report.rows_inserted, report.rows_updated) == (0, 1)
    marked = rows(both.path, "SELECT gid FROM projects WHERE _changed_run = ?", report.run)
    assert [row["gid"] for row in marked] == [task["memberships"][0]["project"]["gid"]]

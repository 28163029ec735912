"""Gaps: tokens died, so events are lost for good. All is right again at once but for what may lag, and that in time."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lag import equal_but_for_lag, tasks_without_a_stream
from truth import differences, unsound
from worlds import Listener, Mirrored, mirror, mirrored, rows, value

from asana_mirror import listening
from asana_mirror.errors import Interrupted
from asana_mirror.run import Stop
from asana_mirror.sandbox import Limits, create_app, generate, random_edits

DAY_S = 86_400
WEEK_DAYS = 7


class Clock:
    """The sandbox's clock, which can be put forward."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


def _let_wait_since(both: Mirrored, days: float) -> None:
    """As if what waits had been put off so long ago."""
    since = datetime.now(UTC) - timedelta(days=days)
    with closing(sqlite3.connect(both.path)) as db, db:
        db.execute(
            "UPDATE sync_checkpoints SET waiting_since = ? WHERE waiting_since IS NOT NULL",
            [since.strftime("%Y-%m-%dT%H:%M:%S.000Z")],
        )


def _waiting(both: Mirrored) -> set[str]:
    sql = "SELECT parent_gid FROM sync_checkpoints WHERE waiting_since IS NOT NULL"
    return {row[0] for row in rows(both.path, sql)}


def _read_stories_of(listener: Listener) -> set[str]:
    return {r.path.split("/")[2] for r in listener.requests if r.path.endswith("/stories")}


def _is_equal(both: Mirrored) -> bool:
    assert (found := differences(both.world, both.path)) == [], found
    assert (found := unsound(both.path)) == [], found
    return True


@pytest.fixture
def interrupted(tmp_path: Path) -> tuple[Mirrored, set[str]]:
    """A first walk that was stopped two days ago, much having changed since; tasks whose stories it had read."""
    clock = Clock()
    world = generate(61, 250, projects=8, stories_per_task=3.0)
    app = create_app(world, clock=clock)
    both = Mirrored(world, app, tmp_path / "mirror.db")
    stop, enough = Stop(), sum(world.pages_to_read().values()) * 2 // 5
    listener = Listener(app)

    async def stopping(scope: Any, receive: Any, send: Any) -> None:
        await listener(scope, receive, send)
        if app.stats.requests >= enough:
            stop.set()

    with pytest.raises(Interrupted):
        mirror(world, both.path, stopping, stop=stop)
    clock.ahead_s = 2 * DAY_S
    random_edits(world, 60, 61)
    random_edits(world, 25, 62, kinds=["comment_edit", "comment_react"])  # which move no modified_at
    return both, _read_stories_of(listener)


def test_a_walk_that_is_taken_up_after_two_days_is_right_at_once_but_for_what_may_lag(
    interrupted: tuple[Mirrored, set[str]],
) -> None:
    both, _ = interrupted

    report = both.sync()

    assert (report.mode, report.resumed) == ("first", True)
    assert both.app.stats.count(template="/events", status=412) >= len(
        rows(both.path, "SELECT * FROM sync_checkpoints WHERE name = 'events'")
    )
    assert report.waiting == len(_waiting(both)) > 0
    assert differences(both.world, both.path)
    assert equal_but_for_lag(both)


def test_it_reads_at_once_only_the_stories_of_tasks_that_changed(
    interrupted: tuple[Mirrored, set[str]],
) -> None:
    both, read_before = interrupted
    listener = Listener(both.app)

    mirror(both.world, both.path, listener)

    # In a column or in a link: where a task stands and who follows it is told by stories that move nothing.
    changed = {row["gid"] for row in rows(both.path, "SELECT gid FROM tasks WHERE _changed_run > 1")}
    assert len(read_before) > 100
    assert _read_stories_of(listener) & read_before <= changed
    assert read_before - changed <= _waiting(both) | tasks_without_a_stream(both)


def test_what_waits_is_read_by_and_by_within_a_week(interrupted: tuple[Mirrored, set[str]]) -> None:
    both, _ = interrupted
    both.sync()
    at_first = _waiting(both)
    both.sync()
    assert len(_waiting(both)) >= 0.9 * len(at_first)  # each has its own turn, and hardly any is due by now

    _let_wait_since(both, WEEK_DAYS / 2)
    both.sync()
    assert 0.25 * len(at_first) < len(_waiting(both)) < 0.75 * len(at_first)

    _let_wait_since(both, WEEK_DAYS)
    both.sync()
    assert _waiting(both) == set()
    both.sync(max_age_s=0)  # positions, memberships, comments of which no stream tells
    assert _is_equal(both)


def test_what_waits_comes_at_once_where_nothing_may_be_old(
    interrupted: tuple[Mirrored, set[str]],
) -> None:
    both, _ = interrupted
    assert both.sync().waiting > 0

    assert both.sync(max_age_s=0).waiting == 0

    assert _is_equal(both)


def test_a_full_run_leaves_nothing_to_wait(interrupted: tuple[Mirrored, set[str]]) -> None:
    both, _ = interrupted
    both.sync()

    assert both.sync(full=True).waiting == 0

    assert _is_equal(both)


@pytest.mark.parametrize("seed", [63, 64])
def test_after_a_holiday_of_the_mirror_all_is_right_again(tmp_path: Path, seed: int) -> None:
    """The walk was complete; then no run for two days."""
    clock = Clock()
    world = generate(seed, 150, stories_per_task=3.0)
    both = Mirrored(world, create_app(world, clock=clock), tmp_path / "mirror.db")
    both.sync()
    clock.ahead_s = 2 * DAY_S
    random_edits(world, 100, seed)
    before = both.app.stats.requests

    report = both.sync(max_deletes=1000)

    assert equal_but_for_lag(both)
    assert report.drift == 0  # a gap is no fault of the streams
    assert both.app.stats.requests - before < sum(world.pages_to_read().values())
    both.sync(max_age_s=0, max_deletes=1000)
    assert _is_equal(both)


def test_one_stream_that_is_lost_makes_no_other_project_be_read_again(tmp_path: Path) -> None:
    both = mirrored(tmp_path, generate(65, 120, projects=6, stories_per_task=2.0))
    lost = value(both.path, "SELECT parent_gid FROM sync_checkpoints WHERE name = 'events' ORDER BY 1")
    with closing(sqlite3.connect(both.path)) as db, db:
        db.execute(
            "UPDATE sync_checkpoints SET cursor = 'dead' WHERE name = 'events' AND parent_gid = ?", [lost]
        )
    random_edits(both.world, 40, 65, kinds=["rename", "comment", "move", "add_home", "leave_home"])
    listener = Listener(both.app)

    mirror(both.world, both.path, listener)

    swept = rows(
        both.path, "SELECT parent_gid FROM sync_checkpoints WHERE name = 'project_tasks' AND why = 'gap'"
    )
    assert [row[0] for row in swept] == [lost]
    assert equal_but_for_lag(both)


def test_a_walk_that_outlasts_a_token_hears_its_stream_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokens of this Asana live for three seconds, and the walk takes longer."""
    monkeypatch.setattr(listening, "TOKEN_LIFE_S", 1.5)
    monkeypatch.setattr(listening, "LOOK_EVERY_S", 0.05)
    world = generate(66, 200, projects=5, stories_per_task=1.0)
    app = create_app(world, limits=Limits(latency_s=0.4, sync_token_lifetime_s=3))
    both = Mirrored(world, app, tmp_path / "mirror.db")

    async def busy(scope: Any, receive: Any, send: Any) -> None:
        if app.stats.requests % 20 == 19:
            random_edits(world, 1, app.stats.requests, kinds=["rename", "comment", "comment_edit", "like"])
        await app(scope, receive, send)

    began = time.monotonic()
    mirror(world, both.path, busy)
    assert time.monotonic() - began > 3
    app.limits = Limits(sync_token_lifetime_s=3)
    both.sync()

    opened = len(rows(both.path, "SELECT * FROM sync_checkpoints WHERE name = 'events'"))
    assert app.stats.count(template="/events", status=412) == opened
    assert equal_but_for_lag(both)

"""A watch keeps a mirror in sync by itself: at its times, through whatever happens around it, until it is stopped."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import subprocess
import sys
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from truth import unsound
from watches import (
    LONG_S,
    Before,
    SetClock,
    answering,
    by_hand,
    in_a_loop,
    office,
    until,
    watching,
)
from worlds import is_alive, value

from asana_mirror import watch as watches
from asana_mirror.errors import MirrorBusy, WrongUsage
from asana_mirror.exclusion import Exclusion
from asana_mirror.sandbox import Limits, running
from asana_mirror.sandbox.change_stories import add_comment
from asana_mirror.sandbox.change_tasks import create_task, trash_task
from asana_mirror.store import hold
from asana_mirror.timetable import Times, Timetable
from asana_mirror.watch import WatchOptions

BY_POLLING = pytest.mark.parametrize("premium", [True, False], ids=["with search", "without search"])


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


# -- its times ----------------------------------------------------------------------------------------


@in_a_loop
async def test_the_first_run_is_at_once(tmp_path: Path) -> None:
    there = office(tmp_path)
    async with watching(there, LONG_S):
        await until(there.is_mirrored, 4)
        assert [run["mode"] for run in there.runs()] == ["first"]
    assert there.is_equal()


@in_a_loop
async def test_then_there_is_one_each_tick(tmp_path: Path) -> None:
    there = office(tmp_path)
    async with watching(there, 0.3):
        await until(lambda: len(there.runs("tick")) == 5)
    began = [moment(run["started_at"]) for run in there.runs("tick")]
    assert timedelta(seconds=0.5) < began[4] - began[0] < timedelta(seconds=3)


@in_a_loop
async def test_runs_never_overlap_and_missed_ticks_are_one(tmp_path: Path) -> None:
    there = office(tmp_path)
    before = Before(there.app)
    async with watching(there, 0.4, app=before) as under_way:
        await until(there.is_mirrored)
        before.holds = "/tasks/search"
        await before.held.wait()
        await asyncio.sleep(1.5)  # three ticks and more
        under_way_then = len(there.runs())
        before.holds = None
        before.let_go.set()
        await until(lambda: there.runs()[-1]["id"] > under_way_then)
        caught_up_at = time.monotonic()
        await asyncio.sleep(0.15)
        assert len(there.runs()) <= under_way_then + 2
        assert time.monotonic() - caught_up_at < 0.4
        await under_way.ticks(2)
    runs = there.runs()
    for one, following in pairwise(runs):
        assert one["ended_at"] <= following["started_at"]


@in_a_loop
async def test_a_tick_comes_at_the_minute_that_cron_names(tmp_path: Path) -> None:
    there = office(tmp_path)
    to_the_minute_s = 60.0 - time.time() % 60.0
    with SetClock(to_the_minute_s - 1.5).everywhere():
        async with watching(there, times=Times(cron="* * * * *")):
            await until(there.is_mirrored)
            assert there.runs("tick") == []
            await until(lambda: there.runs("tick"), 4)
            assert moment(there.runs("tick")[0]["started_at"]).second == 0


NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)  # a Thursday


def next_days(cron: str, number: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr("apscheduler.triggers.cron.get_localzone", lambda: UTC)
    trigger, at, found = Times(cron=cron).trigger(), NOON, []
    for _ in range(number):
        at = trigger.get_next_fire_time(None, at + timedelta(minutes=1))
        found.append(f"{at:%a %d}")
    return found


@pytest.mark.parametrize(
    ("cron", "days"),
    [
        ("0 9 * * 0", ["Sun 29", "Sun 06"]),
        ("0 9 * * 7", ["Sun 29", "Sun 06"]),
        ("0 9 * * SUN", ["Sun 29", "Sun 06"]),
        ("0 9 * * 1-5", ["Fri 27", "Mon 30", "Tue 01"]),
        ("0 9 * * mon-fri", ["Fri 27", "Mon 30", "Tue 01"]),
        ("0 9 * * 5-7", ["Fri 27", "Sat 28", "Sun 29", "Fri 04"]),
        ("0 9 * * 1,3", ["Mon 30", "Wed 02"]),
        ("0 9 * * */3", ["Sat 28", "Sun 29", "Wed 02"]),
        ("0 9 * * 6", ["Sat 28", "Sat 05"]),
        ("0 9 * * *", ["Fri 27", "Sat 28"]),
        ("0 9 1 * 5", ["Fri 27", "Tue 01", "Fri 04"]),
        ("0 9 1 * *", ["Tue 01", "Fri 01"]),
    ],
)
def test_days_are_those_of_cron(cron: str, days: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Sunday is 0 and 7, and where both a day and a weekday are named, either will do."""
    assert next_days(cron, len(days), monkeypatch) == days


def test_times_of_cron_are_local() -> None:
    script = (
        "from datetime import datetime, UTC; from asana_mirror.timetable import Times;"
        "at = Times(cron='30 6 * * *').trigger().get_next_fire_time(None, datetime(2026, 1, 5, 12, tzinfo=UTC));"
        "print(at.astimezone(UTC))"
    )
    said = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "TZ": "Asia/Tokyo"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "2026-01-05 21:30:00+00:00"


@pytest.mark.parametrize(
    "cron", ["", "* * * *", "61 * * * *", "*/0 * * * *", "0 9 * * 8", "0 9 * * so", "0 9 * * 1-", "@daily"]
)
def test_what_is_no_cron_expression_is_told(cron: str) -> None:
    with pytest.raises(WrongUsage, match="is no cron expression: ") as told:
        Times(cron=cron).trigger()
    assert "--cron" in told.value.hint


def test_a_time_that_never_comes_is_told() -> None:
    with pytest.raises(WrongUsage, match="never comes"):
        Times(cron="0 0 31 2 *").trigger()


@pytest.mark.parametrize("cron", [None, "0 * * * *", "0 * 1 * 1"])
def test_jitter_shifts_ticks_by_up_to_so_much(cron: str | None) -> None:
    plain, shifted = (Times(LONG_S, cron, jitter) for jitter in (0.0, 60.0))
    expected = plain.trigger().get_next_fire_time(None, datetime.now(UTC))
    shifts = [
        (shifted.trigger().get_next_fire_time(None, datetime.now(UTC)) - expected).total_seconds()
        for _ in range(50)
    ]
    assert min(shifts) >= 0
    assert max(shifts) < 61
    assert len({round(shift) for shift in shifts}) > 5


async def nothing() -> None: ...


@pytest.mark.parametrize(
    ("times", "every_s", "longest_s"),
    [
        (Times(90.0), 90, 90),
        (Times(cron="*/10 * * * *"), 600, 600),
        (Times(cron="*/10 8-17 * * 1-5", jitter_s=500), 600, (62 * 60 + 10) * 60),
        (Times(cron="0 9 * * 5"), 7 * 86400, 7 * 86400),
    ],
)
def test_nights_and_weekends_are_known(
    times: Times, every_s: float, longest_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a mirror is not called too old on a Sunday, when nothing is to be done."""
    monkeypatch.setattr("apscheduler.triggers.cron.get_localzone", lambda: UTC)
    monkeypatch.setattr("asana_mirror.times.clock", lambda: NOON)
    timetable = Timetable(times, nothing)
    assert (timetable.every_s(), timetable.longest_s()) == (every_s, longest_s)


# -- what changes at Asana ----------------------------------------------------------------------------


@BY_POLLING
@in_a_loop
async def test_changes_arrive_within_a_tick(tmp_path: Path, premium: bool) -> None:
    there = office(tmp_path, Limits(premium=premium))
    async with watching(there, 0.4) as under_way:
        await until(there.is_mirrored)
        for _ in range(3):
            there.rename()
            add_comment(there.world, there.world.me, there.task, {"text": "Said"})
            places = {"name": "New", "projects": [there.project]}
            new = create_task(there.world, there.world.me, places)["gid"]
            # Time that was tracked has a list of its own, which has its turn in some ticks only.
            tracked = {entry["task"]["gid"] for entry in there.world.iter_records("time_tracking_entries")}
            gone = [gid for gid in there.world.project_order(there.project) if gid not in tracked][-2]
            trash_task(there.world, there.world.me, there.world.records[gone])
            runs = under_way.ended()
            await until(there.is_told)
            await under_way.ticks(1)  # the run in which it was seen has come to its end
            assert is_alive(there.path, "tasks", new)
            assert not is_alive(there.path, "tasks", gone)
            assert (
                under_way.ended() <= runs + 3
            )  # the one that was under way, the next, and the one waited for
    assert there.is_equal()


@in_a_loop
async def test_a_sync_by_hand_may_come_between(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    there = office(tmp_path)
    async with watching(there, 1.0) as under_way:
        await under_way.ticks(1)
        there.rename()
        await by_hand(there)
        assert there.is_told()
        with hold(there.path):
            await until(lambda: "Another run holds" in caplog.text)
            assert not under_way.task.done()
        there.rename()
        await until(there.is_told)
    assert there.is_equal()


@in_a_loop
async def test_a_mirror_held_at_the_start_is_told(tmp_path: Path) -> None:
    there = office(tmp_path)
    with hold(there.path):
        async with watching(there) as under_way:
            with pytest.raises(MirrorBusy):
                await under_way.task


# -- asked to stop ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("during", "holds", "table"), [("first", "/users", "users"), ("tick", "/tasks", "tasks")]
)
@in_a_loop
async def test_asked_to_stop_it_ends_with_the_page_in_hand(
    tmp_path: Path, during: str, holds: str, table: str
) -> None:
    there = office(tmp_path)
    before = Before(there.app)
    if during == "tick":
        holds = f"/tasks/{there.task['gid']}"
    async with watching(there, 0.3, app=before) as under_way:
        if during == "tick":
            await until(there.is_mirrored)
            there.rename()
        before.holds = holds
        await before.held.wait()
        asyncio.get_running_loop().call_later(0.4, before.let_go.set)
        assert 0.4 < await under_way.end() < 2
    assert there.runs()[-1]["outcome"] == "interrupted"
    if during == "tick":
        assert there.is_told()
    assert value(there.path, f"SELECT count(*) FROM {table} WHERE _synced_at IS NOT NULL") > 0
    assert unsound(there.path, search=False) == []
    async with watching(there):
        await until(lambda: there.runs()[-1]["outcome"] == "complete")
    assert there.is_equal()


@in_a_loop
async def test_it_does_not_wait_for_a_page_that_never_comes(tmp_path: Path) -> None:
    there = office(tmp_path)
    before = Before(there.app)
    before.holds = "/users"
    async with watching(there, app=before) as under_way:
        await before.held.wait()
        assert await under_way.end() < 5
    assert unsound(there.path, search=False) == []


# -- the configuration --------------------------------------------------------------------------------


@in_a_loop
async def test_other_options_hold_from_the_next_run_on(tmp_path: Path) -> None:
    there = office(tmp_path)
    other = WatchOptions(there.options(exclude=Exclusion(projects=frozenset([there.project]))), Times(0.2))
    async with watching(there, LONG_S, read_again=lambda: other) as under_way:
        await until(there.is_mirrored)
        assert is_alive(there.path, "projects", there.project)
        under_way.watch.reload()
        await until(lambda: len(there.runs("tick")) >= 3)
        there.rename()
        await under_way.ticks(2)
        assert not there.is_told()


@in_a_loop
async def test_a_configuration_that_is_not_usable_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse() -> WatchOptions:
        raise WrongUsage("The file has an unknown option: evry.")

    there = office(tmp_path)
    async with watching(there, 0.2, read_again=refuse) as under_way:
        await until(there.is_mirrored)
        under_way.watch.reload()
        await under_way.ticks(2)
    assert "the old one still holds: The file has an unknown option: evry." in caplog.text


@in_a_loop
async def test_another_mirror_needs_a_restart(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    there = office(tmp_path)
    elsewhere = WatchOptions(there.options(mirror=tmp_path / "other.db"), Times(0.2))
    async with watching(there, 0.2, read_again=lambda: elsewhere) as under_way:
        await until(there.is_mirrored)
        under_way.watch.reload()
        await under_way.ticks(2)
    assert "needs a restart" in caplog.text
    assert not (tmp_path / "other.db").exists()


# -- for months ---------------------------------------------------------------------------------------


@pytest.mark.long
@in_a_loop
async def test_nothing_grows_in_two_hundred_quiet_ticks(tmp_path: Path) -> None:
    there = office(tmp_path, Limits(premium=False))
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    async with watching(there, 0.01) as under_way:
        await until(there.is_mirrored)
        await under_way.ticks(10)
        tracemalloc.start()
        try:
            await under_way.ticks(5)
            gc.collect()
            files, tasks = len(list(Path("/proc/self/fd").iterdir())), len(asyncio.all_tasks())
            memory, _ = tracemalloc.get_traced_memory()
            await under_way.ticks(200, 60)
            gc.collect()
            # A run may be under way at either moment: between two of them there is no more than there was.
            await until(lambda: len(list(Path("/proc/self/fd").iterdir())) <= files)
            await until(lambda: len(asyncio.all_tasks()) <= tasks + 2)
            assert tracemalloc.get_traced_memory()[0] - memory < 300_000
        finally:
            tracemalloc.stop()


@in_a_loop
async def test_a_bug_in_one_run_does_not_end_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    there = office(tmp_path)
    real = watches.sync_through
    async with watching(there, 0.1) as under_way:
        await until(there.is_mirrored)
        monkeypatch.setattr(watches, "sync_through", lambda *_, **__: 1 / 0)
        await until(lambda: under_way.watch.totals["runs failed"] >= 2)
        monkeypatch.setattr(watches, "sync_through", real)
        there.rename()
        await until(there.is_told)
    assert "Something unexpected happened: ZeroDivisionError" in caplog.text


# -- health -------------------------------------------------------------------------------------------


@in_a_loop
async def test_health_and_metrics_follow_what_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watches, "OLDEST_S", 1.0)
    there = office(tmp_path)
    before = Before(there.app)
    before.is_away = True
    with running(before) as url:
        async with answering(there, 0.2, url=url, max_wait_s=0.1) as watch:
            assert await watch.health() == 503
            before.is_away = False
            await until(there.is_mirrored)
            assert await watch.health() == 200
            runs = await watch.metric('asana_mirror_runs_total{outcome="complete"}')
            requests = await watch.metric("asana_mirror_requests_total")
            there.rename()
            await until(there.is_told)
            await watch.ticks(2)
            assert await watch.metric('asana_mirror_runs_total{outcome="complete"}') >= runs + 2
            assert await watch.metric("asana_mirror_requests_total") > requests
            assert await watch.metric("asana_mirror_rows_updated_total") >= 1
            before.is_away = True
            await asyncio.sleep(1.6)
            assert await watch.health() == 503
            assert await watch.metric('asana_mirror_runs_total{outcome="failed"}') >= 1
            before.is_away = False
            await watch.ticks(2)
            assert await watch.health() == 200
            assert (await watch.get("/else")).status_code == 404


@in_a_loop
async def test_a_watch_that_hangs_is_not_healthy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No run has failed, and none comes to its end."""
    monkeypatch.setattr(watches, "OLDEST_S", 0.8)
    there = office(tmp_path)
    before = Before(there.app)
    with running(before) as url:
        async with answering(there, 0.2, url=url) as watch:
            await until(there.is_mirrored)
            before.holds = "/tasks/search"
            await asyncio.sleep(1.4)
            assert await watch.health() == 503
            assert await watch.metric('asana_mirror_runs_total{outcome="failed"}') == 0
            before.is_let_go = True
            await watch.ticks(2)
            assert await watch.health() == 200

"""A watch keeps a mirror in sync by itself: at its times, through whatever happens around it, until it is stopped."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import os
import shutil
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from truth import unsound
from watches import LONG_S, Before, Office, SetClock, answering, by_hand, in_a_loop, office, until, watching
from worlds import is_alive, value

from asana_mirror import client, store, timetable
from asana_mirror import watch as watches
from asana_mirror.browse import datasette_app
from asana_mirror.errors import BadToken, DiskFull, MirrorBusy, MirrorReplaced, WrongUsage
from asana_mirror.exclusion import Exclusion
from asana_mirror.sandbox import Limits, running
from asana_mirror.sandbox import serving as sandbox_serving
from asana_mirror.sandbox.change_places import create_project
from asana_mirror.sandbox.change_stories import add_comment
from asana_mirror.sandbox.change_tasks import create_task, trash_task
from asana_mirror.store import Mirror, hold
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
            gone = there.world.project_order(there.project)[-2]
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


# -- Asana away ---------------------------------------------------------------------------------------


@in_a_loop
async def test_while_asana_is_away_it_goes_on_trying(tmp_path: Path) -> None:
    there = office(tmp_path)
    before = Before(there.app)
    before.is_away = True
    async with watching(there, 0.1, app=before, max_wait_s=0.1) as under_way:
        await until(lambda: under_way.watch.totals["runs failed"] >= 3)
        assert not there.path.exists()
        before.is_away = False
        await until(there.is_mirrored)
        before.is_away = True
        there.rename()
        failed = under_way.watch.totals["runs failed"]
        await until(lambda: under_way.watch.totals["runs failed"] >= failed + 5)
        before.is_away = False
        await until(there.is_told)
    assert there.is_equal()


@in_a_loop
async def test_started_before_asana_answers_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens at the port yet."""
    monkeypatch.setattr(client, "FIRST_CONTACT_S", 0.1)
    there, real = office(tmp_path), sandbox_serving._socket
    free = real("127.0.0.1", 0)
    port = free.getsockname()[1]
    free.close()
    monkeypatch.setattr(sandbox_serving, "_socket", lambda host, _: real(host, port))
    reached = httpx.AsyncHTTPTransport()
    url = f"http://127.0.0.1:{port}/api/1.0"
    async with watching(there, 0.1, transport=reached, base_url=url) as under_way:
        await until(lambda: under_way.watch.totals["runs failed"] >= 2)
        with running(there.app):
            await until(there.is_mirrored)
            await under_way.end()
    assert there.is_equal()


@in_a_loop
async def test_a_token_refused_at_the_start_ends_it(tmp_path: Path) -> None:
    there = office(tmp_path)
    async with watching(there, 0.1, token="wrong") as under_way:
        with pytest.raises(BadToken):
            await asyncio.wait_for(under_way.task, 4)
    assert not there.path.exists()


@contextmanager
def token_refused(there: Office) -> Iterator[None]:
    identities = there.world.identities
    held = dict(identities)
    identities.clear()
    try:
        yield
    finally:
        identities.update(held)


@in_a_loop
async def test_a_token_refused_later_is_told_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    there = office(tmp_path)
    token = there.world.token
    async with watching(there, 0.2) as under_way:
        await until(there.is_mirrored)
        await under_way.ticks(1)
        with token_refused(there):
            await until(lambda: under_way.watch.totals["runs failed"] >= 3)
        there.rename()
        await until(there.is_told)
    assert BadToken.hint in caplog.text
    assert token not in caplog.text


@in_a_loop
async def test_a_token_refused_in_the_second_run_does_not_end_it(tmp_path: Path) -> None:
    """Though no run has come to its end yet, it had begun: Asana was away."""
    there = office(tmp_path)
    before = Before(there.app)
    before.is_away = True
    async with watching(there, 0.1, app=before, max_wait_s=0.1) as under_way:
        await until(lambda: under_way.watch.totals["runs failed"] >= 1)
        with token_refused(there):
            before.is_away = False
            await under_way.ticks(3)
        await until(there.is_mirrored)


# -- the clock ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [3, -3, 26, -26])
@in_a_loop
async def test_when_the_clock_is_set_a_tick_comes_at_once_and_ticks_go_on(
    tmp_path: Path, hours: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Forward it is also what a machine sees that has slept. Without search all depends on the ages of streams."""
    monkeypatch.setattr(watches, "PULSE_S", 0.05)
    there = office(tmp_path, Limits(premium=False))
    with SetClock().everywhere() as clock:
        async with watching(there, 30.0) as under_way:
            await until(there.is_mirrored)
            there.rename()
            clock.ahead_s += hours * 3600.0
            await until(there.is_told, 2)
            assert "The clock is" in caplog.text
            await under_way.ticks(0)
            coming = under_way.watch._timetable._scheduler.get_job(timetable.TICK).next_run_time
            assert 0 < (coming - clock.now()).total_seconds() <= 30
            await under_way.watch._tick()
            there.rename()
            await under_way.watch._tick()
            await until(there.is_told, 2)
    assert there.is_equal()


@in_a_loop
async def test_after_a_clock_set_back_everything_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is noted seems younger than it is, so that nothing would have its turn for hours."""
    monkeypatch.setattr(watches, "PULSE_S", 0.05)
    there = office(tmp_path, Limits(premium=False))
    with SetClock().everywhere() as clock:
        async with watching(there, 0.3) as under_way:
            await until(there.is_mirrored)
            await under_way.ticks(1)
            elsewhere = {"name": "New", "projects": [projects(there)[1]]}  # where nobody works
            new = create_task(there.world, there.world.me, elsewhere)["gid"]
            await under_way.ticks(2)
            assert not is_alive(there.path, "tasks", new)
            clock.ahead_s -= 4 * 3600.0
            await until(lambda: is_alive(there.path, "tasks", new), 3)
            for _ in range(2):
                there.rename()
                await until(there.is_told, 2)


# -- the disk -----------------------------------------------------------------------------------------


class Disk:
    """Below every mirror that is opened; `is_full` lets none of them grow any more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = False
        self._real = store.open_mirror
        monkeypatch.setattr(store, "open_mirror", self._open)

    def _open(self, path: Path, **options: Any) -> Any:
        db = self._real(path, **options)
        if self.is_full:
            (pages,) = db.execute("PRAGMA page_count").fetchone()
            db.execute(f"PRAGMA max_page_count = {pages}")
        return db


def write_much(there: Office) -> list[str]:
    """More than there is room for in a file that may not grow; the new tasks."""
    made = []
    for number in range(20):
        given = {"name": f"Large {number}", "notes": "x" * 8000, "projects": [there.project]}
        made.append(create_task(there.world, there.world.me, given)["gid"])
    return made


@in_a_loop
async def test_a_full_disk_that_is_freed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    there, disk = office(tmp_path), Disk(monkeypatch)
    async with watching(there, 0.2) as under_way:
        await until(there.is_mirrored)
        disk.is_full = True
        await under_way.ticks(2)  # the one that is under way has found room
        made = write_much(there)
        await until(lambda: under_way.watch.totals["runs failed"] >= 3)
        assert "The disk is full" in caplog.text
        assert unsound(there.path, search=False) == []
        disk.is_full = False
        await until(lambda: all(is_alive(there.path, "tasks", gid) for gid in made))
        await under_way.ticks(1)
    assert there.is_equal()


@in_a_loop
async def test_a_disk_that_is_full_in_the_first_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there, disk = office(tmp_path), Disk(monkeypatch)
    write_much(there)
    disk.is_full = True
    async with watching(there, 0.2) as under_way:
        await until(lambda: under_way.watch.totals["runs failed"] >= 2)
        disk.is_full = False
        await until(there.is_mirrored)
    assert there.is_equal()


# -- another file -------------------------------------------------------------------------------------


def replaced(there: Office, how: str, spare: Path) -> bytes | None:
    """Another file in its place, or none; what it holds."""
    if how == "removed":
        there.path.unlink()
        return None
    shutil.copy(spare, there.path.with_suffix(".new"))
    there.path.with_suffix(".new").replace(there.path)
    return spare.read_bytes()


def found_at(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


@pytest.mark.parametrize("when", ["idle", "in a run"])
@pytest.mark.parametrize("how", ["replaced", "removed"])
@in_a_loop
async def test_another_file_in_its_place_ends_it(
    tmp_path: Path, how: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watches, "PULSE_S", 0.05)
    there, spare = office(tmp_path), tmp_path / "spare.db"
    Mirror(spare).close()
    before = Before(there.app)
    async with watching(there, 0.3 if when == "in a run" else LONG_S, app=before) as under_way:
        await until(there.is_mirrored)
        if when == "in a run":
            there.rename()
            before.holds = f"/tasks/{there.task['gid']}"
            await before.held.wait()
            await asyncio.sleep(0.1)
        put_there = replaced(there, how, spare)
        with pytest.raises(MirrorReplaced, match=r"was replaced or removed"):
            await asyncio.wait_for(asyncio.shield(under_way.task), 3)
    assert found_at(there.path) == put_there
    assert not Path(f"{there.path}-wal").exists()


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


# -- webhooks -----------------------------------------------------------------------------------------

HOOKS = "/asana"
QUICK = Limits(hook_delay_s=0.05)


def count(there: Office, state: str = "active") -> int:
    if not there.runs():
        return 0
    return int(value(there.path, "SELECT count(*) FROM sync_webhooks WHERE state = ?", state))


def projects(there: Office) -> list[str]:
    return [gid for gid in there.world.inside["project", there.world.workspaces[0]] if there.world.alive(gid)]


def is_hooked(there: Office) -> bool:
    """Whether each project has its webhook, and what happened before it came is read."""
    return count(there) == len(projects(there)) and not under_way(there)


def under_way(there: Office) -> bool:
    return any(run["ended_at"] is None for run in there.runs())


async def at_asana(url: str, there: Office, method: str, path: str, **fields: Any) -> Any:
    """Something that a person does over the wire."""
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {there.world.token}"}) as asana:
        answer = await asana.request(method, url + path, json={"data": fields} if fields else None)
        assert answer.is_success, answer.text
        return answer.json()["data"]


async def rename(url: str, there: Office) -> None:
    there.changes += 1
    name = f"Renamed {there.changes}"
    await at_asana(url, there, "PUT", f"/tasks/{there.task['gid']}", name=name)
    there.renamed[there.task["gid"]] = name


async def quiet(there: Office) -> None:
    """Until what was begun has ended."""
    seen = -1
    while seen != (seen := len(there.runs())) or under_way(there):
        await asyncio.sleep(0.5)


@in_a_loop
async def test_what_webhooks_tell_arrives_without_waiting_for_the_tick(tmp_path: Path) -> None:
    there = office(tmp_path, QUICK)
    with running(there.app) as url:
        async with answering(there, LONG_S, url=url, hooks=HOOKS) as under_way:
            await until(lambda: is_hooked(there))
            for _ in range(3):
                await rename(url, there)
                await until(there.is_told, 2)
            assert there.runs("tick") == []
            assert await under_way.metric('asana_mirror_deliveries_total{result="accepted"}') >= 3
            assert await under_way.metric('asana_mirror_webhooks{state="active"}') == len(projects(there))
    assert there.is_equal()


@in_a_loop
async def test_what_happens_while_webhooks_are_made_is_read_from_the_streams(tmp_path: Path) -> None:
    """Between the first run and its webhook nothing tells of a project but its stream."""
    there = office(tmp_path, QUICK)
    before = Before(there.app)
    before.holds = "/webhooks"
    with running(before) as url:
        async with answering(there, LONG_S, url=url, hooks=HOOKS):
            await until(lambda: there.is_mirrored() and not under_way(there))
            there.rename()
            before.holds = None
            before.is_let_go = True
            await until(lambda: is_hooked(there) and there.is_told(), 4)
    assert there.is_equal()


@in_a_loop
async def test_a_reload_while_webhooks_are_made_loses_nothing(tmp_path: Path) -> None:
    """Of those that were made by then nobody says so any more."""
    there = office(tmp_path, Limits(hook_delay_s=0.05, latency_s=0.1, premium=False))
    before = Before(there.app)
    before.holds = "/webhooks"
    with running(before) as url:
        async with answering(there, LONG_S, url=url, hooks=HOOKS) as watch:
            await until(lambda: there.is_mirrored() and not under_way(there))
            there.rename()
            before.is_let_go = True
            await until(lambda: count(there) == 1)
            before.is_let_go = False
            same = watch.watch._options
            watch.watch._read_again = lambda: same
            watch.watch.reload()
            await watch.ticks(1)
            before.is_let_go = True
            await until(lambda: there.is_told() and is_hooked(there), 4)


@in_a_loop
async def test_news_is_followed_while_a_tick_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asana_mirror.work.NEWS_EVERY_S", 0.2)
    there = office(tmp_path, QUICK, tasks=60)
    with running(there.app) as url:
        async with answering(there, LONG_S, url=url, hooks=HOOKS) as watch:
            await until(lambda: is_hooked(there))
            await quiet(there)
            there.app.limits = Limits(hook_delay_s=0.05, latency_s=0.25)
            watch.watch._options = WatchOptions(
                there.options(base_url=url, max_age_s=1.0, sweep_every_s=1.0, per_minute=600), Times(LONG_S)
            )
            await watch.watch._tick()
            await until(lambda: under_way(there) and there.runs()[-1]["mode"] == "tick")
            await asyncio.sleep(0.5)
            await rename(url, there)
            await until(there.is_told, 5)
            assert under_way(there)
            assert there.runs()[-1]["mode"] == "tick"


@in_a_loop
async def test_a_webhook_deleted_at_asana_is_made_again_and_its_project_caught_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = office(tmp_path, QUICK)
    with running(there.app) as url:
        async with answering(there, LONG_S, url=url, hooks=HOOKS) as watch:
            await until(lambda: is_hooked(there))
            [hook] = [hook for hook in there.world.hooks if hook.rec["resource"] == there.project]
            await at_asana(url, there, "DELETE", f"/webhooks/{hook.gid}")
            await quiet(there)
            there.rename()
            monkeypatch.setattr(watches, "TEND_EVERY_S", 0.0)
            watch.watch.tell()
            await until(there.is_told, 4)
            await until(lambda: len(list(there.world.hooks)) == len(projects(there)))
            monkeypatch.setattr(watches, "TEND_EVERY_S", LONG_S)
            await until(lambda: is_hooked(there))
            await rename(url, there)
            await until(there.is_told, 2)
    assert there.is_equal()


@in_a_loop
async def test_a_delivery_that_is_lost_is_found_by_the_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = office(tmp_path, Limits(hook_delay_s=0.05, premium=False))
    there.app.faults.hook_shares["lost"] = 1.0
    with running(there.app) as url:
        async with answering(there, LONG_S, url=url, hooks=HOOKS) as watch:
            await until(lambda: is_hooked(there))
            await quiet(there)
            await rename(url, there)
            for _ in range(3):
                await watch.watch._tick()
                await watch.ticks(1)
            assert not there.is_told()  # hours would pass
            monkeypatch.setattr("asana_mirror.freshness.COLD_S", 0.5)
            await watch.watch._tick()
            await until(there.is_told, 2)
    assert there.is_equal()


@in_a_loop
async def test_what_webhook_and_stream_tell_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = office(tmp_path, Limits(hook_delay_s=0.05, premium=False))
    with running(there.app) as url:
        async with answering(there, LONG_S, url=url, hooks=HOOKS) as watch:
            await until(lambda: is_hooked(there))
            await quiet(there)
            await rename(url, there)
            await until(there.is_told, 2)
            await quiet(there)
            read = reads_of_tasks(there)
            monkeypatch.setattr("asana_mirror.freshness.COLD_S", 0.01)
            streams = streams_heard(there)
            await watch.watch._tick()
            await until(lambda: there.runs("tick") and not under_way(there))
            assert streams_heard(there) > streams
            assert reads_of_tasks(there) == read


def reads_of_tasks(there: Office) -> int:
    """How often a task was asked for by itself, or what hangs on it."""
    routes = there.app.stats.by_route.items()
    return sum(number for (verb, route, _), number in routes if verb == "GET" and route.startswith("/tasks/"))


def streams_heard(there: Office) -> int:
    routes = there.app.stats.by_route.items()
    return sum(number for (_, route, _), number in routes if route == "/events")


@in_a_loop
async def test_a_new_project_gets_its_webhook_at_the_next_tick(tmp_path: Path) -> None:
    there = office(tmp_path, Limits(hook_delay_s=0.05, premium=False))
    with running(there.app) as url:
        async with answering(there, 0.4, url=url, hooks=HOOKS) as watch:
            await until(lambda: is_hooked(there))
            team = there.world.records[there.project]["team"]
            workspace = there.world.workspaces[0]
            create_project(there.world, there.world.me, {"name": "New", "team": team, "workspace": workspace})
            await watch.watch._tick()
            lists_are_read_at_once(watch)
            await until(lambda: len(projects(there)) == 4 and is_hooked(there), 6)


def lists_are_read_at_once(watch: Any) -> None:
    """Otherwise those of a small workspace have their turn within minutes."""
    watch.watch._ticked_at = None


@in_a_loop
async def test_streams_that_could_not_be_heard_wait_for_the_tick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever fails at once must not be tried again at once, and again."""
    there = office(tmp_path, QUICK)
    real = watches.sync_through

    async def fail(*arguments: Any, **named: Any) -> Any:
        if named["focus"] is not None:
            raise DiskFull("The disk is full.")
        return await real(*arguments, **named)

    monkeypatch.setattr(watches, "sync_through", fail)
    with running(there.app) as url:
        async with answering(there, LONG_S, url=url, hooks=HOOKS) as watch:
            await until(lambda: watch.watch.totals["runs failed"])
            await asyncio.sleep(0.5)
            assert watch.watch.totals["runs failed"] == 1
            monkeypatch.setattr(watches, "sync_through", real)
            heard = streams_heard(there)
            await watch.watch._tick()
            await watch.ticks(1)
            assert streams_heard(there) >= heard + len(projects(there))


def is_held(path: Path, held: ExitStack) -> bool:
    """Whether the mirror could be taken hold of, as a sync by hand does."""
    try:
        held.enter_context(hold(path))
    except MirrorBusy:
        return False
    return True


@in_a_loop
async def test_trouble_with_webhooks_never_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The file cannot be opened when they are looked after, and after that a sync by hand holds it."""
    there = office(tmp_path, QUICK)
    real = watches.opened

    def full(path: Path) -> Any:
        raise DiskFull("The disk is full.")

    with running(there.app) as url:
        async with answering(there, LONG_S, url=url, hooks=HOOKS) as watch:
            await until(lambda: is_hooked(there))
            await quiet(there)
            monkeypatch.setattr(watches, "opened", full)
            there.app.faults.hook_shares["lost"] = 1.0  # so that a tick brings the new task
            create_task(there.world, there.world.me, {"name": "New", "projects": [there.project]})
            lists_are_read_at_once(watch)
            await watch.watch._tick()
            await until(lambda: "The webhooks could not be looked after: DiskFull" in caplog.text)
            with ExitStack() as held:
                await until(lambda: is_held(there.path, held))  # between two runs
                await watch.watch._tick()
                await until(lambda: "Another run holds" in caplog.text)
            monkeypatch.setattr(watches, "opened", real)
            there.app.faults.hook_shares["lost"] = 0.0
            await rename(url, there)
            await until(there.is_told, 4)


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


# -- beside Datasette ---------------------------------------------------------------------------------


@in_a_loop
async def test_an_empty_file_is_browsed_once_it_is_filled(tmp_path: Path) -> None:
    there = office(tmp_path)
    there.path.touch()
    with running(there.app) as url:
        beside = functools.partial(datasette_app, there.path)
        async with answering(there, LONG_S, url=url, hooks=HOOKS, beside=beside) as watch:
            await until(there.is_mirrored)
            assert await watch.health() == 200
            tasks = (await watch.get("/mirror/tasks.json?_shape=array&_size=max")).json()
            assert there.task["gid"] in {task["gid"] for task in tasks}
            await until(lambda: is_hooked(there))
            await rename(url, there)
            await until(there.is_told, 2)
            page = await watch.get(f"/mirror/tasks.json?gid={there.task['gid']}&_shape=array")
            assert page.json()[0]["name"] == there.task["name"]
            assert (await watch.get(f"{HOOKS}/unknown")).status_code == 405  # the receiver's answer


LOOK = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM tasks').fetchone()"


@in_a_loop
async def test_whoever_looks_into_the_file_takes_no_delivery_away(tmp_path: Path) -> None:
    """A process that closes a file loses its locks on it: then the next one out takes the WAL of all others away."""
    there = office(tmp_path, QUICK)
    with running(there.app) as url:
        async with answering(there, LONG_S, url=url, hooks=HOOKS) as watch:
            await until(lambda: is_hooked(there))
            for _ in range(2):
                assert await watch.health() == 200
                await asyncio.to_thread(subprocess.run, [sys.executable, "-c", LOOK, there.path], check=True)
                assert Path(f"{there.path}-wal").exists()
                await rename(url, there)
                await until(there.is_told, 2)
    assert there.is_equal()

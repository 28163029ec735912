"""What a watch outlives: Asana away, clocks that are set, a full disk; and what it does not: another file."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from truth import unsound
from watches import (
    LONG_S,
    Before,
    Office,
    SetClock,
    in_a_loop,
    office,
    projects,
    until,
    watching,
)
from worlds import is_alive

from asana_mirror import client, store, timetable
from asana_mirror import watch as watches
from asana_mirror.errors import BadToken, MirrorReplaced
from asana_mirror.sandbox import Limits, running
from asana_mirror.sandbox import serving as sandbox_serving
from asana_mirror.sandbox.change_tasks import create_task
from asana_mirror.store import Mirror

BY_POLLING = pytest.mark.parametrize("premium", [True, False], ids=["with search", "without search"])


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


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

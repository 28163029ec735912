"""Killed at any moment, the next run goes on: nothing is lost, nothing doubled, hardly anything asked twice."""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from lag import equal_at_last, equal_but_for_lag
from truth import RESOURCES, differences, living, unsound
from worlds import Listener, Mirrored, Struck, StruckAfterCommit, begin_run, mirror, mirrored, rows, value

from asana_mirror.errors import Interrupted, MirrorBusy
from asana_mirror.run import Stop
from asana_mirror.sandbox import App, Limits, create_app, generate, random_edits, running

KILLS = 25
IN_FLIGHT = 50
BELOW = ("sections", "project_tasks", "project_attachments", "subtasks", "stories", "task_attachments")
LATENCY_S = 0.02  # so that as many requests are in flight as may be


def _wait_for(app: App, requests: int, child: subprocess.Popen[bytes]) -> None:
    while app.stats.requests < requests and child.poll() is None:
        time.sleep(0.002)


def _kill(child: subprocess.Popen[bytes]) -> bool:
    """Whether it was still running when the kill came."""
    child.send_signal(signal.SIGKILL)
    child.communicate()
    return child.returncode == -signal.SIGKILL


def _let_finish(child: subprocess.Popen[bytes]) -> None:
    _, said = child.communicate(timeout=120)
    assert child.returncode == 0, said.decode()


def _settle(app: App) -> None:
    """Until what the killed one had asked for is answered into the void."""
    while app.stats.in_flight:
        time.sleep(0.01)


@pytest.mark.long
@pytest.mark.timeout(240)
def test_twenty_five_kills_cost_little_and_lose_nothing(
    tmp_path: Path, record_property: pytest.RecordProperty
) -> None:
    world = generate(41, 5000, stories_per_task=1.0, plan="free")
    undisturbed = sum(world.pages_to_read().values())
    app = create_app(world, limits=Limits(latency_s=LATENCY_S, premium=False))
    path = tmp_path / "mirror.db"
    moments = sorted(random.Random(41).sample(range(20, int(undisturbed * 0.98)), KILLS))
    landed = 0
    with running(app) as url:
        for moment in moments:
            child = begin_run(world, path, url)
            _wait_for(app, moment, child)
            landed += _kill(child)
            _settle(app)
            if path.exists():
                assert unsound(path, search=False) == []
        _let_finish(begin_run(world, path, url))

    spent = app.stats.requests
    record_property("requests", f"{spent} where {undisturbed} would do, {landed} kills")
    assert landed == KILLS
    assert differences(world, path) == []
    assert unsound(path) == []
    assert spent <= 1.03 * undisturbed + landed * IN_FLIGHT


MOMENTS = {"--full": [3, 5, 40, 120, 180], "": [1, 8, 20, 35, 60, 85]}  # requests after which the kill comes


@pytest.mark.parametrize(
    ("mode", "moment"), [(mode, at) for mode, moments in MOMENTS.items() for at in moments]
)
def test_a_kill_in_a_later_run_loses_nothing_either(tmp_path: Path, mode: str, moment: int) -> None:
    """A later run has tombstones to set and links to replace, and may die in the midst of it."""
    world = generate(42, 80)
    app = create_app(world, limits=Limits(latency_s=LATENCY_S))
    path = tmp_path / "mirror.db"
    mirror(world, path, app)
    random_edits(world, 60, 1)
    alive = set(living(path, "tasks"))
    asked = app.stats.requests
    with running(app) as url:
        child = begin_run(world, path, url, *filter(None, [mode]))
        _wait_for(app, asked + moment, child)
        assert _kill(child)
        assert unsound(path) == []
        assert {gid for gid in alive if world.alive(gid)} <= set(living(path, "tasks"))
        _settle(app)
        _let_finish(begin_run(world, path, url))

    both = Mirrored(world, app, path)
    assert equal_but_for_lag(both)
    if mode == "--full":  # which the next run goes on with
        assert differences(world, path) == []
    assert equal_at_last(both)


def _killed_at(both: Mirrored, request: int) -> bool:
    """Whether the run lasted until then."""
    struck = Struck(both.app, both.path, request)
    with contextlib.suppress(Interrupted):
        mirror(both.world, both.path, struck, stop=struck.stop, max_deletes=1000)
    return struck.put_back()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_kill_at_any_request_of_a_run_that_follows_changes_loses_nothing(tmp_path: Path, seed: int) -> None:
    """What it had heard, read and written by then is all there, or will be heard and read again."""
    both = mirrored(tmp_path, generate(48, 40, projects=6, stories_per_task=2.0, users=8))
    before = tmp_path / "before.db"
    shutil.copyfile(both.path, before)
    random_edits(both.world, 40, seed)
    request = 1
    while _killed_at(both, request):
        assert unsound(both.path) == []
        both.sync(max_deletes=1000)
        assert equal_but_for_lag(both)
        shutil.copyfile(before, both.path)
        request += 3
    assert request > 30


def test_a_kill_after_any_transaction_loses_nothing(tmp_path: Path) -> None:
    """Whatever belongs together is in one: a page and its checkpoint, events and the token that follows them."""
    both = mirrored(tmp_path, generate(50, 15, projects=3, stories_per_task=2.0, users=4, tags=2))
    before = tmp_path / "before.db"
    shutil.copyfile(both.path, before)
    random_edits(both.world, 25, 50)
    for transaction in range(1, 1000):
        struck = StruckAfterCommit(both.app, both.path, transaction)
        with contextlib.suppress(Interrupted), struck.counting():
            mirror(both.world, both.path, struck, stop=struck.stop, max_deletes=1000)
        if not struck.put_back():
            break
        both.sync(max_deletes=1000)
        assert equal_but_for_lag(both)
        shutil.copyfile(before, both.path)
    assert transaction > 15


def test_a_kill_at_any_request_of_a_first_run_loses_nothing(tmp_path: Path) -> None:
    world = generate(49, 20, projects=3, stories_per_task=2.0, users=5)
    app = create_app(world, limits=Limits(search_per_minute=None))  # so many runs a minute search too often
    both = Mirrored(world, app, tmp_path / "mirror.db")
    request = 1
    while _killed_at(both, request):
        both.sync()
        assert differences(world, both.path) == []
        assert unsound(both.path) == []
        both.path.unlink()
        request += 4
    assert request > 100


def test_what_changes_between_a_kill_and_the_next_run_arrives(tmp_path: Path) -> None:
    """What the killed run had read already has changed since, and the run that goes on knows."""
    world = generate(43, 120)
    app = create_app(world, limits=Limits(latency_s=LATENCY_S))
    path = tmp_path / "mirror.db"
    with running(app) as url:
        child = begin_run(world, path, url)
        _wait_for(app, sum(world.pages_to_read().values()) * 2 // 5, child)
        assert _kill(child)
        random_edits(world, 100, 1)
        _settle(app)
        _let_finish(begin_run(world, path, url))

    assert equal_but_for_lag(Mirrored(world, app, path))
    assert equal_at_last(Mirrored(world, app, path))


# -- stopped on request -------------------------------------------------------------------------------


def _stopped_after(both: Mirrored, requests: int) -> pytest.ExceptionInfo[Interrupted]:
    stop = Stop()
    app = both.app

    async def stopping(scope: object, receive: object, send: object) -> None:
        await app(scope, receive, send)  # type: ignore[arg-type]
        if app.stats.requests >= requests:
            stop.set()

    with pytest.raises(Interrupted) as told:
        mirror(both.world, both.path, stopping, stop=stop)
    return told


@pytest.fixture
def beginning(tmp_path: Path) -> Mirrored:
    """A world of which nothing is mirrored yet."""
    world = generate(44, 150, stories_per_task=2.0)
    return Mirrored(world, create_app(world), tmp_path / "mirror.db")


@pytest.mark.parametrize("requests", [1, 2, 60, 150])
def test_a_run_that_is_asked_to_stop_says_so_and_can_go_on(beginning: Mirrored, requests: int) -> None:
    told = _stopped_after(beginning, requests)

    assert told.value.exit_code == 128 + signal.SIGINT
    assert told.value.hint
    assert value(beginning.path, "SELECT outcome FROM sync_runs") == "interrupted"
    assert unsound(beginning.path, search=False) == []

    report = beginning.sync()

    assert report.outcome == "complete"
    assert differences(beginning.world, beginning.path) == []
    assert unsound(beginning.path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_is_interrupted_ends_between_two_pages_and_says_what_to_do(
    tmp_path: Path, number: signal.Signals
) -> None:
    world = generate(46, 150)
    app = create_app(world, limits=Limits(latency_s=LATENCY_S))
    path = tmp_path / "mirror.db"
    with running(app) as url:
        child = begin_run(world, path, url)
        _wait_for(app, 60, child)
        child.send_signal(number)
        _, said = child.communicate(timeout=30)
        assert child.returncode == 128 + number, said.decode()
        assert b"Traceback" not in said
        assert b"again" in said
        _let_finish(begin_run(world, path, url))
    assert app.stats.requests <= sum(world.pages_to_read().values()) + IN_FLIGHT
    assert differences(world, path) == []


def test_a_run_that_goes_on_asks_again_for_what_was_refused_before(beginning: Mirrored) -> None:
    beginning.world.refuse("/workspaces/*/tags", 403)
    _stopped_after(beginning, 60)
    beginning.world.allow("/workspaces/*/tags")

    beginning.sync()

    assert differences(beginning.world, beginning.path) == []


def test_a_run_that_goes_on_brings_also_what_changed_meanwhile(beginning: Mirrored) -> None:
    _stopped_after(beginning, sum(beginning.world.pages_to_read().values()) * 2 // 5)
    random_edits(beginning.world, 60, 1)

    beginning.sync()

    assert equal_but_for_lag(beginning)
    assert equal_at_last(beginning)


def test_stops_cost_next_to_nothing(beginning: Mirrored) -> None:
    """But for one pass over what may have changed since the first of them."""
    pages = beginning.world.pages_to_read()
    undisturbed = sum(pages.values())
    pass_over = sum(count for kind, count in pages.items() if kind not in BELOW)
    for requests in (30, 60, 90, 120, 150):
        _stopped_after(beginning, requests)
    beginning.sync()

    assert beginning.app.stats.requests <= undisturbed * 1.02 + 5 * 2 + pass_over * 1.05
    assert differences(beginning.world, beginning.path) == []


def test_a_long_listing_goes_on_from_its_last_written_page(tmp_path: Path) -> None:
    world = generate(47, 700, projects=1, stories_per_task=0.3, users=5)
    project = next(world.iter_records("projects"))["gid"]
    path, app, stop = tmp_path / "mirror.db", create_app(world), Stop()
    listener = Listener(app)

    def pages() -> list[bool]:
        """Of each request for the project's tasks: whether it went on from an offset."""
        asked = [r for r in listener.requests if r.path == f"/projects/{project}/tasks"]
        return ["offset" in dict(request.query) for request in asked]

    async def stopping(scope: object, receive: object, send: object) -> None:
        await listener(scope, receive, send)
        if pages() == [False, True]:
            stop.set()

    with pytest.raises(Interrupted):
        mirror(world, path, stopping, stop=stop)
    mirror(world, path, listener)

    assert pages() == [False, True, True, True]
    assert len(world.project_order(project)) in range(301, 401)
    assert differences(world, path) == []


def test_an_interrupted_run_sets_no_tombstone(beginning: Mirrored) -> None:
    beginning.sync()
    gid = sorted(beginning.world.reachable_tasks())[0]
    beginning.write("DELETE", f"/tasks/{gid}")
    _stopped_after(beginning, beginning.app.stats.requests + 12)

    dead = [rows(beginning.path, f"SELECT gid FROM {t} WHERE _deleted_at IS NOT NULL") for t in RESOURCES]
    assert not any(dead)
    beginning.sync()
    assert not beginning.is_alive("tasks", gid)
    assert differences(beginning.world, beginning.path) == []


def test_a_second_run_on_the_same_mirror_is_turned_away(tmp_path: Path) -> None:
    world = generate(45, 150)
    app = create_app(world, limits=Limits(latency_s=LATENCY_S))
    path = tmp_path / "mirror.db"
    with running(app) as url:
        child = begin_run(world, path, url)
        _wait_for(app, 30, child)
        with pytest.raises(MirrorBusy) as told:
            mirror(world, path, app)
        assert told.value.exit_code == 5
        _let_finish(child)
    assert differences(world, path) == []

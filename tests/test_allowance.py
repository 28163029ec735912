"""The allowance through whole runs: pauses that outlive a run, what is remembered, budgets, and what comes first."""

from __future__ import annotations

import signal
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from truth import differences, unsound
from worlds import Listener, Mirrored, begin_run, mirror, rows, value

from asana_mirror.errors import AsanaUnreachable, BudgetSpent
from asana_mirror.quota import READS_IN_FLIGHT
from asana_mirror.run import Stop
from asana_mirror.sandbox import Limits, create_app, generate, running
from asana_mirror.store.allowances import hash_of, remembered
from asana_mirror.times import utc_now

PACED = {"per_minute": 6000.0}


@pytest.fixture
def told_to_wait(tmp_path: Path) -> Mirrored:
    """Asana refused the forty-first request, and told to wait for most of a minute."""
    world = generate(401, 60, stories_per_task=1.0)
    both = Mirrored(world, create_app(world, limits=Limits(per_minute=40)), tmp_path / "mirror.db")
    with pytest.raises(AsanaUnreachable) as told:
        mirror(world, both.path, both.app, max_wait_s=5, **PACED)
    assert told.value.exit_code == 4
    return both


def test_a_pause_is_not_cut_short_by_the_next_run(told_to_wait: Mirrored) -> None:
    world, app, path = told_to_wait.world, told_to_wait.app, told_to_wait.path
    asked = app.stats.requests
    with pytest.raises(AsanaUnreachable, match="wait"):
        mirror(world, path, app, max_wait_s=5, **PACED)
    assert app.stats.requests == asked
    assert app.stats.early == 0
    assert 30 < remembered(path, world.token)[1] <= 60


def test_once_the_pause_is_over_the_next_run_goes_on_at_what_was_learned(told_to_wait: Mirrored) -> None:
    world, app, path = told_to_wait.world, told_to_wait.app, told_to_wait.path
    beliefs, _ = remembered(path, world.token)
    assert beliefs.per_minute == pytest.approx(40, abs=2)
    with closing(sqlite3.connect(told_to_wait.path)) as db, db:
        db.execute("UPDATE sync_allowances SET paused_until = ?", [utc_now()])
    app.limits = Limits()
    began = time.monotonic()
    report = mirror(world, path, app, max_requests=4, **PACED)
    assert report.requests == 4
    assert time.monotonic() - began > 2 * 60 / 40  # not the burst that a new token would begin with


def test_a_clock_that_was_set_back_makes_nobody_wait_longer_than_told(told_to_wait: Mirrored) -> None:
    path, token = told_to_wait.path, told_to_wait.world.token
    far = (datetime.now(UTC) + timedelta(days=30)).isoformat().replace("+00:00", "Z")
    with closing(sqlite3.connect(told_to_wait.path)) as db, db:
        db.execute("UPDATE sync_allowances SET paused_until = ?", [far])
    assert remembered(path, token)[1] <= 60


def test_another_token_knows_nothing_of_it(told_to_wait: Mirrored) -> None:
    beliefs, pause_s = remembered(told_to_wait.path, "another token")
    assert (beliefs.per_minute, pause_s) == (None, 0.0)


def test_the_token_itself_is_nowhere(told_to_wait: Mirrored) -> None:
    kept = b"".join(path.read_bytes() for path in told_to_wait.path.parent.iterdir())
    assert told_to_wait.world.token.encode() not in kept
    assert hash_of(told_to_wait.world.token).encode() in kept


def test_a_pause_outlives_a_kill(tmp_path: Path) -> None:
    world = generate(402, 60, stories_per_task=1.0)
    app, path = create_app(world, limits=Limits(per_minute=40)), tmp_path / "mirror.db"
    with running(app) as url:
        child = begin_run(world, path, url, "--rpm", "6000")
        deadline = time.monotonic() + 20
        while not app.stats.refused and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.3)
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=10)
        asked = app.stats.requests
        again = begin_run(world, path, url, "--rpm", "6000", "--max-wait", "5s")
        _, said = again.communicate(timeout=20)
    assert again.returncode == 4, said
    assert b"wait" in said
    assert app.stats.requests == asked
    assert app.stats.early == 0


def test_at_most_so_many_are_in_flight(tmp_path: Path) -> None:
    world = generate(403, 200, stories_per_task=1.0)
    app = create_app(world, limits=Limits(latency_s=0.05, reads_in_flight=50, concurrency_tells=False))
    with running(app) as url:
        mirror(world, tmp_path / "mirror.db", url=url)
    assert app.stats.most_in_flight <= 50
    assert app.stats.refused == 0
    assert app.stats.most_in_flight >= READS_IN_FLIGHT - 5


def test_the_ledger_counts_what_asana_counted(tmp_path: Path) -> None:
    world = generate(404, 150, stories_per_task=1.0, plan="free")
    app, path = create_app(world, limits=Limits(latency_s=0.01, premium=False)), tmp_path / "mirror.db"
    with running(app) as url:
        report = mirror(world, path, url=url, per_minute=3000.0)
    run = rows(path, "SELECT * FROM sync_runs")[0]
    by_endpoint = rows(path, "SELECT * FROM sync_requests")
    assert sum(use["requests"] for use in by_endpoint) == run["requests"] == report.requests
    assert report.requests == app.stats.requests
    assert {use["endpoint"] for use in by_endpoint} >= {
        "/tasks/{gid}/stories",
        "/workspaces/{gid}/tasks/search",
    }
    assert all(use["cost_estimate"] >= use["requests"] for use in by_endpoint if use["endpoint"] != "/events")
    assert 0.9 <= (run["requests"] - run["refused"]) / run["allowed"] <= 1.02


# -- budgets ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [2, 10, 50, 120])
def test_no_more_requests_leave_than_the_budget_allows(tmp_path: Path, most: int) -> None:
    world = generate(405, 150, stories_per_task=1.0)
    both = Mirrored(world, create_app(world), tmp_path / "mirror.db")

    report = mirror(world, both.path, both.app, max_requests=most)

    assert report.outcome == "budget"
    assert report.requests == both.app.stats.requests == most
    assert report.left > 0
    assert value(both.path, "SELECT outcome FROM sync_runs") == "budget"
    assert unsound(both.path) == []  # with the indexes of what is here by now

    assert both.sync().outcome == "complete"
    assert differences(world, both.path) == []


def test_budget_after_budget_everything_is_read_and_nothing_twice(tmp_path: Path) -> None:
    world = generate(406, 150, stories_per_task=1.0, plan="free")
    app = create_app(world, limits=Limits(premium=False))
    both = Mirrored(world, app, tmp_path / "mirror.db")
    runs = 0
    while mirror(world, both.path, app, max_requests=60).outcome == "budget":
        runs += 1
        assert runs < 20
    assert differences(world, both.path) == []
    undisturbed = sum(world.pages_to_read().values())
    collections = 60  # each run asks once for its workspaces; the last one follows what changed meanwhile
    assert app.stats.requests <= undisturbed + runs + collections


def test_a_later_run_stops_at_its_budget_as_well(tmp_path: Path) -> None:
    world = generate(407, 100, stories_per_task=1.0)
    both = Mirrored(world, create_app(world), tmp_path / "mirror.db")
    both.sync()
    for task in sorted(world.reachable_tasks())[:30]:
        both.write("POST", f"/tasks/{task}/stories", text="Something new")
    before = both.app.stats.requests
    report = mirror(world, both.path, both.app, max_requests=15)
    assert (report.outcome, report.mode) == ("budget", "changes")
    assert both.app.stats.requests == before + 15
    both.sync()
    assert differences(world, both.path) == []


def test_the_time_that_was_given_is_kept(tmp_path: Path) -> None:
    world = generate(408, 300, stories_per_task=1.0)
    app = create_app(world, limits=Limits(latency_s=0.1))
    path = tmp_path / "mirror.db"
    began = time.monotonic()
    with running(app) as url:
        report = mirror(world, path, url=url, per_minute=1500.0, budget_s=1.0)
    assert report.outcome == "budget"
    assert 0.9 < time.monotonic() - began < 3.0
    assert app.stats.in_flight == 0
    assert value(path, "SELECT count(*) FROM projects WHERE _synced_at IS NOT NULL") > 0


def test_a_budget_that_ends_before_anything_is_read_leaves_no_trace(told_to_wait: Mirrored) -> None:
    before = told_to_wait.path.read_bytes()
    with pytest.raises(BudgetSpent):
        mirror(told_to_wait.world, told_to_wait.path, told_to_wait.app, budget_s=0.3, **PACED)
    assert told_to_wait.path.read_bytes() == before


def test_who_waits_for_a_pause_can_be_stopped(tmp_path: Path) -> None:
    world = generate(409, 60, stories_per_task=1.0)
    app, path, stop = create_app(world, limits=Limits(per_minute=40)), tmp_path / "mirror.db", Stop()

    async def stopping(scope: object, receive: object, send: object) -> None:
        await app(scope, receive, send)
        if app.stats.refused:
            stop.spend("the test's patience")

    began = time.monotonic()
    report = mirror(world, path, stopping, stop=stop, **PACED)
    assert report.outcome == "budget"
    assert time.monotonic() - began < 10


# -- what comes first ---------------------------------------------------------------------------------


def test_what_people_look_at_first_is_read_first(tmp_path: Path) -> None:
    world = generate(410, 900, projects=12, stories_per_task=1.0, plan="free")
    listener = Listener(create_app(world, limits=Limits(premium=False)))
    mirror(world, tmp_path / "mirror.db", listener)
    paths = [request.path for request in listener.requests]

    def places(end: str) -> list[int]:
        return [place for place, path in enumerate(paths) if path.endswith(end)]

    assert max(places("/projects")) < min(places("/stories"))
    of_projects = [place for place in places("/tasks") if paths[place].startswith("/projects/")]
    assert max(of_projects) < min(places("/stories")) + READS_IN_FLIGHT
    attachments = [place for place in places("/attachments") if place > max(of_projects)]
    late = [place for place in places("/stories") if place > attachments[12]]  # of projects: twelve
    assert len(late) < 0.1 * len(places("/stories"))

    asked = [path.split("/")[2] for path in paths if path.endswith("/stories")]
    newest_first = sorted(asked, key=lambda gid: world.record(gid)["modified_at"], reverse=True)
    first, last = set(newest_first[:100]), set(newest_first[-100:])
    middle = len(asked) // 2
    assert first <= set(asked[:middle])
    assert last <= set(asked[middle:])


def test_projects_in_use_come_before_archived_ones(tmp_path: Path) -> None:
    world = generate(411, 300, projects=30, stories_per_task=0.5, plan="free")
    gids = [record["gid"] for record in world.iter_records("projects")]
    app = create_app(world, limits=Limits(premium=False))
    for gid in gids[::3]:
        Mirrored(world, app, tmp_path / "mirror.db").write("PUT", f"/projects/{gid}", archived=True)
    listener = Listener(app)
    mirror(world, tmp_path / "mirror.db", listener)
    asked = [
        r.path.split("/")[2]
        for r in listener.requests
        if r.path.startswith("/projects/") and r.path.endswith("/tasks")
    ]
    projects = [world.record(gid) for gid in dict.fromkeys(asked)]
    out_of_use = [bool(project["archived"] or project["completed"]) for project in projects]
    assert out_of_use == sorted(out_of_use)
    assert sum(out_of_use) > 5


def test_dear_requests_give_way_to_cheap_ones_when_the_cost_quota_is_short(tmp_path: Path) -> None:
    """Under a cost quota the lists of tasks go on slowly, and stories are read meanwhile."""
    world = generate(412, 1200, projects=6, stories_per_task=1.0, plan="free")
    app = create_app(
        world, limits=Limits(premium=False, latency_s=0.005, reads_in_flight=50, cost_per_minute=150_000)
    )
    app.allowance(world.token).cost.balance = 8_000  # type: ignore[union-attr]
    path = tmp_path / "mirror.db"
    with running(app) as url:
        report = mirror(world, path, url=url, per_minute=60_000.0, budget_s=8.0)
    assert app.stats.early == 0
    assert report.refused == app.stats.refused
    assert app.stats.count(template="/tasks/{}/stories", status=200) > 50

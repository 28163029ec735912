"""Trouble that does not pass: what always fails, always refuses or never ends must not hold back the rest."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from truth import differences
from worlds import Mirrored, Rewriter, always_refused, mirror, mirrored, rows, write

import asana_mirror.client
from asana_mirror.errors import AsanaUnreachable, Interrupted, TooManyMissing
from asana_mirror.run import Stop
from asana_mirror.sandbox import Faults, World, create_app, generate
from asana_mirror.words import Scope


@pytest.fixture(autouse=True)
def no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asana_mirror.client, "backoff_s", lambda tries, randomness: 0.01)


def some_task(world: World) -> str:
    return min(world.reachable_tasks())


def test_a_listing_that_always_fails_holds_back_one_run_and_no_more(tmp_path: Path) -> None:
    world, path = generate(seed=91, tasks=60), tmp_path / "mirror.db"
    faults = Faults()
    app = create_app(world, faults=faults)
    failing = f"/tasks/{some_task(world)}/stories"
    faults.next(f"{failing}\\?", "500", times=10_000)

    with pytest.raises(AsanaUnreachable, match="1 listings could not be read"):
        mirror(world, path, app)
    assert mirror(world, path, app).outcome == "complete"

    renamed = write(world, app, "PUT", f"/tasks/{max(world.reachable_tasks())}", name="Renamed meanwhile")
    assert mirror(world, path, app).outcome == "complete"
    assert (
        rows(path, "SELECT name FROM tasks WHERE gid = ?", renamed["gid"])[0]["name"] == "Renamed meanwhile"
    )
    told = {tuple(row) for row in rows(path, "SELECT listing, status FROM sync_problems")}
    assert told == {(failing, 500), *always_refused(world)}

    faults.ordered.clear()
    mirror(world, path, app)
    assert differences(world, path) == []


def test_pages_that_lead_to_themselves_come_to_an_end(tmp_path: Path) -> None:
    world, path = generate(seed=92, tasks=40), tmp_path / "mirror.db"
    endless = next(world.iter_records("projects"))["gid"]

    def turn(asked: str, envelope: dict[str, Any]) -> None:
        if asked == f"/projects/{endless}/sections":
            envelope["next_page"] = {"offset": "round and round", "path": "", "uri": ""}

    app = create_app(world)
    report = mirror(world, path, Rewriter(app, turn))
    assert report.outcome == "complete"
    assert report.requests < 2 * sum(world.pages_to_read().values())
    mirror(world, path, app)
    assert differences(world, path) == []


def test_a_list_of_workspaces_without_end_is_said(tmp_path: Path) -> None:
    world = generate(seed=93, tasks=5)
    counter = itertools.count()

    def turn(asked: str, envelope: dict[str, Any]) -> None:
        if asked == "/workspaces":
            envelope["next_page"] = {"offset": f"more{next(counter)}", "path": "", "uri": ""}

    async def patient(scope: Any, receive: Any, send: Any) -> None:
        scope["query_string"] = b"limit=100"  # whatever the offset
        await Rewriter(create_app(world), turn)(scope, receive, send)

    with pytest.raises(AsanaUnreachable, match="does not come to an end"):
        mirror(world, tmp_path / "mirror.db", patient)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("second", [Scope(skip=("stories",)), Scope(only=("users",))])
def test_a_run_of_another_scope_in_between_loses_nothing(tmp_path: Path, second: Scope) -> None:
    world, path = generate(seed=94, tasks=120), tmp_path / "mirror.db"
    app = create_app(world)

    def stopped(scope: Scope) -> None:
        stop, stop_at = Stop(), app.stats.requests + 100

        async def counting(connection: Any, receive: Any, send: Any) -> None:
            if app.stats.requests >= stop_at:
                stop.set()
            await app(connection, receive, send)

        with pytest.raises(Interrupted):
            mirror(world, path, counting, scope=scope, stop=stop)

    stopped(Scope())
    if second.skip:
        stopped(second)
    else:
        mirror(world, path, app, scope=second)
    mirror(world, path, app)
    assert differences(world, path) == []
    assert rows(path, "SELECT count(*) AS due FROM sync_checkpoints WHERE due = 1")[0]["due"] == 0


def test_what_died_is_noticed_although_another_place_of_it_is_always_refused(tmp_path: Path) -> None:
    """Personal workspaces and free plans refuse lists for good; what they might have shown dies all the same."""
    both: Mirrored = mirrored(tmp_path, generate(seed=95, tasks=60))
    field = next(record["gid"] for record in both.world.iter_records("custom_fields"))
    assert both.is_alive("custom_fields", field)
    both.world.refuse("/workspaces/*/teams", 404)
    both.world.refuse(field, 404)
    both.sync()
    assert not both.is_alive("custom_fields", field)


def test_the_guard_counts_who_dies_with_a_parent(tmp_path: Path) -> None:
    world = generate(seed=96, tasks=100, stories_per_task=8)
    both = mirrored(tmp_path, world)
    talked_about = sorted(
        (row["n"], row["target_gid"])
        for row in rows(both.path, "SELECT count(*) AS n, target_gid FROM stories GROUP BY 2")
    )
    world.lose_events(1.0)  # or each deletion would be explained
    for _, task in talked_about[-15:]:
        if task in world.reachable_tasks():  # it may have gone with its parent
            both.write("DELETE", f"/tasks/{task}")
    with pytest.raises(TooManyMissing, match="stories"):
        both.sync(full=True)
    assert rows(both.path, "SELECT count(*) AS n FROM tasks WHERE _deleted_at IS NOT NULL")[0]["n"] == 0
    both.sync(full=True, max_deletes=10_000)
    assert differences(world, both.path) == []


def test_someone_hidden_between_two_pages_is_asked_for_before_being_called_dead(tmp_path: Path) -> None:
    world = generate(seed=97, tasks=30, stories_per_task=30)
    both = mirrored(tmp_path, world)
    longest = max(
        (row["n"], row["target_gid"])
        for row in rows(both.path, "SELECT count(*) AS n, target_gid FROM stories GROUP BY 2")
    )
    assert longest[0] > 100
    hidden: list[str] = []

    def hide(asked: str, envelope: dict[str, Any]) -> None:
        if asked == f"/tasks/{longest[1]}/stories" and envelope.get("next_page"):
            hidden.append(envelope["data"].pop()["gid"])

    mirror(world, both.path, Rewriter(both.app, hide), full=True)
    assert hidden
    for gid in hidden:
        assert both.is_alive("stories", gid)
    assert differences(world, both.path) == []


def test_a_comment_that_comes_without_its_gid_is_not_dead(tmp_path: Path) -> None:
    world = generate(seed=99, tasks=20, stories_per_task=4)
    both = mirrored(tmp_path, world)
    row = rows(both.path, "SELECT gid, target_gid FROM stories LIMIT 1")[0]

    def spoil(asked: str, envelope: dict[str, Any]) -> None:
        if asked == f"/tasks/{row['target_gid']}/stories":
            for record in envelope["data"]:
                if record["gid"] == row["gid"]:
                    del record["gid"]

    mirror(world, both.path, Rewriter(both.app, spoil))
    assert both.is_alive("stories", row["gid"])


def test_an_agent_known_by_its_work_alone_is_asked_for(tmp_path: Path) -> None:
    world, path = generate(seed=98, tasks=200), tmp_path / "mirror.db"
    world.refuse("/workspaces/*/agents", 403)
    mirror(world, path, create_app(world))
    agents = {record["gid"] for record in world.iter_records("agents")}
    assigned = {
        record["gid"]
        for record in world.iter_records("tasks")
        if record["assignee"] and record["assignee"]["gid"] in agents and not record["memberships"]
    }
    assert assigned
    alive = {row["gid"] for row in rows(path, "SELECT gid FROM tasks WHERE _synced_at IS NOT NULL")}
    assert assigned <= alive

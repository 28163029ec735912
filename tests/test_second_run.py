"""Later runs: what changed arrives, what is quiet is left alone, in whatever order things happen."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from hypothesis.strategies import integers, sampled_from
from lag import equal_at_last, equal_but_for_lag
from second_runs import both as both
from second_runs import equal, task_with
from truth import LINKS, RESOURCES, differences, unsound
from worlds import Mirrored, mirror, mirrored, rows

from asana_mirror.errors import Interrupted
from asana_mirror.run import Stop
from asana_mirror.sandbox import create_app, generate, random_edits


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


KINDS = (
    *("section_gone", "section_order", "section_new", "project_gone", "project_new", "person_gone"),
    *("undelete", "delete", "comment_gone", "detach", "reparent", "add_home", "leave_home", "depend"),
    *("field_change", "tag_change", "team_people", "project_people", "comment_edit", "comment_react"),
)


@pytest.mark.parametrize("kind", KINDS)
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


# -- orders of events that nobody thinks of ------------------------------------------------------------

LISTS = (
    *("/projects/*/tasks", "/projects/*/sections", "/tasks/*/stories", "/tasks/*/subtasks", "/attachments"),
    *("/users", "/projects", "/workspaces/*/projects", "/tags", "/workspaces/*/tags", "/tasks", "/events"),
    *("/workspaces/*/agents", "/workspaces/*/teams", "/team_memberships", "/teams/*/team_memberships"),
    *("/workspaces/*/custom_fields", "/tags/*/tasks", "/projects/*/custom_field_settings"),
)


class Years(RuleBasedStateMachine):
    """Edits, refusals, lost sight, stops and runs in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        world = generate(91, 50, projects=5, stories_per_task=2.0, users=6, tags=4)
        self.both = Mirrored(world, create_app(world), Path(self.folder.name) / "mirror.db")

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule(kind=sampled_from((*KINDS, "create", "create_below", "assign", "tag", "comment", "move")))
    def change_one_thing(self, kind: str) -> None:
        random_edits(self.both.world, 1, self.both.world.rng.randrange(10**6), kinds=[kind])

    @rule(many=integers(2, 25), seed=integers(0, 999))
    def change_many_things(self, many: int, seed: int) -> None:
        random_edits(self.both.world, many, seed)

    @rule(path=sampled_from(LISTS), status=sampled_from([402, 403, 404, 451]))
    def refuse_lists(self, path: str, status: int) -> None:
        self.both.world.refuse(path, status)

    @rule(place=integers(0, 40), kind=sampled_from(["projects", "tasks"]))
    def lose_sight(self, place: int, kind: str) -> None:
        found = [record["gid"] for record in self.both.world.iter_records(kind)]
        if found:
            self.both.world.refuse(found[place % len(found)], 404)

    @rule()
    def allow_everything(self) -> None:
        refusals = self.both.world.refusals
        for refused in [*refusals.by_gid, *refusals.by_path]:
            self.both.world.allow(refused)

    @rule(requests=integers(1, 150))
    def stop_a_run(self, requests: int) -> None:
        app, stop, asked = self.both.app, Stop(), self.both.app.stats.requests

        async def stopping(scope: Any, receive: Any, send: Any) -> None:
            await app(scope, receive, send)
            if app.stats.requests >= asked + requests:
                stop.set()

        with contextlib.suppress(Interrupted):
            mirror(self.both.world, self.both.path, stopping, stop=stop, max_deletes=1000)
        assert unsound(self.both.path, search=False) == []

    @rule()
    def run(self) -> None:
        report = self.both.sync(max_deletes=1000)
        assert unsound(self.both.path) == []
        assert self._buried_alive(report.run) == []
        if self.both.world.refusals.by_path or self.both.world.refusals.by_gid:
            return
        if report.resumed:
            self.both.sync(max_deletes=1000)
        assert equal(self.both)

    def _buried_alive(self, run: int) -> list[str]:
        world, found = self.both.world, []
        for table in ("projects", "sections", "tags", "tasks", "stories", "attachments"):
            sql = f"SELECT gid FROM {table} WHERE _deleted_at IS NOT NULL AND _changed_run = ?"
            gids = [row["gid"] for row in rows(self.both.path, sql, run)]
            found += [f"{table} {gid}" for gid in gids if world.visible(world.token, gid)]
        return found

    @rule()
    def end_the_year(self) -> None:
        self.allow_everything()
        self.run()


@pytest.mark.long
def test_whatever_happens_in_whatever_order_they_become_equal_again() -> None:
    run_state_machine_as_test(
        Years,
        settings=settings(
            max_examples=int(os.environ.get("YEARS", "5")),
            stateful_step_count=14,
            deadline=None,
            derandomize="YEARS" not in os.environ,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )

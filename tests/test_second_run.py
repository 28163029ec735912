"""Later runs: what changed arrives, what is gone is marked, what is quiet is left alone."""

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
from truth import LINKS, RESOURCES, differences, living, unsound
from worlds import Mirrored, mirror, mirrored, rows, value

from asana_mirror.errors import Interrupted, TooManyMissing
from asana_mirror.run import Stop
from asana_mirror.sandbox import World, create_app, generate, random_edits

Record = dict[str, Any]


@pytest.fixture
def both(tmp_path: Path) -> Mirrored:
    """Tasks in many small projects, mirrored once."""
    return mirrored(tmp_path, generate(21, 160, projects=12, stories_per_task=4.0))


def equal(both: Mirrored) -> bool:
    assert differences(both.world, both.path) == []
    assert unsound(both.path) == []
    return True


# -- what changed -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [31, 32, 33, 34])
def test_after_two_hundred_edits_a_second_run_makes_them_equal_again(tmp_path: Path, seed: int) -> None:
    world = generate(seed, 300, workspaces=1 + seed % 2)
    both = mirrored(tmp_path, world)
    assert len(random_edits(world, 200, seed)) == 200
    assert differences(world, both.path)

    both.sync()

    assert equal(both)


def test_many_runs_with_edits_between_them_stay_equal(tmp_path: Path) -> None:
    world = generate(35, 100)
    both = mirrored(tmp_path, world)
    for seed in range(6):
        random_edits(world, 40, seed)
        both.sync(max_deletes=1000)
        assert equal(both)


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
        assert equal(both)


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

    both.sync(max_deletes=1000)

    assert equal(both)


def _everything(path: Path) -> dict[str, list[Any]]:
    tables = (*RESOURCES, *LINKS, "actors")
    return {table: [tuple(row) for row in rows(path, f"SELECT * FROM {table}")] for table in tables}


def test_a_quiet_second_run_writes_nothing(both: Mirrored) -> None:
    before = _everything(both.path)

    report = both.sync()

    assert (report.rows_inserted, report.rows_updated, report.rows_deleted) == (0, 0, 0)
    assert _everything(both.path) == before


def test_a_run_writes_only_the_row_that_changed(both: Mirrored) -> None:
    task = _task_with(both.world, lambda record: record["memberships"])
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


# -- what is gone -------------------------------------------------------------------------------------


def _task_with(world: World, fits: Any) -> Record:
    """A top-level task with stories that fits."""
    told = {story["target"]["gid"] for story in world.iter_records("stories")}
    return next(
        record
        for record in map(world.record, sorted(world.reachable_tasks()))
        if record["gid"] in told and record["parent"] is None and fits(record)
    )


def _homes(record: Record) -> list[str]:
    return [place["project"]["gid"] for place in record["memberships"]]


def _only_in_one_project(record: Record) -> bool:
    return len(_homes(record)) == 1 and not record["tags"] and record["assignee"] is None


def _stories(both: Mirrored, task: str) -> list[Any]:
    return rows(both.path, "SELECT * FROM stories WHERE target_gid = ? AND _synced_at IS NOT NULL", task)


def test_a_deleted_task_stays_as_a_tombstone_with_all_below_it(both: Mirrored) -> None:
    task = _task_with(both.world, lambda record: record["num_subtasks"] and _only_in_one_project(record))
    subtasks = rows(both.path, "SELECT gid FROM tasks WHERE parent_gid = ?", task["gid"])
    told = len(_stories(both, task["gid"]))
    both.write("DELETE", f"/tasks/{task['gid']}")

    report = both.sync()

    row = both.row("tasks", task["gid"])
    assert (row["name"], row["_deleted_reason"] in ("deleted", "gone")) == (task["name"], True)
    assert row["_deleted_at"] is not None
    assert row["_changed_run"] == report.run
    assert {story["_deleted_reason"] for story in _stories(both, task["gid"])} == {"parent_deleted"}
    assert len(_stories(both, task["gid"])) == told
    assert not any(both.is_alive("tasks", row["gid"]) for row in subtasks)
    assert report.rows_deleted > len(subtasks)
    assert equal(both)


def test_an_undeleted_task_is_alive_again_with_all_below_it(both: Mirrored) -> None:
    task = _task_with(both.world, lambda record: record["num_subtasks"] and _only_in_one_project(record))
    both.write("DELETE", f"/tasks/{task['gid']}")
    both.sync()
    assert not both.is_alive("tasks", task["gid"])
    assert both.world.undelete(task["gid"])

    both.sync()

    assert both.is_alive("tasks", task["gid"])
    assert both.row("tasks", task["gid"])["_deleted_reason"] is None
    assert {story["_deleted_at"] for story in _stories(both, task["gid"])} == {None}
    assert equal(both)


def test_a_deleted_comment_is_a_tombstone_and_its_task_lives(both: Mirrored) -> None:
    comment = next(s for s in both.world.iter_records("stories") if s["type"] == "comment")
    both.write("DELETE", f"/stories/{comment['gid']}")
    both.sync()

    row = both.row("stories", comment["gid"])
    assert row["_deleted_at"] is not None
    assert row["text"] == comment["text"]
    assert both.is_alive("tasks", comment["target"]["gid"])
    assert equal(both)


def test_a_task_moved_to_another_project_leaves_the_old_one(both: Mirrored) -> None:
    task = _task_with(both.world, _only_in_one_project)
    old = _homes(task)[0]
    new = next(p["gid"] for p in both.world.iter_records("projects") if p["gid"] != old)
    both.write("POST", f"/tasks/{task['gid']}/addProject", project=new)
    both.write("POST", f"/tasks/{task['gid']}/removeProject", project=old)

    both.sync()

    found = rows(both.path, "SELECT project_gid FROM task_projects WHERE task_gid = ?", task["gid"])
    assert [row["project_gid"] for row in found] == [new]
    assert both.is_alive("tasks", task["gid"])
    assert equal(both)


def test_a_task_removed_from_its_last_project_lives_on(both: Mirrored) -> None:
    """No list shows it any more; leaving a place is not dying."""
    task = _task_with(both.world, _only_in_one_project)
    both.write("POST", f"/tasks/{task['gid']}/removeProject", project=_homes(task)[0])
    assert task["gid"] not in both.world.reachable_tasks()

    both.sync()
    assert both.is_alive("tasks", task["gid"])
    assert value(both.path, "SELECT count(*) FROM task_projects WHERE task_gid = ?", task["gid"]) == 0
    assert equal(both)

    both.write("PUT", f"/tasks/{task['gid']}", name="Changed where no list shows it")
    both.sync()
    assert both.row("tasks", task["gid"])["name"] == "Changed where no list shows it"
    assert equal(both)

    both.write("DELETE", f"/tasks/{task['gid']}")
    both.sync()
    assert not both.is_alive("tasks", task["gid"])


def test_an_assigned_task_survives_the_end_of_its_project(both: Mirrored) -> None:
    task = _task_with(both.world, lambda record: len(_homes(record)) == 1 and record["assignee"])
    project = _homes(task)[0]
    sections = rows(both.path, "SELECT gid FROM sections WHERE project_gid = ?", project)
    both.write("DELETE", f"/projects/{project}")

    both.sync()

    assert both.is_alive("tasks", task["gid"])
    assert both.row("projects", project)["_deleted_at"] is not None
    assert {both.row("sections", row["gid"])["_deleted_reason"] for row in sections} == {"parent_deleted"}
    assert equal(both)


def test_a_project_comes_back_with_its_tasks(both: Mirrored) -> None:
    project = _homes(_task_with(both.world, _only_in_one_project))[0]
    lived = living(both.path, "tasks").keys()
    both.write("DELETE", f"/projects/{project}")
    both.sync(max_deletes=1000)
    assert living(both.path, "tasks").keys() < lived
    assert both.world.undelete(project)

    both.sync()

    assert living(both.path, "tasks").keys() == lived
    assert equal(both)


def test_somebody_who_leaves_the_workspace_stays_named(both: Mirrored) -> None:
    world = both.world
    known = {identity.user for identity in world.identities.values()}
    user = next(u for u in world.iter_records("users") if u["gid"] not in known)
    told = value(both.path, "SELECT count(*) FROM stories WHERE created_by_gid = ?", user["gid"])
    assert told
    world.leave(user["gid"])

    both.sync()

    assert both.row("users", user["gid"])["_deleted_at"] is not None
    assert value(both.path, "SELECT name FROM actors WHERE gid = ?", user["gid"]) == user["name"]
    assert value(both.path, "SELECT count(*) FROM stories WHERE created_by_gid = ?", user["gid"]) >= told
    assert equal(both)


def test_what_becomes_invisible_is_a_tombstone_and_comes_back_when_it_shows_again(both: Mirrored) -> None:
    task = _task_with(both.world, _only_in_one_project)
    lived = living(both.path, "tasks").keys()
    both.world.refuse(task["gid"], 404)
    both.sync(max_deletes=1000)
    assert both.row("tasks", task["gid"])["_deleted_reason"] in ("gone", "access_lost")
    both.world.allow(task["gid"])

    both.sync()

    assert living(both.path, "tasks").keys() == lived
    assert equal(both)


# -- what is refused for a while ----------------------------------------------------------------------


def _busy_project(world: World) -> str:
    return max(
        (p["gid"] for p in world.iter_records("projects")), key=lambda gid: len(world.project_order(gid))
    )


def _problems(both: Mirrored) -> list[tuple[int, str]]:
    return [(row["status"], row["listing"]) for row in rows(both.path, "SELECT * FROM sync_problems")]


@pytest.mark.parametrize("status", [402, 403, 404, 451])
def test_a_task_list_that_is_refused_for_a_while_loses_nothing(both: Mirrored, status: int) -> None:
    project = _busy_project(both.world)
    lived = {table: living(both.path, table).keys() for table in ("tasks", "stories", "task_projects")}
    both.world.refuse(f"/projects/{project}/tasks", status)
    both.write("POST", "/tasks", name="Not to be seen for now", projects=[project])

    report = both.sync()

    assert report.outcome == "complete"
    assert report.rows_deleted == 0
    assert [problem for problem in _problems(both) if problem[0] != status] == []
    assert len(_problems(both)) == 1
    assert project in _problems(both)[0][1]
    for table, keys in lived.items():
        assert keys <= living(both.path, table).keys()

    both.world.allow(f"/projects/{project}/tasks")
    both.sync()

    assert _problems(both) == []
    assert equal(both)


@pytest.mark.parametrize("status", [402, 403, 451])
def test_a_project_that_is_refused_for_a_while_loses_nothing(both: Mirrored, status: int) -> None:
    """All that names the project is refused: its tasks, its sections, its attachments, itself."""
    project = _busy_project(both.world)
    before = {table: living(both.path, table).keys() for table in (*RESOURCES, *LINKS)}
    both.world.refuse(project, status)

    report = both.sync()

    assert report.rows_deleted == 0
    assert report.not_readable == len(_problems(both)) > 0
    assert {table: living(both.path, table).keys() for table in before} == before

    both.world.allow(project)
    both.sync()

    assert _problems(both) == []
    assert equal(both)


def test_stories_refused_on_a_first_run_arrive_when_they_are_allowed(tmp_path: Path) -> None:
    world = generate(22, 80)
    world.refuse("/tasks/*/stories", 403)
    both = mirrored(tmp_path, world)
    assert living(both.path, "stories") == {}
    assert len(living(both.path, "tasks")) == len(world.reachable_tasks())
    world.allow("/tasks/*/stories")

    both.sync()

    assert equal(both)


# -- when suddenly very much is gone ------------------------------------------------------------------


@pytest.fixture
def emptied(tmp_path: Path) -> Mirrored:
    """A mirror of a hundred tasks, of which sixty were deleted and nobody told."""
    world = generate(23, 100)
    both = mirrored(tmp_path, world)
    world.lose_events(1.0)
    for gid in sorted(world.reachable_tasks())[:60]:
        if world.alive(gid):
            both.write("DELETE", f"/tasks/{gid}")
    return both


def _tombstones(path: Path) -> int:
    return sum(value(path, f"SELECT count(*) FROM {t} WHERE _deleted_at IS NOT NULL") for t in RESOURCES)


def test_a_run_that_would_lose_most_tasks_stops_before_the_first_tombstone(emptied: Mirrored) -> None:
    with pytest.raises(TooManyMissing) as stopped:
        emptied.sync()

    assert stopped.value.exit_code == 6
    assert stopped.value.hint
    assert _tombstones(emptied.path) == 0
    assert len(living(emptied.path, "tasks")) == 100
    assert value(emptied.path, "SELECT outcome FROM sync_runs ORDER BY id DESC LIMIT 1") == "guarded"
    with pytest.raises(TooManyMissing):
        emptied.sync(max_deletes=20)
    assert _tombstones(emptied.path) == 0


def test_told_that_it_is_right_the_run_goes_through(emptied: Mirrored) -> None:
    with pytest.raises(TooManyMissing):
        emptied.sync()

    report = emptied.sync(max_deletes=10_000)

    assert report.rows_deleted >= 60
    assert equal(emptied)


def test_tasks_that_came_back_before_the_next_run_are_not_lost(emptied: Mirrored) -> None:
    with pytest.raises(TooManyMissing):
        emptied.sync()
    gone = [gid for gid in emptied.world.tasks if not emptied.world.alive(gid)]
    for gid in gone:
        emptied.world.undelete(gid)

    emptied.sync()

    assert len(living(emptied.path, "tasks")) == 100
    assert equal(emptied)


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

"""Runs that follow changes: nothing is lost, nothing is read twice, and what events missed is found and counted."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from lag import equal_at_last, equal_but_for_lag, tasks_without_a_stream
from second_runs import Record
from second_runs import both as both
from truth import RESOURCES, differences, living, unsound
from verifications import spoil
from worlds import Listener, Mirrored, Rewriter, is_alive, mirror, mirrored, row, rows, value

from asana_mirror.errors import TooManyMissing
from asana_mirror.sandbox import World, create_app, generate, random_edits
from asana_mirror.sandbox.change_stories import edit_story

# -- while a run reads --------------------------------------------------------------------------------


class BusyOffice:
    """Stands before an app and lets people make some edits every so many requests."""

    def __init__(self, both: Mirrored, every: int, seed: int) -> None:
        self.both = both
        self.every = every
        self.seed = seed
        self.edits = 0
        self.untold: set[str] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self.both.app.stats.requests % self.every == self.every - 1:
            self.edits += len(random_edits(self.both.world, 1, self.seed + self.both.app.stats.requests))
            self.untold |= tasks_without_a_stream(self.both)
        await self.both.app(scope, receive, send)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_changes_every_few_requests_of_three_runs_is_there_after_the_fourth(
    tmp_path: Path, seed: int
) -> None:
    world = generate(seed, 150, stories_per_task=3.0)
    both = Mirrored(world, create_app(world), tmp_path / "mirror.db")
    office = BusyOffice(both, 15, seed)
    for _ in range(3):
        mirror(world, both.path, office, max_deletes=1000)
        assert unsound(both.path) == []
    assert office.edits > 15

    both.sync(max_deletes=1000)

    assert equal_but_for_lag(both, office.untold)
    assert equal_at_last(both, max_deletes=1000)


@pytest.mark.parametrize("seed", [4, 5])
def test_what_changes_between_any_two_requests_of_a_later_run_arrives_with_the_next(
    tmp_path: Path, seed: int
) -> None:
    both = mirrored(tmp_path, generate(seed, 100, projects=6, stories_per_task=3.0))
    office = BusyOffice(both, 2, seed)
    for _ in range(3):
        mirror(both.world, both.path, office, max_deletes=1000)
        mirror(both.world, both.path, office, max_deletes=1000)
        both.sync(max_deletes=1000)
        assert equal_but_for_lag(both, office.untold)


class RightAfterwards:
    """Stands before an app: as soon as a project's tasks are listed, somebody likes one and edits a comment."""

    def __init__(self, both: Mirrored) -> None:
        self.both = both
        self.tasks = {
            _project(task): task["gid"] for task in _plain_tasks(both.world) if _said_on(both, task)
        }

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.both.app(scope, receive, send)
        place = re.search(r"/projects/(\d+)/tasks$|/tasks/(\d+)/stories$", scope["path"])
        task = place and (self.tasks.get(place[1]) or place[2])
        if task in self.tasks.values():
            world, by = self.both.world, self.both.world.me
            if place and place[1]:
                world.like(task, liked=by not in world.records[task].get("likes", ()))
            else:
                comment = world.find(_said_on(self.both, world.record(task))[0])
                edit_story(world, by, comment, {"text": f"Edited after {scope['path']}"})


def _said_on(both: Mirrored, task: Record) -> list[str]:
    stories = both.world.stories(both.world.records[task["gid"]])
    return [story["gid"] for story in stories if story["resource_subtype"] == "comment_added"]


def test_what_changes_right_after_its_list_was_read_is_told_by_the_stream(tmp_path: Path) -> None:
    """Because the token was taken before. Neither change moves the modified_at of its task."""
    world = generate(7, 120, projects=8, stories_per_task=4.0)
    both = Mirrored(world, create_app(world), tmp_path / "mirror.db")
    office = RightAfterwards(both)
    assert len(office.tasks) == 3
    mirror(world, both.path, office)
    assert differences(world, both.path)

    both.sync()

    assert equal_but_for_lag(both)


def test_what_changes_right_after_a_sweep_is_told_by_the_fresh_stream(tmp_path: Path) -> None:
    both = mirrored(tmp_path, generate(7, 120, projects=8, stories_per_task=4.0))
    office = RightAfterwards(both)
    for gid in office.tasks.values():
        both.write("PUT", f"/tasks/{gid}", name="So that its stories are read at once")
    spoil(both, "UPDATE sync_checkpoints SET cursor = 'dead' WHERE name = 'events'")
    mirror(both.world, both.path, office)
    assert differences(both.world, both.path)

    both.sync()

    assert equal_but_for_lag(both)


# -- once, however often it changed --------------------------------------------------------------------


def _in_one_project(record: Record) -> bool:
    return len(record["memberships"]) == 1 and not record["assignee"] and not record["tags"]


def _plain_tasks(world: World) -> Iterator[Record]:
    """Tasks that only their project's list and stream show."""
    for record in map(world.record, sorted(world.reachable_tasks())):
        if _in_one_project(record) and record["parent"] is None and not record["num_subtasks"]:
            yield record


def _project(task: Record) -> str:
    return str(task["memberships"][0]["project"]["gid"])


def test_a_record_is_read_once_however_often_it_changed(both: Mirrored) -> None:
    task = next(_plain_tasks(both.world))
    both.sync()
    quiet = Listener(both.app)
    mirror(both.world, both.path, quiet)
    for number in range(12):
        both.write("PUT", f"/tasks/{task['gid']}", name=f"Name {number}", completed=number % 2 == 0)
        both.write("POST", f"/tasks/{task['gid']}/stories", text=f"Said {number}")
    listener = Listener(both.app)

    mirror(both.world, both.path, listener)

    more = {r.asked for r in listener.requests if r.path != "/events"} - {r.asked for r in quiet.requests}
    shown = [asked for asked in more if task["gid"] in str(asked) or _project(task) in str(asked)]
    assert len(shown) <= 2  # the task, or its project's list, and its stories
    assert listener.repeated() == []
    assert equal_but_for_lag(both)


def test_all_events_of_a_stream_are_heard_however_many_they_are(both: Mirrored) -> None:
    project = max(_project(task) for task in _plain_tasks(both.world))
    tasks = [task["gid"] for task in _plain_tasks(both.world) if _project(task) == project]
    for number in range(150):
        gid = tasks[number % len(tasks)]
        both.write("POST", f"/tasks/{gid}/stories", text=f"Said {number}")
    told = len(both.world.events.streams[project])
    assert told > 100
    listener = Listener(both.app)

    mirror(both.world, both.path, listener)

    calls = [r for r in listener.requests if r.path == "/events" and ("resource", project) in r.query]
    assert len(calls) == -(-told // 100)
    assert len({dict(request.query)["sync"] for request in calls}) == len(calls)
    assert equal_but_for_lag(both)


def test_many_changes_in_one_project_cost_less_than_one_request_each(tmp_path: Path) -> None:
    both = mirrored(tmp_path, generate(24, 300, projects=2, stories_per_task=0.5, users=5))
    gids = [task["gid"] for task in _plain_tasks(both.world)][:60]
    assert len(gids) > 40
    for gid in gids:
        both.world.like(gid)  # which moves nothing: only events and whole records tell
    listener = Listener(both.app)
    mirror(both.world, both.path, listener)
    assert sum(request.path.startswith("/tasks/") for request in listener.requests) < len(gids) / 2
    assert equal_but_for_lag(both)


# -- at most once --------------------------------------------------------------------------------------


def test_what_events_missed_is_found_by_a_sweep_and_counted(both: Mirrored) -> None:
    # Values of other tasks show the names of some; a rename changes those as well.
    shown = str(
        [
            [field["reference_value"] for field in record["custom_fields"] if "reference_value" in field]
            for record in both.world.iter_records("tasks")
        ]
    )
    gids = [task["gid"] for task in _plain_tasks(both.world) if task["gid"] not in shown][:6]
    both.world.lose_events(1.0)
    for gid in gids[:5]:
        both.write("PUT", f"/tasks/{gid}", name="Nobody heard of it")
    both.write("DELETE", f"/tasks/{gids[5]}")
    both.world.lose_events(0.0)
    assert both.sync().drift == 0
    assert [row(both.path, "tasks", gid)["name"] for gid in gids].count("Nobody heard of it") == 0

    report = both.sync(sweep_every_s=0)

    assert report.drift == 6
    assert value(both.path, "SELECT drift FROM sync_runs WHERE id = ?", report.run) == 6
    assert not both.is_alive("tasks", gids[5])
    assert equal_but_for_lag(both)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_with_all_events_lost_a_sweep_finds_everything(tmp_path: Path, seed: int) -> None:
    both = mirrored(tmp_path, generate(30 + seed, 150, stories_per_task=3.0))
    both.world.lose_events(1.0)
    random_edits(both.world, 120, seed)

    assert both.sync(sweep_every_s=0, max_deletes=1000).drift > 0

    assert equal_but_for_lag(both)
    assert equal_at_last(both)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_where_no_event_was_lost_a_sweep_finds_nothing(tmp_path: Path, seed: int) -> None:
    both = mirrored(tmp_path, generate(30 + seed, 150, stories_per_task=3.0))
    random_edits(both.world, 120, seed)

    assert both.sync(sweep_every_s=0, max_deletes=1000).drift == 0

    assert equal_but_for_lag(both)


def test_a_list_that_shows_what_events_missed_leads_to_what_stands_on_it(both: Mirrored) -> None:
    """The person's list stores the new modified_at, by which a sweep would have noticed the attachment."""
    world = both.world
    owners = {
        attachment["parent"]["gid"]: attachment["gid"] for attachment in world.iter_records("attachments")
    }
    tasks = (world.record(gid) for gid in sorted(owners.keys() & world.reachable_tasks()))
    task = next(task["gid"] for task in tasks if task["assignee"] and task["memberships"])
    world.lose_events(1.0)
    both.write("DELETE", f"/attachments/{owners[task]}")
    world.lose_events(0.0)

    both.sync()
    assert not both.is_alive("attachments", owners[task])
    both.sync(sweep_every_s=0)
    assert equal_but_for_lag(both)


# -- the guard -----------------------------------------------------------------------------------------


def _delete_most(both: Mirrored) -> None:
    gids = sorted(both.world.reachable_tasks())
    for gid in gids[: len(gids) * 6 // 10]:
        if both.world.alive(gid):
            both.write("DELETE", f"/tasks/{gid}")


def _tombstones(path: Path) -> int:
    return sum(value(path, f"SELECT count(*) FROM {t} WHERE _deleted_at IS NOT NULL") for t in RESOURCES)


def test_a_clean_up_that_events_explain_goes_through(tmp_path: Path) -> None:
    both = mirrored(tmp_path, generate(26, 200))
    told = tasks_without_a_stream(both)
    gids = sorted(both.world.reachable_tasks() - told)
    for gid in gids[: len(gids) * 6 // 10]:
        if both.world.alive(gid):
            both.write("DELETE", f"/tasks/{gid}")

    report = both.sync()

    assert report.outcome == "complete"
    assert value(both.path, "SELECT count(*) FROM tasks WHERE _deleted_at IS NOT NULL") > 80
    reasons = rows(both.path, "SELECT DISTINCT _deleted_reason FROM tasks WHERE _deleted_at IS NOT NULL")
    assert {found[0] for found in reasons} <= {"deleted", "parent_deleted"}
    assert equal_but_for_lag(both)


def test_a_clean_up_that_nobody_told_of_stops_the_sweep_that_finds_it(tmp_path: Path) -> None:
    both = mirrored(tmp_path, generate(26, 200))
    both.world.lose_events(1.0)
    _delete_most(both)
    alive = living(both.path, "tasks").keys()

    with pytest.raises(TooManyMissing) as stopped:
        both.sync(sweep_every_s=0)

    assert stopped.value.exit_code == 6
    assert _tombstones(both.path) == 0
    assert living(both.path, "tasks").keys() == alive


@pytest.mark.parametrize("told", [True, False], ids=["told", "in a gap"])
@pytest.mark.parametrize("assigned", [True, False])
def test_what_changes_below_a_task_that_has_left_its_last_project_arrives(
    both: Mirrored, assigned: bool, told: bool
) -> None:
    """From then on no stream tells of it, and the task itself shows nothing of what changes below."""
    world = both.world

    def loose(record: Record) -> bool:
        return not (record["memberships"] or record["assignee"] or record["tags"])

    task, below = next(
        (task, gid)
        for task in map(world.record, sorted(world.reachable_tasks()))
        if len(task["memberships"]) == 1 and bool(task["assignee"]) == assigned and not task["parent"]
        for gid in world.records[task["gid"]].get("subtasks", ())
        if world.alive(gid) and loose(world.record(gid))
    )
    deepest = both.write("POST", f"/tasks/{below}/subtasks", name="Below all")["gid"]
    both.sync()
    if not told:
        spoil(both, "UPDATE sync_checkpoints SET cursor = 'dead' WHERE name = 'events'")
    both.write("POST", f"/tasks/{task['gid']}/removeProject", project=_project(task))
    both.write("PUT", f"/tasks/{deepest}", name="Changed after its stream was gone")

    both.sync()

    assert row(both.path, "tasks", deepest)["name"] == "Changed after its stream was gone"
    assert equal_but_for_lag(both)


# -- what is there stays there -------------------------------------------------------------------------


@pytest.mark.parametrize("full", [False, True])
def test_no_row_is_removed_not_even_to_be_written_anew(tmp_path: Path, full: bool) -> None:
    """Whatever refers to a row, or was added to it, would go with it."""
    both = mirrored(tmp_path, generate(8, 100, stories_per_task=3.0))
    with closing(sqlite3.connect(both.path)) as db, db:
        db.execute("CREATE TABLE removed (gid TEXT)")
        for table in (*RESOURCES, "actors"):
            tell = f"INSERT INTO removed VALUES ('{table} ' || old.gid)"
            db.execute(f"CREATE TRIGGER removed_from_{table} AFTER DELETE ON {table} BEGIN {tell}; END")
    random_edits(both.world, 120, 8)

    assert both.sync(full=full, max_deletes=1000).rows_updated > 50

    assert [gone[0] for gone in rows(both.path, "SELECT gid FROM removed")] == []
    assert equal_but_for_lag(both)


# -- what may go wrong between a stream and the mirror -------------------------------------------------


def test_a_link_that_is_gone_is_gone_from_the_mirror_as_well(both: Mirrored) -> None:
    """Alone: nothing else of the task differs, so only its links do."""
    task = next(_plain_tasks(both.world))["gid"]
    both.world.like(task)
    both.sync()
    assert value(both.path, "SELECT count(*) FROM task_likes WHERE task_gid = ?", task) >= 1
    for record in list(both.world.record(task)["likes"]):
        both.world.like(task, by=record["user"]["gid"], liked=False)

    both.sync()

    assert value(both.path, "SELECT count(*) FROM task_likes WHERE task_gid = ?", task) == 0
    assert equal_but_for_lag(both)


def test_a_stream_that_comes_with_events_of_things_unknown_is_heard_to_its_end(both: Mirrored) -> None:
    task = next(_plain_tasks(both.world))
    both.write("PUT", f"/tasks/{task['gid']}", name="Told of among strangers")

    def strange(path: str, envelope: dict[str, Any]) -> None:
        if path == "/events":
            unknown = {"gid": "9", "resource_type": "goal"}
            envelope["data"][:0] = [
                {
                    "action": "changed",
                    "resource": unknown,
                    "type": "goal",
                    "created_at": "2026-01-01T00:00:00Z",
                },
                {"action": "levitated", "resource": {"gid": "8", "resource_type": "task"}, "type": "task"},
                {"action": "deleted", "resource": {"gid": "7", "resource_type": "task"}, "type": "task"},
            ]

    report = mirror(both.world, both.path, Rewriter(both.app, strange))

    assert report.outcome == "complete"
    assert row(both.path, "tasks", task["gid"])["name"] == "Told of among strangers"
    assert not is_alive(both.path, "tasks", "7")
    assert equal_but_for_lag(both)

"""Later runs against an Asana that tells less than the sandbox, or tells it otherwise."""

from __future__ import annotations

import contextlib
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lag import equal_but_for_age
from second_runs import both as both
from second_runs import equal, task_with
from truth import differences
from worlds import Listener, Mirrored, Rewriter, mirror, mirrored, rows

from asana_mirror import times
from asana_mirror.errors import Interrupted
from asana_mirror.run import Stop
from asana_mirror.sandbox import Limits, create_app, generate


def in_a_project(record: dict[str, Any]) -> bool:
    return bool(record["memberships"])


def only_in_a_project(record: dict[str, Any]) -> bool:
    return in_a_project(record) and not record["assignee"] and not record["tags"]


# -- lost events --------------------------------------------------------------------------------------


def test_an_attachment_of_which_no_event_told_goes_with_the_next_sweep_though_its_task_was_read(
    both: Mirrored,
) -> None:
    world = both.world
    attachment = next(a for a in world.iter_records("attachments") if in_a_project(_owner(world, a)))
    world.lose_events(1.0)
    both.write("DELETE", f"/attachments/{attachment['gid']}")
    world.lose_events(0.0)
    both.write("PUT", f"/tasks/{attachment['parent']['gid']}", name="Told of")
    both.sync()
    assert both.is_alive("attachments", attachment["gid"])

    both.sync(sweep_every_s=0)

    assert not both.is_alive("attachments", attachment["gid"])
    assert equal(both)


def _owner(world: Any, attachment: dict[str, Any]) -> dict[str, Any]:
    owner: dict[str, Any] = world.record(attachment["parent"]["gid"])
    return owner if owner["resource_type"] == "task" else {"memberships": []}


def test_a_sweep_goes_below_a_task_whose_subtasks_were_read_for_another_reason(tmp_path: Path) -> None:
    """Its list of subtasks is due already because their number changed: what is below those must be looked at."""
    world = generate(22, 60, projects=3)
    both = Mirrored(world, create_app(world, limits=Limits(sync_token_lifetime_s=-1)), tmp_path / "mirror.db")
    gids = [task_with(world, in_a_project)["gid"]]
    for depth in range(3):
        gids.append(both.write("POST", f"/tasks/{gids[-1]}/subtasks", name=f"Depth {depth}")["gid"])
    both.write("PUT", f"/tasks/{gids[1]}", assignee=world.me)
    both.sync()
    both.write("POST", f"/tasks/{gids[1]}/subtasks", name="One more")
    both.write("POST", f"/tasks/{gids[3]}/stories", text="Far below")

    both.sync()

    assert differences(world, both.path) == []


# -- events that say less -----------------------------------------------------------------------------


def test_a_comment_whose_event_does_not_name_its_task_brings_the_task_along(both: Mirrored) -> None:
    task = task_with(both.world, only_in_a_project)
    both.write("POST", f"/tasks/{task['gid']}/stories", text="New")

    def forget_parents(path: str, envelope: dict[str, Any]) -> None:
        for event in envelope["data"] if path == "/events" else ():
            del event["parent"]

    mirror(both.world, both.path, Rewriter(both.app, forget_parents))

    assert equal(both)


# -- many at once -------------------------------------------------------------------------------------


def test_what_stood_on_deleted_tasks_is_not_asked_for_one_by_one(both: Mirrored) -> None:
    tasks = [record["gid"] for record in both.world.iter_records("tasks") if in_a_project(record)][:40]
    for gid in tasks:
        if both.world.alive(gid):
            both.write("DELETE", f"/tasks/{gid}")
    both.app.stats.reset()

    both.sync(max_deletes=1000)

    assert equal_but_for_age(both)
    assert (
        both.app.stats.count(template="/stories/{}") == both.app.stats.count(template="/attachments/{}") == 0
    )


def test_tasks_of_a_deleted_tag_are_read_as_lists_of_their_projects(tmp_path: Path) -> None:
    world = generate(23, 150, projects=2, tags=1)
    both = mirrored(tmp_path, world)
    (tag,) = world.inside["tag", world.workspaces[0]]
    tasks = [record["gid"] for record in world.iter_records("tasks") if in_a_project(record)][:60]
    for gid in tasks:
        both.write("POST", f"/tasks/{gid}/addTag", tag=tag)
    both.sync()
    both.write("DELETE", f"/tags/{tag}")
    both.app.stats.reset()

    both.sync()

    assert equal_but_for_age(both)
    assert both.app.stats.count(template="/tasks/{}") < 20


def test_a_task_that_came_back_is_tied_again_though_other_lists_show_it_as_well(both: Mirrored) -> None:
    world = both.world
    on = task_with(world, lambda r: in_a_project(r) and r["assignee"])["gid"]
    task = task_with(world, lambda r: in_a_project(r) and r["gid"] != on)["gid"]
    both.write("POST", f"/tasks/{on}/addTag", tag=world.inside["tag", world.workspaces[0]][0])
    both.write("POST", f"/tasks/{task}/addDependencies", dependencies=[on])
    both.sync()
    both.write("DELETE", f"/tasks/{on}")
    both.sync()
    world.lose_events(1.0)
    world.undelete(on)
    world.lose_events(0.0)

    both.sync()

    elsewhere = (
        "display_value",
        "reference_gids",
    )  # what values say of a record is as of their owner's reading
    assert differences(world, both.path, besides=lambda *where: where[2] in elsewhere) == []


# -- a clock that is wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize("days", [-2, 2, 400])
def test_runs_find_what_changed_though_this_machines_clock_was_wrong(
    both: Mirrored, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    class WrongClock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(days=days)

    in_projects = [record["gid"] for record in both.world.iter_records("tasks") if only_in_a_project(record)]
    with monkeypatch.context() as wrong:
        wrong.setattr(times, "datetime", WrongClock)
        both.write("PUT", f"/tasks/{in_projects[0]}", name="While it was wrong")
        both.sync()
        assert both.row("tasks", in_projects[0])["name"] == "While it was wrong"
    both.write("PUT", f"/tasks/{in_projects[1]}", name="Right again")

    both.sync()

    assert both.row("tasks", in_projects[1])["name"] == "Right again"
    assert not rows(both.path, "SELECT 1 FROM sync_checkpoints WHERE last_walked_at > ?", times.utc_now())


def test_a_stream_that_promises_more_for_ever_is_left_and_its_project_swept(both: Mirrored) -> None:
    asked = 0

    def promise(path: str, envelope: dict[str, Any]) -> None:
        nonlocal asked
        if path == "/events":
            asked += 1
            envelope |= {"data": [], "has_more": True, "sync": f"{asked}-{envelope['sync']}"}

    class Forgiving(Listener):
        """Takes the tokens that were made up."""

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            query = re.sub(rb"sync=\d+-", b"sync=", scope["query_string"])
            await self.app({**scope, "query_string": query}, receive, send)

    task = task_with(both.world, only_in_a_project)["gid"]
    both.write("PUT", f"/tasks/{task}", name="Found all the same")
    mirror(both.world, both.path, Forgiving(Rewriter(both.app, promise)))

    assert asked < 25 * len(list(both.world.iter_records("projects")))
    assert both.row("tasks", task)["name"] == "Found all the same"


# -- runs that did not end well, and runs after them ---------------------------------------------------


def test_a_run_after_a_stopped_one_looks_at_what_no_stream_tells_of(both: Mirrored) -> None:
    """The stopped run heard and read all the news; the next one hears none, and must not take that for quiet."""
    world = both.world
    unheard = next(
        record["gid"]
        for record in world.iter_records("tasks")
        if record["parent"]
        and not record["assignee"]
        and not record["tags"]
        and not any(map(in_a_project, _line(world, record)))
    )
    told = task_with(world, only_in_a_project)["gid"]
    both.write("PUT", f"/tasks/{unheard}", name="Told by nobody")
    both.write("PUT", f"/tasks/{told}", name="Told by a stream")
    stop = Stop()
    with contextlib.suppress(Interrupted):
        mirror(world, both.path, StopAt(both.app, f"/tasks/{told}", stop), stop=stop)

    both.sync()

    assert both.row("tasks", unheard)["name"] == "Told by nobody"


class StopAt:
    """Asks a run to stop as soon as it has asked for a path."""

    def __init__(self, app: Any, path: str, stop: Stop) -> None:
        self.app, self.path, self.stop = app, path, stop

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].endswith(self.path) and not self.stop.is_set():
            self.stop.ask()
        await self.app(scope, receive, send)


def _line(world: Any, record: dict[str, Any]) -> list[dict[str, Any]]:
    """A task and all above it."""
    found = [record]
    while found[-1]["parent"]:
        found.append(world.record(found[-1]["parent"]["gid"]))
    return found


def test_a_task_read_by_itself_that_had_been_buried_is_tied_again(both: Mirrored) -> None:
    world = both.world
    on = task_with(world, only_in_a_project)["gid"]
    task = task_with(world, lambda r: only_in_a_project(r) and r["gid"] != on)["gid"]
    both.write("POST", f"/tasks/{task}/addDependencies", dependencies=[on])
    both.sync()
    both.write("DELETE", f"/tasks/{on}")
    both.sync()
    world.lose_events(1.0)
    world.undelete(on)
    world.lose_events(0.0)
    both.write("PUT", f"/tasks/{on}", liked=True)

    both.sync()

    assert rows(
        both.path, "SELECT 1 FROM task_dependencies WHERE task_gid = ? AND depends_on_gid = ?", task, on
    )


def test_subtasks_of_an_agent_that_is_gone_are_read_though_no_event_told(both: Mirrored) -> None:
    world = both.world
    agent = world.inside["agent", world.workspaces[0]][0]
    subtask = next(
        record["gid"]
        for record in world.iter_records("tasks")
        if record["parent"] and not in_a_project(record)
    )
    both.write("PUT", f"/tasks/{subtask}", assignee=agent)
    both.sync()
    world.lose_events(1.0)
    for gid in list(world.assigned[agent, world.workspaces[0]]):
        both.write("PUT", f"/tasks/{gid}", assignee=None)
    world.records[agent]["trashed"] = agent

    both.sync()

    assert both.row("tasks", subtask)["assignee_gid"] is None

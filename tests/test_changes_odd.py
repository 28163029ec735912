"""Later runs against an Asana that tells less than the sandbox, or tells it otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from second_runs import both as both
from second_runs import equal, task_with
from truth import differences
from worlds import Mirrored, Rewriter, mirror

from asana_mirror.sandbox import Limits, create_app, generate


def in_a_project(record: dict[str, Any]) -> bool:
    return bool(record["memberships"])


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
    task = task_with(both.world, lambda r: in_a_project(r) and not r["assignee"] and not r["tags"])
    both.write("POST", f"/tasks/{task['gid']}/stories", text="New")

    def forget_parents(path: str, envelope: dict[str, Any]) -> None:
        for event in envelope["data"] if path == "/events" else ():
            del event["parent"]

    mirror(both.world, both.path, Rewriter(both.app, forget_parents))

    assert equal(both)

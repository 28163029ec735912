"""A run that leaves out kinds of things loses nothing of them for the runs after it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from narrowed import differences_in, of_projects, unlike
from worlds import Mirrored, mirrored, rows, value

from asana_mirror.sandbox import Limits, generate, random_edits
from asana_mirror.words import Scope

WITHOUT = [
    ("stories",),
    ("attachments",),
    ("stories", "attachments"),
    ("tasks",),
    ("sections",),
    ("tags", "users"),
]
EDITS = (
    *("create", "create_below", "rename", "complete", "assign", "fill", "move", "add_home", "leave_home"),
    *("comment", "comment_edit", "comment_gone", "attach", "detach", "delete", "undelete", "reparent", "tag"),
    *("section_new", "section_rename", "section_order", "project_new", "project_change"),
)


@pytest.fixture
def both(tmp_path: Path) -> Mirrored:
    return mirrored(tmp_path, generate(94, 100, projects=5, stories_per_task=3.0))


@pytest.mark.parametrize("skip", WITHOUT, ids=",".join)
@pytest.mark.parametrize("more", [{}, {"full": True}], ids=["changes", "full"])
def test_what_one_run_left_out_the_next_one_brings(
    both: Mirrored, skip: tuple[str, ...], more: dict[str, Any]
) -> None:
    for seed in (1, 2):
        random_edits(both.world, 60, seed, EDITS)
        both.sync(scope=Scope(skip=skip), **more)
    assert both.sync().mode == "changes"
    assert unlike(both.world, both.path) == []
    assert value(both.path, "SELECT count(*) FROM sync_inbox") == 0
    assert value(both.path, "SELECT count(*) FROM sync_checkpoints WHERE due = 1") == 0


@pytest.mark.parametrize("skip", WITHOUT, ids=",".join)
def test_the_sweep_after_a_gap_is_made_up_for_as_well(both: Mirrored, skip: tuple[str, ...]) -> None:
    random_edits(both.world, 80, 3, EDITS)
    both.app.limits = Limits(sync_token_lifetime_s=-1)
    both.sync(scope=Scope(skip=skip))
    both.app.limits = Limits()
    both.sync(max_age_s=0)
    assert unlike(both.world, both.path) == []


def test_only_some_kinds_of_things_lose_nothing_of_the_others(both: Mirrored) -> None:
    for seed, only in enumerate((("projects",), ("stories",), ("tasks",), ("tags",))):
        random_edits(both.world, 40, 10 + seed, EDITS)
        both.sync(scope=Scope(only=only))
    both.sync()
    assert unlike(both.world, both.path) == []


@pytest.mark.parametrize("more", [{}, {"full": True}], ids=["changes", "full"])
def test_stories_of_new_tasks_come_after_a_run_of_one_project_without_them(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    """The mirror knows nothing but this project: there is no wider run that would bring them."""
    world = generate(95, 80, projects=3, stories_per_task=2.0)
    project = max(
        (r["gid"] for r in world.iter_records("projects")), key=lambda g: len(world.project_order(g))
    )
    only = Scope(projects=(project,))
    both = mirrored(tmp_path, world, scope=only)
    task = both.write("POST", "/tasks", name="New", projects=[project])["gid"]
    below = both.write("POST", f"/tasks/{task}/subtasks", name="Below it")["gid"]
    both.sync(scope=Scope(projects=(project,), skip=("stories", "attachments")), **more)
    assert both.is_alive("tasks", task)
    assert both.is_alive("tasks", below)
    assert rows(both.path, "SELECT 1 FROM stories WHERE target_gid IN (?, ?)", task, below) == []

    both.sync(scope=only)

    assert differences_in(world, both.path, of_projects(world, [project])) == []

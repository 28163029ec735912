"""A mirror for later runs to bring up to date, and what to change in its world."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from truth import differences, unsound
from worlds import Mirrored, mirrored

from asana_mirror.sandbox import World, generate

Record = dict[str, Any]


@pytest.fixture
def both(tmp_path: Path) -> Mirrored:
    """Tasks in many small projects, mirrored once."""
    return mirrored(tmp_path, generate(21, 160, projects=12, stories_per_task=4.0))


def equal(both: Mirrored) -> bool:
    assert (found := differences(both.world, both.path)) == [], found
    assert (found := unsound(both.path)) == [], found
    return True


def task_with(world: World, fits: Any) -> Record:
    """A top-level task with stories that fits."""
    told = {story["target"]["gid"] for story in world.iter_records("stories")}
    return next(
        record
        for record in map(world.record, sorted(world.reachable_tasks()))
        if record["gid"] in told and record["parent"] is None and fits(record)
    )

"""Whether the mirror's memory stays the same however much it reads."""

from __future__ import annotations

import tempfile
from pathlib import Path

from beside import NO_SEARCH, patience_s, run_beside, sandbox_beside
from figures import Figure

STORIES, QUICK_STORIES = (50_000, 200_000, 1_000_000), (5_000, 20_000)
STORIES_A_TASK = 6


def measure(quick: bool) -> list[Figure]:
    resident = {stories: _resident_mb(stories) for stories in (QUICK_STORIES if quick else STORIES)}
    least, most = min(resident.values()), max(resident.values())
    each = ", ".join(f"{held:.0f} MB at {stories:,}" for stories, held in resident.items())
    return [
        Figure("resident memory at most", most, "MB", at_most=250, note=f"{each} stories"),
        Figure("resident memory, largest by smallest", most / least, at_most=1.15),
    ]


def _resident_mb(stories: int) -> float:
    world = {"tasks": stories // STORIES_A_TASK, "stories_per_task": STORIES_A_TASK}
    with sandbox_beside(world, NO_SEARCH) as sandbox, tempfile.TemporaryDirectory() as folder:
        figures = run_beside(Path(folder) / "asana.db", sandbox, within_s=patience_s(world["tasks"]))
    resident: float = figures["resident_mb"]
    return resident

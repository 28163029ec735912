"""Whether a record costs the same in a large mirror as in a small one, and what a quiet large one costs.

Where search is allowed its own limit, which the mirror keeps at any pace, sets the wall clock: it counts only without.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from beside import NO_SEARCH, UNLIMITED, patience_s, run_beside, sandbox_beside
from figures import Figure

SIZES, QUICK_SIZES = (5_000, 100_000), (1_000, 5_000)
SEARCHED, QUICK_SEARCHED = (5_000, 20_000), (1_000, 3_000)  # more would be minutes of waiting for searches
WORDS = {"wall_s": "wall clock", "cpu_s": "CPU", "requests": "requests"}
UNITS = {"wall_s": "ms", "cpu_s": "ms", "requests": "of 1,000"}


def measure(quick: bool) -> list[Figure]:
    sizes = QUICK_SIZES if quick else SIZES
    plain = [_runs(tasks, NO_SEARCH) for tasks in sizes]
    few = QUICK_SEARCHED if quick else SEARCHED
    searched = [_runs(tasks, UNLIMITED) for tasks in few]
    quiet = plain[-1][1]
    note = f"{quiet['requests']:,} requests, {quiet['wall_s']:.1f} s"
    large = f"{sizes[-1]:,} tasks"
    return [
        *(_growth(name, f"{large} by {sizes[0]:,}, no search", plain) for name in WORDS),
        *(
            _growth(name, f"{few[-1]:,} tasks by {few[0]:,}, searched", searched)
            for name in ("cpu_s", "requests")
        ),
        Figure(f"CPU of a run on the quiet mirror of {large}", quiet["cpu_s"], "s", at_most=10, note=note),
    ]


def _runs(tasks: int, limits: dict[str, Any]) -> list[dict[str, Any]]:
    """The first run, and one more after which nothing has changed."""
    with sandbox_beside({"tasks": tasks}, limits) as sandbox, tempfile.TemporaryDirectory() as folder:
        mirror = Path(folder) / "asana.db"
        return [run_beside(mirror, sandbox, within_s=patience_s(tasks)) for _ in range(2)]


def _growth(name: str, between: str, runs: list[list[dict[str, Any]]]) -> Figure:
    """What the first run took for a record of the largest world, by that of the smallest."""
    each = [first[name] / first["rows_inserted"] * 1000 for first, _ in runs]
    note = f"{each[0]:.3f}, then {each[-1]:.3f} {UNITS[name]}"
    return Figure(f"{WORDS[name]} a record, {between}", each[-1] / each[0], at_most=1.15, note=note)

"""How long a first sync takes, and what it needs: wall clock, CPU, memory, requests.

    python tests/benchmarks/first_fill.py --tasks 10000

The sandbox runs unlimited in a process of its own. The machine counts: compare figures of one run only.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from beside import patience_s, run_beside, sandbox_beside


def measure(tasks: int, stories_per_task: float) -> list[dict[str, object]]:
    """A first run and a quiet full run after it, each in a process of its own."""
    figures: list[dict[str, object]] = []
    world = {"tasks": tasks, "stories_per_task": stories_per_task}
    with sandbox_beside(world) as sandbox, tempfile.TemporaryDirectory() as folder:
        mirror = Path(folder) / "asana.db"
        for name in ("first", "full"):
            figure = run_beside(mirror, sandbox, within_s=patience_s(tasks), full=name == "full")
            figures.append(
                {
                    "run": name,
                    "records": figure["rows_inserted"] + figure["rows_unchanged"],
                    "requests": figure["requests"],
                    "pages_that_exist": sandbox.all_pages,
                    "requests_per_page": round(figure["requests"] / sandbox.all_pages, 4),
                    "wall_s": round(figure["wall_s"], 1),
                    "cpu_s": round(figure["cpu_s"], 1),
                    "resident_mb": round(figure["resident_mb"]),
                    "file_mb": round(mirror.stat().st_size / 1e6),
                }
            )
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--stories-per-task", type=float, default=6.0)
    options = parser.parse_args()
    figures = measure(options.tasks, options.stories_per_task)
    for name in figures[0]:
        sys.stdout.write(f"{name:>18} {figures[0][name]!s:>10} {figures[1][name]!s:>10}\n")
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()

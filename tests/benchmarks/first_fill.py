"""How long a first sync takes, and what it needs: wall clock, CPU, memory, requests.

    python tests/benchmarks/first_fill.py --tasks 10000

The sandbox runs unlimited in a process of its own. The machine counts: compare figures of one run only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SANDBOX = """
import json, sys
from asana_mirror.sandbox import create_app, generate, running
tasks, stories_per_task, projects = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]) or None
world = generate(seed=1, tasks=tasks, stories_per_task=stories_per_task, projects=projects)
pages = world.pages_to_read()
gids = [gid for ws in world.workspaces for gid in world.inside["project", ws]]
with running(create_app(world)) as base_url:
    told = {"base_url": base_url, "token": world.token, "pages": pages, "projects": gids}
    print(json.dumps(told), flush=True)
    sys.stdin.read()
"""

RUN = """
import asyncio, json, os, resource, sys, time
from dataclasses import asdict
from pathlib import Path
from asana_mirror.run import SyncOptions, sync
mirror, base_url, full = sys.argv[1:]
token = os.environ["ASANA_ACCESS_TOKEN"]
options = SyncOptions(Path(mirror), token, base_url, per_minute=0, full=full == "full")
began, cpu = time.perf_counter(), time.process_time()
report = asyncio.run(sync(options))
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({
    **asdict(report),
    "wall_s": time.perf_counter() - began,
    "cpu_s": time.process_time() - cpu,
    "resident_mb": usage.ru_maxrss / 1024,
}))
"""


@contextmanager
def sandbox_beside(tasks: int, stories_per_task: float, projects: int = 0) -> Iterator[dict[str, Any]]:
    """An unlimited sandbox in a process of its own: its base URL, its token, its pages by kind, its projects."""
    sandbox = subprocess.Popen(
        [sys.executable, "-c", SANDBOX, str(tasks), str(stories_per_task), str(projects)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert sandbox.stdin is not None
    assert sandbox.stdout is not None
    try:
        yield json.loads(sandbox.stdout.readline())
    finally:
        sandbox.stdin.close()
        sandbox.wait()


def run_beside(mirror: Path, told: dict[str, Any], *, full: bool = False) -> dict[str, Any]:
    """One run in a process of its own: its report, and what it took."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(mirror), told["base_url"], "full" if full else ""],
        env={**os.environ, "ASANA_ACCESS_TOKEN": told["token"]},
        capture_output=True,
        text=True,
        check=True,
    )
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def measure(tasks: int, stories_per_task: float) -> list[dict[str, object]]:
    """A first run and a quiet full run after it, each in a process of its own."""
    figures: list[dict[str, object]] = []
    with sandbox_beside(tasks, stories_per_task) as told, tempfile.TemporaryDirectory() as folder:
        mirror = Path(folder) / "asana.db"
        for name in ("first", "full"):
            figure = run_beside(mirror, told, full=name == "full")
            pages = sum(told["pages"].values())
            figures.append(
                {
                    "run": name,
                    "records": figure["rows_inserted"] + figure["rows_unchanged"],
                    "requests": figure["requests"],
                    "pages_that_exist": pages,
                    "requests_per_page": round(figure["requests"] / pages, 4),
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

"""What later runs cost: requests against what they may cost, rows, bytes written, wall clock and CPU.

    python tests/benchmarks/later_runs.py --tasks 10000 --projects 200

The sandbox runs unlimited in a process of its own and counts the requests. A quiet run may ask for each project's
events, the pages of the collections, and one list per person and tag; 100 tasks renamed or commented on in ten
projects may cost 240 more. Times are shares of the first fill's, because the machine counts.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
from beside import Sandbox, patience_s, run_beside, sandbox_beside

EACH_RUN = (
    *("workspaces", "users", "agents", "teams", "tags", "custom_fields", "projects"),
    *("assigned_tasks", "tag_tasks", "events"),
)
EDITED_PROJECTS = 10
EDITED_TASKS = 100
EDITS_MAY_COST = 240


class Office:
    """Writes to the sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        headers = {"Authorization": f"Bearer {sandbox.token}"}
        self._http = httpx.Client(base_url=sandbox.base_url, headers=headers, timeout=60)
        self._projects = sandbox.projects

    def tasks_to_edit(self) -> list[str]:
        """Top-level tasks of the ten fullest projects: the same number of each."""
        each = EDITED_TASKS // EDITED_PROJECTS
        found: list[str] = []
        for gid in self._projects:
            asked = self._http.get(f"/projects/{gid}/tasks?limit=100&opt_fields=parent").json()["data"]
            tops = [task["gid"] for task in asked if not task["parent"] and task["gid"] not in found]
            if len(tops) >= each:
                found += tops[:each]
            if len(found) == EDITED_TASKS:
                return found
        raise LookupError("There are not ten projects with ten tasks each.")

    def edit(self) -> None:
        """Rename every other task, and write a comment on each of the rest."""
        for number, gid in enumerate(self.tasks_to_edit()):
            if number % 2:
                answer = self._http.put(f"/tasks/{gid}", json={"data": {"name": f"Renamed {number}"}})
            else:
                answer = self._http.post(f"/tasks/{gid}/stories", json={"data": {"text": f"Said {number}"}})
            answer.raise_for_status()


def bytes_written(mirror: Path, run: Callable[[], dict[str, Any]]) -> tuple[dict[str, Any], int]:
    """What a run told, and the bytes that it wrote: a reader beside it keeps them all in the WAL."""
    wal = Path(f"{mirror}-wal")
    with closing(sqlite3.connect(mirror, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT 1 FROM sync_runs").fetchone()
        figures = run()
        return figures, wal.stat().st_size if wal.exists() else 0


def measure(tasks: int, projects: int) -> list[dict[str, Any]]:
    """The first fill, a quiet run, one after 100 edits, and a quiet one again."""
    rows: list[dict[str, Any]] = []
    world = {"tasks": tasks, "projects": projects or None}
    with sandbox_beside(world) as sandbox, tempfile.TemporaryDirectory() as folder:
        mirror, office = Path(folder) / "asana.db", Office(sandbox)
        quiet = sum(sandbox.pages[name] for name in EACH_RUN)
        may_cost = {"first": None, "quiet": quiet, "edited": quiet + EDITS_MAY_COST, "quiet again": quiet}

        def run() -> dict[str, Any]:
            return run_beside(mirror, sandbox, within_s=patience_s(tasks))

        for name, most in may_cost.items():
            if name == "edited":
                office.edit()
            sandbox.begin_to_count()
            if name == "first":
                figures, written = run(), mirror.stat().st_size
            else:
                figures, written = bytes_written(mirror, run)
            rows.append(_row(name, figures, sandbox.counts()["requests"], most, written))
    for row in rows:
        row["wall_share"] = round(row["wall_s"] / rows[0]["wall_s"], 3)
        row["cpu_share"] = round(row["cpu_s"] / rows[0]["cpu_s"], 3)
    return rows


def _row(name: str, figures: dict[str, Any], requests: int, most: int | None, written: int) -> dict[str, Any]:
    return {
        "run": name,
        "requests": requests,
        "may_cost": most,
        "rows_inserted": figures["rows_inserted"],
        "rows_updated": figures["rows_updated"],
        "rows_unchanged": figures["rows_unchanged"],
        "written_kb": written // 1000,
        "wall_s": round(figures["wall_s"], 2),
        "cpu_s": round(figures["cpu_s"], 2),
        "resident_mb": round(figures["resident_mb"]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--projects", type=int, default=200)
    options = parser.parse_args()
    rows = measure(options.tasks, options.projects)
    for name in rows[0]:
        sys.stdout.write(f"{name:>16}" + "".join(f"{row[name]!s:>13}" for row in rows) + "\n")
    sys.stdout.write(json.dumps(rows) + "\n")


if __name__ == "__main__":
    main()

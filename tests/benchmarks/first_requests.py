"""How many requests a first sync takes, of the pages that exist: without search, and with it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from beside import NO_SEARCH, UNLIMITED, patience_s, run_beside, sandbox_beside
from figures import Figure

TASKS, QUICK_TASKS = 10_000, 2_000


def measure(quick: bool) -> list[Figure]:
    tasks = QUICK_TASKS if quick else TASKS
    free: dict[str, Any] = {"tasks": tasks, "plan": "free"}
    paid: dict[str, Any] = {"tasks": tasks, "attachments_share": 0.13}
    return [
        _measure("free domain: requests, of the pages that exist", free, NO_SEARCH, 1.02),
        _measure("search allowed, 13 % with attachments: requests, of the pages", paid, UNLIMITED, 0.55),
    ]


def _measure(name: str, world: dict[str, Any], limits: dict[str, Any], at_most: float) -> Figure:
    with sandbox_beside(world, limits) as sandbox, tempfile.TemporaryDirectory() as folder:
        run_beside(Path(folder) / "asana.db", sandbox, within_s=patience_s(world["tasks"]))
        requests = sandbox.counts()["requests"]
    note = f"{requests:,} of {sandbox.all_pages:,}"
    return Figure(name, requests / sandbox.all_pages, at_most=at_most, note=note)

"""What the mirror's own work adds to the bare minimum: the same pages fetched, the same rows written."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from beside import NO_SEARCH, Broken, Sandbox, patience_s, run_beside, sandbox_beside, told_by
from figures import Figure

TASKS, QUICK_TASKS = 10_000, 2_000


def measure(quick: bool) -> list[Figure]:
    """Without search, so that the pages are the same whoever asks for them."""
    tasks = QUICK_TASKS if quick else TASKS
    within_s = patience_s(tasks)
    with (
        sandbox_beside({"tasks": tasks}, NO_SEARCH, records=True) as sandbox,
        tempfile.TemporaryDirectory() as folder,
    ):
        mirror, target = Path(folder) / "asana.db", Path(folder) / "bare.db"
        ours = run_beside(mirror, sandbox, within_s=within_s)
        asked = _statuses(sandbox)
        fetched = told_by(
            "fetch_process.py", {"base_url": sandbox.base_url}, within_s=within_s, token=sandbox.token
        )
        order = {"source": str(mirror), "target": str(target)}
        written = told_by("rows_process.py", order, within_s=within_s)
    if fetched["statuses"] != asked:
        raise Broken(f"Not the same pages were fetched: {fetched['statuses']}, not {asked}.")
    bare_s = fetched["cpu_s"] + written["cpu_s"]
    return [
        Figure(
            "the mirror's CPU, times that of bare fetching and writing",
            ours["cpu_s"] / bare_s,
            at_most=1.6,
            note=f"{ours['cpu_s']:.1f} s of CPU; {fetched['cpu_s']:.1f} s for {sum(asked.values()):,} pages "
            f"and {written['cpu_s']:.1f} s for {written['rows']:,} rows",
        )
    ]


def _statuses(sandbox: Sandbox) -> dict[str, int]:
    """How many requests were answered with which status until now."""
    counted: Counter[str] = Counter()
    for route in sandbox.counts()["routes"]:
        counted[str(route["status"])] += route["requests"]
    return dict(counted)

"""Against a plain script on Asana's own client, at 80 ms latency: end to end, and CPU per record."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from beside import UNLIMITED, Sandbox, run_beside, sandbox_beside, told_by
from figures import Figure

READ_BY_BOTH = ("workspaces", "users", "teams", "projects", "tasks", "stories", "attachments")
TASKS, QUICK_TASKS = 600, 150


def measure(quick: bool) -> list[Figure]:
    tasks = QUICK_TASKS if quick else TASKS
    with (
        sandbox_beside({"tasks": tasks}, {**UNLIMITED, "latency_s": 0.08}) as sandbox,
        tempfile.TemporaryDirectory() as folder,
    ):
        peer_file, mirror = Path(folder) / "peer.db", Path(folder) / "asana.db"
        peer = _end_to_end(lambda: _peer_beside(peer_file, sandbox, within_s=120 + tasks))
        ours = _end_to_end(lambda: run_beside(mirror, sandbox, within_s=120 + tasks))
        records = [_records(mirror, " WHERE _synced_at IS NOT NULL"), _records(peer_file)]
    cpu_ms = [told["cpu_s"] / count * 1000 for told, count in zip((ours, peer), records, strict=True)]
    read = f"{records[0]:,} records; the peer {records[1]:,}"
    return [
        Figure(
            "times faster than the peer, end to end",
            peer["all_s"] / ours["all_s"],
            at_least=8,
            note=f"{ours['all_s']:.1f} s, {read} in {peer['all_s']:.1f} s",
        ),
        Figure(
            "times less CPU a record than the peer",
            cpu_ms[1] / cpu_ms[0],
            at_least=2.5,
            note=f"{cpu_ms[0]:.2f} ms; the peer {cpu_ms[1]:.2f} ms",
        ),
    ]


def _end_to_end(run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What a process told, and how long it took from its start to its end, as its user would see it."""
    began = time.perf_counter()
    told = run()
    return {**told, "all_s": time.perf_counter() - began}


def _peer_beside(path: Path, sandbox: Sandbox, *, within_s: float) -> dict[str, Any]:
    order = {"base_url": sandbox.base_url, "path": str(path)}
    return told_by("peer_process.py", order, within_s=within_s, token=sandbox.token)


def _records(path: Path, which: str = "") -> int:
    """Records on file of the kinds that both read, however often each came."""
    with closing(sqlite3.connect(path)) as connection:
        counts = (connection.execute(f"SELECT count(*) FROM {table}{which}") for table in READ_BY_BOTH)
        return sum(count.fetchone()[0] for count in counts)

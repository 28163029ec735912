"""How much of what Asana allows is used, in real time: 1,500 requests a minute, 50 at once, 80 ms latency."""

from __future__ import annotations

import tempfile
from pathlib import Path

from beside import run_beside, sandbox_beside
from figures import Figure

PER_MINUTE = 1500
# Without search, or how many requests a world takes would depend on what search saves.
LIMITS = {"per_minute": PER_MINUTE, "reads_in_flight": 50, "latency_s": 0.08, "premium": False}
REQUESTS, QUICK_REQUESTS = 10_000, 1_500
REQUESTS_A_TASK = 2.285


def measure(quick: bool) -> list[Figure]:
    wanted = QUICK_REQUESTS if quick else REQUESTS
    with (
        sandbox_beside({"tasks": round(wanted / REQUESTS_A_TASK)}, LIMITS) as sandbox,
        tempfile.TemporaryDirectory() as folder,
    ):
        run_beside(Path(folder) / "asana.db", sandbox, within_s=180 + wanted / 8, paced=True)
        counts, seconds = sandbox.counts(), sandbox.seen()["seconds"]
    requests = counts["requests"]
    allowed = PER_MINUTE / 60 * seconds
    return [
        Figure(
            "share of the allowed requests that is used",
            requests / allowed * 100,
            "%",
            at_least=97,
            note=f"{requests:,} requests in {seconds:.1f} s",
        ),
        Figure("requests before a told Retry-After", counts["early"], at_most=0),
        Figure("refused of 1,000 requests", counts["refused"] / requests * 1000, at_most=1),
        Figure("most requests in flight", counts["most_in_flight"]),
    ]

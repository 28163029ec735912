"""The pure governor over a million requests on a hand-set clock: limits of a paid and a free domain, and of cost."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

from figures import Figure

sys.path.insert(0, str(Path(__file__).parent.parent))
from limiters import Cost, Kind, Limiter, Sliding, walk

from asana_mirror.quota import Governor

REQUESTS, QUICK_REQUESTS = 1_000_000, 50_000
MIX = (
    Kind("/projects/{gid}/tasks", lambda randomness: randomness.uniform(500, 2500), 0.15, 0.5),
    Kind("/tasks/{gid}/stories", lambda randomness: randomness.uniform(5, 60), 0.45),
    Kind("/attachments", lambda randomness: randomness.choice([1, 1, 1, 5]), 0.4),
)


def measure(quick: bool) -> list[Figure]:
    """Used, refused, early: at 1,500 and 150 a minute, and at half of the cost that the walk asks."""
    requests = QUICK_REQUESTS if quick else REQUESTS
    figures = []
    for per_minute in (1500, 150):
        figures += _of_rate(per_minute, requests)
    return [*figures, *_of_cost(requests // 10)]


def _of_rate(per_minute: int, requests: int) -> list[Figure]:
    began = time.perf_counter()
    limiter: Limiter = Sliding(per_minute)
    walked = walk(Governor(), limiter, requests=requests)
    spent = f"{requests:,} requests in {time.perf_counter() - began:.0f} s; {walked.refused} refused"
    return [
        Figure(
            f"simulated at {per_minute} a minute: used", walked.used(per_minute), at_least=0.97, note=spent
        ),
        Figure(f"simulated at {per_minute} a minute: before a told Retry-After", walked.early, at_most=0),
        Figure(
            f"simulated at {per_minute} a minute: refused of 1,000",
            1000 * walked.refused / requests,
            at_most=1,
        ),
    ]


def _of_cost(requests: int) -> list[Figure]:
    randomness = random.Random(1)
    asked = sum(kind.weight * sum(kind.price(randomness) for _ in range(2000)) / 2000 for kind in MIX)
    cost = Cost(1500 * asked / 2)
    walked = walk(Governor(), Sliding(1500), cost, kinds=MIX, requests=requests)
    refill = cost.per_minute * walked.now / 60
    note = f"{walked.refused} of {requests:,} refused, {walked.early} early"
    return [
        Figure("simulated cost quota: used of the refill", cost.spent / refill, at_least=0.9, note=note),
        Figure(
            "simulated cost quota: longest wait of any request, s",
            max(walked.longest_wait_s.values()),
            at_most=300,
        ),
    ]

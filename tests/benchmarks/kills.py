"""A watch that is killed again and again while everything changes: `storm.py --only kills`, for the suite."""

from __future__ import annotations

from figures import Figure
from storm import KILLS, QUICK, Plan, figures, storm


def measure(quick: bool) -> list[Figure]:
    plan = Plan(**QUICK) if quick else Plan()  # type: ignore[arg-type]
    return figures(storm(KILLS, plan), plan)

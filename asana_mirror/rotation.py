"""Whose turn it is: pure. What must be looked at within a period is spread evenly over it, the oldest first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Aged(Generic[T]):
    """Something that was looked at some seconds ago; to look again takes `cost` requests."""

    what: T
    age_s: float
    cost: int = 1


def turns(count: float, period_s: float, *, now_s: float, elapsed_s: float) -> int:
    """How many of `count` have their turn since `elapsed_s` ago, when each has one in a period.

    Depends on the moment alone, so that small shares add up over many looks.
    """
    per_second = count / period_s
    return int(now_s * per_second) - int((now_s - elapsed_s) * per_second)


def slice_of(things: Sequence[T], period_s: float, *, now_s: float, elapsed_s: float) -> list[T]:
    """Those of a fixed order whose turn came since `elapsed_s` ago: each once in a period."""
    if not things:
        return []
    share = turns(len(things), period_s, now_s=now_s, elapsed_s=elapsed_s)
    first = int((now_s - elapsed_s) * len(things) / period_s)
    return [things[(first + place) % len(things)] for place in range(min(share, len(things)))]


def by_turn(aged: Iterable[Aged[T]], period_s: float, *, now_s: float, elapsed_s: float) -> list[T]:
    """The oldest ones, as many as their requests have turns; and all that are older than the period."""
    waiting = sorted(aged, key=lambda one: -one.age_s)
    left = turns(sum(one.cost for one in waiting), period_s, now_s=now_s, elapsed_s=elapsed_s)
    found: list[T] = []
    for one in waiting:
        if left <= 0 and one.age_s < period_s:
            break
        left -= one.cost
        found.append(one.what)
    return found

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


def _turn(count: float, period_s: float, at_s: float) -> int:
    """How many turns there were until a moment, when each of `count` has one in a period."""
    return int(at_s * (count / period_s))


def turns(count: float, period_s: float, *, now_s: float, elapsed_s: float) -> int:
    """How many of `count` have their turn since `elapsed_s` ago.

    Depends on the moment alone, so that small shares add up over many looks.
    """
    return _turn(count, period_s, now_s) - _turn(count, period_s, now_s - elapsed_s)


def slice_of(things: Sequence[T], period_s: float, *, now_s: float, elapsed_s: float) -> list[T]:
    """Those of a fixed order whose turn came since `elapsed_s` ago: each once in a period."""
    if not things:
        return []
    count = len(things)
    share = turns(count, period_s, now_s=now_s, elapsed_s=elapsed_s)
    first = _turn(count, period_s, now_s - elapsed_s)
    return [things[(first + place) % count] for place in range(min(share, count))]


def by_turn(aged: Iterable[Aged[T]], period_s: float, *, now_s: float, elapsed_s: float) -> list[T]:
    """All that are older than the period; and of the others the oldest, for as many requests as have their turn.

    What takes more requests than that waits until it is as old as the period.
    """
    waiting = sorted(aged, key=lambda one: -one.age_s)
    left = turns(sum(one.cost for one in waiting), period_s, now_s=now_s, elapsed_s=elapsed_s)
    found: list[T] = []
    for one in waiting:
        if one.age_s >= period_s or one.cost <= left:
            left -= one.cost
            found.append(one.what)
    return found

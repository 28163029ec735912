"""How fresh a watch keeps everything: pure. What is in use is looked at each tick, the rest in its turn.

So a tick costs a small share of the allowance however large the workspace is.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from asana_mirror.rotation import Aged, by_turn, slice_of, turns

T = TypeVar("T")

TOKEN_LIFE_S = 24 * 3600.0  # of an event stream, or shorter: https://developers.asana.com/docs/events
SILENT_S = 24 * 3600.0  # a webhook that was silent for so long is dead: a heartbeat is due every 8 hours
COLD_S = 5.8 * 3600.0  # streams of projects that nobody touches; well below half of a token's life
COOLING = 4.0  # a stream that told something an hour ago is heard each quarter of an hour
ACTIVE_TICKS = 2.0  # the greatest age of what is in use
LIST_EVERY_S = 60.0  # of collections and lists of persons and tags, one request in so many seconds
LISTS_WITHIN_S = 6 * 3600.0  # and none of them older than that
ROOTS_WITHIN_S = 3600.0  # those that show what is new: projects, people, tags
LOOSE_EVERY_S = 120.0  # the same for what is asked for one by one, because no list shows it
AGED_EVERY_S = 35.0  # and for what is read by age only, where there is so much of it
REST_EVERY_S = 3600.0  # what was refused, put off or left out before


@dataclass(frozen=True)
class News:
    """A run that follows what webhooks told, and hears some streams besides."""

    streams: frozenset[str] = frozenset()
    mode: str = "news"


@dataclass(frozen=True)
class Tick:
    """A run at its time: when that is, and how long after the one before."""

    now_s: float  # since the epoch
    elapsed_s: float
    every_s: float  # how often there is one
    streams: frozenset[str] = frozenset()  # to be heard in any case
    mode: str = "tick"

    def turns(self, count: float, period_s: float) -> int:
        """How many of `count` have their turn, when each has one in a period."""
        return turns(count, period_s, now_s=self.now_s, elapsed_s=self.elapsed_s)

    def turn(self, aged: Iterable[Aged[T]], period_s: float) -> list[T]:
        """Those whose turn it is."""
        return by_turn(aged, period_s, now_s=self.now_s, elapsed_s=self.elapsed_s)

    def slice_of(self, things: Sequence[T], period_s: float) -> list[T]:
        """Those of a fixed order whose turn it is."""
        return slice_of(things, period_s, now_s=self.now_s, elapsed_s=self.elapsed_s)


Focus = Tick | News


@dataclass(frozen=True)
class Stream:
    """A project's stream: how long ago it was heard, and how long nothing is known to have happened there."""

    project_gid: str
    heard_s: float
    quiet_s: float = math.inf
    has_webhook: bool = False  # one that is in order: news comes by itself


def period_s(quiet_s: float, every_s: float) -> float:
    """How often a stream is heard that has told nothing for so long.

    After a tick in which it told something, in the next one; then in every other; the longer quiet the more seldom.
    """
    return max(min(quiet_s, ACTIVE_TICKS * every_s), quiet_s / COOLING)


def streams_due(streams: Iterable[Stream], tick: Tick, hot: Collection[str] = ()) -> list[str]:
    """The streams to be heard: those of projects in use, the longer quiet the more seldom; of the others a few."""
    due: list[str] = []
    cold: list[Aged[str]] = []
    for stream in streams:
        is_hot = stream.project_gid in hot  # what a search shows and a webhook has not told may be lost
        wanted_s = 0.0 if is_hot else period_s(stream.quiet_s, tick.every_s)
        if (stream.has_webhook and not is_hot) or wanted_s >= COLD_S:
            cold.append(Aged(stream.project_gid, stream.heard_s))
        elif stream.heard_s + tick.every_s / 2 >= wanted_s:
            due.append(stream.project_gid)
    return due + tick.turn(cold, COLD_S)


def lists_due(lists: Collection[Aged[T]], tick: Tick, within_s: float = LISTS_WITHIN_S) -> list[T]:
    """The collections to be read: all of a small workspace, a few of a large one, the oldest first."""
    requests = sum(one.cost for one in lists)
    return tick.turn(lists, min(within_s, max(tick.every_s, requests * LIST_EVERY_S)))


def aged_due(by_period: Mapping[float, Collection[Aged[T]]], tick: Tick) -> list[T]:
    """The lists whose age has come, each kind with a period of its own.

    Where there are so many that they would take more than a request in AGED_EVERY_S, all periods are longer.
    """
    a_second = sum(one.cost / period_s for period_s, lists in by_period.items() for one in lists)
    longer = max(1.0, a_second * AGED_EVERY_S)
    return [one for period_s, lists in by_period.items() for one in tick.turn(lists, period_s * longer)]

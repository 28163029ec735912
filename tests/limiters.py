"""Limits of a server, written without knowledge of the governor, and a walk through them on a hand-set clock."""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from asana_mirror.quota import Ask, Departure, Governor


class Limiter(Protocol):
    def knock(self, now: float, price: float) -> float:
        """0 lets the request in, else the seconds after which to come again."""


@dataclass
class Sliding:
    """At most so many requests in any `span_s`; refused ones count."""

    most: float
    span_s: float = 60.0
    seen: deque[float] = field(default_factory=deque)

    def knock(self, now: float, price: float) -> float:
        while self.seen and self.seen[0] <= now - self.span_s:
            self.seen.popleft()
        self.seen.append(now)
        over = len(self.seen) - self.most
        return 0.0 if over <= 0 else math.ceil(max(1.0, self.seen[int(over)] + self.span_s - now))


@dataclass
class Fixed:
    """At most so many in each span of the clock."""

    most: float
    span_s: float = 60.0
    span: int = -1
    seen: int = 0

    def knock(self, now: float, price: float) -> float:
        span = int(now // self.span_s)
        self.span, self.seen = (span, 1) if span != self.span else (span, self.seen + 1)
        return 0.0 if self.seen <= self.most else math.ceil((span + 1) * self.span_s - now)


@dataclass
class Bucket:
    """Tokens that drip in; a refused request takes none."""

    per_minute: float
    depth: float
    held: float | None = None
    at: float = 0.0

    def knock(self, now: float, price: float) -> float:
        held = self.depth if self.held is None else self.held + (now - self.at) * self.per_minute / 60
        self.held, self.at = min(self.depth, held), now
        if self.held < 1:
            return math.ceil((1 - self.held) * 60 / self.per_minute)
        self.held -= 1
        return 0.0


@dataclass
class Cost:
    """A quota that refills steadily; an answer's price is taken afterwards and may overdraw it."""

    per_minute: float
    held: float | None = None
    at: float = 0.0
    spent: float = 0.0

    def knock(self, now: float, price: float) -> float:
        held = self.per_minute if self.held is None else self.held
        self.held, self.at = min(self.per_minute, held + (now - self.at) * self.per_minute / 60), now
        if self.held <= 0:
            return max(1.0, math.ceil((1 - self.held) * 60 / self.per_minute))
        self.held -= price
        self.spent += price
        return 0.0


@dataclass(frozen=True)
class Kind:
    """A kind of request: what it costs, how often it is wanted, and how much of the price its answer shows."""

    endpoint: str
    price: Callable[[random.Random], float] = lambda _: 10.0
    weight: float = 1.0
    shown: float = 1.0


@dataclass
class Walk:
    """Workers that always want the next request, a server with limits, and a clock that goes from event to event."""

    governor: Governor
    limiters: list[Limiter]
    kinds: tuple[Kind, ...] = (Kind("/stories"),)
    latency_s: tuple[float, float] = (0.06, 0.1)
    workers: int = 45
    seed: int = 1
    faults: float = 0.0  # share of requests that are refused for no reason
    now: float = 0.0
    requests: int = 0
    refused_at: list[float] = field(default_factory=list)
    early: int = 0  # came although they had been told to wait
    accepted: Counter[str] = field(default_factory=Counter)
    longest_wait_s: dict[str, float] = field(default_factory=dict)
    most_in_flight: int = 0

    def __post_init__(self) -> None:
        self._randomness = random.Random(self.seed)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._told: tuple[float, float] = (math.inf, 0.0)  # when it was known, until when to wait
        self._waiting = [self._want() for _ in range(self.workers)]

    @property
    def refused(self) -> int:
        return len(self.refused_at)

    def used(self, per_minute: float) -> float:
        """Accepted, as a share of what so many a minute allow."""
        return self.accepted.total() / (per_minute * self.now / 60)

    def go(self, requests: int) -> Walk:
        """Until so many have left."""
        while self.requests < requests:
            while self.governor.wait_s(self.now) <= 1e-9 and (one := self._next()):
                self._send(*one)
            own = min((self.governor.own_wait_s(self.now, ask) for ask, _ in self._waiting), default=math.inf)
            ready = self.now + max(self.governor.wait_s(self.now), own, 1e-6)
            if self._events and self._events[0][0] <= ready:
                self.now, _, happens = heapq.heappop(self._events)
                happens()
            else:
                self.now = ready
        return self

    def _want(self) -> tuple[Ask, Kind]:
        kind = self._randomness.choices(self.kinds, [kind.weight for kind in self.kinds])[0]
        return Ask(kind.endpoint, since=self.now), kind

    def _next(self) -> tuple[Ask, Kind] | None:
        self._waiting.sort(key=lambda one: one[0].since)
        for one in self._waiting:
            if self.governor.own_wait_s(self.now, one[0]) <= 1e-9:
                self._waiting.remove(one)
                return one
        return None

    def _later(self, happens: Callable[[], None]) -> float:
        self._number += 1
        at = self.now + self._randomness.uniform(*self.latency_s) / 2
        heapq.heappush(self._events, (at, self._number, happens))
        return at

    def _send(self, ask: Ask, kind: Kind) -> None:
        departure = self.governor.leave(self.now, ask)
        self.requests += 1
        self.most_in_flight = max(self.most_in_flight, self.governor.in_flight)
        waited = self.now - ask.since
        self.longest_wait_s[kind.endpoint] = max(self.longest_wait_s.get(kind.endpoint, 0.0), waited)
        self._later(lambda: self._arrive(departure, kind))

    def _arrive(self, departure: Departure, kind: Kind) -> None:
        known_at, until = self._told
        self.early += known_at < departure.at and self.now < until
        price = kind.price(self._randomness)
        told_s = max((limiter.knock(self.now, price) for limiter in self.limiters), default=0.0)
        if not told_s and self._randomness.random() < self.faults:
            told_s = 1.0
        back_at = self._later(lambda: self._come_back(departure, kind, price, told_s))
        if told_s and self.now + told_s > until:
            self._told = (back_at, self.now + told_s)

    def _come_back(self, departure: Departure, kind: Kind, price: float, told_s: float) -> None:
        if told_s:
            self.refused_at.append(self.now)
            self.governor.refused(self.now, departure, told_s)
            self.governor.pause(self.now, told_s)
        else:
            self.accepted[kind.endpoint] += 1
            self.governor.answered(self.now, departure, int(price * kind.shown))
        self._waiting.append(self._want())


def walk(governor: Governor, *limiters: Limiter, requests: int = 3000, **more: Any) -> Walk:
    """So many requests through these limits."""
    return Walk(governor, list(limiters), **more).go(requests)

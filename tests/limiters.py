"""Limits of a server, written without knowledge of the governor, and a walk through them on a hand-set clock."""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from asana_mirror.quota import Ask, Governor


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
    held: float = -1.0
    at: float = 0.0

    def knock(self, now: float, price: float) -> float:
        held = self.depth if self.held < 0 else self.held + (now - self.at) * self.per_minute / 60
        self.held, self.at = min(self.depth, held), now
        if self.held >= 1:
            self.held -= 1
            return 0.0
        return math.ceil((1 - self.held) * 60 / self.per_minute)


@dataclass
class Cost:
    """A quota that refills steadily; an answer's price is taken afterwards and may overdraw it."""

    per_minute: float
    held: float | None = None
    at: float = 0.0
    spent: float = 0.0

    def knock(self, now: float, price: float) -> float:
        held = self.per_minute if self.held is None else self.held
        self.held = min(self.per_minute, held + (now - self.at) * self.per_minute / 60)
        self.at = now
        if self.held > 0:
            self.held -= price
            self.spent += price
            return 0.0
        return max(1.0, math.ceil((1 - self.held) * 60 / self.per_minute))


@dataclass
class Walked:
    """What a walk came to."""

    requests: int = 0
    refused: int = 0
    early: int = 0
    seconds: float = 0.0
    accepted: Counter[str] = field(default_factory=Counter)
    refused_at: list[float] = field(default_factory=list)
    longest_wait_s: Counter[str] = field(default_factory=Counter)
    most_in_flight: int = 0


@dataclass
class Kind:
    """A kind of request: what it costs, and how often it is wanted."""

    endpoint: str
    price: Callable[[random.Random], float] = lambda _: 10.0
    weight: float = 1.0
    known_price: float = 1.0  # what the mirror sees of the price, as a share


def walk(
    governor: Governor,
    limiters: list[Limiter],
    requests: int,
    *,
    latency_s: tuple[float, float] = (0.06, 0.1),
    kinds: tuple[Kind, ...] = (Kind("/stories"),),
    workers: int = 45,
    seed: int = 1,
    faults: float = 0.0,
    until_s: float = math.inf,
) -> Walked:
    """Workers that always want the next request, a server with limits, and a clock that goes from event to event."""
    randomness, walked, number = random.Random(seed), Walked(), iter(range(10**9))
    now = wait_until = 0.0
    known_at = -math.inf
    events: list[tuple[float, int, Any]] = []
    waiting: list[tuple[Ask, Kind]] = []
    wanted = _wanted(kinds, randomness)

    def want() -> None:
        kind = next(wanted)
        waiting.append((Ask(kind.endpoint, since=now), kind))

    def arrive(departure: Any, kind: Kind) -> None:
        nonlocal wait_until, known_at
        # What was on its way when the refusal was told is no disobedience.
        walked.early += known_at < departure.at and now < wait_until
        price = kind.price(randomness)
        told_s = max((limiter.knock(now, price) for limiter in limiters), default=0.0)
        if not told_s and randomness.random() < faults:
            told_s = 1.0
        back = now + randomness.uniform(*latency_s) / 2
        if told_s:
            if back + told_s > wait_until:
                wait_until, known_at = now + told_s, back
        heapq.heappush(events, (back, next(number), ("back", departure, kind, price, told_s)))

    for _ in range(workers):
        want()
    while walked.requests < requests and now < until_s:
        while waiting and governor.wait_s(now) <= 1e-9:
            waiting.sort(key=lambda one: one[0].since)
            chosen = next((one for one in waiting if governor.own_wait_s(now, one[0]) <= 1e-9), None)
            if chosen is None:
                break
            waiting.remove(chosen)
            departure = governor.leave(now, chosen[0])
            walked.requests += 1
            endpoint = chosen[1].endpoint
            walked.longest_wait_s[endpoint] = max(
                walked.longest_wait_s[endpoint],
                now - chosen[0].since,  # type: ignore[assignment]
            )
            walked.most_in_flight = max(walked.most_in_flight, governor.in_flight)
            there = now + randomness.uniform(*latency_s) / 2
            heapq.heappush(events, (there, next(number), ("there", departure, chosen[1])))
        pause = governor.wait_s(now)
        own = min((governor.own_wait_s(now, ask) for ask, _ in waiting), default=math.inf)
        next_try = now + max(pause, own, 1e-6)
        if events and events[0][0] <= next_try:
            now, _, event = heapq.heappop(events)
            if event[0] == "there":
                arrive(*event[1:])
                continue
            _, departure, kind, price, told_s = event
            if told_s:
                walked.refused += 1
                walked.refused_at.append(now)
                governor.refused(now, departure, told_s)
                governor.pause(now, told_s)
            else:
                walked.accepted[kind.endpoint] += 1
                governor.answered(now, departure, int(price * kind.known_price))
            want()
        else:
            now = next_try
    walked.seconds = now
    return walked


def _wanted(kinds: tuple[Kind, ...], randomness: random.Random) -> Iterator[Kind]:
    weights = [kind.weight for kind in kinds]
    while True:
        yield randomness.choices(kinds, weights)[0]

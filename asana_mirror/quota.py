"""When the next request may leave: arithmetic on a given now, in seconds of a clock that never goes back.

https://developers.asana.com/docs/rate-limits · What a refusal teaches stands in `refusals`.
"""

from __future__ import annotations

import math
import random
from collections import deque
from dataclasses import dataclass, field

from asana_mirror.prices import Prices
from asana_mirror.refusals import Beliefs, Learning, Refusal

MINUTE_S = 60.0
READS_IN_FLIGHT = 45  # of Asana's 50: it counts an answer out only after it is here
WRITES_IN_FLIGHT = 13  # of 15
SEARCHES = 58  # a minute, of 60
FEWEST_SEARCHES = 6.0
MARGIN = 0.985  # of what is allowed, is asked: requests do not arrive as evenly as they leave
SLACK_S = 0.25  # by which a late request may be followed sooner, so that no turn is lost
WAITED_LONG_S = 30.0  # then it is one's turn, however dear one is


@dataclass
class Pace:
    """A smooth number of requests a minute; infinite: none.

    Who comes late by up to `slack_s` is followed sooner, so that over any time the rate is kept in full.
    """

    per_minute: float
    slack_s: float = SLACK_S
    _due_at: float = -math.inf

    def wait_s(self, now: float) -> float:
        """Seconds until the next request may leave."""
        return max(0.0, self._due_at - self.slack_s - now)

    def leave(self, now: float) -> None:
        """A request leaves now."""
        if math.isinf(self._due_at):  # no burst to begin with
            self._due_at = now + self.slack_s
        self._due_at = max(now, self._due_at) + MINUTE_S / self.per_minute


class Window:
    """What happened in the last minute: how often, and how much together."""

    def __init__(self) -> None:
        self._moments: deque[tuple[float, float]] = deque()
        self._sum = 0.0

    def add(self, moment: float, amount: float = 0.0) -> None:
        self._moments.append((moment, amount))
        self._sum += amount

    def count(self, now: float) -> int:
        while self._moments and self._moments[0][0] <= now - MINUTE_S:
            self._sum -= self._moments.popleft()[1]
        return len(self._moments)

    def sum(self, now: float) -> float:
        self.count(now)
        return self._sum

    def wait_s(self, now: float, most: float) -> float:
        """Seconds until it happened less than `most` times."""
        over = self.count(now) - math.ceil(most)
        return 0.0 if over < 0 else max(0.0, self._moments[over][0] + MINUTE_S - now)


@dataclass
class Purse:
    """What is left of the cost quota, as far as one can tell from outside: it refills steadily and may be overdrawn."""

    per_minute: float = math.inf
    balance: float = 0.0
    counted_at: float = 0.0

    @property
    def most(self) -> float:
        """A few seconds' worth: more would be spent at once."""
        return self.per_minute / 12

    def wait_s(self, now: float, need: float) -> float:
        """Seconds until the balance reaches `need`."""
        if math.isinf(self.per_minute):
            return 0.0
        self._refill(now)
        return max(0.0, (need - self.balance) * MINUTE_S / self.per_minute)

    def refill_at(self, per_minute: float | None, now: float) -> None:
        """Another rate is believed; where there was none, the purse is empty."""
        rate = math.inf if per_minute is None else per_minute
        if rate != self.per_minute:
            if math.isinf(self.per_minute) or math.isinf(rate):
                self.empty(now)
            else:
                self._refill(now)
            self.per_minute = rate

    def empty(self, now: float) -> None:
        """Asana refuses: whatever was believed, there is nothing left."""
        self.balance, self.counted_at = 0.0, now

    def _refill(self, now: float) -> None:
        self.balance = min(self.most, self.balance + (now - self.counted_at) * self.per_minute / MINUTE_S)
        self.counted_at = now


@dataclass(frozen=True)
class Ask:
    """A request that wants to leave: its endpoint, and what kind of limits it meets."""

    endpoint: str
    reads: bool = True
    searches: bool = False
    since: float = 0.0  # when it began to wait


@dataclass(frozen=True)
class Departure:
    """A request that has left."""

    ask: Ask
    at: float
    in_flight: int  # of its kind, with itself
    price: float  # expected


@dataclass
class Case:
    """A refusal, and those that left later than it and before it was known: do most of them pass?"""

    refusal: Refusal
    known_at: float
    before: Beliefs
    passed: list[Departure] = field(default_factory=list)
    refused: int = 0

    def concerns(self, departure: Departure) -> bool:
        return self.refusal.left_at < departure.at <= self.known_at

    @property
    def is_contradicted(self) -> bool:
        """A limit that is used up refuses nearly everyone."""
        return len(self.passed) > self.refused

    @property
    def is_about_one_kind(self) -> bool:
        """Whether only much cheaper requests passed."""
        return self.is_contradicted and all(one.price < self.refusal.price / 2 for one in self.passed)


class Governor:
    """Says when a request may leave, and learns from what becomes of it.

    `most_per_minute` is never exceeded; infinite: requests are not paced and nothing is learned, only pauses hold.
    `pause_s` is what is left of a pause that an earlier run was told.
    """

    def __init__(
        self,
        most_per_minute: float = 1500.0,
        beliefs: Beliefs | None = None,
        *,
        now: float = 0.0,
        pause_s: float = 0.0,
    ) -> None:
        self.learns = math.isfinite(most_per_minute)
        self.most_per_minute = most_per_minute
        self.prices = Prices()
        self.allowed = 0.0  # requests that were believed to be allowed since the first one left
        self.accepted = 0
        self._learning = Learning(beliefs or Beliefs(), most_per_minute, eased_at=now)
        self._pace = Pace(math.inf)
        self._search_pace = Pace(SEARCHES - 1 if self.learns else math.inf, slack_s=1.0)
        self._purse = Purse(counted_at=now)
        self._sent, self._arrived, self._searched = Window(), Window(), Window()
        self._in_flight = {True: 0, False: 0}
        self._paused_until = now + pause_s
        self._began_at: float | None = None
        self._counted_at = now
        self._case: Case | None = None
        self._go_by(now)

    # -- may it leave? --------------------------------------------------------------------------------

    @property
    def beliefs(self) -> Beliefs:
        return self._learning.beliefs

    @property
    def per_minute(self) -> float:
        """Requests a minute that are believed to be allowed."""
        return min(self.most_per_minute, self.beliefs.per_minute or math.inf)

    @property
    def in_flight(self) -> int:
        return sum(self._in_flight.values())

    def pause_left_s(self, now: float) -> float:
        """Seconds that are left of what Asana told to wait."""
        return max(0.0, self._paused_until - now)

    def wait_s(self, now: float) -> float:
        """Seconds in which no request at all may leave: a told pause, the pace, the last minute's count."""
        wait_s = max(self._paused_until - now, self._pace.wait_s(now), 0.0)
        return wait_s or (self._sent.wait_s(now, MARGIN * self.per_minute) if self.learns else 0.0)

    def own_wait_s(self, now: float, ask: Ask) -> float:
        """Seconds in which this one may not leave, though others might; infinite: until an answer comes."""
        most = min(READS_IN_FLIGHT, int(self.beliefs.reads_in_flight)) if ask.reads else WRITES_IN_FLIGHT
        if self._in_flight[ask.reads] >= most:
            return math.inf
        wait_s = self._purse.wait_s(now, self._needed(ask, now))
        if ask.searches:
            wait_s = max(wait_s, self._search_pace.wait_s(now), self._searched.wait_s(now, SEARCHES))
        return wait_s

    def _needed(self, ask: Ask, now: float) -> float:
        """What must be in the purse: dear requests wait until they are covered, so that cheap ones flow."""
        dear = self.prices.is_dear(ask.endpoint) and now - ask.since < WAITED_LONG_S
        return min(self.prices.of(ask.endpoint), self._purse.most) if dear else 0.0

    def is_slowed(self, endpoint: str) -> bool:
        """Whether the cost quota holds back requests of this kind more than others."""
        return self.beliefs.cost_per_minute is not None and self.prices.is_dear(endpoint)

    def leave(self, now: float, ask: Ask) -> Departure:
        """It leaves now."""
        if self._began_at is None:
            self._began_at = self._counted_at = now
        self._count_allowed(now)
        if self.learns:
            self._sent.add(now)
            self._close_case()
            used = self._arrived.count(now) >= 0.9 * MARGIN * self.per_minute
            self._learning.grow(now, used=used)
            self._go_by(now)
        self._pace.leave(now)
        if ask.searches:
            self._search_pace.leave(now)
            self._searched.add(now)
        departure = Departure(ask, now, self._in_flight[ask.reads] + 1, self.prices.of(ask.endpoint))
        self._in_flight[ask.reads] += 1
        self._spend(departure.price)
        return departure

    # -- what became of it ----------------------------------------------------------------------------

    def answered(self, now: float, departure: Departure, links: int) -> None:
        """It was accepted, and followed so many links of the work graph."""
        self._in_flight[departure.ask.reads] -= 1
        self.accepted += 1
        price = 1.0 + links
        self.prices.learn(departure.ask.endpoint, price)
        self._spend(price - departure.price)
        if self.learns:
            self._arrived.add(now, price)
            self._learning.accepted += 1
            if self._case and self._case.concerns(departure):
                self._case.passed.append(departure)
                self._weigh(self._case)

    def failed(self, departure: Departure) -> None:
        """Nothing is known of it: the connection broke, or it was called off."""
        self._in_flight[departure.ask.reads] -= 1

    def refused(self, now: float, departure: Departure, told_s: float | None) -> None:
        """A 429, and the seconds that it tells to wait, if any. The caller pauses."""
        self._in_flight[departure.ask.reads] -= 1
        if not self.learns:
            return
        if self._case and departure.at <= self._case.known_at:  # the rest of a burst
            self._case.refused += self._case.concerns(departure)
            self._weigh(self._case)
            return
        refusal = Refusal(
            at=now,
            left_at=departure.at,
            endpoint=departure.ask.endpoint,
            searched=departure.ask.searches,
            told_s=told_s,
            in_flight=departure.in_flight if departure.ask.reads else 0,  # writes are counted apart
            sent=self._sent.count(now),
            accepted=self._arrived.count(now),
            running_s=now - (now if self._began_at is None else self._began_at),
            price=departure.price,
            usual_price=self.prices.usual,
            spent=self._arrived.sum(now),
            per_minute=self.per_minute,
        )
        self._case = Case(refusal, now, self.beliefs)
        self._learning.refused(refusal)
        if self._learning.taken_for == "search":  # somebody else searches with the same token
            self._search_pace.per_minute = max(FEWEST_SEARCHES, 0.7 * self._search_pace.per_minute)
        self._purse.empty(now)
        self._go_by(now)

    def pause(self, now: float, seconds: float) -> None:
        """No request leaves before `now + seconds`."""
        self._paused_until = max(self._paused_until, now + seconds)

    def _weigh(self, case: Case) -> None:
        """Go by the conclusion that was drawn, unless most of those that left later were accepted."""
        self._learning.weigh(case.refusal, case.before, contradicted=case.is_contradicted)
        self._go_by(case.known_at)

    def _close_case(self) -> None:
        """The next one leaves: nothing more will be heard of it."""
        case, self._case = self._case, None
        if case is not None and case.is_contradicted:
            self._learning.doubted_at = case.refusal.at
            if case.is_about_one_kind:
                self.prices.refused_alone(case.refusal.endpoint)

    def _go_by(self, now: float) -> None:
        """Let pace and purse follow what is believed by now."""
        self._pace.per_minute = MARGIN * self.per_minute if self.learns else math.inf
        self._purse.refill_at(self.beliefs.cost_per_minute, now)

    def _spend(self, price: float) -> None:
        self._purse.balance -= price
        self._learning.spent += price

    def _count_allowed(self, now: float) -> None:
        if self.learns:
            self.allowed += (now - self._counted_at) * self.per_minute / MINUTE_S
        self._counted_at = now


def backoff_s(tries: int, randomness: random.Random) -> float:
    """Seconds before try number `tries` + 1: doubling from half a second to a minute, with full jitter."""
    return min(60.0, 0.5 * 2.0**tries) * randomness.uniform(0.5, 1.0)

"""What a 429 teaches. Asana does not say which of its limits was met: what had been sent tells.

https://developers.asana.com/docs/rate-limits
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

MINUTE_S = 60.0
FREE = 150.0  # requests a minute on a free domain; 1,500 on a paid one
NEAR = 0.9  # of what is believed to be allowed: so much was used up
CROWDED = 0.85  # of those that may be in flight
A_CROWD = 10
RECENT_S = 60.0  # a limit that was just learned is not met again so soon: it was another one
TOO_SHORT_S = 10.0  # to tell from it what refills in a minute
DOUBT_S = 600.0  # in which a refusal that was contradicted makes one careful with conclusions
ENOUGH = 6
MOST_PASS = 0.8  # of the requests, where refusals come for no reason of ours
HEAVY = 50.0  # records and links in a usual request: then the cost quota is the likelier one

Limit = Literal["rate", "cost", "in flight", "search", "unclear"]


@dataclass(frozen=True)
class Beliefs:
    """What is believed of a token's allowance; None: nothing is known of it yet."""

    per_minute: float | None = None
    cost_per_minute: float | None = None  # in records and links
    reads_in_flight: float = 50.0


@dataclass(frozen=True)
class Refusal:
    """A 429 and what was known when it came."""

    at: float
    left_at: float
    endpoint: str
    searched: bool
    told_s: float | None
    in_flight: int
    sent: int  # in the last minute
    accepted: int  # of those
    running_s: float  # since the first request
    price: float  # of the refused one
    usual_price: float
    spent: float  # in the last minute, in records and links
    per_minute: float  # that were believed to be allowed

    @property
    def used_up(self) -> bool:
        """Whether as many were accepted as were believed to be allowed."""
        return self.accepted >= NEAR * self.per_minute

    @property
    def is_free(self) -> bool:
        """Whether as many were accepted as a free domain allows."""
        return 0.9 * FREE <= self.accepted <= 1.15 * FREE

    @property
    def is_dear(self) -> bool:
        """Whether what was spent refills within seconds: then so many requests are a coincidence."""
        return self.told_s is not None and self.told_s < 5.0 and self.usual_price > HEAVY

    @property
    def is_window(self) -> bool:
        """Whether it tells to wait for about as long as the first requests of all need to be a minute old."""
        told_s, rest_s = self.told_s or 0.0, MINUTE_S - self.running_s
        return rest_s > 0 and told_s >= 5.0 and told_s >= 0.7 * rest_s


@dataclass
class Probe:
    """Now and then a little more is asked for than was proven to be allowed."""

    EVERY_S = 900.0
    SELDOM_S = 6 * 3600.0
    LASTS_S = 75.0  # a minute, and what it takes to be told

    every_s: float = EVERY_S
    next_at: float | None = None
    proven: float | None = None  # while one is under way
    in_a_row: int = 0

    def due(self, now: float) -> bool:
        if self.next_at is None:
            self.next_at = now + self.every_s
        return now >= self.next_at

    def begin(self, now: float, rate: float) -> float:
        """More than `rate` from now on: a little, or once that went well, a good deal."""
        self.proven, self.next_at = rate, now + self.LASTS_S
        return rate * (1.25 if self.in_a_row else 1.05)

    def passed(self, now: float) -> None:
        """Nothing was refused."""
        self.proven, self.every_s, self.in_a_row = None, self.EVERY_S, self.in_a_row + 1

    def failed(self, now: float) -> float | None:
        """Too much: back to what was proven, and seldomer again."""
        self.every_s, self.in_a_row = min(self.SELDOM_S, 2 * self.every_s), 0
        self.next_at = now + self.every_s
        proven, self.proven = self.proven, None
        return proven


@dataclass
class Learning:
    """Beliefs, and what they are drawn from."""

    beliefs: Beliefs = field(default_factory=Beliefs)
    most_per_minute: float = 1500.0
    spent: float = 0.0  # since the last refusal, in records and links
    accepted: int = 0
    refused_at: float | None = None
    doubted_at: float | None = None  # when a refusal was last contradicted
    taken_for: Limit = "unclear"
    lowered: int = 0  # times in a row, without a calm minute
    rate_before: float | None = None  # what was believed before the rate was last taken for the reason
    probe: Probe = field(default_factory=Probe)
    eased_at: float = 0.0
    concluded: Beliefs = field(default_factory=Beliefs)  # from the last refusal

    # -- a refusal ------------------------------------------------------------------------------------

    def refused(self, refusal: Refusal) -> None:
        """Draw a conclusion."""
        limit = self.met(refusal)
        if self.probe.proven is not None and limit in ("rate", "cost", "unclear"):
            self.beliefs = replace(self.beliefs, per_minute=self.probe.failed(refusal.at))
        elif limit == "in flight":
            self.beliefs = replace(self.beliefs, reads_in_flight=max(5.0, 0.8 * refusal.in_flight))
        elif limit == "rate":
            self.rate_before = self.beliefs.per_minute
            self.beliefs = replace(self.beliefs, per_minute=self._rate(refusal))
            self.probe.next_at = refusal.at + self.probe.every_s
        elif limit == "cost":
            rate = self.rate_before if self.taken_for == "rate" else self.beliefs.per_minute
            self.beliefs = replace(self.beliefs, per_minute=rate, cost_per_minute=self._refill(refusal))
        self.lowered += limit in ("rate", "cost")
        self.taken_for, self.refused_at, self.concluded = limit, refusal.at, self.beliefs
        self.spent, self.accepted = 0.0, 0

    def met(self, refusal: Refusal) -> Limit:
        """Which limit it was, most likely."""
        again = self.refused_at is not None and refusal.at - self.refused_at < RECENT_S
        if refusal.searched and not refusal.used_up:
            return "search"
        if self.taken_for != "rate" and (refusal.is_window or self._is_free(refusal)):
            return "rate"  # however many were in flight: no limit of those tells to wait so long
        tells = refusal.told_s is not None  # limits of requests and of cost tell how long it takes to refill
        crowd = CROWDED * self.beliefs.reads_in_flight if tells else A_CROWD
        if refusal.in_flight >= crowd and not refusal.used_up:
            return "in flight"
        if not tells and not refusal.used_up:
            return "unclear"
        if self.lowered >= ENOUGH and refusal.accepted > MOST_PASS * refusal.sent:
            # Asking for less did not help: it is something else, or the quota had been full to begin with.
            return "unclear" if self.beliefs.cost_per_minute is None else "cost"
        if again and self.taken_for == "cost":
            return "cost"
        if again and self.taken_for == "rate":  # a lower rate, or none at all
            return "cost" if refusal.usual_price > HEAVY else "rate"
        if refusal.used_up:
            return "rate"
        if self.beliefs.cost_per_minute is not None:
            return "cost"
        if again:
            return "cost" if refusal.usual_price > HEAVY else "rate"
        return "unclear"

    def _is_free(self, refusal: Refusal) -> bool:
        """Whether the first requests of all met a free domain's limit, not some passing trouble."""
        first = refusal.running_s < MINUTE_S and not self._doubts(refusal.at)
        return refusal.is_free and first and not refusal.is_dear

    def _doubts(self, now: float) -> bool:
        """Whether refusals come that no limit explains."""
        return self.doubted_at is not None and now - self.doubted_at < DOUBT_S

    def _rate(self, refusal: Refusal) -> float:
        """Requests a minute that are allowed: what was accepted, or the plan that this fits."""
        if refusal.is_free and refusal.running_s < MINUTE_S:
            return FREE
        if refusal.is_window:
            return max(1.0, float(refusal.accepted))
        if refusal.used_up and self.taken_for != "rate":
            return max(float(refusal.accepted), 0.95 * refusal.per_minute)
        since_s = refusal.at - (self.refused_at or 0.0)
        if refusal.running_s >= MINUTE_S and refusal.accepted <= MOST_PASS * refusal.sent:
            return max(1.0, float(refusal.accepted))
        measured = max(1.0, self.accepted * MINUTE_S / max(1.0, since_s))
        if since_s < TOO_SHORT_S:
            return max(measured, refusal.per_minute * (0.95 if self._doubts(refusal.at) else 0.5))
        return min(refusal.per_minute, measured)

    def _refill(self, refusal: Refusal) -> float:
        """The cost that refills in a minute. The quota was empty when it last refused, and is so again."""
        began_at = refusal.at - refusal.running_s if self.refused_at is None else self.refused_at
        span_s = refusal.at - began_at
        known = self.beliefs.cost_per_minute
        # A quota that holds no more than refills in a minute cannot have given more than twice as much.
        share = 0.97 if self.lowered >= ENOUGH else 0.9 if self._doubts(refusal.at) else 0.5
        least = max(1.0, refusal.spent * share)
        if known is not None and span_s < TOO_SHORT_S:
            return max(least, 0.8 * known)
        spent = self.spent * MINUTE_S / max(1.0, span_s)
        return max(least, spent if known is None else min(spent, 0.97 * known))

    def weigh(self, refusal: Refusal, before: Beliefs, *, contradicted: bool) -> None:
        """Where others passed, neither the rate nor the cost is used up; what is in flight may be it all the same."""
        # In a window that slides and is used up, one request may fall out between two others.
        if contradicted and not refusal.used_up:
            self.beliefs = replace(before, reads_in_flight=self.concluded.reads_in_flight)
        else:
            self.beliefs = self.concluded

    # -- and none -------------------------------------------------------------------------------------

    def grow(self, now: float, *, used: bool) -> None:
        """Ask for a little more where nothing was refused for long; of the rate only where it is `used`."""
        if now - max(self.eased_at, self.refused_at or 0.0) >= MINUTE_S:
            self.eased_at, self.lowered = now, 0
            cost = self.beliefs.cost_per_minute
            self.beliefs = replace(
                self.beliefs,
                reads_in_flight=min(50.0, self.beliefs.reads_in_flight + 1),
                cost_per_minute=None if cost is None else 1.1 * cost,
            )
        rate = self.beliefs.per_minute
        if rate is None or not self.probe.due(now):
            return
        if self.probe.proven is not None:
            self.probe.passed(now)
        if used and rate < self.most_per_minute:
            self.beliefs = replace(
                self.beliefs, per_minute=min(self.most_per_minute, self.probe.begin(now, rate))
            )

"""The three limits of a token (rate, in flight, cost) and what they do to requests."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

MINUTE_S = 60
TOLD_GRACE_S = 0.5  # what was already on the way when the refusal was told is no disobedience


@dataclass(frozen=True)
class Limits:
    """None means no limit. Cost is in records and links followed; lifetimes and latency in seconds."""

    per_minute: int | None = None
    reads_in_flight: int | None = None
    writes_in_flight: int | None = None
    cost_per_minute: float | None = None
    search_per_minute: int | None = 60
    latency_s: float = 0.0
    offset_lifetime_s: float = 900.0
    sync_token_lifetime_s: float = 86_400.0
    longest_list: int | None = None  # records; a page beyond them answers 400
    unpaged_cut: int = 1000
    unpaged_refused: bool = False  # a longer list without `limit` is refused instead of cut
    paging_everywhere: bool = (
        True  # whether lists without pages bear `limit`, which Asana's own client sends to all
    )
    premium: bool = True
    search_lag_s: float = 0.0  # search finds tasks as they were this long ago
    concurrency_tells: bool = True  # whether a 429 for too many in flight says when to come back
    local_targets: bool = True  # webhooks may go to 127.0.0.1; Asana itself refuses that
    hooks_per_resource: int = 1000  # an event stream counts like one
    hooks_per_token: int = 10_000
    hook_delay_s: float = 0.5  # of real time, in which events gather for one delivery
    hook_answer_s: float = 10.0  # of real time, for the target
    hook_backoff_s: float = 10.0  # by the world's clock, as the next two; doubled with each retry
    hook_deadline_s: float = 86_400.0  # without success for so long, a webhook is deleted
    heartbeat_s: float = 28_800.0

    @classmethod
    def paid(cls, latency_s: float = 0.0, cost_per_minute: float | None = None) -> Limits:
        return cls(1500, 50, 15, cost_per_minute, latency_s=latency_s)

    @classmethod
    def free(cls, latency_s: float = 0.0) -> Limits:
        return cls(150, 50, 15, latency_s=latency_s, premium=False)


class Window:
    """How many requests the last sixty seconds saw; refused ones count like any other."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.seen: deque[float] = deque()

    def knock(self, now: float) -> int:
        """0 when this request may pass, else the whole seconds to wait."""
        while self.seen and self.seen[0] <= now - MINUTE_S:
            self.seen.popleft()
        self.seen.append(now)
        surplus = len(self.seen) - self.most
        if surplus <= 0:
            return 0
        # the next one counts itself, so one more than the surplus has to grow old first
        return max(1, math.ceil(self.seen[surplus] + MINUTE_S - now))


class CostQuota:
    """Refills steadily; answers are charged after they are made and may overdraw it."""

    def __init__(self, per_minute: float) -> None:
        self.per_second = per_minute / MINUTE_S
        self.most = per_minute
        self.balance = per_minute
        self.counted_at: float | None = None

    def knock(self, now: float) -> int:
        if self.counted_at is not None:
            self.balance = min(self.most, self.balance + (now - self.counted_at) * self.per_second)
        self.counted_at = now
        if self.balance > 0:
            return 0
        return max(1, math.ceil((1 - self.balance) / self.per_second))

    def charge(self, cost: float) -> None:
        self.balance -= cost


@dataclass
class Allowance:
    """One token's standing against the limits."""

    limits: Limits
    rate: Window | None = None
    search: Window | None = None
    cost: CostQuota | None = None
    in_flight: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})  # by: is it a read
    told_at: float = -1e18
    wait_until: float = -1e18

    def __post_init__(self) -> None:
        limits = self.limits
        self.rate = Window(limits.per_minute) if limits.per_minute else None
        self.search = Window(limits.search_per_minute) if limits.search_per_minute else None
        self.cost = CostQuota(limits.cost_per_minute) if limits.cost_per_minute else None

    def knock(self, now: float, search: bool) -> int:
        """Whole seconds until rate and cost let this request in; 0 when they do."""
        waits = [self.rate.knock(now)] if self.rate else []
        if self.search and search:
            waits.append(self.search.knock(now))
        if self.cost:
            waits.append(self.cost.knock(now))
        return max(waits, default=0)

    def is_full(self, read: bool) -> bool:
        """Whether as many requests are in flight as may be."""
        most = self.limits.reads_in_flight if read else self.limits.writes_in_flight
        return most is not None and self.in_flight[read] >= most

    def told(self, now: float, wait_s: int) -> None:
        self.told_at = now
        self.wait_until = max(self.wait_until, now + wait_s)

    def is_early(self, now: float) -> bool:
        """Whether a request comes although its sender was told to wait."""
        return self.told_at + TOLD_GRACE_S < now < self.wait_until - 0.01

"""Who may send next: requests stand in line until the governor lets them leave."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from asana_mirror.quota import WAITED_LONG_S, Ask, Departure, Governor


@dataclass(frozen=True)
class Budget:
    """How many requests may leave at most, and what happens when one more wants to."""

    most: int | None = None
    when_spent: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Waiting:
    """A request in line."""

    ask: Ask
    turn: asyncio.Future[Departure]


class Turns:
    """Lines of requests, one for each endpoint, so that what must wait longer holds back nothing else.

    Whoever holds an offset goes first: offsets die. Otherwise first come, first served.
    """

    def __init__(self, governor: Governor, budget: Budget | None = None) -> None:
        self.seconds_waited = 0.0
        self.sent = 0
        self._governor = governor
        self._budget = budget or Budget()
        self._lines: dict[tuple[bool, str], deque[Waiting]] = {}
        self._in_line = 0
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def take(
        self, endpoint: str, *, hurry: bool, searches: bool = False, reads: bool = True
    ) -> Departure:
        """Return when it is this request's turn; never, where none is left."""
        now = time.monotonic()
        ask = Ask(endpoint, reads, searches, since=now)
        if not self._in_line and self._may_leave(now, ask):
            return self._leave(now, ask)
        turn: asyncio.Future[Departure] = asyncio.get_running_loop().create_future()
        self._lines.setdefault((hurry, endpoint), deque()).append(Waiting(ask, turn))
        self._in_line += 1
        self.call()
        try:
            departure = await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # called off between its turn and its departure
                self._governor.failed(turn.result())
            raise
        self.seconds_waited += departure.at - now
        return departure

    def close(self) -> None:
        """Nobody leaves any more; who is under way may come home."""
        self._closed = True

    def call(self) -> None:
        """Let go who may leave now, and look again when the next one may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wait_s = 0.0
        while self._in_line and not self._is_over():
            now = time.monotonic()
            wait_s = self._governor.wait_s(now)
            if wait_s > 0:
                break
            wait_s = self._let_one_go(now)
            if wait_s > 0:
                break
        if self._in_line and not self._closed and math.isfinite(wait_s):
            self._timer = asyncio.get_running_loop().call_later(wait_s, self.call)

    def _let_one_go(self, now: float) -> float:
        """Seconds until somebody could leave; 0 where one has."""
        soonest = math.inf
        for line in self._in_order(now):
            first = line[0]
            wait_s = self._governor.own_wait_s(now, first.ask)
            if wait_s <= 0:
                line.popleft()
                self._in_line -= 1
                first.turn.set_result(self._leave(now, first.ask))
                return 0.0
            soonest = min(soonest, wait_s)
            if now - first.ask.since > WAITED_LONG_S and not first.ask.searches:
                break  # the others must not use up what it waits for
        return soonest

    def _in_order(self, now: float) -> Iterator[deque[Waiting]]:
        for line in self._lines.values():
            while line and line[0].turn.done():  # its request was called off
                line.popleft()
                self._in_line -= 1
        living = [(key, line) for key, line in self._lines.items() if line]

        def first(one: tuple[tuple[bool, str], deque[Waiting]]) -> tuple[bool, bool, float]:
            (hurry, _), line = one
            since = line[0].ask.since
            return now - since <= WAITED_LONG_S, not hurry, since

        return (line for _, line in sorted(living, key=first))

    def _may_leave(self, now: float, ask: Ask) -> bool:
        if self._is_over():
            return False
        return self._governor.wait_s(now) <= 0 and self._governor.own_wait_s(now, ask) <= 0

    def _leave(self, now: float, ask: Ask) -> Departure:
        self.sent += 1
        return self._governor.leave(now, ask)

    def _is_over(self) -> bool:
        if not self._closed and self._budget.most is not None and self.sent >= self._budget.most:
            self._closed = True
            self._budget.when_spent()
        return self._closed

"""When the next request may leave: arithmetic on a given now, in seconds of a monotonic clock."""

from __future__ import annotations

import random
from dataclasses import dataclass

READS_IN_FLIGHT = 50  # https://developers.asana.com/docs/rate-limits


@dataclass
class Pace:
    """A smooth number of requests a minute, and the pause that a 429 imposes on all of them."""

    per_minute: float
    _next_at: float = 0.0
    _paused_until: float = 0.0

    def wait_s(self, now: float) -> float:
        """Seconds until the next request may leave."""
        return max(0.0, self._next_at - now, self._paused_until - now)

    def leave(self, now: float) -> None:
        """A request leaves now: the next one may follow at its interval."""
        self._next_at = max(now, self._next_at) + (60.0 / self.per_minute if self.per_minute > 0 else 0.0)

    def pause(self, now: float, seconds: float) -> None:
        """No request leaves before `now + seconds`."""
        self._paused_until = max(self._paused_until, now + seconds)


def backoff_s(tries: int, randomness: random.Random) -> float:
    """Seconds before try number `tries` + 1: doubling from half a second to a minute, with full jitter."""
    return min(60.0, 0.5 * 2.0**tries) * randomness.uniform(0.5, 1.0)

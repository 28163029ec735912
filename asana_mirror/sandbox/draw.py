"""Numbers that look random and are always the same: what a seed and a place give, without keeping state."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeVar

T = TypeVar("T")

SMALL_GIDS = 1_200_000_000_000_000  # fits a double exactly, as the gids of older objects do
LARGE_GIDS = 12_000_000_000_000_000  # above 2^53: a reader that uses floats corrupts these
STORY_GIDS = 20_000_000_000_000_000
ATTACHMENT_GIDS = 30_000_000_000_000_000
STORIES_PER_TASK = 1024  # gids set aside for each task's generated stories
ATTACHMENTS_PER_TASK = 64

_MASK = (1 << 64) - 1
_MINUTE_MS = 60_000
DAY_MS = 86_400_000


def mix(number: int) -> int:
    """64 well-stirred bits from any integer (the splitmix64 finaliser)."""
    z = (number * 0x9E3779B97F4A7C15 + 0x1234567) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def pick(items: Sequence[T], bits: int) -> T:
    return items[bits % len(items)]


def gid_number(count: int) -> int:
    """The count-th gid minted: every second one is too large for a float."""
    return (LARGE_GIDS if count % 2 else SMALL_GIDS) + count * 7919


def iso(ms: int) -> str:
    """Epoch milliseconds as Asana writes times: UTC, three decimals, a Z."""
    seconds, rest = divmod(ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"


def day(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%d")


def millis(text: str) -> int:
    """Epoch milliseconds of an ISO 8601 time or date; ValueError when it is neither."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)

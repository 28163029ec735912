"""What goes wrong on purpose: by lot for a share of requests, or on order for the next one of a kind."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

KINDS = ("500", "502", "503", "cut", "reset", "slow", "429")
EXPIRED_OFFSET = "offset"

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]


class Broken(ConnectionResetError):
    """The connection broke; raised only in process, where there is none to break."""


class Faults:
    """share: of requests that fail by lot; kinds: which ones; offsets: may offsets die by lot as well.

    hooks_lost, hooks_doubled, hooks_late: shares of webhook deliveries that never leave, leave twice, or
    leave `late_rounds` rounds later and so behind newer ones (their sum is at most 1).
    """

    def __init__(
        self,
        seed: int = 1,
        share: float = 0.0,
        kinds: Iterable[str] = KINDS,
        offsets: bool = False,
        slow_s: float = 0.3,
        hooks_lost: float = 0.0,
        hooks_doubled: float = 0.0,
        hooks_late: float = 0.0,
        late_rounds: int = 3,
    ) -> None:
        self.rng = random.Random(seed)
        self.share = share
        self.kinds = tuple(kinds)
        self.offsets = offsets
        self.slow_s = slow_s
        self.hook_rng = random.Random(seed + 1)
        self.hook_shares = {"lost": hooks_lost, "doubled": hooks_doubled, "late": hooks_late}
        self.late_rounds = late_rounds
        self.ordered: list[tuple[re.Pattern[str], str]] = []
        self.made: dict[str, int] = {}

    def next(self, path_regex: str, kind: str, times: int = 1) -> None:
        """Let the next requests whose path and query match fail in this way (`offset`: it is dead)."""
        if kind not in (*KINDS, EXPIRED_OFFSET):
            raise ValueError(f"No such fault: {kind}")
        self.ordered += [(re.compile(path_regex), kind)] * times

    def choose(self, target: str, has_offset: bool) -> str | None:
        """target: path and query."""
        kind = self._on_order(target) or self._by_lot(has_offset)
        if kind is not None:
            self.made[kind] = self.made.get(kind, 0) + 1
        return kind

    def choose_delivery(self) -> str | None:
        """What becomes of a webhook's next delivery: lost, doubled, late, or None."""
        if not any(self.hook_shares.values()):
            return None
        lot = self.hook_rng.random()
        for kind, share in self.hook_shares.items():
            if lot < share:
                return kind
            lot -= share
        return None

    def _on_order(self, target: str) -> str | None:
        for place, (pattern, kind) in enumerate(self.ordered):
            if pattern.search(target):
                del self.ordered[place]
                return kind
        return None

    def _by_lot(self, has_offset: bool) -> str | None:
        if not self.share or self.rng.random() >= self.share:
            return None
        if self.offsets and has_offset and self.rng.random() < 0.3:
            return EXPIRED_OFFSET
        return self.rng.choice(self.kinds) if self.kinds else None


def _transport(send: Send) -> Any:
    """The connection below an ASGI server's `send`, where there is one (uvicorn keeps it on its cycle)."""
    return getattr(getattr(send, "__self__", None), "transport", None)


async def break_off(send: Send) -> None:
    """Drop the connection before a byte of the answer."""
    transport = _transport(send)
    if transport is None:
        raise Broken("The connection was reset")
    transport.abort()
    await asyncio.sleep(0.01)  # lets the server notice, or it would answer 500 into the void


async def cut_short(send: Send, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    """Promise the whole body, send half of it, and hang up."""
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    half = body[: max(1, len(body) // 2)]
    transport = _transport(send)
    await send({"type": "http.response.body", "body": half, "more_body": transport is not None})
    if transport is not None:
        transport.close()
        await asyncio.sleep(0.01)

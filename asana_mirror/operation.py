"""Answers those who watch over a mirror: whether it is healthy, and its figures. A small ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import orjson

from asana_mirror.errors import MirrorError
from asana_mirror.health import Health, read_health
from asana_mirror.metrics import CONTENT_TYPE, metrics_text

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Any, Any, Any], Awaitable[None]]

PREFIX = "/-/asana/"
DAY_S = 86400.0


class Operation:
    """GET `/-/asana/health` (200 or 503, JSON) and `/-/asana/metrics` (Prometheus); anything else is 404.

    `max_age_s`, `totals` and `counts` are looked up anew for each answer: see `metrics_text`.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_age_s: Callable[[], float] = lambda: DAY_S,
        totals: Mapping[str, float] | None = None,
        counts: Mapping[str, int] | None = None,
    ) -> None:
        self._path = path
        self._max_age_s = max_age_s
        self._totals = {} if totals is None else totals
        self._counts = {} if counts is None else counts
        self._looking: asyncio.Future[Health] | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
        elif scope["type"] == "http":
            asks = scope["method"] in ("GET", "HEAD")
            status, kind, body = await self._answer(scope["path"] if asks else "")
            headers = [
                (b"content-type", kind.encode()),
                (b"content-length", str(len(body)).encode()),
                (b"cache-control", b"no-store"),
            ]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type, body."""
        if path not in (f"{PREFIX}health", f"{PREFIX}metrics"):
            return 404, "application/json", orjson.dumps({"error": "There is only health and metrics here."})
        try:
            health = await self._health()
            if path == f"{PREFIX}metrics":
                return 200, CONTENT_TYPE, metrics_text(health, self._totals, self._counts).encode()
        except MirrorError as error:
            health = {"healthy": False, "why": [str(error)]}
        except Exception as error:  # whoever watches is to hear of it, whatever it is
            health = {"healthy": False, "why": [f"The mirror cannot be looked into: {type(error).__name__}."]}
        return 200 if health["healthy"] else 503, "application/json", orjson.dumps(health)

    async def _health(self) -> Health:
        """Looked up in a thread, and once for all who ask meanwhile: a slow disk keeps one thread busy, not all."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(
                asyncio.to_thread(read_health, self._path, max_age_s=self._max_age_s())
            )
        return await asyncio.shield(self._looking)


def with_operation(operation: Operation, app: Asgi) -> Asgi:
    """An ASGI application: `/-/asana/…` is answered by the operation, all else (lifespan, too) by `app`."""

    async def either(scope: Message, receive: Receive, send: Send) -> None:
        is_ours = scope["type"] in ("http", "websocket") and scope["path"].startswith(PREFIX)
        await (operation if is_ours else app)(scope, receive, send)

    return either

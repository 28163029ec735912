"""A sandbox for another process: told where it is on the first line, ended with standard input."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import MutableMapping
from typing import Any

from asana_mirror.sandbox import Limits, create_app, generate, running


class Watched:
    """Looks on from in front of the sandbox: when requests came, and if wanted which."""

    def __init__(self, app: Any, *, records: bool) -> None:
        self._app = app
        self._records = records
        self._first_at: float | None = None
        self._last_at = 0.0
        self._addresses: list[str] = []

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            if scope["path"] == "/-/seen":
                await self._tell(send)
                return
            if not scope["path"].startswith("/-/"):
                self._note(scope)
        await self._app(scope, receive, send)

    def _note(self, scope: MutableMapping[str, Any]) -> None:
        self._last_at = time.monotonic()
        if self._first_at is None:
            self._first_at = self._last_at
        if self._records:
            self._addresses.append(f"{scope['path']}?{scope['query_string'].decode('latin-1')}")

    async def _tell(self, send: Any) -> None:
        seconds = 0.0 if self._first_at is None else self._last_at - self._first_at
        body = json.dumps({"seconds": seconds, "addresses": self._addresses}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


def main() -> None:
    order = json.loads(sys.argv[1])
    world = generate(**{"seed": 1, **order["world"]})
    told = {
        "token": world.token,
        "pages": world.pages_to_read(),
        "projects": [gid for workspace in world.workspaces for gid in world.inside["project", workspace]],
    }
    # A large world must not make each answer slower: the collector would walk through all of it again and again.
    gc.collect()
    gc.freeze()
    app = Watched(create_app(world, limits=Limits(**order["limits"])), records=order["records"])
    with running(app) as base_url:
        sys.stdout.write(json.dumps({**told, "base_url": base_url}) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()

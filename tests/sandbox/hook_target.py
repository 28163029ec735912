"""A target for webhooks, in process: it says the secret back, keeps what comes, answers as it is told."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from typing import Any

import httpx
import orjson

TARGET = "http://127.0.0.1:9/hooks?of=tests"


class Receiver:
    """The next deliveries are answered with the statuses in `answers`, all others with 200."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}  # by target
        self.bodies: list[bytes] = []
        self.refused: list[bytes] = []
        self.answers: list[int] = []
        self.shakes = True
        self.handshakes: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        secret = request.headers.get("x-hook-secret")
        if secret is not None:
            self.handshakes.append(request)
            self.secrets[str(request.url)] = secret
            return httpx.Response(200, headers={"X-Hook-Secret": secret} if self.shakes else {})
        key = self.secrets[str(request.url)].encode()
        signature = hmac.new(key, request.content, hashlib.sha256).hexdigest()
        assert request.headers["x-hook-signature"] == signature
        assert request.headers["content-type"] == "application/json"
        status = self.answers.pop(0) if self.answers else 200
        (self.bodies if status == 200 else self.refused).append(request.content)
        return httpx.Response(status, text="As it was told")

    @property
    def batches(self) -> list[list[dict[str, Any]]]:
        """The events of each delivery that was taken, heartbeats as empty lists."""
        return [orjson.loads(body)["events"] for body in self.bodies]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for batch in self.batches for event in batch]

    def said(self) -> list[tuple[str, str]]:
        return [(event["resource"]["resource_type"], event["action"]) for event in self.events]


def transport(receiver: Receiver) -> httpx.MockTransport:
    return httpx.MockTransport(receiver)


def watch(front: Any, resource: str, target: str = TARGET, **more: Any) -> str:
    """The gid of a new webhook."""
    return str(front.done("POST", "/webhooks", resource=resource, target=target, **more)["gid"])


def deliver(front: Any) -> None:
    """One round of deliveries, now."""
    asyncio.run(front.app.courier.deliver())


def a_project(world: Any, place: int = 0) -> str:
    return str(world.inside["project", world.workspaces[0]][place])

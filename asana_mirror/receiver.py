"""Takes what webhooks deliver: an ASGI application that trusts nothing before its signature is checked.

An answer of 200 means that the delivery is on file. With anything else Asana delivers again, for 24 hours.
https://developers.asana.com/docs/webhooks-guide
"""

from __future__ import annotations

import asyncio
import hmac
import re
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asana_mirror.deliveries import is_signed, read_delivery, seal
from asana_mirror.errors import MirrorError, NotAMirror
from asana_mirror.store import Mirror
from asana_mirror.store.webhooks import ACTIVE, ASKED, REFUSED, Webhook
from asana_mirror.times import utc_now

Headers = tuple[tuple[bytes, bytes], ...]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BUSY_TIMEOUT_S = 0.4  # the event loop stands still meanwhile
PATIENCE_S = 5.0  # for a whole body; Asana itself waits 10 s for the answer
MOST_BYTES = 2 * 1024 * 1024  # of a body; 1,000 events are about 300 kB
RETRY_AFTER_S = 10

REFUSALS = {
    "unknown_path": 404,
    "wrong_method": 405,
    "unexpected_handshake": 403,
    "bad_handshake": 400,
    "unsigned": 401,
    "wrong_signature": 401,
    "too_large": 413,
    "too_slow": 408,
    "malformed": 400,
    "not_kept": 503,
}
COUNTED = ("accepted", "heartbeats", "handshakes", "events", *REFUSALS)  # accepted: heartbeats included

_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")
_SECRET = re.compile(rb"[!-~]{1,256}")
_SIGNATURE = re.compile(rb"[0-9A-Fa-f]{64}")
# The rest of a refused request is not waited for, so its connection cannot be used again.
_CLOSE = (b"connection", b"close")
_MORE_HEADERS: dict[str, Headers] = {
    "wrong_method": ((b"allow", b"POST"),),
    "not_kept": ((b"retry-after", str(RETRY_AFTER_S).encode()),),
}


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Headers = ()
    is_news: bool = False


class _Refused(Exception):
    """Answered with the status of one of the `REFUSALS`, and counted."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Gone(Exception):
    """Whoever asked did not wait for the answer."""


class Receiver:
    """Keeps the deliveries that come to `{prefix}/{key}` in the mirror; `news` is called when there are events.

    All in one thread, that of the event loop. `close` lets go of the file; the next request opens it anew.
    `counts` says under a fixed set of names what was done: nothing grows, whatever arrives.
    """

    def __init__(self, path: Path, prefix: str, *, news: Callable[[], None]) -> None:
        self.counts: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
        self._path = path
        self._below = prefix.rstrip("/") + "/"
        self._news = news
        self._mirror: Mirror | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            with suppress(_Gone, OSError):  # servers may raise an OSError when nobody hears the answer
                await self._serve(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    def is_target(self, path: str) -> bool:
        """Whether a path is one to which webhooks deliver."""
        return path.startswith(self._below)

    def close(self) -> None:
        """Let go of the mirror."""
        mirror, self._mirror = self._mirror, None
        if mirror is not None:
            with suppress(sqlite3.Error):
                mirror.close()

    async def _live(self, receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        self.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        try:
            answer = await self._answer(scope, receive)
        except _Refused as refused:
            self.counts[refused.reason] += 1
            more = _MORE_HEADERS.get(refused.reason, ())
            answer = _Answer(REFUSALS[refused.reason], (*more, _CLOSE))
        try:
            headers = [(b"content-length", b"0"), *answer.headers]
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
        finally:
            if answer.is_news:
                self._news()

    async def _answer(self, scope: Message, receive: Receive) -> _Answer:
        webhook = self._webhook(scope)
        secrets = _values(scope, b"x-hook-secret")
        if secrets:
            return self._shake_hands(webhook, secrets)
        return self._keep(webhook, await _signed_body(webhook, scope, receive))

    def _webhook(self, scope: Message) -> Webhook:
        """The webhook that has its target here; nobody but Asana and this mirror knows its key."""
        path = str(scope["path"])
        if not self.is_target(path):
            raise _Refused("unknown_path")
        if scope["method"] != "POST":
            raise _Refused("wrong_method")
        key = path.removeprefix(self._below)
        if not _KEY.fullmatch(key):
            raise _Refused("unknown_path")
        with self._opened() as mirror:
            webhook = mirror.webhooks.of_key(key)
        if webhook is None or webhook.state == REFUSED:
            raise _Refused("unknown_path")
        return webhook

    def _shake_hands(self, webhook: Webhook, secrets: set[bytes]) -> _Answer:
        """Say the secret back, as long as the call that makes this webhook is open."""
        secret = secrets.pop()
        if secrets or not _SECRET.fullmatch(secret):
            raise _Refused("bad_handshake")
        known = (webhook.secret or "").encode()
        if webhook.state == ACTIVE and hmac.compare_digest(known, secret):  # the same once more
            return _Answer(200, ((b"x-hook-secret", secret),))
        if webhook.state != ASKED:  # asked before anything is locked for writing
            raise _Refused("unexpected_handshake")
        with self._opened() as mirror, mirror.atomic():
            expected = mirror.webhooks.shake_hands(webhook.key, secret.decode(), now=utc_now())
        if not expected:
            raise _Refused("unexpected_handshake")
        self.counts["handshakes"] += 1
        return _Answer(200, ((b"x-hook-secret", secret),))

    def _keep(self, webhook: Webhook, body: bytes) -> _Answer:
        """Put a delivery that was signed rightly on file, before it is acknowledged."""
        try:
            events = read_delivery(body)
        except ValueError:
            raise _Refused("malformed") from None
        text = body.decode("utf-8", "replace") if events else None
        with self._opened() as mirror, mirror.atomic():
            mirror.deliveries.keep(webhook, text, now=utc_now())
        self.counts["accepted"] += 1
        self.counts["heartbeats"] += not events
        self.counts["events"] += len(events)
        return _Answer(200, is_news=bool(events))

    @contextmanager
    def _opened(self) -> Iterator[Mirror]:
        """The mirror. When it cannot be read or written it is opened anew next time, and Asana delivers again."""
        try:
            if self._mirror is None:
                self._mirror = _open(self._path)
            yield self._mirror
        except (sqlite3.Error, MirrorError, OSError):
            self.close()
            raise _Refused("not_kept") from None


def _open(path: Path) -> Mirror:
    """Never makes or upgrades a mirror: where there is none, nobody has asked for webhooks."""
    if not path.is_file() or not path.stat().st_size:
        raise NotAMirror(f"There is no mirror at {path}.")
    return Mirror(path, busy_timeout_s=BUSY_TIMEOUT_S, upgrades=False)


def _values(scope: Message, name: bytes) -> set[bytes]:
    """What a header says, wherever it says different things."""
    return {value for header, value in scope["headers"] if header == name}


async def _signed_body(webhook: Webhook, scope: Message, receive: Receive) -> bytes:
    """The body, once its signature is checked. Whoever cannot have signed it is not even listened to."""
    signatures = _values(scope, b"x-hook-signature")
    signature = signatures.pop() if signatures else b""
    if signatures or not _SIGNATURE.fullmatch(signature):
        raise _Refused("unsigned")
    if webhook.secret is None:
        raise _Refused("wrong_signature")
    if any(_is_too_large(length) for length in _values(scope, b"content-length")):
        raise _Refused("too_large")
    sealed = seal(webhook.secret)
    try:
        async with asyncio.timeout(PATIENCE_S):
            body = await _body(receive, sealed.update)
    except TimeoutError:
        raise _Refused("too_slow") from None
    if not is_signed(sealed, signature.decode()):
        raise _Refused("wrong_signature")
    return body


def _is_too_large(content_length: bytes) -> bool:
    digits = content_length.strip().lstrip(b"0")
    return digits.isdigit() and (len(digits) > len(str(MOST_BYTES)) or int(digits) > MOST_BYTES)


async def _body(receive: Receive, feed: Callable[[bytes], None]) -> bytes:
    """The body, in one piece: many small ones would take a multiple of their size."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        chunk = message.get("body", b"")
        if len(body) + len(chunk) > MOST_BYTES:
            raise _Refused("too_large")
        body += chunk
        feed(chunk)
        if not message.get("more_body", False):
            return bytes(body)

"""What a webhook's deliveries mean: pure functions, no network.

https://developers.asana.com/docs/webhooks-guide
"""

from __future__ import annotations

import hashlib
import hmac

import orjson

from asana_mirror.errors import WaitAndRepeat
from asana_mirror.wire import read_body, read_event
from asana_mirror.words import Event


def seal(secret: str) -> hmac.HMAC:
    """To be fed with the body as it comes, so that nothing looks into a body before `is_signed` says yes."""
    return hmac.new(secret.encode(), digestmod=hashlib.sha256)


def is_signed(sealed: hmac.HMAC, signature: str) -> bool:
    """Whether an `X-Hook-Signature` (hex digits) fits all that was fed; how long this takes tells nothing."""
    return hmac.compare_digest(sealed.hexdigest().encode(), signature.lower().encode())


def read_delivery(body: bytes) -> list[Event]:
    """The events that can be understood; none is a heartbeat. Raises ValueError for what is no delivery."""
    try:
        told = read_body(body).get("events") if body else None
    except WaitAndRepeat:
        told = ""
    if told is None:  # a heartbeat is an empty list, or nothing at all
        return []
    if not isinstance(told, list):
        raise ValueError("The delivery is not a JSON object with a list of events.")
    events = [read_event(one) for one in told if isinstance(one, dict)]
    return [event for event in events if event]


def mark_of(event: Event) -> str:
    """All that tells an event from others, the same whether a webhook told it or the stream.

    Values are not in it: webhooks do not name them. Two changes of one field within a millisecond are one.
    """
    parts = (event.created_at, event.action, event.resource, event.gid, event.field, event.parent_gid)
    return orjson.dumps(parts).decode()

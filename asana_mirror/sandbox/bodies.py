"""Takes the `data` of a write apart: JSON, or the form that Asana wants for attachments."""

from __future__ import annotations

from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

import orjson

from .asks import bad
from .render import Rec


async def read_body(headers: dict[bytes, bytes], receive: Any) -> Rec:
    """The body's fields; 400 when it is neither JSON with `data` nor a form."""
    raw = await _all_of(receive)
    kind = headers.get(b"content-type", b"").decode("latin-1")
    if not raw or raw == b"null":
        return {}
    if kind.startswith("multipart/form-data"):
        return _multipart(kind, raw)
    if kind.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(raw.decode()))
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise bad("Could not parse request data, invalid JSON") from None
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, dict):
        raise bad("data: Missing input")
    return data


async def _all_of(receive: Any) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _multipart(kind: str, raw: bytes) -> Rec:
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + raw)
    fields: Rec = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        filename = part.get_filename()
        if filename is not None:
            fields[str(name)] = {"name": filename, "size": len(content), "content": content}
        elif isinstance(content, bytes):
            fields[str(name)] = content.decode()
    return fields

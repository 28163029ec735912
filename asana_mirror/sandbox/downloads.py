"""The host of files: not the API but a store behind signed addresses, as Asana's files lie in one at Amazon's.

It asks for no token. As Amazon's does, it refuses whoever shows one beside the signature:
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator, Mapping
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from .faults import Send
from .render import Rec

if TYPE_CHECKING:
    from .world import World

ROOT = "/download/"
LIVES_S = 120
PIECE = 65_536
Headers = list[tuple[bytes, bytes]]


def address(world: World, origin: str, rec: Rec) -> str:
    """Where the file of an attachment may be had, for two minutes."""
    expires_s = world.epoch_s() + LIVES_S
    signature = _signature(world, rec["gid"], str(expires_s))
    return f"{origin}{ROOT}{rec['gid']}?expires={expires_s}&signature={signature}"


def _signature(world: World, gid: str, expires_s: str) -> str:
    return hashlib.blake2s(f"{world.seed}|{gid}|{expires_s}".encode(), digest_size=16).hexdigest()


async def serve(world: World, path: str, query: str, headers: Mapping[bytes, bytes], send: Send) -> None:
    """Answer a GET at an address that was given out."""
    gid = path.removeprefix(ROOT)
    refused = _refusal(world, gid, dict(parse_qsl(query)), headers)
    if refused is not None:
        await _say(world, send, *refused)
        return
    rec = world.attachment(gid)
    if rec is None or rec["host"] != "asana":
        await _say(world, send, 404, "NoSuchKey")
        return
    await _send_file(world, rec, headers, send)


def _refusal(
    world: World, gid: str, query: dict[str, str], headers: Mapping[bytes, bytes]
) -> tuple[int, str] | None:
    if b"authorization" in headers:
        return 400, "Only one auth mechanism allowed"
    expires_s = query.get("expires", "")
    if query.get("signature") != _signature(world, gid, expires_s):
        return 403, "SignatureDoesNotMatch"
    if world.clock() >= int(expires_s):
        return 403, "Request has expired"
    return None


async def _say(world: World, send: Send, status: int, code: str, more: Headers | None = None) -> None:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code></Error>'.encode()
    await _start(world, send, status, len(body), [(b"content-type", b"application/xml"), *(more or [])])
    await send({"type": "http.response.body", "body": body})


async def _start(world: World, send: Send, status: int, length: int, more: Headers) -> None:
    date = formatdate(world.clock(), usegmt=True).encode()
    headers = [(b"content-length", str(length).encode()), (b"date", date), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def _send_file(world: World, rec: Rec, headers: Mapping[bytes, bytes], send: Send) -> None:
    size, etag = rec["size"], etag_of(world, rec).encode()
    more = [(b"accept-ranges", b"bytes"), (b"etag", etag), (b"content-type", b"application/octet-stream")]
    same = headers.get(b"if-range", etag) == etag
    asked = _range(headers.get(b"range", b"").decode("latin-1"), size) if same else None
    if asked is None:
        status, first, end = 200, 0, size
    elif asked[0] >= size:
        await _say(world, send, 416, "InvalidRange", [(b"content-range", f"bytes */{size}".encode())])
        return
    else:
        status, (first, end) = 206, asked
        more.append((b"content-range", f"bytes {first}-{end - 1}/{size}".encode()))
    await _start(world, send, status, end - first, more)
    for piece in _pieces(world, rec, first, end):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _range(text: str, size: int) -> tuple[int, int] | None:
    """From which byte to before which; None where all is wanted, or several ranges, or nonsense."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", text, re.ASCII)
    if not found or found[0] == "bytes=-":
        return None
    if not found[1]:
        return max(0, size - int(found[2])) if int(found[2]) else size, size
    end = min(size, int(found[2]) + 1) if found[2] else size
    first = int(found[1])
    return (first, end) if first < end or first >= size else None


# -- what is in a file ------------------------------------------------------------------------------------


def etag_of(world: World, rec: Rec) -> str:
    uploaded = rec.get("content")
    key = uploaded if isinstance(uploaded, bytes) else f"{_key(world, rec)}|{rec['size']}".encode()
    return f'"{hashlib.md5(key, usedforsecurity=False).hexdigest()}"'


def content(world: World, rec: Rec) -> bytes:
    """The whole file."""
    return b"".join(_pieces(world, rec, 0, rec["size"]))


def _key(world: World, rec: Rec) -> str:
    """What decides the content of a generated file: `content` where two are to be alike, else its gid."""
    return f"{world.seed}|{rec.get('content', rec['gid'])}"


def _pieces(world: World, rec: Rec, first: int, end: int) -> Iterator[bytes]:
    """The bytes between two places, a piece at a time, so that no file need fit into the memory."""
    uploaded: Any = rec.get("content")
    for number in range(first // PIECE, -(-end // PIECE)):
        start = number * PIECE
        if isinstance(uploaded, bytes):
            piece = uploaded[start : start + PIECE]
        else:
            piece = random.Random(f"{_key(world, rec)}|{number}").randbytes(PIECE)
        yield piece[max(0, first - start) : end - start]

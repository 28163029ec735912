"""Cuts listings into pages, and signs the offsets that lead from one page to the next."""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from .asks import Ask, bad
from .render import Rec, renderer

MOST = 100
ANCHORS = 3  # how many of the last gids an offset remembers
NEAR = 200  # how far around its place an anchor is looked for, when the list has changed meanwhile
DEAD_OFFSET = (
    "offset: Your pagination token has expired or is invalid. Please begin a new listing without an offset."
)


@dataclass
class Listing:
    """A list that can be read from anywhere: `part` gives what stands between two places, None where
    nothing shows; `keys` the gids that stand there."""

    node: str
    size: int
    part: Callable[[int, int], Sequence[Rec | None]]
    keys: Callable[[int, int], Sequence[str]]
    mode: str = "compact"
    endless: bool = False  # there is a way on even from its end, for what will be added later


def of_gids(
    ask: Ask, node: str, gids: Sequence[str], keep: Callable[[Rec], bool] | None = None, mode: str = "compact"
) -> Listing:
    view = ask.view

    def shown(gid: str) -> Rec | None:
        rec = view.ref(gid)
        return rec if rec is None or keep is None or keep(rec) else None

    return Listing(
        node,
        len(gids),
        lambda start, end: [shown(gid) for gid in gids[start:end]],
        lambda start, end: gids[start:end],
        mode,
    )


def refuse_paging(ask: Ask) -> None:
    """For lists of which Asana's description names no pages: they come in one."""
    for name in ("limit", "offset"):
        if name in ask.query and not ask.limits.paging_everywhere:
            raise bad(f"{name}: Not a parameter of this request")


def page(ask: Ask, listing: Listing) -> dict[str, Any]:
    """One page of a listing in its envelope, with the way to the next one."""
    limit = _limit(ask)
    start = _start(ask, listing)
    most = limit or ask.limits.unpaged_cut
    records, end, more = _read(listing, start, most)
    _refuse_too_long(ask, records, start, more and not (limit or listing.endless))
    render = renderer(listing.node, listing.mode, ask.query.get("opt_fields"))
    answer: dict[str, Any] = {"data": [render(ask.view, rec) for rec in records]}
    ask.view.links += len(records)
    if limit or listing.endless:
        on = more or (listing.endless and end > 0)
        answer["next_page"] = _next_page(ask, listing, end, limit) if on else None
    return answer


def _limit(ask: Ask) -> int | None:
    text = ask.query.get("limit")
    if text is None:
        return None
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise bad("limit: Value is not between 1 and 100")
    return int(text)


def _read(listing: Listing, start: int, most: int) -> tuple[list[Rec], int, bool]:
    """Up to `most` records from a place, the place after them, and whether anything more shows."""
    found: list[Rec] = []
    place = end = start
    while place < listing.size:
        chunk = listing.part(place, min(listing.size, place + most + 1))
        for rec in chunk:
            if rec is not None and len(found) == most:
                return found, end, True
            place += 1
            if rec is not None:
                found.append(rec)
                end = place
    return found, end, False


def _refuse_too_long(ask: Ask, records: list[Rec], start: int, cut: bool) -> None:
    too_long = "The result is too large. You should use pagination"
    longest = ask.limits.longest_list
    if longest is not None and start + len(records) > longest:
        raise bad(f"{too_long} and split this listing (may have more than {longest} objects).")
    if cut and ask.limits.unpaged_refused:
        raise bad(f"{too_long} (may have more than {ask.limits.unpaged_cut} objects).")


def _next_page(ask: Ask, listing: Listing, end: int, limit: int | None) -> dict[str, str]:
    offset = _sealed(ask, end, listing.keys(max(0, end - ANCHORS), end))
    query = {**ask.query, **({"limit": str(limit)} if limit else {}), "offset": offset}
    path = f"{ask.path}?{urlencode(query, quote_via=quote, safe=',.:')}"
    return {"offset": offset, "path": path, "uri": f"{ask.origin}/api/1.0{path}"}


def _binding(ask: Ask) -> bytes:
    """What an offset is bound to: the path and the filters, not the page size or the fields."""
    free = ("limit", "offset", "opt_fields", "opt_pretty")
    filters = sorted((key, value) for key, value in ask.query.items() if key not in free)
    return f"{ask.world.seed}|{ask.identity.token}|{ask.path}|{filters}".encode()


def _seal(ask: Ask, body: bytes) -> bytes:
    return hashlib.blake2s(body + _binding(ask), digest_size=9).digest()


def _sealed(ask: Ask, place: int, anchors: Sequence[str]) -> str:
    body = struct.pack(f">IQ{len(anchors)}Q", place, ask.world.epoch_s(), *map(int, anchors))
    return base64.urlsafe_b64encode(_seal(ask, body) + body).decode().rstrip("=")


def _start(ask: Ask, listing: Listing) -> int:
    offset = ask.query.get("offset")
    if offset is None:
        return 0
    try:
        raw = base64.urlsafe_b64decode(offset + "=" * (-len(offset) % 4))
        seal, body = raw[:9], raw[9:]
        place, told_s, *anchors = struct.unpack(f">IQ{(len(body) - 12) // 8}Q", body)
    except (ValueError, struct.error):
        raise bad(DEAD_OFFSET) from None
    expired = not listing.endless and ask.world.epoch_s() - told_s > ask.limits.offset_lifetime_s
    if seal != _seal(ask, body) or expired or ask.offset_is_dead:
        raise bad(DEAD_OFFSET)
    return _anchored(listing, place, [str(gid) for gid in reversed(anchors)])


def _anchored(listing: Listing, place: int, anchors: list[str]) -> int:
    """The place to go on from, found by the last record read, since the list may have moved under it."""
    first = max(0, place - NEAR)
    keys = listing.keys(first, min(listing.size, place + NEAR))
    if anchors and place - 1 - first < len(keys) and keys[place - 1 - first] == anchors[0]:
        return place
    for gid in anchors:
        if gid in keys:
            return first + list(keys).index(gid) + 1
    return min(place, listing.size)

"""Pure: where the file of an attachment lies, what to ask of its host, and what the host's answer means.

Names of attachments come from people and are never looked at: a file lies where its content's hash says.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from asana_mirror.errors import StartOver, WaitAndRepeat

PARTS = "partial"  # what is not whole lies here alone
_PLACE = re.compile(r"([0-9a-f]{2})/\1[0-9a-f]{62}")
_PART = re.compile(rf"{PARTS}/[0-9a-f]{{64}}")
_UNITS = {"": 1, "B": 1} | {
    f"{letter}{kind}": base**power
    for power, letter in enumerate("KMGT", start=1)
    for kind, base in (("", 1000), ("B", 1000), ("IB", 1024))
}


def place_of(sha256: str) -> str:
    """Where a whole file lies in its folder: `ab/abcdef…`. Raises ValueError for what is no SHA-256."""
    place = f"{sha256[:2]}/{sha256}"
    if not _PLACE.fullmatch(place):
        raise ValueError("That is no SHA-256 in hexadecimal digits.")
    return place


def part_of(gid: str) -> str:
    """Where the file of an attachment lies while only a part of it is here, whatever its gid looks like."""
    return f"{PARTS}/{hashlib.sha256(gid.encode('utf-8', 'surrogatepass')).hexdigest()}"


def is_ours(place: str) -> bool:
    """Whether a text is a place in the folder, of a whole file or of a part."""
    return bool(_PLACE.fullmatch(place) or _PART.fullmatch(place))


def bytes_of(text: str) -> int:
    """A size: `10MB`, `2GB`, `512KiB`, or bare bytes. Raises ValueError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Z]*)", text.strip().upper(), re.ASCII)
    if not found or found[2] not in _UNITS:
        raise ValueError(f"{text!r} is not a size like 500KB, 10MB, 2GB or a number of bytes")
    return int(Fraction(found[1]) * _UNITS[found[2]])


def in_words(size: int) -> str:
    """`12.3 MB`; the other way round, and rounded."""
    if size < 1000:
        return f"{size} bytes"
    power = min(int(math.log10(size)) // 3, 4)
    return f"{size / 1000**power:,.1f} {' KMGT'[power]}B"


# -- HTTP, https://www.rfc-editor.org/rfc/rfc9110 ---------------------------------------------------------


@dataclass(frozen=True)
class Body:
    """What an answer brings: from which byte on, how large the whole file is, and a name for this version of it."""

    start: int
    total: int | None
    validator: str | None


def range_headers(have: int, validator: str | None) -> dict[str, str]:
    """Ask for what is missing, or for all if the file is not that version any more."""
    return {"Range": f"bytes={have}-", "If-Range": validator} if have and validator else {}


def body_of(status: int, headers: Mapping[str, str], have: int, version: str | None) -> Body:
    """What a 200 or 206 brings, when so many bytes of that version are here.

    Raises StartOver where it does not go on from there, WaitAndRepeat for what makes no sense.
    """
    validator = strong(headers.get("etag"))
    if status == 200:
        return Body(0, _number(headers.get("content-length")), validator)
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", headers.get("content-range", ""), re.ASCII)
    if not have or not found:
        raise WaitAndRepeat("The file's host sent a part of the file, and not the one that was asked for.")
    if headers.get("etag", version) != version:
        raise StartOver("The file's host has another version of the file by now.")
    start, last, whole = int(found[1]), int(found[2]), _number(found[3])
    total = last + 1 if whole is None else whole
    if start != have or last + 1 != total:
        raise StartOver("The file's host does not go on where the first part of the file ends.")
    return Body(start, total, validator)


def strong(etag: str | None) -> str | None:
    """An ETag that stands for the very bytes; a weak one (`W/…`) does not."""
    return etag if etag and re.fullmatch(r'"[\x21\x23-\x7e]*"', etag) else None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None

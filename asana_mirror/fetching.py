"""One file: looked up, fetched, checked, kept. What is here of it is gone on with, and never taken for the whole."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from asana_mirror.catalog import RESOURCES
from asana_mirror.client import Asana, GaveUp
from asana_mirror.download import AddressExpired, Downloads
from asana_mirror.errors import CarryOnWithout, MirrorError, StartOver, WaitAndRepeat
from asana_mirror.files import Body, in_words, place_of
from asana_mirror.quota import backoff_s
from asana_mirror.shelf import Part, Shelf
from asana_mirror.store import Mirror
from asana_mirror.store.files import Wanted
from asana_mirror.times import utc_now
from asana_mirror.wire import record_request

TRIES = 4  # of one file whose host breaks off
MOST_RESTARTS = 3  # of one file whose parts do not fit together
LONGEST_WAIT_S = 60.0  # that the host of one file may ask for
FLUSH_BYTES = 16_000_000  # how much of a file a power cut may cost
FIELDS = "download_url,size,name,host"  # https://developers.asana.com/reference/getattachment


class Unfit(CarryOnWithout):
    """What the host sends is not the file that Asana tells of."""


class TooLarge(CarryOnWithout):
    """Larger than the user wants to have."""


@dataclass
class Brought:
    """What has come over the network so far; each byte is counted when it comes."""

    files: int = 0
    resumed: int = 0  # of these: where a part was here
    bytes: int = 0


class Fetching:
    """Brings files into a folder and into the mirror's books. `max_bytes` goes for each file."""

    def __init__(
        self,
        asana: Asana,
        downloads: Downloads,
        mirror: Mirror,
        shelf: Shelf,
        brought: Brought,
        max_bytes: int | None = None,
    ) -> None:
        self._asana = asana
        self._downloads = downloads
        self._mirror = mirror
        self._shelf = shelf
        self._brought = brought
        self._max_bytes = max_bytes
        self._randomness = random.Random()

    def is_too_large(self, size: int | None) -> bool:
        return self._max_bytes is not None and size is not None and size > self._max_bytes

    async def bring(self, wanted: Wanted) -> str:
        """Its SHA-256, once it is here. Tries again where that makes sense, each time with a fresh address.

        Raises CarryOnWithout where it cannot be had; WaitAndRepeat or StartOver where another pull may have it.
        """
        expired = restarts = breaks = 0
        while True:
            try:
                return await self._attempt(wanted, await self._look_up(wanted.gid))
            except AddressExpired:
                expired += 1
                if expired > 1:
                    raise
            except StartOver:
                restarts += 1
                if restarts > MOST_RESTARTS:
                    raise
                self._begin_anew(wanted.gid)
            except GaveUp:
                raise
            except WaitAndRepeat as trouble:
                breaks += 1
                wait_s = max(trouble.retry_after_s or 0.0, backoff_s(breaks, self._randomness))
                if breaks >= TRIES or wait_s > LONGEST_WAIT_S:
                    raise
                await asyncio.sleep(wait_s)

    async def _look_up(self, gid: str) -> Mapping[str, Any]:
        """What Asana tells of it now; the address it gives lives for about two minutes."""
        path = RESOURCES["attachments"].path or ""
        return (await self._asana.record(*record_request(path, "attachments", gid, only=FIELDS))).content

    async def _attempt(self, wanted: Wanted, record: Mapping[str, Any]) -> str:
        url, size = record.get("download_url"), record.get("size")
        if record.get("host") != "asana" or not isinstance(url, str):
            raise Unfit("Asana does not offer this file for download.", status=0)
        told = size if isinstance(size, int) else wanted.told_size
        if self.is_too_large(told):
            raise TooLarge(f"It has {in_words(told or 0)}, more than --max-size allows.", status=0)
        validator, have = self._mirror.files.part(wanted.gid)
        if told is not None:
            have = min(have, max(0, told - 1))  # the last byte is asked for again, and with it the version
        part = await self._shelf.part(wanted.gid, have)
        try:
            resumed = await self._fetch(wanted.gid, part, url, validator, told)
            return self._keep(wanted, part, resumed=resumed)
        except (Unfit, TooLarge):
            part.discard()
            self._begin_anew(wanted.gid)
            raise
        finally:
            self._save(wanted.gid, part)

    async def _fetch(self, gid: str, part: Part, url: str, validator: str | None, told: int | None) -> bool:
        """Complete the part; returns whether it was gone on with."""
        async with self._downloads.fetch(url, part.size, validator) as (body, pieces):
            _check_announced(body, told)
            if body.start == 0:
                part.begin_anew()
                self._begin_anew(gid, body.validator)
            await self._receive(gid, part, pieces, body.total if told is None else told)
            return body.start > 0

    async def _receive(self, gid: str, part: Part, pieces: AsyncIterator[bytes], size: int | None) -> None:
        """Write what comes, and not a byte more than there should be."""
        async for piece in pieces:
            self._brought.bytes += len(piece)
            if size is not None and part.size + len(piece) > size:
                raise Unfit(f"The file's host sends more than the {size:,} bytes of this file.", status=0)
            if self.is_too_large(part.size + len(piece)):
                raise TooLarge("The file's host sends more than --max-size allows.", status=0)
            part.write(piece)
            if part.size - part.flushed >= FLUSH_BYTES:
                self._flush(gid, part)
        if size is not None and part.size < size:
            raise WaitAndRepeat(f"The file's host broke off after {part.size:,} of {size:,} bytes.")

    # -- the books ------------------------------------------------------------------------------------

    def _begin_anew(self, gid: str, validator: str | None = None) -> None:
        """What comes next is its first byte, in this version."""
        with self._mirror.atomic():
            self._mirror.files.begin(gid, validator)

    def _keep(self, wanted: Wanted, part: Part, *, resumed: bool) -> str:
        sha256, files, before = part.finish(), self._mirror.files, wanted.sha256
        with self._mirror.atomic():
            files.keep(wanted.gid, sha256, part.size, now=utc_now())
            if before not in (None, sha256):
                files.leave_over([place_of(str(before))])  # it was damaged or missing
        self._brought.files += 1
        self._brought.resumed += resumed
        return sha256

    def _flush(self, gid: str, part: Part) -> None:
        part.flush()
        with self._mirror.atomic():
            self._mirror.files.note_part(gid, part.size)

    def _save(self, gid: str, part: Part) -> None:
        """However it ended: what is here of it need not come again."""
        with contextlib.suppress(MirrorError, sqlite3.Error):  # what ended it is told, not this
            if part.is_open and not part.size:
                part.discard()
            elif part.is_open and part.size > part.flushed:
                self._flush(gid, part)
        part.close()


def _check_announced(body: Body, told: int | None) -> None:
    if told is not None and body.total not in (None, told):
        raise Unfit(f"The file's host announces {body.total:,} bytes, Asana tells of {told:,}.", status=0)

"""The only module that talks HTTP to Asana: send, wait, repeat."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from asana_mirror import __version__, wire
from asana_mirror.errors import AsanaUnreachable, RateLimited, SyncTokenExpired, WaitAndRepeat
from asana_mirror.quota import READS_IN_FLIGHT, Pace, backoff_s
from asana_mirror.words import Answer, ApiChange, EndpointUse, Page

T = TypeVar("T")

TIMEOUT = httpx.Timeout(90.0, connect=10.0)
TRIES = 8  # of one request that keeps failing while others succeed
FIRST_CONTACT_S = 15.0  # patience before Asana has answered at all: nothing is lost by giving up early

# httpx-aiohttp translates most of aiohttp's errors, not all.
_BROKEN = (httpx.TransportError, httpx.DecodingError, aiohttp.ClientError, TimeoutError, OSError)


class GaveUp(WaitAndRepeat):
    """One request kept failing while others succeeded: it is left for the next run."""


class Asana:
    """One door to Asana: a shared pace, a shared pause, at most 50 reads in flight.

    `per_minute` 0 means no limit; `max_wait_s` is the longest time without any accepted answer.
    """

    def __init__(
        self,
        token: str,
        base_url: str,
        *,
        per_minute: float = 1500.0,
        max_wait_s: float = 600.0,
        reads_in_flight: int = READS_IN_FLIGHT,
        proxy: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        randomness: random.Random | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(
            headers={
                **wire.HEADERS,
                "Authorization": f"Bearer {token}",
                "User-Agent": f"asana-mirror/{__version__}",
            },
            timeout=TIMEOUT,
            transport=transport or _transport(reads_in_flight, proxy),
        )
        self._base_url = base_url.rstrip("/")
        self._pace = Pace(per_minute)
        self._slots = asyncio.Semaphore(reads_in_flight)
        self._max_wait_s = max_wait_s
        self._randomness = randomness or random.Random()
        self._began = time.monotonic()
        self._last_success: float | None = None
        self.seconds_waited = 0.0
        self.uses: dict[str, EndpointUse] = {}
        self.changes: Counter[ApiChange] = Counter()
        self.changed_endpoints: dict[ApiChange, str] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    @property
    def requests(self) -> int:
        return sum(use.requests for use in self.uses.values())

    @property
    def refused(self) -> int:
        return sum(use.refused for use in self.uses.values())

    async def page(self, path: str, params: Mapping[str, str]) -> Answer[Page]:
        """Read one page of a listing. Raises also OffsetExpired and ListTooLong."""
        return await self._get(path, params, wire.read_page)

    async def record(self, path: str, params: Mapping[str, str]) -> Answer[Mapping[str, Any]]:
        """Read one record."""
        return await self._get(path, params, wire.read_record)

    async def sync_token(self, resource_gid: str) -> str:
        """Take a fresh token of an event stream: Asana gives it with the refusal of a call that has none.

        https://developers.asana.com/reference/getevents
        """
        try:
            answer = await self._get("/events", {"resource": resource_gid}, wire.read_events)
        except SyncTokenExpired as refusal:
            return refusal.sync
        return answer.content

    async def _get(
        self, path: str, params: Mapping[str, str], read: Callable[[Mapping[str, Any]], T]
    ) -> Answer[T]:
        """Ask, trying again as long as that makes sense.

        Raises BadToken, CarryOnWithout and StartOver at once; GaveUp after eight failures of this request alone;
        AsanaUnreachable when nothing at all was accepted for `max_wait_s`.
        """
        tries = 0
        first_failure: float | None = None
        while True:
            try:
                return await self._attempt(path, params, read)
            except RateLimited as refusal:
                tries += 1
                wait_s = refusal.retry_after_s
                wait_s = backoff_s(tries, self._randomness) if wait_s is None else wait_s
                self._pace.pause(time.monotonic(), wait_s)
                self._end_patience(refusal, wait_s)
            except WaitAndRepeat as trouble:
                first_failure = first_failure or time.monotonic()
                tries += 1
                wait_s = trouble.retry_after_s or backoff_s(tries - 1, self._randomness)
                self._end_patience(trouble, wait_s)
                if tries >= TRIES and (self._last_success or 0.0) > first_failure:
                    raise GaveUp(str(trouble), status=trouble.status) from trouble
                self.seconds_waited += wait_s
                await asyncio.sleep(wait_s)

    async def _attempt(
        self, path: str, params: Mapping[str, str], read: Callable[[Mapping[str, Any]], T]
    ) -> Answer[T]:
        use = self.uses.setdefault(wire.endpoint_of(path), EndpointUse())
        async with self._slots:
            await self._wait_for_turn()
            use.requests += 1
            began = time.monotonic()
            try:
                response = await self._http.get(httpx.URL(wire.url(self._base_url, path, params)))
            except _BROKEN as error:
                raise WaitAndRepeat(f"{type(error).__name__}: {error}".rstrip(": ")) from error
            elapsed_s = time.monotonic() - began
        use.bytes += len(response.content)
        use.refused += response.status_code == 429
        self._note_changes(response, path)
        wire.raise_refusal(response.status_code, response.headers, response.content, paged=_paged(params))
        body = wire.read_body(response.content)
        content = read(body)
        self._last_success = time.monotonic()
        if isinstance(content, Page):
            use.records += len(content.records)
            use.cost_estimate += len(content.records) * wire.links_followed(params.get("opt_fields", ""))
        return Answer(content, wire.asked_at(response.headers, elapsed_s, datetime.now(UTC)))

    def _note_changes(self, response: httpx.Response, path: str) -> None:
        for change in wire.api_changes(response.headers.multi_items()):
            self.changes[change] += 1
            self.changed_endpoints.setdefault(change, wire.endpoint_of(path))

    async def _wait_for_turn(self) -> None:
        """Wait for a place in the pace; a pause that begins meanwhile holds for those in line as well."""
        while True:
            wait_s = self._pace.reserve(time.monotonic())
            if wait_s <= 0:
                return
            self.seconds_waited += wait_s
            await asyncio.sleep(wait_s)
            if self._pace.paused_for(time.monotonic()) <= 0:
                return

    def _end_patience(self, trouble: WaitAndRepeat, next_wait_s: float) -> None:
        """Raise AsanaUnreachable where waiting any longer is more than the user allows."""
        since = self._began if self._last_success is None else self._last_success
        without_success_s = time.monotonic() - since
        patience_s = self._max_wait_s
        if self._last_success is None and trouble.status is None:
            patience_s = min(patience_s, FIRST_CONTACT_S)
        if without_success_s + next_wait_s <= patience_s:
            return
        if isinstance(trouble, RateLimited):
            raise AsanaUnreachable(
                f"Asana's quota is used up; it asks to wait {next_wait_s:.0f} s, longer than --max-wait allows.",
                hint="What was read is kept. Run the same command again later to go on.",
            ) from trouble
        raise AsanaUnreachable(f"Asana at {self._base_url} gives no answer: {trouble}") from trouble


def _paged(params: Mapping[str, str]) -> wire.Paged:
    if "limit" not in params:
        return "no"
    return "later" if "offset" in params else "first"


def _transport(reads_in_flight: int, proxy: str | None) -> httpx.AsyncBaseTransport:
    """aiohttp under httpx's face: a sixth of the CPU of httpx's own pool at 50 connections."""

    def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=reads_in_flight, keepalive_timeout=60.0),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    return AiohttpTransport(client=session, proxy=httpx.Proxy(proxy) if proxy else None)

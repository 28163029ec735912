"""The only module that talks HTTP to Asana: send, wait, repeat."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from asana_mirror import __version__, wire
from asana_mirror.errors import AsanaUnreachable, CarryOnWithout, RateLimited, WaitAndRepeat
from asana_mirror.quota import READS_IN_FLIGHT, Pace, backoff_s
from asana_mirror.words import Answer, ApiChange, EndpointUse, EventsPage, Page

T = TypeVar("T")

TIMEOUT = httpx.Timeout(90.0, connect=10.0)
TRIES = 8  # of one request that keeps failing while others succeed
FIRST_CONTACT_S = 15.0  # patience before Asana has answered at all: nothing is lost by giving up early

# httpx-aiohttp translates most of aiohttp's errors, not all.
_BROKEN = (httpx.TransportError, httpx.DecodingError, aiohttp.ClientError, TimeoutError, OSError)


class GaveUp(WaitAndRepeat):
    """One request kept failing while others succeeded: it is left for the next run."""


class Turns:
    """Who may send next, at the pace. Whoever holds an offset goes first: offsets die."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._lines: tuple[deque[asyncio.Future[None]], ...] = (deque(), deque())
        self._caller: asyncio.Task[None] | None = None
        self.seconds_waited = 0.0

    async def wait(self, *, hurry: bool) -> None:
        """Return when it is this request's turn; a pause that begins meanwhile holds for those in line as well."""
        began = time.monotonic()
        if self._caller is None and self._pace.wait_s(began) <= 0:
            self._pace.leave(began)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines[not hurry].append(turn)
        if self._caller is None:
            self._caller = asyncio.create_task(self._call())
        await turn
        self.seconds_waited += time.monotonic() - began

    async def _call(self) -> None:
        try:
            while any(self._lines):
                while (wait_s := self._pace.wait_s(time.monotonic())) > 0:
                    await asyncio.sleep(wait_s)
                line = self._lines[0] or self._lines[1]
                turn = line.popleft()
                if not turn.done():  # its request may have been called off
                    self._pace.leave(time.monotonic())
                    turn.set_result(None)
        finally:
            self._caller = None


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
        self._turns = Turns(self._pace)
        self._slots = asyncio.Semaphore(reads_in_flight)
        self._max_wait_s = max_wait_s
        self._randomness = randomness or random.Random()
        self._began = time.monotonic()
        self._last_success: float | None = None
        self._waited_to_try_again_s = 0.0
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

    @property
    def seconds_waited(self) -> float:
        """By all requests together: for their turn, through pauses, and before trying again."""
        return self._waited_to_try_again_s + self._turns.seconds_waited

    def open_new_books(self) -> None:
        """Count from zero: what was counted until now is on file."""
        self.uses = {}
        self._waited_to_try_again_s = 0.0
        self._turns.seconds_waited = 0.0

    async def page(self, path: str, params: Mapping[str, str]) -> Answer[Page]:
        """Read one page of a listing. Raises also OffsetExpired and ListTooLong."""
        return await self._get(path, params, wire.read_page)

    async def record(self, path: str, params: Mapping[str, str]) -> Answer[Mapping[str, Any]]:
        """Read one record."""
        return await self._get(path, params, wire.read_record)

    async def glance(self, path: str, params: Mapping[str, str]) -> Mapping[str, Any] | None:
        """Ask for one record, once: None where it is refused, or where one would have to wait and repeat."""
        try:
            return (await self._attempt(path, params, wire.read_record)).content
        except (CarryOnWithout, WaitAndRepeat):
            return None

    async def events(self, resource_gid: str, sync: str | None) -> Answer[EventsPage]:
        """Read on in an event stream. Raises SyncTokenExpired, which brings a fresh token, where `sync` is none."""
        return await self._get(*wire.events_request(resource_gid, sync), wire.read_events)

    async def _get(
        self, path: str, params: Mapping[str, str], read: Callable[[Mapping[str, Any]], T]
    ) -> Answer[T]:
        """Ask, trying again as long as that makes sense.

        Raises BadToken, CarryOnWithout and StartOver at once; GaveUp after eight failures of this request alone;
        AsanaUnreachable when nothing at all was accepted for `max_wait_s`.
        """
        tries = 0
        while True:
            try:
                return await self._attempt(path, params, read)
            except WaitAndRepeat as trouble:
                tries += 1
                wait_s = trouble.retry_after_s or 0.0
                if trouble.retry_after_s is None or tries > 1:  # told to come back at once, again and again
                    wait_s = max(wait_s, backoff_s(tries - 1, self._randomness))
                told = trouble.retry_after_s is not None or isinstance(trouble, RateLimited)
                over = self._patience_is_over(trouble, wait_s)
                if (over or tries >= TRIES) and not told and await self._answers_others():
                    raise GaveUp(str(trouble), status=trouble.status) from trouble
                if over:
                    raise self._unreachable(trouble, wait_s) from trouble
                if told:
                    self._pace.pause(
                        time.monotonic(), wait_s
                    )  # Asana said when: that holds for every request
                    continue
                self._waited_to_try_again_s += wait_s
                await asyncio.sleep(wait_s)

    async def _answers_others(self) -> bool:
        """Whether it is this request alone that fails."""
        try:
            await self._attempt("/workspaces", {"limit": "1"}, wire.read_page)
        except WaitAndRepeat:
            return False
        return True

    async def _attempt(
        self, path: str, params: Mapping[str, str], read: Callable[[Mapping[str, Any]], T]
    ) -> Answer[T]:
        use = self.uses.setdefault(wire.endpoint_of(path), EndpointUse())
        async with self._slots:
            await self._turns.wait(hurry="offset" in params)
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

    def _patience_is_over(self, trouble: WaitAndRepeat, next_wait_s: float) -> bool:
        """Whether waiting any longer is more than the user allows."""
        since = self._began if self._last_success is None else self._last_success
        patience_s = self._max_wait_s
        if self._last_success is None and trouble.status is None:
            patience_s = min(patience_s, FIRST_CONTACT_S)
        return time.monotonic() - since + next_wait_s > patience_s

    def _unreachable(self, trouble: WaitAndRepeat, next_wait_s: float) -> AsanaUnreachable:
        if isinstance(trouble, RateLimited):
            return AsanaUnreachable(
                f"Asana's quota is used up; it asks to wait {next_wait_s:.0f} s, longer than --max-wait allows.",
                hint="What was read is kept. Run the same command again later to go on.",
            )
        return AsanaUnreachable(f"Asana at {self._base_url} gives no answer: {trouble}")


def _paged(params: Mapping[str, str]) -> wire.Paged:
    if "limit" not in params:
        return "no"
    return "later" if "offset" in params else "first"


def _transport(reads_in_flight: int, proxy: str | None) -> httpx.AsyncBaseTransport:
    """aiohttp under httpx's face: a tenth of the CPU, or less, of httpx's own pool at 50 connections."""

    def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=reads_in_flight, keepalive_timeout=60.0),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    return AiohttpTransport(client=session, proxy=httpx.Proxy(proxy) if proxy else None)

"""The only module that talks HTTP to Asana: send, wait, repeat."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from asana_mirror import __version__, wire
from asana_mirror.errors import AsanaUnreachable, CarryOnWithout, RateLimited, WaitAndRepeat
from asana_mirror.quota import READS_IN_FLIGHT, WRITES_IN_FLIGHT, Departure, Governor, backoff_s
from asana_mirror.times import now
from asana_mirror.turns import Budget, Turns
from asana_mirror.words import Answer, ApiChange, EndpointUse, EventsPage, Page

T = TypeVar("T")

EXTENSIONS = {"timeout": httpx.Timeout(90.0, connect=10.0).as_dict()}
TRIES = 8  # of one request that keeps failing while others succeed
FIRST_CONTACT_S = 15.0  # patience before Asana has answered at all: nothing is lost by giving up early

# httpx-aiohttp translates most of aiohttp's errors, not all.
_BROKEN = (httpx.TransportError, httpx.DecodingError, aiohttp.ClientError, TimeoutError, OSError)


class Address:
    """An address that is known to be well-formed: taken apart only where a transport asks for its parts.

    httpx looks at each character of an address, and ours name a hundred fields.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text

    def __getattr__(self, part: str) -> Any:
        return getattr(httpx.URL(self._text), part)


class GaveUp(WaitAndRepeat):
    """One request kept failing while others succeeded: it is left for the next run."""


class Asana:
    """One door to Asana: every request leaves when the governor of the allowance lets it.

    `max_wait_s` is the longest time without any accepted answer. `remember` is called when Asana told everyone to
    wait, so that not even a restart cuts that short.
    """

    def __init__(
        self,
        token: str,
        base_url: str,
        *,
        governor: Governor | None = None,
        budget: Budget | None = None,
        max_wait_s: float = 600.0,
        proxy: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        randomness: random.Random | None = None,
    ) -> None:
        # Asked without httpx.AsyncClient around it: cookies, redirects and hooks that nobody uses here cost a third
        # of the CPU of a request.
        headers = {
            **wire.HEADERS,
            "Accept-Encoding": "gzip, deflate",
            "Authorization": f"Bearer {token}",
            "User-Agent": f"asana-mirror/{__version__}",
        }
        self._headers = httpx.Headers(headers if transport else {})  # our own connections know them already
        self._transport = transport or _transport(proxy, headers)
        self._base_url = base_url.rstrip("/")
        self._root = httpx.URL(self._base_url)
        self.governor = governor or Governor(now=time.monotonic())
        self._turns = Turns(self.governor, budget)
        self.remember: Callable[[], None] = lambda: None
        self._max_wait_s = max_wait_s
        self._randomness = randomness or random.Random()
        self._began = time.monotonic()
        self._last_success: float | None = None
        self._waited_to_try_again_s = 0.0
        self._allowed_before = 0.0
        self.uses: dict[str, EndpointUse] = {}
        self.changes: Counter[ApiChange] = Counter()
        self.changed_endpoints: dict[ApiChange, str] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.aclose()

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

    @property
    def allowed(self) -> float | None:
        """Requests that were believed to be allowed since the first one; None where they are not paced."""
        return self.governor.allowed - self._allowed_before if self.governor.learns else None

    def close(self) -> None:
        """No request leaves any more."""
        self._turns.close()

    def begin_anew(self) -> None:
        """Another run through the same door: it counts from zero, and patience begins with it."""
        self.open_new_books()
        self._began, self._last_success = time.monotonic(), None

    def open_new_books(self) -> None:
        """Count from zero: what was counted until now is on file."""
        self.uses = {}
        self._waited_to_try_again_s = 0.0
        self._turns.seconds_waited = 0.0
        self._allowed_before = self.governor.allowed

    async def page(self, path: str, params: Mapping[str, str], *, single: bool = False) -> Answer[Page]:
        """Read one page of a listing, or a single record as one. Raises also OffsetExpired and ListTooLong."""
        return await self._insist(path, params, wire.read_single if single else wire.read_page)

    async def record(self, path: str, params: Mapping[str, str]) -> Answer[Mapping[str, Any]]:
        """Read one record."""
        return await self._insist(path, params, wire.read_record)

    async def page_at_once(self, path: str, params: Mapping[str, str]) -> Answer[Page]:
        """Read one page, asking once: raises WaitAndRepeat as well, where somebody who needs it would try again."""
        return await self._attempt(path, params, wire.read_page)

    async def glance(self, path: str, params: Mapping[str, str]) -> Mapping[str, Any] | None:
        """Ask for one record, once: None where it is refused, or where one would have to wait and repeat."""
        try:
            return (await self._attempt(path, params, wire.read_record)).content
        except (CarryOnWithout, WaitAndRepeat):
            return None

    async def events(self, resource_gid: str, sync: str | None) -> Answer[EventsPage]:
        """Read on in an event stream. Raises SyncTokenExpired, which brings a fresh token, where `sync` is none."""
        return await self._insist(*wire.events_request(resource_gid, sync), wire.read_events)

    async def create(self, path: str, fields: Mapping[str, Any]) -> Answer[Mapping[str, Any]]:
        """Make a record. Raises WaitAndRepeat, at once, where it may have been made or not: it is not made twice."""
        return await self._insist(path, {}, wire.read_record, wire.creation(fields))

    async def delete(self, path: str) -> None:
        """Delete a record; one that is not there is deleted."""
        try:
            await self._insist(path, {}, wire.read_record, wire.DELETION)
        except CarryOnWithout as refusal:
            if refusal.status != 404:
                raise

    async def _insist(
        self,
        path: str,
        params: Mapping[str, str],
        read: Callable[[Mapping[str, Any]], T],
        verb: wire.Verb = wire.READING,
    ) -> Answer[T]:
        """Ask, trying again as long as that makes sense.

        Raises BadToken, CarryOnWithout and StartOver at once; GaveUp after eight failures of this request alone;
        AsanaUnreachable when nothing at all was accepted for `max_wait_s`.
        """
        self._check_pause()
        tries = 0
        while True:
            try:
                return await self._attempt(path, params, read, verb)
            except WaitAndRepeat as trouble:
                if not (verb.may_be_repeated or isinstance(trouble, RateLimited)):
                    raise
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
                if told:  # Asana said when: that holds for every request
                    self.governor.pause(time.monotonic(), wait_s)
                    self.remember()
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
        self,
        path: str,
        params: Mapping[str, str],
        read: Callable[[Mapping[str, Any]], T],
        verb: wire.Verb = wire.READING,
    ) -> Answer[T]:
        endpoint = wire.endpoint_of(path, verb)
        use = self.uses.setdefault(endpoint, EndpointUse())
        departure = await self._turns.take(
            endpoint, hurry="offset" in params, searches=endpoint in wire.SEARCHES, reads=verb.reads
        )
        use.requests += 1
        try:
            response = await self._ask(wire.url(self._base_url, path, params), verb)
        except BaseException as error:
            self.governor.failed(departure)
            self._turns.call()
            if isinstance(error, _BROKEN):
                raise WaitAndRepeat(f"{type(error).__name__}: {error}".rstrip(": ")) from error
            raise
        self._learn(departure, response, use)
        self._note_changes(response, path)
        wire.raise_refusal(response.status_code, response.headers, response.content, paged=_paged(params))
        body = wire.read_body(response.content)
        content = read(body)
        self._last_success = time.monotonic()
        if isinstance(content, Page):
            use.records += len(content.records)
        elapsed_s = self._last_success - departure.at
        return Answer(content, wire.asked_at(response.headers, elapsed_s, now()))

    async def _ask(self, url: str, verb: wire.Verb) -> httpx.Response:
        request = httpx.Request(
            verb.method, self._root, headers=self._headers, content=verb.body or None, extensions=EXTENSIONS
        )
        request.url = Address(url)  # type: ignore[assignment]
        if verb.body:
            request.headers["Content-Type"] = "application/json"
        response = await self._transport.handle_async_request(request)
        try:
            await response.aread()
        finally:
            await response.aclose()
        return response

    def _learn(self, departure: Departure, response: httpx.Response, use: EndpointUse) -> None:
        """What an answer says of the allowance, and of what such requests cost."""
        now = time.monotonic()
        use.bytes += len(response.content)
        if response.status_code == 429:
            use.refused += 1
            told_s = wire.retry_after_s(response.headers)
            self.governor.refused(now, departure, told_s)
            self.governor.pause(now, told_s or 0.0)
        else:
            links = wire.links_followed(response.content)
            use.cost_estimate += 1 + links
            self.governor.answered(now, departure, links)
        self._turns.call()

    def _note_changes(self, response: httpx.Response, path: str) -> None:
        if not any(name.lower().startswith(b"asana-") for name, _ in response.headers.raw):
            return
        for change in wire.api_changes(response.headers.multi_items()):
            self.changes[change] += 1
            self.changed_endpoints.setdefault(change, wire.endpoint_of(path))

    def _check_pause(self) -> None:
        """What an earlier run was told holds for this one as well."""
        left_s = self.governor.pause_left_s(time.monotonic())
        if left_s > self._max_wait_s:
            raise self._unreachable(RateLimited("", retry_after_s=left_s, status=429), left_s)

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


def _transport(proxy: str | None, headers: Mapping[str, str]) -> httpx.AsyncBaseTransport:
    """aiohttp under httpx's face: a tenth of the CPU, or less, of httpx's own pool at 50 connections."""

    def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=READS_IN_FLIGHT + WRITES_IN_FLIGHT, keepalive_timeout=60.0),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers,
        )

    return AiohttpTransport(client=session, proxy=httpx.Proxy(proxy) if proxy else None)

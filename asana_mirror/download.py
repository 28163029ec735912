"""The only module that fetches files: from wherever an attachment's short-lived address leads.

That is not Asana's API but the host of its files, so it is never told the token: no request here has anything to do
with those of `client`. Nor does anything else go there that one request could tell of another: no cookies, no referrer.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import httpx

from asana_mirror import __version__
from asana_mirror.errors import CarryOnWithout, StartOver, WaitAndRepeat
from asana_mirror.files import Body, body_of, range_headers
from asana_mirror.wire import retry_after_s

TIMEOUT = httpx.Timeout(60.0, connect=10.0)  # seconds, also between two pieces of a file
MOST_REDIRECTS = 5
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": f"asana-mirror/{__version__}"}
_BROKEN = (httpx.TransportError, httpx.StreamError, OSError)


class AddressExpired(CarryOnWithout):
    """403 or 410: the address does not lead to the file any more, a new one may."""


class Downloads:
    """Fetches files by https; by http as well where `plainly`, for an API that is itself asked by http.

    `proxy_for` names the proxy to be used for an address, if any. `transport` stands in for all connections.
    """

    def __init__(
        self,
        *,
        plainly: bool,
        proxy_for: Callable[[str], str | None] = lambda url: None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._schemes = ("http", "https") if plainly else ("https",)
        self._proxy_for = proxy_for
        self._given = transport
        self._transports: dict[str | None, httpx.AsyncBaseTransport] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for transport in self._transports.values():
            await transport.aclose()

    @asynccontextmanager
    async def fetch(
        self, url: str, have: int = 0, version: str | None = None
    ) -> AsyncIterator[tuple[Body, AsyncIterator[bytes]]]:
        """What the answer brings, and its bytes as they come; what follows on `have` bytes of a `version`, if it can.

        Raises AddressExpired, CarryOnWithout, WaitAndRepeat, and StartOver where it cannot go on from `have`.
        """
        response = await self._followed(url, range_headers(have, version))
        try:
            _raise_refusal(response, have)
            yield body_of(response.status_code, response.headers, have, version), _pieces(response)
        finally:
            await response.aclose()

    async def _followed(self, url: str, asked: Mapping[str, str]) -> httpx.Response:
        """The answer at the end of all redirects."""
        address = self._checked(url)
        for _ in range(MOST_REDIRECTS + 1):
            response = await self._ask(address, asked)
            if not response.has_redirect_location:
                return response
            await response.aclose()
            address = self._checked(response.headers["location"], address)
        raise CarryOnWithout("The file's address leads in circles.", status=response.status_code)

    async def _ask(self, address: httpx.URL, asked: Mapping[str, str]) -> httpx.Response:
        request = httpx.Request(
            "GET", address, headers={**_HEADERS, **asked}, extensions={"timeout": TIMEOUT.as_dict()}
        )
        try:
            return await self._transport(str(address)).handle_async_request(request)
        except _BROKEN as error:
            raise _broken(error) from error

    def _checked(self, url: str, base: httpx.URL | None = None) -> httpx.URL:
        try:
            address = base.join(url) if base else httpx.URL(url)
        except (httpx.InvalidURL, ValueError) as error:
            raise CarryOnWithout(f"The file's address is none: {error}.", status=0) from error
        if address.scheme not in self._schemes or not address.host:
            raise CarryOnWithout(
                f"The file's address begins with {address.scheme!r}, not with https.", status=0
            )
        return address

    def _transport(self, url: str) -> httpx.AsyncBaseTransport:
        if self._given is not None:
            return self._given
        proxy = self._proxy_for(url)
        if proxy not in self._transports:
            self._transports[proxy] = httpx.AsyncHTTPTransport(
                verify=ssl.create_default_context(),  # whom the system trusts, as `client` does
                trust_env=False,  # what it would read there may hold passwords
                proxy=proxy,
            )
        return self._transports[proxy]


def _raise_refusal(response: httpx.Response, have: int) -> None:
    status = response.status_code
    if status == 200 or (status == 206 and have):
        return
    told = f"The file's host answers {status} {response.reason_phrase}".rstrip()
    if status in (403, 410):
        raise AddressExpired(f"{told}.", status=status)
    if status == 416:
        raise StartOver(f"{told}.")
    if status in (408, 425, 429) or status >= 500 or status == 206:
        raise WaitAndRepeat(f"{told}.", retry_after_s=retry_after_s(response.headers), status=status)
    raise CarryOnWithout(f"{told}.", status=status)


async def _pieces(response: httpx.Response) -> AsyncIterator[bytes]:
    """The bytes as the host stores them, in whatever pieces they come."""
    try:
        async for piece in response.aiter_raw():
            yield piece
    except _BROKEN as error:
        raise _broken(error) from error


def _broken(error: Exception) -> WaitAndRepeat:
    return WaitAndRepeat(f"The file's host: {type(error).__name__}: {error}".rstrip(": "))

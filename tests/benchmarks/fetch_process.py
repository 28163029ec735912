"""Fetches what the mirror fetched, through the transport that it chose, and throws it away."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter

import aiohttp
import httpx
from beside import DIRECT
from httpx_aiohttp import AiohttpTransport
from spent import Spent

from asana_mirror.wire import HEADERS

IN_FLIGHT = 45


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=IN_FLIGHT, keepalive_timeout=60.0),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


async def fetch(addresses: list[str], token: str) -> Counter[int]:
    """Fetch every address, 45 at a time; returns how many answers had which status."""
    left = iter(addresses)
    statuses: Counter[int] = Counter()
    headers = {**HEADERS, "Authorization": f"Bearer {token}"}
    transport = AiohttpTransport(client=_session)
    async with httpx.AsyncClient(headers=headers, transport=transport, timeout=90) as client:

        async def worker() -> None:
            for address in left:
                statuses[(await client.get(httpx.URL(address))).status_code] += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(worker())
    return statuses


def main() -> None:
    order = json.loads(sys.argv[1])
    origin = order["base_url"].removesuffix("/api/1.0")
    with DIRECT.open(f"{origin}/-/seen", timeout=60) as answer:
        addresses = [origin + address for address in json.load(answer)["addresses"]]
    spent = Spent()
    with spent.measured():
        statuses = asyncio.run(fetch(addresses, os.environ["ASANA_ACCESS_TOKEN"]))
    sys.stdout.write(json.dumps({**spent.as_json(), "statuses": statuses}) + "\n")


if __name__ == "__main__":
    main()

"""Which transport below httpx's face: the same pages fetched by each, CPU per request as a ratio.

python tests/benchmarks/transports.py
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

import httpx
from beside import Sandbox, sandbox_beside
from httpx_aiohttp import AiohttpTransport

IN_FLIGHT = 50


async def fetch(clients: list[httpx.AsyncClient], addresses: list[str]) -> None:
    """Fetch every address, 50 at a time, spread over the clients."""
    left = iter(enumerate(addresses))

    async def worker() -> None:
        for number, address in left:
            response = await clients[number % len(clients)].get(httpx.URL(address))
            response.raise_for_status()

    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(worker())
    for client in clients:
        await client.aclose()


def pools(count: int, headers: dict[str, str]) -> list[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=IN_FLIGHT // count, keepalive_expiry=60)
    return [httpx.AsyncClient(headers=headers, limits=limits, timeout=60) for _ in range(count)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=3000)
    requests = parser.parse_args().requests
    with sandbox_beside({"tasks": 500}) as sandbox:
        compare(sandbox, requests)


def compare(sandbox: Sandbox, requests: int) -> None:
    """Fetch the same page again and again with each transport and print what it costs."""
    headers = {"Authorization": f"Bearer {sandbox.token}"}
    first = httpx.get(f"{sandbox.base_url}/workspaces", headers=headers).json()["data"][0]["gid"]
    query = "limit=100&opt_fields=name,notes,followers.name,custom_fields.display_value"
    me = httpx.get(f"{sandbox.base_url}/users/me", headers=headers).json()["data"]["gid"]
    addresses = [f"{sandbox.base_url}/tasks?assignee={me}&workspace={first}&{query}"] * requests

    async def measured(name: str) -> float:
        chosen = {
            "one pool of 50": lambda: pools(1, headers),
            "ten pools of 5": lambda: pools(10, headers),
            "aiohttp": lambda: [httpx.AsyncClient(headers=headers, transport=AiohttpTransport(), timeout=60)],
        }[name]()
        cpu = time.process_time()
        await fetch(chosen, addresses)
        return (time.process_time() - cpu) / requests * 1000

    costs = {name: asyncio.run(measured(name)) for name in ("one pool of 50", "ten pools of 5", "aiohttp")}
    for name, milliseconds in costs.items():
        ratio = costs["one pool of 50"] / milliseconds
        sys.stdout.write(f"{name:>16}  {milliseconds:6.2f} ms of CPU a request  {ratio:4.1f} × as cheap\n")


if __name__ == "__main__":
    main()

"""Listening on a port: one line with the URL when ready, a clean end on SIGINT and SIGTERM."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import uvicorn

from asana_mirror.browse.open_mirror import close, database_name, datasette_for
from asana_mirror.errors import WrongUsage


def serve(mirror: Path, *, host: str = "127.0.0.1", port: int = 8001, open_browser: bool = False) -> None:
    """Run Datasette on the mirror until SIGINT or SIGTERM, then return.

    Port 0 takes a free one. Raises WrongUsage where there is no mirror or the port is taken.
    """
    with signals_only_stop():
        asyncio.run(serve_until_stopped(mirror, host=host, port=port, open_browser=open_browser))


async def serve_until_stopped(
    mirror: Path, *, host: str = "127.0.0.1", port: int = 8001, open_browser: bool = False
) -> None:
    """The same inside a running loop, beside other tasks; cancel it or send a signal to stop it."""
    datasette = datasette_for(mirror)
    listener = listen(host, port)
    url = f"{address(host, listener)}{datasette.urls.database(database_name(mirror))}"

    def announce() -> None:
        click.echo(f"Browse {mirror} at {url} (Ctrl-C stops)")
        if open_browser:
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    config = uvicorn.Config(
        datasette.app(), log_level="warning", access_log=False, lifespan="on", timeout_graceful_shutdown=3
    )
    try:
        await AnnouncingServer(config, announce).serve(sockets=[listener])
    finally:
        listener.close()
        close(datasette)


class AnnouncingServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self.announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self.announce()


def listen(host: str, port: int) -> socket.socket:
    """Take the port before anything else, so that a taken one is told in a sentence."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=100)
    except (OSError, OverflowError) as error:
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise WrongUsage(
                f"Port {port} of {host} is taken by another program.",
                hint=f"Choose another port: asana-mirror serve --port {port + 1}",
            ) from error
        raise WrongUsage(
            f"Cannot listen on {host}, port {port}: {getattr(error, 'strerror', None) or error}.",
            hint="Name an address of this machine and a port from 1024 to 65535, for instance: "
            "asana-mirror serve --host 127.0.0.1 --port 8001",
        ) from error


def address(host: str, listener: socket.socket) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}"


@contextmanager
def signals_only_stop() -> Iterator[None]:
    """uvicorn raises the signal that stopped it once more for earlier listeners: here there are none."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)

"""Datasette on a port: one line with the URL when ready, a clean end on SIGINT and SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import uvicorn
from datasette.utils import tilde_encode  # type: ignore[import-untyped]

from asana_mirror.browse.open_mirror import close, database_name, datasette_for
from asana_mirror.operation import Asgi, Operation, with_operation
from asana_mirror.ports import AnnouncingServer, address, listen


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

    def announce() -> None:
        browse_at(mirror, address(host, listener), open_browser=open_browser)

    app = with_operation(Operation(mirror), datasette.app())
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="on", timeout_graceful_shutdown=3
    )
    try:
        await AnnouncingServer(config, announce).serve(sockets=[listener])
    finally:
        listener.close()
        close(datasette)


def browse_at(mirror: Path, root: str, *, open_browser: bool = False) -> None:
    """Say where the mirror is browsed, and open it there where that is wanted."""
    url = f"{root}/{tilde_encode(database_name(mirror))}"
    click.echo(f"Browse {mirror} at {url} (Ctrl-C stops)")
    if open_browser:
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


@contextmanager
def datasette_app(mirror: Path) -> Iterator[Asgi]:
    """Datasette on the mirror as an ASGI application, for whoever has a server of his own."""
    datasette = datasette_for(mirror)
    try:
        yield datasette.app()
    finally:
        close(datasette)


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

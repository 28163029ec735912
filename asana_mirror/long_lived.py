"""Processes that live long: a watch with its port, alone or beside Datasette, under signals.

SIGTERM and SIGINT end them in good order, SIGHUP reads the configuration again.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from urllib.parse import urlsplit

import uvicorn

from asana_mirror.ending import Stop
from asana_mirror.operation import Asgi, Operation, with_operation
from asana_mirror.ports import AnnouncingServer, address
from asana_mirror.receiver import Receiver
from asana_mirror.watch import Watch, WatchOptions
from asana_mirror.watched import signals

CLOSE_WITHIN_S = 2  # for answers under way
LOOK_EVERY_S = 0.1

Beside = Callable[[], AbstractContextManager[Asgi]]


async def watch_until_stopped(
    options: WatchOptions,
    read_again: Callable[[], WatchOptions] | None = None,
    *,
    listener: socket.socket | None = None,
    beside: Beside | None = None,
    announce: Callable[[str], None] = lambda url: None,
) -> None:
    """Watch, and answer on a port if there is one: deliveries of webhooks, health, metrics.

    `beside` makes what answers everything else, once there is a mirror. Raises what ends a watch.
    """
    stop = Stop()
    watch = Watch(options, stop, read_again=read_again)
    parts = [watch.run()]
    if listener is not None:
        parts.append(_answer(watch, options, stop, listener, beside, announce))
    with signals(stop, watch.reload):
        tasks = [asyncio.create_task(part) for part in parts]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, BaseException):
                raise ended


async def _answer(
    watch: Watch,
    options: WatchOptions,
    stop: Stop,
    listener: socket.socket,
    beside: Beside | None,
    announce: Callable[[str], None],
) -> None:
    while beside and not (watch.path.exists() and watch.path.stat().st_size):  # the first run makes it
        if stop.is_set():
            return
        await asyncio.sleep(LOOK_EVERY_S)
    with beside() if beside else nullcontext(_nothing) as app, _receiver(options, watch) as receiver:
        if receiver:
            app = _either(receiver, app) if beside else receiver
        operation = Operation(
            watch.path,
            max_age_s=lambda: watch.oldest_s,
            totals=watch.totals,
            counts=receiver.counts if receiver else None,
        )
        url = address(listener.getsockname()[0], listener)
        server = QuietServer(_config(with_operation(operation, app), beside), lambda: announce(url))
        closing = asyncio.create_task(_close(server, stop))
        try:
            await server.serve(sockets=[listener])
        finally:
            closing.cancel()


class QuietServer(AnnouncingServer):
    """A server that leaves signals to whoever runs it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _config(app: Asgi, beside: Beside | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,  # its lines go where ours go
        log_level="warning",
        access_log=False,
        lifespan="on" if beside else "off",
        timeout_graceful_shutdown=CLOSE_WITHIN_S,
    )


async def _close(server: uvicorn.Server, stop: Stop) -> None:
    await stop.wait()
    server.should_exit = True


@contextmanager
def _receiver(options: WatchOptions, watch: Watch) -> Iterator[Receiver | None]:
    if options.webhook_url is None:
        yield None
        return
    receiver = Receiver(options.sync.mirror, urlsplit(options.webhook_url).path, news=watch.tell)
    watch.file.when_replaced = receiver.close
    try:
        yield receiver
    finally:
        receiver.close()


def _either(receiver: Receiver, app: Asgi) -> Asgi:
    """What lies below the address of webhooks is the receiver's, all else is the app's."""

    async def either(scope: Any, receive: Any, send: Any) -> None:
        is_ours = scope["type"] == "http" and receiver.is_target(scope["path"])
        await (receiver if is_ours else app)(scope, receive, send)

    return either


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

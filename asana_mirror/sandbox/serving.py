"""Puts the sandbox on a port: until stopped, or for the length of a `with`."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import uvicorn

from .app import create_app
from .world import World

START_WITHIN_S = 10.0


def _config(app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        date_header=False,  # the sandbox's own clock says what time it is
        server_header=False,
        timeout_keep_alive=75,
        backlog=512,
    )


def _socket(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # named as TCP, or asyncio leaves Nagle's algorithm on and each answer takes 40 ms
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    return sock


def serve(world: World, host: str = "127.0.0.1", port: int = 0, announce: Any = None, **options: Any) -> None:
    """Serve until interrupted; `announce` is called with the base URL; options as for `create_app`."""
    sock = _socket(host, port)
    if announce is not None:
        announce(f"http://{host}:{sock.getsockname()[1]}/api/1.0")
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn has already closed in good order
        uvicorn.Server(_config(create_app(world, **options))).run(sockets=[sock])


@contextlib.contextmanager
def running(app: Any, host: str = "127.0.0.1") -> Iterator[str]:
    """The base URL of the app, served by a thread on a free port."""
    sock = _socket(host, 0)
    server = uvicorn.Server(_config(app))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_WITHIN_S
    while not server.started:
        if time.monotonic() > deadline or not thread.is_alive():
            raise RuntimeError("The sandbox did not start")
        time.sleep(0.005)
    try:
        yield f"http://{host}:{sock.getsockname()[1]}/api/1.0"
    finally:
        server.should_exit = True
        thread.join(5)
        server.force_exit = True
        thread.join(5)
        sock.close()

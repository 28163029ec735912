"""Listening on a port: taken before anything else, told when ready."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

import uvicorn

from asana_mirror.errors import WrongUsage


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
                hint=f"Choose another one: --port {port + 1}",
            ) from error
        raise WrongUsage(
            f"Cannot listen on {host}, port {port}: {getattr(error, 'strerror', None) or error}.",
            hint="Name an address of this machine and a port from 1024 to 65535, for instance: "
            "--host 127.0.0.1 --port 8001",
        ) from error


def address(host: str, listener: socket.socket) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}"

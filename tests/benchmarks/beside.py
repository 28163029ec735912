"""Everything that is measured runs in a process of its own: the sandbox, the mirror, and what it is compared with.

Scripts named `*_process.py` take one order as JSON and tell what came of it as JSON on one line.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
UNLIMITED: dict[str, Any] = {"search_per_minute": None}
NO_SEARCH: dict[str, Any] = {"premium": False}
END_WITHIN_S = 30.0
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # to this machine, past any proxy


class Broken(Exception):
    """A process failed, or took far too long: there is no figure."""


@dataclass(frozen=True)
class Sandbox:
    """A sandbox in a process of its own."""

    base_url: str
    token: str
    pages: dict[str, int]  # that exist, by listing
    projects: list[str]

    @property
    def all_pages(self) -> int:
        return sum(self.pages.values())

    def counts(self) -> dict[str, Any]:
        """What it counted: requests, refused, early, most_in_flight, routes …"""
        return self._aside("stats")

    def seen(self) -> dict[str, Any]:
        """Seconds from the first request to the last, and all addresses if it was started with `records`."""
        return self._aside("seen")

    def begin_to_count(self) -> None:
        self._aside("reset", method="POST")

    def _aside(self, name: str, method: str = "GET") -> dict[str, Any]:
        request = urllib.request.Request(f"{self.base_url.removesuffix('/api/1.0')}/-/{name}", method=method)
        with DIRECT.open(request, timeout=60) as answer:
            told: dict[str, Any] = json.load(answer)
        return told


@contextmanager
def sandbox_beside(
    world: dict[str, Any], limits: dict[str, Any] = UNLIMITED, *, records: bool = False
) -> Iterator[Sandbox]:
    """A sandbox: `world` goes to `generate`, `limits` to `Limits`. It ends when its standard input does."""
    order = {"world": world, "limits": limits, "records": records}
    with ready_beside("sandbox_process.py", order, world["tasks"]) as told:
        yield Sandbox(**told)


@contextmanager
def ready_beside(script: str, order: dict[str, Any], tasks: int) -> Iterator[dict[str, Any]]:
    """What a process with a world says when it is ready. It ends when its standard input does."""
    process = subprocess.Popen(
        [sys.executable, FOLDER / script, json.dumps(order)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    too_late = threading.Timer(patience_s(tasks), process.kill)
    too_late.start()
    try:
        line = process.stdout.readline()
        too_late.cancel()
        if not line:
            raise Broken(f"{script} did not start.")
        yield json.loads(line)
    finally:
        too_late.cancel()
        process.stdin.close()
        try:
            process.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def run_beside(
    mirror: Path, sandbox: Sandbox, *, within_s: float, full: bool = False, paced: bool = False
) -> dict[str, Any]:
    """One run: its report, and what it took. `paced`: at the pace that Asana allows, else without any."""
    order = {"mirror": str(mirror), "base_url": sandbox.base_url, "full": full, "paced": paced}
    return told_by("mirror_process.py", order, within_s=within_s, token=sandbox.token)


def told_by(script: str, order: dict[str, Any], *, within_s: float, token: str = "") -> dict[str, Any]:
    """What a script tells. Raises Broken with its last words where it fails."""
    try:
        done = subprocess.run(
            [sys.executable, FOLDER / script, json.dumps(order)],
            env={**os.environ, "ASANA_ACCESS_TOKEN": token},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within_s,
        )
    except subprocess.TimeoutExpired as late:
        raise Broken(f"{script} was not done within {within_s:.0f} s.\n{_last_words(late.stderr)}") from late
    if done.returncode:
        raise Broken(f"{script} ended with {done.returncode}.\n{_last_words(done.stderr)}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _last_words(stderr: str | bytes | None) -> str:
    text = stderr.decode("utf-8", "replace") if isinstance(stderr, bytes) else stderr or ""
    return "\n".join(text.splitlines()[-25:])


def patience_s(tasks: int) -> float:
    """Several times what a world of this size takes without limits and latency, on a slow machine."""
    return 120 + tasks * 0.03

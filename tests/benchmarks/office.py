"""An office beside: a sandbox in a process of its own in which people work, and what a long-lived process holds."""

from __future__ import annotations

import json
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beside import DIRECT, ready_beside


@dataclass(frozen=True)
class Office:
    """A sandbox that changes by itself: `do` calls a method of `office_process.Office`."""

    base_url: str
    token: str
    projects: int

    def do(self, what: str, *, within_s: float = 60.0, **more: Any) -> Any:
        request = urllib.request.Request(
            f"{self.base_url.removesuffix('/api/1.0')}/-/office", json.dumps({"do": what, **more}).encode()
        )
        with DIRECT.open(request, timeout=within_s) as answer:
            return json.load(answer)


@contextmanager
def office_beside(
    world: dict[str, Any],
    *,
    seed: int = 1,
    limits: dict[str, Any] | None = None,
    clock: dict[str, float] | None = None,
) -> Iterator[Office]:
    """An office; `clock` is what `fast_clock` takes. It ends when its standard input does."""
    order = {"world": world, "seed": seed, "limits": limits or {}, "clock": clock}
    with ready_beside("office_process.py", order, world["tasks"]) as told:
        yield Office(**told)


def end_in_good_order_when_told() -> None:
    """SIGTERM ends this process as an error does, so that whatever it began is ended as well."""

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)


def resident_mb(pid: int | str = "self") -> float:
    """The memory that a process holds now (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0


def open_files(pid: int | str = "self") -> int:
    """How many file descriptors a process has open now (Linux)."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def file_mb(file: Path) -> float:
    """The size of a file; 0 where there is none."""
    return round(file.stat().st_size / 1e6, 2) if file.exists() else 0.0

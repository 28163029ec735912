"""The file under a watch: whether it is still the same."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from asana_mirror.errors import MirrorReplaced
from asana_mirror.store.opening import wal_of


class WatchedFile:
    """A mirror, known by more than its name from the moment at which it exists."""

    def __init__(self, path: Path) -> None:
        self.when_replaced: Callable[[], None] = lambda: None  # whoever has it open lets go of it
        self._path = path
        self._identity: tuple[int, int] | None = None
        self._log_identity: tuple[int, int] | None = None

    def check(self) -> None:
        """Raises MirrorReplaced: what is written to a file without a name is lost."""
        found = identity(self._path)
        if self._identity is None:
            self._identity = found
        elif found != self._identity:
            self.when_replaced()
            raise MirrorReplaced(f"{self._path} was replaced or removed while it was watched.")
        self._log_identity = identity(wal_of(self._path)) or self._log_identity

    def take_log_away(self) -> None:
        """SQLite leaves the WAL of a file that was moved where it lies: it would be taken for that of the new one."""
        log = wal_of(self._path)
        is_ours = self._log_identity is not None and identity(log) == self._log_identity
        if is_ours and identity(self._path) != self._identity:
            with suppress(OSError):
                log.unlink()


def identity(path: Path) -> tuple[int, int] | None:
    """Which file it is, whatever its name; None where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino

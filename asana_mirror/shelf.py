"""The only module that writes into a folder of files: parts, whole files, and what a purge removes."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from asana_mirror.disk import flush_folder
from asana_mirror.errors import CannotWrite, DiskFull, MirrorBusy
from asana_mirror.files import PARTS, is_ours, part_of, place_of

_READ_AT_ONCE = 4_000_000  # bytes: how long a request to stop may have to wait
_ABANDONED_S = 30 * 86400.0  # a part to which nothing was added for so long is of no use any more
_LOCK = f"{PARTS}/.lock"


class Shelf:
    """A folder of files, each lying where its content's SHA-256 says, and below `partial/` what is not whole yet.

    Every method raises DiskFull or CannotWrite where the system refuses.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make(self) -> None:
        """Make the folder, for its owner alone."""
        with _in_our_words(self.folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.folder / PARTS).mkdir(mode=0o700, exist_ok=True)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the only one who writes here; the system lets go when the holder dies."""
        lock = FileLock(self.folder / _LOCK, mode=0o600)
        with _in_our_words(self.folder):
            os.close(os.open(self.folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o600))
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise MirrorBusy(
                    f"Another pull, or a purge, is at work in {self.folder}.",
                    hint="Wait until it has finished, or stop it.",
                ) from None
        try:
            yield
        finally:
            lock.release()

    def has(self, sha256: str, size: int) -> bool:
        """Whether a file lies at its place and is as large as it should be."""
        try:
            path = self.folder / place_of(sha256)
            return path.is_file() and path.stat().st_size == size
        except (OSError, ValueError):
            return False

    async def is_sound(self, sha256: str) -> bool:
        """Whether a file's content still has the hash under which it lies: all of it is read."""
        try:
            return await _hash_of(self.folder / place_of(sha256)) == sha256
        except (OSError, ValueError):
            return False

    async def part(self, gid: str, have: int) -> Part:
        """The part of an attachment's file that is here, of which so many bytes can be trusted."""
        part = Part(self, self.folder / part_of(gid))
        try:
            await part.go_on(have)
        except BaseException:
            part.close()
            raise
        return part

    def remove(self, places: Iterable[str]) -> int:
        """Remove files, whole or not, by their place; returns how many there were. Any other name is left alone."""
        removed = 0
        with _in_our_words(self.folder):
            for path in (self.folder / place for place in places if is_ours(place)):
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    path.unlink()
                    removed += 1
                with contextlib.suppress(OSError):  # it holds others, or is needed
                    if path.parent.name != PARTS:
                        path.parent.rmdir()
        return removed

    def clear_away(self) -> None:
        """Remove parts that nobody has gone on with for a month."""
        before = time.time() - _ABANDONED_S
        with _in_our_words(self.folder):
            for path in (self.folder / PARTS).iterdir():
                if is_ours(f"{PARTS}/{path.name}") and path.stat().st_mtime < before:
                    path.unlink(missing_ok=True)


class Part:
    """A file that is being downloaded."""

    def __init__(self, shelf: Shelf, path: Path) -> None:
        self._shelf = shelf
        self._path = path
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        with _in_our_words(shelf.folder):
            self._file = os.fdopen(os.open(path, flags, 0o600), "r+b")
        self.size = 0
        self.flushed = 0

    async def go_on(self, have: int) -> None:
        """Keep what can be trusted of it, so many bytes at most."""
        with _in_our_words(self._shelf.folder):
            have = min(have, os.fstat(self._file.fileno()).st_size)
            self._file.truncate(have)
            self._hash = await _hash_read(self._path)
            self._file.seek(have)
        self.size = self.flushed = have

    @property
    def is_open(self) -> bool:
        return not self._file.closed

    def begin_anew(self) -> None:
        """Forget what is here."""
        with _in_our_words(self._shelf.folder):
            self._file.seek(0)
            self._file.truncate()
        self._hash = hashlib.sha256()
        self.size = self.flushed = 0

    def write(self, data: bytes) -> None:
        with _in_our_words(self._shelf.folder):
            self._file.write(data)
        self._hash.update(data)
        self.size += len(data)

    def flush(self) -> None:
        """Bring what was written onto the disk, so that not even a power cut takes it."""
        with _in_our_words(self._shelf.folder):
            self._file.flush()
            os.fsync(self._file.fileno())
        self.flushed = self.size

    def finish(self) -> str:
        """It is whole: put it where it belongs, at once or not at all. Returns its SHA-256."""
        self.flush()
        sha256 = self._hash.hexdigest()
        target = self._shelf.folder / place_of(sha256)
        self.close()
        with _in_our_words(self._shelf.folder):
            target.parent.mkdir(mode=0o700, exist_ok=True)
            self._path.replace(target)
            for folder in (target.parent, self._shelf.folder):
                flush_folder(folder)
        return sha256

    def discard(self) -> None:
        """It is of no use."""
        self.close()
        with _in_our_words(self._shelf.folder):
            self._path.unlink(missing_ok=True)

    def close(self) -> None:
        with contextlib.suppress(OSError):  # what could not be written was said when it was written
            self._file.close()


async def _hash_of(path: Path) -> str:
    return (await _hash_read(path)).hexdigest()


async def _hash_read(path: Path) -> hashlib._Hash:
    """The hash of all that is in a file; others get their turn meanwhile."""
    read = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while data := file.read(_READ_AT_ONCE):
            read.update(data)
            await asyncio.sleep(0)
    return read


@contextmanager
def _in_our_words(folder: Path) -> Iterator[None]:
    """Say the system's complaints about the folder in this program's words."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(
                f"The disk is full: {folder} can take no more files.",
                hint="Free some space, or leave large files out with --max-size, and run the same command again.",
            ) from error
        if error.errno == errno.EFBIG:
            raise DiskFull(
                f"{folder} cannot take files as large as this one.",
                hint="Leave such files out with --max-size, or name a folder on another disk with --dir.",
            ) from error
        raise CannotWrite(
            f"{folder} cannot be written: {error.strerror or error}.",
            hint="Name a folder that you may write to with --dir.",
        ) from error

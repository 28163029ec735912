"""Copies a mirror into another file while it is being written: the state of one moment, whole or not at all.

Not by VACUUM INTO: the full-text indexes rest on rowids, which it may number anew.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from asana_mirror.disk import flush_folder
from asana_mirror.errors import CannotWrite, DiskFull, Interrupted, MirrorBusy, NotAMirror, WrongUsage
from asana_mirror.store import check_mirror
from asana_mirror.store.opening import BUSY_TIMEOUT_S, in_our_words, translated
from asana_mirror.times import now

STEP_PAGES = 4096  # 16 MB: how long a request to stop may have to wait
BESIDE = ("-wal", "-shm", "-journal", ".lock")  # what SQLite and a run keep beside a mirror
_UNFINISHED = ".asana-mirror-backup-"
_ABANDONED_S = 6 * 3600.0  # what was not written to for so long is left from a backup that was killed


@dataclass(frozen=True)
class BackupReport:
    """What a backup did; `backup --json` prints it."""

    mirror: str
    file: str
    bytes: int
    seconds: float
    replaced: bool  # whether it took the place of an earlier mirror


def backup(mirror: Path, file: Path) -> BackupReport:
    """Copy a mirror into a file that needs nothing beside it, mode 0600. A sync may write the mirror meanwhile.

    The file stays as it was until the copy is whole, checked and on the disk. Raises WrongUsage where it is something
    else than a mirror, MirrorBusy where it is one that is open, NotAMirror where the copy proves to be damaged.
    """
    began = time.monotonic()
    check_mirror(mirror, must_exist=True)
    target = file.resolve()
    with _in_words_of_a_backup(file), _terminated_in_order():
        replaces = _check_target(target, mirror.resolve(), file)
        with translated(target), _unfinished(target.parent) as (copy, descriptor):
            _copy(mirror, copy)
            _check_copy(copy, mirror)
            os.fsync(descriptor)
            size = os.fstat(descriptor).st_size
            if target.exists():
                _set_aside(target, file)
            copy.replace(target)
            flush_folder(target.parent)
    return BackupReport(str(mirror), str(file), size, round(time.monotonic() - began, 3), replaces)


def _check_target(target: Path, mirror: Path, file: Path) -> bool:
    """Whether the copy takes the place of an earlier mirror; of anything else it does not."""
    if target == mirror or (target.exists() and target.samefile(mirror)):
        raise WrongUsage(
            f"{file} is the mirror itself.",
            hint=f"Name another file: asana-mirror backup {file}.backup {file}",
        )
    if target in {Path(f"{mirror}{ending}") for ending in BESIDE}:
        raise WrongUsage(f"{file} belongs to the mirror.", hint="Name another file.")
    if not target.exists():
        check_mirror(target)
        _check_beside(target)
        return False
    try:
        check_mirror(target, must_exist=True)
    except NotAMirror as error:
        raise WrongUsage(
            f"{file} exists and is no mirror, so it is not replaced.",
            hint="Name another file, or move it away.",
        ) from error
    check_mirror(target)
    return True


def _check_beside(target: Path) -> None:
    """What is left of a file that was removed would be taken for a part of the new one."""
    for ending in ("-wal", "-journal"):
        left = Path(f"{target}{ending}")
        if left.exists():
            raise WrongUsage(
                f"{left} was left behind when {target.name} was removed.",
                hint=f"Remove it as well: rm {left}",
            )


@contextmanager
def _unfinished(folder: Path) -> Iterator[tuple[Path, int]]:
    """A file for the copy, readable by its owner only; gone afterwards, unless it was renamed."""
    _clear_away(folder)
    descriptor, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=folder)
    try:
        yield Path(name), descriptor
    finally:
        os.close(descriptor)
        Path(name).unlink(missing_ok=True)


def _clear_away(folder: Path) -> None:
    """Nobody else removes what a killed backup left."""
    for left in folder.glob(f"{_UNFINISHED}*"):
        with contextlib.suppress(OSError):
            if now().timestamp() - left.stat().st_mtime > _ABANDONED_S:
                left.unlink()


def _copy(mirror: Path, copy: Path) -> None:
    """All pages as they are at one moment.

    The open transaction holds that moment: no writer waits for it, and none makes the copying start again.
    """
    with translated(mirror):
        source = _read_only(mirror)
    with closing(source), closing(sqlite3.connect(copy, isolation_level=None)) as into:
        with translated(mirror):
            source.execute("BEGIN")
            source.execute("SELECT 1 FROM sqlite_master").fetchone()
        into.execute("PRAGMA journal_mode = OFF")  # what fails is thrown away
        into.execute("PRAGMA synchronous = OFF")  # once at the end is enough
        source.backup(into, pages=STEP_PAGES, progress=lambda *_: None)  # between steps signals are heard


def _read_only(path: Path, more: str = "") -> sqlite3.Connection:
    address = f"{path.resolve().as_uri()}?mode=ro{more}"
    return sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)


def _check_copy(copy: Path, mirror: Path) -> None:
    with closing(_read_only(copy, "&immutable=1")) as connection:
        try:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.DatabaseError as error:
            found = str(error)
    if found != "ok":
        raise NotAMirror(
            f"The copy of {mirror} is damaged: {' '.join(found.split())}.",
            hint=f"Look at the mirror itself with: sqlite3 {mirror} 'PRAGMA quick_check'",
        )


def _set_aside(target: Path, file: Path) -> None:
    """Fold what lies beside an earlier mirror into it: left there, it would be taken for a part of the new one."""
    with closing(sqlite3.connect(target, timeout=0, isolation_level=None)) as earlier:
        try:
            (mode,) = earlier.execute("PRAGMA journal_mode = DELETE").fetchone()
        except sqlite3.OperationalError as error:
            if not isinstance(in_our_words(file, error), MirrorBusy):
                raise
            mode = "wal"
    if mode == "wal":
        raise MirrorBusy(
            f"Another program has {file} open, so it is not replaced.",
            hint="Close that program (asana-mirror serve?), or name another file.",
        )


@contextmanager
def _in_words_of_a_backup(file: Path) -> Iterator[None]:
    """The same errors as elsewhere, with hints that fit."""
    try:
        yield
    except DiskFull as error:
        error.hint = f"Free some space, or name a file on another disk; nothing was changed in {file}."
        raise
    except CannotWrite as error:
        if error.hint == CannotWrite.hint:
            error.hint = (
                "Name a file in a folder you may write to, as in: asana-mirror backup ~/asana-backup.db"
            )
        raise


@contextmanager
def _terminated_in_order() -> Iterator[None]:
    """SIGTERM ends the backup like Ctrl-C does: with nothing left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _: object) -> None:
        stopped = Interrupted(number)
        stopped.hint = "Nothing was changed. Run the same command again whenever you like."
        raise stopped

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

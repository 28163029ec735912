"""What a mirror file is: how it is made, recognised, upgraded and held by one run at a time."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from sqlite_utils import Database

from asana_mirror.errors import (
    CannotWrite,
    DiskFull,
    MirrorBusy,
    MirrorError,
    MirrorTooNew,
    NotAMirror,
    WrongUsage,
)
from asana_mirror.schema_files import schema_folder, view_files

APPLICATION_ID = 0x4153414D  # "ASAM", so that a mirror is told from any other SQLite file
BUSY_TIMEOUT_S = 30.0
_STATEMENTS_KEPT = 512  # compiled: more than a run has


def check_mirror(path: Path, *, must_exist: bool = False) -> None:
    """Look without touching: raises NotAMirror, MirrorTooNew or CannotWrite."""
    if not path.exists():
        if must_exist:
            raise NotAMirror(
                f"There is no mirror at {path}.", hint=f"Make one with: asana-mirror sync {path}"
            )
        _check_folder(path)
        return
    if not path.is_file():
        raise NotAMirror(f"{path} is not a file.")
    if not os.access(path, os.R_OK):
        raise CannotWrite(f"{path} may not be read by this user.")
    if path.stat().st_size:
        _check_content(path)
    elif must_exist:
        raise NotAMirror(f"{path} is empty.", hint=f"Fill it with: asana-mirror sync {path}")
    if not must_exist:
        _check_folder(path)
        if not os.access(path, os.W_OK):
            raise CannotWrite(f"{path} may not be written by this user.")


def _check_folder(path: Path) -> None:
    folder = path.parent
    if not folder.is_dir():
        raise CannotWrite(f"The folder {folder} does not exist.", hint=f"Make it with: mkdir -p {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CannotWrite(f"The folder {folder} may not be written by this user.")


def _check_content(path: Path) -> None:
    """Only by SQLite's own means: whoever closes a file otherwise lets go of all locks this process has on it.

    https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_
    """
    try:
        connection = sqlite3.connect(_only_to_read(path), uri=True)
        try:
            (application_id,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_NOTADB:
            raise NotAMirror(f"{path} is not a SQLite file.") from error
        raise NotAMirror(f"{path} cannot be read as a SQLite file: {error}.") from error
    if application_id != APPLICATION_ID and (tables or version):
        raise NotAMirror(f"{path} is a SQLite file of something else, not a mirror of Asana.")
    if version > len(steps()):
        raise MirrorTooNew(
            f"{path} was made by a newer asana-mirror (its schema is step {version}, "
            f"this program knows {len(steps())})."
        )


def steps() -> list[Path]:
    """The numbered SQL steps, first to last; step n brings a mirror from user_version n - 1 to n."""
    return sorted(schema_folder().glob("[0-9][0-9][0-9][0-9]_*.sql"))


def open_mirror(path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S, upgrades: bool = True) -> Database:
    """Open for writing; make the file (mode 0600) or upgrade it where needed, if this `upgrades` at all.

    What another connection keeps locked is waited for so many seconds, at each statement.
    """
    with translated(path):
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        connection = sqlite3.connect(path, timeout=busy_timeout_s, cached_statements=_STATEMENTS_KEPT)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -32000")
        # What is written again and again is moved to the file once in 32 MB, not once in 4 MB.
        connection.execute("PRAGMA wal_autocheckpoint = 8000")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        db = Database(connection)
        if upgrades:
            migrate(db)
        elif version_of(db) < len(steps()):
            connection.close()
            raise _too_old(path)
        return db


def wal_of(path: Path) -> Path:
    """The file beside a mirror that is there as long as somebody has it open, or was killed meanwhile."""
    return Path(f"{path}-wal")


def _only_to_read(path: Path, *, without_trace: bool = True) -> str:
    """The address for SQLite. Even who only reads leaves files beside, unless nobody else has the mirror open."""
    immutable = "&immutable=1" if without_trace and not wal_of(path).exists() else ""
    return f"{path.resolve().as_uri()}?mode=ro{immutable}"


@contextmanager
def looked_into(path: Path, *, without_trace: bool = False) -> Iterator[sqlite3.Connection]:
    """Open for reading only. Raises NotAMirror, or WrongUsage for a mirror that must be upgraded first.

    `without_trace`: for a short look. Should somebody begin to write meanwhile (`wal_of`), what was seen is void.
    """
    check_mirror(path, must_exist=True)
    with translated(path):
        address = _only_to_read(path, without_trace=without_trace)
        connection = sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_S)
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version < len(steps()):
                raise _too_old(path)
            yield connection
        finally:
            connection.close()


def migrate(db: Database) -> None:
    """Take the steps that the mirror lacks, each with its record in one transaction.

    Views and triggers hold no data: the first step drops them, the last one makes them anew.
    """
    done = version_of(db)
    missing = steps()[done:]
    for number, step in enumerate(missing, start=done + 1):
        script = [drop_views_sql(db), drop_triggers_sql(db), step.read_text(encoding="utf-8")]
        if step is missing[-1]:
            script += [_read_schema(file.name) for file in view_files()] + [_read_schema("search.sql")]
        script.append(f"PRAGMA application_id = {APPLICATION_ID};\nPRAGMA user_version = {number};")
        try:
            _run_script(db, "\n".join(script))
        except sqlite3.OperationalError:
            if version_of(db) < number:  # else somebody else has taken this step meanwhile
                raise


def _too_old(path: Path) -> WrongUsage:
    return WrongUsage(
        f"{path} was made by an older asana-mirror.", hint=f"Run asana-mirror sync {path} first."
    )


def version_of(db: Database) -> int:
    """The number of steps that a mirror has taken."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _read_schema(name: str) -> str:
    return (schema_folder() / name).read_text(encoding="utf-8")


def drop_views_sql(db: Database) -> str:
    return "".join(f'DROP VIEW "{name}";\n' for name in db.view_names())


def remake_triggers(db: Database) -> None:
    """Keep the full-text indexes from now on."""
    _run_script(db, drop_triggers_sql(db) + _read_schema("search.sql"))


def drop_triggers_sql(db: Database) -> str:
    names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
    return "".join(f'DROP TRIGGER "{name}";\n' for name in names)


def _run_script(db: Database, script: str) -> None:
    try:
        db.conn.executescript(f"BEGIN IMMEDIATE;\n{script}\nCOMMIT;")
    except BaseException:
        db.conn.rollback()
        raise


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the mirror for one run."""
    with _locked(path, f"{path}.lock", lambda: f"Another run holds {path}: {_holder(path)}."):
        yield


@contextmanager
def hold_to_watch(path: Path) -> Iterator[None]:
    """Be the only watch over the mirror. Other runs may come between those of a watch."""
    with _locked(path, f"{path}.watch.lock", lambda: f"Another watch keeps {path} in sync."):
        yield


@contextmanager
def _locked(path: Path, file: str, held: Callable[[], str]) -> Iterator[None]:
    """The operating system lets go when the holder dies, however it dies."""
    lock = FileLock(file, mode=0o600)
    with translated(path):
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))  # FileLock takes any failure for a holder
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise MirrorBusy(held()) from None
    try:
        yield
    finally:
        lock.release()


def _holder(path: Path) -> str:
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            row = connection.execute(
                "SELECT holder, started_at FROM sync_runs WHERE ended_at IS NULL ORDER BY id DESC LIMIT 1"
            ).fetchone()
        finally:
            connection.close()
    except sqlite3.Error:
        row = None
    return f"{row[0]}, since {row[1]}" if row else "it has just begun"


@contextmanager
def sqlite_translated(path: Path) -> Iterator[None]:
    """Say SQLite's complaints about the file in this program's words."""
    try:
        yield
    except sqlite3.Error as error:
        raise in_our_words(path, error) from error


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Say SQLite's and the system's complaints about the file in this program's words."""
    try:
        with sqlite_translated(path):
            yield
    except OSError as error:
        if error.errno in (28, 122):  # ENOSPC, EDQUOT
            raise DiskFull(f"The disk is full: {path} cannot grow.") from error
        raise CannotWrite(f"{path} cannot be written: {error.strerror or error}.") from error


def in_our_words(path: Path, error: sqlite3.Error) -> MirrorError | sqlite3.Error:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return DiskFull(f"The disk is full: {path} cannot grow.")
    if code == sqlite3.SQLITE_IOERR:
        return DiskFull(f"{path} could not be written or read: {error}.")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return CannotWrite(f"{path} cannot be written: {error}.")
    if code == sqlite3.SQLITE_BUSY:
        return MirrorBusy(f"Another program keeps {path} locked.", hint="Close it and run again.")
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return NotAMirror(
            f"{path} is damaged: {error}.", hint="Restore a backup, or move it away and sync again."
        )
    return error

"""Brings the files of attachments into a folder: a few at a time, each whole and checked or not at all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from asana_mirror.client import Asana
from asana_mirror.contact import first_contact
from asana_mirror.download import Downloads
from asana_mirror.ending import Stop, cancelled_after_grace, what_ended_it
from asana_mirror.errors import (
    AsanaUnreachable,
    CarryOnWithout,
    Interrupted,
    StartOver,
    WaitAndRepeat,
    WrongUsage,
)
from asana_mirror.fetching import Brought, Fetching, TooLarge
from asana_mirror.purge import sweep_up
from asana_mirror.run import SyncOptions, asana_for
from asana_mirror.shelf import Shelf
from asana_mirror.store import Mirror, check_mirror
from asana_mirror.store.allowances import hash_of
from asana_mirror.store.files import Wanted
from asana_mirror.store.opening import sqlite_translated
from asana_mirror.times import utc_now
from asana_mirror.words import Scope

AT_ONCE = 4
GIVEN_UP_IN_A_ROW = 8  # files; then it is the host
TRY_AGAIN = "What is here is kept. Run the same command again later to go on."


@dataclass(frozen=True)
class PullOptions:
    """What is wanted and where to. Without a folder: where files were put before, else beside the mirror."""

    sync: SyncOptions
    folder: Path | None = None
    max_bytes: int | None = None
    projects: tuple[str, ...] = ()
    verify: bool = False
    proxy_for: Callable[[str], str | None] = lambda url: None


@dataclass(frozen=True)
class NotHad:
    """A file that is not here, and why."""

    attachment_gid: str
    status: int | None
    message: str


@dataclass
class PullReport:
    """What a pull did; `attachments pull --json` prints it. Numbers of files, but for `bytes`."""

    mirror: str
    folder: str
    wanted: int = 0
    here: int = 0  # whole, from earlier pulls
    downloaded: int = 0
    resumed: int = 0  # of these: where a part was here
    bytes: int = 0  # that came over the network
    damaged: int = 0  # found by verifying, or missing
    too_large: int = 0
    refused: int = 0  # cannot be had, now or later
    unreachable: int = 0  # may be had by another pull
    requests: int = 0
    seconds: float = 0.0
    not_had: list[NotHad] = field(default_factory=list)


@dataclass
class Pulled:
    """How far a pull is, for those who watch."""

    files: int = 0  # looked at
    of_files: int = 0
    of_bytes: int = 0
    bytes_here: int = 0
    brought: Brought = field(default_factory=Brought)

    @property
    def bytes(self) -> int:
        return self.bytes_here + self.brought.bytes


async def pull(
    options: PullOptions,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    stop: Stop | None = None,
    progress: Pulled | None = None,
) -> PullReport:
    """Download what is wanted and not here. Raises a MirrorError for whatever keeps it from its end."""
    began, path, stop = time.monotonic(), options.sync.mirror, stop or Stop()
    check_mirror(path, must_exist=True)
    check_mirror(path)
    with sqlite_translated(path):
        mirror = Mirror(path, upgrades=False)
        try:
            _check_projects(mirror, options)
            shelf = Shelf(options.folder or _folder_of(mirror))
            shelf.make()
            with shelf.held():
                async with (
                    _doors(options, transport, mirror) as (asana, downloads),
                    _interruptible(path, stop, asana),
                ):
                    shown = progress or Pulled()
                    fetching = Fetching(asana, downloads, mirror, shelf, shown.brought, options.max_bytes)
                    report = await Pulling(asana, fetching, mirror, shelf, options, shown).all(stop)
        finally:
            mirror.close()
    report.seconds = round(time.monotonic() - began, 3)
    return report


def folder_beside(mirror: Path) -> Path:
    """Where files go unless somebody says otherwise."""
    return mirror.with_name(f"{mirror.stem}-files")


def _folder_of(mirror: Mirror) -> Path:
    return next(iter(mirror.files.folders()), folder_beside(mirror.path))


def _check_projects(mirror: Mirror, options: PullOptions) -> None:
    for gid in mirror.files.unknown(options.projects):
        raise WrongUsage(
            f"There is no project {gid} in {mirror.path}.",
            hint=f'Find the gid with: sqlite3 {mirror.path} "SELECT gid, name FROM projects"',
        )


@asynccontextmanager
async def _doors(
    options: PullOptions, transport: httpx.AsyncBaseTransport | None, mirror: Mirror
) -> AsyncIterator[tuple[Asana, Downloads]]:
    """To Asana's API, with the token; to wherever files lie, without."""
    plainly = options.sync.base_url.startswith("http:")
    downloads = Downloads(plainly=plainly, proxy_for=options.proxy_for, transport=transport)
    token_hash = hash_of(options.sync.token)
    async with asana_for(options.sync, transport) as asana, downloads:

        def remember() -> None:
            with mirror.atomic():
                mirror.allowances.keep(token_hash, asana.governor, now_s=time.monotonic())

        asana.remember = remember
        yield asana, downloads


@asynccontextmanager
async def _interruptible(path: Path, stop: Stop, asana: Asana) -> AsyncIterator[None]:
    try:
        async with cancelled_after_grace(stop, asana):
            yield
    except BaseException as error:
        ended = what_ended_it(error, path, stop)
        if isinstance(ended, Interrupted):
            ended.args = ("Stopped on request.",)
            ended.hint = "Files and parts that are here are kept. Run the same command again to go on."
        raise ended from error


class Pulling:
    """One pull: goes through what is wanted, `AT_ONCE` files at a time."""

    def __init__(
        self,
        asana: Asana,
        fetching: Fetching,
        mirror: Mirror,
        shelf: Shelf,
        options: PullOptions,
        progress: Pulled,
    ) -> None:
        self._asana = asana
        self._fetching = fetching
        self._mirror = mirror
        self._shelf = shelf
        self._options = options
        self._report = PullReport(str(mirror.path), str(shelf.folder))
        self._progress = progress
        self._sound: set[str] = set()  # read or written by this pull
        self._in_a_row = 0  # files of which nothing came
        self._introducing = asyncio.Lock()
        self._is_introduced = False

    async def all(self, stop: Stop) -> PullReport:
        """Go through all that is wanted."""
        files, narrowed, kept_too = self._mirror.files, bool(self._options.projects), self._options.verify
        with self._mirror.atomic():
            files.use(self._shelf.folder, now=utc_now())
        sweep_up(self._mirror)
        self._shelf.clear_away()
        if narrowed:
            files.narrow(self._options.projects)
        self._progress.of_files, self._progress.of_bytes = files.count(narrowed=narrowed, kept_too=kept_too)
        waiting = files.wanted(narrowed=narrowed, kept_too=kept_too)
        async with asyncio.TaskGroup() as workers:
            for _ in range(AT_ONCE):
                workers.create_task(self._work(waiting, stop))
        if stop.is_set():
            raise stop.reason()
        sweep_up(self._mirror)
        return self._filled_in()

    async def _work(self, waiting: Iterator[Wanted], stop: Stop) -> None:
        for wanted in waiting:
            if stop.is_set():
                return
            await asyncio.sleep(0)  # so that a long row of files that are here keeps nobody waiting
            await self._one(wanted)
            self._progress.files += 1

    async def _one(self, wanted: Wanted) -> None:
        report = self._report
        report.wanted += wanted.living
        if await self._is_here(wanted):
            report.here += 1
            self._progress.bytes_here += wanted.size or 0
            return
        report.damaged += wanted.sha256 is not None
        if not wanted.living:
            self._note(wanted, None, "The file is damaged or missing, and its attachment has left Asana.")
        elif self._fetching.is_too_large(wanted.told_size):
            report.too_large += 1
        else:
            await self._bring(wanted)

    async def _is_here(self, wanted: Wanted) -> bool:
        """Looked at only, unless all files are to be verified, or something was wrong with this one."""
        if wanted.sha256 is None or not self._shelf.has(wanted.sha256, wanted.size or 0):
            return False
        verify, sha256 = self._options.verify, wanted.sha256
        if (verify or wanted.failed) and sha256 not in self._sound:
            if not await self._shelf.is_sound(sha256):
                return False
            self._sound.add(sha256)
        if verify or wanted.failed:
            with self._mirror.atomic():
                self._mirror.files.verify(wanted.gid, now=utc_now())
        return True

    async def _bring(self, wanted: Wanted) -> None:
        """Download it, or note why not."""
        report = self._report
        try:
            await self._introduce()
            self._sound.add(await self._fetching.bring(wanted))
            self._in_a_row = 0
        except TooLarge as refusal:
            report.too_large += 1
            self._note(wanted, None, str(refusal))
        except CarryOnWithout as refusal:
            report.refused += 1
            self._note(wanted, refusal.status or None, str(refusal))
        except (WaitAndRepeat, StartOver) as trouble:
            report.unreachable += 1
            self._note(wanted, getattr(trouble, "status", None), str(trouble))
            self._in_a_row += 1
            if self._in_a_row >= GIVEN_UP_IN_A_ROW:
                raise AsanaUnreachable(f"No file comes any more: {trouble}", hint=TRY_AGAIN) from trouble

    async def _introduce(self) -> None:
        """A wrong token or address of the API must not look like so many missing files."""
        async with self._introducing:
            if not self._is_introduced:
                await first_contact(self._asana, Scope())
                self._is_introduced = True

    def _note(self, wanted: Wanted, status: int | None, message: str) -> None:
        self._report.not_had.append(NotHad(wanted.gid, status, message))
        with self._mirror.atomic():
            self._mirror.files.fail(wanted.gid, status, message, now=utc_now())

    def _filled_in(self) -> PullReport:
        report, brought = self._report, self._progress.brought
        report.downloaded, report.resumed, report.bytes = brought.files, brought.resumed, brought.bytes
        report.requests = self._asana.requests
        return report

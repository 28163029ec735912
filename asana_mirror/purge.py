"""Erasing a person, a project or old tombstones for good: first said, then asked, then done, all or nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from asana_mirror.errors import MirrorBusy, MirrorError, WrongUsage
from asana_mirror.shelf import Shelf
from asana_mirror.store import Erased, Mirror, check_mirror, hold
from asana_mirror.store.opening import in_our_words, sqlite_translated
from asana_mirror.times import utc_now

Gids = Sequence[str]  # the gid as it was given, or all the numbers of an address: one of them is meant


@dataclass(frozen=True)
class PurgeOptions:
    """What is to go. Times as Asana writes them."""

    mirror: Path
    people: tuple[Gids, ...] = ()
    projects: tuple[Gids, ...] = ()
    tombstones_before: str | None = None


@dataclass
class PurgeReport:
    """What a purge does, in rows per table; `purge --json` prints it. It names no one."""

    mirror: str
    people: list[str] = field(default_factory=list)
    projects: list[str] = field(default_factory=list)
    tombstones_before: str | None = None
    deleted: Mapping[str, int] = field(default_factory=dict)
    emptied: Mapping[str, int] = field(default_factory=dict)  # still referred to: kept as nameless stubs
    rewritten: Mapping[str, int] = field(default_factory=dict)  # kept without the person's name or words
    files_removed: int = 0  # of attachments, and parts of some
    bytes_before: int = 0
    bytes_after: int = 0


def purge(options: PurgeOptions, *, agreed: Callable[[PurgeReport], None]) -> PurgeReport:
    """Erase for good. `agreed` is told what would go and raises where that is not wanted.

    Raises WrongUsage for a gid that the mirror does not know, MirrorBusy where a run holds it: nothing is changed.
    """
    path = options.mirror
    if options == PurgeOptions(path):
        raise WrongUsage(
            "Nothing is named that should be purged.",
            hint="Name it with --person, --project or --tombstones-older-than.",
        )
    check_mirror(path, must_exist=True)
    check_mirror(path)
    with hold(path), sqlite_translated(path):
        mirror = Mirror(path)
        try:
            with ExitStack() as folders:
                # All in one transaction, open while the user thinks: what was said is what is done.
                with mirror.atomic():
                    _hold_folders(mirror, folders)
                    report = _erase(mirror, options)
                    agreed(report)
                report.files_removed = sweep_up(mirror)
            _compact(mirror, path)
        finally:
            mirror.close()
    report.bytes_after = path.stat().st_size
    return report


def _hold_folders(mirror: Mirror, held: ExitStack) -> None:
    """So that no pull brings a file while its attachment is purged. A folder that is not there holds nothing."""
    for folder in mirror.files.folders():
        if folder.is_dir():
            shelf = Shelf(folder)
            shelf.make()
            held.enter_context(shelf.held())


def sweep_up(mirror: Mirror) -> int:
    """Remove the files whose rows were purged, also where an earlier purge did not come to that; returns how many."""
    with mirror.atomic():
        places = mirror.files.leftovers()
    removed = 0
    if places:
        removed = sum(Shelf(folder).remove(places) for folder in mirror.files.folders() if folder.is_dir())
        with mirror.atomic():
            mirror.files.forget_leftovers()
    return removed


def _erase(mirror: Mirror, options: PurgeOptions) -> PurgeReport:
    purging, path = mirror.purging, options.mirror
    report = PurgeReport(
        str(path), tombstones_before=options.tombstones_before, bytes_before=path.stat().st_size
    )
    for gids in options.people:
        gid = purging.known("actors", gids) or purging.known("sync_purged", gids)
        report.people.append(_found(gid, gids, "person", path))
    for gids in options.projects:
        report.projects.append(_found(purging.known("projects", gids), gids, "project", path))
    purging.begin()
    if options.tombstones_before:
        purging.tombstones(options.tombstones_before)
    purging.projects(report.projects)
    for gid in report.people:
        purging.person(gid, now=utc_now())
    report.deleted, report.emptied, report.rewritten = _counts(purging.erase())
    return report


def _found(gid: str | None, given: Gids, kind: str, path: Path) -> str:
    if gid is None:
        table = {"person": "actors", "project": "projects"}[kind]
        raise WrongUsage(
            f"There is no {kind} {' or '.join(given)} in {path}.",
            hint=f'Find the gid with: sqlite3 {path} "SELECT gid, name FROM {table}"',
        )
    return gid


def _counts(erased: Erased) -> list[dict[str, int]]:
    return [{table: n for table, n in counts.items() if n} for counts in vars(erased).values()]


def _compact(mirror: Mirror, path: Path) -> None:
    """The rows are gone by now, and overwritten; what is left to do is only said where it cannot be done."""
    try:
        alone = mirror.purging.compact()
    except sqlite3.Error as error:
        told = in_our_words(path, error)
        if isinstance(told, MirrorError):
            told.hint = (
                f"The rows are erased all the same. To rebuild the search, run: asana-mirror sync {path}"
            )
        raise told from error
    if not alone:
        raise MirrorBusy(
            f"It is erased, but another program reads {path}, which keeps old pages on the disk.",
            hint=f"Close that program (asana-mirror serve?) and run: asana-mirror sync {path}",
        )

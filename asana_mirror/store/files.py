"""What became of the files of attachments, and in which folders they lie."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from asana_mirror.errors import WrongUsage
from asana_mirror.files import part_of, place_of
from asana_mirror.store.pages import gids_json
from asana_mirror.store.standing import ALIVE

_AT_ONCE = 1000  # rows looked at between two reads: no reading stays open while others write
_NOTHING_FAILED: dict[str, Any] = {"status": None, "message": None, "failed_at": None, "failures": 0}
_LIVING = f"(host = 'asana' AND {ALIVE})"


@dataclass(frozen=True)
class Wanted:
    """An attachment that Asana hosts, and what is here of its file."""

    gid: str
    living: bool
    told_size: int | None  # by Asana
    sha256: str | None
    size: int | None
    failed: bool  # last time


class Files:
    """Reads and writes `attachment_files` and its folders; the caller holds the transaction."""

    def __init__(self, db: Database, mirror: Path) -> None:
        self._db = db
        self._mirror = mirror

    # -- folders --------------------------------------------------------------------------------------

    def folders(self) -> list[Path]:
        """Wherever files were put, the folder last used first."""
        found = self._db.execute("SELECT folder FROM attachment_folders ORDER BY used_at DESC, folder")
        return [self._home / row[0] for row in found]

    def use(self, folder: Path, *, now: str) -> None:
        """Files are put there from now on."""
        place = folder.resolve()
        shown = str(place.relative_to(self._home) if place.is_relative_to(self._home) else place)
        try:
            shown.encode()
        except UnicodeEncodeError as error:
            raise WrongUsage(
                f"The name of the folder {folder!r} is no text.", hint="Name another one."
            ) from error
        self._db.execute(
            "INSERT INTO attachment_folders (folder, used_at) VALUES (?, ?) "
            "ON CONFLICT (folder) DO UPDATE SET used_at = excluded.used_at",
            [shown, now],
        )

    @property
    def _home(self) -> Path:
        return self._mirror.resolve().parent

    # -- what is wanted -------------------------------------------------------------------------------

    def narrow(self, projects: Sequence[str]) -> None:
        """From now on only attachments of these projects, their briefs, their tasks and the subtasks of those."""
        self._db.execute("CREATE TEMP TABLE wanted_parents (gid TEXT PRIMARY KEY) WITHOUT ROWID")
        self._db.execute(
            "WITH RECURSIVE inside (gid) AS ("
            "SELECT task_gid FROM task_projects WHERE project_gid IN (SELECT value FROM json_each(?1)) "
            "UNION SELECT tasks.gid FROM tasks JOIN inside ON tasks.parent_gid = inside.gid) "
            "INSERT INTO wanted_parents SELECT gid FROM inside UNION SELECT value FROM json_each(?1) "
            "UNION SELECT gid FROM project_briefs WHERE project_gid IN (SELECT value FROM json_each(?1)) "
            "UNION SELECT project_brief_gid FROM projects WHERE project_brief_gid IS NOT NULL "
            "AND gid IN (SELECT value FROM json_each(?1))",
            [gids_json(projects)],
        )

    def unknown(self, projects: Iterable[str]) -> list[str]:
        """Which of these the mirror has no row of."""
        return [
            gid
            for gid in projects
            if self._db.execute("SELECT 1 FROM projects WHERE gid = ?", [gid]).fetchone() is None
        ]

    def count(self, *, narrowed: bool, kept_too: bool) -> tuple[int, int]:
        """How many there are of `wanted`, and their bytes."""
        sql = f"SELECT count(*), total(coalesce(f.size, a.size)) {_from(narrowed, kept_too)}"
        number, size = self._db.execute(sql, [""]).fetchone()
        return number, int(size)

    def wanted(self, *, narrowed: bool, kept_too: bool) -> Iterator[Wanted]:
        """Attachments that Asana hosts; with `kept_too` also those that left Asana and whose file is here."""
        last = ""
        sql = (
            f"SELECT a.gid, {_LIVING}, a.size, f.sha256, f.size, f.message NOTNULL "
            f"{_from(narrowed, kept_too)} ORDER BY a.gid LIMIT {_AT_ONCE}"
        )
        while found := self._db.execute(sql, [last]).fetchall():
            for gid, living, told_size, sha256, size, failed in found:
                yield Wanted(gid, bool(living), told_size, sha256, size, bool(failed))
            last = found[-1][0]

    # -- what becomes of them -------------------------------------------------------------------------

    def part(self, gid: str) -> tuple[str | None, int]:
        """Of which version a part is here, and how many bytes of it."""
        row = self._db.execute(
            "SELECT validator, part_bytes FROM attachment_files WHERE attachment_gid = ?", [gid]
        ).fetchone()
        return (row[0], row[1] or 0) if row and row[0] else (None, 0)

    def begin(self, gid: str, validator: str | None) -> None:
        """It is downloaded from its first byte on; no `validator`, no going on later."""
        self._write(gid, validator=validator, part_bytes=0)

    def note_part(self, gid: str, part_bytes: int) -> None:
        """So much of it is safely on the disk."""
        self._write(gid, part_bytes=part_bytes)

    def keep(self, gid: str, sha256: str, size: int, *, now: str) -> None:
        """It is here."""
        self._write(
            gid,
            **dict.fromkeys(("verified_at", "validator", "part_bytes")),
            **_NOTHING_FAILED,
            sha256=sha256,
            size=size,
            path=place_of(sha256),
            downloaded_at=now,
        )

    def verify(self, gid: str, *, now: str) -> None:
        """Its file was read again and is as it was, whatever failed before."""
        self._write(gid, verified_at=now, **_NOTHING_FAILED)

    def fail(self, gid: str, status: int | None, message: str, *, now: str) -> None:
        """It could not be had this time."""
        self._write(gid, status=status, message=message, failed_at=now)
        self._db.execute(
            "UPDATE attachment_files SET failures = failures + 1 WHERE attachment_gid = ?", [gid]
        )

    def _write(self, gid: str, **values: str | int | None) -> None:
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        assignments = ", ".join(f"{name} = excluded.{name}" for name in values)
        self._db.execute(
            f"INSERT INTO attachment_files (attachment_gid, {names}) VALUES (?, {marks}) "
            f"ON CONFLICT (attachment_gid) DO UPDATE SET {assignments}",
            [gid, *values.values()],
        )

    # -- what a purge leaves --------------------------------------------------------------------------

    def erase(self, doomed: str) -> int:
        """Rows go, `doomed` being a query for gids; their files are left over, whole or not."""
        gone = self._db.execute(
            f"DELETE FROM attachment_files WHERE attachment_gid IN ({doomed}) RETURNING attachment_gid, sha256"
        ).fetchall()
        self.leave_over(part_of(gid) for gid, _ in gone)
        self.leave_over(place_of(sha256) for _, sha256 in gone if sha256)
        return len(gone)

    def leave_over(self, places: Iterable[str]) -> None:
        """These files are to be removed, unless a row still names them once it is certain that others are gone."""
        self._db.conn.executemany(
            "INSERT OR IGNORE INTO attachment_leftovers (path) VALUES (?)", [(place,) for place in places]
        )

    def leftovers(self) -> list[str]:
        """Files to be removed; not those that another attachment has as well, or has by now."""
        self._db.execute("DELETE FROM attachment_leftovers WHERE path IN (SELECT path FROM attachment_files)")
        return [row[0] for row in self._db.execute("SELECT path FROM attachment_leftovers")]

    def forget_leftovers(self) -> None:
        """They are removed."""
        self._db.execute("DELETE FROM attachment_leftovers")


def _from(narrowed: bool, kept_too: bool) -> str:
    which = f"({_LIVING} OR f.sha256 IS NOT NULL)" if kept_too else _LIVING
    where = "AND parent_gid IN (SELECT gid FROM temp.wanted_parents)" if narrowed else ""
    return (
        "FROM attachments AS a LEFT JOIN attachment_files AS f ON f.attachment_gid = a.gid "
        f"WHERE a.gid > ? AND {which} {where}"
    )

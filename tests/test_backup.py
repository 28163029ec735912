"""A backup is the mirror at one moment, whole or not there at all, whoever writes meanwhile."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from click.testing import CliRunner
from second_runs import both as both
from second_runs import equal
from worlds import Mirrored, rows, value

from asana_mirror import backup as module
from asana_mirror.backup import backup
from asana_mirror.cli import cli
from asana_mirror.errors import CannotWrite, DiskFull, Interrupted, MirrorBusy, NotAMirror, WrongUsage
from asana_mirror.sandbox import random_edits
from asana_mirror.store import Mirror
from asana_mirror.store.opening import APPLICATION_ID

SYNCED = "2026-11-01T00:00:00.000Z"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return filled(tmp_path / "asana.db")


def filled(path: Path, tasks: int = 200) -> Path:
    """A mirror with as many tasks in a project as the project's notes say."""
    Mirror(path).close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO projects (gid, notes, _synced_at) VALUES ('p', '0', ?)", [SYNCED])
        for number in range(tasks):
            add_task(db, f"t{number}")
    return path


def add_task(db: sqlite3.Connection, gid: str) -> None:
    db.execute(
        "INSERT INTO tasks (gid, name, notes, _synced_at) VALUES (?, 'Task', ?, ?)", [gid, "x" * 1500, SYNCED]
    )
    db.execute("INSERT INTO task_projects (task_gid, project_gid) VALUES (?, 'p')", [gid])
    db.execute("UPDATE projects SET notes = CAST(notes AS INTEGER) + 1 WHERE gid = 'p'")


@contextmanager
def written_all_the_time(path: Path) -> Iterator[list[int]]:
    """A writer that commits a task, its link and the count of both in one transaction, again and again."""
    stop, done = threading.Event(), [0]

    def write() -> None:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as db:
            db.execute("PRAGMA synchronous = OFF")
            while not stop.is_set():
                db.execute("BEGIN IMMEDIATE")
                add_task(db, f"w{done[0]}")
                db.execute("COMMIT")
                done[0] += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield done
    finally:
        stop.set()
        writer.join()


def agrees(copy: Path) -> int:
    """How many tasks there are, which all places that tell of it agree on."""
    counts = {
        int(value(copy, "SELECT notes FROM projects WHERE gid = 'p'")),
        value(copy, "SELECT count(*) FROM tasks"),
        value(copy, "SELECT count(*) FROM task_projects"),
    }
    assert len(counts) == 1, counts
    assert value(copy, "PRAGMA integrity_check") == "ok"
    assert rows(copy, "PRAGMA foreign_key_check") == []
    return counts.pop()


def names(folder: Path) -> set[str]:
    """Without what the last reader of a mirror may leave beside it."""
    return {file.name for file in folder.iterdir() if not file.name.endswith(("-wal", "-shm"))}


def test_a_backup_under_a_writer_is_the_mirror_at_one_moment(path: Path) -> None:
    copy = path.with_name("copy.db")
    sizes = []
    with patch.object(module, "STEP_PAGES", 20), written_all_the_time(path) as done:
        for _ in range(5):
            before = done[0]
            report = backup(path, copy)
            assert report.bytes == copy.stat().st_size
            sizes.append(agrees(copy))
            while done[0] == before:
                time.sleep(0.01)
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0] >= 200
    assert done[0] > 20


def test_a_writer_never_makes_it_start_again(path: Path) -> None:
    """A commit between any two steps: what is left to copy still shrinks with each."""
    copy = path.with_name("copy.db")
    left: list[int] = []

    class Disturbed(sqlite3.Connection):
        def backup(self, target: sqlite3.Connection, **options: Any) -> None:
            def between(_: int, remaining: int, total: int) -> None:
                assert len(left) <= total, "it never ends"
                left.append(remaining)
                with closing(sqlite3.connect(path)) as db, db:
                    add_task(db, f"between{len(left)}")

            super().backup(target, pages=20, progress=between)

    def disturbed(one: Path, more: str = "") -> sqlite3.Connection:
        address = f"{one.as_uri()}?mode=ro{more}"
        return sqlite3.connect(address, uri=True, isolation_level=None, factory=Disturbed)

    with patch.object(module, "_read_only", disturbed):
        backup(path, copy)
    assert left == sorted(left, reverse=True)
    assert len(left) > 5
    assert agrees(copy) == 200
    assert agrees(path) == 200 + len(left)


def test_a_backup_is_one_file_for_its_owner_only(path: Path) -> None:
    folder = path.parent / "backups"
    folder.mkdir()
    copy = folder / "copy.db"
    with closing(sqlite3.connect(path)) as db:  # what it writes stands in the WAL only
        add_task(db, "late")
        db.commit()
        backup(path, copy)
    assert [file.name for file in folder.iterdir()] == ["copy.db"]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    alone = path.parent / "moved.db"
    alone.write_bytes(copy.read_bytes())
    assert agrees(alone) == 201
    assert value(alone, "PRAGMA application_id") == APPLICATION_ID


def test_a_backup_can_be_synced_on(both: Mirrored) -> None:
    copy = both.path.with_name("copy.db")
    backup(both.path, copy)
    random_edits(both.world, 40, 3)
    both.path = copy
    report = both.sync(max_age_s=0)
    assert report.mode == "changes"
    assert report.outcome == "complete"
    assert equal(both)


def test_searching_a_backup_finds_the_same(both: Mirrored) -> None:
    copy = both.path.with_name("copy.db")
    backup(both.path, copy)
    word = value(both.path, "SELECT name FROM tasks WHERE name IS NOT NULL ORDER BY gid LIMIT 1").split()[0]
    sql = "SELECT gid FROM tasks_fts JOIN tasks ON tasks.rowid = tasks_fts.rowid WHERE tasks_fts MATCH ? ORDER BY gid"
    found = [row[0] for row in rows(both.path, sql, f'"{word}"')]
    assert found
    assert [row[0] for row in rows(copy, sql, f'"{word}"')] == found
    with closing(sqlite3.connect(copy)) as db:
        db.execute("INSERT INTO tasks_fts (tasks_fts, rank) VALUES ('integrity-check', 1)")


def test_an_earlier_mirror_is_replaced_with_all_that_lay_beside_it(path: Path, tmp_path: Path) -> None:
    """A killed sync has left a WAL: read as part of the new file, it would damage it."""
    copy = filled(tmp_path / "copy.db", tasks=400)
    with closing(sqlite3.connect(copy)) as db:
        for number in range(50):
            add_task(db, f"wal{number}")
        db.commit()
        left = {ending: Path(f"{copy}{ending}").read_bytes() for ending in ("", "-wal")}
    for ending, content in left.items():
        Path(f"{copy}{ending}").write_bytes(content)
    assert agrees_beside(copy) == 450
    report = backup(path, copy)
    assert report.replaced
    assert agrees(copy) == 200


def agrees_beside(copy: Path) -> int:
    """Counted in a copy of the file and its WAL, so that both stay as they are."""
    for ending in ("", "-wal"):
        Path(f"{copy}.look{ending}").write_bytes(Path(f"{copy}{ending}").read_bytes())
    found = agrees(Path(f"{copy}.look"))
    Path(f"{copy}.look").unlink()
    return found


def test_an_earlier_mirror_that_is_open_is_not_replaced(path: Path, tmp_path: Path) -> None:
    copy = filled(tmp_path / "copy.db", tasks=3)
    with closing(sqlite3.connect(copy)) as reader:
        reader.execute("SELECT count(*) FROM tasks").fetchone()
        with pytest.raises(MirrorBusy, match=r"has .*copy\.db open"):
            backup(path, copy)
    assert agrees(copy) == 3
    assert names(tmp_path) == {"asana.db", "copy.db"}


@pytest.mark.parametrize("content", [b"", b"my diary", b"SQLite format 3\x00 or not"])
def test_what_is_no_mirror_is_not_replaced(path: Path, tmp_path: Path, content: bytes) -> None:
    diary = tmp_path / "diary"
    diary.write_bytes(content)
    with pytest.raises(WrongUsage, match="is no mirror, so it is not replaced"):
        backup(path, diary)
    assert diary.read_bytes() == content
    assert names(tmp_path) == {"asana.db", "diary"}


def test_another_program_s_database_is_not_replaced(path: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as db:
        db.execute("CREATE TABLE photos (id)")
    with pytest.raises(WrongUsage, match="is no mirror"):
        backup(path, tmp_path / "other.db")


def test_the_mirror_is_never_its_own_backup(path: Path, tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(path)
    os.link(path, tmp_path / "hard.db")
    for name in ("asana.db", "link.db", "hard.db"):
        with pytest.raises(WrongUsage, match="is the mirror itself"):
            backup(path, tmp_path / name)
    for ending in ("-wal", "-shm", "-journal", ".lock"):
        with pytest.raises(WrongUsage, match="belongs to the mirror"):
            backup(path, Path(f"{path}{ending}"))
    assert agrees(path) == 200


def test_a_link_stays_one_and_what_it_leads_to_is_replaced(path: Path, tmp_path: Path) -> None:
    copy = filled(tmp_path / "monday.db", tasks=3)
    (tmp_path / "latest.db").symlink_to(copy)
    backup(path, tmp_path / "latest.db")
    assert (tmp_path / "latest.db").is_symlink()
    assert agrees(copy) == 200


def test_a_folder_that_does_not_exist_is_named(path: Path, tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match="does not exist") as refusal:
        backup(path, tmp_path / "no" / "copy.db")
    assert "mkdir -p" in refusal.value.hint
    with pytest.raises(WrongUsage):
        backup(path, tmp_path)


def test_a_place_where_nothing_can_be_made_is_named(path: Path) -> None:
    """/proc refuses everyone, the superuser too."""
    with pytest.raises(CannotWrite) as refusal:
        backup(path, Path("/proc/copy.db"))
    assert "asana-mirror backup" in refusal.value.hint


def test_what_was_left_of_a_removed_file_is_named(path: Path, tmp_path: Path) -> None:
    (tmp_path / "copy.db-wal").write_bytes(b"old")
    with pytest.raises(WrongUsage, match="was left behind") as refusal:
        backup(path, tmp_path / "copy.db")
    assert "rm " in refusal.value.hint


def test_there_must_be_a_mirror(tmp_path: Path) -> None:
    with pytest.raises(NotAMirror, match="no mirror at"):
        backup(tmp_path / "missing.db", tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_mirror_gives_no_backup(path: Path, tmp_path: Path) -> None:
    copy = filled(tmp_path / "copy.db", tasks=3)
    with path.open("r+b") as file:
        file.seek(4096 * (path.stat().st_size // 4096 - 20))
        file.write(b"\xff" * 4096 * 19)
    with pytest.raises(NotAMirror, match="is damaged"):
        backup(path, copy)
    assert agrees(copy) == 3
    assert names(tmp_path) == {"asana.db", "copy.db"}


LITTLE_ROOM = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
sys.argv = ["asana-mirror", "backup", "copy.db", "asana.db"]
runpy.run_module("asana_mirror", run_name="__main__")
"""


def test_a_full_disk_is_said_and_the_earlier_backup_stays(path: Path, tmp_path: Path) -> None:
    """No file of the process may grow past 400 kB, as if the disk ended there."""
    copy = filled(tmp_path / "copy.db", tasks=3)
    before = copy.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", LITTLE_ROOM], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == DiskFull.exit_code, done.stderr
    told = done.stderr.strip().splitlines()
    assert len(told) == 2, done.stderr
    assert told[1].startswith("  hint: Free some space")
    assert "nothing was changed in copy.db" in told[1]
    assert copy.read_bytes() == before
    assert names(tmp_path) == {"asana.db", "copy.db"}


SLOW = """
import pathlib, signal, sys, time
from asana_mirror import backup as module, cli
module.STEP_PAGES = 1
read_only = module._read_only
class Slow:
    def __init__(self, real): self.real = real
    def __getattr__(self, name): return getattr(self.real, name)
    def backup(self, into, pages, progress):
        def slowly(*told):
            print("copying", flush=True)
            time.sleep(0.02)
            progress(*told)
        self.real.backup(into, pages=pages, progress=slowly)
module._read_only = lambda path, more="": Slow(read_only(path, more))
sys.argv = ["asana-mirror", "backup", "copy.db", "asana.db"]
cli.main()
"""


@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_an_interrupted_backup_leaves_the_file_as_it_was(
    path: Path, tmp_path: Path, number: signal.Signals, exit_code: int
) -> None:
    copy = filled(tmp_path / "copy.db", tasks=3)
    before = copy.read_bytes()
    child = subprocess.Popen(
        [sys.executable, "-c", SLOW], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "copying\n"
    child.send_signal(number)
    _, told = child.communicate(timeout=10)
    assert child.returncode == exit_code, told
    assert "Traceback" not in told
    assert copy.read_bytes() == before
    left = names(tmp_path) - {"asana.db", "copy.db"}
    assert len(left) == (number == signal.SIGKILL)
    for name in left:  # nobody can tidy up after a SIGKILL; a later backup does
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
        os.utime(tmp_path / name, (0, 0))
    backup(path, copy)
    assert agrees(copy) == 200
    assert names(tmp_path) == {"asana.db", "copy.db"}


def test_the_unfinished_copy_of_another_backup_is_left_alone(path: Path, tmp_path: Path) -> None:
    (tmp_path / ".asana-mirror-backup-other").write_bytes(b"under way")
    backup(path, tmp_path / "copy.db")
    assert (tmp_path / ".asana-mirror-backup-other").exists()


def test_signals_are_heard_as_before_afterwards(path: Path, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    backup(path, tmp_path / "copy.db")
    assert signal.getsignal(signal.SIGTERM) is before
    with (
        patch.object(module, "_copy", lambda *_: signal.raise_signal(signal.SIGTERM)),
        pytest.raises(Interrupted) as stopped,
    ):
        backup(path, tmp_path / "copy.db")
    assert stopped.value.exit_code == 143


def test_an_older_mirror_can_be_backed_up_before_it_is_upgraded(path: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 2")
    backup(path, tmp_path / "copy.db")
    assert value(tmp_path / "copy.db", "PRAGMA user_version") == 2


def test_the_command_says_what_it_did(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    done = CliRunner().invoke(cli, ["backup", str(copy), str(path)])
    assert done.exit_code == 0, done.output
    assert f"Copied {path} into {copy}: " in done.output
    assert " MB in " in done.output
    done = CliRunner().invoke(cli, ["backup", str(copy), str(path), "--json"])
    report = json.loads(done.output)
    assert report["bytes"] == copy.stat().st_size
    assert (report["mirror"], report["file"], report["replaced"]) == (str(path), str(copy), True)

"""The folder of files: full disks, two at once, and what a purge removes."""

from __future__ import annotations

import errno
import resource
import shutil
from pathlib import Path

import pytest
from pulls import (
    Filed,
    begin_pull,
    one_of,
    rows_written,
    says,
    sends,
    served,
)
from pulls import here as here
from pulls import made as made
from purges import purged
from truth import unsound
from worlds import rows, value

from asana_mirror import pull, purge, shelf
from asana_mirror.errors import AsanaUnreachable, CannotWrite, DiskFull, MirrorBusy
from asana_mirror.shelf import Shelf
from asana_mirror.store import Mirror, hold

# -- the disk -----------------------------------------------------------------------------------------


def test_a_full_disk_is_one_sentence(here: Filed, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(shelf.os, "fsync", full)
        with pytest.raises(DiskFull, match="disk is full") as told:
            here.pull()
    assert "--max-size" in told.value.hint
    assert value(here.path, "SELECT count(*) FROM attachment_files WHERE sha256 IS NOT NULL") == 0
    assert unsound(here.path) == []
    here.pull()
    assert all(here.is_whole(gid) for gid in here.hosted)


def test_a_process_that_may_write_no_such_file_says_what_to_do(here: Filed) -> None:
    one_of(here, size=30_000_000)

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8_000_000, 8_000_000))

    with served(here):
        child = begin_pull(here, preexec_fn=limited)
        out, told = child.communicate(timeout=30)
    assert (child.returncode, out) == (2, "")
    assert len(told.strip().splitlines()) == 2, told
    assert "hint: Leave such files out with --max-size" in told
    assert unsound(here.path) == []


def test_a_folder_that_cannot_be_one_is_said(here: Filed, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for folder in (file, file / "below"):
        with pytest.raises(CannotWrite, match="cannot be written") as told:
            here.pull(folder=folder)
        assert "--dir" in told.value.hint
    assert here.host.asked == []


def test_two_pulls_do_not_write_one_folder(here: Filed) -> None:
    folder = Shelf(here.folder)
    folder.make()
    with folder.held(), pytest.raises(MirrorBusy, match="at work"):
        here.pull()


def test_a_sync_may_hold_the_mirror_meanwhile(here: Filed) -> None:
    with hold(here.path):
        assert here.pull().downloaded == len(here.hosted)


# -- purging ------------------------------------------------------------------------------------------


def test_a_purge_takes_the_files_along_that_nobody_else_has(here: Filed) -> None:
    project = value(
        here.path, "SELECT project_gid FROM task_projects GROUP BY 1 ORDER BY count(*) DESC LIMIT 1"
    )
    here.pull(projects=(project,))
    inside = [r[0] for r in rows(here.path, "SELECT attachment_gid FROM attachment_files ORDER BY 1")]
    outside = next(gid for gid in here.hosted if gid not in inside)
    here.change(inside[0], content=b"alike", size=5)
    here.change(outside, content=b"alike", size=5)
    here.file(inside[0]).unlink()
    here.pull()
    files = {gid: here.file(gid) for gid in here.hosted}
    report = purged(here.path, projects=[[project]])
    left = {r[0] for r in rows(here.path, "SELECT attachment_gid FROM attachment_files")}
    assert outside in left
    gone = set(files) - left
    assert len(gone) > 2
    kept = {files[gid] for gid in left}
    assert {file.exists() for file in kept} == {True}
    assert {files[gid].exists() for gid in gone if files[gid] not in kept} == {False}
    assert report.deleted["attachment_files"] == len(gone)
    assert report.files_removed == len({files[gid] for gid in gone} - kept)
    assert rows(here.path, "SELECT * FROM attachment_leftovers") == []
    assert unsound(here.path) == []


def _doom(here: Filed, gid: str) -> str:
    with rows_written(here.path) as db:
        db.execute("UPDATE attachments SET _deleted_at = '2020-01-01T00:00:00.000Z' WHERE gid = ?", [gid])
    return "2021-01-01T00:00:00.000Z"


def test_a_purge_takes_parts_along_and_looks_into_every_folder(here: Filed, tmp_path: Path) -> None:
    gid = one_of(here)
    here.pull(folder=tmp_path / "first")
    here.pull(folder=tmp_path / "second")
    here.host.wrong = [sends(here.content(gid)[:600], etag='"v"'), *[says(404)]]
    here.pull(folder=tmp_path / "third")
    shutil.rmtree(tmp_path / "first")
    assert purged(here.path, tombstones_before=_doom(here, gid)).files_removed == 2
    left = [
        file for file in tmp_path.rglob("*") if file.is_file() and not file.name.startswith(("asana.db", "."))
    ]
    assert left == []


def test_a_purge_that_was_killed_before_it_removed_files_is_finished(
    here: Filed, monkeypatch: pytest.MonkeyPatch
) -> None:
    gid, *others = here.hosted
    here.pull()
    file = here.file(gid)

    def killed(mirror: Mirror) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(purge, "sweep_up", killed)
        with pytest.raises(KeyboardInterrupt):
            purged(here.path, tombstones_before=_doom(here, gid))
    assert file.exists()
    assert here.row(gid) is None
    here.file(others[0]).unlink()
    here.host.wrong = [says(500)] * 4
    monkeypatch.setattr(pull, "GIVEN_UP_IN_A_ROW", 1)
    with pytest.raises(AsanaUnreachable):
        here.pull()
    assert not file.exists(), "it is removed before anything else is tried"
    here.pull()
    assert all(here.is_whole(one) for one in others)


def test_a_purge_waits_for_nobody(here: Filed) -> None:
    gid = one_of(here)
    here.pull()
    before = _doom(here, gid)
    with Shelf(here.folder).held(), pytest.raises(MirrorBusy):
        purged(here.path, tombstones_before=before)
    assert here.row(gid) is not None
    assert here.file(gid).exists()

"""Files of attachments come into a folder: whole, checked, each once, and never anywhere else."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from pulls import (
    Filed,
    begin_pull,
    one_of,
    report_of,
    rows_written,
    says,
    served,
)
from pulls import here as here
from pulls import made as made
from test_files import NASTY
from truth import unsound
from worlds import rows, value

from asana_mirror.errors import WrongUsage


def test_all_that_asana_hosts_comes_and_lies_under_its_hash(here: Filed) -> None:
    report = here.pull()
    assert len(here.hosted) > 10
    assert (report.wanted, report.downloaded, report.here) == (len(here.hosted), len(here.hosted), 0)
    assert all(here.is_whole(gid) for gid in here.hosted)
    assert report.bytes == sum(len(here.content(gid)) for gid in here.hosted)
    files = {file for file in here.folder.rglob("*") if file.is_file() and file.parent.name != "partial"}
    assert files == {here.file(gid) for gid in here.hosted}
    assert here.parts() == []
    assert {oct(file.stat().st_mode & 0o777) for file in files} == {"0o600"}
    assert oct(here.folder.stat().st_mode & 0o777) == "0o700"
    assert unsound(here.path) == []


def test_a_second_pull_asks_nothing_and_brings_what_is_missing(here: Filed) -> None:
    here.pull()
    asked = len(here.host.asked)
    report = here.pull()
    assert (report.downloaded, report.requests, len(here.host.asked)) == (0, 0, asked)
    gone, short = here.hosted[:2]
    here.file(gone).unlink()
    here.file(short).write_bytes(b"")
    report = here.pull()
    assert (report.downloaded, report.damaged, report.here) == (2, 2, len(here.hosted) - 2)
    assert all(here.is_whole(gid) for gid in here.hosted)


def test_names_lead_nowhere(here: Filed) -> None:
    with rows_written(here.path) as db:
        for gid, name in zip(
            here.hosted, [name for name in NASTY if name.isprintable() or "\0" in name], strict=False
        ):
            db.execute("UPDATE attachments SET name = ? WHERE gid = ?", [name, gid])
            here.change(gid, name=name)
    before = {file for file in here.path.parent.rglob("*") if not file.is_relative_to(here.folder)}
    here.pull()
    assert all(here.is_whole(gid) for gid in here.hosted)
    made = {file for file in here.path.parent.rglob("*") if not file.is_relative_to(here.folder)} - before
    assert {file.name for file in made} <= {"asana.db-wal", "asana.db-shm"}
    for file in here.folder.rglob("*"):
        if file.is_file() and file.parent.name != "partial":
            assert hashlib.sha256(file.read_bytes()).hexdigest() == file.name


def test_a_gid_that_is_a_path_leads_nowhere(here: Filed) -> None:
    """Asana's gids are numbers; whoever stands in for it may send anything."""
    one_of(here)
    with rows_written(here.path) as db:
        for gid in ("../../evil", "/evil", "e\0vil"):
            db.execute(
                "INSERT INTO attachments (gid, host, size, _synced_at) VALUES (?, 'asana', 5, 'x')", [gid]
            )
    report = here.pull()
    assert (report.downloaded, report.refused) == (1, 3)
    assert [file for file in here.path.parent.rglob("*") if "evil" in file.name] == []


def test_equal_files_lie_there_once(here: Filed) -> None:
    first, second = here.hosted[:2]
    for gid in (first, second):
        here.change(gid, content=b"alike", size=5)
    here.pull()
    assert here.is_whole(first)
    assert here.file(first) == here.file(second)


def test_tombstones_stubs_and_what_others_host_are_left_alone(here: Filed) -> None:
    dead, stub, *_ = here.hosted
    with rows_written(here.path) as db:
        db.execute("UPDATE attachments SET _deleted_at = 'x' WHERE gid = ?", [dead])
        db.execute("UPDATE attachments SET _synced_at = NULL WHERE gid = ?", [stub])
    here.pull()
    assert (here.row(dead), here.row(stub)) == (None, None)
    others = "SELECT 1 FROM attachment_files JOIN attachments ON gid = attachment_gid WHERE host <> 'asana'"
    assert rows(here.path, others) == []


def test_what_has_left_asana_keeps_its_file(here: Filed) -> None:
    here.pull()
    gone = here.hosted[0]
    file, before = here.file(gone), tuple(here.row(gone))
    with rows_written(here.path) as db:
        db.execute("UPDATE attachments SET _deleted_at = 'x' WHERE gid = ?", [gone])
    report = here.pull()
    assert report.wanted == report.here == len(here.hosted)
    assert tuple(here.row(gone)) == before
    assert file.exists()
    file.write_bytes(b"rotten")
    report = here.pull(verify=True)
    assert (report.damaged, report.downloaded) == (1, 0)
    assert "has left Asana" in here.row(gone)["message"]
    assert here.row(gone)["sha256"] == before[1]


def test_large_files_stay_away(here: Filed) -> None:
    sizes = {gid: len(here.content(gid)) for gid in here.hosted}
    most = sorted(sizes.values())[len(sizes) // 2]
    report = here.pull(max_bytes=most)
    assert report.too_large == sum(size > most for size in sizes.values()) > 0
    assert {gid for gid in sizes if here.row(gid)} == {gid for gid, size in sizes.items() if size <= most}
    assert report.requests == 1 + report.downloaded
    assert here.pull(max_bytes=0).here == report.downloaded


def test_a_project_brings_its_own_its_tasks_and_their_subtasks(here: Filed) -> None:
    project = value(here.path, "SELECT project_gid FROM task_projects GROUP BY 1 ORDER BY count(*) LIMIT 1")
    inside = {
        r[0] for r in rows(here.path, "SELECT task_gid FROM task_projects WHERE project_gid = ?", project)
    }
    parents = rows(here.path, "SELECT gid, parent_gid FROM tasks WHERE parent_gid IS NOT NULL")
    while more := {r[0] for r in parents if r[1] in inside} - inside:
        inside |= more
    with rows_written(here.path) as db:
        db.execute("INSERT INTO project_briefs (gid, project_gid) VALUES ('brief', ?)", [project])
        inside |= {
            project,
            "brief",
            value(here.path, "SELECT project_brief_gid FROM projects WHERE gid = ?", project),
        }
        for parent, kind in (("brief", "project_brief"), (project, "project")):
            db.execute(
                "INSERT INTO attachments (gid, host, size, parent_gid, parent_type, _synced_at) "
                "VALUES (?, 'asana', 9, ?, ?, 'x')",
                [f"of-{kind}", parent, kind],
            )
    parent_of = dict(rows(here.path, "SELECT gid, parent_gid FROM attachments"))
    wanted = {gid for gid in here.hosted if parent_of[gid] in inside}
    assert 2 < len(wanted) < len(here.hosted)
    report = here.pull(projects=(project,))
    assert report.wanted == len(wanted)
    assert {r[0] for r in rows(here.path, "SELECT attachment_gid FROM attachment_files")} == wanted
    with pytest.raises(WrongUsage, match="no project 12345"):
        here.pull(projects=("12345",))


def test_the_folder_is_remembered_and_moves_with_the_mirror(here: Filed, tmp_path: Path) -> None:
    one_of(here)
    here.pull(folder=tmp_path / "elsewhere")
    assert here.pull().here == 1
    assert value(here.path, "SELECT folder FROM attachment_folders") == "elsewhere"
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("asana.db", "elsewhere"):
        (tmp_path / name).rename(moved / name)
    here.path = moved / "asana.db"
    assert here.pull().here == 1
    assert here.pull(folder=tmp_path / "new").downloaded == 1


def test_damaged_files_are_found_and_brought_again(here: Filed) -> None:
    here.pull()
    damaged = here.hosted[0]
    content = bytearray(here.file(damaged).read_bytes())
    content[0] ^= 1
    here.file(damaged).write_bytes(content)
    assert here.pull().downloaded == 0
    report = here.pull(verify=True)
    assert (report.damaged, report.downloaded, report.here) == (1, 1, len(here.hosted) - 1)
    assert all(here.is_whole(gid) for gid in here.hosted)
    assert {bool(here.row(gid)["verified_at"]) for gid in here.hosted} == {True, False}
    assert here.pull(verify=True).here == len(here.hosted)


def test_what_is_damaged_and_cannot_be_had_stays_known_to_be(here: Filed) -> None:
    gid = one_of(here)
    here.pull()
    here.file(gid).write_bytes(b"x" * 1000)
    here.world.refuse(gid, 404)
    try:
        assert here.pull(verify=True).refused == 1
        assert here.pull().refused == 1, "its size alone says nothing"
    finally:
        here.world.allow(gid)
    assert here.pull().downloaded == 1
    assert here.is_whole(gid)


# -- the command --------------------------------------------------------------------------------------


def test_the_command_says_what_it_did(here: Filed, tmp_path: Path) -> None:
    with served(here):
        child = begin_pull(here, "--max-size", "10KB", "--dir", str(tmp_path / "files"))
        out, told = child.communicate(timeout=30)
        assert child.returncode == 0, told
        report = json.loads(out)
        assert report["folder"] == str(tmp_path / "files")
        assert f"{report['downloaded']} downloaded" in told
        assert "larger than --max-size" in told
        child = begin_pull(here, "--max-size", "ten")
        out, told = child.communicate(timeout=30)
        assert (child.returncode, out) == (2, "")
        assert "not a size" in told
        config = tmp_path / "asana-mirror.toml"
        config.write_text(f'[attachments]\ndir = "{tmp_path / "third"}"\nmax_size = "1KB"\n')
        child = begin_pull(here, cwd=tmp_path)
        assert report_of(child)["folder"] == str(tmp_path / "third")


def test_a_host_that_fails_again_and_again_ends_with_four(here: Filed) -> None:
    one_of(here)
    with served(here):
        here.host.wrong = [says(429, retry_after="3600")]
        child = begin_pull(here)
        out, told = child.communicate(timeout=30)
    assert child.returncode == 4
    assert json.loads(out)["unreachable"] == 1
    assert "hint: What is here is kept." in told


def test_an_older_mirror_is_synced_first(here: Filed) -> None:
    with rows_written(here.path) as db:
        db.execute("PRAGMA user_version = 3")
    with pytest.raises(WrongUsage, match="older"):
        here.pull()


def test_a_damaged_file_whose_content_is_another_by_now_goes(here: Filed) -> None:
    gid = one_of(here)
    here.pull()
    old = here.file(gid)
    old.write_bytes(b"rotten")
    here.change(gid, content=b"new", size=3)
    assert here.pull().downloaded == 1
    assert here.is_whole(gid)
    assert not old.exists()

"""Purged projects and tombstones take nothing else with them; a purge is whole or not at all, and is asked for."""

from __future__ import annotations

import json
import os
import pty
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from lag import equal_at_last, equal_but_for_age
from purges import NAME, Office, purged, remains_of, somebody
from purges import mirrored_office as mirrored_office
from purges import office as office
from truth import differences, living, unsound
from worlds import Mirrored, mirrored, rows, value

from asana_mirror.errors import MirrorBusy, WrongUsage
from asana_mirror.purge import PurgeOptions, PurgeReport, purge
from asana_mirror.sandbox import generate
from asana_mirror.store import hold, purging

FAR_FUTURE = "2999-01-01T00:00:00.000Z"


# -- a project ----------------------------------------------------------------------------------------


def _only_in(path: Path, project: str) -> tuple[set[str], set[str]]:
    """Tasks that live in this project alone, with what they are subtasks of; and those that live elsewhere too."""
    parents = {r["gid"]: r["parent_gid"] for r in rows(path, "SELECT gid, parent_gid FROM tasks")}
    homes: dict[str, set[str]] = {gid: set() for gid in parents}
    for link in rows(path, "SELECT * FROM task_projects"):
        homes[link["task_gid"]].add(link["project_gid"])

    def alone(gid: str) -> bool:
        own = homes[gid] == {project} or (not homes[gid] and parents[gid] is not None)
        return own and (parents[gid] is None or alone(parents[gid]))

    here = {gid for gid in parents if alone(gid)}
    return here, {gid for gid, found in homes.items() if project in found} - here


def _largest_project(path: Path) -> str:
    return str(value(path, "SELECT project_gid FROM task_projects GROUP BY 1 ORDER BY count(*) DESC LIMIT 1"))


def test_a_purged_project_takes_along_what_lives_nowhere_else(office: Office) -> None:
    project = _largest_project(office.path)
    before = set(living(office.path, "tasks"))
    alone, elsewhere_too = _only_in(office.path, project)
    purged(office.path, projects=[[project]])

    tasks = set(living(office.path, "tasks"))
    assert before - tasks == alone
    assert elsewhere_too
    for table, column in (("stories", "target_gid"), ("attachments", "parent_gid")):
        assert not {r[0] for r in rows(office.path, f"SELECT {column} FROM {table}")} & {project, *alone}
    for table in (
        "sections",
        "custom_field_settings",
        "task_projects",
        "project_members",
        "project_followers",
    ):
        assert rows(office.path, f"SELECT 1 FROM {table} WHERE project_gid = ?", project) == []
    walks = {r[0] for r in rows(office.path, "SELECT parent_gid FROM sync_checkpoints")}
    assert not walks & {project, *alone}, "what comes back would be read from the middle"
    left = office.row("projects", project)
    assert left is None or {left[column] for column in left.keys() if column != "gid"} == {None}  # noqa: SIM118
    assert unsound(office.path) == []


def test_a_purged_project_that_asana_shows_comes_back_whole(office: Office) -> None:
    purged(office.path, projects=[[_largest_project(office.path)]])
    assert differences(office.world, office.path) != []
    office.sync()
    assert equal_but_for_age(office)
    assert equal_at_last(office)


def test_a_purged_project_that_is_gone_in_asana_stays_away(tmp_path: Path) -> None:
    both = mirrored(tmp_path, generate(74, 60))
    project = _largest_project(both.path)
    name = f"Project {project} ☂"
    both.write("PUT", f"/projects/{project}", name=name)
    both.sync()
    both.write("DELETE", f"/projects/{project}")
    both.sync(max_deletes=1000)
    assert not both.is_alive("projects", project)
    assert both.row("projects", project)["name"] == name
    alone = _only_in(both.path, project)[0] - set(living(both.path, "tasks"))

    purged(both.path, projects=[[project]])
    both.sync()

    assert alone
    read = {r["gid"] for r in rows(both.path, "SELECT gid FROM tasks WHERE _synced_at IS NOT NULL")}
    assert not alone & read
    assert rows(both.path, "SELECT gid FROM projects WHERE gid = ? AND _synced_at NOTNULL", project) == []
    assert equal_but_for_age(both)


# -- tombstones ---------------------------------------------------------------------------------------


@pytest.fixture
def graveyard(tmp_path: Path) -> tuple[Mirrored, str, str]:
    """A mirror with an old tombstone that a living story refers to, and a young one."""
    both = mirrored(tmp_path, generate(75, 80, stories_per_task=8.0))
    story = "SELECT target_gid, dependency_gid FROM stories WHERE dependency_gid IS NOT NULL"
    living_one, old = rows(both.path, f"{story} AND dependency_gid <> target_gid LIMIT 1")[0]
    young = next(gid for gid in sorted(living(both.path, "tasks")) if gid not in (living_one, old))
    for gid in (old, young):
        both.write("PUT", f"/tasks/{gid}", name=f"grave {gid}")
    both.sync()
    for gid in (old, young):
        both.write("DELETE", f"/tasks/{gid}")
    both.sync()
    with closing(sqlite3.connect(both.path)) as db, db:
        db.execute("UPDATE tasks SET _deleted_at = '2020-01-01T00:00:00.000Z' WHERE gid = ?", [old])
    return both, old, young


def test_old_tombstones_go_and_young_ones_stay(graveyard: tuple[Mirrored, str, str]) -> None:
    both, old, young = graveyard
    report = purged(both.path, tombstones_before="2024-01-01T00:00:00.000Z")

    assert remains_of(both.path, f"grave {old}") == []
    assert remains_of(both.path, f"grave {young}") != []
    assert both.row("tasks", young)["_deleted_at"] is not None
    assert rows(both.path, "SELECT 1 FROM stories WHERE target_gid = ?", old) == []
    assert report.deleted["stories"] > 0
    assert equal_but_for_age(both)
    both.sync()
    assert equal_but_for_age(both)


def test_a_tombstone_that_living_rows_refer_to_becomes_a_nameless_stub(
    graveyard: tuple[Mirrored, str, str],
) -> None:
    both, old, _ = graveyard
    report = purged(both.path, tombstones_before=FAR_FUTURE)

    left = both.row("tasks", old)
    assert {left[column] for column in left.keys() if column != "gid"} == {None}  # noqa: SIM118
    assert report.emptied["tasks"] >= 1
    assert rows(both.path, "SELECT 1 FROM tombstones") == []


def test_who_left_keeps_a_name_only_where_others_refer_to_them(tmp_path: Path) -> None:
    world = generate(76, 60)
    both = mirrored(tmp_path, world)
    zoe = somebody(world)
    email = world.records[zoe]["email"]
    world.leave(zoe)
    both.sync()
    assert not both.is_alive("users", zoe)
    purged(both.path, tombstones_before=FAR_FUTURE)

    assert both.row("users", zoe) is None
    assert both.row("actors", zoe)["name"] == world.records[zoe]["name"]
    assert remains_of(both.path, email) == []
    assert unsound(both.path) == []


# -- together, and in between -------------------------------------------------------------------------


def test_all_three_at_once(graveyard: tuple[Mirrored, str, str]) -> None:
    both, old, young = graveyard
    zoe = somebody(both.world)
    project = _largest_project(both.path)
    report = purged(both.path, people=[[zoe]], projects=[[project]], tombstones_before=FAR_FUTURE)

    assert (report.people, report.projects) == ([zoe], [project])
    graves = (f"grave {old}", f"grave {young}")
    assert remains_of(both.path, *graves, both.world.records[zoe]["email"]) == []
    assert unsound(both.path) == []
    both.sync()
    assert both.world.reachable_tasks() == set(living(both.path, "tasks"))


@pytest.mark.parametrize("what", ["people", "projects"])
def test_an_unknown_gid_changes_nothing(office: Office, what: str) -> None:
    before = office.path.read_bytes()
    with pytest.raises(WrongUsage) as told:
        purged(office.path, **{what: [["999"]], "tombstones_before": FAR_FUTURE})
    assert "999" in str(told.value)
    assert told.value.hint
    assert office.path.read_bytes() == before


def test_a_purge_that_is_called_off_changes_nothing(office: Office) -> None:
    def refuse(report: PurgeReport) -> None:
        assert report.deleted["users"] == 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        purge(PurgeOptions(office.path, people=[[office.zoe]]), agreed=refuse)
    assert differences(office.world, office.path) == []
    assert unsound(office.path) == []


def test_what_was_said_beforehand_is_what_is_done(office: Office) -> None:
    said = []
    report = purge(
        PurgeOptions(office.path, people=[[office.zoe]]), agreed=lambda plan: said.append(dict(plan.deleted))
    )
    assert said == [report.deleted]
    assert NAME not in str(report)


def test_a_reader_that_keeps_old_pages_is_told_of(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purging, "_READERS_MAY_TAKE_MS", 50)
    with closing(sqlite3.connect(office.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM tasks").fetchone()
        with pytest.raises(MirrorBusy, match="another program reads"):
            purged(office.path, people=[[office.zoe]])
    office.sync()
    assert remains_of(office.path, *office.traces) == []


DYING = """
import os, signal, sqlite3, sys
from pathlib import Path
from asana_mirror.purge import PurgeOptions, purge
left, connect = int(sys.argv[3]), sqlite3.connect
def count(sql):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
def dying(*arguments, **options):
    connection = connect(*arguments, **options)
    connection.set_trace_callback(count)
    return connection
sqlite3.connect = dying
purge(PurgeOptions(Path(sys.argv[1]), people=((sys.argv[2],),)), agreed=lambda report: None)
print(-left)
"""


def _die(path: Path, gid: str, after: int) -> subprocess.CompletedProcess[str]:
    """A purge in a process that is killed before its n-th statement; 0: never."""
    arguments = [sys.executable, "-c", DYING, str(path), gid, str(after)]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60)


def test_killed_in_the_middle_all_is_erased_or_nothing(office: Office) -> None:
    whole = office.path.read_bytes()
    statements = int(_die(office.path, office.zoe, 0).stdout)
    outcomes = set()
    for after in (
        statements // 4,
        statements // 2,
        statements - 60,
        statements - 20,
        statements - 8,
        statements - 2,
    ):
        for file in office.path.parent.glob(f"{office.path.name}*"):
            file.unlink()
        office.path.write_bytes(whole)
        assert _die(office.path, office.zoe, after).returncode == -signal.SIGKILL
        assert unsound(office.path, search=False) == []
        erased = value(office.path, "SELECT count(*) FROM sync_purged") == 1
        outcomes.add(erased)
        if erased:
            assert remains_of(office.path, *office.traces) in ([], list(office.traces))  # the WAL waits
            assert value(office.path, "SELECT count(*) FROM users WHERE gid = ?", office.zoe) == 0
            assert rows(office.path, "SELECT rowid FROM stories_fts WHERE stories_fts MATCH 'quill'") == []
            assert value(office.path, "SELECT count(*) FROM stories WHERE text LIKE '%quill%'") == 0
        else:
            assert differences(office.world, office.path) == []
        purged(office.path, people=[[office.zoe]])
        assert remains_of(office.path, *office.traces) == []
        assert unsound(office.path) == []
    assert outcomes == {False, True}


# -- the command --------------------------------------------------------------------------------------


def command(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "asana_mirror", "purge", str(path), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=path.parent,
    )


def assert_refused(done: subprocess.CompletedProcess[str], exit_code: int) -> None:
    assert done.returncode == exit_code, done.stderr
    sentence, hint = done.stderr.strip().splitlines()
    assert sentence.startswith("asana-mirror: ")
    assert hint.startswith("  hint: ")
    assert done.stdout == ""


def test_without_a_terminal_it_must_be_told_yes(office: Office) -> None:
    before = office.path.read_bytes()
    done = command(office.path, "--person", office.zoe)
    assert_refused(done, 2)
    assert "--yes" in done.stderr
    assert office.path.read_bytes() == before


def test_it_says_what_it_does_and_reports_to_programs(office: Office) -> None:
    address = f"https://app.asana.com/1/{office.world.workspaces[0]}/profile/{office.zoe}"
    project = _largest_project(office.path)
    task = value(office.path, "SELECT task_gid FROM task_projects WHERE project_gid = ?", project)
    place = f"https://app.asana.com/1/{office.world.workspaces[0]}/project/{project}/task/{task}?focus=true"
    done = command(office.path, "--person", address, "--project", place, "--yes", "--json")

    assert done.returncode == 0, done.stderr
    assert "1 users" in done.stderr
    report = json.loads(done.stdout)
    assert (report["people"], report["projects"]) == ([office.zoe], [project])
    assert report["rewritten"]["stories"] > 10
    assert NAME not in done.stdout + done.stderr
    assert remains_of(office.path, *office.traces) == []


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--person", "999"],
        ["--project", "999"],
        ["--person", "https://example.com/0/123"],
        ["--project", "the big one"],
        ["--tombstones-older-than", "soon"],
    ],
)
def test_what_it_cannot_do_is_one_sentence_and_one_hint(office: Office, arguments: list[str]) -> None:
    before = office.path.read_bytes()
    assert_refused(command(office.path, "--yes", *arguments), 2)
    assert office.path.read_bytes() == before


def test_it_says_that_a_project_comes_back(office: Office) -> None:
    done = command(office.path, "--project", _largest_project(office.path), "--yes")
    assert done.returncode == 0, done.stderr
    assert "comes back with the next sync" in done.stdout


def test_a_config_file_names_the_mirror_but_nobody_to_purge(office: Office) -> None:
    config = office.path.parent / "asana-mirror.toml"
    config.write_text(f'[purge]\nperson = ["{office.zoe}"]\n')
    assert_refused(command(office.path, "--yes"), 2)
    config.unlink()
    assert differences(office.world, office.path) == []


def test_a_mirror_that_a_run_holds_is_left_alone(office: Office) -> None:
    before = office.path.read_bytes()
    with hold(office.path):
        assert_refused(command(office.path, "--person", office.zoe, "--yes"), 5)
    assert office.path.read_bytes() == before


def test_there_must_be_a_mirror(tmp_path: Path) -> None:
    assert_refused(command(tmp_path / "none.db", "--person", "1", "--yes"), 2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("answer", "exit_code"), [("n\n", 130), ("y\n", 0)])
def test_on_a_terminal_it_asks(office: Office, answer: str, exit_code: int) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    done = subprocess.run(
        [sys.executable, "-m", "asana_mirror", "purge", str(office.path), "--person", office.zoe],
        stdin=theirs,
        capture_output=True,
        text=True,
        timeout=60,
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == exit_code, done.stderr
    assert "1 users" in done.stderr
    assert bool(remains_of(office.path, NAME)) is (answer == "n\n")

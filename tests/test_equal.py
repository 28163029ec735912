"""After one run the mirror says what Asana says: every row, every column, every link."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from truth import (
    LINKS,
    ORDERED_WITHIN,
    RESOURCES,
    differences,
    expected,
    fields_without_a_place,
    living,
    sound,
    unsound,
)
from worlds import Mirrored, mirrored, rows, value

from asana_mirror.sandbox import Limits, World, generate

WORLDS = {
    "a small office": {"seed": 1, "tasks": 400},
    "another one": {"seed": 2, "tasks": 400, "users": 40},
    "one with many projects": {"seed": 3, "tasks": 400, "projects": 60},
    "two workspaces": {"seed": 4, "tasks": 400, "workspaces": 2},
    "the free plan": {"seed": 5, "tasks": 400, "plan": "free"},
    "much talk": {"seed": 6, "tasks": 60, "stories_per_task": 60.0},
    "hardly anything": {"seed": 7, "tasks": 3, "agents": 0, "tags": 0},
    "nothing at all": {"seed": 8, "tasks": 0},
}


@pytest.mark.parametrize("arguments", WORLDS.values(), ids=WORLDS)
def test_a_first_run_makes_mirror_and_asana_equal(tmp_path: Path, arguments: dict) -> None:
    world = generate(**arguments)
    both = mirrored(tmp_path, world, Limits(premium=world.plan != "free"))

    assert differences(world, both.path) == []
    assert unsound(both.path) == []


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Mirrored:
    """By the token of a service account, which is shown the audit log as well."""
    world = generate(9, 300, workspaces=2, agents=4)
    return mirrored(tmp_path_factory.mktemp("office"), world, token=world.tokens["service"])


def test_no_living_row_is_one_that_no_list_shows(office: Mirrored) -> None:
    assert set(living(office.path, "tasks")) == office.world.reachable_tasks()


def test_every_field_that_asana_gives_has_a_place(office: Mirrored) -> None:
    assert fields_without_a_place(office.world, office.path) == set()


def test_everybody_and_everything_that_a_row_names_has_a_row(office: Mirrored) -> None:
    with closing(sqlite3.connect(office.path)) as db:
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        declared = {
            (table, column): other
            for table in (*RESOURCES, *LINKS)
            for _, _, other, column, *_ in db.execute(f"PRAGMA foreign_key_list({table})")
        }
    assert declared["tasks", "assignee_gid"] == "actors"
    assert declared["stories", "created_by_gid"] == "actors"
    assert declared["task_dependencies", "depends_on_gid"] == "tasks"


@pytest.mark.parametrize(
    "found",
    [
        "SELECT count(*) FROM tasks JOIN agents ON agents.gid = assignee_gid",
        "SELECT count(*) FROM tasks JOIN agents ON agents.gid = tasks.created_by_gid",
        "SELECT count(*) FROM stories JOIN agents ON agents.gid = stories.created_by_gid",
        "SELECT count(*) FROM task_followers JOIN agents ON agents.gid = actor_gid",
        "SELECT count(*) FROM task_likes JOIN agents ON agents.gid = actor_gid",
        "SELECT count(*) FROM story_likes JOIN agents ON agents.gid = actor_gid",
    ],
)
def test_agents_stand_wherever_people_do(office: Mirrored, found: str) -> None:
    assert value(office.path, found) > 0


def test_large_gids_keep_every_digit(office: Mirrored) -> None:
    large = {gid for gid in office.world.reachable_tasks() if int(gid) > 2**53}

    kept = {row["gid"] for row in rows(office.path, "SELECT gid FROM tasks WHERE length(gid) > 16")}
    assert large
    assert kept == large
    assert value(office.path, "SELECT count(*) FROM tasks WHERE typeof(gid) <> 'text'") == 0


def _awkward(world: World, both: Mirrored) -> dict[str, str]:
    """Tasks with contents that break careless code; by what is awkward in them."""
    project = next(world.iter_records("projects"))["gid"]
    notes = {
        "emoji": "👩🏽‍💻 🏳️‍🌈 e\u0301 é \u200d",
        "right to left": "مرحبا \u202eעולם\u202c abc",
        "long": ("Ünïcödé 漢字 " * 6000)[:60_000],
        "empty": "",
        "quotes": "'; DROP TABLE tasks; -- \" ` \\ %s {} \\u0000",
        "lines": "a\r\nb\nc\r\td\u2028e",
        "markup": "<a href='x'>&amp;</a> ]]>",
    }
    return {
        what: both.write("POST", "/tasks", name=f"{what} {text[:100]}", notes=text, projects=[project])["gid"]
        for what, text in notes.items()
    }


def test_awkward_contents_arrive_unchanged(tmp_path: Path) -> None:
    world = generate(10, 60)
    both = mirrored(tmp_path, world)
    gids = _awkward(world, both)
    first_run = Mirrored(world, both.app, tmp_path / "first.db")
    first_run.sync()
    both.sync()

    for path in (both.path, first_run.path):
        assert differences(world, path) == []
        assert sound(path)
        assert len(value(path, "SELECT notes FROM tasks WHERE gid = ?", gids["long"])) == 60_000
    found = rows(both.path, "SELECT gid FROM tasks WHERE rowid IN (SELECT rowid FROM tasks_fts('漢字'))")
    assert [row["gid"] for row in found] == [gids["long"]]


def test_agents_as_members_and_followers_and_emptied_fields_arrive(tmp_path: Path) -> None:
    world = generate(11, 80)
    both = mirrored(tmp_path, world)
    agent = next(world.iter_records("agents"))["gid"]
    project = next(world.iter_records("projects"))["gid"]
    both.write("POST", f"/projects/{project}/addMembers", members=[agent])
    both.write("POST", f"/projects/{project}/addFollowers", followers=[agent])
    task = both.write("POST", "/tasks", name="", projects=[project], assignee=agent)["gid"]
    both.write("POST", f"/tasks/{task}/addFollowers", followers=[agent])
    both.write("PUT", f"/projects/{project}", owner=None, notes="", color=None, due_on=None)
    both.sync()

    assert differences(world, both.path) == []
    assert {"project_gid": project, "actor_gid": agent} in map(
        dict, rows(both.path, "SELECT * FROM project_members")
    )
    assert both.row("tasks", task)["assignee_gid"] == agent
    assert both.row("projects", project)["owner_gid"] is None


# -- the comparison itself ----------------------------------------------------------------------------


@pytest.fixture
def copy(office: Mirrored, tmp_path: Path) -> Path:
    """A mirror that may be spoiled."""
    path = tmp_path / "spoiled.db"
    shutil.copy(office.path, path)
    with closing(sqlite3.connect(path)) as db, db:
        for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {trigger}")
    return path


def _spoil_every_column(path: Path, table: str) -> set[str]:
    """Change one value of each column that is no key and no position, a filled one where there is one."""
    alive = "" if table in LINKS else "WHERE _synced_at IS NOT NULL AND _deleted_at IS NULL"
    spoiled = set()
    with closing(sqlite3.connect(path)) as db, db:
        columns = db.execute(f"PRAGMA table_info({table})").fetchall()
        keys = ", ".join(name for _, name, *_, key in columns if key)
        for _, column, kind, *_, key in columns:
            if key or column[0] == "_" or column == "position":
                continue
            one = f"({keys}) = (SELECT {keys} FROM {table} {alive} ORDER BY {column} IS NULL LIMIT 1)"
            worse = f"coalesce({column}, {'0' if kind != 'TEXT' else repr('')})"
            worse += " || '7'" if kind == "TEXT" else " + 7"
            if db.execute(f"UPDATE {table} SET {column} = {worse} WHERE {one}").rowcount:
                spoiled.add(column)
    return spoiled


@pytest.mark.parametrize("table", [*RESOURCES, *LINKS])
def test_the_comparison_sees_a_wrong_value_in_any_column(office: Mirrored, copy: Path, table: str) -> None:
    """Were a column not compared, equality would mean little."""
    spoiled = _spoil_every_column(copy, table)

    lines = [line for line in differences(office.world, copy, service=True) if line.startswith(f"{table} ")]
    assert {column for column in spoiled if any(f" {column}: " in line for line in lines)} == spoiled


@pytest.mark.parametrize("table", ORDERED_WITHIN)
def test_the_comparison_sees_a_wrong_order(office: Mirrored, copy: Path, table: str) -> None:
    with closing(sqlite3.connect(copy)) as db, db:
        db.execute(f"UPDATE {table} SET position = -1 WHERE position = 1")
    assert differences(office.world, copy, service=True)


@pytest.mark.parametrize("table", sorted({*RESOURCES, *LINKS} - {"user_custom_fields"}))
def test_the_comparison_sees_a_row_too_few(office: Mirrored, copy: Path, table: str) -> None:
    _, owner, other = LINKS.get(table, ("", "gid", "gid"))
    alive = "" if table in LINKS else "WHERE _synced_at IS NOT NULL AND _deleted_at IS NULL"
    with closing(sqlite3.connect(copy)) as db, db:
        one = f"SELECT {owner}, {other} FROM {table} {alive} LIMIT 1"
        db.execute(f"DELETE FROM {table} WHERE ({owner}, {other}) = ({one})")
    assert any(
        f"{table} " in line and "only in Asana" in line
        for line in differences(office.world, copy, service=True)
    )


def test_what_is_expected_is_not_empty(office: Mirrored) -> None:
    assert {table for table, found in expected(office.world, service=True).items() if not found} == {
        "user_custom_fields"
    }

"""The mirror's file: its steps, its upgrade, and how a file that is no mirror is recognised."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from asana_mirror.catalog import RESOURCES
from asana_mirror.errors import MirrorTooNew, NotAMirror
from asana_mirror.schema_files import schema_folder
from asana_mirror.store import Mirror, check_mirror, opening
from asana_mirror.store.current import current_schema

BOOKKEEPING = {"_synced_at", "_changed_run", "_deleted_at", "_deleted_reason", "_extra"}


@pytest.fixture
def fresh(tmp_path: Path) -> sqlite3.Connection:
    path = tmp_path / "fresh.db"
    Mirror(path).close()
    return sqlite3.connect(path)


def columns(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    return {row[1]: row[2] for row in connection.execute(f"PRAGMA table_info({table})")}


def test_the_readable_sum_of_the_schema_is_true() -> None:
    """Made again with: python -m asana_mirror.store.current"""
    assert (schema_folder() / "current.sql").read_text(encoding="utf-8") == current_schema()


@pytest.mark.parametrize("name", RESOURCES)
def test_catalog_and_table_agree(fresh: sqlite3.Connection, name: str) -> None:
    resource = RESOURCES[name]
    assert set(columns(fresh, name)) == {"gid", *resource.column_names(), *BOOKKEEPING}
    types = {"text": "TEXT", "json": "TEXT", "integer": "INTEGER", "boolean": "INTEGER", "real": "REAL"}
    assert {c.name: types[c.type] for c in resource.columns}.items() <= columns(fresh, name).items()
    for links in resource.links:
        known = set(columns(fresh, links.table))
        assert known - {"position"} == {links.owner, *links.columns}


def test_every_reference_is_a_foreign_key_to_its_table(fresh: sqlite3.Connection) -> None:
    for resource in RESOURCES.values():
        declared = {row[3]: row[2] for row in fresh.execute(f"PRAGMA foreign_key_list({resource.name})")}
        for reference in resource.references:
            assert declared[reference.column] == reference.table


def test_users_and_agents_are_actors(fresh: sqlite3.Connection) -> None:
    for table in ("users", "agents"):
        keys = {row[3]: row[2] for row in fresh.execute(f"PRAGMA foreign_key_list({table})")}
        assert keys["gid"] == "actors"


def test_every_table_is_strict(fresh: sqlite3.Connection) -> None:
    loose = [
        row[1]
        for row in fresh.execute("PRAGMA table_list")
        if row[0] == "main" and row[2] == "table" and not row[5] and not row[1].startswith("sqlite_")
    ]
    assert loose == []


def test_a_new_mirror_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "asana.db"
    Mirror(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_mirror_of_an_older_step_upgrades_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "asana.db"
    mirror = Mirror(path)
    mirror.db.execute("INSERT INTO actors (gid, type, name) VALUES ('1', 'user', 'Ana')")
    mirror.db.conn.commit()
    mirror.close()
    version = len(opening.steps()) + 1
    later = tmp_path / f"{version:04}_later.sql"
    later.write_text("ALTER TABLE tasks ADD COLUMN later TEXT;", encoding="utf-8")
    steps = [*opening.steps(), later]
    monkeypatch.setattr(opening, "steps", lambda: steps)
    upgraded = Mirror(path)
    assert upgraded.db.execute("PRAGMA user_version").fetchone() == (version,)
    assert upgraded.db.execute("SELECT later FROM tasks").fetchall() == []
    assert upgraded.db.execute("SELECT name FROM actors").fetchall() == [("Ana",)]
    assert "open_tasks" in upgraded.db.view_names()


def test_a_step_that_fails_leaves_the_mirror_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "asana.db"
    Mirror(path).close()
    version = len(opening.steps())
    broken = tmp_path / f"{version + 1:04}_broken.sql"
    broken.write_text("CREATE TABLE half (a TEXT); CREATE TABLE tasks (a TEXT);", encoding="utf-8")
    steps = [*opening.steps(), broken]
    monkeypatch.setattr(opening, "steps", lambda: steps)
    with pytest.raises(sqlite3.OperationalError):
        opening.migrate(opening.Database(sqlite3.connect(path)))
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (version,)
    assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'half'").fetchone() is None


def test_a_mirror_newer_than_the_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "asana.db"
    Mirror(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(MirrorTooNew, match="newer asana-mirror"):
        check_mirror(path)


@pytest.mark.parametrize(
    "content", [b"hello, this is no database at all", b"SQLite format 3\x00" + b"x" * 5000]
)
def test_a_file_that_is_not_sqlite_is_refused_untouched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(NotAMirror):
        check_mirror(path)
    assert path.read_bytes() == content
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_a_sqlite_file_of_something_else_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE invoices (id INTEGER)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(NotAMirror, match="something else"):
        check_mirror(path)
    assert path.read_bytes() == before


def test_search_follows_changes(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "asana.db")
    db = mirror.db
    db.execute("INSERT INTO tasks (gid, name, notes) VALUES ('1', 'Paint the fence', 'blue')")
    db.execute("UPDATE tasks SET notes = 'green' WHERE gid = '1'")
    found = "SELECT name FROM tasks WHERE rowid IN (SELECT rowid FROM tasks_fts WHERE tasks_fts MATCH ?)"
    assert db.execute(found, ["green"]).fetchall() == [("Paint the fence",)]
    assert db.execute(found, ["blue"]).fetchall() == []


def test_search_that_was_put_off_is_rebuilt(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "asana.db")
    mirror.search.put_off()
    with mirror.atomic():
        mirror.db.execute("INSERT INTO stories (gid, text) VALUES ('1', 'a short walk')")
    found = "SELECT rowid FROM stories_fts WHERE stories_fts MATCH 'walk'"
    assert mirror.db.execute(found).fetchall() == []
    mirror.search.catch_up()
    assert len(mirror.db.execute(found).fetchall()) == 1
    with mirror.atomic():
        mirror.db.execute("INSERT INTO stories (gid, text) VALUES ('2', 'a long walk')")
    assert len(mirror.db.execute(found).fetchall()) == 2

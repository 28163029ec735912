"""Browsing a mirror through Datasette: every page answers, names show, a sync may write meanwhile."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from asana_mirror.browse import datasette_for, serve
from asana_mirror.browse.describe import descriptions
from asana_mirror.browse.open_mirror import close
from asana_mirror.errors import NotAMirror, WrongUsage
from asana_mirror.schema_files import schema_folder
from asana_mirror.store import Mirror

SYNCED = "2026-11-01T00:00:00.000Z"
ROWS = f"""
INSERT INTO actors VALUES ('ada', 'user', 'Ada Byron'), ('bot', 'agent', 'Bot');
INSERT INTO projects (gid, name, owner_gid, _synced_at) VALUES ('p', 'Launch', 'ada', '{SYNCED}');
INSERT INTO sections (gid, name, project_gid, _synced_at) VALUES ('s', 'To do', 'p', '{SYNCED}');
INSERT INTO tasks (gid, name, notes, completed, assignee_gid, due_on, modified_at, _synced_at, _deleted_at)
VALUES
    ('t1', 'Write <b>offer</b>', 'for the bakery', 0, 'ada', '2020-01-01', '{SYNCED}', '{SYNCED}', NULL),
    ('t2', 'Bake', 'bread', 0, 'bot', NULL, '{SYNCED}', '{SYNCED}', NULL),
    ('t3', 'Gone', NULL, 0, 'ada', NULL, '{SYNCED}', '{SYNCED}', '{SYNCED}');
INSERT INTO task_projects VALUES ('t1', 'p', 's', 0);
INSERT INTO stories (gid, type, text, target_gid, target_type, created_by_gid, created_at, _synced_at)
    VALUES ('c', 'comment', 'who eats croissants?', 't1', 'task', 'bot', '{SYNCED}', '{SYNCED}');
"""


def make_mirror(path: Path) -> Path:
    Mirror(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(ROWS)
        connection.commit()
    return path


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_mirror(tmp_path_factory.mktemp("browse") / "asana.db")


def read(mirror: Path, *paths: str) -> list[httpx.Response]:
    """Ask one Datasette for some paths below the database."""

    async def ask() -> list[httpx.Response]:
        datasette = datasette_for(mirror)
        (name,) = [name for name in datasette.databases if name != "_internal"]
        start = datasette.urls.database(name)
        try:
            return [await datasette.client.get(start + path) for path in paths]
        finally:
            close(datasette)

    return asyncio.run(ask())


def page(mirror: Path, path: str) -> str:
    (response,) = read(mirror, path)
    assert response.status_code == 200, response.text[:500]
    return response.text


def rows(mirror: Path, path: str) -> list[dict[str, Any]]:
    (response,) = read(mirror, path)
    assert response.status_code == 200, response.text[:500]
    found: list[dict[str, Any]] = response.json()
    return found


def names(mirror: Path, *kinds: str) -> set[str]:
    with closing(sqlite3.connect(mirror)) as connection:
        found = connection.execute("SELECT type, name FROM sqlite_master").fetchall()
    return {name for kind, name in found if kind in kinds and "_fts" not in name and "sqlite_" not in name}


def columns(mirror: Path) -> dict[str, set[str]]:
    with closing(sqlite3.connect(mirror)) as connection:
        found = connection.execute(
            "SELECT m.name, c.name FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c"
        ).fetchall()
    return {name: {column for owner, column in found if owner == name} for name, _ in found}


def test_every_table_and_view_answers(mirror: Path) -> None:
    found = sorted(names(mirror, "table", "view"))
    paths = [f"/{name}{ending}" for name in found for ending in ("", ".json")]
    answers = read(mirror, "", *paths)
    refused = {str(a.url): a.text[-300:] for a in answers if a.status_code != 200 or "timed out" in a.text}
    assert refused == {}


def test_every_query_answers(mirror: Path) -> None:
    queries = descriptions()["queries"]
    paths = [f"/{name}{given}" for name in queries for given in ("", "?assignee=ada&days=9999&project=L")]
    for path, answer in zip(paths, read(mirror, *paths), strict=True):
        assert answer.status_code == 200, path
        assert "no such" not in answer.text, path
    (row,) = rows(mirror, "/overdue_by_assignee.json?assignee=byron&_shape=array")
    assert row["name"] == "Write <b>offer</b>"
    assert rows(mirror, "/overdue_by_assignee.json?assignee=bot&_shape=array") == []


def test_everything_is_described_and_nothing_else(mirror: Path) -> None:
    tables = descriptions()["tables"]
    assert set(tables) == names(mirror, "table", "view")
    assert [name for name, entry in tables.items() if not entry.get("description")] == []


def test_descriptions_name_columns_that_exist(mirror: Path) -> None:
    held = columns(mirror)
    for name, entry in descriptions()["tables"].items():
        named = {*entry.get("facets", []), *entry.get("units", {}), *entry.get("columns", {})}
        named |= {entry[key] for key in ("sort", "sort_desc", "label_column") if key in entry}
        named |= set(entry.get("plugins", {}).get("asana-mirror", {}))
        assert named <= held[name], name
        assert entry.get("fts_table", "tasks_fts") in held, name


def test_every_gid_of_a_view_leads_somewhere(mirror: Path) -> None:
    held, tables = columns(mirror), descriptions()["tables"]
    for view in names(mirror, "view"):
        links = tables[view].get("plugins", {}).get("asana-mirror", {})
        gids = {column for column in held[view] if column.endswith("gid")}
        beside_their_kind = {gid for gid in gids if gid.removesuffix("_gid") + "_type" in held[view]}
        assert gids - beside_their_kind <= set(links) <= gids, view
        assert {place for place in links.values() if not place.startswith("[")} <= set(tables), view


def test_foreign_keys_show_names(mirror: Path) -> None:
    text = page(mirror, "/tasks")
    assert '<a href="/asana/actors/ada">Ada Byron</a>' in text
    assert '<a href="/asana/sections/s">To do</a>' in page(mirror, "/task_projects")


def test_every_table_that_keys_lead_to_has_a_label(mirror: Path) -> None:
    with closing(sqlite3.connect(mirror)) as connection:
        led_to = connection.execute(
            'SELECT DISTINCT k."table" FROM sqlite_master AS m JOIN pragma_foreign_key_list(m.name) AS k'
        ).fetchall()
    tables, held = descriptions()["tables"], columns(mirror)
    nameable = {name for (name,) in led_to if held[name] & {"name", "title", "text"}}
    assert {name for name in nameable if "label_column" not in tables[name]} == set()


def test_gids_of_views_are_links_and_names_are_escaped(mirror: Path) -> None:
    text = page(mirror, "/open_tasks")
    assert '<a href="/asana/tasks/t1">t1</a>' in text
    assert '<a href="/asana/actors/ada">ada</a>' in text
    assert "<b>offer</b>" not in text


def test_gids_of_several_kinds_are_links(mirror: Path) -> None:
    assert '<a href="/asana/tasks/t1">t1</a>' in page(mirror, "/stories")
    assert '<a href="/asana/tasks/t3">t3</a>' in page(mirror, "/tombstones")


@pytest.mark.parametrize(
    ("where", "words", "found"),
    [
        ("tasks", "bakery", ["t1"]),
        ("stories", "croissants", ["c"]),
        ("projects", "launch", ["p"]),
        ("open_tasks", "bread", ["t2"]),
        ("overdue_tasks", "bakery", ["t1"]),
        ("task_details", "gone", []),
        ("comments", "croissants", ["c"]),
    ],
)
def test_search_finds(mirror: Path, where: str, words: str, found: list[str]) -> None:
    assert 'name="_search"' in page(mirror, f"/{where}")
    assert [row["gid"] for row in rows(mirror, f"/{where}.json?_shape=array&_search={words}")] == found


def test_the_style_of_pages_is_served(mirror: Path) -> None:
    async def ask() -> int:
        datasette = datasette_for(mirror)
        try:
            (href,) = re.findall(r'href="(\S+browse\.css)"', (await datasette.client.get("/")).text)
            return (await datasette.client.get(href)).status_code
        finally:
            close(datasette)

    assert asyncio.run(ask()) == 200


def test_the_first_page_leads_to_the_views_and_hides_the_state_of_walks(mirror: Path) -> None:
    text = page(mirror, "")
    assert '<a href="asana/open_tasks">Open tasks</a>' in text
    assert 'href="/asana/sync_runs"' in text
    assert 'href="/asana/sync_seen"' not in text


@pytest.mark.parametrize(
    "name",
    ["my mirror.db", "a.b.c.sqlite", "50% #1?.db", "Über–Größe 测试.db", "_internal.db", "noending", ".db"],
)
def test_any_file_name_will_do(tmp_path: Path, name: str) -> None:
    mirror = make_mirror(tmp_path / name)
    assert [row["gid"] for row in rows(mirror, "/overdue_tasks.json?_shape=array")] == ["t1"]
    first = page(mirror, "")
    (href,) = re.findall(r'<a href="([^"]+)">Overdue tasks</a>', first)
    assert "Open tasks whose due day" in page(mirror, f"/{href.rpartition('/')[2]}")


def test_what_is_no_mirror_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="no mirror at"):
        datasette_for(tmp_path / "missing.db")
    (tmp_path / "text.db").write_text("not a database, but long enough to be read as one" * 9)
    with pytest.raises(NotAMirror):
        datasette_for(tmp_path / "text.db")
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE tasks (id)")
    with pytest.raises(NotAMirror, match="not a mirror of Asana"):
        datasette_for(tmp_path / "other.db")


def test_browsing_cannot_write(mirror: Path) -> None:
    async def write() -> None:
        datasette = datasette_for(mirror)
        try:
            await datasette.get_database("asana").execute_write("DELETE FROM tasks")
        finally:
            close(datasette)

    with pytest.raises(PermissionError):
        asyncio.run(write())
    (refused,) = read(mirror, "?sql=delete+from+tasks")
    assert refused.status_code == 400


def test_a_taken_port_is_told_in_a_sentence(mirror: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(WrongUsage, match=f"Port {port} of 127.0.0.1 is taken") as refusal:
            serve(mirror, port=port)
    assert "--port" in refusal.value.hint
    with pytest.raises(WrongUsage, match="Cannot listen on"):
        serve(mirror, host="256.1.1.1", port=0)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str, subprocess.Popen[str]]]:
    """A mirror served by a process of its own on a free port."""
    mirror = make_mirror(tmp_path / "live mirror.db")
    code = "import sys, pathlib, asana_mirror.browse as b; b.serve(pathlib.Path(sys.argv[1]), port=0)"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(mirror)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=schema_folder().parent,
    )  # fmt: skip
    try:
        assert process.stdout
        line = process.stdout.readline()
        url = re.search(r"http://\S+", line)
        assert url, line + (process.stderr.read() if process.stderr and not line else "")
        yield mirror, url[0], process
    finally:
        process.kill()
        process.communicate()


def test_pages_follow_a_sync_that_writes_meanwhile(served: tuple[Path, str, subprocess.Popen[str]]) -> None:
    mirror, url, _ = served
    with closing(sqlite3.connect(mirror, isolation_level=None)) as writer, httpx.Client() as client:
        insert = f"INSERT INTO tasks (gid, name, completed, _synced_at) VALUES (?, 'New', 0, '{SYNCED}')"
        for number in range(5):
            writer.execute("BEGIN IMMEDIATE")
            writer.execute(insert, [f"new{number}"])
            during = client.get(f"{url}/open_tasks.json?name=New&_shape=array")
            writer.execute("COMMIT")
            after = client.get(f"{url}/open_tasks.json?name=New&_shape=array")
            assert (len(during.json()), len(after.json())) == (number, number + 1)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(
    served: tuple[Path, str, subprocess.Popen[str]], stop: signal.Signals
) -> None:
    _, url, process = served
    with httpx.Client() as client:
        assert client.get(url).status_code == 200
        process.send_signal(stop)  # while a connection is kept alive
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "", "")

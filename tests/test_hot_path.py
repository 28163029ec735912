"""What a page costs, held by counting: statements of SQLite, transactions, and what need not be asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from worlds import Listener, mirror

from asana_mirror.group_commit import GroupCommit
from asana_mirror.plan import PAGE
from asana_mirror.sandbox import Limits, create_app, generate
from asana_mirror.store import Mirror
from asana_mirror.store.memory import WATCHED, Memory
from asana_mirror.words import Batch, Wish, step_named

TASKS = 300
NOW = "2026-01-01T00:00:00.000Z"


@pytest.fixture
def opened(tmp_path: Path) -> Any:
    made = Mirror(tmp_path / "asana.db")
    yield made
    made.close()


def statements_of(mirror_: Mirror, work: Callable[[], Any]) -> list[str]:
    heard: list[str] = []
    mirror_.db.conn.set_trace_callback(heard.append)
    try:
        work()
    finally:
        mirror_.db.conn.set_trace_callback(None)
    return heard


# -- a first walk -------------------------------------------------------------------------------------


def test_a_page_of_a_first_walk_takes_few_statements(tmp_path: Path) -> None:
    """A handful in place of 26: what the page brings, where it stands, and its checkpoint."""
    world = generate(tasks=TASKS)
    app = Listener(create_app(world, limits=Limits(premium=False)))
    heard: list[str] = []
    real = Mirror.__init__

    def listened(self: Mirror, *arguments: Any, **named: Any) -> None:
        real(self, *arguments, **named)
        self.db.conn.set_trace_callback(heard.append)

    with patch.object(Mirror, "__init__", listened):
        mirror(world, tmp_path / "asana.db", app)
    # For many rows the same statement is told once for each.
    statements = [sql for sql, _ in groupby(heard, key=lambda sql: sql[:40])]
    assert len(statements) < 8 * len(app.requests)
    asked = [sql for sql in heard if sql.startswith("SELECT")]
    assert len(asked) < 3 * len(app.requests)
    for table in ("sync_excluded", "sync_inbox", "sync_purged", "sync_undecoded"):
        looks = [sql for sql in asked if f"FROM {table} LIMIT 1" in sql]
        assert len(looks) < len(app.requests) / 50
    assert heard.count("COMMIT") < len(app.requests) / 8


# -- groups -------------------------------------------------------------------------------------------


def groups_of(opened: Mirror, sizes: list[int], others: int) -> list[list[int]]:
    """Which writes share a transaction, if all are asked for in the same turn of the loop."""
    groups: list[list[int]] = []
    real = Mirror.atomic

    def counted(self: Mirror) -> Any:
        groups.append([])
        return real(self)

    async def write_all() -> None:
        commits = GroupCommit(opened, lambda: others)

        async def one(size: int) -> None:
            await commits.write(lambda: groups[-1].append(size), size)

        await asyncio.gather(*map(one, sizes))

    with patch.object(Mirror, "atomic", counted):
        asyncio.run(write_all())
    return groups


@pytest.mark.parametrize("others", [0, 45])
def test_no_transaction_holds_more_than_a_page_s_worth(opened: Mirror, others: int) -> None:
    sizes = [5, 0, 100, 3, 60, 50, 1, 100, 100, 7]
    groups = groups_of(opened, sizes, others)
    assert [size for group in groups for size in group] == sizes
    assert all(sum(group) <= PAGE for group in groups)
    assert [5, 0] in groups
    assert [100] in groups


def test_small_pages_share_a_transaction(opened: Mirror) -> None:
    assert groups_of(opened, [4] * 20, others=45) == [[4] * 20]


def test_whoever_is_alone_waits_for_nobody(opened: Mirror) -> None:
    """With a time to gather that would never end."""
    with patch("asana_mirror.group_commit.GATHER_S", 1e6):
        assert groups_of(opened, [4], others=1) == [[4]]


def test_the_group_that_fails_takes_no_other_with_it(opened: Mirror) -> None:
    async def write_both() -> list[Any]:
        commits = GroupCommit(opened, lambda: 2)
        bad = commits.write(lambda: 1 / 0, PAGE)
        good = commits.write(lambda: "written", PAGE)
        return await asyncio.gather(bad, good, return_exceptions=True)

    failed, written = asyncio.run(write_both())
    assert isinstance(failed, ZeroDivisionError)
    assert written == "written"


# -- what is remembered -------------------------------------------------------------------------------

_ROW = {
    "sync_excluded": "(resource, gid, why) VALUES ('tasks', '1', 'named')",
    "sync_inbox": "(resource, gid, to_read, deleted, anew, moves, placed) VALUES ('tasks', '1', 1, 0, 0, 0, 0)",
    "sync_missing": "(round, resource, gid, reason) VALUES (1, 'tasks', '1', 'gone')",
    "sync_problems": "(listing, message, since, last_seen_at, run_id) VALUES ('/x', '', '', '', 1)",
    "sync_purged": "(resource, gid, purged_at, salt, traces) VALUES ('actors', '1', '', '', '[]')",
    "sync_undecoded": "(resource, gid, listing, error, record, since, last_seen_at) "
    "VALUES ('tasks', '1', '', '', '', '', '')",
}


def fail_after(opened: Mirror, work: Callable[[], None]) -> None:
    """A transaction that is rolled back."""
    with opened.atomic():
        work()
        raise ZeroDivisionError


@pytest.mark.parametrize("table", WATCHED)
def test_emptiness_is_remembered_until_somebody_writes(opened: Mirror, table: str) -> None:
    memory = opened._memory
    assert memory.is_empty(table)
    assert statements_of(opened, lambda: memory.is_empty(table)) == []
    with opened.atomic():
        opened.db.execute(f"INSERT INTO {table} {_ROW[table]}")
        assert not memory.is_empty(table)
    assert not memory.is_empty(table)
    opened.db.execute(f"DELETE FROM {table}")
    assert memory.is_empty(table)


@pytest.mark.parametrize("table", WATCHED)
@pytest.mark.parametrize("within", [False, True], ids=["whole", "nested"])
def test_what_was_deleted_and_rolled_back_is_not_taken_for_empty(
    opened: Mirror, table: str, within: bool
) -> None:
    memory = opened._memory
    opened.db.execute(f"INSERT INTO {table} {_ROW[table]}")

    def delete_all() -> None:
        opened.db.execute(f"DELETE FROM {table}")
        assert memory.is_empty(table)

    def delete_and_fail() -> None:
        with pytest.raises(ZeroDivisionError):
            fail_after(opened, delete_all)

    if within:
        with opened.atomic():
            delete_and_fail()
            assert not memory.is_empty(table)
    else:
        delete_and_fail()
    assert not memory.is_empty(table)


def test_a_stub_that_was_rolled_back_is_written_again(opened: Mirror) -> None:
    batch = Batch(stubs={"tags": {"7": {"name": "urgent"}}}, actors={"8": ("user", "Ada")})

    def write() -> None:
        opened.pages.write(batch, run_id=1, now=NOW)

    with pytest.raises(ZeroDivisionError):
        fail_after(opened, write)
    with opened.atomic():
        write()
    assert opened.db.execute("SELECT name FROM tags WHERE gid = '7'").fetchall() == [("urgent",)]
    assert opened.db.execute("SELECT type, name FROM actors WHERE gid = '8'").fetchall() == [("user", "Ada")]
    with opened.atomic():
        assert statements_of(opened, write) == []


def test_a_stub_is_written_when_more_or_something_else_is_known_of_it(opened: Mirror) -> None:
    for known in ({}, {"name": "urgent"}, {}, {"name": "later"}, {"name": "urgent"}):
        with opened.atomic():
            opened.pages.write(Batch(stubs={"tags": {"7": known}}), run_id=1, now=NOW)
        found = opened.db.execute("SELECT name FROM tags WHERE gid = '7'").fetchone()[0]
        assert found == known.get("name", found)
    assert found == "urgent"


def test_what_was_remembered_of_people_is_forgotten_when_somebody_is_purged(opened: Mirror) -> None:
    batch = Batch(actors={"8": ("user", "Ada"), "9": ("user", "Bob")})
    with opened.atomic():
        opened.pages.write(batch, run_id=1, now=NOW)
        opened.purging.begin()
        opened.purging.person("8", now=NOW)
        opened.purging.erase()
    with opened.atomic():
        opened.pages.write(batch, run_id=1, now=NOW)
    names = dict(opened.db.execute("SELECT gid, name FROM actors").fetchall())
    assert names.get("8") is None
    assert names["9"] == "Bob"


def test_who_only_looks_remembers_nothing(opened: Mirror) -> None:
    """Another process may write meanwhile."""
    memory = Memory(opened.db)
    assert memory.is_empty("sync_inbox")
    opened.inbox.note([Wish("tasks", "1")])
    assert not memory.is_empty("sync_inbox")
    assert not memory.is_written("tags", "7", {})
    assert not memory.is_written("tags", "7", {})


def test_two_mirrors_one_after_the_other_are_both_right(tmp_path: Path) -> None:
    for expected in (True, False):
        one = Mirror(tmp_path / "asana.db")
        assert one.inbox.is_empty() is expected
        with one.atomic():
            one.inbox.note([Wish("tasks", "1")])
        assert not one.inbox.is_empty()
        one.close()


# -- what follows from a step -------------------------------------------------------------------------


def test_the_key_of_a_step_is_made_once_and_quotes_what_is_not_a_plain_gid() -> None:
    step = step_named("task_stories", "12")
    assert step.key is step.key
    assert step.key == "/tasks/12/stories"
    assert step_named("task_stories", "1/2?").key == "/tasks/1%2F2%3F/stories"
    assert step_named("task_stories", "\N{DIGIT ONE}²").key == "/tasks/1%C2%B2/stories"

"""What people browse: each view holds what its name promises, and only what lives."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from asana_mirror.schema_files import schema_folder, view_files

SYNCED = "2026-11-01T00:00:00.000Z"
NOW = datetime.now(UTC)


def at(days: float) -> str:
    return (NOW + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def on(days: float) -> str:
    return at(days)[:10]


class Mirror:
    """A mirror in memory, filled row by row."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:")
        self.connection.row_factory = sqlite3.Row
        self.connection.execute("PRAGMA foreign_keys = ON")
        for step in sorted(schema_folder().glob("[0-9]*.sql")):
            self.connection.executescript(step.read_text(encoding="utf-8"))
        for file in (schema_folder() / "search.sql", *view_files()):
            self.connection.executescript(file.read_text(encoding="utf-8"))

    def put(self, table: str, **values: Any) -> None:
        columns = ", ".join(values)
        marks = ", ".join("?" * len(values))
        self.connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", list(values.values()))

    def living(self, table: str, gid: str, **values: Any) -> None:
        self.put(table, gid=gid, _synced_at=SYNCED, **values)

    def task(self, gid: str, **values: Any) -> None:
        self.living("tasks", gid, **{"name": f"Task {gid}", "completed": 0, **values})

    def comment(self, gid: str, **values: Any) -> None:
        self.living("stories", gid, **{"type": "comment", "resource_subtype": "comment_added", **values})

    def rows(self, view: str, where: str = "1") -> list[dict[str, Any]]:
        return [dict(row) for row in self.connection.execute(f"SELECT * FROM {view} WHERE {where}")]

    def column(self, view: str, column: str = "gid", where: str = "1") -> list[Any]:
        return sorted(row[column] for row in self.rows(view, where))


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    """Ada is a user, Bot an agent, Cy has left; one project with two sections."""
    mirror = Mirror()
    mirror.living("workspaces", "w", name="Acme")
    for gid, kind, name in (("ada", "user", "Ada"), ("bot", "agent", "Bot"), ("cy", "user", "Cy")):
        mirror.put("actors", gid=gid, type=kind, name=name)
    mirror.living("users", "ada", name="Ada")
    mirror.living("agents", "bot", name="Bot")
    mirror.living("users", "cy", name="Cy", _deleted_at=SYNCED, _deleted_reason="gone")
    mirror.living("projects", "p", name="Launch", owner_gid="ada", archived=0)
    mirror.living("sections", "todo", name="To do", project_gid="p", position=0)
    mirror.living("sections", "done", name="Done", project_gid="p", position=1)
    yield mirror
    mirror.connection.close()


@pytest.fixture
def remains(mirror: Mirror) -> Mirror:
    """One living task, one tombstone and one stub, each with a comment, a move, a file, a field and links."""
    mirror.living("custom_fields", "f", name="Budget")
    mirror.task("alive", due_on=on(-3), resource_subtype="milestone", created_at=at(-9), modified_at=at(-1))
    mirror.task("dead", due_on=on(-3), resource_subtype="milestone", created_at=at(-9), _deleted_at=SYNCED)
    mirror.put("tasks", gid="stub", due_on=on(-3), resource_subtype="milestone", completed=0)
    for gid, bookkeeping in (
        ("alive", {"_synced_at": SYNCED}),
        ("dead", {"_synced_at": SYNCED, "_deleted_at": SYNCED}),
        ("stub", {}),
    ):
        mirror.put("tasks", gid=f"{gid}-child", name="c", completed=0, parent_gid=gid, **bookkeeping)
        mirror.put("stories", gid=f"{gid}-c", type="comment", target_gid="alive", text="hi", **bookkeeping)
        moved = {"resource_subtype": "section_changed", "target_gid": "alive"}
        mirror.put("stories", gid=f"{gid}-m", **moved, **bookkeeping)
        mirror.put("attachments", gid=f"{gid}-a", parent_gid="alive", parent_type="task", **bookkeeping)
        mirror.put("task_projects", task_gid=gid, project_gid="p", section_gid="todo")
        mirror.put("task_dependencies", task_gid=gid, depends_on_gid="alive-child")
        mirror.put("task_custom_fields", task_gid=gid, custom_field_gid="f", number_value=1.0)
    return mirror


def names_of_views() -> list[str]:
    text = (schema_folder() / "views.sql").read_text(encoding="utf-8")
    return re.findall(r"^CREATE VIEW (\w+)", text, re.M)


@pytest.mark.parametrize(
    ("view", "column", "expected"),
    [
        ("open_tasks", "gid", ["alive", "alive-child"]),
        ("overdue_tasks", "gid", ["alive"]),
        ("task_details", "gid", ["alive", "alive-child"]),
        ("milestones", "gid", ["alive"]),
        ("project_tasks", "task_gid", ["alive"]),
        ("blocked_tasks", "task_gid", ["alive"]),
        ("task_dependents", "dependent_gid", ["alive"]),
        ("subtask_tree", "gid", ["alive", "alive-child"]),
        ("comments", "gid", ["alive-c"]),
        ("section_moves", "gid", ["alive-m"]),
        ("task_attachments", "gid", ["alive-a"]),
        ("custom_field_values", "task_gid", ["alive"]),
        ("project_progress", "tasks", [1]),
        ("workload", "gid", ["ada", "bot"]),
        ("weekly_throughput", "created", [1]),
        ("tombstones", "gid", ["cy", "dead", "dead-a", "dead-c", "dead-child", "dead-m"]),
    ],
)
def test_only_the_living_show(remains: Mirror, view: str, column: str, expected: list[Any]) -> None:
    assert remains.column(view, column) == expected


def test_the_table_above_names_every_view() -> None:
    marks = test_only_the_living_show.pytestmark  # type: ignore[attr-defined]
    assert {case[0] for case in marks[0].args[1]} == set(names_of_views())


@pytest.mark.parametrize("file", view_files(), ids=lambda file: file.name)
def test_files_of_views_hold_views_only(file: Path) -> None:
    """They are executed again at every migration, after all views were dropped."""
    statements = re.sub(r"--[^\n]*", "", file.read_text(encoding="utf-8")).split(";")
    assert all(statement.strip().startswith("CREATE VIEW ") for statement in statements if statement.strip())


def test_every_table_that_keeps_tombstones_is_in_their_view(mirror: Mirror) -> None:
    keeping = mirror.connection.execute(
        "SELECT m.name FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c"
        " WHERE m.type = 'table' AND c.name = '_deleted_at'"
    ).fetchall()
    (sql,) = mirror.connection.execute("SELECT sql FROM sqlite_master WHERE name = 'tombstones'").fetchone()
    assert {row["name"] for row in keeping} == set(re.findall(r"SELECT '(\w+)'", sql))


def test_agents_stand_beside_users(mirror: Mirror) -> None:
    mirror.task("1", assignee_gid="ada")
    mirror.task("2", assignee_gid="bot", due_on=on(-1))
    mirror.comment("s", target_gid="1", created_by_gid="bot", text="done")
    assert mirror.column("open_tasks", "assignee_type") == ["agent", "user"]
    assert mirror.column("overdue_tasks", "assignee") == ["Bot"]
    assert mirror.column("comments", "author_type") == ["agent"]
    assert {(row["name"], row["type"], row["open"]) for row in mirror.rows("workload")} == {
        ("Ada", "user", 1),
        ("Bot", "agent", 1),
    }


def test_a_time_of_day_decides_what_is_overdue(mirror: Mirror) -> None:
    mirror.task("yesterday", due_on=on(-1))
    mirror.task("today", due_on=on(0))
    mirror.task("an hour ago", due_on=on(0), due_at=at(-0.04))
    mirror.task("still yesterday elsewhere", due_on=on(-1), due_at=at(0.04))
    mirror.task("never")
    mirror.task("finished", due_on=on(-5), completed=1)
    assert mirror.column("overdue_tasks") == ["an hour ago", "yesterday"]
    assert mirror.column("open_tasks", where="overdue = 1") == ["an hour ago", "yesterday"]


def test_days_overdue_count_from_the_end_of_the_day(mirror: Mirror) -> None:
    mirror.task("1", due_on=on(-1))
    mirror.task("2", due_on=on(-8))
    assert {row["gid"]: row["days_overdue"] for row in mirror.rows("overdue_tasks")} == {"1": 0, "2": 7}


def test_details_name_and_count_everything_around_a_task(mirror: Mirror) -> None:
    mirror.living("projects", "q", name="Second")
    mirror.living("tags", "g", name="urgent")
    mirror.task("above")
    mirror.task("1", assignee_gid="bot", parent_gid="above", created_by_gid="ada", notes="n")
    for project in ("p", "q"):
        mirror.put("task_projects", task_gid="1", project_gid=project)
    mirror.connection.execute("UPDATE task_projects SET section_gid = 'todo' WHERE project_gid = 'p'")
    mirror.put("task_tags", task_gid="1", tag_gid="g")
    mirror.put("task_followers", task_gid="1", actor_gid="ada")
    for gid, completed in (("open", 0), ("closed", 1)):
        mirror.task(gid, completed=completed)
        mirror.put("task_dependencies", task_gid="1", depends_on_gid=gid)
        mirror.put("task_dependencies", task_gid=gid, depends_on_gid="1")
        mirror.comment(f"on {gid}", target_gid="1")
    mirror.living("stories", "noise", type="system", target_gid="1")
    mirror.living("attachments", "a", parent_gid="1", parent_type="task")
    (row,) = mirror.rows("task_details", "gid = '1'")
    assert set(row["projects"].split(", ")) == {"Launch", "Second"}
    expected = {
        "assignee": "Bot", "assignee_type": "agent", "created_by": "Ada", "parent": "Task above",
        "sections": "To do", "tags": "urgent", "followers": "Ada", "num_comments": 2, "num_attachments": 1,
        "open_dependencies": 1, "open_dependents": 1,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected


def test_progress_counts_completed_open_and_overdue(mirror: Mirror) -> None:
    tasks = [(1, None), (0, on(-2)), (0, on(3)), (0, on(9))]
    for number, (completed, due_on) in enumerate(tasks):
        mirror.task(str(number), completed=completed, due_on=due_on)
        mirror.put("task_projects", task_gid=str(number), project_gid="p")
    mirror.task("elsewhere")
    mirror.living("projects", "empty", name="Empty")
    (row,) = mirror.rows("project_progress", "gid = 'p'")
    expected = {
        "owner": "Ada",
        "tasks": 4,
        "completed": 1,
        "open": 3,
        "overdue": 1,
        "percent_completed": 25.0,
    }
    assert {name: row[name] for name in expected} == expected
    assert row["next_due_on"] == on(3)
    (empty,) = mirror.rows("project_progress", "gid = 'empty'")
    assert (empty["tasks"], empty["percent_completed"]) == (0, None)


def test_workload_keeps_those_who_left_with_open_tasks(mirror: Mirror) -> None:
    assert "cy" not in mirror.column("workload")
    for number, due_on in enumerate((on(-1), on(2), on(30), None)):
        mirror.task(str(number), assignee_gid="cy", due_on=due_on)
    (row,) = mirror.rows("workload", "gid = 'cy'")
    counts = [row[n] for n in ("present", "open", "overdue", "due_in_7_days", "without_due_date")]
    assert counts == [0, 4, 1, 1, 1]


def test_blocked_tasks_tell_when_the_plan_cannot_hold(mirror: Mirror) -> None:
    mirror.task("waits", due_on=on(1), assignee_gid="ada")
    mirror.task("late", due_on=on(5), assignee_gid="bot")
    mirror.task("in time", due_on=on(0))
    mirror.task("closed", completed=1)
    for gid in ("late", "in time", "closed"):
        mirror.put("task_dependencies", task_gid="waits", depends_on_gid=gid)
    found = {row["depends_on_gid"]: row["late_by_plan"] for row in mirror.rows("blocked_tasks")}
    assert found == {"late": 1, "in time": 0}
    assert mirror.column("task_dependents", "task_gid") == ["closed", "in time", "late"]


def test_a_subtask_tree_has_depth_and_path(mirror: Mirror) -> None:
    mirror.task("a")
    mirror.task("b", parent_gid="a")
    mirror.task("c", parent_gid="b")
    mirror.task("alone")
    mirror.put("tasks", gid="unseen")
    mirror.task("below unseen", parent_gid="unseen")
    mirror.task("leaf", parent_gid="below unseen")
    found = {row["gid"]: (row["root_gid"], row["depth"]) for row in mirror.rows("subtask_tree")}
    assert found == {
        "a": ("a", 0), "b": ("a", 1), "c": ("a", 2),
        "below unseen": ("below unseen", 0), "leaf": ("below unseen", 1),
    }  # fmt: skip
    assert mirror.column("subtask_tree", "path", "gid = 'c'") == ["Task a › Task b › Task c"]


def test_section_moves_tell_how_long_it_stood_there(mirror: Mirror) -> None:
    mirror.task("1", created_at=at(-10))
    move = {"type": "system", "resource_subtype": "section_changed", "target_gid": "1"}
    ways = {"first": ("todo", "done", -7), "second": ("done", "todo", -6), "third": ("todo", "done", -2)}
    for gid, (old, new, day) in ways.items():
        ends = {"old_section_gid": old, "new_section_gid": new, "created_at": at(day)}
        mirror.living("stories", gid, **move, **ends, created_by_gid="ada")
    rows = {row["gid"]: row for row in mirror.rows("section_moves")}
    assert {gid: row["days_in_old_section"] for gid, row in rows.items()} == {
        "first": 3.0, "second": 1.0, "third": 4.0,
    }  # fmt: skip
    first = rows["first"]
    assert [first[n] for n in ("task", "project", "old_section", "new_section", "moved_by")] == [
        "Task 1", "Launch", "To do", "Done", "Ada",
    ]  # fmt: skip


def test_custom_field_values_read_as_words(mirror: Mirror) -> None:
    mirror.task("1")
    mirror.living("custom_fields", "spare", name="Spare")
    for option in ("o1", "o2"):
        mirror.living("enum_options", option, name=option.upper(), custom_field_gid="spare")
    values: dict[str, dict[str, Any]] = {
        "one": {"enum_option_gid": "o1", "display_value": "its old name"},
        "many": {"multi_enum_option_gids": '["o1", "o2"]', "display_value": "x"},
        "who": {"people_gids": '["ada", "bot"]', "display_value": "x"},
        "how much": {"number_value": 3.5, "display_value": "3.50 €"},
        "when": {"date_value": "2026-11-01"},
        "words": {"text_value": "free", "display_value": "free"},
        "no choice": {"multi_enum_option_gids": "[]", "people_gids": "[]"},
        "nothing": {},
    }
    for name, value in values.items():
        mirror.living("custom_fields", name, name=name)
        mirror.put("task_custom_fields", task_gid="1", custom_field_gid=name, **value)
    assert {row["custom_field"]: row["value"] for row in mirror.rows("custom_field_values")} == {
        "one": "O1", "many": "O1, O2", "who": "Ada, Bot",
        "how much": "3.50 €", "when": "2026-11-01", "words": "free",
    }  # fmt: skip


def test_weeks_begin_on_monday(mirror: Mirror) -> None:
    mirror.task(
        "1", created_at="2026-11-02T00:00:00.000Z", completed=1, completed_at="2026-11-09T01:00:00.000Z"
    )
    mirror.task("2", created_at="2026-11-08T23:59:59.000Z")
    assert mirror.rows("weekly_throughput") == [
        {"week_begins_on": "2026-11-02", "created": 2, "completed": 0},
        {"week_begins_on": "2026-11-09", "created": 0, "completed": 1},
    ]


def test_tombstones_say_what_when_and_why(mirror: Mirror) -> None:
    mirror.task("1", _deleted_at=SYNCED, _deleted_reason="access_lost")
    assert mirror.rows("tombstones", "resource = 'tasks'") == [
        {
            "resource": "tasks",
            "gid": "1",
            "name": "Task 1",
            "deleted_at": SYNCED,
            "deleted_reason": "access_lost",
        }
    ]


def test_rowids_of_views_are_those_of_the_search_index(mirror: Mirror) -> None:
    mirror.task("1", name="Nothing here")
    mirror.task("2", name="Crème brûlée")
    found = mirror.column(
        "task_details", where="rowid IN (SELECT rowid FROM tasks_fts WHERE tasks_fts MATCH 'creme')"
    )
    assert found == ["2"]

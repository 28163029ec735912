"""What people browse of goals, portfolios, time, money and access: right figures, and only what lives."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from test_views import SYNCED, Mirror, at, on
from test_views import mirror as mirror

from asana_mirror.browse.describe import descriptions
from asana_mirror.schema_files import description_files, schema_folder

BOOKKEEPINGS: dict[str, dict[str, str]] = {
    "alive": {"_synced_at": SYNCED},
    "dead": {"_synced_at": SYNCED, "_deleted_at": SYNCED},
    "stub": {},
}
MEMBERSHIPS = {
    "project": "projects", "portfolio": "portfolios", "goal": "goals",
    "custom_field": "custom_fields", "custom_type": "custom_types",
}  # fmt: skip


def goal(mirror: Mirror, gid: str, **metric: Any) -> dict[str, Any]:
    """The row of a goal with such a metric."""
    mirror.living("goals", gid, name=gid, metric=json.dumps(metric))
    (row,) = mirror.rows("goal_progress", f"gid = '{gid}'")
    return row


def below(mirror: Mirror, goal_gid: str, supporting: str, kind: str = "goal", **values: Any) -> None:
    """Let something support a goal."""
    subtype = "subgoal" if kind == "goal" else "supporting_work"
    about = {"resource_subtype": subtype, "supporting_resource_type": kind, "_synced_at": SYNCED}
    ends = {"supported_goal_gid": goal_gid, "supporting_resource_gid": supporting}
    mirror.put("goal_relationships", **{"gid": f"{goal_gid}<{supporting}", **ends, **about, **values})


def hold(mirror: Mirror, portfolio: str, *items: str) -> None:
    """Put projects and portfolios into a portfolio."""
    for position, item in enumerate(items):
        mirror.put("portfolio_items", portfolio_gid=portfolio, item_gid=item, position=position)


def names_of_views() -> list[str]:
    text = (schema_folder() / "views_plan.sql").read_text(encoding="utf-8")
    return re.findall(r"^CREATE VIEW (\w+)", text, re.M)


def put_remains(mirror: Mirror) -> None:
    """Of every kind of record one that lives, one tombstone and one stub, all of them about living things."""
    for gid, mark in BOOKKEEPINGS.items():
        mirror.put("goals", gid=gid, name=gid, **mark)
        below(mirror, "living", gid)
        below(mirror, gid, "living")
        below(mirror, "living", "link", gid=gid, **{"_synced_at": None, **mark})
        mirror.put("portfolios", gid=f"f-{gid}", **mark)
        mirror.put("projects", gid=f"p-{gid}", **mark)
        hold(mirror, f"f-{gid}", "p-living", f"p-{gid}")
        hold(mirror, "f-living", f"p-{gid}")
        mirror.put("status_updates", gid=gid, parent_gid="p", parent_type="project", **mark)
        mirror.put("time_tracking_entries", gid=gid, duration_minutes=60, entered_on="2026-11-02", **mark)
        mirror.put("timesheet_approval_statuses", gid=gid, **mark)
        for kind in MEMBERSHIPS:
            mirror.put(f"{kind}_memberships", gid=f"{kind}-{gid}", **mark)
        mirror.put("access_requests", gid=gid, approval_status="pending", **mark)
        for table in ("allocations", "ooo_entries", "budgets", "rates", "audit_log_events"):
            mirror.put(table, gid=gid, **mark)
        mirror.comment(f"s-{gid}", text="hi", **({"_deleted_at": SYNCED} if gid == "dead" else {}))
        mirror.put("reactions", gid=gid, target_gid="s-alive", target_type="story", **mark)
        mirror.living("reactions", f"{gid}-story", target_gid=f"s-{gid}", target_type="story")
        mirror.put("favorites", workspace_gid="w", item_gid=f"p-{gid}", item_type="project")


@pytest.mark.parametrize(
    ("view", "column", "expected"),
    [
        ("goal_progress", "gid", ["alive", "link", "living"]),
        ("goal_parents", "goal_gid", ["alive", "link", "living", "living"]),
        ("goal_support", "supporting_resource_gid", ["alive", "link", "living", "stub"]),
        ("portfolio_projects", "project_gid", ["p-alive", "p-alive", "p-living"]),
        ("status_history", "gid", ["alive"]),
        ("time_entered", "gid", ["alive"]),
        ("time_by_project", "hours", [1.0]),
        ("time_by_person", "hours", [1.0]),
        ("timesheets", "gid", ["alive"]),
        ("who_has_access", "gid", sorted(f"{kind}-alive" for kind in MEMBERSHIPS)),
        ("open_access_requests", "gid", ["alive"]),
        ("capacity", "gid", ["alive"]),
        ("out_of_office", "gid", ["alive"]),
        ("project_budgets", "gid", ["alive"]),
        ("rates_by_project", "gid", ["alive"]),
        ("reactions_given", "gid", ["alive", "alive-story", "stub-story"]),
        ("audit_log", "gid", ["alive"]),
        ("my_favorites", "item_gid", ["p-alive", "p-stub"]),
    ],
)
def test_only_the_living_show(mirror: Mirror, view: str, column: str, expected: list[Any]) -> None:
    """What links name may be a stub: it lives as far as anybody knows."""
    mirror.living("goals", "living")
    mirror.living("goals", "link")
    mirror.living("projects", "p-living")
    mirror.living("portfolios", "f-living")
    put_remains(mirror)
    assert mirror.column(view, column) == expected


def test_the_table_above_names_every_view() -> None:
    marks = test_only_the_living_show.pytestmark  # type: ignore[attr-defined]
    assert {case[0] for case in marks[0].args[1]} == set(names_of_views())


@pytest.mark.parametrize("mark", [BOOKKEEPINGS["dead"], BOOKKEEPINGS["stub"]], ids=["dead", "stub"])
def test_what_is_counted_and_compared_lives_too(mirror: Mirror, mark: dict[str, str]) -> None:
    mirror.living("goals", "g", name="Earn")
    mirror.living("goals", "above", name="Above")
    unread: dict[str, Any] = {"_synced_at": None, **mark}
    below(mirror, "above", "g", **unread)
    below(mirror, "g", "x", **unread)
    (row,) = mirror.rows("goal_progress", "gid = 'g'")
    assert [row[n] for n in ("parent_goals", "subgoals", "supporting_resources")] == [None, 0, 0]
    mirror.put("status_updates", gid="1", parent_gid="p", created_at=at(-2), status_type="at_risk", **mark)
    mirror.living("status_updates", "2", parent_gid="p", created_at=at(-1), status_type="on_track")
    (row,) = mirror.rows("status_history")
    assert (row["previous_status_type"], row["changed"]) == (None, None)
    today = {"start_date": on(0), "end_date": on(0)}
    mirror.living("timesheet_approval_statuses", "s", user_gid="ada", workspace_gid="w", **today)
    minutes = {"created_by_gid": "ada", "duration_minutes": 60, "entered_on": on(0), "workspace_gid": "w"}
    mirror.put("time_tracking_entries", gid="e", **minutes, **mark)
    assert mirror.column("timesheets", "hours") == [0.0]
    mirror.living("allocations", "a", assignee_gid="ada", **today)
    mirror.put("ooo_entries", gid="o", user_gid="ada", **today, **mark)
    assert mirror.column("capacity", "away") == [0]
    mirror.living("ooo_entries", "now", user_gid="ada", **today)
    mirror.put("tasks", gid="t", assignee_gid="ada", completed=0, due_on=on(0), **mark)
    assert mirror.column("out_of_office", "open_tasks_due") == [0]


@pytest.mark.parametrize("text", [None, "null", "{}", "[]", '"words"', "7"])
def test_structures_that_hold_nothing_expected_break_no_view(mirror: Mirror, text: str | None) -> None:
    mirror.living("goals", "g", metric=text)
    mirror.living("allocations", "a", effort=text)
    mirror.living("budgets", "b", total=text, actual=text, estimate=text)
    parts = dict.fromkeys(("actor", "resource", "details", "context"), text)
    mirror.living("audit_log_events", "e", **parts)
    (goal_row,) = mirror.rows("goal_progress")
    assert (goal_row["percent"], goal_row["unit"], goal_row["closed"], goal_row["subgoals"]) == (
        None,
        None,
        0,
        0,
    )
    (plan,) = mirror.rows("capacity")
    assert (plan["effort"], plan["effort_unit"], plan["days"], plan["away"]) == (None, None, None, 0)
    (budget,) = mirror.rows("project_budgets")
    assert {budget[n] for n in ("total", "actual", "remaining", "percent_used", "units")} == {None}
    (event,) = mirror.rows("audit_log")
    assert {event[n] for n in ("actor", "actor_gid", "resource", "old_value", "app_or_rule")} == {None}


@pytest.mark.parametrize(
    ("initial", "current", "target", "percent"),
    [
        (0, 25, 100, 25.0),
        (10, 20, 40, 33.3),
        (100, 60, 50, 80.0),
        (0, 1, 3, 33.3),
        (0, -1, 4, -25.0),
        (0, 5, 4, 125.0),
        (0, 0.25, 1, 25.0),
        (7, 7, 7, None),
        (0, None, 100, None),
        (None, 5, 10, None),
    ],
)
def test_percent_is_the_way_from_initial_to_target(
    mirror: Mirror, initial: float | None, current: float | None, target: float | None, percent: float | None
) -> None:
    values = {"initial_number_value": initial, "current_number_value": current, "target_number_value": target}
    row = goal(mirror, "g", **values)
    assert row["percent"] == percent
    assert [row[n] for n in ("initial_value", "current_value", "target_value")] == [initial, current, target]


def test_a_goal_names_everything_around_it(mirror: Mirror) -> None:
    mirror.living("teams", "t", name="Sales")
    mirror.living("time_periods", "q", display_name="Q4 FY26")
    mirror.living("status_updates", "u", title="Going well")
    metric = json.dumps({"unit": "currency", "currency_code": "EUR", "current_display_value": "€1"})
    links = {"team_gid": "t", "time_period_gid": "q", "owner_gid": "bot", "current_status_update_gid": "u"}
    mirror.living("goals", "g", name="Earn", status="partial", metric=metric, **links)
    for above in ("one", "two"):
        mirror.living("goals", above, name=above.title())
        below(mirror, above, "g")
    mirror.put("goals", gid="gone", name="Gone", _synced_at=SYNCED, _deleted_at=SYNCED)
    below(mirror, "gone", "g")
    below(mirror, "g", "x")
    below(mirror, "g", "p", "project")
    (row,) = mirror.rows("goal_progress", "gid = 'g'")
    expected = {
        "owner": "Bot", "team": "Sales", "time_period": "Q4 FY26", "closed": 1, "unit": "currency",
        "currency_code": "EUR", "display_value": "€1", "current_status": "Going well",
        "subgoals": 1, "supporting_resources": 2,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    assert set(row["parent_goals"].split(", ")) == {"One", "Two"}


@pytest.mark.parametrize(("status", "closed"), [("green", 0), ("missed", 1), ("brand_new", 0), (None, 0)])
def test_a_goal_is_closed_where_its_status_says_so(mirror: Mirror, status: str | None, closed: int) -> None:
    mirror.living("goals", "g", status=status)
    assert mirror.column("goal_progress", "closed") == [closed]


def test_goals_know_the_goals_above_and_what_they_rest_on(mirror: Mirror) -> None:
    for gid in ("top", "sub"):
        mirror.living("goals", gid, name=gid.title(), owner_gid="ada")
    mirror.living("portfolios", "f", name="Future")
    mirror.task("t")
    below(mirror, "top", "sub", contribution_weight=0.5)
    for gid, kind in (("p", "project"), ("f", "portfolio"), ("t", "task"), ("unseen", "project")):
        below(mirror, "top", gid, kind)
    mirror.living("goals", "odd", name="Odd")
    below(mirror, "odd", "sub", resource_subtype="brand_new")
    (parent,) = mirror.rows("goal_parents")
    assert parent == {
        "goal": "Sub", "parent_goal": "Top", "owner": "Ada", "status": None, "parent_status": None,
        "contribution_weight": 0.5, "goal_gid": "sub", "parent_goal_gid": "top", "owner_gid": "ada",
    }  # fmt: skip
    assert mirror.column("goal_progress", "parent_goals", "gid = 'sub'") == ["Top"]
    rows = mirror.rows("goal_support", "goal_gid = 'top'")
    found = {row["supporting_resource_gid"]: row["supported_by"] for row in rows}
    assert found == {"sub": "Sub", "p": "Launch", "f": "Future", "t": "Task t", "unseen": None}


def test_portfolios_that_hold_each_other_in_a_ring_end(mirror: Mirror) -> None:
    for gid in ("a", "b", "c"):
        mirror.living("portfolios", gid, name=gid.upper())
        mirror.living("projects", f"in {gid}", name=f"In {gid}")
    for gid, following in ("ab", "bc", "ca"):
        hold(mirror, gid, following, f"in {gid}")
    hold(mirror, "c", "c")
    rows = mirror.rows("portfolio_projects", "portfolio_gid = 'a'")
    found = {row["project_gid"]: (row["direct"], row["through"]) for row in rows}
    assert found == {"in a": (1, None), "in b": (0, "B"), "in c": (0, "C")}
    assert len(mirror.rows("portfolio_projects")) == 9


def test_a_project_met_by_several_ways_has_one_row(mirror: Mirror) -> None:
    for gid in ("top", "left", "right"):
        mirror.living("portfolios", gid, name=gid.title())
    mirror.put("portfolios", gid="lost", name="Lost", _synced_at=SYNCED, _deleted_at=SYNCED)
    mirror.living("projects", "only lost", name="Only lost")
    hold(mirror, "top", "left", "right", "lost", "p")
    hold(mirror, "left", "p")
    hold(mirror, "right", "p")
    hold(mirror, "lost", "only lost")
    (row,) = mirror.rows("portfolio_projects", "portfolio_gid = 'top'")
    assert (row["project"], row["direct"]) == ("Launch", 1)
    assert set(row["through"].split(", ")) == {"Left", "Right"}


def test_projects_in_portfolios_tell_status_and_progress(mirror: Mirror) -> None:
    mirror.living("portfolios", "f", name="Future")
    mirror.living("status_updates", "u", title="Late", status_type="off_track")
    mirror.connection.execute("UPDATE projects SET current_status_update_gid = 'u', due_on = '2026-12-01'")
    for gid, completed in (("1", 1), ("2", 0), ("3", 0), ("4", 0)):
        mirror.task(gid, completed=completed, due_on=on(-2))
        mirror.put("task_projects", task_gid=gid, project_gid="p")
    hold(mirror, "f", "p")
    (row,) = mirror.rows("portfolio_projects")
    expected = {
        "portfolio": "Future", "project": "Launch", "owner": "Ada", "current_status": "Late",
        "status_type": "off_track", "due_on": "2026-12-01", "tasks": 4, "overdue_tasks": 3,
        "percent_completed": 25.0,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected


def test_status_history_tells_what_was_before(mirror: Mirror) -> None:
    mirror.living("portfolios", "f", name="Future")
    mirror.living("goals", "g", name="Earn")
    told: list[tuple[str, str, str | None, int]]
    told = [
        ("0", "p", "at_risk", -10),
        ("1", "p", "on_track", -9),
        ("2", "p", "on_track", -5),
        ("3", "p", "off_track", -1),
    ]
    told += [
        ("4", "f", "at_risk", -8),
        ("5", "g", None, -8),
        ("6", "g", "achieved", -2),
        ("7", "x", "new", -1),
    ]
    for gid, parent, status, day in told:
        about = {"parent_gid": parent, "status_type": status, "created_at": at(day)}
        mirror.living("status_updates", gid, created_by_gid="bot", **about)
    rows = {row["gid"]: row for row in mirror.rows("status_history")}
    assert {gid: (row["parent"], row["previous_status_type"], row["changed"]) for gid, row in rows.items()} == {
        "0": ("Launch", None, None), "1": ("Launch", "at_risk", 1),
        "2": ("Launch", "on_track", 0), "3": ("Launch", "on_track", 1),
        "4": ("Future", None, None), "5": ("Earn", None, None), "6": ("Earn", None, 1), "7": (None, None, None),
    }  # fmt: skip
    assert (rows["1"]["author"], rows["1"]["author_gid"]) == ("Bot", "bot")


def query(mirror: Mirror, name: str, **given: str) -> list[dict[str, Any]]:
    """What a canned query shows, where all else is left empty."""
    cursor = mirror.connection.execute(
        descriptions()["queries"][name]["sql"], {"days": "", "project": "", "member": "", **given}
    )
    return [dict(row) for row in cursor]


def test_projects_without_news_are_found(mirror: Mirror) -> None:
    mirror.living("projects", "silent", name="Silent")
    mirror.living("projects", "done", name="Done", completed=1)
    mirror.living("projects", "old", name="Old", archived=1)
    mirror.living("status_updates", "u", parent_gid="p", created_at=at(-5))
    found = query(mirror, "projects_without_news")
    assert [row["project"] for row in found] == ["Silent"]
    found = query(mirror, "projects_without_news", days="3")
    assert [row["project"] for row in found] == ["Silent", "Launch"]


def test_portfolios_at_a_glance(mirror: Mirror) -> None:
    for gid in ("f", "inner"):
        mirror.living("portfolios", gid, name=gid)
    mirror.living("projects", "q", name="Second")
    hold(mirror, "f", "inner", "q")
    hold(mirror, "inner", "p")
    for gid, project, completed in (("1", "p", 1), ("2", "p", 1), ("3", "p", 0), ("4", "q", 0)):
        mirror.task(gid, completed=completed)
        mirror.put("task_projects", task_gid=gid, project_gid=project)
    found = [
        (row["portfolio"], row["projects"], row["tasks"], row["percent_completed"])
        for row in query(mirror, "portfolio_summary")
    ]
    assert found == [("f", 2, 4, 50.0), ("inner", 1, 3, 66.7)]


def test_nothing_is_described_twice() -> None:
    names = [
        name
        for file in description_files()
        for name in re.findall(r"^  (\w+):", file.read_text(encoding="utf-8"), re.M)
    ]
    assert sorted(names) == sorted(set(names))


def test_every_lookup_of_a_name_goes_by_a_key(mirror: Mirror) -> None:
    """A table may be read from end to end where a view begins, never once more for each row."""
    for view in names_of_views():
        steps = mirror.connection.execute(f"EXPLAIN QUERY PLAN SELECT * FROM {view}").fetchall()
        texts = {row["id"]: (row["parent"], row["detail"]) for row in steps}
        inside = [
            detail
            for parent, detail in texts.values()
            if detail.startswith("SCAN") and "CORRELATED" in texts.get(parent, (0, ""))[1]
        ]
        assert inside == [], view
        assert not [detail for _, detail in texts.values() if "AUTOMATIC" in detail], view

"""What people browse of time, capacity and money: right figures."""

from __future__ import annotations

import json
from typing import Any

import pytest
from test_views import Mirror, on
from test_views import mirror as mirror
from test_views_plan import query


def entry(mirror: Mirror, gid: str, minutes: int | None, **values: Any) -> None:
    mirror.living("time_tracking_entries", gid, duration_minutes=minutes, workspace_gid="w", **values)


def test_time_entered_stands_beside_names(mirror: Mirror) -> None:
    mirror.task("t")
    for gid in ("c1", "c2"):
        mirror.living("time_tracking_categories", gid, name=gid.upper())
    entry(mirror, "e", 100, task_gid="t", attributable_to_gid="p", created_by_gid="bot")
    entry(mirror, "bare", None)
    for gid in ("c1", "c2"):
        mirror.put(
            "time_tracking_entry_categories", time_tracking_entry_gid="e", time_tracking_category_gid=gid
        )
    (row,) = mirror.rows("time_entered", "gid = 'e'")
    assert [row[n] for n in ("person", "task", "project", "hours")] == ["Bot", "Task t", "Launch", 1.67]
    assert set(row["categories"].split(", ")) == {"C1", "C2"}
    (bare,) = mirror.rows("time_entered", "gid = 'bare'")
    assert [bare[n] for n in ("person", "task", "project", "hours", "categories")] == [None] * 5


def test_hours_add_up_by_project_and_by_person(mirror: Mirror) -> None:
    for gid in ("t", "u"):
        mirror.task(gid)
    october, november = {"entered_on": "2026-10-31"}, {"entered_on": "2026-11-01"}
    launch = {"attributable_to_gid": "p", "task_gid": "t"}
    entry(mirror, "1", 30, created_by_gid="ada", **october, **launch, billable_status="billable")
    entry(mirror, "2", 60, created_by_gid="ada", **november, **launch, approval_status="APPROVED")
    entry(mirror, "3", 90, created_by_gid="bot", **november, **launch, billable_status="brand_new")
    entry(mirror, "4", 15, created_by_gid="bot", **november, task_gid="u")
    entry(mirror, "5", None)
    rows = {row["project"]: row for row in mirror.rows("time_by_project")}
    launched = ["hours", "billable_hours", "approved_hours", "entries", "tasks", "people"]
    assert [rows["Launch"][n] for n in launched] == [3.0, 0.5, 1.0, 3, 1, 2]
    assert [rows["Launch"][n] for n in ("first_entered_on", "last_entered_on")] == [
        "2026-10-31",
        "2026-11-01",
    ]
    assert [rows[None][n] for n in launched] == [0.25, 0.0, 0.0, 2, 1, 1]
    found = [
        (row["month"], row["person"], *(row[n] for n in [*launched[:4], "days", "projects"]))
        for row in mirror.rows("time_by_person", "1 ORDER BY month, person")
    ]
    assert found == [
        (None, None, 0.0, 0.0, 0.0, 1, 0, 0),
        ("2026-10", "Ada", 0.5, 0.5, 0.0, 1, 1, 1),
        ("2026-11", "Ada", 1.0, 0.0, 1.0, 1, 1, 1),
        ("2026-11", "Bot", 1.75, 0.0, 0.0, 2, 1, 1),
    ]


def test_a_timesheet_counts_its_own_days_in_its_own_workspace(mirror: Mirror) -> None:
    mirror.living("workspaces", "other")
    days = {"start_date": "2026-11-02", "end_date": "2026-11-08"}
    mirror.living(
        "timesheet_approval_statuses", "s", user_gid="ada", workspace_gid="w", approval_status="DRAFT", **days
    )
    mirror.living("timesheet_approval_statuses", "bare")
    for gid, day in (("before", "01"), ("first", "02"), ("last", "08"), ("after", "09")):
        entry(mirror, gid, 60, created_by_gid="ada", entered_on=f"2026-11-{day}")
    entry(mirror, "somebody else's", 60, created_by_gid="bot", entered_on="2026-11-03")
    elsewhere = {"created_by_gid": "ada", "entered_on": "2026-11-03", "duration_minutes": 60}
    mirror.living("time_tracking_entries", "elsewhere", workspace_gid="other", **elsewhere)
    mirror.living("time_tracking_entries", "somewhere", **elsewhere)
    rows = {row["gid"]: (row["person"], row["hours"]) for row in mirror.rows("timesheets")}
    assert rows == {"s": ("Ada", 3.0), "bare": (None, 0.0)}
    mirror.connection.execute("UPDATE timesheet_approval_statuses SET end_date = ? WHERE gid = 's'", [on(0)])
    assert mirror.column("timesheets", "ended") == [0, 0]


def test_capacity_tells_days_effort_and_who_is_away(mirror: Mirror) -> None:
    plans = {
        "now": (on(-1), on(1)),
        "later": (on(20), on(20)),
        "past": (on(-9), on(-8)),
        "open": (on(-1), None),
    }
    for gid, (start, end) in plans.items():
        effort = json.dumps({"type": "percent", "value": 50})
        about = {"parent_gid": "p", "assignee_gid": "ada", "assignee_type": "user", "effort": effort}
        mirror.living("allocations", gid, start_date=start, end_date=end, **about)
    mirror.living("ooo_entries", "o", user_gid="ada", start_date=on(1), end_date=on(3))
    rows = {row["gid"]: row for row in mirror.rows("capacity")}
    assert {gid: (row["days"], row["is_now"], row["away"]) for gid, row in rows.items()} == {
        "now": (3, 1, 1), "later": (1, 0, 0), "past": (2, 0, 0), "open": (None, 0, 0),
    }  # fmt: skip
    now = rows["now"]
    shown = [now[n] for n in ("assignee", "project", "effort", "effort_unit")]
    assert shown == ["Ada", "Launch", 50, "percent"]


def test_out_of_office_tells_what_falls_due_meanwhile(mirror: Mirror) -> None:
    mirror.living(
        "ooo_entries", "now", user_gid="ada", created_by_gid="bot", start_date=on(0), end_date=on(0)
    )
    mirror.living("ooo_entries", "later", user_gid="ada", start_date=on(3), end_date=on(9))
    mirror.living("ooo_entries", "over", user_gid="ada", start_date=on(-9), end_date=on(-1))
    mirror.living("ooo_entries", "bare")
    for gid, days, completed in (("1", 0, 0), ("2", 4, 0), ("3", 5, 1), ("4", 8, 0)):
        mirror.task(gid, due_on=on(days), completed=completed, assignee_gid="ada")
    rows = {row["gid"]: row for row in mirror.rows("out_of_office")}
    assert {gid: (row["days"], row["is_now"], row["open_tasks_due"]) for gid, row in rows.items()} == {
        "now": (1, 1, 1), "later": (7, 0, 2), "over": (9, 0, None), "bare": (None, 0, None),
    }  # fmt: skip
    assert (rows["now"]["person"], rows["now"]["created_by"]) == ("Ada", "Bot")


@pytest.mark.parametrize(
    ("total", "actual", "remaining", "percent_used"),
    [(200, 50, 150, 25.0), (3, 4, -1, 133.3), (0, 5, -5, None), (None, 5, None, None), (8, None, None, None)],
)
def test_budgets_tell_what_is_used(
    mirror: Mirror, total: int | None, actual: int | None, remaining: int | None, percent_used: float | None
) -> None:
    parts = {
        "total": {"value": total, "enabled": True},
        "actual": {"value": actual, "units": "EUR", "billable_status_filter": "any"},
        "estimate": {"value": 1, "source": "tasks"},
    }
    words = {name: json.dumps(part) for name, part in parts.items()}
    mirror.living("budgets", "b", parent_gid="p", budget_type="cost", **words)
    (row,) = mirror.rows("project_budgets")
    figures = [row[n] for n in ("total", "actual", "remaining", "percent_used", "estimate")]
    assert figures == [total, actual, remaining, percent_used, 1]
    assert [row[n] for n in ("project", "units", "estimate_source", "actual_counts")] == [
        "Launch", "EUR", "tasks", "any",
    ]  # fmt: skip


def test_rates_name_project_and_person(mirror: Mirror) -> None:
    mirror.living("rates", "r", rate=90.5, currency_code="EUR", parent_gid="p", resource_gid="ada")
    mirror.living("rates", "of a placeholder", rate=80, resource_gid="nobody", resource_type="placeholder")
    found = {(row["project"], row["person"], row["rate"]) for row in mirror.rows("rates_by_project")}
    assert found == {("Launch", "Ada", 90.5), (None, None, 80.0)}


def test_hours_of_the_last_days(mirror: Mirror) -> None:
    about = {"attributable_to_gid": "p", "created_by_gid": "ada"}
    for gid, days in (("1", 0), ("2", -6), ("3", -40)):
        entry(mirror, gid, 60, entered_on=on(days), **about)
    assert [row["hours"] for row in query(mirror, "hours_in_days")] == [2.0]
    assert [row["hours"] for row in query(mirror, "hours_in_days", days="3", project="aun")] == [1.0]

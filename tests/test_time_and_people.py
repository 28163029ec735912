"""Time that was tracked, people's own lists, people who leave, and the audit log."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from everything import after, asked, by_path, equal, mirrored_world, served, some_of_everything
from lag import equal_but_for_lag
from worlds import Listener, Mirrored, mirror, rows, value

Record = dict[str, Any]


@pytest.fixture
def both(tmp_path: Path) -> Mirrored:
    return mirrored_world(tmp_path, some_of_everything(151))


def _day(days_ago: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days_ago)).strftime("%Y-%m-%d")


def _entry(both: Mirrored, days_ago: int = 0, **more: Any) -> str:
    task = next(r["gid"] for r in both.world.iter_records("tasks") if r["memberships"] and not r["parent"])
    given = {"duration_minutes": 30, "entered_on": _day(days_ago)} | more
    return str(both.write("POST", f"/tasks/{task}/time_tracking_entries", **given)["gid"])


# -- time ---------------------------------------------------------------------------------------------


def test_time_is_mirrored_in_the_next_run(both: Mirrored) -> None:
    new = _entry(both, description="Thinking")
    both.sync()
    assert both.row("time_tracking_entries", new)["description"] == "Thinking"

    both.write("PUT", f"/time_tracking_entries/{new}", duration_minutes=45)
    both.sync()
    assert both.row("time_tracking_entries", new)["duration_minutes"] == 45

    both.write("DELETE", f"/time_tracking_entries/{new}")
    both.sync()
    assert not both.is_alive("time_tracking_entries", new)
    assert equal(both)


def test_entries_are_read_by_themselves_where_lists_tell_a_part_of_them(tmp_path: Path) -> None:
    """Each once, and again only when what the list tells of it has changed."""
    world = some_of_everything(152)
    world.lists_only_documented_fields = True
    both = served(tmp_path, world)
    first = by_path(asked(both))
    entries = [record["gid"] for record in world.iter_records("time_tracking_entries")]
    assert first["/time_tracking_entries/{}"] == len(entries)
    assert equal(both)

    assert by_path(asked(both))["/time_tracking_entries/{}"] == 0
    both.write("PUT", f"/time_tracking_entries/{entries[0]}", duration_minutes=77)
    both.write("DELETE", f"/time_tracking_entries/{entries[1]}")
    new = _entry(both, categories=[])
    changed = [path for path, _ in asked(both) if path.startswith("/time_tracking_entries/")]

    assert sorted(changed) == sorted(f"/time_tracking_entries/{gid}" for gid in (entries[0], new))
    assert equal_but_for_lag(both)  # what a budget counts
    assert by_path(asked(both, full=True))["/time_tracking_entries/{}"] == 0
    assert equal(both)


@pytest.fixture
def long_tracked(tmp_path: Path) -> Mirrored:
    """More time than fits in a page, some of it two years old."""
    both = mirrored_world(tmp_path, some_of_everything(153))
    for number in range(130):
        _entry(both, days_ago=400 if number % 2 else number // 4)
    both.sync()
    assert equal(both)
    return both


def test_a_long_list_of_time_is_read_as_far_as_the_last_two_months(long_tracked: Mirrored) -> None:
    both = long_tracked
    queries = [query for path, query in asked(both) if path == "/time_tracking_entries"]
    assert len(queries) == 1
    assert _day(70) < queries[0]["entered_on_start_date"] < _day(55)
    assert equal(both)


def test_old_time_that_was_corrected_is_found_within_a_day(long_tracked: Mirrored) -> None:
    both = long_tracked
    old = [r["gid"] for r in both.world.iter_records("time_tracking_entries") if r["entered_on"] < _day(300)]
    recent = _entry(both)
    both.write("PUT", f"/time_tracking_entries/{old[0]}", duration_minutes=99)
    both.write("DELETE", f"/time_tracking_entries/{old[1]}")
    both.sync()
    assert both.is_alive("time_tracking_entries", recent)
    assert both.is_alive("time_tracking_entries", old[1])  # what the list did not show is not gone

    with after(days=1.1):
        both.sync()

    assert both.row("time_tracking_entries", old[0])["duration_minutes"] == 99
    assert not both.is_alive("time_tracking_entries", old[1])
    with after(days=1.2):  # and from then on a part will do again
        queries = [query for path, query in asked(both) if path == "/time_tracking_entries"]
        assert len(queries) == 1
    with after(days=2.5):
        both.sync()
        assert equal(both)


# -- My Tasks -----------------------------------------------------------------------------------------


def test_the_sections_of_my_tasks_have_their_order_and_stand_nowhere_else(both: Mirrored) -> None:
    world = both.world
    tasks = world.user_task_list(world.me, world.workspaces[0])["gid"]
    sections = world.inside["section", tasks]
    sql = "SELECT gid FROM sections WHERE user_task_list_gid = ? AND _deleted_at IS NULL ORDER BY position"
    assert [row[0] for row in rows(both.path, sql, tasks)] == sections
    assert both.is_alive("user_task_lists", tasks)

    sections.reverse()
    world.records[sections[0]]["name"] = "First of all"
    both.sync(max_age_s=0)

    assert [row[0] for row in rows(both.path, sql, tasks)] == sections
    assert both.row("sections", sections[0])["name"] == "First of all"
    assert equal(both)


def test_everybody_has_a_list_of_tasks_and_only_ones_own_is_looked_into(both: Mirrored) -> None:
    people = len(both.world.members[both.world.workspaces[0]])
    assert value(both.path, "SELECT count(*) FROM user_task_lists WHERE _synced_at IS NOT NULL") == people
    owners = "SELECT DISTINCT owner_gid FROM sections JOIN user_task_lists AS l ON l.gid = user_task_list_gid"
    assert [row[0] for row in rows(both.path, owners)] == [both.world.me]


# -- people who leave ---------------------------------------------------------------------------------


@pytest.mark.parametrize("full", [False, True])
def test_who_leaves_takes_memberships_list_and_absences_along(both: Mirrored, full: bool) -> None:
    world, workspace = both.world, both.world.workspaces[0]
    person = next(r["user"]["gid"] for r in world.iter_records("ooo_entries") if r["user"]["gid"] != world.me)
    membership = world.members[workspace][person]
    tasks = world.user_task_list(person, workspace)["gid"]
    absences = [r["gid"] for r in world.iter_records("ooo_entries") if r["user"]["gid"] == person]
    assert both.is_alive("user_task_lists", tasks)
    world.leave(person)

    both.sync(full=full, max_age_s=0)

    assert not both.is_alive("workspace_memberships", membership)
    assert not both.is_alive("user_task_lists", tasks)
    assert not any(both.is_alive("ooo_entries", gid) for gid in absences)
    assert equal(both)


# -- the audit log ------------------------------------------------------------------------------------


@pytest.fixture
def audited(tmp_path: Path) -> Mirrored:
    world = some_of_everything(154)
    return mirrored_world(tmp_path, world, token=world.tokens["service"])


def _sync(both: Mirrored, **options: Any) -> Any:
    return both.sync(token=both.world.tokens["service"], **options)


def _logged(both: Mirrored) -> Counter[str]:
    return Counter(
        row[0] for row in rows(both.path, "SELECT gid FROM audit_log_events WHERE _deleted_at IS NULL")
    )


def _events(both: Mirrored) -> set[str]:
    return {record["gid"] for record in both.world.iter_records("audit_log_events")}


def test_the_log_goes_on_where_it_ended(audited: Mirrored) -> None:
    assert _logged(audited).keys() == _events(audited) != set()
    audited.world.log_audit("user_login_succeeded")
    listener = Listener(audited.app)

    mirror(audited.world, audited.path, listener, token=audited.world.tokens["service"])

    queries = [dict(r.query) for r in listener.requests if r.path.endswith("/audit_log_events")]
    assert queries[0]["start_at"] > "2024"
    assert len(queries) <= 2
    assert _logged(audited).keys() == _events(audited)
    assert equal(audited, service=True)


def test_events_of_one_moment_are_not_lost_at_the_edge(audited: Mirrored) -> None:
    moment = audited.world.now()
    audited.world.log_audit("user_login_succeeded", created_at=moment)
    _sync(audited)
    audited.world.log_audit("user_login_failed", created_at=moment)

    _sync(audited)

    assert _logged(audited).keys() == _events(audited)


def test_many_events_come_by_pages_and_the_last_page_is_the_end(audited: Mirrored) -> None:
    """Asana's log has a next page for ever."""
    for _ in range(250):
        audited.world.log_audit("user_login_succeeded")
    audited.app.stats.reset()

    assert _sync(audited).outcome == "complete"

    assert audited.app.stats.count(template="/workspaces/{}/audit_log_events") <= 4
    assert _logged(audited).keys() == _events(audited)


@pytest.mark.parametrize("full", [False, True])
def test_what_the_log_no_longer_shows_was_not_deleted(audited: Mirrored, full: bool) -> None:
    before = _events(audited)
    assert audited.world.audit.forget("2030") == len(before)
    audited.world.log_audit("user_login_succeeded")

    _sync(audited, full=full, max_age_s=0)

    assert _logged(audited).keys() == before | _events(audited)


def test_a_log_that_was_empty_is_asked_by_its_age(tmp_path: Path) -> None:
    world = some_of_everything(155)
    world.audit.forget("2030")
    both = mirrored_world(tmp_path, world, token=world.tokens["service"])
    world.log_audit("user_login_succeeded")

    _sync(both, max_age_s=0)

    assert _logged(both).keys() == _events(both)

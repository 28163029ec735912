"""Mirror against Asana: whatever is spoilt here is found, told, and gone after a repair; the rest is no difference."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from truth import RESOURCES
from verifications import assert_found_and_repaired, compared, is_equal, project_of_some, small, spoil, told
from verifications import both as both
from verifications import ours as ours
from verifications import pristine as pristine
from worlds import Listener, Mirrored, Rewriter, mirror, mirrored, rows, value

from asana_mirror.purge import PurgeOptions, purge
from asana_mirror.sandbox import create_app, generate, random_edits
from asana_mirror.words import Scope

# What Asana does not show by itself, but only where it stands.
PARTS = {
    *("enum_options", "custom_field_settings", "custom_type_status_options"),
    *("reactions", "access_requests", "audit_log_events"),
}
# Lists that take no opt_fields.
COMPACT = r"/memberships|/reactions|/rates|/budgets|/users/me/favorites|/portfolios/\d+/items"

# -- when they agree ----------------------------------------------------------------------------------


def test_an_equal_mirror_has_no_differences(tmp_path: Path) -> None:
    both = mirrored(tmp_path, generate(52, 80, workspaces=2, stories_per_task=2.0))
    both.app.stats.reset()
    found = compared(both)
    assert (found.differences, found.lag, found.not_compared, found.repair) == ([], [], [], None)
    assert found.requests == both.app.stats.requests
    assert found.listings + found.records <= found.requests + 1  # pages, and the workspaces' names once
    assert "equal as far as compared" in told(found)
    everything = sum(
        value(both.path, f"SELECT count(*) FROM {table} WHERE _synced_at NOT NULL AND _deleted_at IS NULL")
        for table in set(RESOURCES) - PARTS
    )
    assert found.records == everything


def test_a_long_listing_is_compared_page_by_page(tmp_path: Path) -> None:
    both = mirrored(tmp_path, generate(53, 300, projects=1, stories_per_task=0.0))
    assert compared(both, sample=0).differences == []


def test_nothing_is_written_without_repair(both: Mirrored) -> None:
    random_edits(both.world, 30, 1)
    before = both.path.read_bytes()
    assert compared(both).differences
    assert both.path.read_bytes() == before
    assert value(both.path, "SELECT count(*) FROM sync_runs") == 1


def test_a_repair_with_nothing_to_do_is_no_run(ours: Mirrored) -> None:
    found = compared(ours, repair=True)
    assert found.agrees
    assert found.repair is None
    assert value(ours.path, "SELECT count(*) FROM sync_runs") == 1


def test_the_same_seed_chooses_the_same_sample(ours: Mirrored) -> None:
    def asked(seed: int | None) -> set[Any]:
        listener = Listener(ours.app)
        found = compared(ours, listener, sample=20, seed=seed)
        assert found.seed == seed
        return {request.asked for request in listener.requests}

    assert asked(1) == asked(1)
    assert asked(1) != asked(2)
    assert compared(ours, sample=20).seed is not None


def test_gids_are_asked_for_without_anything_else(ours: Mirrored) -> None:
    listener = Listener(ours.app)
    found = compared(ours, listener, sample=0)
    fields = [dict(request.query).get("opt_fields") for request in listener.requests]
    compact = [re.fullmatch(COMPACT, request.path) is not None for request in listener.requests]
    assert {name for name, bare in zip(fields, compact, strict=True) if bare} == {None}
    assert {name for name, bare in zip(fields, compact, strict=True) if not bare} == {"gid", fields[0]}
    assert fields[0] not in (None, "gid")  # the first contact is a run's
    assert found.records == 0
    assert found.listings == len(listener.requests)


def test_one_workspace_alone_is_compared(tmp_path: Path) -> None:
    both = mirrored(tmp_path, generate(54, 60, workspaces=2, stories_per_task=1.0))
    first, second = both.world.workspaces
    task = value(both.path, "SELECT gid FROM tasks WHERE workspace_gid = ? AND _synced_at NOT NULL", second)
    spoil(both, "UPDATE tasks SET name = 'Spoilt' WHERE gid = ?", task)
    found = compared(both, scope=Scope(workspaces=(first,)))
    assert found.agrees
    assert 0 < found.records < compared(both).records
    assert [one.gid for one in compared(both, scope=Scope(workspaces=(second,))).differences] == [task]


# -- spoilt here --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "column", "wrong"),
    [
        ("tasks", "name", "Spoilt"),
        ("tasks", "due_on", "1999-01-01"),
        ("tasks", "_extra", '{"invented":1}'),
        ("stories", "text", "Never said"),
        ("attachments", "size", 7),
        ("projects", "notes", None),
        ("sections", "name", "Spoilt"),
        ("users", "email", "nobody@example.com"),
        ("agents", "description", "Spoilt"),
        ("teams", "visibility", "secret"),
        ("team_memberships", "is_admin", None),
        ("tags", "color", "none"),
        ("custom_fields", "description", "Spoilt"),
        ("enum_options", "color", "none"),
        ("custom_field_settings", "is_important", 5),
        ("workspaces", "name", "Spoilt"),
    ],
)
def test_a_column_changed_here(ours: Mirrored, table: str, column: str, wrong: Any) -> None:
    alive = f"SELECT gid FROM {table} WHERE _synced_at NOT NULL AND _deleted_at IS NULL AND {column} IS NOT ?"
    gid = value(ours.path, alive, wrong)
    spoil(ours, f"UPDATE {table} SET {column} = ? WHERE gid = ?", wrong, gid)
    assert_found_and_repaired(ours, table, gid, column)


def test_a_long_text_is_told_by_its_beginning(ours: Mirrored) -> None:
    gid = value(ours.path, "SELECT gid FROM tasks WHERE _synced_at NOT NULL")
    spoil(ours, "UPDATE tasks SET notes = ? WHERE gid = ?", "long [and] bracketed " * 500, gid)
    said = told(compared(ours))
    assert "long [and] bracketed long" in said
    assert "(10,500 characters)" in said
    assert len(said) < 3000


@pytest.mark.parametrize(
    ("table", "owner", "other"),
    [
        ("task_followers", "task_gid", "actor_gid"),
        ("task_projects", "task_gid", "project_gid"),
        ("task_custom_fields", "task_gid", "custom_field_gid"),
        ("project_members", "project_gid", "actor_gid"),
        ("user_workspaces", "user_gid", "workspace_gid"),
    ],
)
def test_a_link_missing_here(ours: Mirrored, table: str, owner: str, other: str) -> None:
    link = rows(ours.path, f"SELECT {owner}, {other} FROM {table}")[0]
    spoil(ours, f"DELETE FROM {table} WHERE {owner} = ? AND {other} = ?", *link)
    assert_found_and_repaired(ours, table, link[0], other)


@pytest.mark.parametrize("table", ["task_tags", "task_dependencies", "story_likes", "tag_followers"])
def test_a_link_too_much_here(ours: Mirrored, table: str) -> None:
    owner, other = [row["name"] for row in rows(ours.path, f"PRAGMA table_info({table})")][:2]
    owners = {"task_gid": "tasks", "story_gid": "stories", "tag_gid": "tags"}[owner]
    others = {"tag_gid": "tags", "depends_on_gid": "tasks", "actor_gid": "actors"}[other]
    free = rows(
        ours.path,
        f"SELECT {owners}.gid, {others}2.gid FROM {owners} JOIN {others} AS {others}2 "
        f"WHERE {owners}._synced_at NOT NULL AND ({owners}.gid, {others}2.gid) NOT IN "
        f"(SELECT {owner}, {other} FROM {table})",
    )[0]
    spoil(ours, f"INSERT INTO {table} ({owner}, {other}) VALUES (?, ?)", *free)
    assert_found_and_repaired(ours, table, free[0], other)


def test_a_wrong_section_here(ours: Mirrored) -> None:
    task, project, section = rows(ours.path, "SELECT * FROM task_projects WHERE section_gid NOT NULL")[0][:3]
    other = value(ours.path, "SELECT gid FROM sections WHERE project_gid = ? AND gid != ?", project, section)
    spoil(ours, "UPDATE task_projects SET section_gid = ? WHERE task_gid = ?", other, task)
    assert_found_and_repaired(ours, "task_projects", task, f"section_gid of {project}")


@pytest.mark.parametrize("table", ["tasks", "stories", "attachments", "tags", "sections", "enum_options"])
def test_a_row_deleted_here(ours: Mirrored, table: str) -> None:
    """The references to it are left dangling, as after a bad repair by hand."""
    gid = value(ours.path, f"SELECT gid FROM {table} WHERE _synced_at NOT NULL")
    spoil(ours, f"DELETE FROM {table} WHERE gid = ?", gid)
    found = compared(ours, repair=True)
    here = {one.here for one in found.differences if (one.what, one.gid) == (table, gid)}
    assert here
    assert here <= {"not in the mirror", None}
    assert found.agrees
    assert is_equal(ours)


@pytest.mark.parametrize(
    "table", ["tasks", "stories", "projects", "users", "custom_fields", "team_memberships"]
)
def test_a_tombstone_here_that_lives_there(ours: Mirrored, table: str) -> None:
    gid = value(ours.path, f"SELECT gid FROM {table} WHERE _synced_at NOT NULL")
    spoil(ours, f"UPDATE {table} SET _deleted_at = '2026', _deleted_reason = 'gone' WHERE gid = ?", gid)
    found = compared(ours, repair=True)
    here = {one.here for one in found.differences if (one.what, one.gid) == (table, gid)}
    assert "tombstone: gone" in here
    assert found.agrees
    assert is_equal(ours)


@pytest.mark.parametrize("table", ["tasks", "stories", "tags", "projects", "sections", "custom_fields"])
def test_a_row_that_asana_never_had(ours: Mirrored, table: str) -> None:
    columns = [row["name"] for row in rows(ours.path, f"PRAGMA table_info({table})") if row["name"] != "gid"]
    told = ", ".join(columns)
    spoil(
        ours,
        f"INSERT INTO {table} (gid, {told}) SELECT '99', {told} FROM {table} WHERE _synced_at NOT NULL LIMIT 1",
    )
    found = compared(ours, repair=True)
    assert {one.gid for one in found.differences} == {"99"}
    assert found.agrees
    assert ours.row(table, "99")["_deleted_at"] is not None
    assert ours.row(table, "99")["_deleted_reason"] == "gone"
    assert is_equal(ours)


# -- what is no difference ----------------------------------------------------------------------------


def test_order_and_shown_values_are_lag(ours: Mirrored) -> None:
    project = project_of_some(ours)
    spoil(ours, "UPDATE task_projects SET position = -position WHERE project_gid = ?", project)
    spoil(ours, "UPDATE task_custom_fields SET display_value = 'Old' WHERE display_value NOT NULL")
    found = compared(ours, repair=True)
    assert found.agrees
    assert found.repair is None
    assert {(one.column or "").split()[0] for one in found.lag} == {"position", "display_value"}
    assert "Lag" in told(found)


@pytest.mark.parametrize("status", [402, 403, 404, 451])
def test_a_refused_listing_is_no_difference(both: Mirrored, status: int) -> None:
    path = f"/projects/{project_of_some(both)}/tasks"
    both.world.refuse(path, status)
    found = compared(both, repair=True)
    assert found.agrees
    assert [(row.what, row.status) for row in found.not_compared] == [(path, status)]
    assert "no difference" in told(found)
    assert value(both.path, "SELECT count(*) FROM tasks WHERE _deleted_at NOT NULL") == 0


def test_a_refused_record_is_no_difference(both: Mirrored) -> None:
    story = value(both.path, "SELECT gid FROM stories WHERE _synced_at NOT NULL")
    both.world.refuse(f"/stories/{story}", 403)
    found = compared(both)
    assert found.agrees
    assert [row.what for row in found.not_compared] == [f"/stories/{story}"]


def test_a_person_purged_here_is_no_difference(ours: Mirrored) -> None:
    author = value(ours.path, "SELECT created_by_gid FROM stories JOIN users ON users.gid = created_by_gid")
    purge(PurgeOptions(ours.path, people=((author,),)), agreed=lambda report: None)
    assert compared(ours).differences == []


def test_a_record_that_does_not_fit_is_no_difference(tmp_path: Path) -> None:
    world = small()
    odd = sorted(world.reachable_tasks())[0]

    def spoilt(path: str, envelope: dict[str, Any]) -> None:
        found = envelope["data"]
        for record in found if isinstance(found, list) else [found]:
            if record.get("gid") == odd and "name" in record:
                record["name"] = ["no", "text"]

    app = Rewriter(create_app(world), spoilt)
    mirror(world, tmp_path / "mirror.db", app)
    ours = Mirrored(world, app.app, tmp_path / "mirror.db")  # type: ignore[arg-type]
    assert not ours.is_alive("tasks", odd)
    assert compared(ours, app).differences == []


def test_what_cannot_be_asked_is_told(ours: Mirrored, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asana_mirror.client.backoff_s", lambda *_: 0.0)
    path = f"/projects/{project_of_some(ours)}/tasks"

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        if not scope["path"].endswith(path):
            await ours.app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    found = compared(ours, failing, sample=0)
    assert found.differences == []
    assert found.given_up == 1
    assert [row.what for row in found.not_compared] == [path]

"""Mirror against Asana: every kind of difference is found, told, and gone after a repair; nothing else is touched."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Collection
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console
from truth import differences, living, unsound
from worlds import IN_PROCESS, Listener, Mirrored, Rewriter, mirror, mirrored, rows, value

from asana_mirror.client import Asana
from asana_mirror.differences import print_verification
from asana_mirror.errors import Interrupted, MirrorBusy, TooManyMissing, WrongUsage
from asana_mirror.purge import PurgeOptions, purge
from asana_mirror.repair import Wrong, repaired
from asana_mirror.run import Stop, SyncOptions
from asana_mirror.sandbox import World, create_app, generate, random_edits
from asana_mirror.store import hold
from asana_mirror.store.rows import rows_of
from asana_mirror.verify import Verification, verify
from asana_mirror.words import Scope

ALL = 100_000  # a sample large enough for everything


def _small() -> World:
    return generate(51, 40, projects=4, stories_per_task=1.5, tags=4)


@pytest.fixture
def both(tmp_path: Path) -> Mirrored:
    return mirrored(tmp_path, _small())


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Mirrored:
    return mirrored(tmp_path_factory.mktemp("pristine"), _small())


@pytest.fixture
def ours(pristine: Mirrored, tmp_path: Path) -> Mirrored:
    """A copy of the mirror to spoil; the world it shows is everyone's and stays as it is."""
    path = tmp_path / "mirror.db"
    shutil.copyfile(pristine.path, path)
    return Mirrored(pristine.world, pristine.app, path)


def compared(both: Mirrored, app: Any = None, sample: int = ALL, **options: Any) -> Verification:
    asked = {name: options.pop(name) for name in ("seed", "repair", "stop") if name in options}
    wanted = {"mirror": both.path, "token": both.world.token, "base_url": IN_PROCESS, "per_minute": 0}
    transport = httpx.ASGITransport(app or both.app)
    return asyncio.run(
        verify(SyncOptions(**(wanted | options)), sample=sample, transport=transport, **asked)  # type: ignore[arg-type]
    )


def told(found: Verification) -> str:
    console = Console(width=300, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    print_verification(found, console)
    return console.export_text()


def spoil(both: Mirrored, sql: str, *values: Any) -> None:
    """Write into the mirror what no run would write."""
    with closing(sqlite3.connect(both.path)) as db, db:
        assert db.execute(sql, values).rowcount, sql


def is_equal(both: Mirrored, besides: Collection[str] = ()) -> bool:
    """Equal but for what may lag."""
    lags = {"position", "display_value", *besides}
    assert differences(both.world, both.path, besides=lambda table, key, column: column in lags) == []
    assert unsound(both.path) == []
    return True


def assert_found_and_repaired(both: Mirrored, what: str, gid: str, column: str | None) -> None:
    found = compared(both, repair=True)
    assert (what, gid, column) in {(one.what, one.gid, one.column) for one in found.differences}
    assert gid in told(found)
    assert (column or what) in told(found)
    assert found.repair is not None
    assert found.repair.left == []
    assert is_equal(both)


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
        for table in (
            *("workspaces", "users", "agents", "teams", "team_memberships", "projects", "sections", "tags"),
            *("custom_fields", "tasks", "stories", "attachments"),
        )
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
    fields = [dict(request.query)["opt_fields"] for request in listener.requests]
    assert sorted(set(fields)) == sorted({"gid", fields[0]})  # the first contact is a run's
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


# -- changed there ------------------------------------------------------------------------------------


def _project_of_some(both: Mirrored) -> str:
    return str(value(both.path, "SELECT project_gid FROM task_projects"))


def _task_in_one_project(both: Mirrored) -> tuple[str, str]:
    found = rows(
        both.path,
        "SELECT task_gid, project_gid FROM task_projects JOIN tasks ON gid = task_gid "
        "WHERE assignee_gid IS NULL AND gid NOT IN (SELECT task_gid FROM task_tags) "
        "GROUP BY task_gid HAVING count(*) = 1",
    )[0]
    return found[0], found[1]


def test_a_task_new_there(both: Mirrored) -> None:
    project = _project_of_some(both)
    task = both.write("POST", "/tasks", name="New", projects=[project])["gid"]
    below = both.write("POST", f"/tasks/{task}/subtasks", name="Below")["gid"]
    both.write("POST", f"/tasks/{below}/stories", text="Said below")
    assert_found_and_repaired(both, "tasks", task, f"/projects/{project}/tasks")
    assert (
        value(both.path, "SELECT text FROM stories WHERE target_gid = ? ORDER BY gid", below) == "Said below"
    )


def test_a_task_deleted_there(both: Mirrored) -> None:
    task, project = _task_in_one_project(both)
    both.write("POST", f"/tasks/{task}/stories", text="Last words")
    both.sync()
    both.write("DELETE", f"/tasks/{task}")
    assert_found_and_repaired(both, "tasks", task, f"/projects/{project}/tasks")
    assert both.row("tasks", task)["_deleted_reason"] == "gone"
    reasons = rows(both.path, "SELECT DISTINCT _deleted_reason FROM stories WHERE target_gid = ?", task)
    assert [row[0] for row in reasons] == ["parent_deleted"]


def test_a_task_moved_there(both: Mirrored) -> None:
    task, project = _task_in_one_project(both)
    other = value(both.path, "SELECT gid FROM projects WHERE gid != ? AND _synced_at NOT NULL", project)
    both.write("POST", f"/tasks/{task}/addProject", project=other)
    both.write("POST", f"/tasks/{task}/removeProject", project=project)
    assert_found_and_repaired(both, "tasks", task, f"/projects/{other}/tasks")
    assert both.is_alive("tasks", task)


def test_absence_from_one_listing_is_not_death(both: Mirrored) -> None:
    task, project = _task_in_one_project(both)
    both.write("POST", f"/tasks/{task}/removeProject", project=project)
    assert_found_and_repaired(both, "tasks", task, f"/projects/{project}/tasks")
    assert both.is_alive("tasks", task)


def test_a_task_deleted_there_that_no_listing_shows(both: Mirrored) -> None:
    task, project = _task_in_one_project(both)
    both.write("POST", f"/tasks/{task}/removeProject", project=project)
    both.sync()
    both.write("DELETE", f"/tasks/{task}")
    assert_found_and_repaired(both, "tasks", task, None)
    assert not both.is_alive("tasks", task)


def test_a_comment_edited_there(both: Mirrored) -> None:
    comment = next(s for s in both.world.iter_records("stories") if s["type"] == "comment")
    both.write("PUT", f"/stories/{comment['gid']}", text="What I meant")
    assert_found_and_repaired(both, "stories", comment["gid"], "text")


def test_a_project_deleted_there_takes_along_what_stood_only_in_it(both: Mirrored) -> None:
    task, project = _task_in_one_project(both)
    both.write("DELETE", f"/projects/{project}")
    workspace = both.world.workspaces[0]
    assert_found_and_repaired(both, "projects", project, f"/projects?workspace={workspace}")
    assert not both.is_alive("tasks", task)


def test_listings_alone_are_enough_to_find_and_repair_what_came_and_went(both: Mirrored) -> None:
    """Without a sample: what stood below the gone and below the returned is looked after all the same."""
    gone, project = _task_in_one_project(both)
    below = both.write("POST", f"/tasks/{gone}/subtasks", name="Below")["gid"]
    both.sync()
    told = value(both.path, "SELECT target_gid FROM stories WHERE target_gid NOT IN (?, ?)", gone, below)
    spoil(both, "UPDATE tasks SET _deleted_at = '2026' WHERE gid = ?", told)
    spoil(both, "UPDATE stories SET _deleted_at = '2026' WHERE target_gid = ?", told)
    both.write("DELETE", f"/projects/{project}")

    found = compared(both, sample=0, repair=True)

    assert ("projects", project) in {(one.what, one.gid) for one in found.differences}
    assert found.agrees
    assert not both.is_alive("tasks", gone)
    assert not both.is_alive("tasks", below)
    assert both.is_alive("tasks", told)
    assert is_equal(both, besides={"reference_gids"})  # what others say of it, no listing tells


def test_a_field_that_no_workspace_lists_any_more_is_gone(tmp_path: Path) -> None:
    both = mirrored(tmp_path, generate(57, 20, workspaces=2, stories_per_task=0.0))
    field = value(both.path, "SELECT gid FROM custom_fields WHERE is_global_to_workspace")
    both.write("DELETE", f"/custom_fields/{field}")
    found = compared(both, sample=0, repair=True)
    assert {(one.what, one.gid) for one in found.differences} == {("custom_fields", field)}
    assert found.agrees
    assert not both.is_alive("custom_fields", field)


def test_a_task_gone_from_its_listing_is_asked_for_by_itself(both: Mirrored) -> None:
    task, _ = _task_in_one_project(both)
    both.write("DELETE", f"/tasks/{task}")
    listener = Listener(both.app)
    assert compared(both, listener, sample=0, repair=True).agrees
    assert f"/tasks/{task}" in {request.path for request in listener.requests}
    assert both.row("tasks", task)["_deleted_reason"] == "gone"


def test_a_task_that_differs_is_read_again_with_what_stands_on_it(both: Mirrored) -> None:
    task, _ = _task_in_one_project(both)
    both.write("POST", f"/tasks/{task}/stories", text="This moved modified_at")

    async def repair() -> None:
        options = SyncOptions(mirror=both.path, token=both.world.token, base_url=IN_PROCESS, per_minute=0)
        async with Asana(
            options.token, IN_PROCESS, per_minute=0, transport=httpx.ASGITransport(both.app)
        ) as asana:
            with rows_of(both.path) as known:
                await repaired(asana, options, Wrong(records=[("tasks", task)]), known, Stop())

    asyncio.run(repair())
    assert is_equal(both)


def test_what_is_gone_is_nobodys_affair_any_more(both: Mirrored) -> None:
    task, project = _task_in_one_project(both)
    both.write("DELETE", f"/projects/{project}")
    both.sync()
    assert not both.is_alive("tasks", task)
    found = compared(both)
    assert (found.differences, found.not_compared) == ([], [])


KINDS = (
    *("section_gone", "section_new", "project_gone", "project_new", "person_gone", "person_new", "delete"),
    *("comment_gone", "detach", "reparent", "add_home", "leave_home", "depend", "field_change", "tag_change"),
    *("team_people", "project_people", "comment_react", "create_below", "assign"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_people_do_is_found_and_repaired(both: Mirrored, kind: str) -> None:
    """Alone, so that no other edit brings along what this one should have brought."""
    assert random_edits(both.world, 4, 1, kinds=[kind])
    assert differences(both.world, both.path)
    found = compared(both, repair=True)
    assert found.repair is not None
    assert found.repair.left == []
    assert is_equal(both)


# -- what is no difference ----------------------------------------------------------------------------


def test_order_and_shown_values_are_lag(ours: Mirrored) -> None:
    project = _project_of_some(ours)
    spoil(ours, "UPDATE task_projects SET position = -position WHERE project_gid = ?", project)
    spoil(ours, "UPDATE task_custom_fields SET display_value = 'Old' WHERE display_value NOT NULL")
    found = compared(ours, repair=True)
    assert found.agrees
    assert found.repair is None
    assert {(one.column or "").split()[0] for one in found.lag} == {"position", "display_value"}
    assert "Lag" in told(found)


@pytest.mark.parametrize("status", [402, 403, 404, 451])
def test_a_refused_listing_is_no_difference(both: Mirrored, status: int) -> None:
    path = f"/projects/{_project_of_some(both)}/tasks"
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
    world = _small()
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
    path = f"/projects/{_project_of_some(ours)}/tasks"

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


# -- what a repair leaves alone -----------------------------------------------------------------------


def test_a_repair_asks_only_for_what_differs(both: Mirrored) -> None:
    project = _project_of_some(both)
    task = both.write("POST", "/tasks", name="New", projects=[project])["gid"]
    looked = compared(both, sample=0).requests
    listener = Listener(both.app)
    repaired = compared(both, listener, sample=0, repair=True)
    again = [request.path for request in listener.requests[looked:]]
    assert repaired.agrees
    assert sorted(again) == sorted(
        [f"/projects/{project}/tasks"] * 2 + [f"/tasks/{task}/stories", "/attachments"]
    )


def test_a_repair_moves_no_cursor(both: Mirrored) -> None:
    """Events that came before it are still to be heard by the next run."""
    project = _project_of_some(both)
    who = value(both.path, "SELECT assignee_gid FROM tasks WHERE assignee_gid IN (SELECT gid FROM users)")
    both.write("POST", "/tasks", name="New", projects=[project], assignee=who)
    spoil(both, "UPDATE sync_checkpoints SET cursor = '2020' WHERE name = 'assigned_tasks'")

    def cursors() -> dict[str, Any]:
        return {row["listing"]: row["cursor"] for row in rows(both.path, "SELECT * FROM sync_checkpoints")}

    before = cursors()
    assert compared(both, sample=0, repair=True).agrees
    assert {listing: cursor for listing, cursor in cursors().items() if listing in before} == before
    assert [row["mode"] for row in rows(both.path, "SELECT mode FROM sync_runs ORDER BY id")] == [
        "first",
        "repair",
    ]
    both.sync()
    assert is_equal(both)


def test_a_repair_forgets_no_problem(both: Mirrored) -> None:
    both.world.refuse(f"/projects/{_project_of_some(both)}/sections", 403)
    both.sync()
    task, _ = _task_in_one_project(both)
    spoil(both, "UPDATE tasks SET name = 'Spoilt' WHERE gid = ?", task)
    assert compared(both, repair=True).agrees
    assert value(both.path, "SELECT count(*) FROM sync_problems") == 1


def test_a_repair_brings_back_no_purged_person(both: Mirrored) -> None:
    author = value(both.path, "SELECT created_by_gid FROM stories JOIN users ON users.gid = created_by_gid")
    purge(PurgeOptions(both.path, people=((author,),)), agreed=lambda report: None)
    random_edits(both.world, 20, 3)
    found = compared(both, repair=True)
    assert found.repair is not None
    assert found.repair.left == []
    assert both.row("users", author) is None or both.row("users", author)["name"] is None


def _many_vanish(world: World) -> None:
    for gid in sorted(world.reachable_tasks()):
        world.refuse(gid, 404)


def test_the_guard_holds_in_a_repair(tmp_path: Path) -> None:
    both = mirrored(tmp_path, generate(55, 120, projects=2, stories_per_task=0.0))
    lived = living(both.path, "tasks").keys()
    _many_vanish(both.world)
    with pytest.raises(TooManyMissing):
        compared(both, sample=0, repair=True)
    assert living(both.path, "tasks").keys() == lived
    assert value(both.path, "SELECT outcome FROM sync_runs ORDER BY id DESC") == "guarded"
    assert compared(both, sample=0, repair=True, max_deletes=1000).agrees
    assert living(both.path, "tasks").keys() < lived


def test_a_mirror_half_read_is_synced_before_it_is_repaired(ours: Mirrored) -> None:
    spoil(ours, "UPDATE sync_runs SET outcome = 'interrupted'")
    assert compared(ours).agrees
    with pytest.raises(WrongUsage, match="did not come to its end"):
        compared(ours, repair=True)


def test_a_mirror_that_a_run_holds_may_be_compared_but_not_repaired(ours: Mirrored) -> None:
    with hold(ours.path):
        assert compared(ours, sample=5).agrees
        with pytest.raises(MirrorBusy):
            compared(ours, sample=5, repair=True)


def _stopping(both: Mirrored, stop: Stop, after: int) -> Callable[..., Any]:
    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        if both.app.stats.requests >= after:
            stop.set()
        await both.app(scope, receive, send)

    return wrapped


def test_it_stops_on_request(both: Mirrored) -> None:
    both.app.stats.reset()
    stop = Stop()
    with pytest.raises(Interrupted) as stopped:
        compared(both, _stopping(both, stop, 20), stop=stop)
    assert stopped.value.exit_code == 130
    assert both.app.stats.requests < 80

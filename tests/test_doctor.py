"""`asana-mirror doctor`: what it finds at Asana, at the token, at the clock and in the file, and that it only looks."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from test_cli import run
from worlds import IN_PROCESS, Asgi, Listener, Mirrored, Rewriter, mirrored

from asana_mirror.catalog import RESOURCES
from asana_mirror.checkup import Remembered, look_at
from asana_mirror.doctor import OAUTH, PERSON, SERVICE, Diagnosis, examine
from asana_mirror.drift import Unfit, Unknown, unfit_fields, unknown_fields
from asana_mirror.errors import BadToken, MirrorError
from asana_mirror.run import SyncOptions
from asana_mirror.sandbox import World, create_app, generate, running

ALL_SEEN_ONCE = set(RESOURCES) - {
    "audit_log_events",
    "webhooks",
}  # for service accounts, and where there are any


@pytest.fixture(scope="module")
def world() -> World:
    return generate(seed=31, tasks=60, stories_per_task=2)


@pytest.fixture(scope="module")
def both(world: World, tmp_path_factory: pytest.TempPathFactory) -> Mirrored:
    return mirrored(tmp_path_factory.mktemp("doctor"), world)


def examined(
    app: Asgi, token: str, known: Remembered | None = None, **options: Any
) -> tuple[Diagnosis, MirrorError | None]:
    """What is found, and what kept it from being all."""
    diagnosis = Diagnosis(IN_PROCESS, None)
    wanted = SyncOptions(Path("nowhere.db"), token, IN_PROCESS, per_minute=0, max_wait_s=1, **options)
    trouble = None
    try:
        work = examine(wanted, known or Remembered(), diagnosis, transport=httpx.ASGITransport(app))
        asyncio.run(work)
    except MirrorError as error:
        trouble = error
    return diagnosis, trouble


# -- a healthy one ------------------------------------------------------------------------------------


def test_a_healthy_mirror_shows_a_record_of_everything(both: Mirrored, world: World) -> None:
    found, trouble = examined(both.app, world.token, look_at(both.path).remembered)
    assert trouble is None
    assert set(found.looked_at) >= ALL_SEEN_ONCE
    assert (found.unknown, found.unfit, found.missing_scopes, found.changes) == ([], [], [], [])
    assert found.token_is_valid
    assert found.clock_ahead_s is not None
    assert abs(found.clock_ahead_s) < 5


def test_without_a_mirror_most_is_found_through_lists(world: World) -> None:
    found, _ = examined(create_app(world), world.token)
    assert len(found.looked_at) >= 36
    assert {"tasks", "projects", "stories", "portfolios", "goals", "time_tracking_entries"} <= set(
        found.looked_at
    )
    assert not set(found.looked_at) & set(found.nothing_to_look_at)


@pytest.mark.parametrize("knows", [True, False])
def test_records_are_asked_for_as_they_come_and_seldom(both: Mirrored, world: World, knows: bool) -> None:
    listener = Listener(both.app)
    found, _ = examined(listener, world.token, look_at(both.path).remembered if knows else None)
    after_contact = [one for one in listener.requests if one.path != "/workspaces"]
    assert not any(name == "opt_fields" for one in after_contact for name, _ in one.query)
    assert {one.method for one in listener.requests} == {"GET"}
    assert found.requests == len(listener.requests) <= (60 if knows else 3 * len(RESOURCES))
    assert max(Counter(one.asked for one in listener.requests).values()) <= 1


def test_what_is_refused_is_asked_for_three_times_at_most(world: World) -> None:
    listener = Listener(create_app(world))
    world.refusals.refuse("/status_updates*", 404)
    try:
        found, _ = examined(listener, world.token)
    finally:
        world.refusals.allow("/status_updates*")
    assert 1 <= sum(one.path == "/status_updates" for one in listener.requests) <= 3
    assert "status_updates" in found.nothing_to_look_at


def test_nothing_is_written(both: Mirrored, world: World) -> None:
    def there() -> tuple[str, list[str]]:
        return hashlib.sha256(both.path.read_bytes()).hexdigest(), sorted(
            map(str, both.path.parent.iterdir())
        )

    before = there()
    with running(both.app) as url:
        done = run(both.path.parent, environment(url, world.token), "doctor", str(both.path))
    assert done.returncode == 0
    assert there() == before


# -- drift of the API ---------------------------------------------------------------------------------


def shiny(path: str, envelope: dict[str, Any]) -> None:
    """Tasks have a field that nobody has heard of, and a count that became a text."""
    told = envelope["data"]
    for record in told if isinstance(told, list) else [told]:
        if record.get("resource_type") == "task" and "completed" in record:
            record |= {"shiny_new_field": {"sparkles": 3}, "num_likes": "many"}


def test_a_field_nobody_has_heard_of_is_named(both: Mirrored, world: World) -> None:
    found, _ = examined(Rewriter(both.app, shiny), world.token, look_at(both.path).remembered)
    assert found.unknown == [Unknown("tasks", "shiny_new_field", "object")]
    assert found.unfit == [Unfit("tasks", "num_likes", "string", "a whole number")]


def test_a_field_that_is_asked_for_already_is_not_news(both: Mirrored, world: World) -> None:
    asked = {"tasks": ("shiny_new_field",)}
    app = Rewriter(both.app, shiny)
    found, _ = examined(app, world.token, look_at(both.path).remembered, extra_fields=asked)
    assert found.unknown == []


def test_what_is_left_out_for_a_reason_is_known() -> None:
    assert (
        unknown_fields("tasks", {"gid": "1", "resource_type": "task", "hearts": [], "memberships": []}) == []
    )
    assert unknown_fields("tasks", {"x": None}) == [Unknown("tasks", "x", "null")]


@pytest.mark.parametrize(
    ("field", "value", "fits"),
    [
        ("name", "a", True),
        ("name", 1, False),
        ("completed", True, True),
        ("completed", 1, False),
        ("num_likes", 2.0, True),
        ("num_likes", 2.5, False),
        ("num_likes", True, False),
        ("actual_time_minutes", 3, True),
        ("actual_time_minutes", "3", False),
        ("external", {"gid": "x"}, True),
        ("assignee", {"gid": "1"}, True),
        ("assignee", "1", False),
        ("assignee", None, True),
        ("tags", [], True),
        ("tags", {}, False),
    ],
)
def test_what_fits_and_what_does_not(field: str, value: Any, fits: bool) -> None:
    assert (unfit_fields("tasks", {field: value}) == []) is fits


def test_a_list_of_settings_and_a_single_one_are_told_apart() -> None:
    assert unfit_fields("projects", {"custom_field_settings": {}})[0].takes == "a list"
    assert unfit_fields("custom_field_settings", {"custom_field": []})[0].takes == "an object"


def test_announced_changes_are_told_with_where_to_read_on(both: Mirrored, world: World) -> None:
    app = create_app(world)
    app.announce("string_ids", "https://forum.example/1")
    app.announce("new_goals", "https://forum.example/2", affected=False)
    found, _ = examined(app, world.token)
    told = {change["name"]: (change["info"], change["affected"]) for change in found.changes}
    assert told == {
        "string_ids": ("https://forum.example/1", True),
        "new_goals": ("https://forum.example/2", False),
    }


# -- the token ----------------------------------------------------------------------------------------


def test_a_persons_token_is_told_from_a_service_accounts(both: Mirrored, world: World) -> None:
    person, _ = examined(both.app, world.token)
    assert person.kind == PERSON
    assert [(one.resource, one.status) for one in person.unreadable] == [("audit_log_events", 403)]
    service, _ = examined(both.app, world.tokens["service"])
    assert service.kind == SERVICE
    assert service.unreadable == []
    assert service.whose == person.whose
    assert service.whose is not None
    assert service.whose["email"]


def test_scopes_that_are_missing_are_named(both: Mirrored, world: World) -> None:
    found, trouble = examined(both.app, world.tokens["scoped"], look_at(both.path).remembered)
    assert trouble is None
    assert found.kind == OAUTH
    lacking = {(one.resource, one.scope) for one in found.missing_scopes}
    assert {("stories", "stories:read"), ("tags", "tags:read"), ("goals", "goals:read")} <= lacking
    assert "tasks" not in {resource for resource, _ in lacking}
    why = {one.resource: one.why for one in found.unreadable}
    assert why["tags"] == "the token lacks the scope tags:read"


def test_a_plan_that_lacks_something_is_said_in_words(world: World) -> None:
    world.refusals.refuse("/time_tracking_entries*", 402)
    world.refusals.refuse("/budgets*", 403)
    try:
        found, _ = examined(create_app(world), world.token)
    finally:
        world.refusals.allow("/time_tracking_entries*")
        world.refusals.allow("/budgets*")
    why = {one.resource: one.why for one in found.unreadable}
    assert why["time_tracking_entries"] == "Asana asks for a paid plan"
    assert why["budgets"] == "the token may not see it"


def test_a_refused_token_ends_the_questions(both: Mirrored) -> None:
    found, trouble = examined(both.app, "wrong")
    assert isinstance(trouble, BadToken)
    assert found.token_is_valid is False
    assert found.requests == 1


def test_one_record_that_asana_fails_to_show_hides_nothing_else(both: Mirrored, world: World) -> None:
    class Failing:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if "/tags/" in scope.get("path", ""):
                start = {"type": "http.response.start", "status": 500, "headers": []}
                await send(start)
                await send({"type": "http.response.body", "body": b'{"errors": []}'})
            else:
                await both.app(scope, receive, send)

    found, trouble = examined(Failing(), world.token, look_at(both.path).remembered)
    assert trouble is None
    assert set(found.looked_at) >= ALL_SEEN_ONCE


# -- the clock ----------------------------------------------------------------------------------------


class OddClock:
    """Stands behind an app and shifts the time that its answers tell."""

    def __init__(self, app: Asgi, shift: timedelta) -> None:
        self.app = app
        self.shift = shift

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def shifted(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = [
                    (name, self._later(text) if name == b"date" else text)
                    for name, text in message["headers"]
                ]
                message = {**message, "headers": headers}
            await send(message)

        await self.app(scope, receive, shifted)

    def _later(self, text: bytes) -> bytes:
        return format_datetime(parsedate_to_datetime(text.decode()) + self.shift, usegmt=True).encode()


@pytest.mark.parametrize("hours", [2, -2])
def test_a_clock_that_is_off_is_noticed(both: Mirrored, world: World, hours: int) -> None:
    found, _ = examined(OddClock(both.app, timedelta(hours=-hours)), world.token)
    assert found.clock_ahead_s is not None
    assert abs(found.clock_ahead_s - hours * 3600) < 5


# -- the command --------------------------------------------------------------------------------------


def environment(url: str, token: str, **more: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ASANA")}
    return {**clean, "ASANA_ACCESS_TOKEN": token, "ASANA_BASE_URL": url, **more}


def assert_one_sentence_and_one_hint(done: subprocess.CompletedProcess[str], exit_code: int) -> None:
    """Unlike other commands, it prints what it found as well."""
    assert done.returncode == exit_code, done.stderr
    sentence, hint = done.stderr.strip().splitlines()
    assert sentence.startswith("asana-mirror: ")
    assert hint.startswith("  hint: ")


@pytest.fixture(scope="module")
def troubled(both: Mirrored) -> Iterator[str]:
    """An Asana with a new field, an announcement, and another time of day."""
    app = create_app(both.world)
    app.announce("string_ids", "https://forum.example/1")
    with running(OddClock(Rewriter(app, shiny), timedelta(hours=2))) as url:
        yield url


def test_it_says_what_it_found_and_what_to_do(
    both: Mirrored, world: World, troubled: str, tmp_path: Path
) -> None:
    done = run(tmp_path, environment(troubled, world.token), "doctor", str(both.path))
    assert done.returncode == 0, done.stderr
    assert "tasks come with shiny_new_field (object)" in done.stdout
    assert 'extra_fields.tasks = ["shiny_new_field"] in asana-mirror.toml' in done.stdout
    assert "tasks.num_likes comes as string" in done.stdout
    assert "This machine's clock is 2 h behind Asana's" in done.stdout
    assert "string_ids, seen at /workspaces: this token's requests are affected." in done.stdout
    assert "Read https://forum.example/1" in done.stdout
    assert "is whole" in done.stdout
    assert "Its last run (first)" in done.stdout
    assert world.token not in done.stdout + done.stderr


def test_programs_get_the_same(both: Mirrored, world: World, troubled: str, tmp_path: Path) -> None:
    done = run(tmp_path, environment(troubled, world.token), "doctor", str(both.path), "--json")
    told = json.loads(done.stdout)
    assert told["asana"]["unknown"] == [{"resource": "tasks", "field": "shiny_new_field", "type": "object"}]
    assert told["asana"]["kind"] == "person"
    assert told["mirror"]["exists"]
    assert told["mirror"]["complaints"] == []
    assert told["mirror"]["last_run"]["outcome"] == "complete"
    assert {one["section"] for one in told["findings"]} >= {"Token", "Clock", "Records", "Mirror"}
    assert world.token not in done.stdout


def test_without_a_mirror_it_says_that_only_asana_was_looked_at(
    world: World, troubled: str, tmp_path: Path
) -> None:
    done = run(tmp_path, environment(troubled, world.token), "doctor")
    assert done.returncode == 0, done.stderr
    assert "There is none at asana.db: only Asana was looked at." in done.stdout
    assert "shiny_new_field" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("token", ["wrong-token-of-somebody", ""])
def test_a_refused_token_ends_with_3_after_the_mirror_was_looked_at(
    both: Mirrored, troubled: str, tmp_path: Path, token: str
) -> None:
    done = run(tmp_path, environment(troubled, token), "doctor", str(both.path))
    assert_one_sentence_and_one_hint(done, 3)
    assert "is whole" in done.stdout
    assert "wrong-token-of-somebody" not in done.stdout + done.stderr


def test_an_address_where_nobody_is_ends_with_4(both: Mirrored, world: World, tmp_path: Path) -> None:
    nobody = environment("http://127.0.0.1:9/api/1.0", world.token)
    done = run(tmp_path, nobody, "doctor", str(both.path), "--max-wait", "1s")
    assert_one_sentence_and_one_hint(done, 4)
    assert "is whole" in done.stdout


def test_an_address_that_is_none_ends_with_2(world: World, tmp_path: Path) -> None:
    assert_one_sentence_and_one_hint(run(tmp_path, environment("nonsense", world.token), "doctor"), 2)


def test_the_password_of_a_proxy_is_not_shown(world: World, tmp_path: Path) -> None:
    through = environment(
        "http://asana.invalid/api/1.0", world.token, http_proxy="http://me:geheim@127.0.0.1:9", no_proxy=""
    )
    done = run(tmp_path, through, "doctor", "--max-wait", "1s")
    assert done.returncode == 4
    assert "through the proxy http://127.0.0.1:9;" in done.stdout
    assert "geheim" not in done.stdout + done.stderr


# -- the mirror's file --------------------------------------------------------------------------------


def test_a_damaged_mirror_ends_with_2(both: Mirrored, world: World, troubled: str, tmp_path: Path) -> None:
    whole = both.path.read_bytes()
    half = len(whole) // 2
    damaged = tmp_path / "asana.db"
    damaged.write_bytes(whole[:half] + b"\xa5" * 40_000 + whole[half + 40_000 :])
    done = run(tmp_path, environment(troubled, world.token), "doctor")
    assert_one_sentence_and_one_hint(done, 2)
    assert "malformed" in done.stdout
    assert "shiny_new_field" in done.stdout


def test_what_an_integrity_check_complains_of_ends_with_2(
    both: Mirrored, world: World, troubled: str, tmp_path: Path
) -> None:
    shutil.copy(both.path, tmp_path / "asana.db")
    with closing(sqlite3.connect(tmp_path / "asana.db")) as db, db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute(
            "UPDATE sqlite_master SET sql = replace(sql, '_deleted_at TEXT', '_deleted_at TEXT NOT NULL')"
        )
    done = run(tmp_path, environment(troubled, world.token), "doctor")
    assert_one_sentence_and_one_hint(done, 2)
    assert "is damaged: NULL value in" in done.stdout


def test_a_file_that_is_no_mirror_is_left_alone(world: World, troubled: str, tmp_path: Path) -> None:
    (tmp_path / "asana.db").write_text("shopping list")
    done = run(tmp_path, environment(troubled, world.token), "doctor")
    assert_one_sentence_and_one_hint(done, 2)
    assert (tmp_path / "asana.db").read_text() == "shopping list"


@pytest.mark.parametrize(("version", "exit_code"), [(1, 0), (99, 2)])
def test_an_older_mirror_is_said_to_be_one_and_a_newer_one_ends_with_2(
    both: Mirrored, world: World, troubled: str, tmp_path: Path, version: int, exit_code: int
) -> None:
    shutil.copy(both.path, tmp_path / "asana.db")
    with closing(sqlite3.connect(tmp_path / "asana.db")) as db:
        db.execute(f"PRAGMA user_version = {version}")
    done = run(tmp_path, environment(troubled, world.token), "doctor")
    assert done.returncode == exit_code
    assert f"asana.db was made by {'an older' if version == 1 else 'a newer'} asana-mirror" in done.stdout
    assert "shiny_new_field" in done.stdout


def test_beside_a_run_that_writes_it_looks_as_well(both: Mirrored, tmp_path: Path) -> None:
    path = tmp_path / "asana.db"
    shutil.copy(both.path, path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE tags SET name = 'only in the log'")
        db.commit()
        found = look_at(path)
    assert found.trouble is None
    assert found.complaints == []


def test_what_a_mirror_remembers_is_alive_and_of_the_right_kind(both: Mirrored, tmp_path: Path) -> None:
    path = tmp_path / "asana.db"
    shutil.copy(both.path, path)
    before = look_at(path).remembered
    last, *_ = before.gids("tags")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE tags SET _deleted_at = '2026-01-01T00:00:00.000Z' WHERE gid = ?", [last])
    found = look_at(path)
    assert found.trouble is None
    assert not found.is_broken
    assert last not in found.remembered.gids("tags")
    (embedded,) = RESOURCES["portfolios"].embedded
    owners = found.remembered.owners(embedded)
    assert owners
    assert all(both.is_alive("portfolios", owner) for owner in owners)


def test_a_diagnosis_is_ready_for_json() -> None:
    assert json.loads(json.dumps(asdict(Diagnosis(IN_PROCESS, None))))["token_is_valid"] is None

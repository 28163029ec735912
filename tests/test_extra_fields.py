"""Fields that a user asks for beside what is mirrored: they land in `_extra`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from everything import asked, by_path, equal, mirrored_world, some_of_everything
from truth import differences
from worlds import Asgi, Mirrored, Rewriter, rows

from asana_mirror.options import extra_fields
from asana_mirror.sandbox import running


class Moody:
    """Stands before an app that knows one more field of tasks, and tells it to who asks for it."""

    def __init__(self, app: Asgi) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        asked = b"mood" in scope["query_string"]
        await (Rewriter(self.app, _with_mood) if asked else self.app)(scope, receive, send)


def _with_mood(path: str, envelope: dict[str, Any]) -> None:
    data = envelope["data"]
    for record in data if isinstance(data, list) else [data]:
        if record.get("resource_type") == "task":
            record["mood"] = "fine"


@pytest.fixture
def both(tmp_path: Path) -> Mirrored:
    both = mirrored_world(tmp_path, some_of_everything(181, 30))
    return Mirrored(both.world, Moody(both.app), both.path)  # type: ignore[arg-type]


def _moods(both: Mirrored) -> set[str | None]:
    return {row[0] for row in rows(both.path, "SELECT _extra FROM tasks WHERE _deleted_at IS NULL")}


FINE = '{"mood":"fine"}'
MOOD = {"tasks": ("mood",)}


# -- what a run does with them ------------------------------------------------------------------------


def test_a_field_that_is_asked_for_is_kept_beside_the_others(both: Mirrored) -> None:
    both.path.unlink()
    both.sync(extra_fields=MOOD)
    assert _moods(both) == {FINE}
    assert differences(both.world, both.path, besides=lambda *place: place[2] == "_extra") == []


def test_lists_are_read_again_when_more_is_asked_for_and_once_only(both: Mirrored) -> None:
    quiet = by_path(asked(both))

    again = by_path(asked(both, extra_fields=MOOD))

    assert again["/projects/{}/tasks"] == len(list(both.world.iter_records("projects")))
    assert again["/goals/{}/stories"] == again["/status_updates"] == 0
    assert _moods(both) == {FINE}
    assert by_path(asked(both, extra_fields=MOOD)) == quiet


def test_what_is_no_longer_asked_for_goes(both: Mirrored) -> None:
    both.sync(extra_fields=MOOD)
    both.sync()
    assert equal(both)


def test_fields_are_asked_for_in_lists_and_by_themselves(both: Mirrored) -> None:
    task = next(r["gid"] for r in both.world.iter_records("tasks") if r["memberships"])
    both.write("PUT", f"/tasks/{task}", name="Renamed")
    requests = asked(both, extra_fields=MOOD)

    def of_tasks(path: str) -> bool:
        return path.endswith(("/tasks", "/subtasks", f"/tasks/{task}"))

    fields = [
        (of_tasks(path), query["opt_fields"].split(",")) for path, query in requests if "opt_fields" in query
    ]
    assert all(("mood" in names) == is_of_tasks for is_of_tasks, names in fields)
    assert {True, False} == {is_of_tasks for is_of_tasks, _ in fields}


# -- how they are named -------------------------------------------------------------------------------


def test_options_name_a_resource_and_a_field() -> None:
    named = ["tasks.mood", "goals.aura.color", "tasks.mood", "tasks.a"]
    assert extra_fields(named) == {"tasks": ("a", "mood"), "goals": ("aura.color",)}


WRONG = {
    "no resource": "mood",
    "an unknown resource": "chores.mood",
    "no field": "tasks.",
    "no name of a field": "tasks.a,b",
    "a field with a blank": "tasks.a b",
    "what is mirrored already": "tasks.name",
    "below what is mirrored already": "tasks.assignee.email",
    "what is kept otherwise": "tasks.dependents",
    "what is left out on purpose": "sections.projects",
    "what takes no fields": "goal_memberships.role",
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_wrong_names_are_one_sentence_and_exit_2(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(Exception, match=r"names no field|cannot be asked for") as told:
        extra_fields([wrong])
    assert told.value.exit_code == 2  # type: ignore[attr-defined]
    assert told.value.hint  # type: ignore[attr-defined]
    assert "\n" not in str(told.value)
    assert repr(wrong) in str(told.value)


def _command(folder: Path, url: str, *arguments: str, token: str = "t") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "asana_mirror", *arguments],
        cwd=folder,
        env={**os.environ, "ASANA_ACCESS_TOKEN": token, "ASANA_BASE_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_config_names_them_by_resource(both: Mirrored, tmp_path: Path) -> None:
    (tmp_path / "asana-mirror.toml").write_text('extra_fields.tasks = ["mood"]\n', encoding="utf-8")
    with running(both.app) as url:
        done = _command(tmp_path, url, "sync", str(both.path), token=both.world.token)

    assert done.returncode == 0, done.stderr
    assert _moods(both) == {FINE}


CONFIGS = {
    "a list without resources": 'extra_fields = ["mood"]',
    "text for a list": 'extra_fields.tasks = "mood"',
    "an unknown resource": 'extra_fields.chores = ["mood"]',
    "a number for a field": "extra_fields.tasks = [3.5]",
    "a field that is there": 'extra_fields.tasks = ["name"]',
    "a list in a list": 'extra_fields.tasks = [["a"]]',
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_a_wrong_config_is_one_sentence_and_one_hint(tmp_path: Path, config: str) -> None:
    (tmp_path / "asana-mirror.toml").write_text(f"{config}\n", encoding="utf-8")
    done = _command(tmp_path, "http://127.0.0.1:9", "sync", "m.db")

    assert done.returncode == 2, done.stderr
    sentence, hint = done.stderr.strip().splitlines()
    assert sentence.startswith("asana-mirror: ")
    assert hint.startswith("  hint: ")
    assert not (tmp_path / "m.db").exists()


def test_a_wrong_option_is_one_sentence_and_one_hint(tmp_path: Path) -> None:
    done = _command(tmp_path, "http://127.0.0.1:9", "sync", "m.db", "--extra-field", "chores.mood")
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 2

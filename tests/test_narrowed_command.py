"""`asana-mirror sync` narrowed to places, from flags and from the file, as a person meets it."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_cli import assert_one_sentence_and_one_hint, run

from asana_mirror.sandbox import World, create_app, generate, running

APP = "https://app.asana.com"


@pytest.fixture(scope="module")
def world() -> World:
    return generate(seed=57, tasks=40, projects=4, stories_per_task=1, tags=3)


@pytest.fixture(scope="module")
def address(world: World) -> Iterator[str]:
    with running(create_app(world)) as base_url:
        yield base_url


@pytest.fixture(scope="module")
def environment(world: World, address: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ASANA")}
    return {**clean, "ASANA_ACCESS_TOKEN": world.token, "ASANA_BASE_URL": address}


@pytest.fixture
def project(world: World) -> str:
    return str(next(world.iter_records("projects"))["gid"])


def narrowed_to(mirror: Path) -> dict[str, list[str]]:
    (scope,) = sqlite3.connect(mirror).execute("SELECT scope FROM sync_runs ORDER BY id DESC").fetchone()
    return {name: gids for name, gids in json.loads(scope).items() if gids}


def test_a_project_and_a_team_may_be_named_by_their_addresses(
    tmp_path: Path, world: World, environment: dict[str, str], project: str
) -> None:
    team, workspace = next(world.iter_records("teams"))["gid"], world.workspaces[0]
    urls = ["--project", f"{APP}/0/{project}/list", "--team", f"{APP}/1/{workspace}/team/{team}?x=1"]
    done = run(tmp_path, environment, "sync", "--rpm", "0", *urls)
    assert done.returncode == 0, done.stderr
    assert narrowed_to(tmp_path / "asana.db") == {"projects": [project], "teams": [team]}


@pytest.mark.parametrize(("option", "kind"), [("--project", "project"), ("--team", "team")])
@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_place_that_the_token_does_not_see_leaves_no_trace(
    tmp_path: Path, environment: dict[str, str], option: str, kind: str, more: list[str]
) -> None:
    done = run(tmp_path, environment, "sync", "--rpm", "0", option, "999999", *more)
    assert_one_sentence_and_one_hint(done, 2)
    assert f"sees no {kind} 999999" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_address_of_something_else_leaves_no_trace(tmp_path: Path, environment: dict[str, str]) -> None:
    done = run(tmp_path, environment, "sync", "--project", f"{APP}/0/home/12345")
    assert_one_sentence_and_one_hint(done, 2)
    assert "names no project" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_workspaces_and_projects_cannot_both_be_named(
    tmp_path: Path, world: World, environment: dict[str, str], project: str
) -> None:
    done = run(tmp_path, environment, "sync", "--project", project, "--workspace", world.workspaces[0])
    assert_one_sentence_and_one_hint(done, 2)
    assert "--workspace" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_places_on_the_command_line_stand_for_all_that_the_file_names(
    tmp_path: Path, world: World, environment: dict[str, str], project: str
) -> None:
    team = next(world.iter_records("teams"))["gid"]
    (tmp_path / "asana-mirror.toml").write_text(
        f'[sync]\nworkspace = ["{world.workspaces[0]}"]\nrequests_per_minute = 0\nmax_age = "2d"\nsweep_every = 3600\n'
    )
    assert run(tmp_path, environment, "sync", "--team", team).returncode == 0
    assert narrowed_to(tmp_path / "asana.db") == {"teams": [team]}
    done = run(tmp_path, environment, "sync", "file.db", "--json")
    assert done.returncode == 0, done.stderr
    assert narrowed_to(tmp_path / "file.db") == {"workspaces": [world.workspaces[0]]}
    assert json.loads(done.stdout)["mode"] == "first"


def test_a_file_may_name_projects_as_a_list_or_one_alone(
    tmp_path: Path, world: World, environment: dict[str, str]
) -> None:
    gids = sorted(record["gid"] for record in world.iter_records("projects"))[:2]
    for named, expected in ((json.dumps(gids), gids), (f'"{gids[0]}"', gids[:1]), (gids[0], gids[:1])):
        (tmp_path / "asana-mirror.toml").write_text(f"[sync]\nproject = {named}\nrequests_per_minute = 0\n")
        assert run(tmp_path, environment, "sync").returncode == 0
        assert narrowed_to(tmp_path / "asana.db") == {"projects": expected}


def test_full_reads_everything_again(tmp_path: Path, environment: dict[str, str], project: str) -> None:
    modes = [
        json.loads(run(tmp_path, environment, "sync", "--rpm", "0", "--json", *more).stdout)["mode"]
        for more in ([], [], ["--full"], ["--project", project], ["--project", project, "--full"])
    ]
    assert modes == ["first", "changes", "full", "changes", "full"]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("max_age = 'soon'", "soon"),
        ("max_age = true", "not a duration"),
        ("sweep_every = '-7d'", "-7d"),
        ("full = 'perhaps'", "perhaps"),
        ("full = ['yes']", "sync.full"),
        ("project = [['1']]", "sync.project"),
        ("team = 'my team'", "my team"),
        ("team = {gid = '1'}", "sync.team"),
        ("max_deletes = [1]", "sync.max_deletes"),
    ],
)
def test_a_value_that_cannot_be_one_is_said_in_one_sentence(
    tmp_path: Path, environment: dict[str, str], content: str, named: str
) -> None:
    (tmp_path / "asana-mirror.toml").write_text(f"[sync]\n{content}\n")
    done = run(tmp_path, environment, "sync")
    assert_one_sentence_and_one_hint(done, 2)
    assert named in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["asana-mirror.toml"]

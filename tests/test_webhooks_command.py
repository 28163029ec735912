"""`asana-mirror webhooks` as a person meets it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from test_cli import assert_one_sentence_and_one_hint, run
from worlds import mirror, rows

from asana_mirror.sandbox import App, World, create_app, generate, running
from asana_mirror.store import Mirror, hold
from asana_mirror.times import utc_now

TARGET = "http://127.0.0.1:9/mine"


def shaking(request: httpx.Request) -> httpx.Response:
    secret = request.headers.get("X-Hook-Secret", "")
    return httpx.Response(200 if "mine" in str(request.url) else 404, headers={"X-Hook-Secret": secret})


@pytest.fixture(scope="module")
def world() -> World:
    return generate(seed=65, tasks=20, projects=3, stories_per_task=0, workspaces=2)


@pytest.fixture(scope="module")
def app(world: World) -> App:
    return create_app(world, transport=httpx.MockTransport(shaking))


@pytest.fixture(scope="module")
def address(app: App) -> Iterator[str]:
    with running(app) as base_url:
        yield base_url


@pytest.fixture
def environment(world: World, address: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ASANA")}
    return {**clean, "ASANA_ACCESS_TOKEN": world.token, "ASANA_BASE_URL": address}


@pytest.fixture
def project(world: World) -> str:
    return str(next(world.iter_records("projects"))["gid"])


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, world: World, app: App) -> Path:
    """The mirror, made once."""
    path = tmp_path_factory.mktemp("plain") / "asana.db"
    mirror(world, path, app)
    return path


@pytest.fixture
def folder(tmp_path: Path, world: World, plain: Path) -> Iterator[Path]:
    shutil.copy(plain, tmp_path / "asana.db")
    yield tmp_path
    for hook in world.hooks:
        world.hooks.remove(hook)


def made(world: World, project: str, target: str) -> str:
    hook = world.hooks.draft(world.token, world.records[project], target, [], False)
    world.hooks.add(hook)
    return hook.gid


def ours(folder: Path, world: World, project: str) -> str:
    """A webhook of the mirror's own."""
    gid = made(world, project, "http://127.0.0.1:9/asana/key")
    with closing(Mirror(folder / "asana.db")) as held, held.atomic():
        held.webhooks.ask("key", project, "http://127.0.0.1:9/asana/key", now=utc_now())
        held.webhooks.shake_hands("key", "secret", now=utc_now())
        held.webhooks.establish("key", gid, now=utc_now())
    return gid


def listed(folder: Path, environment: dict[str, str], *more: str) -> list[dict[str, Any]]:
    done = run(folder, environment, "webhooks", "list", "--json", *more)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["webhooks"]
    return found


def test_one_is_made_by_hand_listed_and_deleted(
    folder: Path, world: World, environment: dict[str, str], project: str
) -> None:
    address = f"https://app.asana.com/1/{world.workspaces[0]}/project/{project}/list"
    done = run(folder, environment, "webhooks", "create", address, "--target", TARGET)
    assert done.returncode == 0, done.stderr
    gid = done.stdout.strip()
    (hook,) = listed(folder, environment)
    assert (hook["gid"], hook["resource_gid"], hook["target"], hook["ours"]) == (gid, project, TARGET, False)
    assert hook["name"] == world.records[project]["name"]
    assert rows(folder / "asana.db", "SELECT * FROM sync_webhooks") == []
    for _ in range(2):  # it may be gone already
        assert run(folder, environment, "webhooks", "delete", gid).returncode == 0
    assert listed(folder, environment) == []


def test_the_list_tells_ours_from_others_in_all_workspaces(
    folder: Path, world: World, environment: dict[str, str]
) -> None:
    by_workspace = {one["workspace"]["gid"]: one["gid"] for one in world.iter_records("projects")}
    first, second = (by_workspace[gid] for gid in world.workspaces)
    known, other = ours(folder, world, first), made(world, second, TARGET)
    assert {hook["gid"]: hook["ours"] for hook in listed(folder, environment)} == {known: True, other: False}
    told = run(folder, environment, "webhooks", "list").stdout
    assert all(text in told for text in (known, other, TARGET, "last success at"))
    assert "secret" not in told


def test_deleting_one_of_ours_forgets_its_row(
    folder: Path, world: World, environment: dict[str, str], project: str
) -> None:
    known, other = ours(folder, world, project), made(world, project, TARGET)
    assert run(folder, environment, "webhooks", "delete", other).returncode == 0
    assert len(rows(folder / "asana.db", "SELECT * FROM sync_webhooks")) == 1
    assert run(folder, environment, "webhooks", "delete", known).returncode == 0
    assert rows(folder / "asana.db", "SELECT * FROM sync_webhooks") == []
    assert not world.hooks


def test_a_mirror_that_a_run_holds_can_be_listed_and_loses_none_of_its_own(
    folder: Path, world: World, environment: dict[str, str], project: str
) -> None:
    known, other = ours(folder, world, project), made(world, project, TARGET)
    with hold(folder / "asana.db"):
        assert len(listed(folder, environment)) == 2
        assert run(folder, environment, "webhooks", "delete", other).returncode == 0
        assert_one_sentence_and_one_hint(run(folder, environment, "webhooks", "delete", known), 5)
    assert list(world.hooks.by_gid) == [known]


def test_what_asana_refuses_is_one_sentence_and_one_hint(
    folder: Path, world: World, environment: dict[str, str], project: str
) -> None:
    far = ["webhooks", "create", project, "--target"]
    for target, said in (("https://example.com/x", "may be reached"), ("http://127.0.0.1:9/no", "handshake")):
        done = run(folder, environment, *far, target)
        assert_one_sentence_and_one_hint(done, 2)
        assert said in done.stderr
    token = world.admit("narrow", world.me, scopes=["workspaces:read"])
    narrow = environment | {"ASANA_ACCESS_TOKEN": token}
    gid = made(world, project, TARGET)
    for verb, command in (("read", ["list"]), ("delete", ["delete", gid])):
        done = run(folder, narrow, "webhooks", *command)
        assert_one_sentence_and_one_hint(done, 2)
        assert f"webhooks:{verb}" in done.stderr


def test_what_is_not_known_to_be_made_is_said_to_be_so(
    folder: Path, app: App, environment: dict[str, str], project: str
) -> None:
    app.faults.next("^/webhooks$", "500")
    done = run(folder, environment, "webhooks", "create", project, "--target", TARGET)
    assert_one_sentence_and_one_hint(done, 4)
    assert "not known" in done.stderr
    assert "webhooks list" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "my project", "--target", TARGET], "names no project"),
        (["create", "123"], "target"),
        (["delete", "mine"], "no gid"),
        (["list", "no.db"], "no mirror"),
        (["create", "123", "no.db", "--target", TARGET], "no mirror"),
        (["nonsense"], "nonsense"),
    ],
)
def test_wrong_usage_is_said(
    folder: Path, environment: dict[str, str], arguments: list[str], said: str
) -> None:
    done = run(folder, environment, "webhooks", *arguments)
    assert_one_sentence_and_one_hint(done, 2)
    assert said in done.stderr


def test_a_config_file_goes_for_these_commands_as_well(
    folder: Path, world: World, environment: dict[str, str], address: str, project: str
) -> None:
    (folder / "asana.db").rename(folder / "named.db")
    del environment["ASANA_BASE_URL"]
    shared = f'mirror = "named.db"\nbase_url = "{address}"\n'
    projects = f'[sync]\nproject = ["{project}"]\n'
    for content in (shared + projects, shared.replace("mirror", "[webhooks]\nmirror")):
        (folder / "asana-mirror.toml").write_text(content)
        gid = made(world, project, TARGET)
        assert [hook["gid"] for hook in listed(folder, environment)] == [gid]
        assert run(folder, environment, "webhooks", "delete", gid).returncode == 0
    (folder / "asana-mirror.toml").write_text("[webhooks]\ncolour = 'blue'\n")
    assert_one_sentence_and_one_hint(run(folder, environment, "webhooks", "list"), 2)


def test_a_config_file_that_names_a_project_for_runs_is_no_project_to_watch(
    folder: Path, environment: dict[str, str], project: str
) -> None:
    (folder / "asana-mirror.toml").write_text(f'project = ["{project}"]\nrequests_per_minute = 0\n')
    assert listed(folder, environment) == []
    assert run(folder, environment, "sync").returncode == 0
    assert run(folder, environment, "webhooks", "create", "--target", TARGET).returncode == 2

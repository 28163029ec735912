"""`asana-mirror verify` as a person meets it: what it prints and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_cli import assert_one_sentence_and_one_hint, run

from asana_mirror.sandbox import Limits, World, create_app, generate, running
from asana_mirror.store import hold


@pytest.fixture(scope="module")
def world() -> World:
    return generate(seed=56, tasks=30, projects=3, stories_per_task=1, tags=3)


@pytest.fixture(scope="module")
def address(world: World) -> Iterator[str]:
    with running(create_app(world)) as base_url:
        yield base_url


@pytest.fixture(scope="module")
def environment(world: World, address: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ASANA")}
    return {**clean, "ASANA_ACCESS_TOKEN": world.token, "ASANA_BASE_URL": address}


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    folder = tmp_path_factory.mktemp("synced")
    done = run(folder, environment, "sync", "--rpm", "0")
    assert done.returncode == 0, done.stderr
    return folder / "asana.db"


@pytest.fixture
def folder(synced: Path, tmp_path: Path) -> Path:
    """A folder with a mirror of its own."""
    shutil.copyfile(synced, tmp_path / "asana.db")
    return tmp_path


def spoilt_task(folder: Path) -> str:
    connection = sqlite3.connect(folder / "asana.db")
    with connection:
        (gid,) = connection.execute("SELECT gid FROM tasks WHERE _synced_at NOT NULL").fetchone()
        connection.execute("UPDATE tasks SET name = 'Spoilt' WHERE gid = ?", [gid])
    connection.close()
    return str(gid)


def test_it_says_that_they_agree(folder: Path, environment: dict[str, str]) -> None:
    done = run(folder, environment, "verify", "--rpm", "0")
    assert (done.returncode, done.stderr) == (0, "")
    assert "asana.db and Asana are equal as far as compared" in done.stdout
    assert not (folder / "asana.db.lock").exists()


def test_differences_end_with_7_and_are_gone_after_a_repair(
    folder: Path, environment: dict[str, str]
) -> None:
    gid = spoilt_task(folder)
    verify = ("verify", "--rpm", "0", "--sample", "1000", "--seed", "3")
    told = run(folder, environment, *verify)
    assert told.returncode == 7, told.stderr
    assert gid in told.stdout
    assert "Spoilt" in told.stdout
    assert "differ in one place" in told.stdout
    found = run(folder, environment, *verify, "--json")
    assert found.returncode == 7
    report = json.loads(found.stdout)
    (difference,) = report["differences"]
    assert (difference["what"], difference["gid"], difference["column"]) == ("tasks", gid, "name")
    assert difference["here"] == "Spoilt"
    assert (report["agrees"], report["seed"], report["repair"]) == (False, 3, None)
    assert report["requests"] > report["records"] > 50
    repaired = run(folder, environment, *verify, "--repair", "--json")
    assert repaired.returncode == 0, repaired.stderr
    report = json.loads(repaired.stdout)
    assert (report["agrees"], report["repair"]["left"]) == (True, [])
    assert report["repair"]["done"]["rows_updated"] == 1
    assert run(folder, environment, *verify).returncode == 0


def test_errors_are_those_of_a_sync(folder: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    before = (folder / "asana.db").read_bytes()
    for exit_code, changed, arguments in (
        (3, {"ASANA_ACCESS_TOKEN": "wrong"}, []),
        (3, {"ASANA_ACCESS_TOKEN": ""}, []),
        (4, {}, ["--base-url", "http://127.0.0.1:9/api/1.0", "--max-wait", "1s"]),
        (2, {}, ["--base-url", "nonsense"]),
        (2, {}, ["--workspace", "999"]),
        (2, {}, ["elsewhere.db"]),
    ):
        done = run(folder, {**environment, **changed}, "verify", *arguments)
        assert_one_sentence_and_one_hint(done, exit_code)
    assert "asana-mirror sync elsewhere.db" in done.stderr
    assert (folder / "asana.db").read_bytes() == before
    assert not (folder / "asana.db.lock").exists()


def test_only_a_repair_is_refused_while_a_run_holds_the_mirror(
    folder: Path, environment: dict[str, str]
) -> None:
    with hold(folder / "asana.db"):
        assert run(folder, environment, "verify", "--rpm", "0", "--sample", "1").returncode == 0
        assert_one_sentence_and_one_hint(run(folder, environment, "verify", "--repair"), 5)


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_can_be_interrupted(
    folder: Path, world: World, environment: dict[str, str], number: signal.Signals, exit_code: int
) -> None:
    app = create_app(world, limits=Limits(latency_s=0.2))
    with running(app) as base_url:
        child = subprocess.Popen(
            [sys.executable, "-m", "asana_mirror", "verify", "--rpm", "0", "--base-url", base_url],
            cwd=folder,
            env=environment,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        while app.stats.requests < 20:
            time.sleep(0.02)
        child.send_signal(number)
        out, told = child.communicate(timeout=10)
    assert (child.returncode, out) == (exit_code, "")
    assert "Nothing was written." in told
    assert "Traceback" not in told

"""The commands as a person meets them: a process, its output, its exit code, and the file it leaves."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from worlds import always_refused

from asana_mirror.cli import cli
from asana_mirror.sandbox import Limits, World, create_app, generate, running
from asana_mirror.store import Mirror, hold

README = Path(__file__).resolve().parents[1] / "README.md"


@pytest.fixture(scope="module")
def world() -> World:
    return generate(seed=5, tasks=60, stories_per_task=2)


@pytest.fixture(scope="module")
def address(world: World) -> Iterator[str]:
    with running(create_app(world)) as base_url:
        yield base_url


@pytest.fixture
def environment(world: World, address: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ASANA")}
    return {**clean, "ASANA_ACCESS_TOKEN": world.token, "ASANA_BASE_URL": address}


def run(
    folder: Path, environment: dict[str, str], *arguments: str, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "asana_mirror", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def assert_one_sentence_and_one_hint(done: subprocess.CompletedProcess[str], exit_code: int) -> None:
    assert done.returncode == exit_code, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 2, done.stderr
    assert lines[0].startswith("asana-mirror: ")
    assert lines[1].startswith("  hint: ")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_sync_fills_the_default_mirror_and_says_what_it_did(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    done = run(tmp_path, environment, "sync", "--rpm", "0")
    assert done.returncode == 0, done.stderr
    assert "asana.db is in sync" in done.stdout
    (tasks,) = sqlite3.connect(tmp_path / "asana.db").execute("SELECT count(*) FROM tasks").fetchone()
    assert tasks > 50


def test_sync_stops_in_good_order_where_its_budget_ends(tmp_path: Path, environment: dict[str, str]) -> None:
    done = run(tmp_path, environment, "sync", "--rpm", "0", "--max-requests", "40")
    assert done.returncode == 0, done.stderr
    assert "the budget is spent" in done.stdout
    assert "run again" in done.stdout
    done = run(tmp_path, environment, "sync", "--rpm", "0", "--budget", "10m", "--json")
    assert json.loads(done.stdout)["outcome"] == "complete"
    for wrong in (["--budget", "soon"], ["--max-requests", "0"], ["--max-requests", "many"]):
        assert run(tmp_path, environment, "sync", *wrong).returncode == 2


def test_sync_ends_with_a_report_for_programs(tmp_path: Path, environment: dict[str, str]) -> None:
    done = run(tmp_path, environment, "sync", "here.db", "--rpm", "0", "--json")
    report = json.loads(done.stdout)
    assert report["outcome"] == "complete"
    assert report["requests"] > 100
    assert report["rows_inserted"] > 100


def test_status_tells_runs_rows_cursors_and_what_cannot_be_read(
    tmp_path: Path, world: World, environment: dict[str, str]
) -> None:
    project = next(world.iter_records("projects"))["gid"]
    world.refuse(f"/projects/{project}/sections", 403)
    try:
        assert run(tmp_path, environment, "sync", "--rpm", "0").returncode == 0
    finally:
        world.allow(f"/projects/{project}/sections")
    state = json.loads(run(tmp_path, environment, "status", "--json").stdout)
    assert state["runs"][0]["outcome"] == "complete"
    assert state["tables"]["tasks"]["living"] > 50
    told = {(problem["listing"], problem["status"]) for problem in state["problems"]}
    assert told == {(f"/projects/{project}/sections", 403), *always_refused(world)}
    assert all(cursor["still_due"] == 0 for cursor in state["cursors"])
    shown = run(tmp_path, environment, "status")
    assert "the token may not see it" in shown.stdout


def test_a_missing_token_says_where_to_get_one(tmp_path: Path, environment: dict[str, str]) -> None:
    del environment["ASANA_ACCESS_TOKEN"]
    done = run(tmp_path, environment, "sync")
    assert_one_sentence_and_one_hint(done, 3)
    assert "ASANA_ACCESS_TOKEN" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_token_leaves_no_trace(tmp_path: Path, environment: dict[str, str]) -> None:
    done = run(tmp_path, {**environment, "ASANA_ACCESS_TOKEN": "wrong"}, "sync")
    assert_one_sentence_and_one_hint(done, 3)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_token_leaves_a_mirror_as_it_was(tmp_path: Path, environment: dict[str, str]) -> None:
    assert run(tmp_path, environment, "sync", "--rpm", "0").returncode == 0
    before = (tmp_path / "asana.db").read_bytes()
    done = run(tmp_path, {**environment, "ASANA_ACCESS_TOKEN": "wrong"}, "sync")
    assert_one_sentence_and_one_hint(done, 3)
    assert (tmp_path / "asana.db").read_bytes() == before


def test_an_unreachable_host_is_said_soon(tmp_path: Path, environment: dict[str, str]) -> None:
    done = run(tmp_path, environment, "sync", "--base-url", "http://127.0.0.1:9/api/1.0", "--max-wait", "1s")
    assert_one_sentence_and_one_hint(done, 4)
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_is_not_asana_is_said(
    tmp_path: Path, environment: dict[str, str], address: str
) -> None:
    done = run(tmp_path, environment, "sync", "--base-url", address.replace("/api/1.0", "/elsewhere"))
    assert_one_sentence_and_one_hint(done, 4)


@pytest.mark.parametrize("base_url", ["app.asana.com", "ftp://app.asana.com", "http://", "http://[::1"])
def test_a_malformed_address_is_refused(tmp_path: Path, environment: dict[str, str], base_url: str) -> None:
    assert_one_sentence_and_one_hint(run(tmp_path, environment, "sync", "--base-url", base_url), 2)


def test_an_unknown_workspace_is_answered_with_the_known_ones(
    tmp_path: Path, world: World, environment: dict[str, str]
) -> None:
    done = run(tmp_path, environment, "sync", "--workspace", "999")
    assert_one_sentence_and_one_hint(done, 2)
    assert next(world.iter_records("workspaces"))["gid"] in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_mirror_is_left_alone(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "asana.db").write_text("my diary, line one, line two")
    assert_one_sentence_and_one_hint(run(tmp_path, environment, "sync"), 2)
    assert (tmp_path / "asana.db").read_text() == "my diary, line one, line two"


def test_a_folder_is_no_mirror(tmp_path: Path, environment: dict[str, str]) -> None:
    assert_one_sentence_and_one_hint(run(tmp_path, environment, "sync", str(tmp_path)), 2)


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path, environment: dict[str, str]) -> None:
    done = run(tmp_path, environment, "sync", "no/such/asana.db")
    assert_one_sentence_and_one_hint(done, 2)
    assert "mkdir" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path, environment: dict[str, str]) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    assert_one_sentence_and_one_hint(run(tmp_path, environment, "sync", "locked/asana.db"), 2)


def test_a_place_where_nothing_can_be_made_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    """/proc refuses everyone, the superuser too."""
    assert_one_sentence_and_one_hint(run(tmp_path, environment, "sync", "/proc/asana.db"), 2)


FULL_DISK = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
sys.argv = ["asana-mirror", "sync", "--rpm", "0"]
runpy.run_module("asana_mirror", run_name="__main__")
"""


def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path, environment: dict[str, str]) -> None:
    """No file of the process may grow past 600 kB, as if the disk ended there."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert_one_sentence_and_one_hint(done, 2)
    connection = sqlite3.connect(tmp_path / "asana.db")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    assert run(tmp_path, environment, "sync", "--rpm", "0").returncode == 0


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("mirror = ", "not valid TOML"),
        ("colour = 'blue'", "colour"),
        ("[sync]\nskipp = ['stories']", "sync.skipp"),
        ("token = 'x'", "secrets do not belong"),
        ("[sync]\nmax_wait = 'soon'", "soon"),
        ("[sync]\nskip = ['nonsense']", "nonsense"),
    ],
)
def test_a_config_file_that_cannot_be_used_is_named(
    tmp_path: Path, environment: dict[str, str], content: str, named: str
) -> None:
    (tmp_path / "asana-mirror.toml").write_text(content)
    done = run(tmp_path, environment, "sync")
    assert_one_sentence_and_one_hint(done, 2)
    assert named in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["asana-mirror.toml"]


def test_flags_win_over_environment_over_file(
    tmp_path: Path, environment: dict[str, str], address: str
) -> None:
    (tmp_path / "asana-mirror.toml").write_text(
        'mirror = "from-file.db"\nbase_url = "http://127.0.0.1:9"\n'
        '[sync]\nskip = ["stories", "attachments"]\nrequests_per_minute = 0\n'
    )
    done = run(tmp_path, environment, "sync", "--json")
    assert done.returncode == 0, done.stderr
    connection = sqlite3.connect(tmp_path / "from-file.db")
    assert connection.execute("SELECT count(*) FROM stories").fetchone() == (0,)
    del environment["ASANA_BASE_URL"]
    done = run(tmp_path, environment, "sync", "from-flag.db", "--base-url", address, "--skip", "tasks")
    assert done.returncode == 0, done.stderr
    connection = sqlite3.connect(tmp_path / "from-flag.db")
    assert connection.execute("SELECT count(*) FROM tasks WHERE _synced_at NOT NULL").fetchone() == (0,)


def test_a_second_run_is_refused_and_names_the_first(tmp_path: Path, environment: dict[str, str]) -> None:
    path = tmp_path / "asana.db"
    Mirror(path).close()
    with hold(path):
        assert_one_sentence_and_one_hint(run(tmp_path, environment, "sync"), 5)
    assert run(tmp_path, environment, "sync", "--rpm", "0").returncode == 0


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_between_pages_and_the_next_run_goes_on(
    tmp_path: Path, number: signal.Signals, exit_code: int, environment: dict[str, str]
) -> None:
    world = generate(seed=6, tasks=300, stories_per_task=2)
    app = create_app(world, limits=Limits(latency_s=0.1))
    with running(app) as base_url:
        environment |= {"ASANA_ACCESS_TOKEN": world.token, "ASANA_BASE_URL": base_url}
        child = subprocess.Popen(
            [sys.executable, "-m", "asana_mirror", "sync", "--rpm", "0"],
            cwd=tmp_path,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        while app.stats.requests < 150:
            time.sleep(0.02)
        child.send_signal(number)
        _, told = child.communicate(timeout=10)
        assert child.returncode == exit_code
        assert "Run the same command again to go on." in told
        made = app.stats.requests
        done = run(tmp_path, environment, "sync", "--rpm", "0", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["resumed"] is True
        # one more look at the workspaces, and what was under way when it stopped
        assert app.stats.requests - made <= sum(world.pages_to_read().values()) - made + 1 + 50


def test_wrong_usage_is_one_sentence_and_one_hint(tmp_path: Path, environment: dict[str, str]) -> None:
    for arguments in (["sync", "--nonsense"], ["nonsense"], ["sync", "--rpm", "-3"], ["status", "no.db"]):
        assert_one_sentence_and_one_hint(run(tmp_path, environment, *arguments), 2)


@pytest.mark.parametrize("arguments", [[], *[[name] for name in cli.commands]])
def test_every_command_explains_itself(
    tmp_path: Path, environment: dict[str, str], arguments: list[str]
) -> None:
    done = run(tmp_path, environment, *arguments, "--help")
    assert done.returncode == 0
    assert "Usage:" in done.stdout


def test_the_readme_names_exactly_the_commands_that_exist() -> None:
    section = README.read_text(encoding="utf-8").split("\n## Commands\n")[1].split("\n## ")[0]
    table = re.findall(r"^\| `([a-z]+)[ `]", section, re.MULTILINE)
    assert sorted(table) == sorted(cli.commands)


def test_demo_needs_neither_token_nor_network(tmp_path: Path, environment: dict[str, str]) -> None:
    for name in ("ASANA_ACCESS_TOKEN", "ASANA_BASE_URL"):
        environment.pop(name)
    done = run(tmp_path, environment, "demo", "here", "--tasks", "60", "--no-serve")
    assert done.returncode == 0, done.stderr
    assert "Try next:" in done.stdout
    state = json.loads(run(tmp_path, environment, "status", "here/demo.db", "--json").stdout)
    assert [entry["outcome"] for entry in state["runs"]] == ["complete", "complete"]
    again = run(tmp_path, environment, "demo", "here", "--tasks", "60", "--no-serve")
    assert again.returncode == 0, again.stderr


def test_the_sandbox_tells_how_to_reach_it(tmp_path: Path, environment: dict[str, str]) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "asana_mirror", "sandbox", "--port", "0", "--tasks", "30"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        told = [child.stdout.readline().strip() for _ in range(2)]
        settings = dict(line.removeprefix("export ").split("=", 1) for line in told)
        done = run(tmp_path, {**environment, **settings}, "sync", "--rpm", "0")
        assert done.returncode == 0, done.stderr
    finally:
        child.send_signal(signal.SIGINT)
        child.wait(timeout=10)


def test_the_token_is_told_nowhere(tmp_path: Path, world: World, environment: dict[str, str]) -> None:
    done = run(tmp_path, environment, "--debug", "sync", "--rpm", "0", "--json")
    status = run(tmp_path, environment, "status", "--json")
    failed = run(tmp_path, environment, "--debug", "sync", "--workspace", "1")
    said = done.stdout + done.stderr + status.stdout + failed.stdout + failed.stderr
    assert world.token not in said
    for file in tmp_path.iterdir():
        assert world.token.encode() not in file.read_bytes()

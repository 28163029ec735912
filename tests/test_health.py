"""Whether a mirror is healthy is told from the file alone: how old, which runs failed, what waits."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from asana_mirror.cli import UNHEALTHY, cli
from asana_mirror.errors import NotAMirror
from asana_mirror.health import read_health
from asana_mirror.store import Mirror
from asana_mirror.times import utc_before, utc_now

HOUR_S, DAY_S = 3600.0, 86400.0
WHOLE = {"workspaces": [], "only": [], "skip": [], "teams": [], "projects": []}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "asana.db"
    Mirror(path).close()
    return path


def write(path: Path, sql: str, *values: Any) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(sql, values)


def add_run(
    path: Path, age_s: float, outcome: str | None = "complete", mode: str = "changes", **scope: list[str]
) -> None:
    """A run that began so long ago, took a minute, and ended so; None: it has not ended."""
    write(
        path,
        "INSERT INTO sync_runs (round, mode, scope, started_at, ended_at, outcome, holder, version) "
        "VALUES (1, ?, ?, ?, ?, ?, 'here', '1')",
        *(mode, orjson.dumps(WHOLE | scope).decode(), utc_before(age_s)),
        *(utc_before(age_s - 60) if outcome else None, outcome),
    )


def add_stream(
    path: Path, project: str, age_s: float, cursor: str | None = "token", **row: str | None
) -> None:
    columns = {"gid": project, "_synced_at": utc_now(), **row}
    write(
        path,
        f"INSERT INTO projects ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
        *columns.values(),
    )
    write(
        path,
        "INSERT INTO sync_checkpoints (listing, name, parent_gid, rank, round, due, cursor, last_walked_at) "
        "VALUES (?, 'events', ?, 0, 0, 0, ?, ?)",
        *(f"/events?resource={project}", project, cursor, utc_before(age_s)),
    )


def health(path: Path, max_age_s: float = DAY_S) -> dict[str, Any]:
    return read_health(path, max_age_s=max_age_s)


def test_a_mirror_that_was_just_synced_is_healthy(path: Path) -> None:
    add_run(path, 600)
    found = health(path)
    assert found["healthy"]
    assert found["why"] == []
    assert found["age_s"] == pytest.approx(600, abs=30)  # from its start on, not from its end
    assert found["max_age_s"] == DAY_S
    assert found["last_run"]["outcome"] == "complete"
    assert set(found["last_run"]) == {"id", "mode", "outcome", "started_at", "ended_at"}
    assert found["oldest_stream_age_s"] is None
    assert (found["unread_notices"], found["waiting_deliveries"], found["problems"]) == (0, 0, 0)
    assert found["webhooks"] == {"active": 0, "refused": 0, "silent": 0}
    assert found["bytes"] == path.stat().st_size
    assert json.loads(orjson.dumps(found)) == found


def test_a_mirror_that_never_came_to_its_end_is_not(path: Path) -> None:
    found = health(path)
    assert (found["healthy"], found["age_s"], found["last_run"]) == (False, None, None)
    add_run(path, 10, outcome=None, mode="first")
    found = health(path)
    assert not found["healthy"]
    assert "No run over everything" in found["why"][0]


def test_it_is_not_when_it_is_older_than_allowed(path: Path) -> None:
    add_run(path, 2 * HOUR_S)
    assert health(path, 3 * HOUR_S)["healthy"]
    found = health(path, HOUR_S)
    assert not found["healthy"]
    assert found["why"] == ["The last complete run began 2 h ago, and 60 min are allowed."]


@pytest.mark.parametrize("mode", ["first", "full", "changes", "tick"])
def test_runs_over_everything_count(path: Path, mode: str) -> None:
    add_run(path, 60, mode=mode)
    assert health(path)["healthy"]


@pytest.mark.parametrize("mode", ["news", "repair"])
def test_runs_over_a_little_do_not_count(path: Path, mode: str) -> None:
    add_run(path, 30 * HOUR_S)
    add_run(path, 60, mode=mode)
    found = health(path)
    assert not found["healthy"]
    assert found["age_s"] > 29 * HOUR_S
    assert found["last_run"]["mode"] == mode


@pytest.mark.parametrize("narrowed", ["workspaces", "only", "skip", "teams", "projects"])
def test_narrowed_runs_do_not_count_beside_whole_ones(path: Path, narrowed: str) -> None:
    add_run(path, 30 * HOUR_S)
    add_run(path, 60, **{narrowed: ["1"]})
    assert health(path)["age_s"] > 29 * HOUR_S


def test_in_a_mirror_of_a_part_the_runs_over_that_part_count(path: Path) -> None:
    add_run(path, 60, projects=["1"])
    assert health(path)["age_s"] < HOUR_S


def test_what_a_watch_was_told_to_look_at_is_whole(path: Path) -> None:
    add_run(path, 30 * HOUR_S)
    add_run(path, 60, mode="tick", projects=["1"])
    assert health(path)["age_s"] < HOUR_S


@pytest.mark.parametrize("outcome", ["budget", "interrupted", "unreachable", "guarded", "failed", "killed"])
def test_runs_that_were_not_complete_do_not_count(path: Path, outcome: str) -> None:
    add_run(path, 60, outcome)
    assert health(path)["age_s"] is None


def test_an_old_stream_is_told_before_its_token_dies(path: Path) -> None:
    add_run(path, 60)
    add_stream(path, "p", 11 * HOUR_S)
    assert health(path, HOUR_S)["healthy"]
    add_stream(path, "q", 13 * HOUR_S)
    found = health(path, HOUR_S)
    assert found["oldest_stream_age_s"] == pytest.approx(13 * HOUR_S, abs=30)
    assert not found["healthy"]
    assert found["why"] == ["An event stream was last read 13 h ago; its token lives 24 h at most."]
    assert health(path, DAY_S)["healthy"]  # where a day is allowed, it is


def test_streams_that_nobody_follows_do_not_count(path: Path) -> None:
    add_run(path, 60)
    add_stream(path, "gone", 90 * HOUR_S, _deleted_at=utc_now())
    add_stream(path, "stub", 90 * HOUR_S, _synced_at=None)
    add_stream(path, "refused", 90 * HOUR_S, cursor=None)
    add_stream(path, "excluded", 90 * HOUR_S)
    write(path, "INSERT INTO sync_excluded VALUES ('projects', 'excluded', 'named')")
    found = health(path)
    assert (found["healthy"], found["oldest_stream_age_s"]) == (True, None)


def test_three_failures_in_a_row_are_too_many(path: Path) -> None:
    add_run(path, 3600)
    for outcome in ("unreachable", "failed"):
        add_run(path, 60, outcome)
    assert health(path)["healthy"]
    add_run(path, 50, outcome=None)  # the one that runs has not failed yet
    assert health(path)["healthy"]
    add_run(path, 30, "killed")
    found = health(path)
    assert not found["healthy"]
    assert found["why"] == ["The last 3 runs failed: killed, failed, unreachable."]
    add_run(path, 10, outcome=None)  # nor has it succeeded
    assert not health(path)["healthy"]
    add_run(path, 5, "interrupted")
    assert health(path)["healthy"]


def test_two_failures_are_not_three(path: Path) -> None:
    for _ in range(2):
        add_run(path, 60, "failed")
    assert health(path)["why"] == ["No run over everything has come to its end yet."]


def test_what_waits_is_counted(path: Path) -> None:
    add_run(path, 60)
    write(
        path,
        "INSERT INTO sync_inbox (resource, gid, to_read, deleted, anew, moves, placed) "
        "VALUES ('tasks', '1', 1, 0, 0, 0, 0)",
    )
    for number in range(2):
        write(
            path,
            "INSERT INTO sync_deliveries (project_gid, received_at, body) VALUES (?, '', '')",
            str(number),
        )
    for number in range(3):
        write(
            path,
            "INSERT INTO sync_problems (listing, message, since, last_seen_at, run_id) VALUES (?, '', '', '', 1)",
            str(number),
        )
    found = health(path)
    assert (found["unread_notices"], found["waiting_deliveries"], found["problems"]) == (1, 2, 3)


def test_webhooks_that_fell_silent_are_counted(path: Path) -> None:
    add_run(path, 60)
    for key, state, heard_at in (
        ("a", "active", utc_before(HOUR_S)),
        ("b", "active", utc_before(25 * HOUR_S)),
        ("c", "refused", utc_before(99 * HOUR_S)),
        ("d", "asked", None),
    ):
        write(
            path,
            "INSERT INTO sync_webhooks (key, project_gid, target, state, noted_at, heard_at) "
            "VALUES (?, 'p', '', ?, '', ?)",
            *(key, state, heard_at),
        )
    assert health(path)["webhooks"] == {"active": 2, "refused": 1, "silent": 1}


def test_a_clock_that_was_set_back_makes_no_age_negative(path: Path) -> None:
    add_run(path, -HOUR_S)
    assert health(path)["age_s"] == 0


def test_it_is_quick_however_many_runs_there_were(path: Path) -> None:
    began = datetime.now(UTC) - timedelta(days=300)
    with closing(sqlite3.connect(path)) as db, db:
        db.executemany(
            "INSERT INTO sync_runs (round, mode, scope, started_at, ended_at, outcome, holder, version) "
            "VALUES (1, ?, ?, ?, ?, 'complete', '', '')",
            [
                (
                    "news" if number else "first",
                    orjson.dumps(WHOLE).decode(),
                    began.isoformat(),
                    began.isoformat(),
                )
                for number in range(200_000)
            ],
        )
        db.executemany(
            "INSERT INTO sync_checkpoints (listing, name, rank, round, due) VALUES (?, 'stories', 0, 0, 0)",
            [(f"/tasks/{number}/stories",) for number in range(100_000)],
        )
    clock = time.perf_counter()
    assert health(path)["age_s"] > 299 * DAY_S
    assert time.perf_counter() - clock < 1.0


# -- the command --------------------------------------------------------------------------------------


def check(path: Path, *more: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["status", str(path), "--check", *more])
    assert len(done.output.splitlines()) == 1, done.output
    return done.exit_code, done.output.strip()


def test_check_says_it_in_one_line_and_by_its_exit_code(path: Path) -> None:
    add_run(path, 2 * HOUR_S)
    assert check(path) == (0, "healthy: the last complete run began 2 h ago")
    code, line = check(path, "--max-age", "15m")
    assert (code, line) == (
        UNHEALTHY,
        "not healthy: The last complete run began 2 h ago, and 15 min are allowed.",
    )
    assert UNHEALTHY == 8


def test_check_ends_with_json_for_programs(path: Path) -> None:
    code, line = check(path, "--json")
    assert code == UNHEALTHY
    assert json.loads(line)["healthy"] is False
    add_run(path, 60)
    code, line = check(path, "--json", "--max-age", "5m")
    assert code == 0
    assert json.loads(line)["max_age_s"] == 300


def test_check_of_a_mirror_that_does_not_exist_is_wrong_usage(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["status", str(tmp_path / "no.db"), "--check"])
    assert isinstance(done.exception, NotAMirror)
    assert done.exception.exit_code == 2


def test_without_check_nothing_is_judged(path: Path) -> None:
    assert CliRunner().invoke(cli, ["status", str(path)]).exit_code == 0

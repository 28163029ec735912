"""What `status` and the last words of a run tell of what waits, until when, and of what no event had told."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from second_runs import both as both
from worlds import Mirrored, mirror, value

from asana_mirror.cli import cli
from asana_mirror.display import summary
from asana_mirror.sandbox import Limits, random_edits
from asana_mirror.words import Scope


def status(path: Path, *more: str) -> str:
    done = CliRunner().invoke(cli, ["status", str(path), *more])
    assert done.exit_code == 0, done.output
    return done.output


def waiting(path: Path, *more: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(status(path, "--json", *more))["waiting"]
    return found


def after_a_gap(both: Mirrored, **options: Any) -> Any:
    """The tokens have died: everything is looked at, and most stories wait for their turn."""
    lifetime, both.app.limits = both.app.limits, Limits(sync_token_lifetime_s=-1)
    try:
        return both.sync(**options)
    finally:
        both.app.limits = lifetime


def test_nothing_waits_after_quiet_runs(both: Mirrored) -> None:
    report = both.sync()
    assert set(waiting(both.path).values()) == {0, None}
    assert "What waits" not in status(both.path)
    assert "wait" not in summary(report, "asana.db")
    assert "no event" not in summary(report, "asana.db")


def test_stories_that_wait_after_a_gap_are_counted_and_say_by_when(both: Mirrored) -> None:
    report = after_a_gap(both)
    lists = value(both.path, "SELECT count(*) FROM sync_checkpoints WHERE waiting_since IS NOT NULL")
    assert report.waiting == lists > 50
    found = waiting(both.path)
    assert found["lists"] == lists
    since, first, last = (
        datetime.fromisoformat(found[name]) for name in ("since", "next_turn_at", "last_turn_at")
    )
    assert since <= first < last <= since + timedelta(days=7, seconds=60)
    shorter = datetime.fromisoformat(waiting(both.path, "--max-age", "1h")["last_turn_at"])
    assert shorter <= since + timedelta(hours=7, seconds=60)
    assert f"{lists:,}" in status(both.path)
    assert f"{lists:,} lists of stories wait" in summary(report, "asana.db")
    both.sync(max_age_s=0)
    assert waiting(both.path)["lists"] == 0


def test_what_a_narrowed_run_may_not_read_is_counted(both: Mirrored) -> None:
    random_edits(both.world, 30, 5, ["comment_edit", "create"])
    both.sync(scope=Scope(skip=("stories",)))
    found = waiting(both.path)
    assert found["unread_notices"] == value(both.path, "SELECT count(*) FROM sync_inbox") > 0
    assert found["lists_left_out"] > 0
    assert "notices of events" in status(both.path)
    both.sync()
    assert set(waiting(both.path).values()) == {0, None}


def test_drift_is_told_by_the_run_and_by_status(both: Mirrored) -> None:
    """A lost event: the task differs, and no stream tells."""
    record = next(record for record in both.world.iter_records("tasks") if record["memberships"])
    both.world.records[record["gid"]]["name"] = "Changed in silence"
    report = both.sync(sweep_every_s=0)
    assert report.drift > 0
    assert f"{report.drift} changes were found by looking" in summary(report, "asana.db")
    assert json.loads(status(both.path, "--json"))["runs"][0]["drift"] == report.drift
    assert "drift" in status(both.path)


def test_what_is_believed_of_the_allowance_is_shown(both: Mirrored) -> None:
    mirror(both.world, both.path, both.app, per_minute=60_000.0)
    state = json.loads(status(both.path, "--json"))
    (known,) = state["allowances"]
    assert known["token_hash"]
    assert both.world.token not in json.dumps(state)
    assert known["per_minute"] is None
    assert {search["state"] for search in state["searches"]} == {"done"}
    assert state["runs"][0]["allowed"] > 0
    said = status(both.path)
    for words in ("no limit met", "of the allowance", "cost each", "relied on", "Requests of the last run"):
        assert words in said
    assert re.search(r"\d+ %", said)


def test_a_budget_that_was_spent_is_told(both: Mirrored) -> None:
    report = both.sync(max_requests=3)
    said = summary(report, "asana.db")
    assert "budget is spent" in said
    assert "run again to go on" in said
    assert "is in sync" not in said


def test_a_resumed_run_says_that_it_also_read_what_had_changed(both: Mirrored) -> None:
    report = both.sync()
    report.resumed = True
    said = summary(report, "asana.db")
    assert "went on from an earlier run" in said
    assert "run again" not in said

"""What is excluded is no difference, and the options that say what it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from exclusions import HIDDEN, Partly, excluded_projects, partly
from verifications import compared
from worlds import rows

from asana_mirror import run
from asana_mirror.cli import cli
from asana_mirror.exclusion import Exclusion
from asana_mirror.run import SyncOptions

NOTHING = Exclusion()


@pytest.fixture
def both(tmp_path: Path) -> Partly:
    both = partly(tmp_path, HIDDEN)
    both.sync()
    return both


def _hidden(both: Partly) -> str:
    return min(excluded_projects(both.world, HIDDEN))


def test_verify_does_not_call_excluded_things_differences(both: Partly) -> None:
    found = compared(both)
    assert (found.differences, found.lag) == ([], [])
    assert found.records > 100


def test_verify_does_not_call_differences_what_was_mirrored_before(tmp_path: Path) -> None:
    both = partly(tmp_path, NOTHING)
    both.sync()
    both.exclude = HIDDEN
    both.sync()
    gone, *others = sorted(set(both.world.project_order(_hidden(both))) & both.out())
    both.write("DELETE", f"/tasks/{gone}")
    for gid in others:
        both.write("PUT", f"/tasks/{gid}", name="unseen")
    both.write("PUT", f"/projects/{_hidden(both)}", name="unseen")
    # What wanted tasks say of others is theirs.
    assert [one for one in compared(both).differences if "reference_gids" not in str(one.column)] == []


def test_verify_knows_the_rules_for_what_no_sync_has_met(both: Partly) -> None:
    """A new private project, and a task of it in a person's list; what else is new is still a difference."""
    team = next(both.world.iter_records("teams"))["gid"]
    fields = {"workspace": both.world.workspaces[0], "team": team}
    project = both.write("POST", "/projects", name="new", privacy_setting="private", **fields)["gid"]
    both.write("POST", "/tasks", name="new", projects=[project], assignee=both.world.me)
    wanted = both.write("POST", "/projects", name="wanted", **fields)["gid"]
    assert {one.gid for one in compared(both).differences if one.what in ("projects", "tasks")} == {wanted}


def test_a_repair_does_not_bring_excluded_things_in(both: Partly) -> None:
    team = next(both.world.iter_records("teams"))["gid"]
    fields = {"workspace": both.world.workspaces[0], "team": team}
    private = both.write("POST", "/projects", name="new", privacy_setting="private", **fields)["gid"]
    wanted = both.write("POST", "/projects", name="wanted", **fields)["gid"]
    for project in (private, wanted):
        both.write("POST", "/tasks", name="new", projects=[project], assignee=both.world.me)
    known = rows(both.path, "SELECT gid FROM tasks WHERE _synced_at IS NOT NULL")[0][0]
    both.write("PUT", f"/tasks/{known}", name="renamed")

    found = compared(both, repair=True)

    assert found.repair is not None
    assert found.repair.left == []
    assert both.is_clean()


# -- the options --------------------------------------------------------------------------------------


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Exclusion]:
    """What a sync was told to exclude, instead of the sync."""
    heard: list[Exclusion] = []

    async def sync(options: SyncOptions, **_: object) -> run.Report:
        heard.append(options.exclude)
        return run.Report(1, "first", False)

    monkeypatch.setattr("asana_mirror.cli.sync", sync)
    monkeypatch.setenv("ASANA_ACCESS_TOKEN", "token")
    monkeypatch.chdir(tmp_path)
    return heard


ADDRESS = "https://app.asana.com/1/111111/project/222222/list/333333"
ALL = Exclusion(frozenset(["222222", "444444"]), frozenset(["555555"]), archived=True, private=True)


def test_flags_say_what_to_exclude(told: list[Exclusion]) -> None:
    places = ["--exclude-project", ADDRESS, "--exclude-project", "444444", "--exclude-team", "555555"]
    result = CliRunner().invoke(cli, ["sync", *places, "--exclude-archived", "--exclude-private"])
    assert result.exit_code == 0, result.output
    assert told == [ALL]


def test_the_config_file_says_what_to_exclude_for_good(told: list[Exclusion]) -> None:
    Path("asana-mirror.toml").write_text(
        f'[sync]\nexclude_project = ["{ADDRESS}", 444444]\nexclude_team = ["555555"]\n'
        "exclude_archived = true\nexclude-private = true\n"
    )
    result = CliRunner().invoke(cli, ["sync"])
    assert result.exit_code == 0, result.output
    assert told == [ALL]


def test_without_options_nothing_is_excluded(told: list[Exclusion]) -> None:
    assert CliRunner().invoke(cli, ["sync"]).exit_code == 0
    assert told == [NOTHING]


def test_what_names_no_project_is_wrong_usage(told: list[Exclusion]) -> None:
    result = CliRunner().invoke(cli, ["sync", "--exclude-project", "my project"])
    assert "names no project" in str(result.exception or result.output)
    assert told == []

"""Everything changes at random: at once or after its age, the mirror is equal again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from everything import (
    after,
    change_everything,
    equal,
    mirrored_world,
    some_of_everything,
)
from lag import equal_but_for_lag, lagging_tables
from worlds import Listener, mirror

WORLDS: dict[str, dict[str, Any]] = {
    "two workspaces": {"seed": 121, "workspaces": 2},
    "a free plan": {"seed": 122, "plan": "free"},
    "agents everywhere": {"seed": 123},
    "a service account": {"seed": 124},
}


@pytest.mark.parametrize("name", WORLDS)
def test_whatever_changed_is_there_once_its_age_is_up(tmp_path: Path, name: str) -> None:
    world = some_of_everything(**WORLDS[name])
    if name == "agents everywhere":
        world.let_agents_act()
    service = name == "a service account"
    token = world.tokens["service"] if service else world.token
    both = mirrored_world(tmp_path, world, token=token)

    for turn in range(3):
        change_everything(world, 25, 1000 * turn + WORLDS[name]["seed"])
        both.sync(token=token, max_age_s=0, max_deletes=1000)
        assert equal(both, service=service)
    change_everything(world, 25, 5000 + WORLDS[name]["seed"])
    both.sync(token=token, full=True, max_deletes=1000)
    assert equal(both, service=service)


@pytest.mark.parametrize("seed", [125, 126])
def test_until_then_only_that_lags_of_which_nothing_tells(tmp_path: Path, seed: int) -> None:
    world = some_of_everything(seed, workspaces=seed % 2 + 1)
    both = mirrored_world(tmp_path, world)

    for turn in range(3):
        change_everything(world, 25, 10 * turn + seed)
        both.sync(max_deletes=1000)
        assert equal_but_for_lag(both)
    with after(days=8):
        both.sync(max_deletes=1000)
        assert equal(both)


def test_goals_portfolios_and_time_never_wait_for_their_age() -> None:
    assert lagging_tables().isdisjoint({"goals", "portfolios", "time_tracking_entries", "audit_log_events"})


def test_a_custom_type_that_no_project_has_any_more_is_followed_by_its_age(tmp_path: Path) -> None:
    both = mirrored_world(tmp_path, some_of_everything(128))
    projects = [both.world.records[record["gid"]] for record in both.world.iter_records("projects")]
    gid = next(record["custom_types"][0] for record in projects if record.get("custom_types"))
    for record in projects:
        record["custom_types"] = [other for other in record.get("custom_types", ()) if other != gid]
    both.sync(max_age_s=0)
    assert both.is_alive("custom_types", gid)
    both.world.records[gid]["name"] = "Renamed"

    both.sync(max_age_s=0)

    assert both.row("custom_types", gid)["name"] == "Renamed"
    assert equal(both)


@pytest.mark.parametrize("full", [False, True])
def test_nothing_is_asked_twice_when_everything_changed(tmp_path: Path, full: bool) -> None:
    both = mirrored_world(tmp_path, some_of_everything(127))
    change_everything(both.world, 20, 127)
    listener = Listener(both.app)
    mirror(both.world, both.path, listener, full=full, max_deletes=1000)

    assert equal(both) if full else equal_but_for_lag(both)
    assert [one for one in listener.repeated() if not _asked_to_be_sure(one[1])] == []


def _asked_to_be_sure(path: str) -> bool:
    """A portfolio that is read by itself is asked a second time before it is called gone."""
    return path.startswith("/portfolios/")

"""Portfolios: one's own and others', what is in them, and in which order; favorites likewise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from everything import asked, equal, mirrored_world, some_of_everything
from worlds import Mirrored, rows, value

Record = dict[str, Any]


@pytest.fixture
def both(tmp_path: Path) -> Mirrored:
    return mirrored_world(tmp_path, some_of_everything(131))


def _new(both: Mirrored, name: str, owner: str | None = None, **more: Any) -> str:
    """A portfolio without items; as another person's where `owner` is named."""
    gid = both.write("POST", "/portfolios", name=name, workspace=both.world.workspaces[0], **more)["gid"]
    if owner:
        both.world.records[gid] |= {"owner": owner, "created_by": owner, "members": [owner]}
    return str(gid)


def _put(both: Mirrored, portfolio: str, item: str, **where: str) -> None:
    both.write("POST", f"/portfolios/{portfolio}/addItem", item=item, **where)


def _other(both: Mirrored) -> str:
    return next(gid for gid in both.world.members[both.world.workspaces[0]] if gid != both.world.me)


def _items(both: Mirrored, portfolio: str) -> list[str]:
    sql = "SELECT item_gid FROM portfolio_items WHERE portfolio_gid = ? ORDER BY position"
    return [row[0] for row in rows(both.path, sql, portfolio)]


def _projects(both: Mirrored) -> list[str]:
    return [record["gid"] for record in both.world.iter_records("projects")]


def _nested(both: Mirrored) -> tuple[str, str, str]:
    """One of mine, in it one of another person's, and in that one of a third's."""
    mine, theirs = _new(both, "Mine"), _new(both, "Theirs", _other(both))
    below = _new(both, "Below theirs", _other(both))
    _put(both, mine, theirs)
    _put(both, theirs, below)
    _put(both, below, _projects(both)[0])
    both.sync(max_age_s=0)
    return mine, theirs, below


# -- others' portfolios -------------------------------------------------------------------------------


def test_portfolios_of_others_come_as_items_at_any_depth(both: Mirrored) -> None:
    mine, theirs, below = _nested(both)

    assert (_items(both, mine), _items(both, theirs)) == ([theirs], [below])
    assert both.row("portfolios", below)["name"] == "Below theirs"
    assert both.row("portfolios", below)["owner_gid"] == _other(both)
    assert equal(both)


def test_portfolios_of_others_that_are_no_items_stay_out(both: Mirrored) -> None:
    gid = _new(both, "Theirs alone", _other(both))
    both.sync(max_age_s=0)
    assert both.row("portfolios", gid) is None


def test_a_service_account_has_all_portfolios(tmp_path: Path) -> None:
    world = some_of_everything(132)
    both = mirrored_world(tmp_path, world, token=world.tokens["service"])

    assert {r["gid"] for r in rows(both.path, "SELECT gid FROM portfolios WHERE _synced_at IS NOT NULL")} == {
        record["gid"] for record in world.iter_records("portfolios")
    }
    assert equal(both, service=True)


@pytest.mark.parametrize("full", [False, True])
def test_an_others_portfolio_is_read_again_by_its_age_and_by_a_full_run(both: Mirrored, full: bool) -> None:
    _, theirs, below = _nested(both)
    both.world.records[below]["name"] = "Renamed"
    both.write("POST", f"/portfolios/{theirs}/removeItem", item=below)

    both.sync(full=full, max_age_s=0)

    assert both.row("portfolios", below)["name"] == "Renamed"
    assert _items(both, theirs) == []
    assert equal(both)


def test_a_circle_of_portfolios_ends(both: Mirrored) -> None:
    """Asana refuses to make one; should it show one all the same, that is no reason to read for ever."""
    mine, theirs, below = _nested(both)
    both.world.records[below]["items"].append(mine)
    both.world.records[theirs]["items"].append(theirs)

    report = both.sync(max_age_s=0)

    assert report.outcome == "complete"
    assert mine in _items(both, below)
    assert both.sync(full=True).outcome == "complete"


# -- changing hands -----------------------------------------------------------------------------------


@pytest.mark.parametrize("full", [False, True])
def test_a_portfolio_that_was_given_away_lives_on(both: Mirrored, full: bool) -> None:
    mine, _, _ = _nested(both)
    both.write("PUT", f"/portfolios/{mine}", owner=_other(both))

    both.sync(full=full)

    assert both.is_alive("portfolios", mine)
    assert both.row("portfolios", mine)["owner_gid"] == _other(both)
    assert equal(both)
    both.world.records[mine]["name"] = "Renamed by its new owner"
    both.sync(full=full, max_age_s=0)
    assert equal(both)


def test_a_portfolio_that_was_given_away_costs_nothing_until_its_age_is_up(both: Mirrored) -> None:
    mine, _, _ = _nested(both)
    both.write("PUT", f"/portfolios/{mine}", owner=_other(both))
    both.sync()

    assert f"/portfolios/{mine}" not in {path for path, _ in asked(both)}
    assert f"/portfolios/{mine}" in {path for path, _ in asked(both, max_age_s=0)}


def test_a_portfolio_that_came_back_is_followed_at_once_again(both: Mirrored) -> None:
    mine, _, _ = _nested(both)
    both.write("PUT", f"/portfolios/{mine}", owner=_other(both))
    both.sync()
    both.world.records[mine]["owner"] = both.world.me
    both.sync()
    both.write("DELETE", f"/portfolios/{mine}")

    both.sync()

    assert not both.is_alive("portfolios", mine)


def test_an_own_portfolio_that_was_met_as_an_item_first_goes_at_once(both: Mirrored) -> None:
    """In a first run either may come first: the list of one's own, or the items of another one."""
    outer = _new(both, "Outer")
    inner = _new(both, "Inner")
    _put(both, outer, inner)
    both.path.unlink()
    both.sync()
    both.write("DELETE", f"/portfolios/{inner}")

    both.sync()

    assert not both.is_alive("portfolios", inner)


# -- items --------------------------------------------------------------------------------------------


def test_items_have_the_order_of_their_portfolio(both: Mirrored) -> None:
    mine = _new(both, "Mine")
    first, second, third = _projects(both)[:3]
    for project in (first, second, third):
        _put(both, mine, project)
    both.sync()
    assert _items(both, mine) == [first, second, third]

    _put(both, mine, third, insert_before=first)
    both.sync(max_age_s=0)

    assert _items(both, mine) == [third, first, second]
    assert equal(both)


def test_an_item_that_was_taken_out_leaves_and_lives_on(both: Mirrored) -> None:
    mine = _new(both, "Mine")
    project = _projects(both)[0]
    _put(both, mine, project)
    both.sync()
    both.write("POST", f"/portfolios/{mine}/removeItem", item=project)

    both.sync(max_age_s=0)

    assert _items(both, mine) == []
    assert both.is_alive("projects", project)
    assert value(both.path, "SELECT _changed_run FROM portfolios WHERE gid = ?", mine) == value(
        both.path, "SELECT max(id) FROM sync_runs"
    )
    assert equal(both)


def test_a_deleted_portfolio_takes_along_what_stands_on_it(both: Mirrored) -> None:
    mine, project = _new(both, "Mine"), _projects(both)[0]
    _put(both, mine, project)
    field = next(
        record["gid"]
        for record in both.world.iter_records("custom_fields")
        if record["is_global_to_workspace"] and record.get("representation_type") != "custom_id"
    )
    both.write("POST", f"/portfolios/{mine}/addCustomFieldSetting", custom_field=field)
    both.write("POST", "/status_updates", parent=mine, status_type="on_track", text="So far")
    both.world.react(_newest_status(both, mine), "🎉")
    both.sync(max_age_s=0)
    below = {
        "portfolio_memberships": "parent_gid",
        "status_updates": "parent_gid",
        "custom_field_settings": "parent_gid",
    }
    living = "SELECT count(*) FROM {} WHERE {} = ? AND _deleted_at IS NULL"
    assert all(value(both.path, living.format(*one), mine) for one in below.items())

    both.write("DELETE", f"/portfolios/{mine}")
    both.sync()

    assert not any(value(both.path, living.format(*one), mine) for one in below.items())
    on_them = "SELECT gid FROM status_updates WHERE parent_gid = ?"
    assert not value(
        both.path,
        f"SELECT count(*) FROM reactions WHERE _deleted_at IS NULL AND target_gid IN ({on_them})",
        mine,
    )
    assert both.is_alive("projects", project)
    both.sync(max_age_s=0)  # what ties a project to it is the project's
    assert equal(both)


def test_a_portfolio_that_came_back_brings_its_items_along(both: Mirrored) -> None:
    mine, theirs, _ = _nested(both)
    both.write("POST", "/status_updates", parent=mine, status_type="on_track", text="So far")
    both.sync()
    both.write("DELETE", f"/portfolios/{mine}")
    both.sync()
    del both.world.records[mine]["trashed"]

    both.sync()

    assert _items(both, mine) == [theirs]
    assert both.is_alive("status_updates", _newest_status(both, mine))
    both.sync(max_age_s=0)
    assert equal(both)


def _newest_status(both: Mirrored, parent: str) -> str:
    found = [r for r in both.world.iter_records("status_updates") if r["parent"]["gid"] == parent]
    return str(found[-1]["gid"])


# -- favorites ----------------------------------------------------------------------------------------


def test_favorites_have_their_order_and_leave_when_taken_back(both: Mirrored) -> None:
    world = both.world
    mine = world.favorites[world.me, world.workspaces[0]]
    mine[:] = [*_projects(both)[:3], next(world.iter_records("tags"))["gid"]]
    both.sync(max_age_s=0)
    sql = "SELECT item_gid FROM favorites WHERE item_type = ? ORDER BY position"
    assert [row[0] for row in rows(both.path, sql, "project")] == mine[:3]

    mine[:3] = [mine[2], mine[0]]
    both.sync(max_age_s=0)

    assert [row[0] for row in rows(both.path, sql, "project")] == mine[:2]
    assert [row[0] for row in rows(both.path, sql, "tag")] == mine[2:]
    assert equal(both)

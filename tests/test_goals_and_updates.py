"""Briefs, status updates, reactions and goals: how they come, change and go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from everything import equal, mirrored_world, some_of_everything
from worlds import Listener, Mirrored, mirror, rows

Record = dict[str, Any]


@pytest.fixture
def both(tmp_path: Path) -> Mirrored:
    return mirrored_world(tmp_path, some_of_everything(141))


def _other(both: Mirrored) -> str:
    return next(gid for gid in both.world.members[both.world.workspaces[0]] if gid != both.world.me)


def _brief(both: Mirrored) -> Record:
    return next(both.world.iter_records("project_briefs"))


def _project_without_brief(both: Mirrored) -> str:
    named = {record["project"]["gid"] for record in both.world.iter_records("project_briefs")}
    return next(r["gid"] for r in both.world.iter_records("projects") if r["gid"] not in named)


# -- briefs -------------------------------------------------------------------------------------------


def test_a_brief_comes_with_the_project_that_names_it(both: Mirrored) -> None:
    project = _project_without_brief(both)
    brief = both.write("POST", f"/projects/{project}/project_briefs", title="Why", text="Because")["gid"]

    both.sync()

    assert both.row("project_briefs", brief)["title"] == "Why"
    assert both.row("projects", project)["project_brief_gid"] == brief
    assert equal(both)


def test_a_new_name_of_a_brief_is_seen_after_a_day(both: Mirrored) -> None:
    brief = _brief(both)["gid"]
    both.write("PUT", f"/project_briefs/{brief}", title="Renamed")

    both.sync(max_age_s=0)

    assert both.row("project_briefs", brief)["title"] == "Renamed"
    assert equal(both)


@pytest.mark.parametrize("full", [False, True])
def test_a_brief_that_another_one_replaced_is_a_tombstone(both: Mirrored, full: bool) -> None:
    old = _brief(both)
    project = old["project"]["gid"]
    both.write("DELETE", f"/project_briefs/{old['gid']}")
    new = both.write("POST", f"/projects/{project}/project_briefs", title="Anew", text="…")["gid"]

    both.sync(full=full)

    assert both.row("project_briefs", old["gid"])["_deleted_at"] is not None
    assert both.is_alive("project_briefs", new)
    assert equal(both)


@pytest.mark.parametrize("full", [False, True])
def test_a_deleted_brief_takes_its_attachments_along(both: Mirrored, full: bool) -> None:
    brief = _brief(both)["gid"]
    new = both.write(
        "POST", "/attachments", parent=brief, resource_subtype="external", name="A", url="https://a.example"
    )["gid"]
    both.sync(max_age_s=0)
    assert both.row("attachments", new)["parent_type"] == "project_brief"

    both.write("DELETE", f"/project_briefs/{brief}")
    both.sync(full=full)

    assert not both.is_alive("project_briefs", brief)
    assert not both.is_alive("attachments", new)
    assert equal(both)


def test_a_project_that_is_no_longer_told_to_have_a_brief_does_not_bury_it_unasked(both: Mirrored) -> None:
    """A project may be shown with less than there is: only who is asked for and not found is gone."""
    from worlds import Rewriter

    brief = _brief(both)

    def hide(path: str, envelope: Record) -> None:
        if path == "/projects":
            for record in envelope["data"]:
                record["project_brief"] = None

    mirror(both.world, both.path, Rewriter(both.app, hide))
    assert both.is_alive("project_briefs", brief["gid"])
    both.sync()
    assert equal(both)


def test_a_brief_that_came_back_is_read_anew(both: Mirrored) -> None:
    brief = _brief(both)
    new = both.write(
        "POST",
        "/attachments",
        parent=brief["gid"],
        resource_subtype="external",
        name="A",
        url="https://a.example",
    )["gid"]
    both.sync(max_age_s=0)
    both.write("DELETE", f"/project_briefs/{brief['gid']}")
    both.sync()
    del both.world.records[brief["gid"]]["trashed"]
    both.write("PUT", f"/projects/{brief['project']['gid']}", notes="Told of")

    both.sync()

    assert both.is_alive("project_briefs", brief["gid"])
    assert both.is_alive("attachments", new)
    assert equal(both)


# -- status updates -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["projects", "portfolios", "goals"])
def test_a_new_status_comes_at_once(both: Mirrored, kind: str) -> None:
    parent = next(
        r["gid"]
        for r in both.world.iter_records(kind)
        if kind != "portfolios" or r["owner"]["gid"] == both.world.me
    )
    given = {"parent": parent, "status_type": "at_risk", "text": "Late"}
    status = both.write("POST", "/status_updates", **given)["gid"]

    both.sync()

    row = both.row("status_updates", status)
    assert (row["parent_gid"], row["parent_type"], row["text"]) == (parent, kind.removesuffix("s"), "Late")
    assert both.row(kind, parent)["current_status_update_gid"] == status
    both.write("DELETE", f"/status_updates/{status}")
    both.sync()
    assert not both.is_alive("status_updates", status)
    assert both.row(kind, parent)["current_status_update_gid"] != status


# -- reactions ----------------------------------------------------------------------------------------


def _emojis(both: Mirrored, target: str) -> list[tuple[str, str]]:
    sql = "SELECT emoji_base, user_gid FROM reactions WHERE target_gid = ? AND _deleted_at IS NULL ORDER BY 1, 2"
    return [tuple(row) for row in rows(both.path, sql, target)]


def _comment(both: Mirrored) -> str:
    """A new comment on a task in a project, whose stream tells of it."""
    task = next(r["gid"] for r in both.world.iter_records("tasks") if r["memberships"] and not r["parent"])
    return str(both.write("POST", f"/tasks/{task}/stories", text="Look")["gid"])


def test_reactions_come_and_go_one_by_one(both: Mirrored) -> None:
    world, story, other = both.world, _comment(both), _other(both)
    for emoji, who in (("👍", world.me), ("👍", other), ("🎉", other)):
        world.react(story, emoji, by=who)
    both.sync()
    assert _emojis(both, story) == sorted([("👍", world.me), ("👍", other), ("🎉", other)])

    world.react(story, "👍", by=other)
    both.sync()
    assert _emojis(both, story) == sorted([("👍", world.me), ("🎉", other)])

    world.react(story, "🎉", by=other)  # the last one
    world.react(story, "👍", by=world.me)
    both.sync()
    assert _emojis(both, story) == []
    assert equal(both)


def test_one_reaction_instead_of_another_is_seen_though_their_number_is_the_same(both: Mirrored) -> None:
    world, story, other = both.world, _comment(both), _other(both)
    world.react(story, "👍", by=world.me)
    both.sync()
    world.react(story, "👍", by=world.me)
    world.react(story, "🎉", by=other)

    both.sync()

    assert _emojis(both, story) == [("🎉", other)]
    assert equal(both)


def test_reactions_go_with_their_story(both: Mirrored) -> None:
    story = _comment(both)
    both.world.react(story, "👍")
    both.sync()
    both.write("DELETE", f"/stories/{story}")

    both.sync()

    assert _emojis(both, story) == []
    assert equal(both)


def test_stories_without_reactions_cost_no_request(both: Mirrored) -> None:
    listener = Listener(both.app)
    mirror(both.world, both.path, listener, full=True)
    told = {
        (record["gid"], one["emoji_base"])
        for kind in ("stories", "status_updates")
        for record in both.world.iter_records(kind)
        for one in record.get("reaction_summary") or ()
    }
    asked = [dict(r.query) for r in listener.requests if r.path == "/reactions"]

    assert {(query["target"], query["emoji_base"]) for query in asked} <= told
    assert len(asked) == len({(query["target"], query["emoji_base"]) for query in asked})


# -- goals --------------------------------------------------------------------------------------------


def _goal(both: Mirrored) -> str:
    return str(next(both.world.iter_records("goals"))["gid"])


def test_a_goal_is_followed_in_every_run(both: Mirrored) -> None:
    goal, other = _goal(both), _other(both)
    both.write("PUT", f"/goals/{goal}", name="Grow", due_on="2026-12-31")
    both.write("POST", f"/goals/{goal}/addFollowers", followers=[other])
    both.write(
        "POST",
        f"/goals/{goal}/setMetric",
        precision=2,
        unit="none",
        initial_number_value=0,
        target_number_value=5,
    )

    both.sync()

    row = both.row("goals", goal)
    assert (row["name"], row["due_on"]) == ("Grow", "2026-12-31")
    assert json.loads(row["metric"])["target_number_value"] == 5
    assert rows(both.path, "SELECT 1 FROM goal_followers WHERE goal_gid = ? AND actor_gid = ?", goal, other)
    assert equal(both)


def test_a_goal_moves_below_another_and_away_again(both: Mirrored) -> None:
    world = both.world
    above, below = (
        both.write("POST", "/goals", name=name, workspace=world.workspaces[0])["gid"] for name in "AB"
    )
    both.write("POST", f"/goals/{above}/addSupportingRelationship", supporting_resource=below)
    both.sync(max_age_s=0)
    sql = "SELECT supporting_resource_type FROM goal_relationships WHERE supported_goal_gid = ? AND _deleted_at IS NULL"
    assert [row[0] for row in rows(both.path, sql, above)] == ["goal"]

    both.write("POST", f"/goals/{above}/removeSupportingRelationship", supporting_resource=below)
    both.sync(max_age_s=0)

    assert rows(both.path, sql, above) == []
    assert both.is_alive("goals", below)
    assert equal(both)


def test_a_deleted_goal_takes_along_what_stands_on_it(both: Mirrored) -> None:
    goal = _goal(both)
    story = both.write("POST", f"/goals/{goal}/stories", text="Well done")["gid"]
    both.world.react(story, "👍")
    both.sync(max_age_s=0)
    assert both.row("stories", story)["target_type"] == "goal"
    assert _emojis(both, story)

    both.write("DELETE", f"/goals/{goal}")
    both.sync()

    assert not both.is_alive("goals", goal)
    assert not both.is_alive("stories", story)
    assert _emojis(both, story) == []
    for table, column in (("goal_memberships", "parent_gid"), ("goal_relationships", "supported_goal_gid")):
        assert not rows(both.path, f"SELECT 1 FROM {table} WHERE {column} = ? AND _deleted_at IS NULL", goal)
    both.sync(max_age_s=0)
    assert equal(both)


def test_a_goal_that_came_back_brings_along_what_stands_on_it(both: Mirrored) -> None:
    goal = next(r["supported_goal"]["gid"] for r in both.world.iter_records("goal_relationships"))
    story = both.write("POST", f"/goals/{goal}/stories", text="Well done")["gid"]
    both.world.react(story, "👍")
    both.sync(max_age_s=0)
    both.write("DELETE", f"/goals/{goal}")
    both.sync()
    del both.world.records[goal]["trashed"]

    both.sync()

    assert both.is_alive("stories", story)
    assert _emojis(both, story)
    assert equal(both)


def test_comments_on_goals_are_no_reason_to_ask_for_tasks(both: Mirrored) -> None:
    goal = _goal(both)
    both.write("POST", f"/goals/{goal}/stories", text="Well done")
    listener = Listener(both.app)

    mirror(both.world, both.path, listener, max_age_s=0)

    asked = {r.path for r in listener.requests}
    assert f"/goals/{goal}/stories" in asked
    assert f"/tasks/{goal}" not in asked
    assert equal(both)


def test_a_goal_without_a_metric_has_none(both: Mirrored) -> None:
    goal = both.write("POST", "/goals", name="No number", workspace=both.world.workspaces[0])["gid"]
    both.sync()
    assert both.row("goals", goal)["metric"] is None
    assert equal(both)

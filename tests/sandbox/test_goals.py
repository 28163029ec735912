"""Goals: where they are asked for, what supports them, how they are measured, and who may see them."""

from __future__ import annotations

import random
from typing import Any

import pytest

from asana_mirror.sandbox import generate
from asana_mirror.sandbox.edits_goals import change_goals


def gids(records: list[dict[str, Any]]) -> list[str]:
    return [record["gid"] for record in records]


def goals(world: Any) -> list[dict[str, Any]]:
    return list(world.iter_records("goals"))


def test_goals_are_listed_only_below_a_place(quiet: Any) -> None:
    world = quiet.world
    ws = world.workspaces[0]
    assert quiet.get("/goals").status_code == 400
    assert quiet.get("/goals", time_periods="1").status_code == 400
    assert quiet.get("/goals", is_workspace_level="true").status_code == 400
    team = world.inside["team", ws][0]
    assert quiet.get("/goals", team=team, is_workspace_level="false").status_code == 400
    assert quiet.get("/goals", workspace=ws, is_workspace_level="maybe").status_code == 400
    assert quiet.get("/goals", workspace="12345").status_code == 404
    here = [goal for goal in goals(world) if goal["workspace"]["gid"] == ws]
    assert gids(quiet.all("/goals", workspace=ws, limit=3)) == gids(here)
    assert set(quiet.data("/goals", workspace=ws, limit=1)[0]) == {"gid", "resource_type", "name", "owner"}


def test_goals_are_filtered_by_level_team_and_period(quiet: Any) -> None:
    world = quiet.world
    ws = world.workspaces[0]
    here = [goal for goal in goals(world) if goal["workspace"]["gid"] == ws]
    for level in (True, False):
        found = quiet.data("/goals", workspace=ws, is_workspace_level=str(level).lower())
        assert gids(found) == [goal["gid"] for goal in here if goal["is_workspace_level"] is level]
    team = next(goal["team"]["gid"] for goal in here if goal["team"])
    expected = [goal["gid"] for goal in here if goal["team"] and goal["team"]["gid"] == team]
    assert gids(quiet.data("/goals", team=team)) == expected
    periods = {goal["time_period"]["gid"] for goal in here if goal["time_period"]}
    some = sorted(periods)[:2]
    found = quiet.data("/goals", workspace=ws, time_periods=",".join(some), opt_fields="time_period")
    assert {goal["time_period"]["gid"] for goal in found} == set(some)


@pytest.mark.parametrize("kind", ["project", "portfolio", "task"])
def test_goals_are_found_by_what_supports_them(quiet: Any, kind: str) -> None:
    relations = list(quiet.world.iter_records("goal_relationships"))
    one = next(rel for rel in relations if rel["supporting_resource"]["resource_type"] == kind)
    supporter = one["supporting_resource"]["gid"]
    expected = {
        rel["supported_goal"]["gid"] for rel in relations if rel["supporting_resource"]["gid"] == supporter
    }
    assert set(gids(quiet.data("/goals", **{kind: supporter}))) == expected


def test_a_personal_workspace_has_goals_without_a_level(quiet: Any) -> None:
    world = quiet.world
    personal = [goal for goal in goals(world) if goal["workspace"]["gid"] == world.workspaces[1]]
    assert personal
    assert all("is_workspace_level" not in goal and goal["team"] is None for goal in personal)


def test_relationships_are_listed_and_filtered(quiet: Any) -> None:
    assert quiet.get("/goal_relationships").status_code == 400
    found = []
    for goal in goals(quiet.world):
        path, query = "/goal_relationships", {"supported_goal": goal["gid"]}
        relations = quiet.all(path, **query)
        found += gids(relations)
        for subtype in ("subgoal", "supporting_work"):
            expected = [rel["gid"] for rel in relations if rel["resource_subtype"] == subtype]
            assert gids(quiet.data(path, **query, resource_subtype=subtype)) == expected
        assert quiet.get(path, **query, resource_subtype="parent").status_code == 400
    expected = gids(list(quiet.world.iter_records("goal_relationships")))
    assert sorted(found) == sorted(expected)
    assert {
        rel["supporting_resource"]["resource_type"] for rel in quiet.world.iter_records("goal_relationships")
    } == {"goal", "project", "portfolio", "task"}


def test_parent_goals_come_whole_and_take_no_pages(quiet: Any) -> None:
    one = next(
        rel for rel in quiet.world.iter_records("goal_relationships") if rel["resource_subtype"] == "subgoal"
    )
    path = f"/goals/{one['supporting_resource']['gid']}/parentGoals"
    answer = quiet.get(path).json()
    assert one["supported_goal"]["gid"] in gids(answer["data"])
    assert "next_page" not in answer
    assert quiet.strictly().get(path, limit=10).status_code == 400
    assert quiet.strictly().get(path, offset="abc").status_code == 400


def test_stories_of_goals_have_the_goal_as_target(quiet: Any) -> None:
    goal = next(goal for goal in goals(quiet.world) if len(quiet.data(f"/goals/{goal['gid']}/stories")) > 2)
    stories = quiet.all(f"/goals/{goal['gid']}/stories", limit=2, opt_fields="target,target.name,type,text")
    assert {story["target"]["gid"] for story in stories} == {goal["gid"]}
    assert {story["target"]["resource_type"] for story in stories} == {"goal"}
    assert {story["type"] for story in stories} == {"comment", "system"}
    single = quiet.data(f"/stories/{stories[0]['gid']}")
    assert single["target"] == {"gid": goal["gid"], "resource_type": "goal", "name": goal["name"]}


def test_goals_have_the_awkward_things(quiet: Any) -> None:
    found = goals(quiet.world)
    for field in ("owner", "due_on", "start_on", "time_period", "metric", "current_status_update", "team"):
        assert None in [goal[field] for goal in found], field
    assert [] in [goal["followers"] for goal in found] or [] in [goal["likes"] for goal in found]
    assert any(goal["custom_fields"] for goal in found)
    assert max(len(goal["html_notes"]) for goal in found) > 10_000
    sources = {goal["metric"]["progress_source"] for goal in found if goal["metric"]}
    assert len(sources) == 4


def test_a_goal_is_made_changed_measured_and_deleted(front: Any) -> None:
    ws = front.world.workspaces[0]
    assert front.write("POST", "/goals", workspace=ws).status_code == 400
    goal = front.done("POST", "/goals", workspace=ws, name="More 🎯", due_on="2026-12-31")
    path = f"/goals/{goal['gid']}"
    assert front.write("PUT", path, status="green").status_code == 400
    assert front.write("POST", f"{path}/setMetricCurrentValue", current_number_value=3).status_code == 400
    metric = {"unit": "currency", "currency_code": "EUR", "precision": 1, "target_number_value": 10}
    assert front.done("POST", f"{path}/setMetric", **metric)["metric"]["current_display_value"] == "EUR 0.0"
    measured = front.done("POST", f"{path}/setMetricCurrentValue", current_number_value=8.15)
    assert measured["metric"]["current_number_value"] == 8.15
    assert front.done("PUT", path, status="green", name="Much more")["status"] == "green"
    front.done("POST", f"{path}/stories", text="Well done")
    assert [s["resource_subtype"] for s in front.data(f"{path}/stories")] == ["name_changed", "comment_added"]
    story = front.data(f"{path}/stories")[1]["gid"]
    assert front.data(path) == front.world.record(goal["gid"])
    front.done("DELETE", path)
    for gone in (path, f"{path}/stories", f"{path}/parentGoals", f"/stories/{story}"):
        assert front.get(gone).status_code == 404
    assert front.get("/memberships", parent=goal["gid"]).status_code == 404


def test_support_comes_and_goes(front: Any) -> None:
    ws = front.world.workspaces[0]
    above, below = (front.done("POST", "/goals", workspace=ws, name=name)["gid"] for name in "ab")
    path = f"/goals/{above}"
    made = front.done("POST", f"{path}/addSupportingRelationship", supporting_resource=below)
    assert (made["resource_subtype"], made["supported_goal"]["gid"]) == ("subgoal", above)
    again = front.write("POST", f"{path}/addSupportingRelationship", supporting_resource=below)
    circle = front.write("POST", f"/goals/{below}/addSupportingRelationship", supporting_resource=above)
    assert (again.status_code, circle.status_code) == (400, 400)
    assert gids(front.data(f"/goals/{below}/parentGoals")) == [above]
    changed = front.done("PUT", f"/goal_relationships/{made['gid']}", contribution_weight=0.5)
    assert changed["contribution_weight"] == 0.5
    project = front.world.inside["project", ws][0]
    work = front.done("POST", f"{path}/addSupportingRelationship", supporting_resource=project)
    assert gids(front.data("/goals", project=project, workspace=ws)).count(above) == 1
    front.done("DELETE", f"/projects/{project}")
    assert front.get(f"/goal_relationships/{work['gid']}").status_code == 404
    assert gids(front.data("/goal_relationships", supported_goal=above)) == [made["gid"]]
    front.done("POST", f"{path}/removeSupportingRelationship", supporting_resource=below)
    assert front.get(f"/goal_relationships/{made['gid']}").status_code == 404
    assert front.data(f"/goals/{below}/parentGoals") == []


def test_a_goals_stream_tells_of_its_changes_and_comments(front: Any) -> None:
    goal = goals(front.world)[0]["gid"]
    sync = front.get("/events", resource=goal).json()["sync"]
    front.done("PUT", f"/goals/{goal}", name="Another name")
    front.done("POST", f"/goals/{goal}/stories", text="Hello")
    answer = front.get("/events", resource=goal, sync=sync)
    assert answer.status_code == 200
    told = [(event["type"], event["action"]) for event in answer.json()["data"]]
    assert {("goal", "changed"), ("story", "added")} <= set(told)
    portfolio = front.world.inside["portfolio", front.world.workspaces[0]][0]
    assert front.get("/events", resource=portfolio).status_code == 400


def test_a_private_goal_shows_to_those_who_share_it(front_with: Any) -> None:
    front = front_with()
    limited = front_with(token=front.world.tokens["limited"])
    user = front.world.identities[front.world.tokens["limited"]].user
    private = [goal for goal in goals(front.world) if goal["privacy_setting"] == "members_only"]
    assert private
    for goal in private:
        shared = user in [*gids(goal["followers"]), (goal["owner"] or {}).get("gid")]
        assert (limited.get(f"/goals/{goal['gid']}").status_code == 200) == shared
        assert (goal["gid"] in gids(limited.all("/goals", workspace=front.world.workspaces[0]))) == shared
        assert front.world.visible(front.world.tokens["limited"], goal["gid"]) == shared
    secret = private[0]["gid"]
    front.done("POST", f"/goals/{secret}/removeFollowers", followers=[user])
    front.done("PUT", f"/goals/{secret}", owner=front.world.me)
    assert limited.get(f"/goals/{secret}/stories").status_code == 404
    shared = front.data("/memberships", parent=secret)[0]["gid"]
    assert limited.get(f"/memberships/{shared}").status_code == 404
    assert front.get(f"/memberships/{shared}").status_code == 200
    assert limited.get("/status_updates", parent=secret).status_code == 404
    front.done("POST", f"/goals/{secret}/addFollowers", followers=[user])
    assert limited.get(f"/goals/{secret}/stories").status_code == 200


def test_scopes_plans_and_refusals_hold(front_with: Any) -> None:
    front = front_with()
    ws = front.world.workspaces[0]
    scoped = front_with(token=front.world.tokens["scoped"])
    assert scoped.get("/goals", workspace=ws).status_code == 403
    goal = goals(front.world)[0]["gid"]
    front.world.refuse(goal, 403)
    assert front.get(f"/goals/{goal}").status_code == 403
    assert front.get("/goal_relationships", supported_goal=goal).status_code == 403
    front.world.refuse("/goals", 402)
    assert front.get("/goals", workspace=ws).status_code == 402


def test_a_free_plan_has_neither_goals_nor_portfolios(front: Any) -> None:
    front.world.plan = "free"
    ws = front.world.workspaces[0]
    assert front.get("/goals", workspace=ws).status_code == 402
    assert front.get("/portfolios", workspace=ws, owner="me").status_code == 402
    for path in ("/goals", "/portfolios"):
        assert front.write("POST", path, workspace=ws, name="A").status_code == 402
    free = generate(seed=2, tasks=60, plan="free")
    assert not [*free.iter_records("goals"), *free.iter_records("portfolios")]


def test_random_changes_are_said_in_words_and_told_the_same_by_api_and_world(front: Any) -> None:
    world = front.world
    rng = random.Random(3)
    said = [change_goals(world, rng) for _ in range(120)]
    assert len({words.split()[0] for words in said}) > 8
    for plural in (
        "goals",
        "portfolios",
        "status_updates",
        "project_briefs",
        "goal_relationships",
        "task_templates",
    ):
        for record in world.iter_records(plural):
            fields = ",".join(record)
            assert front.data(f"/{plural}/{record['gid']}", opt_fields=fields).keys() == record.keys()


def test_the_same_dice_make_the_same_changes() -> None:
    one, two = generate(seed=2, tasks=60), generate(seed=2, tasks=60)
    rngs = random.Random(1), random.Random(1)
    assert [change_goals(one, rngs[0]) for _ in range(60)] == [change_goals(two, rngs[1]) for _ in range(60)]

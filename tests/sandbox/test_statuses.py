"""Status updates, project briefs and reactions: listed, current, written and gone."""

from __future__ import annotations

from typing import Any

import pytest


def gids(records: list[dict[str, Any]]) -> list[str]:
    return [record["gid"] for record in records]


def with_statuses(world: Any, kind: str) -> str:
    """A record of this kind with two status updates or more."""
    found = [rec["parent"]["gid"] for rec in world.iter_records("status_updates")]
    return next(gid for gid in found if found.count(gid) > 1 and world.records[gid]["resource_type"] == kind)


@pytest.mark.parametrize("kind", ["project", "portfolio", "goal"])
def test_statuses_are_listed_newest_first_and_the_newest_is_current(quiet: Any, kind: str) -> None:
    parent = with_statuses(quiet.world, kind)
    fields = "created_at,resource_subtype,parent.name,status_type"
    found = quiet.all("/status_updates", parent=parent, limit=1, opt_fields=fields)
    times = [rec["created_at"] for rec in found]
    assert times == sorted(times, reverse=True)
    assert {rec["resource_subtype"] for rec in found} == {f"{kind}_status_update"}
    owner = quiet.data(f"/{kind}s/{parent}")
    assert owner["current_status_update"]["gid"] == found[0]["gid"]
    assert {rec["parent"]["gid"] for rec in found} == {parent}
    newer = quiet.data("/status_updates", parent=parent, created_since=times[0])
    assert gids(newer) == [found[0]["gid"]]
    assert set(newer[0]) == {"gid", "resource_type", "title", "resource_subtype"}


def test_statuses_need_a_parent_that_has_them(quiet: Any) -> None:
    project = quiet.world.inside["project", quiet.world.workspaces[0]][0]
    assert quiet.get("/status_updates").status_code == 400
    assert quiet.get("/status_updates", parent="12345").status_code == 404
    assert quiet.get("/status_updates", parent=quiet.world.tasks[0]).status_code == 400
    assert quiet.get("/status_updates", parent=project, created_since="soon").status_code == 400


def test_the_deprecated_statuses_are_the_same_by_another_name(quiet: Any) -> None:
    project = with_statuses(quiet.world, "project")
    older = quiet.all(f"/projects/{project}/project_statuses", limit=2)
    assert gids(older) == gids(quiet.data("/status_updates", parent=project))
    assert set(older[0]) == {"gid", "resource_type", "title"}
    single = quiet.data(f"/project_statuses/{older[0]['gid']}")
    update = quiet.data(f"/status_updates/{older[0]['gid']}")
    assert (single["text"], single["author"]) == (update["text"], update["author"])
    assert quiet.data(f"/projects/{project}")["current_status"] == single
    of_goal = with_statuses(quiet.world, "goal")
    status = quiet.data("/status_updates", parent=of_goal)[0]["gid"]
    assert quiet.get(f"/project_statuses/{status}").status_code == 404


def test_statuses_come_and_go_and_their_parents_follow(front: Any, clock: Any) -> None:
    world = front.world
    project = with_statuses(world, "project")
    before = front.data(f"/projects/{project}")
    given = {"parent": project, "text": "On & on", "status_type": "at_risk", "title": "Hm"}
    clock.now += 10
    made = front.done("POST", "/status_updates", **given)
    after = front.data(f"/projects/{project}")
    assert after["current_status"]["color"] == "yellow"
    assert after["modified_at"] > before["modified_at"]
    assert front.data(f"/status_updates/{made['gid']}", opt_fields="html_text")["html_text"] == (
        "<body>On &amp; on</body>"
    )
    front.done("DELETE", f"/status_updates/{made['gid']}")
    assert front.data(f"/projects/{project}")["current_status"] == before["current_status"]
    assert front.get(f"/status_updates/{made['gid']}").status_code == 404
    for wrong in ({"status_type": "achieved"}, {"text": ""}, {"parent": world.tasks[0]}):
        assert front.write("POST", "/status_updates", **(given | wrong)).status_code == 400


def test_a_goal_takes_its_status_from_its_last_update(front: Any) -> None:
    goal = front.done("POST", "/goals", workspace=front.world.workspaces[0], name="G")["gid"]
    given = {"parent": goal, "text": "Yes"}
    front.done("POST", "/status_updates", **given, status_type="on_track")
    last = front.done("POST", "/status_updates", **given, status_type="achieved")["gid"]
    assert front.data(f"/goals/{goal}")["status"] == "achieved"
    front.done("DELETE", f"/status_updates/{last}")
    assert front.data(f"/goals/{goal}")["status"] == "green"


def test_what_stands_on_a_project_goes_with_it(front: Any) -> None:
    world = front.world
    project = with_statuses(world, "project")
    status = front.data("/status_updates", parent=project)[0]["gid"]
    front.done("DELETE", f"/projects/{project}")
    for gone in (f"/status_updates/{status}", f"/project_statuses/{status}"):
        assert front.get(gone).status_code == 404
    assert status not in {rec["gid"] for rec in world.iter_records("status_updates")}
    world.undelete(project)
    assert front.get(f"/status_updates/{status}").status_code == 200


# -- briefs -------------------------------------------------------------------------------------------


def test_projects_name_their_briefs_when_asked(quiet: Any) -> None:
    world = quiet.world
    named = {}
    for project in world.inside["project", world.workspaces[0]]:
        assert "project_brief" not in quiet.data(f"/projects/{project}")
        brief = quiet.data(f"/projects/{project}", opt_fields="project_brief")["project_brief"]
        if brief:
            assert set(brief) == {"gid", "resource_type"}
            named[brief["gid"]] = project
    assert named
    for gid, project in named.items():
        record = quiet.data(f"/project_briefs/{gid}")
        assert record["project"]["gid"] == project
        assert "text" not in record
    lengths = [len(rec["html_text"]) for rec in world.iter_records("project_briefs")]
    assert max(lengths) > 10_000
    assert min(lengths) < 20


def test_briefs_have_files(front: Any) -> None:
    world = front.world
    files = [
        rec for rec in world.iter_records("attachments") if rec["parent"]["resource_type"] == "project_brief"
    ]
    assert files
    brief = files[0]["parent"]["gid"]
    listed = front.all("/attachments", parent=brief, opt_fields="parent,name", limit=1)
    assert {rec["parent"]["resource_type"] for rec in listed} == {"project_brief"}
    given = {"parent": brief, "resource_subtype": "external", "url": "https://a.example/", "name": "A"}
    added = front.done("POST", "/attachments", **given)
    assert front.data(f"/attachments/{added['gid']}")["parent"]["gid"] == brief
    front.done("DELETE", f"/project_briefs/{brief}")
    assert front.get(f"/attachments/{added['gid']}").status_code == 404
    assert front.get("/attachments", parent=brief).status_code == 404


def test_a_project_has_one_brief(front: Any, clock: Any) -> None:
    world = front.world
    project = world.inside["project", world.workspaces[0]][1]
    path = f"/projects/{project}/project_briefs"
    before = front.data(f"/projects/{project}")["modified_at"]
    clock.now += 10
    brief = front.done("POST", path, title="T", html_text="<body>A <em>b</em></body>")
    assert front.write("POST", path, title="T", text="a").status_code == 400
    assert front.data(f"/projects/{project}")["modified_at"] > before
    assert front.data(f"/project_briefs/{brief['gid']}", opt_fields="text")["text"] == "A b"
    both = front.write("PUT", f"/project_briefs/{brief['gid']}", text="a", html_text="<body>b</body>")
    assert both.status_code == 400
    assert front.done("PUT", f"/project_briefs/{brief['gid']}", text="x < y")["html_text"] == (
        "<body>x &lt; y</body>"
    )


def test_a_private_projects_status_and_brief_are_hidden_with_it(front_with: Any) -> None:
    front = front_with()
    world = front.world
    limited = front_with(token=world.tokens["limited"])
    user = world.identities[world.tokens["limited"]].user
    brief = next(iter(world.iter_records("project_briefs")))
    project = brief["project"]["gid"]
    front.done("POST", f"/projects/{project}/removeMembers", members=[user])
    front.done("PUT", f"/projects/{project}", privacy_setting="private")
    assert limited.get(f"/project_briefs/{brief['gid']}").status_code == 404
    assert limited.get("/status_updates", parent=project).status_code == 404
    assert limited.get("/attachments", parent=brief["gid"]).status_code == 404
    front.done("POST", f"/projects/{project}/addMembers", members=[user])
    assert limited.get(f"/project_briefs/{brief['gid']}").status_code == 200


# -- reactions ----------------------------------------------------------------------------------------


def test_reactions_are_those_of_the_summary(quiet: Any) -> None:
    world = quiet.world
    targets = [
        r for kind in ("stories", "status_updates") for r in world.iter_records(kind) if r["reaction_summary"]
    ]
    kinds = {rec["resource_type"] for rec in targets}
    goals = {rec["target"]["resource_type"] for rec in targets if "target" in rec}
    assert (kinds, goals) == ({"story", "status_update"}, {"task", "goal"})
    for rec in targets[-40:] + targets[:40]:
        for base in {item["emoji_base"] for item in rec["reaction_summary"]}:
            found = quiet.all("/reactions", target=rec["gid"], emoji_base=base, limit=2)
            assert set(found[0]) == {"gid", "emoji", "user"}
            counts = {
                item["variant"]: item["count"]
                for item in rec["reaction_summary"]
                if item["emoji_base"] == base
            }
            emoji = [one["emoji"] for one in found]
            assert {variant: emoji.count(variant) for variant in emoji} == counts
    every = [rec["gid"] for rec in world.iter_records("reactions")]
    assert len(every) == len(set(every))


def test_reactions_need_both_parameters(quiet: Any) -> None:
    world = quiet.world
    story = next(iter(world.iter_records("stories")))["gid"]
    assert quiet.get("/reactions", target=story).status_code == 400
    assert quiet.get("/reactions", emoji_base="👍").status_code == 400
    assert quiet.get("/reactions", target=story, emoji_base="").status_code == 400
    assert quiet.get("/reactions", target="12345", emoji_base="👍").status_code == 404
    assert quiet.get("/reactions", target=world.tasks[0], emoji_base="👍").status_code == 400
    assert quiet.data("/reactions", target=story, emoji_base="🦖") == []


def test_a_reaction_is_given_and_taken_back(front: Any) -> None:
    world = front.world
    status = next(iter(world.iter_records("status_updates")))["gid"]
    story = front.done("POST", f"/tasks/{world.tasks[0]}/stories", text="Hi")["gid"]
    for gid in (status, story):
        world.react(gid, "🐙")
        found = front.data("/reactions", target=gid, emoji_base="🐙")
        assert [one["user"]["gid"] for one in found] == [world.me]
        world.react(gid, "🐙")
        assert front.data("/reactions", target=gid, emoji_base="🐙") == []
    world.like(status)
    assert front.data(f"/status_updates/{status}")["liked"] is True

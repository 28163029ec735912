"""Portfolios and templates: whose lists show them, what is in them, and what goes with them."""

from __future__ import annotations

from typing import Any


def gids(records: list[dict[str, Any]]) -> list[str]:
    return [record["gid"] for record in records]


def portfolios(world: Any) -> list[dict[str, Any]]:
    return list(world.iter_records("portfolios"))


def test_people_list_their_own_portfolios_and_no_others(quiet: Any) -> None:
    world = quiet.world
    ws = world.workspaces[0]
    other = list(world.members[ws])[2]
    assert quiet.get("/portfolios", owner="me").status_code == 400
    assert quiet.get("/portfolios", workspace=ws).status_code == 400
    assert quiet.get("/portfolios", workspace=ws, owner=other).status_code == 403
    assert quiet.get("/portfolios", workspace="1", owner="me").status_code == 404
    own = [
        rec["gid"]
        for rec in portfolios(world)
        if rec["owner"]["gid"] == world.me and rec["workspace"]["gid"] == ws
    ]
    assert len(own) >= 2
    assert gids(quiet.all("/portfolios", workspace=ws, owner="me", limit=1)) == own
    assert gids(quiet.data("/portfolios", workspace=ws, owner=world.me)) == own


def test_a_service_account_lists_all_portfolios_or_one_owners(front_with: Any) -> None:
    world = front_with().world
    service = front_with(token=world.tokens["service"])
    ws = world.workspaces[0]
    everything = [rec for rec in portfolios(world) if rec["workspace"]["gid"] == ws]
    assert gids(service.all("/portfolios", workspace=ws, limit=2)) == gids(everything)
    owner = everything[1]["owner"]["gid"]
    expected = [rec["gid"] for rec in everything if rec["owner"]["gid"] == owner]
    assert gids(service.data("/portfolios", workspace=ws, owner=owner)) == expected


def test_items_are_projects_and_portfolios_of_others_two_levels_deep(quiet: Any) -> None:
    world = quiet.world
    own = quiet.data("/portfolios", workspace=world.workspaces[0], owner="me")
    seen: dict[str, int] = {}

    def visit(gid: str, depth: int) -> None:
        items = quiet.all(f"/portfolios/{gid}/items", limit=2)
        assert gids(items) == world.records[gid]["items"]
        for item in items:
            assert set(item) == {"gid", "resource_type", "name"}
            if item["resource_type"] == "portfolio":
                seen[item["gid"]] = depth
                visit(item["gid"], depth + 1)

    for gid in gids(own):
        visit(gid, 1)
    assert set(seen.values()) == {1, 2}
    assert all(world.record(gid)["owner"]["gid"] != world.me for gid in seen)
    assert not set(seen) >= {rec["gid"] for rec in portfolios(world)}  # and some are met nowhere


def test_items_take_fields_that_only_one_of_their_kinds_has(quiet: Any) -> None:
    world = quiet.world
    gid = world.inside["portfolio", world.workspaces[0]][0]
    for item in quiet.data(f"/portfolios/{gid}/items", opt_fields="name,owner.name,modified_at,public"):
        record = world.record(item["gid"])
        assert item["name"] == record["name"]
        assert ("modified_at" in item) == (item["resource_type"] == "project")
        assert item["public"] == record["public"]


def test_settings_tie_every_project_to_each_portfolio_that_holds_it(quiet: Any) -> None:
    world = quiet.world
    pairs = set()
    for rec in portfolios(world):
        for setting in quiet.all(f"/portfolios/{rec['gid']}/project_portfolio_settings", limit=3):
            pairs.add((setting["project"]["gid"], setting["portfolio"]["gid"]))
            assert quiet.data(f"/project_portfolio_settings/{setting['gid']}")["created_at"]
    held = {
        (item, rec["gid"])
        for rec in portfolios(world)
        for item in world.records[rec["gid"]]["items"]
        if world.records[item]["resource_type"] == "project"
    }
    assert pairs == held
    project = next(iter(pairs))[0]
    settings = quiet.data(f"/projects/{project}/project_portfolio_settings")
    assert {(project, one["portfolio"]["gid"]) for one in settings} == {p for p in pairs if p[0] == project}


def test_portfolios_have_fields_of_their_own_and_for_their_items(quiet: Any) -> None:
    world = quiet.world
    with_fields = [rec for rec in portfolios(world) if rec["custom_field_settings"]]
    for rec in with_fields:
        listed = quiet.all(f"/portfolios/{rec['gid']}/custom_field_settings")
        assert gids(listed) == gids(rec["custom_field_settings"])
        assert {one["parent"]["resource_type"] for one in listed} == {"portfolio"}
        assert {one["project"] for one in listed} == {None}
        assert len(rec["custom_fields"]) < len(listed)
    assert any(value["display_value"] for rec in with_fields for value in rec["custom_fields"])
    fields = {one["custom_field"]["gid"] for rec in with_fields for one in rec["custom_field_settings"]}
    assert fields - set(world.inside["custom_field", world.workspaces[0]])  # one only this portfolio knows


def test_a_portfolio_is_filled_emptied_and_deleted(front: Any) -> None:
    world = front.world
    ws = world.workspaces[0]
    made = front.done("POST", "/portfolios", workspace=ws, name="New 📁", color="light-green")
    path = f"/portfolios/{made['gid']}"
    one, two = world.inside["project", ws][:2]
    nested = world.inside["portfolio", ws][1]
    for item in (one, two, nested):
        front.done("POST", f"{path}/addItem", item=item)
    front.done("POST", f"{path}/addItem", item=nested, insert_before=one)
    assert gids(front.data(f"{path}/items")) == [nested, one, two]
    assert front.write("POST", f"/portfolios/{nested}/addItem", item=made["gid"]).status_code == 400
    setting = front.data(f"{path}/project_portfolio_settings")[0]
    changed = front.done(
        "PUT", f"/project_portfolio_settings/{setting['gid']}", is_access_control_inherited=True
    )
    assert changed["is_access_control_inherited"] is True
    front.done("POST", f"{path}/removeItem", item=one)
    assert front.get(f"/project_portfolio_settings/{setting['gid']}").status_code == 404
    assert front.write("POST", f"{path}/removeItem", item=one).status_code == 400
    front.done("DELETE", f"/projects/{two}")
    assert gids(front.data(f"{path}/items")) == [nested]
    assert front.data(f"{path}/project_portfolio_settings") == []
    user = list(world.members[ws])[3]
    assert user in gids(front.done("POST", f"{path}/addMembers", members=[user])["members"])
    assert user not in gids(front.done("POST", f"{path}/removeMembers", members=user)["members"])
    field = world.inside["custom_field", ws][0]
    front.done("POST", f"{path}/addCustomFieldSetting", custom_field=field)
    assert front.data(path, opt_fields="custom_field_settings.custom_field.gid")["custom_field_settings"]
    front.done("POST", f"{path}/removeCustomFieldSetting", custom_field=field)
    assert front.data(f"{path}/custom_field_settings") == []
    front.done("DELETE", path)
    assert front.get(path).status_code == 404
    assert front.get(f"/portfolios/{nested}").status_code == 200


def test_private_portfolios_show_to_owner_and_members(front_with: Any) -> None:
    front = front_with()
    world = front.world
    limited, user = front_with(token=world.tokens["limited"]), world.identities[world.tokens["limited"]].user
    private = [rec for rec in portfolios(world) if not rec["public"]]
    assert private
    for rec in portfolios(world):
        may = rec["public"] or user in [*gids(rec["members"]), rec["owner"]["gid"]]
        shows = rec["workspace"]["gid"] == world.workspaces[0] and may
        assert (limited.get(f"/portfolios/{rec['gid']}").status_code == 200) == shows
    secret = private[0]["gid"]
    front.done("POST", f"/portfolios/{secret}/removeMembers", members=[user])
    for below in ("items", "custom_field_settings", "portfolio_memberships", "project_portfolio_settings"):
        assert limited.get(f"/portfolios/{secret}/{below}").status_code == 404
    above = world.inside["portfolio", world.workspaces[0]][0]
    assert secret in gids(front.data(f"/portfolios/{above}/items"))
    front.done("PUT", f"/portfolios/{above}", public=True)
    assert secret not in gids(limited.data(f"/portfolios/{above}/items"))
    scoped = front_with(token=world.tokens["scoped"])
    assert scoped.get(f"/portfolios/{above}").status_code == 403


# -- templates ----------------------------------------------------------------------------------------


def test_project_templates_are_listed_by_workspace_and_by_team(quiet: Any) -> None:
    world = quiet.world
    ws = world.workspaces[0]
    everywhere = list(world.iter_records("project_templates"))
    here = [rec for rec in everywhere if rec["team"]]
    assert set(gids(quiet.all("/project_templates", workspace=ws, limit=2))) == set(gids(here))
    assert set(gids(quiet.data("/project_templates"))) == set(gids(everywhere))
    for team in world.inside["team", ws]:
        expected = {rec["gid"] for rec in here if rec["team"]["gid"] == team}
        assert set(gids(quiet.data(f"/teams/{team}/project_templates"))) == expected
        assert set(gids(quiet.data("/project_templates", team=team))) == expected
    assert None in [rec["owner"] for rec in everywhere]
    assert [] in [rec["requested_dates"] for rec in everywhere]
    assert {len(rec["requested_roles"]) for rec in everywhere} > {0}


def test_a_deleted_template_leaves_no_trace_where_it_was_named(front: Any) -> None:
    world = front.world
    named = [rec for rec in world.iter_records("projects") if rec["created_from_template"]]
    gid = named[0]["created_from_template"]["gid"]
    front.done("DELETE", f"/project_templates/{gid}")
    assert front.get(f"/project_templates/{gid}").status_code == 404
    assert world.record(named[0]["gid"])["created_from_template"] is None
    assert all(gid not in gids(rec["project_templates"]) for rec in portfolios(world))


def test_task_templates_need_a_project_and_have_pages_when_a_limit_is_given(front: Any) -> None:
    world = front.world
    assert front.get("/task_templates").status_code == 400
    project = world.inside["project", world.workspaces[0]][0]
    assert "next_page" not in front.get("/task_templates", project=project).json()
    first = front.get("/task_templates", project=project, limit=1).json()
    assert first["next_page"]
    found = front.all("/task_templates", project=project, limit=1)
    assert len(found) == 2
    path = f"/task_templates/{found[0]['gid']}"
    recipe = front.data(path)["template"]
    assert recipe["memberships"][0]["gid"] == project
    assert front.data(path, opt_fields="template")["template"] == recipe
    front.done("DELETE", path)
    assert front.get(path).status_code == 404
    front.done("DELETE", f"/projects/{project}")
    assert front.get(f"/task_templates/{found[1]['gid']}").status_code == 404

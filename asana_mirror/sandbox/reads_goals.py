"""Answers reads of goals, status updates, project briefs and reactions."""

from __future__ import annotations

from collections.abc import Callable

from .asks import Ask, bad, refuse_free, unknown
from .pages import of_gids, page, refuse_paging
from .reads import Answer, Reader, shown, since
from .render import Rec, renderer
from .shape_status import as_project_status, reactions_of
from .sharing import paged, without_opt_fields
from .standing import below

PLACES = ("workspace", "team", "portfolio", "project", "task")
SUPPORTERS = ("portfolio", "project", "task")


def whole(ask: Ask, node: str, recs: list[Rec]) -> Answer:
    """A list for which Asana's description names no pages: it comes in one."""
    refuse_paging(ask)
    render = renderer(node, "compact", ask.query.get("opt_fields"))
    ask.view.links += len(recs)
    return {"data": [render(ask.view, rec) for rec in recs]}


# -- goals --------------------------------------------------------------------------------------------


def goals(ask: Ask) -> Answer:
    """Goals of one or more places; 400 without any."""
    if not any(name in ask.query for name in PLACES):
        raise bad("You must specify at least one of workspace, team, portfolio, project, or task")
    if "is_workspace_level" in ask.query and "workspace" not in ask.query:
        raise bad("is_workspace_level: Must be used with the workspace parameter")
    refuse_free(ask.world)
    gids = [gid for ws in ask.world.workspaces for gid in ask.world.inside.get(("goal", ws), ())]
    keeps = [make(ask) for make in (_of_places, _of_level, _of_periods)]
    return page(ask, of_gids(ask, "goal", gids, lambda rec: all(keep(rec) for keep in keeps)))


def _of_places(ask: Ask) -> Callable[[Rec], bool]:
    wanted = {name: ask.rec(name, ask.query[name])["gid"] for name in PLACES if name in ask.query}
    supported = {
        name: {ask.world.records[rel]["supported_goal"] for rel in _supporting(ask, wanted[name])}
        for name in SUPPORTERS
        if name in wanted
    }

    def keep(goal: Rec) -> bool:
        if any(goal["gid"] not in found for found in supported.values()):
            return False
        return all(goal.get(name) == wanted[name] for name in ("workspace", "team") if name in wanted)

    return keep


def _supporting(ask: Ask, gid: str) -> list[str]:
    """The living relationships by which a record supports goals."""
    return below(ask.world, "goal_relationship of", gid)


def _of_level(ask: Ask) -> Callable[[Rec], bool]:
    level = ask.query.get("is_workspace_level")
    if level not in (None, "true", "false"):
        raise bad("is_workspace_level: Value is not a boolean")
    return lambda goal: level is None or (goal.get("team") is None) == (level == "true")


def _of_periods(ask: Ask) -> Callable[[Rec], bool]:
    if "time_periods" not in ask.query:
        return lambda goal: True
    wanted = ask.query["time_periods"].split(",")
    return lambda goal: goal.get("time_period") in wanted


def parent_goals(ask: Ask) -> Answer:
    relationships = _supporting(ask, ask.rec("goal")["gid"])
    return whole(
        ask, "goal", ask.view.refs(ask.world.records[rel]["supported_goal"] for rel in relationships)
    )


def goal_relationships(ask: Ask) -> Answer:
    goal = ask.rec("goal", ask.required("supported_goal"))
    wanted = ask.query.get("resource_subtype")
    if wanted not in (None, "subgoal", "supporting_work"):
        raise bad(f"resource_subtype: Not a valid subtype: {wanted}")
    gids = below(ask.world, "goal_relationship", goal["gid"])
    return page(
        ask,
        of_gids(
            ask, "goal_relationship", gids, lambda rec: wanted is None or rec["resource_subtype"] == wanted
        ),
    )


# -- status updates -----------------------------------------------------------------------------------


def status_updates(ask: Ask) -> Answer:
    """Those of a project, portfolio or goal, the newest first."""
    parent = ask.world.find(ask.required("parent"))
    if parent is None or not ask.sees(parent):
        raise unknown("parent", ask.query["parent"])
    if parent["resource_type"] not in ("project", "portfolio", "goal"):
        raise bad("parent: Must be a project, portfolio or goal")
    after = since(ask, "created_since")
    gids = below(ask.world, "status_update", parent["gid"])[::-1]
    return page(
        ask, of_gids(ask, "status_update", gids, lambda rec: after is None or rec["created_at"] >= after)
    )


def project_statuses(ask: Ask) -> Answer:
    gids = below(ask.world, "status_update", ask.rec("project")["gid"])[::-1]
    return paged(ask, "project_status", [as_project_status(rec) for rec in ask.view.refs(gids)])


def status_of_project(ask: Ask) -> Rec:
    """The status update behind a deprecated project status; 404 when it is no project's."""
    rec = ask.world.find(ask.gids[0])
    if rec is None or rec["resource_type"] != "status_update" or not ask.sees(rec):
        raise unknown("project_status", ask.gids[0])
    if ask.world.records[rec["parent"]]["resource_type"] != "project":
        raise unknown("project_status", ask.gids[0])
    return rec


def project_status(ask: Ask) -> Answer:
    return shown(ask, "project_status", as_project_status(status_of_project(ask)))


# -- reactions and settings ---------------------------------------------------------------------------


def reactions(ask: Ask) -> Answer:
    """Those to a story or status update that share an emoji without its variants."""
    ask = without_opt_fields(ask)
    target, base = ask.world.find(ask.required("target")), ask.required("emoji_base")
    if target is None or not ask.sees(target):
        raise unknown("target", ask.query["target"])
    if target["resource_type"] not in ("story", "status_update"):
        raise bad("target: Must be a story or status update")
    if not base:
        raise bad("emoji_base: Missing input")
    return paged(ask, "reaction", reactions_of(target, base))


def settings(kind: str) -> Reader:
    """The custom field settings of the portfolio or goal in the path."""
    return lambda ask: page(ask, of_gids(ask, "custom_field_setting", ask.rec(kind)["settings"], mode="full"))

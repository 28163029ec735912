"""Answers reads of portfolios and what is in them, and of the templates of projects and tasks."""

from __future__ import annotations

from collections.abc import Callable

from .asks import Ask, Refused, bad, refuse_free
from .pages import of_gids, page
from .reads import Answer, by_number, workspaces
from .render import Rec
from .standing import below


def listed_below(node: str, kind: str) -> Callable[[Ask], Answer]:
    """What stands on the record in the path, in the order of its making."""
    return lambda ask: page(ask, of_gids(ask, node, below(ask.world, node, ask.rec(kind)["gid"])))


# -- portfolios ---------------------------------------------------------------------------------------


def portfolios(ask: Ask) -> Answer:
    """People see their own in a list, and no other; a service account all, or one owner's."""
    workspace = ask.rec("workspace", ask.required("workspace"))["gid"]
    refuse_free(ask.world)
    owner = _owner(ask)
    gids = ask.world.inside.get(("portfolio", workspace), ())
    wanted = [gid for gid in gids if owner in (None, ask.world.records[gid]["owner"])]
    return page(ask, of_gids(ask, "portfolio", wanted))


def _owner(ask: Ask) -> str | None:
    service = getattr(ask.identity, "service", False)
    if service and "owner" not in ask.query:
        return None
    owner = str(ask.user(ask.required("owner"))["gid"])
    if not service and owner != ask.identity.user:
        raise Refused(403, "owner: You may only list portfolios that you own")
    return owner


def items(ask: Ask) -> Answer:
    """Projects and portfolios in the portfolio's order."""
    return page(ask, of_gids(ask, "portfolio_item", ask.rec("portfolio")["items"]))


# -- templates ----------------------------------------------------------------------------------------


def project_templates(ask: Ask) -> Answer:
    """Of a team or a workspace; of everywhere when neither is named."""
    if "team" in ask.query:
        return _of_team(ask, ask.rec("team", ask.query["team"]))
    named = [ask.rec("workspace", ask.query["workspace"])["gid"]] if "workspace" in ask.query else None
    gids = [
        gid for ws in named or workspaces(ask) for gid in ask.world.inside.get(("project_template", ws), ())
    ]
    return page(ask, of_gids(ask, "project_template", by_number(gids)))


def _of_team(ask: Ask, team: Rec) -> Answer:
    gids = ask.world.inside.get(("project_template", team["workspace"]), ())
    wanted = [gid for gid in gids if ask.world.records[gid]["team"] == team["gid"]]
    return page(ask, of_gids(ask, "project_template", wanted))


def team_project_templates(ask: Ask) -> Answer:
    return _of_team(ask, ask.rec("team"))


def task_templates(ask: Ask) -> Answer:
    if "project" not in ask.query:
        raise bad("project: Missing input. You must specify a project")
    project = ask.rec("project", ask.query["project"])
    return page(ask, of_gids(ask, "task_template", below(ask.world, "task_template", project["gid"])))

"""Answers every GET: which records a path names, and which of them a filter keeps."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from .asks import Ask, Refused, bad, unknown
from .draw import iso, millis
from .events import EVENTS_PER_CALL
from .pages import Listing, of_gids, page
from .render import Rec, renderer

Answer = dict[str, Any]
Reader = Callable[[Ask], Answer]
Maker = Callable[[Ask], Coroutine[Any, Any, Answer]]  # has to ask somebody else first
ATTACHED_TO = ("task", "project", "project_brief")
UNPAGED_MOST = 2000  # where Asana has no `limit` for a list of people


@dataclass(frozen=True)
class Route:
    """One path and method; `scope` is what an OAuth token needs, None where Asana names none."""

    answer: Reader | Maker
    scope: str | None
    template: str


def shown(ask: Ask, node: str, rec: Rec) -> Answer:
    """A single record in its envelope, in full unless fields are named."""
    ask.view.links += 1
    return {"data": renderer(node, "full", ask.query.get("opt_fields"))(ask.view, rec)}


def single(kind: str) -> Reader:
    return lambda ask: shown(ask, kind, ask.rec(kind))


def listed(node: str, gids: Callable[[Ask], list[str]], mode: str = "compact") -> Reader:
    return lambda ask: page(ask, of_gids(ask, node, gids(ask), mode=mode))


def by_number(gids: Any) -> list[str]:
    return sorted(gids, key=int)


# -- workspaces and people ----------------------------------------------------------------------------


def workspaces(ask: Ask) -> list[str]:
    return ask.world.workspaces_of(ask.identity.user)


def inside(kind: str) -> Callable[[Ask], list[str]]:
    """What a workspace holds of a kind, the workspace being in the path."""
    return lambda ask: ask.world.inside[kind, ask.rec("workspace")["gid"]]


def agents(ask: Ask) -> Answer:
    if not ask.view.agents:
        raise Refused(404, "No matching route for request")
    return page(ask, of_gids(ask, "agent", inside("agent")(ask)))


def users(ask: Ask) -> Answer:
    world = ask.world
    if "team" in ask.query:
        found = list(world.team_members[ask.rec("team", ask.query["team"])["gid"]])
    elif "workspace" in ask.query:
        found = list(world.members[ask.rec("workspace", ask.query["workspace"])["gid"]])
    else:
        found = list({user: None for ws in workspaces(ask) for user in world.members[ws]})
    return page(ask, of_gids(ask, "user", by_number(found)))


def _by_name(ask: Ask, gids: Any) -> Answer:
    """A list of people that has no pages: by name, and cut."""
    recs = sorted(ask.view.refs(gids), key=lambda rec: str(rec["name"]))[:UNPAGED_MOST]
    render = renderer("user", "compact", ask.query.get("opt_fields"))
    ask.view.links += len(recs)
    return {"data": [render(ask.view, rec) for rec in recs]}


def workspace_users(ask: Ask) -> Answer:
    return _by_name(ask, ask.world.members[ask.rec("workspace")["gid"]])


def team_users(ask: Ask) -> Answer:
    return _by_name(ask, ask.world.team_members[ask.rec("team")["gid"]])


def workspace_user(ask: Ask) -> Answer:
    user = ask.user(ask.gids[1])
    if user["gid"] not in ask.world.members[ask.rec("workspace")["gid"]]:
        raise unknown("user", ask.gids[1])
    return shown(ask, "user", user)


def memberships_of_workspace(ask: Ask) -> list[str]:
    found = ask.world.members[ask.rec("workspace")["gid"]]
    if "user" in ask.query:
        user = ask.user(ask.query["user"])["gid"]
        return [found[user]] if user in found else []
    return list(found.values())


def memberships_of_user(ask: Ask) -> list[str]:
    user = ask.rec("user")["gid"]
    return [ask.world.members[ws][user] for ws in ask.world.workspaces_of(user)]


def memberships_of_team(ask: Ask) -> list[str]:
    return list(ask.world.team_members[ask.rec("team")["gid"]].values())


def _team_memberships(ask: Ask, user: str, workspace: str) -> list[str]:
    world = ask.world
    teams = world.inside["team", ask.rec("workspace", workspace)["gid"]]
    return [world.team_members[team][user] for team in teams if user in world.team_members[team]]


def user_team_memberships(ask: Ask) -> list[str]:
    return _team_memberships(ask, ask.rec("user")["gid"], ask.required("workspace"))


def team_memberships(ask: Ask) -> list[str]:
    if "team" in ask.query:
        return list(ask.world.team_members[ask.rec("team", ask.query["team"])["gid"]].values())
    if "user" in ask.query and "workspace" in ask.query:
        return _team_memberships(ask, ask.user(ask.query["user"])["gid"], ask.query["workspace"])
    raise bad("You should specify one of team, or user and workspace")


def user_teams(ask: Ask) -> list[str]:
    user = ask.rec("user")["gid"]
    teams = inside_named(ask, "team", ask.required("organization"))
    return [team for team in teams if user in ask.world.team_members[team]]


def inside_named(ask: Ask, kind: str, workspace: str) -> list[str]:
    return ask.world.inside[kind, ask.rec("workspace", workspace)["gid"]]


def user_task_list(ask: Ask) -> Answer:
    workspace = ask.rec("workspace", ask.required("workspace"))["gid"]
    return shown(ask, "user_task_list", ask.world.user_task_list(ask.rec("user")["gid"], workspace))


def task_list(ask: Ask) -> Rec:
    for workspace in ask.world.workspaces:
        for user in ask.world.members[workspace]:
            found = ask.world.user_task_list(user, workspace)
            if found["gid"] == ask.gids[0]:
                return found
    raise unknown("user_task_list", ask.gids[0])


# -- projects, sections, tags, custom fields ----------------------------------------------------------


def listed_projects(ask: Ask, gids: list[str]) -> Answer:
    wanted = ask.query.get("archived")
    if wanted not in (None, "true", "false"):
        raise bad("archived: Value is not a boolean")
    keep = None if wanted is None else lambda rec: rec.get("archived", False) == (wanted == "true")
    return page(ask, of_gids(ask, "project", gids, keep))


def projects(ask: Ask) -> Answer:
    if "team" in ask.query:
        return listed_projects(ask, of_team(ask, ask.rec("team", ask.query["team"])))
    if "workspace" in ask.query:
        return listed_projects(ask, inside_named(ask, "project", ask.query["workspace"]))
    return listed_projects(ask, [gid for ws in workspaces(ask) for gid in ask.world.inside["project", ws]])


def of_team(ask: Ask, team: Rec) -> list[str]:
    gids = ask.world.inside["project", team["workspace"]]
    return [gid for gid in gids if ask.world.records[gid]["team"] == team["gid"]]


def tags(ask: Ask) -> list[str]:
    if "workspace" in ask.query:
        return inside_named(ask, "tag", ask.query["workspace"])
    return [gid for ws in workspaces(ask) for gid in ask.world.inside["tag", ws]]


def own(kind: str, key: str) -> Callable[[Ask], list[str]]:
    """A list of gids that the record in the path holds."""
    return lambda ask: list(ask.rec(kind).get(key, ()))


def task_projects(ask: Ask) -> list[str]:
    return [project for project, _ in ask.rec("task").get("memberships", ())]


# -- tasks --------------------------------------------------------------------------------------------


def since(ask: Ask, name: str) -> str | None:
    text = ask.query.get(name)
    if text is None:
        return None
    if text == "now":
        return ask.world.now()
    try:
        return iso(millis(text))
    except ValueError:
        raise bad(f"{name}: Not a valid date or time: {text}") from None


def tasks_among(ask: Ask, gids: list[str], keep: Callable[[Rec], bool] | None = None) -> Answer:
    """A list of tasks with the two filters that such lists have."""
    done, changed = since(ask, "completed_since"), since(ask, "modified_since")
    if done is None and changed is None:
        return page(ask, of_gids(ask, "task", gids, keep))

    def kept(rec: Rec) -> bool:
        if done is not None and rec.get("completed") and rec["completed_at"] < done:
            return False
        return (changed is None or rec["modified_at"] >= changed) and (keep is None or keep(rec))

    return page(ask, of_gids(ask, "task", gids, kept))


def _in_project(ask: Ask, project: Rec) -> list[str]:
    return [gid for section in ask.view.refs(project.get("sections", ())) for gid in section["tasks"]]


def section_named(ask: Ask, gid: str) -> Rec:
    """A section; nobody sees into another one's My Tasks, however much they see besides."""
    rec = ask.rec("section", gid)
    if rec["project"] is None and rec["owner"] != ask.identity.user:
        raise unknown("section", gid)
    return rec


def in_section(ask: Ask, section: Rec) -> list[str]:
    """The tasks of a section; those in My Tasks say themselves in which section they are."""
    if section["project"] is not None:
        return list(section["tasks"])
    world = ask.world
    assigned = world.assigned[section["owner"], section["workspace"]]
    return [gid for gid in assigned if world.records[gid].get("assignee_section") == section["gid"]]


def tasks(ask: Ask) -> Answer:
    """GET /tasks, which insists on one place to look in."""
    query, world = ask.query, ask.world
    if ("assignee" in query) != ("workspace" in query):
        missing = "workspace" if "assignee" in query else "assignee"
        raise bad(f"{missing}: Missing input. Must specify both assignee and workspace, or neither.")
    places = [name for name in ("project", "section", "tag", "assignee") if name in query]
    if len(places) != 1:
        raise bad("Must specify exactly one of project, tag, section, or assignee + workspace")
    if places == ["project"]:
        return tasks_among(ask, _in_project(ask, ask.rec("project", query["project"])))
    if places == ["section"]:
        return tasks_among(ask, in_section(ask, section_named(ask, query["section"])))
    if places == ["tag"]:
        return tasks_among(ask, list(world.tagged[ask.rec("tag", query["tag"])["gid"]]))
    workspace = ask.rec("workspace", query["workspace"])["gid"]
    return tasks_among(ask, list(world.assigned[_assignee(ask), workspace]))


def _assignee(ask: Ask) -> str:
    wanted = ask.query["assignee"]
    rec = ask.world.records.get(wanted)
    if rec is not None and rec["resource_type"] == "agent":
        return str(ask.rec("agent", wanted)["gid"])
    return str(ask.user(wanted)["gid"])


def project_tasks(ask: Ask) -> Answer:
    return tasks_among(ask, _in_project(ask, ask.rec("project")))


def tag_tasks(ask: Ask) -> Answer:
    return tasks_among(ask, list(ask.world.tagged[ask.rec("tag")["gid"]]))


def task_list_tasks(ask: Ask) -> Answer:
    found = task_list(ask)
    return tasks_among(ask, list(ask.world.assigned[found["owner"], found["workspace"]]))


# -- stories, attachments, events ---------------------------------------------------------------------


def stories(kind: str) -> Reader:
    """The stories of the task or goal in the path."""

    def answer(ask: Ask) -> Answer:
        world, owner = ask.world, ask.rec(kind)
        return page(
            ask,
            Listing(
                "story",
                world.story_count(owner),
                lambda start, end: world.stories(owner, start, end),
                lambda start, end: [rec["gid"] for rec in world.stories(owner, start, end)],
            ),
        )

    return answer


def attachments(ask: Ask) -> Answer:
    parent = ask.world.find(ask.required("parent"))
    if parent is None or parent["resource_type"] not in ATTACHED_TO or not ask.sees(parent):
        raise unknown("parent", ask.query["parent"])
    found = ask.world.attachments(parent)
    gids = [rec["gid"] for rec in found]
    return page(
        ask,
        Listing("attachment", len(found), lambda a, b: found[a:b], lambda a, b: gids[a:b]),
    )


def events(ask: Ask) -> Answer:
    gid = ask.required("resource")
    rec = ask.world.find(gid)
    if rec is None or not ask.sees(rec):
        raise unknown("resource", gid)
    if rec["resource_type"] not in ("task", "project", "goal"):
        raise bad("resource: Events are only supported for tasks, projects and goals")
    return stream(ask, gid, EVENTS_PER_CALL)


def stream(ask: Ask, gid: str, most: int) -> Answer:
    """Up to so many events of a resource since the sync token; 412 with a new one when it is no good."""
    log = ask.world.events
    place = log.place(gid, ask.query.get("sync", ""), ask.limits.sync_token_lifetime_s)
    if place is None:
        message = (
            "Sync token invalid or too old. If you are attempting to keep resources in sync, you must fetch "
            "everything for this query now and use the new sync token for the next sync."
        )
        raise Refused(412, message, sync=log.token(gid))
    told = log.streams[gid]
    found = told[place : place + most]
    render = renderer("event", "compact", ask.query.get("opt_fields"))
    end = place + len(found)
    return {
        "data": [render(ask.view, event) for event in found],
        "sync": log.token(gid, end),
        "has_more": end < len(told),
    }

"""Answers the reads of plans: roles, periods, capacity, money, absences, access, custom types, favorites."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date

from .asks import Ask, Refused, bad, unknown
from .pages import of_gids, page, refuse_paging
from .plan_records import standing
from .reads import Answer, Reader, single, workspaces
from .render import Rec, renderer

Scope = str | None
FAVORITES = ("portfolio", "project", "tag", "task", "user", "project_template")


# -- what queries say ---------------------------------------------------------------------------------


def day_in(ask: Ask, name: str) -> str | None:
    """A date in the query; 400 when it is none."""
    text = ask.query.get(name)
    if text is None:
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise bad(f"{name}: Not a valid date: {text}") from None


def flag_in(ask: Ask, name: str) -> bool | None:
    text = ask.query.get(name)
    if text not in (None, "true", "false"):
        raise bad(f"{name}: Value is not a boolean")
    return None if text is None else text == "true"


def workspace_in(ask: Ask) -> str:
    return str(ask.rec("workspace", ask.required("workspace"))["gid"])


def member_in(ask: Ask, name: str, workspace: str) -> str:
    """The gid of a user in the query who is in this workspace; 404 when there is none."""
    gid = str(ask.user(ask.required(name))["gid"])
    if gid not in ask.world.members[workspace]:
        raise unknown(name, ask.query[name])
    return gid


def overlaps(rec: Rec, start: str | None, end: str | None) -> bool:
    """Whether a record's days and these, both inclusive, have one in common."""
    return (start is None or rec["end_date"] >= start) and (end is None or rec["start_date"] <= end)


# -- what answers look like ---------------------------------------------------------------------------


def paged(ask: Ask, node: str, recs: Iterable[Rec], mode: str = "compact") -> Answer:
    return page(ask, of_gids(ask, node, [rec["gid"] for rec in recs], mode=mode))


def whole(ask: Ask, node: str, recs: Iterable[Rec], fields: bool = True) -> Answer:
    """A list that has no pages; `fields`: whether one may choose them."""
    refuse_paging(ask)
    shown = [rec for rec in recs if ask.sees(rec)]
    ask.view.links += len(shown)
    render = renderer(node, "full", ask.query.get("opt_fields") if fields else None)
    return {"data": [render(ask.view, rec) for rec in shown]}


def of_workspace(kind: str, keep: Callable[[Ask], Callable[[Rec], bool]] | None = None) -> Reader:
    """What a workspace, which must be named, has of a kind."""

    def answer(ask: Ask) -> Answer:
        recs = standing(ask.world, kind, workspace_in(ask))
        return paged(ask, kind, recs if keep is None else filter(keep(ask), recs))

    return answer


# -- the lists ----------------------------------------------------------------------------------------


def roles(ask: Ask) -> Answer:
    """Of one workspace or of all; no role is ever archived."""
    archived = flag_in(ask, "archived")
    places = [workspace_in(ask)] if "workspace" in ask.query else workspaces(ask)
    recs = [rec for place in places for rec in standing(ask.world, "role", place)]
    return paged(ask, "role", [] if archived else recs)


def _within(ask: Ask) -> Callable[[Rec], bool]:
    start, end = day_in(ask, "start_on"), day_in(ask, "end_on")
    return lambda rec: (start is None or rec["start_on"] >= start) and (end is None or rec["end_on"] <= end)


def allocations(ask: Ask) -> Answer:
    """By project, or by a person or placeholder in a workspace."""
    query, world = ask.query, ask.world
    if "parent" not in query and not ("assignee" in query and "workspace" in query):
        raise bad("Must specify parent, or assignee and workspace")
    if "parent" in query:
        found = standing(world, "allocation", ask.rec("project", query["parent"])["gid"])
    else:
        found = standing(world, "allocation", _holder(ask, query["assignee"]))
    recs = list(found)
    if "assignee" in query:
        holder = _holder(ask, query["assignee"])
        recs = [rec for rec in recs if rec["assignee"] == holder]
    if "workspace" in query:
        recs = [rec for rec in recs if rec["workspace"] == workspace_in(ask)]
    return paged(ask, "allocation", recs, "full")


def _holder(ask: Ask, named: str) -> str:
    """A person or a placeholder; 404 when there is none."""
    rec = ask.world.find(named)
    kind = "placeholder" if rec is not None and rec["resource_type"] == "placeholder" else "user"
    return str(ask.rec(kind, named)["gid"])


def budgets(ask: Ask) -> Answer:
    project = ask.rec("project", ask.required("parent"))
    return whole(ask, "budget", standing(ask.world, "budget", project["gid"]), fields=False)


def rates(ask: Ask) -> Answer:
    project = ask.rec("project", ask.required("parent"))
    recs = list(standing(ask.world, "rate", project["gid"]))
    if "resource" in ask.query:
        holder = _holder(ask, ask.query["resource"])
        recs = [rec for rec in recs if rec["resource"] == holder]
    return paged(ask, "rate", recs)


def ooo_entries(ask: Ask) -> Answer:
    ask.required("user")
    workspace = workspace_in(ask)
    user = member_in(ask, "user", workspace)
    start, end = day_in(ask, "start_date"), day_in(ask, "end_date")
    recs = standing(ask.world, "ooo_entry", user)
    kept = [rec for rec in recs if rec["workspace"] == workspace and overlaps(rec, start, end)]
    return paged(ask, "ooo_entry", kept, "full")


def access_requests(ask: Ask) -> Answer:
    """Those for a target that nobody has decided on yet."""
    target = ask.world.find(ask.required("target"))
    if target is None or target["resource_type"] not in ("project", "portfolio") or not ask.sees(target):
        raise unknown("target", ask.query["target"])
    recs = list(standing(ask.world, "access_request", target["gid"]))
    if "user" in ask.query:
        user = ask.user(ask.query["user"])["gid"]
        recs = [rec for rec in recs if rec["requester"] == user]
    return whole(ask, "access_request", [rec for rec in recs if rec["approval_status"] == "pending"])


def custom_types(ask: Ask) -> Answer:
    project = ask.rec("project", ask.required("project"))
    return page(ask, of_gids(ask, "custom_type", project.get("custom_types", [])))


def favorites(ask: Ask) -> Answer:
    """One's own of one type, in the order of one's sidebar."""
    if ask.rec("user")["gid"] != ask.identity.user:
        raise Refused(403, "Favorites can only be read for the current user")
    kind, workspace = ask.required("resource_type"), workspace_in(ask)
    if kind not in FAVORITES:
        raise bad(f"resource_type: Not a valid type of favorites: {kind}")
    members, world = ask.world.members[workspace], ask.world
    found = [
        gid
        for gid in world.favorites.get((ask.identity.user, workspace), ())
        if world.records[gid]["resource_type"] == kind and (kind != "user" or gid in members)
    ]
    return page(ask, of_gids(ask, "named", found))


PLAN_READS: tuple[tuple[str, Reader, Scope], ...] = (
    ("/roles", roles, "roles:read"),
    ("/roles/{}", single("role"), "roles:read"),
    ("/time_periods", of_workspace("time_period", _within), None),
    ("/time_periods/{}", single("time_period"), None),
    ("/allocations", allocations, None),
    ("/allocations/{}", single("allocation"), None),
    ("/budgets", budgets, None),
    ("/budgets/{}", single("budget"), None),
    ("/rates", rates, None),
    ("/rates/{}", single("rate"), None),
    ("/ooo_entries", ooo_entries, "ooo_entries:read"),
    ("/ooo_entries/{}", single("ooo_entry"), "ooo_entries:read"),
    ("/access_requests", access_requests, None),
    ("/custom_types", custom_types, None),
    ("/custom_types/{}", single("custom_type"), None),
    ("/users/{}/favorites", favorites, "users:read"),
)

"""Memberships: who shares a project, portfolio, goal, custom field or custom type.

They follow from what the record itself holds (its members, followers, team) and are stored nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .asks import Ask, bad, unknown
from .draw import mix
from .pages import Listing, page
from .reads import Answer, shown
from .render import NODES, Field, Node, Rec, View, head, made, one, value

if TYPE_CHECKING:
    from .world import World

FIRST_GID = 5_000_000_000_000_000
HELD_IN = {  # kind of what is shared: its field with the people
    "project": "members",
    "portfolio": "members",
    "goal": "followers",
    "custom_field": "members",
    "custom_type": "members",
}
USUAL_LEVEL = {"portfolio": "viewer", "goal": "commenter", "custom_field": "user", "custom_type": "user"}
LEVELS = {
    "project": ("admin", "editor", "commenter", "viewer"),
    "portfolio": ("admin", "editor", "viewer"),
    "goal": ("admin", "editor", "commenter", "viewer"),
    "custom_field": ("admin", "editor", "user"),
    "custom_type": ("admin", "editor", "user", "viewer"),
}
OLDER_KINDS = ("project", "portfolio", "goal")  # whose memberships call themselves just that


def members_of(parent: Rec) -> list[str]:
    """People first, then teams; a project's own team too, unless the project is private."""
    kind = parent["resource_type"]
    found = [*parent.get(HELD_IN[kind], ()), *parent.get("member_teams", ())]
    if kind == "project" and parent.get("team") and parent.get("privacy_setting") != "private":
        found.append(parent["team"])
    return list(dict.fromkeys(found))


def memberships_of(world: World, parent: Rec) -> Iterator[Rec]:
    kind = parent["resource_type"]
    for member in members_of(parent):
        if world.alive(member):
            yield {
                "gid": str(FIRST_GID + mix(int(parent["gid"]) ^ mix(int(member))) % 10**15),
                "resource_type": "membership" if kind in OLDER_KINDS else f"{kind}_membership",
                "resource_subtype": f"{kind}_membership",
                "node": f"{kind}_membership",
                "parent": parent["gid"],
                "member": member,
                "access_level": _level(parent, member),
            }


def _level(parent: Rec, member: str) -> str:
    """What was granted; else the owner is admin, and everybody else what is usual for this kind."""
    usual = USUAL_LEVEL.get(parent["resource_type"], "editor")
    level = "admin" if member == parent.get("owner") else usual
    return str(parent.get("access", {}).get(member, level))


def every_membership(world: World, *kinds: str) -> Iterator[Rec]:
    """Memberships of all kinds, or of those named (`project`, …)."""
    for workspace in world.workspaces:
        for kind in kinds or HELD_IN:
            for parent in world.living(world.inside.get((kind, workspace), ())):
                yield from memberships_of(world, parent)


def find_membership(ask: Ask, gid: str, *kinds: str) -> Rec:
    """404 when there is none, or when what it shares does not show."""
    for rec in every_membership(ask.world, *kinds):
        if rec["gid"] == gid and ask.view.ref(rec["parent"]) is not None:
            return rec
    raise unknown("membership", gid)


# -- the answers --------------------------------------------------------------------------------------


def paged(ask: Ask, node: str, found: list[Rec]) -> Answer:
    """A page of records that are made on the spot."""
    gids = [rec["gid"] for rec in found]
    return page(ask, Listing(node, len(found), lambda a, b: found[a:b], lambda a, b: gids[a:b]))


def without_opt_fields(ask: Ask) -> Ask:
    """The same request for answers whose fields cannot be chosen."""
    return replace(ask, query={key: text for key, text in ask.query.items() if key != "opt_fields"})


def memberships(ask: Ask) -> Answer:
    """By parent, or by member and kind of membership."""
    ask = without_opt_fields(ask)
    subtype = ask.query.get("resource_subtype")
    member = ask.query.get("member")
    if "parent" in ask.query:
        parent = ask.world.find(ask.query["parent"])
        if parent is None or not ask.sees(parent):
            raise unknown("parent", ask.query["parent"])
        kind = parent["resource_type"]
        if kind not in HELD_IN:
            raise bad(f"parent: A {kind} has no memberships")
        found = list(memberships_of(ask.world, parent))
    elif member is not None and subtype is not None:
        kind = subtype.removesuffix("_membership")
        if kind not in HELD_IN:
            raise bad(f"resource_subtype: Not a valid subtype: {subtype}")
        found = [rec for rec in every_membership(ask.world, kind) if ask.view.ref(rec["parent"]) is not None]
    else:
        raise bad("parent: Missing input")
    if member is not None:
        wanted = _member(ask, member)
        found = [rec for rec in found if rec["member"] == wanted]
    return paged(ask, f"{kind}_membership", found)


def _member(ask: Ask, gid: str) -> str:
    """A team, an agent or a user as a filter names them; 404 when there is none."""
    rec = ask.world.records.get(gid)
    kind = rec["resource_type"] if rec is not None else "user"
    return str(ask.rec(kind if kind in ("team", "agent") else "user", gid)["gid"])


def membership(ask: Ask) -> Answer:
    rec = find_membership(ask, ask.gids[0])
    return shown(without_opt_fields(ask), rec["node"], rec)


def older(kind: str, in_path: bool = True) -> Callable[[Ask], Answer]:
    """The deprecated listing of a project's or portfolio's memberships, of one user if one is named."""

    def answer(ask: Ask) -> Answer:
        found = list(memberships_of(ask.world, ask.rec(kind, None if in_path else ask.required(kind))))
        if "user" in ask.query:
            found = [rec for rec in found if rec["member"] == ask.user_gid(ask.query["user"])]
        return paged(ask, f"older_{kind}_membership", _as_older(ask, kind, found))

    return answer


def _as_older(ask: Ask, kind: str, found: list[Rec]) -> list[Rec]:
    """As the deprecated resources name them; those of portfolios know no teams."""
    users_only = kind == "portfolio"
    records = ask.world.records
    return [
        {**rec, "resource_type": f"{kind}_membership"}
        for rec in found
        if not users_only or records[rec["member"]]["resource_type"] != "team"
    ]


def older_single(kind: str) -> Callable[[Ask], Answer]:
    def answer(ask: Ask) -> Answer:
        found = _as_older(ask, kind, [find_membership(ask, ask.gids[0], kind)])
        if not found:
            raise unknown(f"{kind}_membership", ask.gids[0])
        return shown(ask, f"older_{kind}_membership", found[0])

    return answer


def portfolio_memberships(ask: Ask) -> Answer:
    """Deprecated: by portfolio, by portfolio and user, or by workspace and user."""
    if "portfolio" in ask.query:
        return older("portfolio", in_path=False)(ask)
    if not {"workspace", "user"} <= ask.query.keys():
        raise bad("You must specify portfolio, portfolio and user, or workspace and user")
    workspace, user = ask.rec("workspace", ask.query["workspace"]), ask.user(ask.query["user"])
    found = [
        rec
        for portfolio in ask.view.refs(ask.world.inside.get(("portfolio", workspace["gid"]), ()))
        for rec in memberships_of(ask.world, portfolio)
        if rec["member"] == user["gid"]
    ]
    return paged(ask, "older_portfolio_membership", _as_older(ask, "portfolio", found))


# -- the fields ---------------------------------------------------------------------------------------


def _shared(kind: str) -> dict[str, Field]:
    return {
        **head(),
        "resource_subtype": value("resource_subtype"),
        "parent": one(kind, "parent"),
        "member": one("user", "member"),
        "access_level": value("access_level"),
    }


def _user(view: View, rec: Rec) -> Rec | None:
    """The member where it is somebody and no team."""
    member = view.ref(rec["member"])
    return member if member and member["resource_type"] != "team" else None


def _of_goals() -> dict[str, Field]:
    null = made(lambda view, rec: None, opt_in=True)  # in lists only, and always null
    return {
        **_shared("goal"),
        "role": made(
            lambda view, rec: "editor" if rec["access_level"] in ("admin", "editor") else "commenter"
        ),
        "goal": one("goal", "parent"),
        "is_commenter": null,
        "is_editor": null,
        "user": Field(_user, "user"),
        "workspace": Field(lambda view, rec: view.ref(view.records[rec["parent"]]["workspace"]), "workspace"),
    }


def _write_access(view: View, rec: Rec) -> Any:
    return "full_write" if rec["access_level"] in ("admin", "editor") else "comment_only"


for _kind in HELD_IN:
    _fields = _of_goals() if _kind == "goal" else _shared(_kind)
    NODES[f"{_kind}_membership"] = Node(
        _fields, tuple(name for name in _fields if name not in ("user", "workspace"))
    )
NODES["older_project_membership"] = Node(
    {
        **{name: field for name, field in _shared("project").items() if name != "resource_subtype"},
        "user": Field(_user, "user"),
        "project": one("project", "parent"),
        "write_access": made(_write_access),
    },
    ("parent", "member", "access_level"),
)
NODES["older_portfolio_membership"] = Node(
    {
        **head(),
        "portfolio": one("portfolio", "parent"),
        "user": one("user", "member"),
        "access_level": value("access_level"),
    },
    ("portfolio", "user", "access_level"),
)

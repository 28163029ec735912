"""The fields of status updates, of their deprecated twins, of project briefs and of reactions."""

from __future__ import annotations

from typing import Any

from .draw import mix
from .render import NODES, Field, Node, Rec, View, head, made, one, value
from .shape_work import html, liked_parts, reaction_summary

COLORS = {"on_track": "green", "at_risk": "yellow", "off_track": "red", "on_hold": "blue"}
REACTION_GIDS = 6_000_000_000_000_000


def as_project_status(rec: Rec) -> Rec:
    """A status update of a project as the deprecated resource has it: the same gid by another name."""
    color = COLORS.get(rec["status_type"], "complete")
    return {**rec, "resource_type": "project_status", "color": color}


def current(view: View, owner: Rec) -> Rec | None:
    """The newest living status update of a project, portfolio or goal."""
    gids = view.world.inside.get(("status_update", owner["gid"]), ())
    return next((rec for gid in reversed(gids) if (rec := view.ref(gid)) is not None), None)


def current_status(view: View, project: Rec) -> Rec | None:
    rec = current(view, project)
    return rec and as_project_status(rec)


def brief(view: View, project: Rec) -> Rec | None:
    found = view.refs(view.world.inside.get(("project_brief", project["gid"]), ()))
    return found[0] if found else None


def formatted(view: View, rec: Rec) -> str:
    return str(rec.get("html_text") or html(rec.get("text", "")))


def _reaction_gid(target: str, user: str, emoji: str) -> str:
    told = mix(int(target) ^ mix(int(user)) ^ mix(int.from_bytes(emoji.encode(), "big")))
    return str(REACTION_GIDS + told % 10**15)


def reactions_of(target: Rec, base: str) -> list[Rec]:
    """The reactions to a story or status update with an emoji or a variant of it, one record for each."""
    return [
        {
            "gid": _reaction_gid(target["gid"], user, emoji),
            "resource_type": "reaction",
            "emoji": emoji,
            "user": user,
            "target": target["gid"],
            "emoji_base": base,
        }
        for (emoji_base, emoji), users in target.get("reactions", {}).items()
        for user in users
        if emoji_base == base
    ]


def _written() -> dict[str, Field]:
    """What both kinds of status tell of themselves."""
    return {
        **head(),
        "title": value("title"),
        "text": value("text", ""),
        "html_text": made(formatted, opt_in=True),
        "author": one("user", "author"),
        "created_at": value("created_at"),
        "created_by": one("user", "author"),
        "modified_at": value("modified_at"),
    }


NODES["status_update"] = Node(
    {
        **_written(),
        "resource_subtype": made(
            lambda view, rec: f"{view.records[rec['parent']]['resource_type']}_status_update"
        ),
        "status_type": value("status_type"),
        **liked_parts(),
        "reaction_summary": made(reaction_summary),
        "parent": one("named", "parent"),
    },
    ("title", "resource_subtype"),
)
NODES["project_status"] = Node({**_written(), "color": value("color")}, ("title",))
NODES["project_brief"] = Node(
    {
        **head(),
        "title": value("title"),
        "html_text": made(formatted),
        "text": value("text", "", opt_in=True),
        "permalink_url": made(
            lambda view, rec: f"https://app.asana.com/0/{rec['project']}/brief/{rec['gid']}"
        ),
        "project": one("project", "project"),
    },
    (),
)


def _reactor(view: View, rec: Rec) -> Any:
    return view.past(rec["user"])


NODES["reaction"] = Node(
    {"gid": value("gid"), "emoji": value("emoji"), "user": Field(_reactor, "user")}, ("gid", "emoji", "user")
)

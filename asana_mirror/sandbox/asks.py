"""One request as the routes see it, and the refusals they may answer with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .limits import Limits
from .render import Rec, View
from .who import Identity

if TYPE_CHECKING:
    from .courier import Courier
    from .world import World

HELP = "For more information on API status codes and how to handle them, read the docs on errors."
PHRASES = ("seven", "sad", "squid", "snuggle", "softly")


class Refused(Exception):
    """An answer other than 2xx, as Asana words it."""

    def __init__(self, status: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.more = more

    def body(self) -> dict[str, Any]:
        error = {"message": self.message, "help": HELP}
        if self.status == 500:
            error["phrase"] = " ".join(PHRASES)
        return {"errors": [error], **self.more}


def unknown(kind: str, gid: str) -> Refused:
    return Refused(404, f"{kind}: Not a recognized ID: {gid}")


def bad(message: str) -> Refused:
    return Refused(400, message)


def refuse_free(world: World) -> None:
    """402 for what a workspace has to pay for."""
    if world.plan == "free":
        raise Refused(402, "This feature requires a premium plan")


@dataclass
class Ask:
    """What was asked: gids are those in the path; body is the `data` of a write."""

    world: World
    identity: Identity
    view: View
    limits: Limits
    courier: Courier
    path: str
    gids: list[str]
    query: dict[str, str]
    body: Rec = field(default_factory=dict)
    offset_is_dead: bool = False
    origin: str = ""

    def rec(self, kind: str, gid: str | None = None) -> Rec:
        """The record of this kind in the path (or with this gid); 404 where these eyes see none."""
        gid = self.gids[0] if gid is None else gid
        if kind == "user":
            return self.user(gid)
        rec = self.world.find(gid)
        if rec is None or rec["resource_type"] != kind:
            raise unknown(kind, gid)
        if (kind == "agent" and not self.view.agents) or not self.sees(rec):
            raise unknown(kind, gid)
        return rec

    def sees(self, rec: Rec) -> bool:
        return self.view.sees is None or self.view.sees(rec)

    def user(self, gid: str) -> Rec:
        """A user by gid, email or `me`; people who left every shared workspace are unknown."""
        rec = self.world.records.get(self.user_gid(gid))
        if rec is None or rec["resource_type"] != "user" or not self.world.workspaces_of(rec["gid"]):
            raise unknown("user", gid)
        return rec

    def user_gid(self, named: str) -> str:
        """The gid behind `me`, an email or a gid, whether or not there is such a user."""
        if named == "me":
            return self.identity.user
        if "@" in named:
            return next((r["gid"] for r in self.world.records.values() if r.get("email") == named), named)
        return named

    def required(self, name: str) -> str:
        if name not in self.query:
            raise bad(f"{name}: Missing input")
        return self.query[name]

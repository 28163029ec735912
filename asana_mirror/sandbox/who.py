"""Who asks, and what they may see: tokens, scopes, private places, refusals on purpose."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from .render import Rec
from .standing import STANDS_ON

if TYPE_CHECKING:
    from .world import World


@dataclass(frozen=True)
class Identity:
    """One token: the user it speaks for, whether it sees everything, and its scopes (None: all of them).

    `service`: the token of a service account, which may read what no person's token may.
    """

    name: str
    token: str
    user: str
    all_seeing: bool = True
    scopes: frozenset[str] | None = None
    service: bool = False


class Refusals:
    """Statuses that a test or a demo wants for a gid or a path, whatever the world says."""

    def __init__(self) -> None:
        self.by_gid: dict[str, int] = {}
        self.by_path: dict[str, int] = {}

    def refuse(self, gid_or_path: str, status: int) -> None:
        """status: 402, 403, 404 or 451; a path may hold `*` and starts with a slash."""
        (self.by_path if gid_or_path.startswith("/") else self.by_gid)[gid_or_path] = status

    def allow(self, gid_or_path: str) -> None:
        self.by_gid.pop(gid_or_path, None)
        self.by_path.pop(gid_or_path, None)

    def status(self, path: str, gids: list[str]) -> int | None:
        """path: below the API's root, without its query; gids: those that the request names."""
        for gid in gids:
            if gid in self.by_gid:
                return self.by_gid[gid]
        for pattern, status in self.by_path.items():
            if fnmatchcase(path, pattern):
                return status
        return None

    def hides(self, gid: str) -> bool:
        return self.by_gid.get(gid) == 404


class Eyes:
    """Whether a record shows to one identity."""

    def __init__(self, world: World, identity: Identity) -> None:
        self.world = world
        self.identity = identity

    def __call__(self, rec: Rec) -> bool:
        if self.world.refusals.hides(rec["gid"]):
            return False
        if not self.identity.all_seeing and not self._at_home(rec):
            return False
        kind = rec["resource_type"]
        judge = getattr(self, f"_{kind}", None)
        if kind in STANDS_ON:
            return all(self._sees(rec[key]) for key in STANDS_ON[kind])
        if self.identity.all_seeing and kind not in ("section", "custom_field_setting"):
            return True
        return True if judge is None else bool(judge(rec))

    def _at_home(self, rec: Rec) -> bool:
        workspace = rec.get("workspace")
        return workspace is None or self.identity.user in self.world.members[workspace]

    def _sees(self, gid: str | None) -> bool:
        rec = self.world.find(gid) if gid else None
        return rec is not None and self(rec)

    def _workspace(self, rec: Rec) -> bool:
        return rec["gid"] in self.world.workspaces_of(self.identity.user)

    def _team(self, rec: Rec) -> bool:
        return rec.get("visibility") != "secret" or self.identity.user in self.world.team_members[rec["gid"]]

    def _project(self, rec: Rec) -> bool:
        return rec.get("privacy_setting") != "private" or self.identity.user in rec.get("members", ())

    def _section(self, rec: Rec) -> bool:
        if rec["project"] is None:  # it stands in somebody's My Tasks
            return bool(rec.get("owner") == self.identity.user)
        return self._sees(rec["project"])

    def _custom_field_setting(self, rec: Rec) -> bool:
        return self._sees(rec.get("project") or rec["parent"])

    def _team_membership(self, rec: Rec) -> bool:
        return self._sees(rec["team"])

    def _task(self, rec: Rec) -> bool:
        me = self.identity.user
        if me in (rec.get("assignee"), rec.get("created_by")) or me in rec.get("followers", ()):
            return True
        if any(self._sees(project) for project, _ in rec.get("memberships", ())):
            return True
        return self._sees(rec.get("parent"))

    def _portfolio(self, rec: Rec) -> bool:
        me = self.identity.user
        return rec.get("privacy_setting") != "members_only" or me in (rec["owner"], *rec["members"])

    def _goal(self, rec: Rec) -> bool:
        me = self.identity.user
        return rec.get("privacy_setting") != "members_only" or me in (rec.get("owner"), *rec["followers"])

    def _project_template(self, rec: Rec) -> bool:
        me, team = self.identity.user, rec.get("team")
        return me == rec.get("owner") or (rec.get("public", True) and (team is None or self._sees(team)))

"""Webhooks as the world keeps them: who watches what, which events pass, and what waits to be delivered."""

from __future__ import annotations

import hashlib
import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .render import Rec

if TYPE_CHECKING:
    from .world import World

LARGE = ("workspace", "team", "portfolio")  # filters are needed here, and no task or story tells of itself
WATCHABLE = (*LARGE, "project", "section", "tag", "task", "story", "attachment")


@dataclass(eq=False)
class Delivery:
    """One body on its way: the same bytes at every try, and not before its round."""

    body: bytes
    beat: bool = False
    not_before: int = 0
    tries: int = 0


@dataclass(eq=False)
class Hook:
    """One webhook: what the API shows of it (`rec`), and its queue. Times in seconds of the world's clock."""

    rec: Rec
    kind: str  # of the resource
    workspace: str
    token: str
    secret: str
    agents: bool  # whether it was made by a request that may meet agents
    outbox: list[Rec] = field(default_factory=list)  # events nobody has packed yet
    queue: deque[Delivery] = field(default_factory=deque)
    rounds: int = 0
    busy: bool = False
    next_beat_s: float = 0.0
    next_try_s: float = 0.0
    deleted_at_s: float = math.inf  # finite while deliveries fail

    @property
    def gid(self) -> str:
        return str(self.rec["gid"])

    def waits(self, now: float) -> bool:
        """Whether something is to be done for this webhook now."""
        if self.busy or now < min(self.next_try_s, self.deleted_at_s):
            return False
        return bool(self.outbox or self.queue) or now >= self.next_beat_s


class Hooks:
    """All webhooks of a world, by gid and by the resource they watch."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.by_gid: dict[str, Hook] = {}
        self.watching: dict[str, tuple[Hook, ...]] = {}  # replaced, never changed: other threads read it

    def __bool__(self) -> bool:
        return bool(self.by_gid)

    def __iter__(self) -> Iterator[Hook]:
        return iter(list(self.by_gid.values()))

    def __contains__(self, hook: Hook) -> bool:
        return hook.gid in self.by_gid

    def draft(self, token: str, resource: Rec, target: str, filters: list[Rec], agents: bool) -> Hook:
        """A webhook that is not kept yet: its handshake is still to come."""
        gid, world = self.world.mint(), self.world
        rec: Rec = {
            "gid": gid,
            "resource_type": "webhook",
            "resource": resource["gid"],
            "target": target,
            "filters": filters,
            "active": False,
            "created_at": world.now(),
            "delivery_retry_count": 0,
        }
        secret = hashlib.blake2s(f"{world.seed}/webhook/{gid}".encode()).hexdigest()
        workspace = workspace_of(world, resource)
        return Hook(rec, resource["resource_type"], workspace, token, secret, agents)

    def add(self, hook: Hook) -> None:
        self.world.records[hook.gid] = hook.rec
        self.by_gid[hook.gid] = hook
        resource = hook.rec["resource"]
        self.watching[resource] = (*self.watching.get(resource, ()), hook)

    def remove(self, hook: Hook) -> None:
        resource = hook.rec["resource"]
        if self.by_gid.pop(hook.gid, None) is None:
            return
        del self.world.records[hook.gid]
        self.watching[resource] = tuple(one for one in self.watching[resource] if one is not hook)

    def of_token(self, token: str) -> list[Hook]:
        return [hook for hook in self.by_gid.values() if hook.token == token]

    def take(self, event: Rec, streams: set[str], lost: Callable[[str], bool]) -> None:
        """Put an event into the outbox of every webhook that watches one of these and lets it pass."""
        for stream in streams:
            for hook in self.watching.get(stream, ()):
                if passes(hook.rec["filters"], event) and not lost(stream):
                    hook.outbox.append(event)


def passes(filters: list[Rec], event: Rec) -> bool:
    """Whether any of the filters lets an event through; without filters everything passes."""
    return not filters or any(_matches(one, event) for one in filters)


def _matches(one: Rec, event: Rec) -> bool:
    rec = event["resource"]
    if one.get("resource_type") not in (None, rec["resource_type"]):
        return False
    if one.get("resource_subtype") not in (None, subtype(rec)):
        return False
    if one.get("action") not in (None, event["action"]):
        return False
    return "fields" not in one or event.get("change", {}).get("field") in one["fields"]


def subtype(rec: Rec) -> Any:
    return rec.get("resource_subtype", "default_task" if rec["resource_type"] == "task" else None)


def workspace_of(world: World, rec: Rec) -> str:
    """The workspace that a watched resource belongs to."""
    while rec["resource_type"] != "workspace":
        key = next(key for key in ("workspace", "project", "target", "parent", "team") if rec.get(key))
        rec = world.records[rec[key]]
    return str(rec["gid"])


def above(world: World, rec: Rec) -> set[str]:
    """The workspace and team whose webhooks hear of this record, besides what its events bubble up to."""
    kind = rec["resource_type"]
    if kind == "project":
        return {gid for gid in (rec["workspace"], rec.get("team")) if gid}
    if kind == "team_membership":
        return {rec["team"], world.records[rec["team"]]["workspace"]}
    return {rec["workspace"]} if kind == "workspace_membership" else set()


def told(world: World, hook: Hook, event: Rec) -> Rec:
    """An event as a delivery carries it: whatever it names comes as gid and type alone."""
    view = world.view(hook.token, hook.agents)
    body: Rec = {
        "user": _bare(view.past(event["user"])),
        "created_at": event["created_at"],
        "action": event["action"],
        "resource": _bare(event["resource"]),
        "parent": _bare(view.past(event["parent"])),
    }
    if "change" in event:
        body["change"] = change = dict(event["change"])
        for key in ("new_value", "added_value", "removed_value"):
            value = change.pop(key, None)
            rec = view.past(value) if isinstance(value, str) else None
            if rec is not None:
                change[key] = {"gid": rec["gid"], "resource_type": rec["resource_type"]}
    return body


def _bare(rec: Rec | None) -> Rec | None:
    if rec is None:
        return None
    bare = {"gid": rec["gid"], "resource_type": rec["resource_type"]}
    kind = subtype(rec)
    return bare if kind is None else {**bare, "resource_subtype": kind}

"""Streams of events per resource, and the sync tokens that mark a reader's place in them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from .draw import mix
from .hooks import above, workspace_of
from .render import MISSING, NODES, Field, Node, Rec, View, head, made, value

if TYPE_CHECKING:
    from .world import World

EVENTS_PER_CALL = 100


class EventLog:
    """What happened, told to every stream that someone has opened: at most once, sometimes never."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.streams: dict[str, list[Rec]] = {}
        self.lost_share = 0.0
        self._told = 0

    def tell(
        self,
        by: str | None,
        rec: Rec,
        action: str,
        parent: str | None = None,
        change: dict[str, Any] | None = None,
        also: tuple[str, ...] = (),
    ) -> None:
        """Put one event on the streams of the record and of all it stands in (and of those in `also`)."""
        event = self._event(by, rec, action, parent)
        if change is not None:
            event["change"] = change
        self._told += 1
        reached = {*self._bubbles(rec), *also}
        for stream in reached:
            if stream in self.streams and not self._lost(stream):
                self.streams[stream].append(event)
        self._tell_workspace(event)
        if self.world.hooks:
            self.world.hooks.take(event, reached | above(self.world, rec), self._lost)

    def tell_above(self, by: str | None, rec: Rec, action: str, parent: str) -> None:
        """An event that only webhooks on a workspace or team can hear, and who reads the whole workspace's."""
        event = self._event(by, rec, action, parent)
        self._tell_workspace(event)
        if self.world.hooks:
            self.world.hooks.take(event, above(self.world, rec), self._lost)

    def _tell_workspace(self, event: Rec) -> None:
        """Everything goes to the stream of its workspace, where a service account has opened that."""
        for workspace in self.world.workspaces:
            opened = self.streams.get(workspace)
            if opened is None or self._lost(workspace):
                continue
            if workspace_of(self.world, event["resource"]) == workspace:
                opened.append(event)

    def _event(self, by: str | None, rec: Rec, action: str, parent: str | None) -> Rec:
        created_at = self.world.now()
        return {"user": by, "resource": rec, "action": action, "parent": parent, "created_at": created_at}

    def _lost(self, stream: str) -> bool:
        return mix(self._told * 31 + int(stream)) % 10_000 < self.lost_share * 10_000

    def _bubbles(self, rec: Rec) -> set[str]:
        """The resources whose streams carry what happens to this record."""
        found = {rec["gid"]}
        kind = rec["resource_type"]
        if kind == "section" and rec["project"] is not None:
            found.add(rec["project"])
        if kind == "attachment":
            owner = self.world.records[rec["parent"]]
            return found | (self._bubbles(owner) if owner["resource_type"] == "task" else {owner["gid"]})
        task = rec if kind == "task" else self.world.records.get(rec.get("target") or "")
        while task is not None:
            found.add(task["gid"])
            found.update(project for project, _ in task.get("memberships", ()))
            task = self.world.records.get(task.get("parent") or "")
        return found

    # -- sync tokens ----------------------------------------------------------------------------------

    def token(self, resource: str, place: int | None = None) -> str:
        """A sync token for a place in the resource's stream; without one for its end, and it opens."""
        stream = self.streams.setdefault(resource, [])
        body = f"{resource}:{len(stream) if place is None else place}:{self.world.epoch_s()}"
        return f"{body.encode().hex()}{self._sign(body)}"

    def _sign(self, body: str) -> str:
        return hashlib.blake2s(f"{self.world.seed}/{body}".encode(), digest_size=8).hexdigest()

    def place(self, resource: str, token: str, lifetime_s: float) -> int | None:
        """Where a sync token points, None when it is expired, foreign or no token at all."""
        try:
            body = bytes.fromhex(token[:-16]).decode()
            stream, place, told_s = body.split(":")
        except ValueError:
            return None
        if self._sign(body) != token[-16:] or stream != resource or resource not in self.streams:
            return None
        return int(place) if self.world.epoch_s() - int(told_s) <= lifetime_s else None


def _change(view: View, event: Rec) -> dict[str, Any]:
    """The change with its values as compact records."""
    change = dict(event["change"])
    for key in ("new_value", "added_value", "removed_value"):
        gid = change.get(key)
        rec = view.past(gid) if isinstance(gid, str) else None
        if rec is None:
            change.pop(key, None)
        else:
            change[key] = {"gid": gid, "resource_type": rec["resource_type"], "name": rec["name"]}
    return change


_NAMED = Node(
    {
        **head(),
        "name": Field(lambda view, rec: rec.get("name", "")),
        "resource_subtype": Field(lambda view, rec: rec.get("resource_subtype", "default_task")),
    },
    ("name", "resource_subtype"),
)
NODES["event_resource"] = _NAMED
NODES["event_parent"] = Node(
    {name: _NAMED.fields[name] for name in ("gid", "resource_type", "name")}, ("name",)
)
NODES["event"] = Node(
    {
        "user": Field(lambda view, event: view.past(event["user"]), "user"),
        "created_at": value("created_at"),
        "type": made(lambda view, event: event["resource"]["resource_type"]),
        "action": value("action"),
        "resource": Field(lambda view, event: event["resource"], "event_resource"),
        "parent": Field(lambda view, event: view.past(event["parent"]), "event_parent"),
        "change": made(lambda view, event: _change(view, event) if "change" in event else MISSING),
    },
    ("user", "created_at", "type", "action", "resource", "parent", "change"),
)

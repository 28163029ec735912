"""Answers every request for /webhooks: makes them with a handshake, lists, shows, filters and ends them."""

from __future__ import annotations

from typing import Any

from .asks import Ask, Refused, bad, unknown
from .hooks import LARGE, WATCHABLE, Hook
from .pages import of_gids, page
from .reads import Answer, shown
from .render import NODES, Field, Node, Rec, View, head, made, value

ACTIONS = ("changed", "added", "removed", "deleted", "undeleted")
TWICE = (
    "Duplicated webhook. You already have an existing webhook for the given resource and target. "
    "Delete the old one before creating another."
)


# -- what a request may ask for -----------------------------------------------------------------------


def _resource(ask: Ask) -> Rec:
    gid = ask.body.get("resource")
    if gid is None:
        raise bad("resource: Missing input")
    rec = ask.world.find(str(gid))
    if rec is None or not ask.sees(rec):
        raise bad(f"resource: Not a recognized ID: {gid}")
    if rec["resource_type"] not in WATCHABLE:
        raise bad(f"resource: Webhooks cannot be placed on a {rec['resource_type']}")
    return rec


def _filters(given: Any, kind: str) -> list[Rec]:
    """The filters of a body; 400 when they are none, or missing where this kind of resource needs them."""
    large = kind in LARGE
    if given is not None and not (isinstance(given, list) and all(isinstance(one, dict) for one in given)):
        raise bad("filters: Expected a list of filters")
    if large and not given:
        raise bad(f"filters: Missing input. A webhook on a {kind} needs filters")
    return [_filter(one, large) for one in given or ()]


def _filter(one: Rec, large: bool) -> Rec:
    for name in ("resource_type", "resource_subtype", "action"):
        if not isinstance(one.get(name), (str, type(None))):
            raise bad(f"filters: {name} is not a string")
    if one.get("action") not in (None, *ACTIONS):
        raise bad(f"filters: Not a valid action: {one['action']}")
    fields = one.get("fields")
    if fields is not None:
        if not isinstance(fields, list):
            raise bad("filters: fields is not a list")
        if one.get("action") != "changed" or large:
            raise bad("filters: fields is only valid for the action changed, below teams and workspaces")
    known = ("resource_type", "resource_subtype", "action", "fields")
    return {name: one[name] for name in known if one.get(name) is not None}


def _refuse_too_many(ask: Ask, resource: str, target: str) -> None:
    hooks, token = ask.world.hooks, ask.identity.token
    watching = hooks.watching.get(resource, ())
    if any(hook.token == token and hook.rec["target"] == target for hook in watching):
        raise Refused(403, TWICE)
    streams = resource in ask.world.events.streams  # an event stream counts like a webhook
    if len(watching) + streams >= ask.limits.hooks_per_resource:
        raise Refused(403, "There are too many webhooks on this resource")
    if len(hooks.of_token(token)) >= ask.limits.hooks_per_token:
        raise Refused(403, "There are too many webhooks for this user and app")


def _hook(ask: Ask) -> Hook:
    """The webhook in the path; 404 when there is none, or when another token made it."""
    hook = ask.world.hooks.by_gid.get(ask.gids[0])
    if hook is None or hook.token != ask.identity.token:
        raise unknown("webhook", ask.gids[0])
    return hook


# -- the answers --------------------------------------------------------------------------------------


async def create(ask: Ask) -> Answer:
    """Make a webhook, if its target confirms it while this request is open."""
    hooks, target = ask.world.hooks, ask.body.get("target")
    if not isinstance(target, str):
        raise bad("target: Missing input")
    resource = _resource(ask)
    ask.courier.refuse_far(target)
    filters = _filters(ask.body.get("filters"), resource["resource_type"])
    _refuse_too_many(ask, resource["gid"], target)
    hook = hooks.draft(ask.identity.token, resource, target, filters, ask.view.agents)
    await ask.courier.shake_hands(hook)
    _refuse_too_many(ask, resource["gid"], target)  # another one may have come meanwhile
    hook.next_beat_s = ask.world.clock()
    hooks.add(hook)
    return {**shown(ask, "webhook", hook.rec), "X-Hook-Secret": hook.secret}


def listed(ask: Ask) -> Answer:
    workspace = ask.rec("workspace", ask.required("workspace"))["gid"]
    resource = ask.query.get("resource")
    if resource is not None and ask.world.find(resource) is None:
        raise unknown("resource", resource)
    found = [
        hook.gid
        for hook in ask.world.hooks.of_token(ask.identity.token)
        if hook.workspace == workspace and resource in (None, hook.rec["resource"])
    ]
    return page(ask, of_gids(ask, "webhook", found))


def single(ask: Ask) -> Answer:
    return shown(ask, "webhook", _hook(ask).rec)


def update(ask: Ask) -> Answer:
    """Replace all filters; nothing else of a webhook can be changed."""
    hook = _hook(ask)
    if "filters" in ask.body:
        hook.rec["filters"] = _filters(ask.body["filters"], hook.kind)
    return shown(ask, "webhook", hook.rec)


def delete(ask: Ask) -> Answer:
    ask.world.hooks.remove(_hook(ask))
    return {"data": {}}


def _watched(view: View, rec: Rec) -> Rec | None:
    """What a webhook watches, from the trash too; stories and attachments are no records by themselves."""
    gid = rec["resource"]
    found = view.records.get(gid) or view.world.find(gid)
    return None if found is None or (view.sees is not None and not view.sees(found)) else found


NODES["webhook_resource"] = Node({**head(), "name": made(lambda view, rec: rec.get("name", ""))}, ("name",))
NODES["webhook"] = Node(
    {
        **head(),
        "active": value("active"),
        "resource": Field(_watched, "webhook_resource"),
        "target": value("target"),
        "created_at": value("created_at"),
        "last_failure_at": value("last_failure_at"),
        "last_failure_content": value("last_failure_content"),
        "last_success_at": value("last_success_at"),
        "delivery_retry_count": value("delivery_retry_count"),
        "next_attempt_after": value("next_attempt_after"),
        "failure_deletion_timestamp": value("failure_deletion_timestamp"),
        "filters": value("filters"),
    },
    ("active", "resource", "target"),
)

"""Portfolios and templates: made, filled, changed and trashed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .asks import bad, refuse_free
from .change_fields import set_custom_fields
from .render import Rec
from .standing import below, put_below, take_away
from .telling import actor, insert_at, known, tell_changed

if TYPE_CHECKING:
    from .world import World

PORTFOLIO_FIELDS = (
    *("name", "color", "archived", "start_on", "due_on", "default_access_level", "privacy_setting"),
)


def create_portfolio(world: World, by: str, given: Rec) -> Rec:
    refuse_free(world)
    if not given.get("name"):
        raise bad("name: Missing input")
    rec = world.put(
        "portfolio",
        name=str(given["name"]),
        workspace=known(world, "workspace", given.get("workspace"))["gid"],
        owner=by,
        created_by=by,
        created_at=world.now(),
        color="light-blue",
        members=[by],
        items=[],
        settings=[],
    )
    update_portfolio(world, by, rec, {key: value for key, value in given.items() if key != "name"})
    return rec


def update_portfolio(world: World, by: str, rec: Rec, given: Rec) -> None:
    wanted = {key: given[key] for key in PORTFOLIO_FIELDS if key in given}
    if "public" in given:
        wanted["privacy_setting"] = "public_to_domain" if given["public"] else "members_only"
    if given.get("owner"):
        wanted["owner"] = actor(world, given["owner"], by)
    for key, value in wanted.items():
        if rec.get(key) != value:
            rec[key] = value
            tell_changed(world, by, rec, key)
    if "custom_fields" in given:
        set_custom_fields(world, by, rec, given["custom_fields"])


def trash(world: World, by: str, rec: Rec) -> None:
    """A portfolio, goal or template to the trash; what stands on it goes with it, its items live on."""
    world.events.tell(by, rec, "deleted")
    rec["trashed"] = rec["gid"]


def add_item(world: World, by: str, portfolio: Rec, given: Rec) -> None:
    """Add a project or portfolio, or move it; 400 for a portfolio in itself."""
    item = world.find(str(given.get("item")))
    if item is None or item["resource_type"] not in ("project", "portfolio"):
        raise bad(f"item: Not a recognized ID: {given.get('item')}")
    if portfolio["gid"] in _all_below(world, item):
        raise bad("item: A portfolio cannot be an item of itself")
    new = item["gid"] not in portfolio["items"]
    insert_at(portfolio["items"], item["gid"], given.get("insert_before"), given.get("insert_after"))
    if new and item["resource_type"] == "project":
        tie(world, portfolio, item, world.now())
    tell_changed(world, by, portfolio, "items", "added", item["gid"])


def _all_below(world: World, item: Rec) -> set[str]:
    found, waiting = set(), [item["gid"]]
    while waiting:
        gid = waiting.pop()
        found.add(gid)
        waiting += world.records[gid].get("items", ())
    return found


def tie(
    world: World,
    portfolio: Rec,
    project: Rec,
    created_at: str,
    inherited: bool = False,
    gid: str | None = None,
) -> None:
    """What a project and a portfolio that holds it have agreed on."""
    rec = put_below(
        world,
        "project_portfolio_setting",
        portfolio["gid"],
        gid=gid,
        project=project["gid"],
        portfolio=portfolio["gid"],
        is_access_control_inherited=inherited,
        created_at=created_at,
    )
    world.inside["project_portfolio_setting", project["gid"]].append(rec["gid"])


def remove_item(world: World, by: str, portfolio: Rec, given: Rec) -> None:
    item = str(given.get("item"))
    if item not in portfolio["items"]:
        raise bad(f"item: Not in this portfolio: {item}")
    portfolio["items"].remove(item)
    for gid in below(world, "project_portfolio_setting", portfolio["gid"]):
        if world.records[gid]["project"] == item:
            take_away(world, world.records[gid], portfolio["gid"], item)
    tell_changed(world, by, portfolio, "items", "removed", item)


def update_setting(world: World, by: str, setting: Rec, given: Rec) -> None:
    if "is_access_control_inherited" in given:
        setting["is_access_control_inherited"] = bool(given["is_access_control_inherited"])

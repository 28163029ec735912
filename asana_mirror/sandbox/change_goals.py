"""Goals: made, changed, measured, and tied to what supports them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .asks import bad, refuse_free
from .change_fields import plain, set_custom_fields, set_liked
from .render import Rec
from .shape_goals import AUTOMATIC
from .standing import below, put_below, take_away
from .telling import actor, add_story, gids_in, insert_at, known, tell_changed

if TYPE_CHECKING:
    from .world import World

GOAL_FIELDS = ("name", "notes", "due_on", "start_on", "status", "privacy_setting", "default_access_level")
SUPPORTERS = ("goal", "project", "task", "portfolio")
SOURCES = ("manual", "external", *AUTOMATIC)


def create_goal(world: World, by: str, given: Rec) -> Rec:
    """400 without a name and a workspace, 402 where goals are not paid for."""
    refuse_free(world)
    if not given.get("name"):
        raise bad("name: Missing input")
    rec = world.put(
        "goal",
        name=str(given["name"]),
        workspace=known(world, "workspace", given.get("workspace"))["gid"],
        owner=by,
        followers=[actor(world, gid, by) for gid in gids_in(given.get("followers") or [])] or [by],
        settings=[],
    )
    world.story_shelf[rec["gid"]] = []
    world.events.tell(by, rec, "added")
    update_goal(world, by, rec, {key: value for key, value in given.items() if key not in ("name", "status")})
    return rec


def update_goal(world: World, by: str, goal: Rec, given: Rec) -> None:
    """400 for a status while the goal has no metric."""
    if "status" in given and goal.get("metric") is None:
        raise bad("status: This goal has no metric")
    for key, value in _wanted(world, by, given).items():
        if goal.get(key) != value:
            old, goal[key] = goal.get(key), value
            tell_changed(world, by, goal, key)
            if key == "name":
                text = f'changed the name to "{value}"'
                add_story(world, by, goal, "name_changed", text, old_name=old, new_name=value)
    if "liked" in given:
        set_liked(world, by, goal, given["liked"])
    if "custom_fields" in given:
        set_custom_fields(world, by, goal, given["custom_fields"])


def _wanted(world: World, by: str, given: Rec) -> Rec:
    wanted: Rec = {key: given[key] for key in GOAL_FIELDS if key in given}
    if "html_notes" in given:
        wanted["notes"] = plain(str(given["html_notes"]))
    if "owner" in given:
        wanted["owner"] = actor(world, given["owner"], by) if given["owner"] else None
    for key in ("team", "time_period"):
        if key in given:
            wanted[key] = known(world, key, given[key])["gid"] if given[key] else None
    return wanted


# -- what it is measured by ---------------------------------------------------------------------------


def set_metric(world: World, by: str, goal: Rec, given: Rec) -> None:
    unit = given.get("unit", "none")
    if unit not in ("none", "currency", "percentage"):
        raise bad(f"unit: Not a valid unit: {unit}")
    source = given.get("progress_source", "manual")
    if source not in SOURCES:
        raise bad(f"progress_source: Not a valid source: {source}")
    first, last = given.get("initial_number_value", 0), given.get("target_number_value", 1)
    if first == last:
        raise bad("target_number_value: Must differ from initial_number_value")
    goal["metric"] = metric(
        world.mint(),
        by,
        precision=given.get("precision", 0),
        unit=unit,
        currency_code=given.get("currency_code") if unit == "currency" else None,
        initial_number_value=first,
        target_number_value=last,
        current_number_value=given.get("current_number_value", first),
        progress_source=source,
        is_custom_weight=bool(given.get("is_custom_weight")),
    )
    tell_changed(world, by, goal, "metric")


def metric(gid: str, by: str, **fields: Any) -> Rec:
    """A metric as its goal keeps it; it is met nowhere else."""
    return {"gid": gid, "resource_type": "goal_metric", "resource_subtype": "number", "made_by": by, **fields}


def set_metric_value(world: World, by: str, goal: Rec, given: Rec) -> None:
    if goal.get("metric") is None:
        raise bad("metric: This goal has no metric")
    number = given.get("current_number_value")
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise bad("current_number_value: Missing input")
    goal["metric"] = {**goal["metric"], "current_number_value": number}
    tell_changed(world, by, goal, "metric")


# -- what supports it ---------------------------------------------------------------------------------


def relate(world: World, by: str, goal: Rec, given: Rec) -> Rec:
    """Let a goal, project, task or portfolio support a goal; 400 for a circle or a second time."""
    other = world.find(str(given.get("supporting_resource")))
    if other is None or other["resource_type"] not in SUPPORTERS:
        raise bad(f"supporting_resource: Not a recognized ID: {given.get('supporting_resource')}")
    if goal["gid"] == other["gid"] or goal["gid"] in _all_below(world, other["gid"]):
        raise bad("supporting_resource: A goal cannot support itself")
    held = below(world, "goal_relationship", goal["gid"])
    if any(world.records[gid]["supporting_resource"] == other["gid"] for gid in held):
        raise bad("supporting_resource: This supports the goal already")
    rec = tied(world, goal, other, given.get("contribution_weight", 0))
    before, after = given.get("insert_before"), given.get("insert_after")
    if before or after:
        subgoals = {world.records[gid]["supporting_resource"]: gid for gid in held}
        place = world.inside["goal_relationship", goal["gid"]]
        insert_at(place, rec["gid"], subgoals.get(before, before), subgoals.get(after, after))
    tell_changed(world, by, goal, "supporting_relationships", "added", other["gid"])
    return rec


def tied(world: World, goal: Rec, other: Rec, weight: float, gid: str | None = None) -> Rec:
    subtype = "subgoal" if other["resource_type"] == "goal" else "supporting_work"
    fields = {"resource_subtype": subtype, "contribution_weight": weight}
    rec = put_below(
        world,
        "goal_relationship",
        goal["gid"],
        gid=gid,
        supported_goal=goal["gid"],
        supporting_resource=other["gid"],
        **fields,
    )
    world.inside["goal_relationship of", other["gid"]].append(rec["gid"])
    return rec


def _all_below(world: World, gid: str) -> set[str]:
    found, waiting = set(), [gid]
    while waiting:
        here = waiting.pop()
        if here not in found:
            found.add(here)
            held = below(world, "goal_relationship", here)
            waiting += [world.records[rel]["supporting_resource"] for rel in held]
    return found


def unrelate(world: World, by: str, goal: Rec, given: Rec) -> None:
    other = str(given.get("supporting_resource"))
    for gid in below(world, "goal_relationship", goal["gid"]):
        rec = world.records[gid]
        if rec["supporting_resource"] == other:
            world.inside["goal_relationship of", other].remove(gid)
            take_away(world, rec, goal["gid"])
            tell_changed(world, by, goal, "supporting_relationships", "removed", other)
            return
    raise bad(f"supporting_resource: Does not support this goal: {other}")


def update_relationship(world: World, by: str, rec: Rec, given: Rec) -> None:
    if "contribution_weight" in given:
        weight = given["contribution_weight"]
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= 1:
            raise bad("contribution_weight: Value is not between 0 and 1")
        rec["contribution_weight"] = weight

"""Plans come, change and go: roles, capacity, money, absences, access requests, custom types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .asks import Refused, bad, unknown
from .change_tasks import change_people
from .change_time import a_day, one_of
from .plan_records import add, change, inside, standing, trash
from .render import Rec
from .telling import actor, known

if TYPE_CHECKING:
    from .world import World

BASES = ("guest", "member", "admin", "super_admin")
FILTERS = ("billable", "non_billable", "any")
ROLE_FIELDS = ("name", "description", "base_role_type")


def gone(world: World, by: str, rec: Rec) -> None:
    """Delete a record that nothing else has to learn of."""
    trash(rec)


def _number(given: Rec, key: str) -> float:
    value = given.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise bad(f"{key}: Not a valid number: {value}")
    return value


def _object(given: Rec, key: str) -> Rec:
    """A structure of a body, empty when it is missing; 400 when it is none."""
    value = given.get(key) or {}
    if not isinstance(value, dict):
        raise bad(f"{key}: Expected an object")
    return value


def _in_order(rec: Rec) -> None:
    if rec["end_date"] < rec["start_date"]:
        raise bad("end_date: Must not be before start_date")


def _holder(world: World, by: str, gid: Any) -> str:
    """A person or a placeholder that a write names; 400 when there is none."""
    rec = world.find(gid) if isinstance(gid, str) else None
    if rec is not None and rec["resource_type"] == "placeholder":
        return str(rec["gid"])
    return actor(world, gid, by)


# -- roles --------------------------------------------------------------------------------------------


def create_role(world: World, by: str, given: Rec) -> Rec:
    for key in ("name", "description", "base_role_type", "workspace"):
        if given.get(key) is None:
            raise bad(f"{key}: Missing input")
    one_of(given, "base_role_type", BASES)
    role = add(
        world,
        "role",
        workspace=known(world, "workspace", given["workspace"])["gid"],
        is_standard_role=False,
        creation_time=world.now(),
        permissions={},
    )
    update_role(world, by, role, given)
    return role


def update_role(world: World, by: str, role: Rec, given: Rec) -> None:
    if role["is_standard_role"]:
        raise Refused(403, "Standard roles cannot be changed")
    if "base_role_type" in given:
        one_of(given, "base_role_type", BASES)
    role.update({key: given[key] for key in ROLE_FIELDS if key in given})
    role["permissions"] = {**role["permissions"], **_object(given, "permissions")}
    role["modified_at"] = world.now()


def trash_role(world: World, by: str, role: Rec) -> None:
    if role["is_standard_role"]:
        raise Refused(403, "Standard roles cannot be deleted")
    trash(role)


# -- capacity -----------------------------------------------------------------------------------------


def create_allocation(world: World, by: str, given: Rec) -> Rec:
    for key in ("assignee", "parent", "start_date", "end_date"):
        if given.get(key) is None:
            raise bad(f"{key}: Missing input")
    fields = {"effort": None, **_allocation_fields(world, by, given)}
    _in_order(fields)
    parent = world.records[fields["parent"]]
    return add(world, "allocation", workspace=parent["workspace"], created_by=by, **fields)


def update_allocation(world: World, by: str, allocation: Rec, given: Rec) -> None:
    fields = _allocation_fields(world, by, given)
    _in_order({**allocation, **fields})
    change(world, allocation, **fields)


def _allocation_fields(world: World, by: str, given: Rec) -> Rec:
    found: Rec = {key: a_day(given, key) for key in ("start_date", "end_date") if key in given}
    if "effort" in given:
        effort = None if given["effort"] is None else _object(given, "effort")
        if effort is not None:
            effort = {"type": one_of(effort, "type", ("hours", "percent")), "value": _number(effort, "value")}
        found["effort"] = effort
    if "assignee" in given:
        found["assignee"] = _holder(world, by, given["assignee"])
    if "parent" in given:
        found["parent"] = known(world, "project", given["parent"])["gid"]
    return found


# -- money --------------------------------------------------------------------------------------------


def create_budget(world: World, by: str, given: Rec) -> Rec:
    project = known(world, "project", given.get("parent"))
    if any(standing(world, "budget", project["gid"])):
        raise bad("parent: This project has a budget already")
    one_of(given, "budget_type", ("cost", "time"))
    budget = add(
        world,
        "budget",
        workspace=project["workspace"],
        parent=project["gid"],
        budget_type=given["budget_type"],
        estimate={"billable_status_filter": "billable", "source": "none", "enabled": False},
        estimates={"time": 0, "cost": 0},
        actual={"billable_status_filter": "billable"},
        total={"enabled": False},
        totals={"time": 0, "cost": 0},
    )
    update_budget(world, by, budget, given)
    return budget


def update_budget(world: World, by: str, budget: Rec, given: Rec) -> None:
    if "budget_type" in given:
        budget["budget_type"] = one_of(given, "budget_type", ("cost", "time"))
    estimate = {**budget["estimate"], **_known_keys(given, "estimate", budget["estimate"])}
    if estimate["enabled"] == (estimate["source"] == "none"):
        raise bad("estimate: The source is none exactly when the estimate is not enabled")
    one_of(estimate, "billable_status_filter", FILTERS)
    budget["estimate"] = estimate
    actual = {**budget["actual"], **_known_keys(given, "actual", budget["actual"])}
    one_of(actual, "billable_status_filter", FILTERS)
    budget["actual"] = actual
    budget["total"] = {**budget["total"], **_known_keys(given, "total", budget["total"])}
    if "value" in _object(given, "total"):
        budget["totals"] = {**budget["totals"], budget["budget_type"]: _number(given["total"], "value")}


def _known_keys(given: Rec, key: str, held: Rec) -> Rec:
    return {name: value for name, value in _object(given, key).items() if name in held}


def create_rate(world: World, by: str, given: Rec) -> Rec:
    project = known(world, "project", given.get("parent"))
    resource = _holder(world, by, given.get("resource"))
    if any(rate["resource"] == resource for rate in standing(world, "rate", project["gid"])):
        raise bad("resource: There is a rate for this resource already")
    fields = {"parent": project["gid"], "resource": resource, "rate": _number(given, "rate")}
    return add(world, "rate", workspace=project["workspace"], created_by=by, **fields)


def update_rate(world: World, by: str, rate: Rec, given: Rec) -> None:
    rate["rate"] = _number(given, "rate")


# -- people -------------------------------------------------------------------------------------------


def create_absence(world: World, by: str, given: Rec) -> Rec:
    workspace = known(world, "workspace", given.get("workspace"))["gid"]
    user = actor(world, given.get("user"), by)
    if user not in world.members[workspace]:
        raise bad("user: Not a member of this workspace")
    fields = {key: a_day(given, key) for key in ("start_date", "end_date")}
    _in_order(fields)
    return add(world, "ooo_entry", workspace=workspace, user=user, created_by=by, **fields)


def update_absence(world: World, by: str, absence: Rec, given: Rec) -> None:
    fields: Rec = {key: a_day(given, key) for key in ("start_date", "end_date") if key in given}
    _in_order({**absence, **fields})
    absence.update(fields)


def request_access(world: World, by: str, given: Rec) -> Rec:
    """To something private, which one need not see for that; 400 for what one may see already."""
    target = world.find(str(given.get("target")))
    if target is None or target["resource_type"] not in ("project", "portfolio"):
        raise bad(f"target: Not a recognized ID: {given.get('target')}")
    if by in inside(target):
        raise bad("target: You have access to this already")
    message = {} if given.get("message") is None else {"message": str(given["message"])}
    return add(
        world,
        "access_request",
        workspace=target["workspace"],
        target=target["gid"],
        requester=by,
        approval_status="pending",
        **message,
    )


def decide(world: World, by: str, request: Rec, approved: bool) -> None:
    """Let somebody in, or not; decided requests are in no list any more."""
    if request["approval_status"] != "pending":
        raise unknown("access_request", request["gid"])
    request["approval_status"] = "approved" if approved else "denied"
    if approved:
        change_people(world, by, world.records[request["target"]], "members", [request["requester"]], True)


# -- custom types -------------------------------------------------------------------------------------


def add_status(world: World, kind: Rec, name: str, state: str | None) -> str:
    """One more status for tasks of a custom type; its gid."""
    option = add(
        world,
        "custom_type_status_option",
        custom_type=kind["gid"],
        workspace=kind["workspace"],
        name=name,
        completion_state=state,
        enabled=True,
        color="none",
    )
    kind["status_options"] = [*(kind["status_options"] or []), option["gid"]]
    return str(option["gid"])

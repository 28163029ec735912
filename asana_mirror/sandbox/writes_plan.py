"""Answers every POST, PUT and DELETE of plans and tracked time."""

from __future__ import annotations

from typing import Any

from . import change_plan, change_time
from .asks import Ask
from .reads import Answer, Reader
from .writes import NOTHING, by, made, made_in, trashed, updated

CREATED_IN_PLANS = (  # paths that a POST answers with 201
    *("time_tracking_entries", "time_tracking_categories", "timesheet_approval_statuses", "allocations"),
    *("budgets", "rates", "roles", "ooo_entries", "access_requests"),
)


def _decide(approved: bool) -> Reader:
    def answer(ask: Ask) -> Answer:
        change_plan.decide(ask.world, by(ask), ask.rec("access_request"), approved)
        return NOTHING

    return answer


def _all_of(plural: str, kind: str, scopes: bool, create: Any, update: Any, trash: Any) -> list[Any]:
    """Creating, changing and deleting one kind; `scopes`: whether Asana names any for them."""

    def scope(action: str) -> str | None:
        return f"{plural}:{action}" if scopes else None

    return [
        ("POST", f"/{plural}", made(kind, create), scope("write")),
        ("PUT", f"/{plural}/{{}}", updated(kind, update), scope("write")),
        ("DELETE", f"/{plural}/{{}}", trashed(kind, trash), scope("delete")),
    ]


PLAN_WRITES: tuple[tuple[str, str, Reader, str | None], ...] = (
    (
        "POST",
        "/tasks/{}/time_tracking_entries",
        made_in("time_tracking_entry", "task", change_time.create_entry),
        None,
    ),
    ("PUT", "/time_tracking_entries/{}", updated("time_tracking_entry", change_time.update_entry), None),
    ("DELETE", "/time_tracking_entries/{}", trashed("time_tracking_entry", change_time.trash_entry), None),
    *_all_of(
        "time_tracking_categories",
        "time_tracking_category",
        True,
        change_time.create_category,
        change_time.update_category,
        change_time.trash_category,
    ),
    (
        "POST",
        "/timesheet_approval_statuses",
        made("timesheet_approval_status", change_time.create_timesheet),
        "timesheet_approval_statuses:write",
    ),
    (
        "PUT",
        "/timesheet_approval_statuses/{}",
        updated("timesheet_approval_status", change_time.update_timesheet),
        "timesheet_approval_statuses:write",
    ),
    *_all_of(
        "allocations",
        "allocation",
        False,
        change_plan.create_allocation,
        change_plan.update_allocation,
        change_plan.gone,
    ),
    *_all_of(
        "budgets",
        "budget",
        False,
        change_plan.create_budget,
        change_plan.update_budget,
        change_plan.gone,
    ),
    *_all_of("rates", "rate", False, change_plan.create_rate, change_plan.update_rate, change_plan.gone),
    *_all_of("roles", "role", True, change_plan.create_role, change_plan.update_role, change_plan.trash_role),
    *_all_of(
        "ooo_entries",
        "ooo_entry",
        True,
        change_plan.create_absence,
        change_plan.update_absence,
        change_plan.gone,
    ),
    ("POST", "/access_requests", made("access_request", change_plan.request_access), None),
    ("POST", "/access_requests/{}/approve", _decide(True), None),
    ("POST", "/access_requests/{}/reject", _decide(False), None),
)

"""What a token may not see, in words: pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from asana_mirror.catalog import LISTINGS

BY_STATUS = {
    400: "Asana does not answer that question",
    402: "Asana asks for a paid plan",
    403: "the token may not see it",
    404: "not found, or not visible to this token",
    410: "it is gone",
    451: "withheld for legal reasons",
}

# What is refused in a way of its own, whatever the status.
BY_LISTING = {
    "workspace_portfolios": "portfolios of other people: a personal token lists only your own, "
    "and those that are items of them",
    "audit_log": "only a service account of an Enterprise organization reads the audit log",
    "own_sections": "Asana does not list the sections of My Tasks here; those of your tasks are known by name",
    "own_task_list": "Asana shows no My Tasks list of yours in this workspace",
    "project_access_requests": "only who may share a project sees who asks to come in there",
    "portfolio_access_requests": "only who may share a portfolio sees who asks to come in there",
    "events": "Asana tells no events of it: its lists are compared instead",
}

_SCOPE = re.compile(r"\b([a-z_.]+:(?:read|write|delete))\b")
_ABOUT_SCOPES = re.compile(r"\bscopes?\b", re.IGNORECASE)


def is_about_scopes(status: int | None, message: str) -> bool:
    """Whether a refusal says that the token lacks a scope.

    https://developers.asana.com/docs/oauth-scopes
    """
    return status == 403 and _ABOUT_SCOPES.search(message) is not None


def is_for_good(status: int, message: str) -> bool:
    """Whether a refusal holds for all lists of a kind in a workspace: the plan's, a missing scope's or route's."""
    no_route = status == 404 and "no matching route" in message.lower()
    return status == 402 or no_route or is_about_scopes(status, message)


def why(listing: str | None, status: int | None, message: str) -> str:
    """Why Asana does not show something; `listing` is the catalog's name of the kind of list, where there is one."""
    if is_about_scopes(status, message):
        named = _SCOPE.search(message)
        return f"the token lacks the scope {named[1]}" if named else "the token lacks a scope"
    if status == 402:
        return BY_STATUS[402]
    if listing in BY_LISTING and status in BY_STATUS:
        return BY_LISTING[listing]
    return BY_STATUS.get(status or 0, message)


@dataclass(frozen=True)
class Hidden:
    """One kind of thing that is not mirrored, or only in part, for one reason."""

    resource: str
    listing: str  # the catalog's name of the kind of list, or "records" of what was read by itself
    status: int | None
    why: str
    lists: int
    of: int  # lists of that kind in all
    since: str
    example: str


def hidden(problems: Iterable[Mapping[str, Any]], counts: Mapping[str, int]) -> list[Hidden]:
    """Problems put together by resource, whose lists they are, and reason.

    `counts` says how many lists of each kind there are.
    """
    groups: dict[tuple[str, str, int | None, str], list[Mapping[str, Any]]] = {}
    for problem in problems:
        kind, reason = problem["kind"], why(problem["kind"], problem["status"], problem["message"])
        key = (problem["resource"] or "", _whose(kind), problem["status"], reason)
        groups.setdefault(key, []).append(problem)
    return [
        Hidden(
            resource,
            found[0]["kind"] or "records",
            status,
            reason,
            len(found),
            sum(counts.get(kind, 0) for kind in {problem["kind"] for problem in found}) or len(found),
            min(str(problem["since"]) for problem in found),
            str(found[0]["listing"]),
        )
        for (resource, _, status, reason), found in sorted(groups.items(), key=lambda one: str(one[0]))
    ]


def _whose(kind: str | None) -> str:
    """What opens such lists: several kinds of them may show the same, archived ones and others."""
    listing = LISTINGS.get(kind or "")
    if listing is None or listing.single:
        return kind or "records"
    return listing.opened_by or kind or ""


def in_words(one: Hidden) -> str:
    """`budgets of 2 projects: Asana asks for a paid plan`."""
    if one.listing in BY_LISTING and one.why == BY_LISTING[one.listing]:
        return one.why
    what, listing = one.resource.replace("_", " ") or one.listing, LISTINGS.get(one.listing)
    parents = (listing.opened_by or "") if listing else ""
    if listing is None or listing.single:
        what = f"{one.lists:,} {what}"
    elif parents not in ("", "workspaces"):
        what = f"{what} of {one.lists:,} {parents.replace('_', ' ')}"
    return f"{what}: {one.why}"

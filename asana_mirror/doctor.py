"""Asks Asana what is wrong, or will be: with the token, with the clock, with what the catalog knows of its records."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx

from asana_mirror.catalog import ExtraFields
from asana_mirror.client import Asana
from asana_mirror.contact import first_contact
from asana_mirror.described import operation_at
from asana_mirror.drift import Unfit, Unknown, unfit_fields, unknown_fields
from asana_mirror.errors import BadToken, CarryOnWithout, StartOver, WaitAndRepeat
from asana_mirror.run import SyncOptions, asana_for
from asana_mirror.specimens import Known, Refusal, Specimen, Specimens
from asana_mirror.times import now, seconds_since
from asana_mirror.visibility import is_about_scopes, why
from asana_mirror.wire import endpoint_of
from asana_mirror.words import ApiChange, Scope

NOT_FOUND = 404
ME = "/users/me"
OF_SERVICE_ACCOUNTS = ("audit_log", "workspace_portfolios")  # lists that no person's token is shown

PERSON, OAUTH, SERVICE = "person", "oauth", "service_account"


@dataclass(frozen=True)
class MissingScope:
    """What an OAuth token lacks to read a resource."""

    scope: str | None  # None where Asana describes none
    resource: str
    endpoint: str
    why: str


@dataclass(frozen=True)
class Unreadable:
    """A resource that was refused, and why, in words."""

    resource: str
    status: int | None
    why: str
    message: str


@dataclass
class Diagnosis:
    """What Asana was found to be like. What could not be told stays None."""

    base_url: str
    proxy: str | None
    token_is_valid: bool | None = None
    whose: dict[str, str | None] | None = None
    kind: str | None = None
    clock_ahead_s: float | None = None  # of Asana's; negative: behind
    requests: int = 0
    looked_at: list[str] = field(default_factory=list)
    nothing_to_look_at: list[str] = field(default_factory=list)
    unknown: list[Unknown] = field(default_factory=list)
    unfit: list[Unfit] = field(default_factory=list)
    missing_scopes: list[MissingScope] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)


async def examine(
    options: SyncOptions,
    known: Known,
    diagnosis: Diagnosis,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
) -> None:
    """Ask Asana a few questions and fill in what they tell; nothing is written anywhere.

    Raises BadToken and AsanaUnreachable; what was found until then stands in the diagnosis.
    """
    async with asana_for(options, transport) as asana:
        try:
            workspace = await _way_in(asana)
            diagnosis.token_is_valid = True
            diagnosis.clock_ahead_s = await _clock_ahead_s(asana)
            specimens = Specimens(asana, known, workspace)
            await _look_at_token(specimens, diagnosis)
            if workspace is not None:
                await specimens.find_all()
            _judge(specimens.found.values(), options.extra_fields, diagnosis)
        except BadToken:
            diagnosis.token_is_valid = False
            raise
        finally:
            diagnosis.requests = asana.requests
            diagnosis.changes = _announced(asana.changes, asana.changed_endpoints)


async def _way_in(asana: Asana) -> str | None:
    """The first workspace that the token sees. Raises what keeps it from seeing any."""
    answers = await first_contact(asana, Scope())
    gids = (record.get("gid") for answer in answers for record in answer.content.records)
    return next((str(gid) for gid in gids if gid), None)


async def _clock_ahead_s(asana: Asana) -> float | None:
    """By how much this machine's clock is ahead of Asana's; None where that cannot be told now.

    Asked once: a wait in between would count as time that the answer took.
    """
    began = time.monotonic()
    try:
        answer = await asana.page_at_once("/workspaces", {"limit": "1"})
    except (CarryOnWithout, WaitAndRepeat, StartOver):
        return None
    elapsed_s = time.monotonic() - began
    # An answer tells when the request left by Asana's clock, and a second earlier so as to be sure.
    return round(seconds_since(answer.asked_at, now()) - elapsed_s - 1.0, 1)


async def _look_at_token(specimens: Specimens, diagnosis: Diagnosis) -> None:
    """Whose it is, and of which kind as far as what it may read tells."""
    me = await specimens.at("users", ME)
    if me is not None:
        told = {name: me.get(name) for name in ("gid", "name", "email")}
        diagnosis.whose = {name: None if value is None else str(value) for name, value in told.items()}
    sees_all = [await specimens.shown(listing) is not None for listing in OF_SERVICE_ACCOUNTS]
    diagnosis.kind = SERVICE if any(sees_all) else PERSON


def _judge(specimens: Iterable[Specimen], asked_also: ExtraFields, diagnosis: Diagnosis) -> None:
    """What the records show, and why there are none of some resources."""
    for one in specimens:
        diagnosis.missing_scopes += filter(None, map(_missing_scope, one.refusals))
        if one.record is not None:
            diagnosis.looked_at.append(one.resource)
            found = unknown_fields(one.resource, one.record)
            asked = asked_also.get(one.resource, ())
            diagnosis.unknown += [unknown for unknown in found if unknown.field not in asked]
            diagnosis.unfit += unfit_fields(one.resource, one.record)
        elif one.answered or all(refusal.status == NOT_FOUND for refusal in one.refusals):
            diagnosis.nothing_to_look_at.append(one.resource)
        else:
            diagnosis.unreadable.append(_unreadable(one.refusals[-1]))
    if diagnosis.missing_scopes and diagnosis.kind == PERSON:
        diagnosis.kind = OAUTH


def _missing_scope(refusal: Refusal) -> MissingScope | None:
    if not is_about_scopes(refusal.status, refusal.message):
        return None
    operation = operation_at(refusal.path)
    reason = why(refusal.listing, refusal.status, refusal.message)
    return MissingScope(
        operation.scope if operation else None, refusal.resource, endpoint_of(refusal.path), reason
    )


def _unreadable(refusal: Refusal) -> Unreadable:
    reason = why(refusal.listing, refusal.status, refusal.message)
    return Unreadable(refusal.resource, refusal.status, reason, refusal.message)


def _announced(changes: Mapping[ApiChange, int], endpoints: Mapping[ApiChange, str]) -> list[dict[str, Any]]:
    return [
        {**asdict(change), "endpoint": endpoints.get(change), "times": changes[change]} for change in changes
    ]

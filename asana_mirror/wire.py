"""What requests and answers of Asana mean: pure functions, no network.

https://developers.asana.com/docs/errors · https://developers.asana.com/docs/pagination
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, quote_plus

import orjson

from asana_mirror.catalog import RESOURCE_OF, RESOURCES, Listing, fields_of, opt_fields
from asana_mirror.errors import (
    BadToken,
    CarryOnWithout,
    ListTooLong,
    OffsetExpired,
    RateLimited,
    SyncTokenExpired,
    WaitAndRepeat,
)
from asana_mirror.plan import PAGE
from asana_mirror.times import as_asana_writes, is_time
from asana_mirror.words import ApiChange, Event, EventsPage, Page, Step

ENABLED_FEATURES = "ai_teammate_actors"
HEADERS = {"Accept": "application/json", "Asana-Enable": ENABLED_FEATURES}

CHANGES = ("asana-change", "asana-deprecation-warning")  # headers
SEARCHES = ("/workspaces/{gid}/tasks/search",)  # endpoints with a limit of their own
WEBHOOKS = "/webhooks"

Paged = Literal["no", "first", "later"]  # no list, a first page, a page behind an offset


@dataclass(frozen=True)
class Verb:
    """What a request does with a path; only where that can be done twice is it repeated on suspicion."""

    method: str = "GET"
    body: bytes = b""

    @property
    def reads(self) -> bool:
        return self.method == "GET"

    @property
    def may_be_repeated(self) -> bool:
        return self.method != "POST"


READING, DELETION = Verb(), Verb("DELETE")

_TOO_LONG = re.compile(r"too large|too long|too many", re.IGNORECASE)
_OFFSET = re.compile(r"offset|pagination token|expired", re.IGNORECASE)


def page_request(step: Step, offset: str | None, limit: int = PAGE) -> tuple[str, dict[str, str]]:
    """Path and query of one page of a listing."""
    listing = step.listing
    path, _, query = step.key.partition("?")
    params = dict(parse_qsl(query))
    if listing.fields:
        params["opt_fields"] = fields_of(listing)
    if listing.paged:
        params["limit"] = str(limit)
    since = step.since or (listing.since and listing.since.begins)
    if since:
        params[listing.since.parameter if listing.since else "modified_since"] = since
    if offset:
        params["offset"] = offset
    return path, params


def gids_request(step: Step, offset: str | None = None, fields: str = "gid") -> tuple[str, dict[str, str]]:
    """The same page with nothing but gids, the cheapest way to ask who is there, or a few fields."""
    path, params = page_request(step, offset)
    return path, {**params, "opt_fields": fields} if step.listing.fields else params


def search_request(
    workspace_gid: str, query: Mapping[str, str], after: str | None, fields: str | None = None
) -> tuple[str, dict[str, str]]:
    """Tasks that fit a query, oldest first, created after a time: with all their fields, or with a few.

    https://developers.asana.com/reference/searchtasksforworkspace
    """
    window = {"created_at.after": after} if after else {}
    params = {**query, **window, "sort_by": "created_at", "sort_ascending": "true", "limit": str(PAGE)}
    path = SEARCHES[0].format(gid=quote(workspace_gid, safe=""))
    return path, {**params, "opt_fields": fields or opt_fields("tasks")}


def modified_request(
    workspace_gid: str, after: str, fields: str = "modified_at,projects"
) -> tuple[str, dict[str, str]]:
    """Which tasks were modified after a time, those first that were modified first, and in which projects they are.

    https://developers.asana.com/reference/searchtasksforworkspace
    """
    params = {
        "modified_at.after": after,
        "sort_by": "modified_at",
        "sort_ascending": "true",
        "limit": str(PAGE),
        "opt_fields": fields,
    }
    return SEARCHES[0].format(gid=quote(workspace_gid, safe="")), params


def task_counts_request(project_gid: str) -> tuple[str, dict[str, str]]:
    """How many tasks a project has. Dear, and with a limit of its own.

    https://developers.asana.com/reference/gettaskcountsforproject
    """
    return f"/projects/{quote(project_gid, safe='')}/task_counts", {"opt_fields": "num_tasks"}


def record_request(
    path_template: str, resource: str, gid: str, *, also: str = "", only: str = ""
) -> tuple[str, dict[str, str]]:
    """Path and query of a single record; `also` is one more field, of which no column is made, `only` the only one."""
    fields = only or ",".join(filter(None, (opt_fields(resource), also)))
    takes_fields = RESOURCES[resource].fields
    return path_template.format(gid=quote(gid, safe="")), {"opt_fields": fields} if takes_fields else {}


def events_request(resource_gid: str, sync: str | None) -> tuple[str, dict[str, str]]:
    """The next call of an event stream; without a token, the call that brings the first one.

    https://developers.asana.com/reference/getevents
    """
    return "/events", {"resource": resource_gid, **({"sync": sync} if sync else {})}


def webhooks_request(workspace_gid: str, offset: str | None, fields: str) -> tuple[str, dict[str, str]]:
    """One page of the webhooks that this token has made in a workspace.

    https://developers.asana.com/reference/getwebhooks
    """
    params = {"workspace": workspace_gid, "opt_fields": fields, "limit": str(PAGE)}
    return WEBHOOKS, {**params, **({"offset": offset} if offset else {})}


def webhook_path(gid: str) -> str:
    return f"{WEBHOOKS}/{quote(gid, safe='')}"


def creation(fields: Mapping[str, Any]) -> Verb:
    """Make a record with these fields."""
    return Verb("POST", orjson.dumps({"data": fields}))


def url(base_url: str, path: str, params: Mapping[str, str]) -> str:
    """The whole address. Put together here, once: httpx would parse and quote it three times."""
    if not params:
        return f"{base_url}{path}"
    return f"{base_url}{path}?{'&'.join(f'{name}={_quoted(value)}' for name, value in params.items())}"


@lru_cache(maxsize=256)
def _quoted(value: str) -> str:
    """Fields to ask for are long and few."""
    return quote_plus(value, safe=",.")


def endpoint_of(path: str, verb: Verb = READING) -> str:
    """The path with gids left out, for the ledger: `/tasks/{gid}/stories`, `POST /webhooks`."""
    endpoint = re.sub(r"/\d+(?=/|$)", "/{gid}", path)
    return endpoint if verb.reads else f"{verb.method} {endpoint}"


def endpoint_of_listing(listing: Listing) -> str:
    """The same for all lists of one kind."""
    return listing.path.partition("?")[0]


def read_body(body: bytes) -> Mapping[str, Any]:
    """Decode a JSON object. Raises WaitAndRepeat for what is not one: a cut body, a proxy's HTML page."""
    try:
        decoded = orjson.loads(body)
    except orjson.JSONDecodeError:
        decoded = _read_leniently(body)
    if not isinstance(decoded, dict):
        raise WaitAndRepeat("Asana's answer is not a JSON object.")
    return decoded


def _read_leniently(body: bytes) -> Any:
    """What is legal JSON but no text or number of ours must spoil its own record at most.

    Half of a surrogate pair becomes a question mark; numbers beyond 64 bits, NaN and infinity become text.
    """
    try:
        decoded = json.loads(body.decode("utf-8", "replace"))
        mended = json.dumps(decoded, ensure_ascii=False).encode("utf-8", "replace")
        return json.loads(mended, parse_constant=str, parse_int=_whole)
    except (ValueError, RecursionError):
        raise WaitAndRepeat("Asana's answer is broken JSON.") from None


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) < 19 else digits


def read_page(body: Mapping[str, Any]) -> Page:
    """The records of a list answer and the offset of the next page."""
    records = body.get("data")
    if not isinstance(records, list):
        raise WaitAndRepeat("Asana's answer has no list of records.")
    next_page = body.get("next_page")
    offset = next_page.get("offset") if isinstance(next_page, dict) else None
    return Page(records, str(offset) if offset else None)


def read_single(body: Mapping[str, Any]) -> Page:
    """The record of a single answer, as a list of one."""
    return Page([read_record(body)], None)


def read_record(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record of a single answer."""
    record = body.get("data")
    if not isinstance(record, dict):
        raise WaitAndRepeat("Asana's answer has no record.")
    return record


def read_events(body: Mapping[str, Any]) -> EventsPage:
    """The events of a call that can be understood, and the next token. Unknown kinds keep Asana's name."""
    sync = body.get("sync")
    if not sync:
        raise WaitAndRepeat("Asana's answer has no sync token.")
    told = body.get("data")
    events = [read_event(one) for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    return EventsPage([event for event in events if event], str(sync), body.get("has_more") is True)


def read_event(told: Mapping[str, Any]) -> Event | None:
    """One event, as a stream or a webhook tells it; None for what cannot be understood."""
    resource, parent, change = (_object(told.get(name)) for name in ("resource", "parent", "change"))
    gid, kind = resource.get("gid"), resource.get("resource_type") or told.get("type")
    if not gid or not isinstance(kind, str):
        return None
    above = parent.get("resource_type")
    field, at = change.get("field"), told.get("created_at")
    return Event(
        RESOURCE_OF.get(kind, kind),
        str(gid),
        str(told.get("action")),
        parent=RESOURCE_OF.get(above, above) if isinstance(above, str) else None,
        parent_gid=str(parent["gid"]) if parent.get("gid") else None,
        field=field if isinstance(field, str) else None,
        created_at=at if isinstance(at, str) and is_time(at) else None,
    )


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def links_followed(body: bytes) -> int:
    """A guess at what an answer cost: the records in it, and those that they lead to.

    https://developers.asana.com/docs/rate-limits#cost-limits
    """
    return body.count(b'"gid"')


def raise_refusal(status: int, headers: Mapping[str, str], body: bytes, *, paged: Paged = "no") -> None:
    """Raise what a status other than 2xx means.

    401 BadToken · 402, 403, 404, 451 and other 4xx CarryOnWithout · 412 SyncTokenExpired · 429 RateLimited ·
    5xx and anything else WaitAndRepeat · 400 on a page: OffsetExpired or ListTooLong.
    """
    if 200 <= status < 300:
        return
    message = _message(body) or f"HTTP {status}"
    if status == 401:
        raise BadToken(f"Asana refused the token: {message}")
    if status == 429:
        raise RateLimited(message, retry_after_s=retry_after_s(headers), status=status)
    if status == 412:
        sync = _sync_token(body)
        if sync:
            raise SyncTokenExpired(message, sync=sync)
    if status == 400 and paged != "no":
        # Words are the only way to tell these two apart; unclear ones count as a dead offset first.
        if _TOO_LONG.search(message) and not (paged == "later" and _OFFSET.search(message)):
            raise ListTooLong(message)
        if paged == "later":
            raise OffsetExpired(message)
    if 400 <= status < 500 and status not in (408, 425):
        raise CarryOnWithout(message, status=status)
    raise WaitAndRepeat(message, retry_after_s=retry_after_s(headers), status=status)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds of a `Retry-After` header (a number, or a date after the answer's own), or None."""
    text = headers.get("retry-after", "")
    try:
        return max(0.0, float(text)) if math.isfinite(float(text)) else None
    except ValueError:
        until, answered = _moment(text), _moment(headers.get("date", ""))
        return max(0.0, (until - answered).total_seconds()) if until and answered else None


def asked_at(headers: Mapping[str, str], elapsed_s: float, now: datetime) -> str:
    """Asana's clock when the request left, at the latest: its `Date`, less what the answer took.

    All that Asana had recorded by then is in the answer. Its clock counts, not this machine's; `now` stands in
    where there is no usable `Date`.
    """
    answered = _moment(headers.get("date", "")) or now
    return as_asana_writes((answered - timedelta(seconds=elapsed_s + 1)).replace(microsecond=0))


@lru_cache(maxsize=16)
def _moment(text: str) -> datetime | None:
    """A date of HTTP, in UTC; None for what is none, or cannot be reckoned with."""
    try:
        moment = parsedate_to_datetime(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC) if 1970 < moment.year < 9000 else None
    except (TypeError, ValueError, OverflowError):
        return None


def api_changes(headers: Iterable[tuple[str, str]]) -> tuple[ApiChange, ...]:
    """`Asana-Change: name=…;info=URL;affected=true` (it may repeat) and deprecation warnings.

    https://developers.asana.com/docs/deprecations
    """
    return tuple(
        _change(header.title(), part.strip())
        for header, value in headers
        if header.lower() in CHANGES
        for part in re.split(r",\s*(?=name=)", value)
    )


def _change(header: str, value: str) -> ApiChange:
    parts = dict(part.strip().split("=", 1) for part in value.split(";") if "=" in part)
    affected = parts.get("affected")
    return ApiChange(
        header,
        value,
        name=parts.get("name"),
        info=parts.get("info"),
        affected=None if affected is None else affected.lower() == "true",
    )


def _errors(body: bytes) -> Mapping[str, Any]:
    try:
        decoded = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _message(body: bytes) -> str:
    """Asana's own words, with the phrase its support asks for."""
    errors = _errors(body).get("errors")
    parts = []
    for error in errors if isinstance(errors, list) else []:
        if isinstance(error, dict):
            parts.append(str(error.get("message") or ""))
            if error.get("phrase"):
                parts.append(f"(phrase: {error['phrase']})")
    return " ".join(part for part in parts if part)


def _sync_token(body: bytes) -> str | None:
    sync = _errors(body).get("sync")
    return str(sync) if sync else None

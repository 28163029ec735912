"""Answers what only a service account may ask: the audit log, and the events of a whole organization."""

from __future__ import annotations

from collections.abc import Callable

from .asks import Ask, Refused, bad
from .audit import KIND
from .draw import iso, millis
from .pages import of_gids, page
from .plan_records import standing
from .reads import Answer, Reader, stream
from .render import Rec

ACTORS = ("user", "asana", "asana_support", "anonymous", "external_administrator")
EVENTS_PER_CALL = 1000


def _organization(ask: Ask) -> str:
    if not ask.identity.service:
        raise Refused(403, "Only service accounts may read this")
    return str(ask.rec("workspace")["gid"])


def _moment(ask: Ask, name: str) -> str | None:
    text = ask.query.get(name)
    try:
        return None if text is None else iso(millis(text))
    except ValueError:
        raise bad(f"{name}: Not a valid date or time: {text}") from None


def audit_log(ask: Ask) -> Answer:
    """Oldest first. Once anything fits, there is always a way on: events that come later are found there."""
    workspace = _organization(ask)
    kept = [rec["gid"] for rec in filter(_fits(ask), standing(ask.world, KIND, workspace))]
    listing = of_gids(ask, KIND, kept)
    listing.endless = True
    return page(ask, listing)


def _fits(ask: Ask) -> Callable[[Rec], bool]:
    query = ask.query
    start, end = _moment(ask, "start_at"), _moment(ask, "end_at")
    if query.get("actor_type") not in (None, *ACTORS):
        raise bad(f"actor_type: Not a valid type: {query['actor_type']}")
    wanted = {
        name: query[name]
        for name in ("event_type", "actor_type", "actor_gid", "resource_gid")
        if name in query
    }

    def fits(rec: Rec) -> bool:
        here = {
            "event_type": rec["event_type"],
            "actor_type": rec["actor"]["actor_type"],
            "actor_gid": rec["actor"].get("gid"),
            "resource_gid": rec["resource"].get("gid"),
        }
        in_time = (start is None or rec["created_at"] >= start) and (end is None or rec["created_at"] < end)
        return in_time and all(here[name] == value for name, value in wanted.items())

    return fits


def workspace_events(ask: Ask) -> Answer:
    return stream(ask, _organization(ask), EVENTS_PER_CALL)


ORG_READS: tuple[tuple[str, Reader, str | None], ...] = (
    ("/workspaces/{}/audit_log_events", audit_log, None),
    ("/workspaces/{}/events", workspace_events, None),
)

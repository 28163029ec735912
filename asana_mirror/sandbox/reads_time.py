"""Answers the reads of tracked time: entries, their categories, and the weeks that somebody approves."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .asks import Ask, bad
from .plan_records import standing
from .reads import Answer, Reader, single
from .reads_plan import Scope, day_in, flag_in, member_in, of_workspace, overlaps, paged, workspace_in
from .render import Rec

KIND = "time_tracking_entry"
STATUSES = ("draft", "submitted", "approved", "rejected")


def _answer(ask: Ask, recs: Iterable[Rec], first: str | None, last: str | None) -> Answer:
    """The entries of these days, with such fields as this world's lists have."""
    kept = [
        rec
        for rec in recs
        if (first is None or rec["entered_on"] >= first) and (last is None or rec["entered_on"] <= last)
    ]
    return paged(ask, f"{KIND}_documented" if ask.world.lists_only_documented_fields else KIND, kept)


def entries(ask: Ask) -> Answer:
    """All that is asked for must fit; of a whole workspace only with a date."""
    query = ask.query
    first, last = day_in(ask, "entered_on_start_date"), day_in(ask, "entered_on_end_date")
    places = [name for name in PLACES if name in query]
    if not places:
        raise bad(f"Must specify at least one of {', '.join(PLACES)}")
    if places == ["workspace"] and first is None and last is None:
        raise bad("workspace: Must specify at least one of entered_on_start_date and entered_on_end_date")
    found = [PLACES[name](ask) for name in places]
    others = [{rec["gid"] for rec in recs} for recs in found[1:]]
    recs = [rec for rec in found[0] if all(rec["gid"] in gids for gids in others)]
    return _answer(ask, recs, first, last)


def _of(name: str, kind: str) -> Callable[[Ask], list[Rec]]:
    return lambda ask: list(standing(ask.world, KIND, ask.rec(kind, ask.query[name])["gid"]))


def _of_portfolio(ask: Ask) -> list[Rec]:
    portfolio = ask.rec("portfolio", ask.query["portfolio"])
    items = portfolio.get("items", ())
    return [
        rec for item in items for rec in standing(ask.world, KIND, item) if rec["attributable_to"] == item
    ]


def _of_timesheet(ask: Ask) -> list[Rec]:
    week = ask.rec("timesheet_approval_status", ask.query["timesheet_approval_status"])
    return [
        rec
        for rec in standing(ask.world, KIND, week["user"])
        if rec["workspace"] == week["workspace"]
        and week["start_date"] <= rec["entered_on"] <= week["end_date"]
    ]


PLACES: dict[str, Callable[[Ask], list[Rec]]] = {
    "task": _of("task", "task"),
    "attributable_to": _of("attributable_to", "project"),
    "portfolio": _of_portfolio,
    "user": _of("user", "user"),
    "timesheet_approval_status": _of_timesheet,
    "workspace": _of("workspace", "workspace"),
}


def entries_of_task(ask: Ask) -> Answer:
    return _answer(ask, standing(ask.world, KIND, ask.rec("task")["gid"]), None, None)


def entries_of_category(ask: Ask) -> Answer:
    category = ask.rec("time_tracking_category")
    recs = standing(ask.world, KIND, category["workspace"])
    found = [rec for rec in recs if category["gid"] in rec["categories"]]
    return _answer(ask, found, day_in(ask, "start_date"), day_in(ask, "end_date"))


def _archived(ask: Ask) -> Callable[[Rec], bool]:
    wanted = flag_in(ask, "is_archived") or False
    return lambda rec: rec["is_archived"] == wanted


def timesheets(ask: Ask) -> Answer:
    workspace = workspace_in(ask)
    user = member_in(ask, "user", workspace) if "user" in ask.query else None
    first, last = day_in(ask, "from_date"), day_in(ask, "to_date")
    wanted = [name.strip() for name in ask.query.get("approval_statuses", ",".join(STATUSES)).split(",")]
    if not set(wanted) <= set(STATUSES):
        raise bad(f"approval_statuses: Expected some of {', '.join(STATUSES)}")
    recs = standing(ask.world, "timesheet_approval_status", workspace)
    kept = [
        rec
        for rec in recs
        if user in (None, rec["user"])
        and overlaps(rec, first, last)
        and rec["approval_status"].lower() in wanted
    ]
    return paged(ask, "timesheet_approval_status", kept)


TIME_READS: tuple[tuple[str, Reader, Scope], ...] = (
    ("/time_tracking_entries", entries, "time_tracking_entries:read"),
    ("/time_tracking_entries/{}", single(KIND), "time_tracking_entries:read"),
    ("/tasks/{}/time_tracking_entries", entries_of_task, "time_tracking_entries:read"),
    (
        "/time_tracking_categories/{}/time_tracking_entries",
        entries_of_category,
        "time_tracking_categories:read",
    ),
    (
        "/time_tracking_categories",
        of_workspace("time_tracking_category", _archived),
        "time_tracking_categories:read",
    ),
    ("/time_tracking_categories/{}", single("time_tracking_category"), "time_tracking_categories:read"),
    ("/timesheet_approval_statuses", timesheets, "timesheet_approval_statuses:read"),
    (
        "/timesheet_approval_statuses/{}",
        single("timesheet_approval_status"),
        "timesheet_approval_statuses:read",
    ),
)

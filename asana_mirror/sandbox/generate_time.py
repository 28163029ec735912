"""Makes the tracked time of a world: as many minutes on each task as the task says it took."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta

from . import names
from .draw import DAY_MS, day, iso, millis
from .plan_records import Planner
from .render import Rec

CATEGORIES = (  # name, color, archived
    ("Development", "blue", False),
    ("Meetings 🗣️", "yellow-orange", False),
    ("سفر", "none", False),
    ("Support", "hot-pink", True),
)
STATUSES = ("DRAFT", "SUBMITTED", "APPROVED", "REJECTED")


def add_time(planner: Planner) -> None:
    for name, color, archived in CATEGORIES:
        fields = {"workspace": planner.org, "name": name, "color": color, "is_archived": archived}
        planner.add("time_tracking_category", **fields)
    weeks: dict[tuple[str, date], list[Rec]] = defaultdict(list)
    for gid in planner.world.tasks:
        task = planner.world.records[gid]
        for minutes in _portions(planner, task.get("actual_time_minutes")):
            entry = _add_entry(planner, task, minutes)
            if entry["workspace"] == planner.org:
                weeks[entry["created_by"], monday(entry["entered_on"])].append(entry)
    _add_timesheets(planner, weeks)


def monday(day_text: str) -> date:
    """The day on which a day's week begins."""
    found = date.fromisoformat(day_text)
    return found - timedelta(days=found.weekday())


def _portions(planner: Planner, minutes: int | None) -> list[int]:
    """Two to six positive numbers that make up the whole."""
    if not minutes:
        return []
    rng = planner.rng
    cuts = sorted(rng.sample(range(1, minutes), rng.randint(1, min(5, minutes - 1))))
    return [end - start for start, end in zip([0, *cuts], [*cuts, minutes], strict=True)]


def _add_entry(planner: Planner, task: Rec, minutes: int) -> Rec:
    world, rng = planner.world, planner.rng
    entered = millis(task["created_at"]) + rng.randrange(60) * DAY_MS
    categories = world.inside["time_tracking_category", task["workspace"]]
    homes = [project for project, _ in task.get("memberships", ())]
    return planner.add(
        "time_tracking_entry",
        workspace=task["workspace"],
        task=task["gid"],
        duration_minutes=minutes,
        entered_on=day(entered),
        created_at=iso(entered),
        created_by=rng.choice(list(world.members[task["workspace"]])),
        attributable_to=rng.choice(homes) if homes else None,
        categories=[rng.choice(categories)] if categories and rng.random() < 0.7 else [],
        billable_status=rng.choice(("billable", "billable", "nonBillable", "notApplicable")),
        approval_status="DRAFT",
        description=rng.choice(names.REMARKS) if rng.random() < 0.5 else "",
    )


def _add_timesheets(planner: Planner, weeks: dict[tuple[str, date], list[Rec]]) -> None:
    """Every third week with entries was handed in, which its entries tell as well, and one without any."""
    for k, ((user, first), entries) in enumerate(sorted(weeks.items())):
        if k % 3 == 0:
            timesheet = _add_timesheet(planner, user, first, STATUSES[k // 3 % 4])
            for entry in entries:
                entry["approval_status"] = timesheet["approval_status"]
    _add_timesheet(planner, planner.people[0], date(2025, 12, 22), "DRAFT")


def _add_timesheet(planner: Planner, user: str, first: date, status: str) -> Rec:
    return planner.add(
        "timesheet_approval_status",
        workspace=planner.org,
        user=user,
        start_date=first.isoformat(),
        end_date=(first + timedelta(days=6)).isoformat(),
        approval_status=status,
        created_at=f"{first.isoformat()}T08:00:00.000Z",
    )

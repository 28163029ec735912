"""Edits of plans at random, in words: one call is one change as somebody in an office makes it."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta

from . import change_places, change_time, names
from . import change_plan as plans
from .asks import Refused
from .audit import CATEGORIES
from .plan_records import standing
from .render import Rec
from .telling import tell_changed, touch
from .world import World


def change_plan(world: World, rng: random.Random) -> str:
    """Create, change, move, archive, decide or delete one thing, and say what was done."""
    planning = _Planning(world, rng)
    for _ in range(200):
        edit: Callable[[], str] = getattr(planning, rng.choices(tuple(KINDS), tuple(KINDS.values()))[0])
        try:
            return edit()
        except (Refused, LookupError):  # not every lot fits: nothing is left to delete, a budget is there
            continue
    raise LookupError("plans")


class _Planning:
    """Picks who does what; each public method is one kind of edit and says what it did."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self.world = world
        self.rng = rng
        self.org = world.workspaces[0]

    def by(self) -> str:
        return self.rng.choice(list(self.world.members[self.org]))

    def project(self) -> Rec:
        return self.rng.choice(self.world.living(self.world.inside["project", self.org]))

    def task(self) -> Rec:
        return self.rng.choice(self.world.living(self.rng.sample(self.world.tasks, 50)))

    def day(self) -> date:
        return date(2026, 1, 5) + timedelta(days=self.rng.randrange(300))

    def words(self) -> str:
        return f"{self.rng.choice(names.REMARKS)} {self.rng.randrange(10**6)}"

    def _any(self, kind: str, *owners: str) -> Rec:
        found = [rec for owner in owners for rec in standing(self.world, kind, owner)]
        return self.rng.choice(found)

    def _on_projects(self, kind: str) -> Rec:
        return self._any(kind, *self.world.inside["project", self.org])

    # -- time -----------------------------------------------------------------------------------------

    def entry_new(self) -> str:
        task = self.task()
        given: Rec = {
            "duration_minutes": self.rng.randrange(1, 500),
            "entered_on": self.day().isoformat(),
            "description": self.words(),
            "billable_status": self.rng.choice(change_time.BILLABLE),
        }
        rec = change_time.create_entry(self.world, self.by(), task, given)
        return f"tracked time on task {task['gid']}: entry {rec['gid']}"

    def entry_change(self) -> str:
        rec = self._any("time_tracking_entry", self.org)
        open_ones = [
            c["gid"] for c in standing(self.world, "time_tracking_category", self.org) if not c["is_archived"]
        ]
        given: Rec = self.rng.choice(
            (
                {"duration_minutes": self.rng.randrange(1, 500)},
                {"entered_on": self.day().isoformat()},
                {"description": self.words()},
                {"attributable_to": self.project()["gid"]},
                {"categories": open_ones[:1] if not rec["categories"] else []},
            )
        )
        change_time.update_entry(self.world, self.by(), rec, given)
        return f"changed {', '.join(given)} of time tracking entry {rec['gid']}"

    def entry_gone(self) -> str:
        rec = self._any("time_tracking_entry", self.org)
        change_time.trash_entry(self.world, self.by(), rec)
        return f"deleted time tracking entry {rec['gid']}"

    def category(self) -> str:
        """Make, rename, archive or delete one."""
        lot = self.rng.random()
        if lot < 0.3:
            given = {"workspace": self.org, "name": f"Category {self.rng.randrange(10**6)}", "color": "aqua"}
            rec = change_time.create_category(self.world, self.by(), given)
            return f"created time tracking category {rec['gid']}"
        rec = self._any("time_tracking_category", self.org)
        if lot < 0.4:
            change_time.trash_category(self.world, self.by(), rec)
            return f"deleted time tracking category {rec['gid']}"
        change: Rec = self.rng.choice(
            ({"is_archived": not rec["is_archived"]}, {"name": f"Renamed {self.rng.randrange(10**6)}"})
        )
        change_time.update_category(self.world, self.by(), rec, change)
        return f"changed {', '.join(change)} of time tracking category {rec['gid']}"

    def timesheet_new(self) -> str:
        first = date(2026, 1, 5) + timedelta(weeks=self.rng.randrange(50))
        given = {"workspace": self.org, "user": self.by(), "start_date": first.isoformat()}
        given["end_date"] = (first + timedelta(6)).isoformat()
        rec = change_time.create_timesheet(self.world, self.by(), given)
        return f"created timesheet approval status {rec['gid']}"

    def timesheet_change(self) -> str:
        rec = self._any("timesheet_approval_status", self.org)
        wanted = self.rng.choice(change_time.TRANSITIONS[rec["approval_status"]])
        change_time.update_timesheet(self.world, self.by(), rec, {"approval_status": wanted})
        return f"timesheet approval status {rec['gid']} is now {wanted}"

    # -- capacity and money ---------------------------------------------------------------------------

    def allocation_new(self) -> str:
        first = self.day()
        holders = [rec["gid"] for rec in standing(self.world, "placeholder", self.org)]
        given: Rec = {
            "parent": self.project()["gid"],
            "assignee": self.rng.choice([*holders, self.by()]),
            "start_date": first.isoformat(),
            "end_date": (first + timedelta(days=20)).isoformat(),
            "effort": self.rng.choice((None, {"type": "hours", "value": 12.5})),
        }
        rec = plans.create_allocation(self.world, self.by(), given)
        return f"created allocation {rec['gid']} on project {rec['parent']}"

    def allocation_change(self) -> str:
        rec = self._on_projects("allocation")
        given: Rec = self.rng.choice(
            (
                {"assignee": self.by()},
                {"parent": self.project()["gid"]},
                {"effort": None},
                {"effort": {"type": "percent", "value": self.rng.randrange(100)}},
                {"end_date": self.day().isoformat()},
            )
        )
        plans.update_allocation(self.world, self.by(), rec, given)
        return f"changed {', '.join(given)} of allocation {rec['gid']}"

    def allocation_gone(self) -> str:
        return self._gone(self._on_projects("allocation"))

    def _gone(self, rec: Rec) -> str:
        plans.gone(self.world, self.by(), rec)
        return f"deleted {rec['resource_type'].replace('_', ' ')} {rec['gid']}"

    def budget_new(self) -> str:
        given: Rec = {"parent": self.project()["gid"], "budget_type": self.rng.choice(("cost", "time"))}
        given["total"] = {"enabled": True, "value": self.rng.randrange(10**5)}
        rec = plans.create_budget(self.world, self.by(), given)
        return f"created budget {rec['gid']} of project {rec['parent']}"

    def budget_change(self) -> str:
        rec = self._on_projects("budget")
        given: Rec = self.rng.choice(
            (
                {"budget_type": "time" if rec["budget_type"] == "cost" else "cost"},
                {"total": {"enabled": not rec["total"]["enabled"], "value": self.rng.randrange(10**5)}},
                {"estimate": {"enabled": True, "source": "tasks"}},
                {"estimate": {"enabled": False, "source": "none"}},
                {"actual": {"billable_status_filter": self.rng.choice(plans.FILTERS)}},
            )
        )
        plans.update_budget(self.world, self.by(), rec, given)
        return f"changed {', '.join(given)} of budget {rec['gid']}"

    def budget_gone(self) -> str:
        return self._gone(self._on_projects("budget"))

    def rate_new(self) -> str:
        given = {"parent": self.project()["gid"], "resource": self.by(), "rate": self.rng.randrange(200) / 2}
        rec = plans.create_rate(self.world, self.by(), given)
        return f"created rate {rec['gid']} of project {rec['parent']}"

    def rate_change(self) -> str:
        rec = self._on_projects("rate")
        plans.update_rate(self.world, self.by(), rec, {"rate": self.rng.randrange(200) / 2})
        return f"changed rate {rec['gid']}"

    def rate_gone(self) -> str:
        return self._gone(self._on_projects("rate"))

    # -- people ---------------------------------------------------------------------------------------

    def role(self) -> str:
        """Make, change or delete a custom one."""
        if self.rng.random() < 0.4:
            given: Rec = {
                "workspace": self.org,
                "name": f"Role {self.rng.randrange(10**6)}",
                "description": "",
            }
            given |= {"base_role_type": "member", "permissions": {"create_goal": True}}
            return f"created role {plans.create_role(self.world, self.by(), given)['gid']}"
        rec = self._any("role", self.org)
        if self.rng.random() < 0.3:
            plans.trash_role(self.world, self.by(), rec)
            return f"deleted role {rec['gid']}"
        change = {"description": self.words(), "permissions": {"create_team": self.rng.random() < 0.5}}
        plans.update_role(self.world, self.by(), rec, change)
        return f"changed role {rec['gid']}"

    def absence(self) -> str:
        """Announce, move or take back one."""
        first = self.day()
        days = {"start_date": first.isoformat(), "end_date": (first + timedelta(days=6)).isoformat()}
        if self.rng.random() < 0.4:
            given = {"workspace": self.org, "user": self.by(), **days}
            return f"created ooo entry {plans.create_absence(self.world, self.by(), given)['gid']}"
        rec = self._any("ooo_entry", *self.world.members[self.org])
        if self.rng.random() < 0.3:
            return self._gone(rec)
        plans.update_absence(self.world, self.by(), rec, days)
        return f"moved ooo entry {rec['gid']}"

    def access(self) -> str:
        """Ask for access, or decide on what somebody asked."""
        projects = self.world.living(self.world.inside["project", self.org])
        portfolios = self.world.living(self.world.inside["portfolio", self.org])
        private = [rec for rec in projects if rec.get("privacy_setting") == "private"]
        private += [rec for rec in portfolios if rec.get("privacy_setting") == "members_only"]
        if self.rng.random() < 0.8:
            given = {"target": self.rng.choice(private)["gid"], "message": self.words()}
            rec = plans.request_access(self.world, self.by(), given)
            return f"user {rec['requester']} asked for access to {rec['target']}: request {rec['gid']}"
        waiting = [
            rec
            for place in private
            for rec in standing(self.world, "access_request", place["gid"])
            if rec["approval_status"] == "pending"
        ]
        request, approved = self.rng.choice(waiting), self.rng.random() < 0.5
        plans.decide(self.world, self.by(), request, approved)
        return f"{'approved' if approved else 'rejected'} access request {request['gid']}"

    # -- custom types, My Tasks, favorites, the audit log -----------------------------------------------

    def custom_type(self) -> str:
        """Rename it or one of its statuses, make a status, or let a project have the type or not."""
        rec, lot = self._any("custom_type", self.org), self.rng.random()
        if lot < 0.3:
            rec["name"] = f"Type {self.rng.randrange(10**6)}"
            return f"renamed custom type {rec['gid']}"
        if lot < 0.6:
            project = self.project()
            held = project.get("custom_types", [])
            gone = rec["gid"] in held
            project["custom_types"] = (
                [gid for gid in held if gid != rec["gid"]] if gone else [*held, rec["gid"]]
            )
            return f"custom type {rec['gid']} {'left' if gone else 'came to'} project {project['gid']}"
        if lot < 0.8:
            return f"added {plans.add_status(self.world, rec, self.words(), 'Incomplete')} to {rec['gid']}"
        option = self.world.records[self.rng.choice(rec["status_options"] or [])]
        option |= {"enabled": not option["enabled"], "color": self.rng.choice(names.OPTION_COLORS)}
        return f"changed custom type status option {option['gid']}"

    def custom_status(self) -> str:
        """Give a task of a custom type another status."""
        tasks = [rec for rec in self.world.living(self.world.tasks) if rec.get("custom_type")]
        task = self.rng.choice(tasks)
        options = self.world.records[task["custom_type"]]["status_options"]
        task["custom_type_status_option"] = self.rng.choice(options)
        touch(self.world, task)
        tell_changed(self.world, self.by(), task, "custom_type_status_option")
        return f"set the custom status of task {task['gid']}"

    def my_section(self) -> str:
        """A new section in My Tasks, a new name for one, or an empty one less."""
        world, listed = self.world, self.world.inside["section", self._my_list()]
        name = f"Mine {self.rng.randrange(10**6)}"
        if self.rng.random() < 0.5 and listed:
            section = world.records[self.rng.choice(listed)]
            change_places.rename_section(world, world.me, section, name)
            return f"renamed section {section['gid']} of My Tasks"
        used = {world.records[gid].get("assignee_section") for gid in world.assigned[world.me, self.org]}
        empty = [gid for gid in listed if gid not in used]
        if empty and self.rng.random() < 0.5:
            listed.remove(empty[0])
            world.records[empty[0]]["trashed"] = empty[0]
            return f"deleted section {empty[0]} of My Tasks"
        place = {"project": None, "owner": world.me, "workspace": self.org}
        section = world.put("section", name=name, created_at=world.now(), tasks=[], **place)
        listed.append(section["gid"])
        return f"created section {section['gid']} of My Tasks"

    def _my_list(self) -> str:
        return str(self.world.user_task_list(self.world.me, self.org)["gid"])

    def favorite(self) -> str:
        """Put something into the own user's sidebar, take it out, or move it to the top."""
        held = self.world.favorites[self.world.me, self.org]
        other = self.rng.choice((self.project(), self.task(), self._a_tag()))["gid"]
        if held and self.rng.random() < 0.5:
            other = self.rng.choice(held)
        moved = other in held and self.rng.random() < 0.5
        gone = other in held and not moved
        if other in held:
            held.remove(other)
        if not gone:
            held.insert(0, other)
        return f"{'unmarked' if gone else 'moved' if moved else 'marked'} favorite {other}"

    def _a_tag(self) -> Rec:
        return self.rng.choice(self.world.living(self.world.inside["tag", self.org]))

    def audit(self) -> str:
        kind = self.rng.choice(tuple(CATEGORIES))
        rec = self.world.log_audit(kind, actor=self.by(), resource=self.project()["gid"])
        return f"logged {kind}: audit log event {rec['gid']}"


OTHERS = ("by", "project", "task", "day", "words")  # what makes no edit
KINDS = {  # and how often each comes: deleting less often than making, so that there is always something
    name: 1 if name.endswith("_gone") else 2
    for name in vars(_Planning)
    if not name.startswith("_") and name not in OTHERS
}

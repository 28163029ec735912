"""How many pages a complete first reading has to ask for, counted from a world's records and never from what it serves.

A list without records costs a page, and so does one that is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from .plan_records import standing
from .reads_plan import FAVORITES
from .render import Rec
from .shape_status import reactions_of
from .sharing import memberships_of
from .standing import below

if TYPE_CHECKING:
    from .world import World

COLLECTIONS = {  # kind: the list of each workspace
    "agent": "agents",
    "team": "teams",
    "tag": "tags",
    "custom_field": "custom_fields",
    "project": "projects",
    "project_template": "project_templates",
    "role": "roles",
    "time_period": "time_periods",
    "time_tracking_entry": "time_tracking_entries",
    "timesheet_approval_status": "timesheet_approval_statuses",
}
OF_PROJECTS = {
    "project_portfolio_setting": "project_portfolio_settings",
    "task_template": "task_templates",
    "allocation": "allocations",
    "rate": "rates",
}


class FirstReading:
    """Pages by kind of listing, as the world's first token would read them."""

    def __init__(self, world: World, limit: int) -> None:
        self.world = world
        self._limit = limit
        self._me = world.identities[world.token]
        self._sees = world.view().sees or (lambda rec: True)
        self._projects = list(world.truth.existing("projects"))

    def pages(self) -> dict[str, int]:
        world = self.world
        found = {"workspaces": self._page(len(world.workspaces)), "events": len(self._projects)}
        found |= self._in_workspaces()
        found |= self._on_people()
        found |= self._in_projects()
        found |= self._below_tasks()
        portfolios, goals = self._portfolios(), [*world.truth.existing("goals")]
        found |= self._in_portfolios(portfolios)
        found |= self._in_goals(goals)
        found |= self._in_updates([*self._projects, *portfolios, *goals])
        found |= self._of_definitions()
        found["story_reactions"] = self._reactions(self._stories(goals))
        return found

    def _page(self, count: int) -> int:
        return max(1, -(-count // self._limit))

    def _total(self, counts: Iterable[int]) -> int:
        return sum(map(self._page, counts))

    def _seen(self, gids: Iterable[str]) -> int:
        return sum(bool(self._sees(rec)) for rec in self.world.living(gids))

    # -- workspaces and who is in them ----------------------------------------------------------------

    def _in_workspaces(self) -> dict[str, int]:
        world, places = self.world, self.world.workspaces
        found = {
            name: self._total(sum(self._listed(kind, place)) for place in places)
            for kind, name in COLLECTIONS.items()
        }
        found["users"] = self._total(len(world.members[place]) for place in places)
        found["workspace_memberships"] = found["users"]
        categories = [list(standing(world, "time_tracking_category", place)) for place in places]
        for name, is_archived in (
            ("time_tracking_categories", False),
            ("archived_time_tracking_categories", True),
        ):
            found[name] = self._total(
                sum(rec["is_archived"] == is_archived for rec in recs) for recs in categories
            )
        found["goals"] = self._total(sum(self._listed("goal", place)) for place in places)
        found["webhooks"] = self._total(self._webhooks(place) for place in places)
        found["audit_log"] = self._total(self._log(place) for place in places)
        found |= self._own(world.workspaces_of(self._me.user))
        found["portfolios"] = sum(map(self._lists_of_portfolios, places))
        return found

    def _listed(self, kind: str, place: str) -> Iterator[bool]:
        for gid in self.world.inside.get((kind, place), ()):
            rec = self.world.find(gid)
            yield rec is not None and bool(self._sees(rec))

    def _webhooks(self, place: str) -> int:
        return sum(hook.workspace == place for hook in self.world.hooks.of_token(self.world.token))

    def _log(self, place: str) -> int:
        """Only a service account is shown it, and finds behind its end a page without events."""
        events = sum(self._listed("audit_log_event", place)) if self._me.service else 0
        return events + self._limit if events else 0

    def _own(self, places: list[str]) -> dict[str, int]:
        """What belongs to the token's user alone."""
        world, me = self.world, self._me.user
        lists = [world.user_task_list(me, place)["gid"] for place in places]
        kinds = [
            [world.records[gid]["resource_type"] for gid in world.favorites.get((me, place), ())]
            for place in places
        ]
        return {
            "own_task_lists": len(lists),
            "own_sections": self._total(
                len(world.living(world.inside.get(("section", gid), ()))) for gid in lists
            ),
            "favorites": self._total(named.count(kind) for named in kinds for kind in FAVORITES),
        }

    def _on_people(self) -> dict[str, int]:
        world = self.world
        persons = [(user, place) for place in world.workspaces for user in world.members[place]]
        agents = [
            (rec["gid"], place)
            for place in world.workspaces
            for rec in world.living(world.inside["agent", place])
        ]
        absences = (
            sum(rec["workspace"] == place for rec in standing(world, "ooo_entry", user))
            for user, place in persons
        )
        teams = world.truth.existing("teams")
        tags = world.truth.existing("tags")
        return {
            "ooo_entries": self._total(absences),
            "assigned_tasks": self._total(
                len(world.living(world.assigned[one])) for one in (*persons, *agents)
            ),
            "tag_tasks": self._total(len(world.living(world.tagged[tag["gid"]])) for tag in tags),
            "team_memberships": self._total(len(world.team_members[team["gid"]]) for team in teams),
        }

    # -- what is read of projects, portfolios, goals --------------------------------------------------

    def _in_projects(self) -> dict[str, int]:
        world, projects = self.world, self._projects
        found = {
            name: self._total(len(below(world, kind, project["gid"])) for project in projects)
            for kind, name in OF_PROJECTS.items()
        }
        found["sections"] = self._total(len(world.living(rec.get("sections", ()))) for rec in projects)
        found["project_tasks"] = self._total(len(world.project_order(rec["gid"])) for rec in projects)
        found["project_attachments"] = self._total(map(world.attachment_count, projects))
        statuses = [len(below(world, "status_update", rec["gid"])) for rec in projects]
        found["project_statuses"] = self._total(statuses)
        found["project_memberships"] = self._memberships(projects)
        found["project_custom_types"] = self._total(len(rec.get("custom_types", ())) for rec in projects)
        found["budgets"] = found["project_access_requests"] = len(projects)  # they come in one
        briefs = [gid for rec in projects for gid in below(world, "project_brief", rec["gid"])[:1]]
        found["project_briefs"] = len(briefs)
        found["brief_attachments"] = self._total(world.attachment_count(world.records[gid]) for gid in briefs)
        return found

    def _memberships(self, parents: Iterable[Rec]) -> int:
        return self._total(sum(1 for _ in memberships_of(self.world, parent)) for parent in parents)

    def _lists_of_portfolios(self, place: str) -> int:
        """A person has to be refused the list of all, and then is shown only what that person owns."""
        portfolios = [self.world.records[gid] for gid in self.world.inside.get(("portfolio", place), ())]
        if self._me.service:
            return self._page(self._seen(rec["gid"] for rec in portfolios))
        own = self._seen(rec["gid"] for rec in portfolios if rec["owner"] == self._me.user)
        return 1 if self.world.plan == "free" else 1 + self._page(own)

    def _portfolios(self) -> list[Rec]:
        """Those that are listed, and all that are met among favorites or as items of others."""
        world, me = self.world, self._me.user
        seen = {rec["gid"]: rec for rec in world.truth.existing("portfolios")}
        waiting = [gid for gid, rec in seen.items() if self._is_listed(rec)]
        waiting += [gid for place in world.workspaces_of(me) for gid in world.favorites.get((me, place), ())]
        met: dict[str, Rec] = {}
        while waiting:
            gid = waiting.pop()
            if gid in seen and gid not in met:
                met[gid] = seen[gid]
                waiting += seen[gid]["items"]
        return list(met.values())

    def _is_listed(self, portfolio: Rec) -> bool:
        return self._me.service or bool(portfolio["owner"] == self._me.user)

    def _in_portfolios(self, portfolios: list[Rec]) -> dict[str, int]:
        return {
            "portfolios_one_by_one": sum(not self._is_listed(rec) for rec in portfolios),
            "portfolio_items": self._total(self._seen(rec["items"]) for rec in portfolios),
            "portfolio_memberships": self._memberships(portfolios),
            "portfolio_access_requests": len(portfolios),  # they come in one
        }

    def _in_goals(self, goals: list[Rec]) -> dict[str, int]:
        world = self.world
        return {
            "goal_relationships": self._total(
                len(below(world, "goal_relationship", goal["gid"])) for goal in goals
            ),
            "goal_stories": self._total(len(world.stories(goal)) for goal in goals),
            "goal_memberships": self._memberships(goals),
        }

    def _in_updates(self, parents: list[Rec]) -> dict[str, int]:
        world = self.world
        updates = [below(world, "status_update", parent["gid"]) for parent in parents]
        return {
            "status_updates": self._total(map(len, updates)),
            "status_update_reactions": self._reactions(
                world.records[gid] for gids in updates for gid in gids
            ),
        }

    def _of_definitions(self) -> dict[str, int]:
        """Who shares custom fields, those of a single place as well, and the custom types of projects."""
        world = self.world
        fields = list(world.truth.existing("custom_fields"))
        types = {gid for rec in self._projects for gid in rec.get("custom_types", ())}
        return {
            "custom_field_memberships": self._memberships(fields),
            "custom_type_memberships": self._memberships(world.living(types)),
        }

    # -- tasks and what is said of them ---------------------------------------------------------------

    def _below_tasks(self) -> dict[str, int]:
        world = self.world
        found = {"subtasks": 0, "stories": 0, "task_attachments": 0}
        for gid in world.reachable_tasks():
            task = world.records[gid]
            below_it = len(world.living(task.get("subtasks", ())))
            found["subtasks"] += self._page(below_it) if below_it else 0
            found["stories"] += self._page(world.story_count(task))
            found["task_attachments"] += self._page(world.attachment_count(task))
        return found

    def _stories(self, goals: list[Rec]) -> Iterator[Rec]:
        for gid in self.world.reachable_tasks():
            yield from self.world.stories(self.world.records[gid])
        for goal in goals:
            yield from self.world.stories(goal)

    def _reactions(self, targets: Iterable[Rec]) -> int:
        """A list for each emoji with which anybody has reacted, variants together."""
        return self._total(
            len(reactions_of(target, base))
            for target in targets
            for base in dict.fromkeys(base for (base, _), who in target.get("reactions", {}).items() if who)
        )

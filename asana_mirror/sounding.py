"""Asks Asana the little that an estimate of a first walk needs: who is there, and a sample of how much is below."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from typing import Any

from asana_mirror.catalog import LISTINGS, Listing, listings_below
from asana_mirror.client import Asana
from asana_mirror.contact import check_places, first_contact
from asana_mirror.errors import CarryOnWithout, StartOver, WaitAndRepeat
from asana_mirror.estimate import Estimate, Expected, SampledProject, SampledTree, evenly, expected
from asana_mirror.plan import PAGE, opened_by, pages, wanted
from asana_mirror.search_lanes import LEAST_OF, SAMPLE
from asana_mirror.wire import gids_request, search_request, task_counts_request
from asana_mirror.words import Scope, Step, step_named

MOST_PROJECTS = MOST_PERSONS = 10  # looked at by themselves; more than these are reckoned from them
MOST_TREES = 50  # tasks with subtasks of which all below is counted
MOST_PORTFOLIOS = 20  # asked for what is in them, which may be portfolios of others
MOST_COMMENTED = 20  # tasks of which the reactions to comments are counted
MOST_LISTS = 150  # of subtasks: no further tree is begun
SAMPLED = ("project_tasks",)  # a list of these is no measure of another
WHY = "new"


class Sounding:
    """Counts what it can and reckons the rest."""

    def __init__(self, asana: Asana, scope: Scope, estimate: Estimate, *, searches: bool = False) -> None:
        self._asana = asana
        self._scope = scope
        self._estimate = estimate
        self._searches = searches  # whether the run would search where it may
        self._searchable: list[str] = []  # workspaces
        self._persons: list[tuple[str, str]] = []  # gid and workspace

    async def sound(self) -> None:
        """Raises what keeps a run from beginning: a bad token, a place that it does not see."""
        answers = await first_contact(self._asana, self._scope)
        await check_places(self._asana, self._scope)
        if self._scope.in_places:
            projects = set(self._scope.projects)
            for gid in self._scope.teams:
                projects.update(await self._gids(step_named("team_projects", gid)))
                self._add("team_memberships", 1)
            places = {
                "workspaces": 1,
                "teams": 2 * len(self._scope.teams),
                "projects": 2 * len(self._scope.projects),
            }
            for resource, count in places.items():
                self._estimate.add(f"{resource}, one by one", WHY, lists=count)
        else:
            self._add("workspaces", len(answers))
            seen = {
                str(one["gid"])
                for answer in answers
                for one in answer.content.records
                if isinstance(one, dict)
            }
            projects = set()
            for gid in sorted(seen & set(self._scope.workspaces) if self._scope.workspaces else seen):
                projects |= await self._workspace(gid)
        await self._projects(sorted(projects))

    async def _workspace(self, gid: str) -> set[str]:
        """The lists of a workspace, read for their gids; returns its projects."""
        if self._searches and await self._search(gid, is_subtask="true") is not None:
            self._searchable.append(gid)
        found: dict[str, list[str]] = {}
        favorites: list[str] = []  # portfolios
        for listing in listings_below("workspaces"):
            if wanted(listing, self._scope) and not listing.on_demand:
                shown = await self._shown(listing, gid)
                found.setdefault(listing.resource, []).extend(shown)
                favorites += shown if listing.kept and listing.kept.only == "portfolio" else []
        persons = [*found.get("users", ()), *found.get("agents", ())]
        self._persons += [(person, gid) for person in persons]
        self._add("assigned_tasks", len(persons))
        for resource in sorted(found.keys() - {"projects", "portfolios"}):
            self._below(resource, len(found[resource]))
        if "portfolios" in found:
            await self._portfolios(found["portfolios"], favorites)
        return set(found.get("projects", ()))

    async def _shown(self, listing: Listing, workspace_gid: str) -> list[str]:
        """Who is in a list of a workspace, or in the one that is read where it is refused."""
        if listing.log:  # as long as its time is, and nothing stands below it
            self._add(listing.name, 1)
            return []
        shown = await self._gids(step_named(listing.name, workspace_gid))
        if shown or listing.instead is None:
            return shown
        return await self._gids(step_named(listing.instead, workspace_gid))

    async def _portfolios(self, listed: list[str], favorites: list[str]) -> None:
        """Those that are listed, and others that are met among favorites or inside them."""
        met = list(dict.fromkeys([*listed, *favorites]))
        for place, gid in enumerate(met):  # which grows meanwhile
            if place == MOST_PORTFOLIOS:
                self._estimate.remark(
                    f"Only {MOST_PORTFOLIOS} portfolios were asked for what is in them.", lower_bound=True
                )
                break
            items = await self._first_page(step_named("portfolio_items", gid), "gid")
            inside = (str(item["gid"]) for item in items if item.get("resource_type") == "portfolio")
            met += [one for one in dict.fromkeys(inside) if one not in met]
        self._add("portfolio_itself", len(met) - len(listed))
        self._below("portfolios", len(met))

    def _below(self, resource: str, count: int) -> None:
        """A list for each record, of the kinds that no sample need be taken for."""
        for listing in opened_by(resource):
            if listing.below == resource and listing.opens is None and listing.name not in SAMPLED:
                self._add(listing.name, count)

    async def _projects(self, gids: list[str]) -> None:
        """What stands in projects: a few are counted, and stand for all."""
        self._below("projects", len(gids))
        if any(wanted(listing, self._scope) for listing in listings_below("projects") if listing.events):
            self._estimate.add("events", "its first token", lists=len(gids))
        if not wanted(LISTINGS["project_tasks"], self._scope):
            return
        chosen = evenly(gids, MOST_PROJECTS)
        sample, parents, tasks = [], [], []
        for project, shown in zip(
            chosen, await self._together(self._tasks_of(gid) for gid in chosen), strict=True
        ):
            sample.append(await self._sampled(project, shown, set(gids)))
            parents += [str(task["gid"]) for task in shown if task.get("num_subtasks")]
            tasks += [str(task["gid"]) for task in shown]
        loose = await self._without_project()
        parents += [str(task["gid"]) for task in loose if task.get("num_subtasks")]
        trees = await self._trees(evenly(sorted(set(parents)), MOST_TREES))
        reckoned = expected(len(gids), sample, trees)
        reckoned = reckoned.plus(
            len(self._persons) / max(1, min(MOST_PERSONS, len(self._persons))),
            [int(task.get("num_subtasks") or 0) for task in loose],
            trees,
        )
        if reckoned.project_pages:
            self._add("project_tasks", len(gids), requests=reckoned.project_pages)
        self._add("task_stories", reckoned.tasks)
        await self._reactions(sorted(set(tasks)), reckoned.tasks)
        if self._searchable:
            await self._found_by_search(chosen, reckoned)
        else:
            self._add("subtasks", reckoned.subtask_lists)
            self._add("task_attachments", reckoned.tasks)
        if len(chosen) < len(gids):
            self._estimate.remark(f"Tasks are reckoned from {len(chosen)} of {len(gids):,} projects.")
        self._estimate.remark("Lists of tasks by person or tag are counted as a page each.")

    async def _reactions(self, gids: list[str], tasks: int) -> None:
        """A list for each emoji at a comment: those of a few tasks are counted, and stand for all."""
        if not wanted(LISTINGS["story_reactions"], self._scope):
            return
        chosen = evenly(gids, MOST_COMMENTED)
        steps = (step_named("task_stories", gid) for gid in chosen)
        shown = await self._together(self._first_page(step, "reaction_summary") for step in steps)
        lists = 0
        for story in (story for page in shown for story in page):
            told = story.get("reaction_summary") or ()
            lists += len({one.get("emoji_base") for one in told if isinstance(one, dict)})
        self._add("story_reactions", round(lists * tasks / max(1, len(chosen))))
        if len(chosen) < tasks:
            self._estimate.remark(f"Reactions are reckoned from the comments of {len(chosen)} tasks.")

    async def _found_by_search(self, projects: list[str], reckoned: Expected) -> None:
        """Where searches stand in for lists: pages of them, and the lists of what they find."""
        attached = shown = 0
        within = {"projects.any": ",".join(projects)}
        for workspace in self._searchable:
            oldest = await self._search(workspace, **within) or []
            horizon = max(oldest) if len(oldest) == PAGE else "~"
            shown += len(oldest)
            with_attachment = await self._search(workspace, has_attachment="true", **within)
            attached += sum(created_at <= horizon for created_at in with_attachment or ())
        owners = round(reckoned.tasks * min(1.0, attached / max(1, shown)))
        self._add("task_attachments", owners + min(SAMPLE, reckoned.tasks // LEAST_OF))
        for count in (reckoned.below, owners, 0):
            self._estimate.add("search", WHY, lists=len(self._searchable), requests=pages(count) + 1)
        self._estimate.remark(
            "Which tasks have attachments is reckoned from a search; recent ones are asked as well."
        )

    async def _search(self, workspace_gid: str, **query: str) -> list[str] | None:
        """When the oldest hundred that fit were created; None where searching is refused."""
        try:
            answer = await self._asana.page(*search_request(workspace_gid, query, None, "created_at"))
        except (CarryOnWithout, StartOver, WaitAndRepeat):
            return None
        records = answer.content.records
        return [str(one.get("created_at") or "") for one in records if isinstance(one, dict)]

    async def _sampled(
        self, gid: str, shown: list[dict[str, Any]], projects: Collection[str]
    ) -> SampledProject:
        tasks = len(shown)
        if tasks >= PAGE:
            counts = await self._asana.glance(*task_counts_request(gid)) or {}
            number = counts.get("num_tasks")
            if isinstance(number, int):
                tasks = number
            else:
                self._estimate.remark(
                    "Asana does not say how many tasks a long project has: each counts as a page of them.",
                    lower_bound=True,
                )
        homes = ({str(home.get("gid")) for home in task.get("projects") or ()} for task in shown)
        return SampledProject(
            tasks,
            [
                (int(task.get("num_subtasks") or 0), len(found & set(projects)))
                for task, found in zip(shown, homes, strict=True)
            ],
        )

    async def _without_project(self) -> list[dict[str, Any]]:
        """Tasks of some persons that stand in no project, nor below another task."""
        pages = await self._together(
            self._first_page(step_named("assigned_tasks", *person), "gid,num_subtasks,projects,parent")
            for person in evenly(self._persons, MOST_PERSONS)
        )
        return [
            task for page in pages for task in page if not task.get("projects") and not task.get("parent")
        ]

    async def _tasks_of(self, gid: str) -> list[dict[str, Any]]:
        return await self._first_page(step_named("project_tasks", gid), "gid,num_subtasks,projects")

    async def _trees(self, parents: list[str]) -> list[SampledTree]:
        """All that is below some tasks; none is begun when enough was asked."""
        found: list[SampledTree] = []
        asked = 0
        for parent in parents:
            if asked >= MOST_LISTS:
                break
            tasks, waiting, lists = 0, [parent], 0
            while waiting and asked < 2 * MOST_LISTS:
                below = await self._together(
                    self._first_page(step_named("subtasks", gid), "gid,num_subtasks") for gid in waiting
                )
                asked, lists = asked + len(waiting), lists + len(waiting)
                tasks += sum(map(len, below))
                waiting = [str(task["gid"]) for page in below for task in page if task.get("num_subtasks")]
            found.append(SampledTree(tasks, lists))
        return found

    # -- asking ---------------------------------------------------------------------------------------

    async def _gids(self, step: Step) -> list[str]:
        """Everyone in a list, and its pages counted; nobody where it is refused."""
        found: list[str] = []
        requests, offset, projects = 0, None, step.listing.resource == "projects"
        while requests == 0 or offset:
            requests += 1
            try:
                request = gids_request(step, offset, "project_brief" if projects else "gid")
                page = (await self._asana.page(*request, single=step.listing.single)).content
            except (CarryOnWithout, StartOver, WaitAndRepeat):
                self._estimate.remark(f"{step.key} cannot be counted.", lower_bound=True)
                break
            records = [one for one in page.records if isinstance(one, dict) and one.get("gid")]
            found += [str(one["gid"]) for one in records]
            for name in ("project_brief", "brief_attachments"):
                self._add(name, sum(bool(one.get("project_brief")) for one in records))
            offset = page.next_offset
        self._add(step.listing.name, 1, requests=requests)
        return found

    async def _first_page(self, step: Step, fields: str) -> list[dict[str, Any]]:
        try:
            records = (await self._asana.page(*gids_request(step, fields=fields))).content.records
        except (CarryOnWithout, StartOver, WaitAndRepeat):
            self._estimate.remark(f"{step.key} cannot be counted.", lower_bound=True)
            return []
        return [one for one in records if isinstance(one, dict) and one.get("gid")]

    async def _together(self, questions: Iterable[Any]) -> list[list[dict[str, Any]]]:
        return list(await asyncio.gather(*questions))

    def _add(self, name: str, lists: int, *, requests: int | None = None) -> None:
        if wanted(LISTINGS[name], self._scope):
            self._estimate.add(name, WHY, lists=lists, requests=requests)

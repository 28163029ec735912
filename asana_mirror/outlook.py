"""What the next run would ask if Asana were quiet: the run's own decisions, followed through the mirror."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from asana_mirror.catalog import LISTINGS, RESOURCE_OF, Row
from asana_mirror.consequences import ALONE
from asana_mirror.errands import grouped, list_instead, wishes_to_read
from asana_mirror.estimate import Estimate
from asana_mirror.freshness import TOKEN_LIFE_S
from asana_mirror.plan import (
    GAP,
    THOROUGH,
    WALKS,
    News,
    opened_by,
    reason_below,
    steps_below,
    steps_of_split,
    sweep_of,
    wanted,
)
from asana_mirror.portions import Portions
from asana_mirror.review import EVERY, ONE_BY_ONE, Due, Review, projects_within
from asana_mirror.run import SyncOptions
from asana_mirror.search_lanes import KINDS
from asana_mirror.store import Mirror
from asana_mirror.store.counts import Counts
from asana_mirror.store.places import Places
from asana_mirror.times import utc_before
from asana_mirror.words import Scope, Step, Wish, step_named

EACH_RUN, LEFT = "each run", "left from before"
STRAY = "stands in no list"


class Outlook:
    """Follows one round from list to list and counts what each would take; every list is counted once."""

    def __init__(self, mirror: Mirror, options: SyncOptions, mode: str, estimate: Estimate) -> None:
        scope = options.scope
        self._mirror = mirror
        self._options = options
        self._scope = scope
        self._mode = mode
        self._estimate = estimate
        self._counts = Counts(mirror.db)
        self._portions = Portions(mirror)
        self._portions.whole_lists_before = utc_before(options.max_age_s)
        self._projects = projects_within(mirror, scope)
        self._review = Review(mirror, scope, self._portions, self._projects)
        self._refused = self._counts.lists("refused IS NOT NULL")
        self._split = self._counts.lists("split = 1")
        self._asked: defaultdict[str, set[tuple[str | None, ...]]] = defaultdict(set)
        self._found_otherwise: set[str | None] = set()  # lists for which a search stands in
        self._queue: deque[Step] = deque()

    @property
    def _walks(self) -> bool:
        return self._mode in WALKS

    def go_on(self, round_number: int) -> None:
        """An unfinished walk: what is left of it, and what that leads to as far as the mirror knows."""
        if self._mode == "first" and self._mirror.searches.stand_in():
            self._found_otherwise = {kind.listing for kind in KINDS.values()}
        self._ask(self._mirror.rounds.left(round_number), LEFT)
        self._follow()
        self._estimate.remark(
            "What stands below the lists that are left to be read is not known yet.", lower_bound=True
        )

    def begin(self, *, takes_over: bool = True) -> None:
        """A round from its beginning to its end; one after a walk finds nothing left to take over."""
        quiet = self._walks or self._mirror.inbox.is_empty()
        if self._mode != "first" and wanted(LISTINGS["project_tasks"], self._scope):
            self._listen()
        strays = self._review.strays(0, most=EVERY if self._walks else ONE_BY_ONE)
        if not self._walks:
            self._errands(strays)
            self._review_of(self._review.due(self._options.max_age_s, self._options.sweep_every_s))
            if self._scope.is_whole and takes_over:
                self._ask(self._mirror.rounds.left(), LEFT)
        else:
            self._read_singly("tasks", STRAY, strays)
        self._open_the_door()
        self._follow()
        if not self._walks and self._review.is_time_for_a_close_look(quiet=quiet):
            self._review_of(self._review.close_look())
            self._follow()
        if (
            not self._scope.workspaces
            and not self._scope.in_places
            and self._reads("workspace_custom_fields")
        ):
            self._one_by_one("custom_fields", STRAY, self._counts.fields_shown_nowhere())

    # -- the parts of a round, in the order of the run ------------------------------------------------

    def _listen(self) -> None:
        """A call for each stream; one whose token is dead by now brings a sweep."""
        streams = self._mirror.streams
        dead = {gid for gid, _ in streams.quiet_since(utc_before(TOKEN_LIFE_S), self._projects)}
        for gid, token in streams.quiet_since(None, self._projects):
            self._estimate.add("events", EACH_RUN)
            if (token is None or gid in dead) and not self._walks:
                self._ask(sweep_of(gid, GAP))

    def _errands(self, strays: list[str]) -> None:
        """What events told and a run that was cut short did not read, and tasks that no list shows."""
        wishes = wishes_to_read(self._mirror, self._scope, self._projects)
        wishes += [Wish("tasks", gid) for gid in strays]
        places = Places(self._mirror.db)
        singly = len(wishes)
        for place, group in grouped(wishes, places).items():
            step = list_instead(place, group, places, self._projects)
            if step is not None:
                singly -= group.moved if step.since else len(group.wishes)
                self._ask([step])
        self._one_by_one("records", "event", singly)

    def _review_of(self, due: Due) -> None:
        self._ask(due.lists)
        self._read_singly("tasks", STRAY, due.tasks)

    def _open_the_door(self) -> None:
        if not self._scope.in_places:
            self._ask([step_named("workspaces")], EACH_RUN)
            if self._walks and self._reads("assigned_tasks"):
                self._ask(step_named("assigned_tasks", *agent) for agent in self._counts.agents_at_work())
            return
        self._estimate.add("workspaces", "whether the token is good")
        for resource, gids in (("teams", self._scope.teams), ("projects", self._scope.projects)):
            self._one_by_one(resource, "whether it is seen", len(gids))
            self._read_singly(resource, EACH_RUN, gids)
        self._ask((step_named("team_projects", gid) for gid in self._scope.teams), EACH_RUN)

    # -- from list to list ----------------------------------------------------------------------------

    def _one_by_one(self, what: str, why: str, count: int) -> None:
        self._estimate.add(f"{what}, one by one", why, lists=count)

    def _read_singly(self, resource: str, why: str, gids: Collection[str]) -> None:
        self._one_by_one(resource, why, len(gids))
        for gid in gids:
            self._open(resource, self._counts.row(resource, gid), step_named("workspaces"))

    def _ask(self, steps: Iterable[Step], why: str = "") -> None:
        """Put lists in the queue that were not asked for, and that this run may read."""
        for step in steps:
            workspace = step.workspace_gid if step.listing.within_workspace else None
            place, asked = (step.parent_gid, workspace, step.part), self._asked[step.listing.name]
            if place not in asked and wanted(step.listing, self._scope):
                asked.add(place)
                self._queue.append(replace(step, why=step.why or why))

    def _follow(self) -> None:
        while self._queue:
            step = self._queue.popleft()
            if self._split and step.key in self._split:
                parts = self._mirror.absence.living_sections(step.parent_gid or "")
                self._ask(steps_of_split(parts, step))
                self._open_list(step)
            elif self._refused and step.key in self._refused:
                self._estimate.add(step.listing.name, step.why or self._mode)
                if step.listing.instead:
                    self._ask([replace(step, listing=LISTINGS[step.listing.instead])])
            else:
                self._estimate.add(
                    step.listing.name, step.why or self._mode, requests=self._counts.requests(step)
                )
                self._open_list(step)

    def _open_list(self, step: Step) -> None:
        self._open_stream(step)
        if step.listing.kept:
            self._meet(step)
        if step.since is None and self._leads_on(step):
            self._open(step.listing.resource, self._counts.rows(step), step)

    def _meet(self, step: Step) -> None:
        """What a list that is only kept as links shows, and what of that is read by itself."""
        members = self._counts.members(step)
        for kind in {*members.values()} - {None}:
            resource = RESOURCE_OF.get(str(kind), "")
            if alone := ALONE.get(resource):
                met = [gid for gid, its in members.items() if its == kind]
                unread = self._mirror.kept.unread(met, resource, alone, walks=self._walks)
                self._ask(Step(LISTINGS[alone], gid, step.workspace_gid) for gid in unread)

    def _open_stream(self, step: Step) -> None:
        """Lists of which a stream tells take its first token with them."""
        gid = step.parent_gid or ""
        if step.listing.events and (gid,) not in self._asked["events"]:
            self._asked["events"].add((gid,))
            if self._mirror.streams.token(gid) is None:
                self._estimate.add("events", "its first token")

    def _leads_on(self, step: Step) -> bool:
        """Whether records of this list, unchanged as they are, call for anything."""
        return any(self._reason(listing.name, step) for listing in opened_by(step.listing.resource))

    def _reason(self, name: str, step: Step) -> str | None:
        if self._walks:
            return self._mode
        return reason_below(LISTINGS[name], News(thorough=step.why if step.why in THOROUGH else None))

    def _open(self, resource: str, rows: Iterator[tuple[str, Row]], step: Step) -> None:
        workspace = step.parent_gid if step.listing.below == "workspaces" else step.workspace_gid
        met = []
        for gid, row in rows:
            met.append(gid)
            opened = steps_below(
                resource, gid, row, workspace_gid=workspace, scope=self._scope, via=step.listing.name
            )
            for below in opened:
                why = self._reason(below.listing.name, step)
                if why is None or below.listing.name in self._found_otherwise:
                    continue
                part = self._portions.of(below) if below.listing.each_run and not self._walks else below
                self._ask([part] if part else [], why)
        if resource == "tasks" and step.why in THOROUGH and not self._walks:
            self._ask(self._mirror.ages.older_than_tasks("task_attachments", met, step.why))

    def _reads(self, name: str) -> bool:
        return wanted(LISTINGS[name], self._scope)


def unknown_places(mirror: Mirror, scope: Scope) -> Scope:
    """Of the projects and teams to which a run is narrowed, those of which the mirror has not read all."""
    counts = Counts(mirror.db)
    projects = {*scope.projects, *mirror.streams.projects_of((), scope.teams, ())} - counts.walked_projects()
    teams = (gid for gid in scope.teams if not any(counts.row("teams", gid)))
    return replace(scope, projects=tuple(sorted(projects)), teams=tuple(teams), workspaces=())

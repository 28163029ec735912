"""What fresh records lead to: lists to be read, records to be read, and what they no longer hold.

A walk opens every list below a record. A run that follows changes opens those for which something new calls.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from asana_mirror.catalog import (
    LISTINGS,
    RESOURCE_OF,
    RESOURCES,
    Resource,
    Row,
    listings_below,
    listings_opened_by,
)
from asana_mirror.plan import (
    AGE,
    GAP,
    RENAMED,
    SWEEP,
    THOROUGH,
    WALKS,
    News,
    columns_that_differ,
    opened_by,
    reason_below,
    steps_below,
    wanted,
)
from asana_mirror.portions import Portions
from asana_mirror.store import Mirror, Run, Written
from asana_mirror.store.shown import SHOWN
from asana_mirror.words import Batch, Scope, Step, Wish, step_named

Ask = Callable[..., int]

# Resource → the listing by which those are read that no other list shows.
ALONE = {listing.resource: listing.alone for listing in LISTINGS.values() if listing.alone}


class Consequences:
    """Decides what a written batch calls for. Always inside the transaction that writes it."""

    each_run_too = True  # whether lists that every run reads are opened by their parents

    def __init__(self, mirror: Mirror, run: Run, scope: Scope, ask_for: Ask) -> None:
        self.told: set[tuple[str, str]] = set()  # (resource, gid) of all that events told of in this run
        self.streams_told = False  # whether any of that came from a stream
        self.told_of_stories: set[str] = set()  # tasks on whose stories events told something
        self.told_of_lists: set[str] = set()  # keys of whole lists that events called for
        self.portions = Portions(mirror)
        self.deferred: set[str | None] = set()  # lists below tasks that a search may stand in for
        self.drift = 0
        self.missed_by_events: set[tuple[str, str]] = set()
        self._mirror = mirror
        self._run = run
        self._scope = scope
        self._ask_for = ask_for

    @property
    def walks(self) -> bool:
        """Whether this run reads everything."""
        return self._run.mode in WALKS

    def draw(
        self,
        resource: Resource,
        batch: Batch,
        written: Written,
        reshaped: set[str],
        step: Step | None,
        now: str,
    ) -> None:
        """Put in the queue and in the inbox what a batch calls for."""
        rows, unknown = batch.rows.get(resource.name, {}), _unknown_rows(batch, resource)
        if self._run.mode != "first":
            self._close_the_empty(resource, rows)
            self._close_lost_parts(resource, rows, written.before.get(resource.name, {}))
        if opened_by(resource.name):
            self._ask_for(
                below
                for gid, row in ({**unknown, **rows} if self.walks else unknown).items()
                for below in self._below(resource, gid, row, step)
                if wanted(below.listing, self._scope)
                and (gid in unknown or below.listing.name not in self.deferred)
                and (self.walks or self._mirror.rounds.state_of(below) is None)
            )
        self._open_those_inside(resource, batch, written, step)
        if (self.walks and step is None) or self._run.mode == "first":
            self._read_again_below(resource, rows, written, step)
        if resource.name == "projects":
            self._doubt_old_briefs(rows, written.before.get(resource.name, {}))
        if step is not None and step.listing.alone:
            self._mirror.rounds.forget(step.listing.alone, batch.listed)  # a list shows them by now
            if self.walks:
                self._ask_for(self._mirror.ages.known(step.listing.alone))
        if self.walks and self._run.leaves_rest:
            self._leave_rest(resource, rows, written, step, now)
        if not self.walks:
            self._count_drift(resource, written, step)
            self._follow(resource, rows, written, reshaped, step, now)
            for name, fields in SHOWN.items():
                self._show_anew(name, fields, batch.rows.get(name, {}), written, now)
        if step is None and (alone := ALONE.get(resource.name)):  # and from now on again and again
            self._ask_for(Step(LISTINGS[alone], gid) for gid in rows)
        if (
            "tasks" in batch.rows
            and wanted(LISTINGS["assigned_tasks"], self._scope)
            and not self._scope.in_places
        ):
            new = {*written.born.get("tasks", ()), *written.before.get("tasks", ())}
            self._ask_for(_agents_assigned(batch, batch.rows.get("tasks", ()) if self.walks else new))

    def _open_those_inside(
        self, resource: Resource, batch: Batch, written: Written, step: Step | None
    ) -> None:
        """Custom fields that stand in settings only lead to lists as well; the others do so where they are listed."""
        fields = RESOURCES["custom_fields"]
        rows = {} if resource is fields else batch.rows.get(fields.name, {})
        place, born = fields.places["is_global_to_workspace"], written.born.get(fields.name, set())
        self._ask_for(
            below
            for gid, row in rows.items()
            if row[place] == 0 and (self.walks or gid in born)
            for below in self._below(fields, gid, row, step)
            if wanted(below.listing, self._scope)
        )

    def _read_again_below(
        self, resource: Resource, rows: dict[str, Row], written: Written, step: Step | None
    ) -> None:
        """What was met before in this walk and has changed since: what stands on it was perhaps read in between."""
        before = written.before.get(resource.name, {}) if resource.name == "tasks" else {}
        moved = [
            gid
            for gid, stood in before.items()
            if gid in rows and "modified_at" in columns_that_differ(resource.name, stood, rows[gid])
        ]
        if moved:
            self._ask_for(
                (
                    below
                    for gid in moved
                    for below in self._below(resource, gid, rows[gid], step)
                    if wanted(below.listing, self._scope) and below.listing.name not in self.deferred
                ),
                again=True,
            )

    def _leave_rest(
        self, resource: Resource, rows: dict[str, Row], written: Written, step: Step | None, now: str
    ) -> None:
        """What this walk may not read is read later: below what is new or differs, and all stories in their turn."""
        fresh = {*written.born.get(resource.name, ()), *written.before.get(resource.name, ())} & rows.keys()
        self._mirror.rounds.leave_for_later(
            (
                below
                for gid in fresh
                for below in self._below(resource, gid, rows[gid], step)
                if not wanted(below.listing, self._scope)
            ),
            self._run,
        )
        if resource.name == "tasks" and not wanted(LISTINGS["task_stories"], self._scope):
            self._put_off_stories(rows.keys() - fresh, "left out", now)

    def reshaped(self, batch: Batch) -> set[str]:
        """Projects that show other custom fields than before, so that their tasks do as well."""
        if self.walks:
            return set()
        return {
            parent_gid
            for (resource, column), parents in batch.children.items()
            for parent_gid, standing in parents.items()
            if resource == "custom_field_settings"
            and standing != self._mirror.absence.children(resource, column, parent_gid)
        }

    def doubt_parent(self, step: Step, status: int) -> None:
        """A list that is not found any more makes one ask whether what it belongs to still lives."""
        listing = step.listing
        itself = listing.single and listing.below == listing.resource and status in (403, 404, 410)
        if itself or (not self.walks and status in (404, 410) and listing.below in ("tasks", "projects")):
            self._mirror.absence.doubt(str(listing.below), [step.parent_gid or ""], self._run.round)

    def note_missed(self, step: Step, missed: Iterable[str]) -> None:
        """Who was missed in a list that was read only to be sure."""
        if _is_check(step):
            self.missed_by_events.update((step.listing.resource, gid) for gid in missed)

    def meet(self, step: Step, members: Mapping[str, str | None]) -> None:
        """Records shown by a list that is only kept as links: what no other list shows is read by itself."""
        for kind in {*members.values()} - {None}:
            resource = RESOURCE_OF.get(str(kind), "")
            if alone := ALONE.get(resource):
                met = [gid for gid, its in members.items() if its == kind]
                unread = self._mirror.kept.unread(met, resource, alone, walks=self.walks)
                self._ask_for(Step(LISTINGS[alone], gid, step.workspace_gid) for gid in unread)

    def _below(self, resource: Resource, gid: str, row: Row, step: Step | None) -> Iterator[Step]:
        via = step.listing.name if step else None
        workspace_gid = _workspace_of(step, resource, row)
        return steps_below(resource.name, gid, row, workspace_gid=workspace_gid, scope=self._scope, via=via)

    def _follow(
        self,
        resource: Resource,
        rows: dict[str, Row],
        written: Written,
        reshaped: set[str],
        step: Step | None,
        now: str,
    ) -> None:
        born, before = written.born.get(resource.name, set()), written.before.get(resource.name, {})
        thorough = step.why if step and step.why in THOROUGH else None
        unheard = self._mirror.unheard.among(before) if resource.name == "tasks" and before else set()
        # Nobody told what happened below those that left all that has a stream, or have only now come to one.
        strange = unheard - self._mirror.unheard.since_before(unheard) if unheard else unheard
        strange |= self._mirror.unheard.heard_by_now(unheard) if unheard else set()
        changes = {
            gid: columns_that_differ(resource.name, stood, rows[gid])
            for gid, stood in before.items()
            if gid in rows
        }
        for gid, row in rows.items():
            heard = gid not in unheard and not thorough
            columns = changes.get(gid, frozenset())
            told = (resource.name, gid) in self.told
            look_below = thorough or (GAP if gid in strange else None)
            news = News(gid in born, gid in before, columns, gid in reshaped, look_below, heard, told)
            self._open(resource, gid, row, news, step)
        if resource.name == "tasks":
            self._look_above(rows, written, changes, step)
            moved = {gid for gid, columns in changes.items() if "modified_at" in columns}
            if thorough:
                self._put_off_stories(rows.keys() - born - moved, thorough, now)
                # A stream would have told of an attachment, unless that event was lost.
                self._ask_for(
                    self._mirror.ages.older_than_tasks("task_attachments", rows.keys() - born, thorough)
                )
        if resource.name == "stories" and step is None:
            self._wish_for_their_tasks(rows, born)

    def _open(self, resource: Resource, gid: str, row: Row, news: News, step: Step | None) -> None:
        for below in self._below(resource, gid, row, step):
            if below.listing.each_run and not (self.each_run_too or news.born):
                continue
            why = reason_below(below.listing, news)
            told = below.listing.name == "task_stories" and gid in self.told_of_stories and news.heard
            if why is None or (told and not news.born):
                continue
            step_below = replace(below, why=why, precedence=None)
            if not wanted(below.listing, self._scope):
                self._mirror.rounds.leave_for_later([step_below], self._run)
            elif below.listing.each_run:
                self._ask_for(filter(None, [self.portions.of(step_below)]))
            else:
                # A sweep meets a task once for each of its projects; what calls for a list otherwise is news.
                self._ask_for([step_below], again=why not in THOROUGH)

    def wish_for(self, tasks: Iterable[str], *, anew: bool = False) -> None:
        """Let tasks be read by themselves."""
        followed = self._mirror.excluded.outside("tasks", tasks)
        self._mirror.inbox.note(Wish("tasks", gid, anew=anew) for gid in followed)

    def _doubt_old_briefs(self, rows: Mapping[str, Row], before: Mapping[str, Row]) -> None:
        """What its project no longer names is perhaps gone."""
        place = RESOURCES["projects"].places["project_brief_gid"]
        old = {
            stood[place] for gid, stood in before.items() if gid in rows and stood[place] != rows[gid][place]
        }
        self._mirror.absence.doubt("project_briefs", old - {None}, self._run.round)

    def _look_above(
        self, rows: dict[str, Row], written: Written, changes: dict[str, frozenset[str]], step: Step | None
    ) -> None:
        """Who came or went below a task changed the number that the task tells; who came back is tied again."""
        place = RESOURCES["tasks"].places["parent_gid"]
        before = written.before.get("tasks", {})
        parents = {
            stood[place]
            for gid, columns in changes.items()
            if "parent_gid" in columns
            for stood in (before[gid], rows[gid])
        }
        if step is None or step.listing.name != "subtasks":
            parents |= {rows[gid][place] for gid in written.born.get("tasks", ()) if gid in rows}
        self.wish_for(filter(None, parents))
        if step is not None:
            self.wish_for(written.returned & rows.keys(), anew=True)

    def _show_anew(
        self, resource: str, fields: Collection[str], rows: dict[str, Row], written: Written, now: str
    ) -> None:
        """What was renamed is shown by values and stories of which nothing else says that they changed."""
        renamed = [
            gid
            for gid, stood in written.before.get(resource, {}).items()
            if not columns_that_differ(resource, stood, rows[gid]).isdisjoint(fields)
        ]
        if renamed:
            self.wish_for(self._mirror.shown.in_values(resource, renamed))
            self._put_off_stories(self._mirror.shown.in_stories(resource, renamed), RENAMED, now)

    def _put_off_stories(self, gids: Iterable[str], why: str, now: str) -> None:
        """Nothing says that their stories changed; an edited comment shows in nothing else, so their turn will come."""
        listing = LISTINGS["task_stories"]
        self._mirror.ages.put_off(
            (Step(listing, gid, why=why) for gid in gids), now=now, unless_read_since=self._run.started_at
        )

    def _wish_for_their_tasks(self, rows: dict[str, Row], born: set[str]) -> None:
        """An event need not say on which task a story stands, and a new one moved its task."""
        places = RESOURCES["stories"].places
        gid_place, type_place = places["target_gid"], places["target_type"]
        tasks = {rows[gid][gid_place] for gid in born if rows[gid][type_place] in ("task", None)}
        self.wish_for(gid for gid in tasks if gid and ("tasks", gid) not in self.told)

    def _close_the_empty(self, resource: Resource, rows: dict[str, Row]) -> None:
        for listing in listings_below(resource.name):
            if listing.unless_zero and rows:
                place = resource.places[listing.unless_zero]
                empty = [gid for gid, row in rows.items() if row[place] == 0]
                self._mirror.absence.close_empty(listing, empty, self._run.round)

    def _close_lost_parts(
        self, resource: Resource, rows: Mapping[str, Row], before: Mapping[str, Row]
    ) -> None:
        """A part of a list that its parent no longer tells of is empty: nobody reacts with that emoji any more."""
        for listing in listings_opened_by(resource.name):
            if listing.part is None or listing.opens is None:
                continue
            for gid, stood in before.items():
                lost = {*listing.opens(gid, stood)} - {*listing.opens(gid, rows.get(gid, stood))}
                if lost:
                    self._mirror.absence.close_parts(listing, lost, self._run.round)

    def _count_drift(self, resource: Resource, written: Written, step: Step | None) -> None:
        if step is None or not _is_check(step) or step.key in self.told_of_lists:
            return
        new = written.born.get(resource.name, set()) | written.before.get(resource.name, {}).keys()
        self.drift += sum((resource.name, gid) not in self.told for gid in new)


def _is_check(step: Step | None) -> bool:
    """Whether a list is read only to be sure that no event was lost."""
    if step is None:
        return False
    return step.why == SWEEP or (step.why == AGE and step.listing.below == "projects")


def _unknown_rows(batch: Batch, resource: Resource) -> dict[str, Row]:
    """What did not fit may still have something below it: all that is known of it is its gid."""
    if not batch.undecoded:
        return {}
    nothing = (None,) * len(resource.column_names())
    return {
        record.gid: nothing
        for record in batch.undecoded
        if record.resource == resource.name and record.has_gid
    }


def _agents_assigned(batch: Batch, gids: Iterable[str]) -> Iterator[Step]:
    """Agents may be known by their work alone, where the list of agents is refused."""
    places = RESOURCES["tasks"].places
    assignee, workspace = places["assignee_gid"], places["workspace_gid"]
    for gid in gids:
        row = batch.rows.get("tasks", {}).get(gid)
        if row and row[assignee] and row[workspace] and batch.actors[row[assignee]][0] == "agent":
            yield step_named("assigned_tasks", row[assignee], row[workspace])


def _workspace_of(step: Step | None, resource: Resource, row: Row) -> str | None:
    """Where a record was listed, or what it says itself."""
    if step is not None and step.listing.below == "workspaces":
        return step.parent_gid
    place = resource.places.get("workspace_gid")
    own = None if place is None else row[place]
    return own or (step.workspace_gid if step else None)

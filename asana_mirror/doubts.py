"""Who was seen nowhere in a round: asked for by themselves before anything is concluded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from asana_mirror.catalog import LISTINGS, RESOURCES, Listing, listings_of
from asana_mirror.client import Asana, GaveUp
from asana_mirror.decode import decode
from asana_mirror.errors import CarryOnWithout
from asana_mirror.plan import DOUBT_ORDER, wanted
from asana_mirror.reading import Reading
from asana_mirror.store import Mirror, Run
from asana_mirror.times import utc_now
from asana_mirror.wire import record_request
from asana_mirror.words import Scope, Step, step_named

AT_ONCE = 200  # records asked for before the next look at the mirror


class Doubts:
    """Decides about living records that no listing of the round has shown.

    Leaving one container is not dying: a record is in doubt only when every listing in which it could stand was
    read to its end (or belongs to something that is itself gone), and gone only when Asana then refuses it.
    """

    def __init__(
        self, asana: Asana, mirror: Mirror, run: Run, scope: Scope, reading: Reading, stop: asyncio.Event
    ) -> None:
        self._asana = asana
        self._mirror = mirror
        self._run = run
        self._scope = scope
        self._reading = reading
        self._stop = stop
        self._undecided: set[tuple[str, str]] = set()

    async def resolve(self) -> None:
        """Ask for everyone in doubt. What lives after all is written, and what it opens becomes due."""
        for resource in DOUBT_ORDER:
            if not any(wanted(listing, self._scope) for listing in listings_of(resource)):
                continue
            # One answer may raise the next doubt: a subtask's parent is gone, so its listing is as well.
            while doubtful := self._doubtful(resource):
                for start in range(0, len(doubtful), AT_ONCE):
                    if self._stop.is_set():
                        return
                    async with asyncio.TaskGroup() as questions:
                        for gid in doubtful[start : start + AT_ONCE]:
                            questions.create_task(self._ask(resource, gid))

    def _doubtful(self, resource: str) -> list[str]:
        return [
            gid
            for gid in self._mirror.absence.unseen(resource, self._run.round)
            if (resource, gid) not in self._undecided and self._stands_nowhere(resource, gid)
        ]

    async def _ask(self, resource: str, gid: str) -> None:
        entry = RESOURCES[resource]
        path = entry.path or ""
        try:
            answer = await self._asana.record(*record_request(path, resource, gid))
        except CarryOnWithout as refusal:
            reason = {404: "gone", 403: "access_lost"}.get(refusal.status)
            if reason is None:
                self._undecided.add((resource, gid))
                return
            absence, round_number = self._mirror.absence, self._run.round
            await self._reading.write(lambda: absence.condemn(resource, gid, reason, round_number))
            return
        except GaveUp as trouble:
            self._undecided.add((resource, gid))
            self._reading.postponed[path.format(gid=gid)] = str(trouble)
            return
        batch = decode(entry, [answer.content])

        def keep() -> None:
            self._reading.write_batch(entry, batch, None, utc_now())
            self._mirror.absence.see(resource, [gid], self._run.round)

        await self._reading.write(keep)

    def _stands_nowhere(self, resource: str, gid: str) -> bool:
        return all(self._was_read_or_is_gone(step, gid) for step in self._places(resource, gid))

    def _places(self, resource: str, gid: str) -> Iterator[Step]:
        """Every listing in which the record could stand, as far as the mirror knows."""
        for listing in listings_of(resource):
            if listing.below is None:
                yield Step(listing)
            elif listing.stands is not None:
                yield from self._places_of(listing, resource, gid)
        if resource == "custom_fields":
            # Global fields stand in the workspace's list, the others in the settings of projects and teams.
            for workspace_gid in self._mirror.absence.living_workspaces():
                for name in ("workspace_custom_fields", "workspace_projects", "workspace_teams"):
                    yield step_named(name, workspace_gid)

    def _places_of(self, listing: Listing, resource: str, gid: str) -> Iterator[Step]:
        if isinstance(listing.stands, tuple):
            table, column = listing.stands
            owner = f"{resource.removesuffix('s')}_gid"
            parents = self._mirror.absence.linked_parents(table, owner, column, gid)
            workspace_gid = None
        else:
            columns = [listing.stands or "", "workspace_gid" if listing.below == "actors" else "gid"]
            parent, workspace_gid = self._mirror.rounds.parents(resource, columns, gid)
            parents = [parent] if parent else []
        for parent_gid in parents:
            if listing.below == "actors" and not self._lists(parent_gid, workspace_gid):
                continue
            yield Step(listing, parent_gid, workspace_gid)

    def _lists(self, actor_gid: str, workspace_gid: str | None) -> bool:
        """Whether a person's tasks in a workspace can be listed at all: only while the person is in it."""
        return workspace_gid in self._mirror.absence.workspaces_of_actor(actor_gid)

    def _was_read_or_is_gone(self, step: Step, child_gid: str) -> bool:
        state = self._mirror.rounds.state_of(step)
        if state and state.round >= self._run.round and not state.due and not state.refused:
            return not state.split or self._parts_were_read(step)
        if step.listing.below is None or step.parent_gid is None:
            return False
        if self._mirror.absence.is_gone(step.listing.below, step.parent_gid, self._run.round):
            return True
        return self._is_known_empty(step)

    def _parts_were_read(self, step: Step) -> bool:
        return all(
            self._was_read_or_is_gone(Step(LISTINGS["section_tasks"], gid, step.workspace_gid), gid)
            for gid in self._mirror.absence.living_sections(step.parent_gid or "")
        )

    def _is_known_empty(self, step: Step) -> bool:
        """A parent seen in this round that said by itself that there is nothing below (`num_subtasks` 0)."""
        below, gid, when = step.listing.below or "", step.parent_gid or "", step.listing.when
        if when is None or not self._mirror.absence.seen(below, [gid], self._run.round):
            return False
        columns = RESOURCES[below].column_names()
        row = self._mirror.rounds.parents(below, columns, gid)
        return not when(dict(zip(columns, row, strict=True)))

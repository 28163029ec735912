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

    Leaving one container is not dying: a record is in doubt when a listing in which it stood was read to its end
    without it, or when nothing is left in which it could stand; and gone only when Asana then refuses it.
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
        for resource, entry in RESOURCES.items():
            if entry.one_place and entry.path:
                await self._ask_all(resource, self._mirror.absence.in_doubt(resource, self._run.round))
        for resource in DOUBT_ORDER:
            if not any(wanted(listing, self._scope) for listing in listings_of(resource)):
                continue
            # One answer may raise the next doubt: a subtask's parent is gone, so its listing is as well.
            while doubtful := self._doubtful(resource):
                await self._ask_all(resource, doubtful)
                if self._stop.is_set():
                    return

    async def _ask_all(self, resource: str, gids: list[str]) -> None:
        for start in range(0, len(gids), AT_ONCE):
            if self._stop.is_set():
                return
            async with asyncio.TaskGroup() as questions:
                for gid in gids[start : start + AT_ONCE]:
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
            reason = {404: "gone", 410: "gone", 403: "access_lost"}.get(refusal.status)
            if reason is None:
                self._undecided.add((resource, gid))
                return
            absence, round_number = self._mirror.absence, self._run.round
            await self._reading.write(lambda: absence.condemn(resource, gid, reason, round_number))
            return
        except GaveUp as trouble:
            self._undecided.add((resource, gid))
            self._reading.postpone(path.format(gid=gid), resource, trouble)
            return
        if entry.one_place:  # its listing has been read and written; only that it lacked this one was wrong
            absence, round_number = self._mirror.absence, self._run.round
            await self._reading.write(lambda: absence.found(resource, [gid], round_number))
            return
        batch = decode(entry, [answer.content])

        def keep() -> None:
            self._reading.write_batch(entry, batch, None, utc_now())
            self._mirror.absence.see(resource, [gid], self._run.round)

        await self._reading.write(keep)

    def _stands_nowhere(self, resource: str, gid: str) -> bool:
        """A place that was read and lacks it is enough to ask; so is having no place that could be read."""
        places = list(self._places(resource, gid))
        return any(map(self._was_read, places)) or all(map(self._is_gone, places))

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

    def _was_read(self, step: Step) -> bool:
        """Read to its end in this round, or known to be empty."""
        state = self._mirror.rounds.state_of(step)
        if state and state.round == self._run.round and not state.due and not state.refused:
            return not state.split or self._parts_were_read(step)
        return self._is_known_empty(step)

    def _is_gone(self, step: Step) -> bool:
        """What the listing belongs to is no longer in Asana."""
        below, gid = step.listing.below, step.parent_gid
        return bool(below and gid) and self._mirror.absence.is_gone(below or "", gid or "", self._run.round)

    def _parts_were_read(self, step: Step) -> bool:
        parts = self._mirror.absence.living_sections(step.parent_gid or "")
        return all(self._was_read(Step(LISTINGS["section_tasks"], gid, step.workspace_gid)) for gid in parts)

    def _is_known_empty(self, step: Step) -> bool:
        """A parent seen in this round that said by itself that there is nothing below (`num_subtasks` 0)."""
        below, gid, when = step.listing.below or "", step.parent_gid or "", step.listing.when
        if when is None or not self._mirror.absence.seen(below, [gid], self._run.round):
            return False
        columns = RESOURCES[below].column_names()
        row = self._mirror.rounds.parents(below, columns, gid)
        return not when(dict(zip(columns, row, strict=True)))

"""Reads records by themselves: what no list need be read for, and who was missing where it stood."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Literal

from asana_mirror.catalog import RESOURCES
from asana_mirror.client import Asana, GaveUp
from asana_mirror.decode import decode
from asana_mirror.errors import CarryOnWithout
from asana_mirror.reading import Reading
from asana_mirror.store import Mirror, Run
from asana_mirror.store.rows import Rows
from asana_mirror.times import utc_now
from asana_mirror.visibility import is_about_scopes
from asana_mirror.wire import record_request

AT_ONCE = 200  # records asked for before the next look at the mirror
REFUSALS = {404: "gone", 410: "gone", 403: "access_lost"}

Record = tuple[str, str]  # resource, gid
Outcome = Literal["read", "gone", "access_lost", "refused", "gave up"]


class Singly:
    """Asks for records one by one, many at a time, and writes those that live."""

    def __init__(self, asana: Asana, mirror: Mirror, run: Run, reading: Reading, stop: asyncio.Event) -> None:
        self._asana = asana
        self._mirror = mirror
        self._run = run
        self._reading = reading
        self._stop = stop
        self._rows = Rows(mirror.db.conn)

    async def read_all(
        self, records: Iterable[Record], *, anew: Iterable[Record] = ()
    ) -> dict[Record, Outcome]:
        """Read records; `anew` are those of which also the ties to others are to be made anew."""
        waiting, fresh = list(records), set(anew)
        outcomes: dict[Record, Outcome] = {}

        async def read(record: Record) -> None:
            outcomes[record] = await self.read(*record, anew=record in fresh)

        for start in range(0, len(waiting), AT_ONCE):
            if self._stop.is_set():
                break
            async with asyncio.TaskGroup() as questions:
                for record in waiting[start : start + AT_ONCE]:
                    questions.create_task(read(record))
        return outcomes

    async def read(self, resource: str, gid: str, *, anew: bool = False) -> Outcome:
        """Read one record and write it if it lives. Refusals other than of itself are noted as problems."""
        entry = RESOURCES[resource]
        path = (entry.path or "").format(gid=gid)
        anew = anew or (resource == "tasks" and self._mirror.absence.is_buried(resource, gid))
        also = "dependents" if anew and resource == "tasks" else ""
        try:
            answer = await self._asana.record(*record_request(entry.path or "", resource, gid, also=also))
            await self._reading.sifting.look_up(resource, [answer.content])
        except CarryOnWithout as refusal:
            if refusal.status in REFUSALS and not is_about_scopes(refusal.status, str(refusal)):
                return "access_lost" if refusal.status == 403 else "gone"
            self._note_problem(path, resource, refusal)
            return "refused"
        except GaveUp as trouble:
            if self._reading.postpone(path, resource, trouble):
                return "gave up"
            return "refused"
        fills = self._rows.fills(resource, gid)
        dependents = answer.content.get("dependents") if anew else None

        def keep() -> None:
            batch = decode(entry, self._reading.sifted(entry, [answer.content]), fills=fills)
            self._reading.write_batch(entry, batch, None, utc_now())
            self._mirror.ledger.solve_problem(path)
            self._mirror.inbox.fulfil(resource, [gid], anew=anew)
            if anew and resource == "tasks":  # who was asked for while it was away seemed to be gone as well
                self._reading.consequences.wish_for(self._mirror.absence.buried_below(gid), anew=True)
            if isinstance(dependents, list):  # they named it until it went, and name it again
                gids = [str(one["gid"]) for one in dependents if isinstance(one, dict) and one.get("gid")]
                self._reading.consequences.wish_for(self._rows.living("tasks", gids))

        await self._reading.write(keep)
        return "read"

    def _note_problem(self, path: str, resource: str, refusal: CarryOnWithout) -> None:
        with self._mirror.atomic():
            self._mirror.ledger.note_problem(
                path, resource, refusal.status, str(refusal), run_id=self._run.id, now=utc_now()
            )

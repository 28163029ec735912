"""Reads again what differs: a small run, by the rules of every run.

It moves no cursor. A later run still looks at all that happened since its own last look, of which a repair may
have read only a part.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from asana_mirror import __version__
from asana_mirror.catalog import RESOURCES
from asana_mirror.client import Asana
from asana_mirror.compare import NOT_LISTED, Difference
from asana_mirror.ending import Show, Stop, holder, on_record, opened
from asana_mirror.errors import WrongUsage
from asana_mirror.run import SyncOptions, conclude
from asana_mirror.singly import Record
from asana_mirror.store.places import Places
from asana_mirror.store.repairs import Repairs
from asana_mirror.store.rows import Rows
from asana_mirror.times import utc_now
from asana_mirror.words import Scope, Step
from asana_mirror.work import Work


@dataclass
class Wrong:
    """What is to be read again: the listings and the records that differ, and who was missed in a listing."""

    steps: list[Step] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    missed: set[Record] = field(default_factory=set)

    def add(self, check: Step | Record, differences: Iterable[Difference]) -> None:
        """Note that a check found differences."""
        if isinstance(check, Step):
            self.steps.append(check)
            self.missed.update(
                (found.what, found.gid)
                for found in differences
                if found.there == NOT_LISTED and found.what in RESOURCES
            )
        else:
            self.records.append(check)


@dataclass(frozen=True)
class Done:
    """What a repair changed."""

    run: int
    rows_inserted: int
    rows_updated: int
    rows_deleted: int


def reason_against(rows: Rows, path: Path) -> WrongUsage | None:
    """Why this mirror cannot be repaired now, if so."""
    if rows.last_scope() is not None:
        return None
    return WrongUsage(
        f"The last sync of {path} did not come to its end: what it has not read is not to be repaired.",
        hint=f"Run asana-mirror sync {path} first.",
    )


async def repaired(
    asana: Asana, options: SyncOptions, wrong: Wrong, rows: Rows, stop: Stop, show: Show | None = None
) -> Done:
    """Read again what is wrong. The caller holds the mirror. Raises what a run raises."""
    options = replace(options, scope=rows.last_scope() or Scope())
    with opened(options.mirror) as mirror:
        with mirror.atomic():
            run = Repairs(mirror.db).begin(now=utc_now(), holder=holder(), version=__version__)
        again = Again(asana, mirror, run, options.attention(), stop)
        async with on_record(mirror, run, again.reading, stop, show):
            again.ask(wrong.steps)
            again.doubt(wrong.missed)
            await again.read(wrong.records)
            await again.until_nothing_is_left()
            deleted = conclude(mirror, run, again.reading, options)
        tally = again.reading.tally
        return Done(run.id, tally.inserted, tally.updated, deleted)


class Again(Work):
    """A round that reads only what it is told to, and what that leads to."""

    def ask(self, steps: Iterable[Step]) -> None:
        """Put listings in the queue."""
        self.reading.moves_cursors = self.reading.consequences.each_run_too = False
        with self._mirror.atomic():
            self.reading.ask_for(steps, again=True)

    def doubt(self, records: Iterable[Record]) -> None:
        """Let records be asked for, unless the listings show them by now."""
        with self._mirror.atomic():
            for resource, gid in records:
                self._mirror.absence.doubt(resource, [gid], self._run.round)

    async def read(self, records: Iterable[Record]) -> None:
        """Read records by themselves; through the listing in which one stands, where only that tells all of it."""
        whole = [record for record in records if not RESOURCES[record[0]].one_place]
        outcomes = await self._singly.read_all(whole)
        rows, places = Rows(self._mirror.db.conn), Places(self._mirror.db)
        for resource, gid in records:
            if outcomes.get((resource, gid)) != "read":
                # Nobody is gone because of one answer: the listings that showed it have to say so as well.
                known = [step for step in places.where(resource, gid) if self._mirror.rounds.state_of(step)]
                self.ask(known)
                if not known:
                    self.doubt([(resource, gid)])
            elif resource == "tasks":  # what else happened to it may have happened below it
                self.ask(rows.listings_of_task(gid))

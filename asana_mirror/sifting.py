"""Decides which records come in: asks Asana for a project or a parent of which nothing is known yet."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from asana_mirror.catalog import RESOURCES
from asana_mirror.client import Asana
from asana_mirror.errors import CarryOnWithout
from asana_mirror.exclusion import (
    ASKS,
    CONCERNED,
    NAMED,
    REMEMBERED,
    Record,
    Sifted,
    gid_of,
    hanging_on,
    ties,
    without_links,
    without_names,
    without_sections,
)
from asana_mirror.store.excluded import Excluded
from asana_mirror.wire import record_request
from asana_mirror.words import Batch, Step


class Sifting:
    """One run's decisions. `trusts`: that a task left out by an earlier run still is where it was."""

    def __init__(self, asana: Asana, excluded: Excluded, *, trusts: bool = True) -> None:
        self._asana = asana
        self._excluded = excluded
        self._rules = excluded.rules()
        self._trusts = trusts
        self._decided: set[Record] = set()  # left out in this run
        self._asked: dict[Record, asyncio.Future[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._rules)

    async def sift(self, resource: str, records: list[Any], step: Step | None = None) -> Sifted:
        """Take out of a page (or a single answer) what is excluded. Raises GaveUp where that cannot be told."""
        if not self or resource not in CONCERNED:
            return Sifted(records)
        page = _Page(self, resource, records, step)
        return await page.sifted()

    def blank(self, batch: Batch) -> Batch:
        """The batch with names for those only who are known not to be excluded."""
        if not self:
            return batch
        known = {(table, gid) for table in REMEMBERED for gid in batch.stubs.get(table, ())}
        return without_names(batch, self.known(known))

    def known(self, records: Iterable[Record]) -> dict[Record, str]:
        """What is known without asking: why something is kept out, or that it is not (empty)."""
        found: dict[Record, str] = {}
        wanted = set(records)
        for resource in {resource for resource, _ in wanted}:
            gids = [gid for kind, gid in wanted if kind == resource]
            if resource == "teams":
                found.update(((resource, gid), NAMED if gid in self._rules.teams else "") for gid in gids)
                continue
            for gid, why in self._excluded.verdicts(resource, gids).items():
                if not why or self._trusts or resource != "tasks" or (resource, gid) in self._decided:
                    found[resource, gid] = why
        for record in wanted - found.keys():
            asked = self._asked.get(record)
            if asked and asked.done() and not asked.cancelled() and not asked.exception():
                found[record] = asked.result()
        return found

    def decide(self, record: Record) -> None:
        """Remember that a record was left out in this run."""
        self._decided.add(record)

    async def ask(self, record: Record, chain: frozenset[Record]) -> str:
        """Look up something of which nothing is known: once in a run, but for the parents of parents.

        These are not shared, so that nobody waits for an answer that waits for them.
        """
        if len(chain) > 1:
            return await self._look_up(record, chain)
        if record not in self._asked:
            self._asked[record] = asyncio.ensure_future(self._look_up(record, chain))
        return await self._asked[record]

    async def _look_up(self, record: Record, chain: frozenset[Record]) -> str:
        resource, gid = record
        path = RESOURCES[resource].path or ""
        try:
            answer = await self._asana.record(*record_request(path, resource, gid, only=ASKS[resource]))
        except CarryOnWithout:  # what cannot be read is not said to be excluded
            return ""
        page = _Page(self, resource, [{**answer.content, "gid": gid}], None)
        return await page.why({**answer.content, "gid": gid}, chain)

    def rule(self, resource: str, record: Any) -> str:
        """Why a project or team is kept out by what it says of itself."""
        return self._rules.why(resource, record)


class _Page:
    """Records that are decided together: one may be the parent of another."""

    def __init__(self, sifting: Sifting, resource: str, records: list[Any], step: Step | None) -> None:
        self._sifting = sifting
        self._resource = resource
        self._records = records
        self._found = Sifted([])
        self._here = {gid_of(one): one for one in records} if resource == "tasks" else {}
        named = {tie for record in records for tie in ties(resource, record)}
        self._known = sifting.known(named)
        if step and step.parent_gid:  # its list would not have been asked for
            self._known.setdefault((step.listing.below or "", step.parent_gid), "")

    async def sifted(self) -> Sifted:
        for record in self._records:
            gid = gid_of(record)
            why = await self.why(record, frozenset())
            if why and gid:
                self._leave_out((self._resource, gid), why)
            else:
                self._found.kept.append(self._stripped(record))
        return self._found

    async def why(self, record: Any, chain: frozenset[Record]) -> str:
        """Why a record stays out; empty: it does not."""
        if self._resource in ("projects", "teams"):
            return self._sifting.rule(self._resource, record)
        found = [(tie, await self._why_not(tie, chain)) for tie in ties(self._resource, record)]
        return hanging_on(*found[0][0]) if found and all(why for _, why in found) else ""

    async def _why_not(self, record: Record, chain: frozenset[Record]) -> str:
        if record not in self._known:
            resource, gid = record
            if record in chain:  # whoever stands below itself
                return ""
            if resource == "tasks" and gid in self._here:
                why = await self.why(self._here[gid], chain | {record})
            else:
                why = await self._sifting.ask(record, chain | {record})
            self._known[record] = why
            if why:
                self._leave_out(record, why)
        return self._known[record]

    def _leave_out(self, record: Record, why: str) -> None:
        self._found.left_out[record] = why
        self._sifting.decide(record)

    def _stripped(self, record: Any) -> Any:
        if self._resource == "tasks":
            out = {gid for (kind, gid), why in self._known.items() if kind == "projects" and why}
            return without_links(record, out) if out and isinstance(record, dict) else record
        if self._resource == "stories" and isinstance(record, dict):
            project = gid_of(record.get("project"))
            if project and self._sifting.known([("projects", project)]).get(("projects", project)) != "":
                return without_sections(record)
        return record

"""Decides which records come in: asks Asana for a project or a parent of which nothing is known yet."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
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
from asana_mirror.words import Batch


class Sifting:
    """One run's decisions. `trusts`: that a task left out by an earlier run still is where it was."""

    def __init__(self, asana: Asana, excluded: Excluded, *, trusts: bool = True) -> None:
        self._asana = asana
        self._excluded = excluded
        self._rules = excluded.rules()
        self._excludes = bool(self._rules)
        self._trusts = trusts
        self._decided: set[Record] = set()  # left out in this run
        self._asked: dict[Record, asyncio.Future[str]] = {}

    def __bool__(self) -> bool:
        return self._excludes

    # -- before a transaction -------------------------------------------------------------------------

    async def look_up(self, resource: str, records: list[Any]) -> None:
        """Ask for all that must be known to sift a page, or a single answer. Raises GaveUp where it cannot be told."""
        if not self or resource not in CONCERNED:
            return
        wanted = {tie for record in records for tie in ties(resource, record)}
        here = {(resource, gid_of(record)) for record in records}
        for record in wanted - here - self._known(wanted).keys():
            await self._ask(record, frozenset([record]))

    async def _ask(self, record: Record, chain: frozenset[Record]) -> str:
        """Look something up: once in a run, but for the parents of parents.

        These are not shared, so that nobody waits for an answer that waits for them.
        """
        if len(chain) > 1:
            return await self._answer(record, chain)
        if record not in self._asked:
            self._asked[record] = asyncio.ensure_future(self._answer(record, chain))
        return await self._asked[record]

    async def _answer(self, record: Record, chain: frozenset[Record]) -> str:
        resource, gid = record
        path = RESOURCES[resource].path or ""
        try:
            answer = await self._asana.record(*record_request(path, resource, gid, only=ASKS[resource]))
        except CarryOnWithout:  # what cannot be read is not said to be excluded
            return ""
        if resource == "projects":
            return self._rules.why(resource, {**answer.content, "gid": gid})
        found = list(ties(resource, answer.content))
        known = self._known(found)
        for tie in found:
            if tie not in known:
                known[tie] = "" if tie in chain else await self._ask(tie, chain | {tie})
        return _why(found, known)

    # -- inside a transaction -------------------------------------------------------------------------

    def sift(self, resource: str, records: list[Any]) -> Sifted:
        """Take out what is excluded, by what is known by now."""
        if not self or resource not in CONCERNED:
            return Sifted(records)
        known = self._known({tie for record in records for tie in ties(resource, record)})
        whys = self._whys(resource, records, known)
        sifted = Sifted([])
        for record in records:
            gid = gid_of(record)
            if why := whys.get(gid or ""):
                sifted.left_out[resource, gid or ""] = why
            else:
                sifted.kept.append(_stripped(resource, record, known))
        sifted.above = {tie: why for tie, why in known.items() if why}
        self._decided.update((*sifted.left_out, *sifted.above))
        return sifted

    def _whys(self, resource: str, records: list[Any], known: Mapping[Record, str]) -> dict[str, str]:
        """Why each of these stays out. One task of a page may be the parent of another."""
        if resource in ("projects", "teams"):
            return {gid_of(one) or "": self._rules.why(resource, one) for one in records}
        hanging = {gid_of(one) or "": list(ties(resource, one)) for one in records}
        whys: dict[str, str] = {}

        def why(gid: str, chain: tuple[str, ...]) -> str:
            if gid not in whys:
                below = {
                    tie: why(tie[1], (*chain, gid))
                    for tie in hanging[gid]
                    if tie[0] == resource and tie[1] in hanging and tie[1] not in (*chain, gid)
                }
                whys[gid] = _why(hanging[gid], {**known, **below})
            return whys[gid]

        for gid in hanging:
            why(gid, ())
        return whys

    def blank(self, batch: Batch) -> Batch:
        """The batch with names for those only who are known not to be excluded."""
        if not self:
            return batch
        return without_names(
            batch, self._known((table, gid) for table in REMEMBERED for gid in batch.stubs.get(table, ()))
        )

    def _known(self, records: Iterable[Record]) -> dict[Record, str]:
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


def _why(found: list[Record], known: Mapping[Record, str]) -> str:
    return hanging_on(*found[0]) if found and all(known.get(tie) for tie in found) else ""


def _stripped(resource: str, record: Any, known: Mapping[Record, str]) -> Any:
    if resource == "tasks" and isinstance(record, dict):
        return without_links(
            record, {gid for (kind, gid), why in known.items() if kind == "projects" and why}
        )
    return without_sections(record) if resource == "stories" else record

"""Finds one full record of each resource, with few requests: what the mirror knows, else the first of a list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from asana_mirror import wire
from asana_mirror.catalog import LISTINGS, RESOURCES, Embedded, Listing, listings_of
from asana_mirror.client import Asana
from asana_mirror.errors import CarryOnWithout, StartOver, WaitAndRepeat
from asana_mirror.words import Step, step_named

REQUESTS_EACH = 3
LOOKED_AT = (
    5  # records of a list: the first is the specimen, the others may have what the first has not below it
)

Record = Mapping[str, Any]


class Known(Protocol):
    """What is known of Asana before it is asked."""

    def gids(self, resource: str) -> list[str]:
        """A few records that were alive when they were last read, the latest first."""

    def places(self, listing: Listing) -> list[tuple[str, str | None]]:
        """A few parents, and parts of their list, in which records were found."""

    def owners(self, embedded: Embedded) -> list[str]:
        """A few records that had others inside them."""


@dataclass(frozen=True)
class Refusal:
    """A question that Asana did not answer."""

    resource: str
    listing: str | None  # the catalog's name; None for a single record
    path: str
    status: int | None
    message: str


@dataclass
class Specimen:
    """What was found of a resource; `refusals` on the way there do not matter where a record was found."""

    resource: str
    record: Record | None = None
    refusals: list[Refusal] = field(default_factory=list)
    requests: int = 0
    answered: bool = False  # a list was shown, and be it an empty one


class Specimens:
    """Asks for them, parents before what stands below them."""

    def __init__(self, asana: Asana, known: Known, workspace_gid: str | None) -> None:
        self._asana = asana
        self._known = known
        self._workspace_gid = workspace_gid
        self.found = {name: Specimen(name) for name in RESOURCES}
        self._gids: dict[str, list[str]] = {"workspaces": [workspace_gid]} if workspace_gid else {}
        self._shown: dict[str, list[Record] | None] = {}  # what lists have answered, by their key

    async def find_all(self) -> None:
        """Raises BadToken and AsanaUnreachable; other refusals stand in the specimens."""
        for name in _parents_first():
            specimen = self.found[name]
            if specimen.record is None:
                await self._by_itself(specimen)
            if specimen.record is None:
                await self._in_lists(specimen)
            if specimen.record is None:
                await self._inside_its_owner(specimen)

    async def at(self, resource: str, path: str) -> Record | None:
        """The record at a path; None where it is refused."""
        await self._single(self.found[resource], path)
        return self.found[resource].record

    def take(self, resource: str, record: Record) -> None:
        """Keep a whole record, and those that are inside it."""
        self.found[resource].record = record
        if record.get("gid"):
            self._gids.setdefault(resource, []).append(str(record["gid"]))
        for embedded in RESOURCES[resource].embedded:
            inner = record.get(embedded.name)
            first = inner[0] if isinstance(inner, list) and inner else inner
            if not isinstance(first, dict):
                continue
            if RESOURCES[embedded.resource].path is None:  # seen nowhere else
                self.found[embedded.resource].record = first
            elif first.get("gid"):
                self._gids.setdefault(embedded.resource, []).append(str(first["gid"]))

    async def shown(self, listing_name: str) -> list[Record] | None:
        """The first records of a workspace's list; None where it is refused."""
        if self._workspace_gid is None:
            return None
        specimen = self.found[LISTINGS[listing_name].resource]
        return await self._list(specimen, step_named(listing_name, self._workspace_gid, self._workspace_gid))

    # -- ways to a record -----------------------------------------------------------------------------

    async def _by_itself(self, specimen: Specimen) -> None:
        path = RESOURCES[specimen.resource].path
        for gid in [*self._gids.get(specimen.resource, ()), *self._known.gids(specimen.resource)][:1]:
            if path:
                await self._single(specimen, path.format(gid=gid))

    async def _single(self, specimen: Specimen, path: str) -> None:
        """One record without `opt_fields`: all that Asana shows unasked."""
        found = await self._ask(specimen, None, path, {}, single=True)
        if found:
            self.take(specimen.resource, found[0])

    async def _in_lists(self, specimen: Specimen) -> None:
        path = RESOURCES[specimen.resource].path
        reserve = 1 if path else 0
        for step in self._steps(specimen.resource):
            if specimen.requests + reserve >= REQUESTS_EACH:
                return
            records = await self._list(specimen, step) or []
            if not records:
                continue
            gids = [str(record["gid"]) for record in records if record.get("gid")]
            self._gids.setdefault(specimen.resource, []).extend(gids)
            if path and gids and not step.listing.single:
                await self._single(specimen, path.format(gid=gids[0]))
            if specimen.record is None:  # the list shows all that there is to see
                self.take(specimen.resource, records[0])
            return

    async def _inside_its_owner(self, specimen: Specimen) -> None:
        """Records that come inside others only: in the owner of one that the mirror knows."""
        owners = ((owner, one) for owner in RESOURCES.values() for one in owner.embedded)
        for owner, embedded in owners:
            if embedded.resource != specimen.resource or owner.path is None:
                continue
            for gid in self._known.owners(embedded)[:1]:
                found = await self._ask(specimen, None, owner.path.format(gid=gid), {}, single=True)
                inner = found[0].get(embedded.name) if found else None
                if isinstance(inner, list) and inner and isinstance(inner[0], dict):
                    self.take(specimen.resource, inner[0])
                    return

    def _steps(self, resource: str) -> Iterator[Step]:
        """Lists in which a record may be found, those first in which the mirror has found one."""
        for listing in listings_of(resource):
            if listing.below is None:
                yield step_named(listing.name)
                continue
            for parent, part in [*self._known.places(listing), *self._parents(listing)][:2]:
                yield step_named(listing.name, parent, self._workspace_gid, part=part)

    def _parents(self, listing: Listing) -> Iterator[tuple[str, str | None]]:
        """Parents that may have something; a part of a list can only be named where one is known."""
        if listing.part is None and not (listing.single and listing.below == listing.resource):
            below = "users" if listing.below == "actors" else listing.below or ""
            for gid in [*self._gids.get(below, ()), *self._known.gids(below)]:
                yield gid, None

    # -- asking ---------------------------------------------------------------------------------------

    async def _list(self, specimen: Specimen, step: Step) -> list[Record] | None:
        if step.key not in self._shown:
            path, params = wire.page_request(step, None, LOOKED_AT)
            params.pop("opt_fields", None)
            records = await self._ask(specimen, step.listing, path, params, single=step.listing.single)
            specimen.answered |= records is not None
            self._shown[step.key] = records
        return self._shown[step.key]

    async def _ask(
        self,
        specimen: Specimen,
        listing: Listing | None,
        path: str,
        params: Mapping[str, str],
        *,
        single: bool,
    ) -> list[Record] | None:
        """The records of an answer; None where there is none, which is noted."""
        specimen.requests += 1
        try:
            page = (await self._asana.page(path, params, single=single)).content
        except (CarryOnWithout, WaitAndRepeat, StartOver) as refusal:
            status = getattr(refusal, "status", None)
            name = listing.name if listing else None
            specimen.refusals.append(Refusal(specimen.resource, name, path, status, str(refusal)))
            return None
        return [record for record in page.records if isinstance(record, dict)]


def _parents_first() -> list[str]:
    """Resources in the order in which their lists are read; those that come inside others last."""

    def rank(name: str) -> int:
        return min((listing.rank for listing in listings_of(name)), default=100)

    return sorted(RESOURCES, key=rank)

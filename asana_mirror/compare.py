"""What the mirror has against what Asana says: pure. Who is checked is chosen here as well."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from asana_mirror.catalog import RESOURCES, Links, Resource, Row
from asana_mirror.words import Batch

T = TypeVar("T")

# What the contract lets lag: it is healed by age, and no event or date tells of it.
MAY_LAG = frozenset({"position", "display_value"})
LISTED, NOT_LISTED = "listed", "not listed"
LIVING, NOTHING = "living", "not in the mirror"
_LINKS: dict[str, Links] = {links.table: links for entry in RESOURCES.values() for links in entry.links}


@dataclass(frozen=True)
class Difference:
    """One thing on which mirror (here) and Asana (there) do not agree.

    `what` is a table. `column` is a column of it, or the listing in which only one side shows the record; None
    where one side has the record and the other has not.
    """

    what: str
    gid: str
    column: str | None
    here: Any
    there: Any


@dataclass
class Here:
    """What the mirror has where a batch has something: as a batch, with words for what does not live."""

    rows: dict[str, dict[str, Row]] = field(default_factory=dict)
    links: dict[str, dict[str, dict[Row, Row]]] = field(default_factory=dict)
    children: dict[tuple[str, str], dict[str, set[str]]] = field(default_factory=dict)
    states: dict[str, dict[str, str]] = field(default_factory=dict)  # resource → gid → why it is not in rows


@dataclass
class Comparison:
    """What differs, and apart from it what may lag."""

    differences: list[Difference] = field(default_factory=list)
    lag: list[Difference] = field(default_factory=list)

    def add(self, found: Iterable[Difference]) -> None:
        for difference in found:
            lags = (difference.column or "").split(" ")[0] in MAY_LAG
            (self.lag if lags else self.differences).append(difference)


def compare_listing(
    what: str, listing: str, here: Sequence[str], there: Sequence[str], states: Mapping[str, str]
) -> Comparison:
    """The gids of one listing. `states` tells what the mirror has of those that only Asana lists."""
    found = Comparison()
    stands, listed = set(here), set(there)
    for gid in there:
        if gid not in stands:
            state = states.get(gid, NOTHING)
            ours = f"{state}, {NOT_LISTED}" if state == LIVING else state
            found.add([Difference(what, gid, listing, ours, LISTED)])
    found.add(Difference(what, gid, listing, LISTED, NOT_LISTED) for gid in here if gid not in listed)
    return found


def compare_order(what: str, listing: str, here: Sequence[str], there: Sequence[str]) -> Iterator[Difference]:
    """The first record that stands elsewhere in the order of those that both sides list."""
    both = set(here) & set(there)
    ours, theirs = ([gid for gid in side if gid in both] for side in (here, there))
    for place, (our, their) in enumerate(zip(ours, theirs, strict=True)):
        if our != their:
            yield Difference(what, their, f"position {listing}", ours.index(their), place)
            return


def compare_batch(resource: Resource, batch: Batch, here: Here) -> Comparison:
    """A record of `resource` that was read by itself, with its links and the records inside it."""
    found = Comparison()
    for name, rows in batch.rows.items():
        # Read by itself, a record does not say in which place of its listing it stands.
        untold = RESOURCES[name].own_columns if name == resource.name else ()
        for gid, row in rows.items():
            found.add(_rows(name, gid, here, row, untold))
    for table, owners in batch.links.items():
        for owner, there in owners.items():
            found.add(_links(_LINKS[table], owner, here.links.get(table, {}).get(owner, {}), there))
    for (child, column), parents in batch.children.items():
        for parent, there_gids in parents.items():
            stands = here.children.get((child, column), {}).get(parent, set())
            found.add(_children(child, f"{column} {parent}", stands, there_gids))
    return found


def _rows(what: str, gid: str, here: Here, there: Row, untold: Collection[str]) -> Iterator[Difference]:
    row = here.rows.get(what, {}).get(gid)
    if row is None:
        yield Difference(what, gid, None, here.states.get(what, {}).get(gid, NOTHING), LIVING)
        return
    columns = (*RESOURCES[what].column_names(), "_extra")
    for column, ours, theirs in zip(columns, row, there, strict=True):
        if ours != theirs and column not in untold:
            yield Difference(what, gid, column, ours, theirs)


def _links(
    links: Links, owner: str, here: Mapping[Row, Row], there: Mapping[Row, Row]
) -> Iterator[Difference]:
    for key in sorted(here.keys() | there.keys()):
        other = "/".join(map(str, key))
        if key not in here:
            yield Difference(links.table, owner, links.key[0], None, other)
        elif key not in there:
            yield Difference(links.table, owner, links.key[0], other, None)
        else:
            for column, ours, theirs in zip(links.values, here[key], there[key], strict=True):
                if ours != theirs:
                    yield Difference(links.table, owner, f"{column} of {other}", ours, theirs)


def _children(child: str, place: str, here: Collection[str], there: Collection[str]) -> Iterator[Difference]:
    for gid in sorted(set(there) - set(here)):
        yield Difference(child, gid, place, None, LIVING)
    for gid in sorted(set(here) - set(there)):
        yield Difference(child, gid, place, LIVING, None)


def spread(counts: Mapping[str, int], sample: int) -> dict[str, int]:
    """How many of each to choose so that `sample` are chosen in all: in proportion, but none forgotten.

    Each kind has one first, as long as there are enough; then the largest remainders take what is left over.
    """
    counts = {name: count for name, count in counts.items() if count > 0}
    total = sum(counts.values())
    if sample >= total:
        return counts
    chosen = dict.fromkeys(sorted(counts, key=lambda name: counts[name], reverse=True)[:sample], 1)
    exact = {name: count * sample / total for name, count in counts.items()}
    while sum(chosen.values()) < sample:
        wanting = max(
            (name for name in counts if chosen.get(name, 0) < counts[name]),
            key=lambda name: exact[name] - chosen.get(name, 0),
        )
        chosen[wanting] = chosen.get(wanting, 0) + 1
    return chosen


def choose(gids: Iterable[T], number: int, randomness: random.Random) -> list[T]:
    """`number` of them, each equally likely, without holding all of them: reservoir sampling."""
    chosen: list[T] = []
    if number <= 0:
        return chosen
    for seen, gid in enumerate(gids):
        if seen < number:
            chosen.append(gid)
        elif (place := randomness.randrange(seen + 1)) < number:
            chosen[place] = gid
    return chosen

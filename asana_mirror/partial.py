"""Lists that need not tell all of a record: what they leave untold is read by itself, and only where it is news.

Asana documents fewer fields for some lists than for a single record, and usually gives what is asked for by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from asana_mirror.catalog import Resource, Row
from asana_mirror.decode import differs_where_told
from asana_mirror.store import Mirror
from asana_mirror.words import Batch, Step, Wish


def set_apart(
    mirror: Mirror, resource: Resource, step: Step, batch: Batch, records: Iterable[Any]
) -> list[Wish]:
    """Take out of a batch the records without the field that the list need not tell; returns which are to be read.

    These are the ones that are not here yet, or of which something that was told differs. Inside the caller's
    transaction, before the batch is written; what is returned is noted afterwards.
    """
    untold = step.listing.untold
    partial = {
        str(record["gid"]): record
        for record in records
        if isinstance(record, dict) and record.get("gid") and untold not in record
    }
    if untold is None or not partial:
        return []
    rows, links = batch.rows.get(resource.name, {}), _taken_links(resource, batch, partial)
    known = mirror.pages.known(resource, partial.keys() & rows.keys())
    known_links = {one.table: mirror.pages.links_of(one, known.keys()) for one in resource.links}
    wanted = []
    for gid, record in partial.items():
        row = rows.pop(gid, None)
        if row is None:
            continue  # it did not fit
        same_links = all(
            found.get(gid) in (None, known_links[table].get(gid, {})) for table, found in links.items()
        )
        if _is_news(resource, record, row, known.get(gid)) or not same_links:
            wanted.append(Wish(resource.name, gid))
            batch.stubs.setdefault(resource.name, {}).setdefault(gid, {}).update(step.fills())
    return wanted


def _is_news(resource: Resource, record: Mapping[str, Any], row: Row, known: Row | None) -> bool:
    return not known or differs_where_told(resource, record, row, known)


def _taken_links(
    resource: Resource, batch: Batch, gids: Iterable[str]
) -> dict[str, dict[str, dict[Row, Row]]]:
    """Table → owner → links of these records, taken out of the batch."""
    taken: dict[str, dict[str, dict[Row, Row]]] = {}
    for links in resource.links:
        here = batch.links.get(links.table, {})
        taken[links.table] = {gid: here.pop(gid) for gid in [gid for gid in gids if gid in here]}
    return taken

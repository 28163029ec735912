"""What the mirror has, for comparing it with Asana: read without writing."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from sqlite_utils import Database

from asana_mirror.catalog import LISTINGS, RESOURCES, Kept, Links, Listing, Row, listings_of
from asana_mirror.compare import LIVING, Here
from asana_mirror.store.excluded import Excluded, kept_out
from asana_mirror.store.opening import looked_into
from asana_mirror.store.pages import gids_json
from asana_mirror.store.purged import PurgedPeople
from asana_mirror.store.rounds import FINISHED
from asana_mirror.store.standing import ALIVE, member_column, place_values, standing_in, standing_on
from asana_mirror.words import Batch, Scope, Step, step_named

AT_ONCE = 1000  # rows fetched at a time: no reading stays open, so that a run may go on beside it
# Not those that list only what was modified lately, and no streams.
LISTED = tuple(
    name
    for name, listing in LISTINGS.items()
    if (listing.stands or not listing.on_demand) and not (listing.single or listing.log)
)
COMPLETE = (
    "due = 0 AND refused IS NULL AND split = 0 AND last_walked_at IS NOT NULL "
    f"AND name IN ({', '.join(repr(name) for name in LISTED)})"
)
DEEP = tuple(  # a request per task, or comment
    name for name, listing in LISTINGS.items() if listing.below in ("tasks", "stories")
)


@contextmanager
def rows_of(path: Path) -> Iterator[Rows]:
    """Open a mirror for reading only. Raises NotAMirror, WrongUsage for one that must be upgraded first."""
    with looked_into(path) as connection:
        yield Rows(connection)


class Rows:
    """The living rows, where they stand, and how far the mirror knows each listing."""

    def __init__(self, connection: sqlite3.Connection, workspaces: Collection[str] = ()) -> None:
        self._connection = connection
        self.workspaces: tuple[str, ...] = tuple(workspaces)
        self.erasure = PurgedPeople(Database(connection)).erasure()
        self.excluded = Excluded(Database(connection))

    # -- listings -------------------------------------------------------------------------------------

    def listings(self) -> Iterator[Step]:
        """Every listing that was read to its end, but for those of single tasks."""
        last = ""
        while found := self._all(
            f"SELECT listing, name, parent_gid, workspace_gid, part FROM sync_checkpoints WHERE {COMPLETE} "
            f"AND listing > ? AND name NOT IN ({_texts(DEEP)}) ORDER BY listing LIMIT {AT_ONCE}",
            last,
        ):
            last = found[-1][0]
            yield from (
                step_named(name, parent_gid, workspace_gid, part=part)
                for _, name, parent_gid, workspace_gid, part in found
                if self._is_wanted(name, workspace_gid)
            )

    def listings_of_task(self, gid: str) -> list[Step]:
        """The listings of one task that were read to their end."""
        return [
            step_named(name, parent_gid, workspace_gid, part=part)
            for name, parent_gid, workspace_gid, part in self._all(
                f"SELECT name, parent_gid, workspace_gid, part FROM sync_checkpoints WHERE {COMPLETE} "
                f"AND parent_gid IN (SELECT ?1 UNION ALL SELECT gid FROM stories WHERE target_gid = ?1) "
                f"AND name IN ({_texts(DEEP)})",
                gid,
            )
        ]

    def _is_wanted(self, name: str, workspace_gid: str | None) -> bool:
        if not self.workspaces:
            return True
        return name != "workspaces" and (workspace_gid is None or workspace_gid in self.workspaces)

    def parent_lives(self, step: Step) -> bool:
        """Whether the mirror says at all that there is such a listing: those of the dead are nobody's affair."""
        below, gid = step.listing.below, step.parent_gid or ""
        if below is None:
            return True
        tables = ("users", "agents") if below == "actors" else (below,)
        return any(self.living(table, [gid]) for table in tables)

    def standing(self, step: Step) -> list[str]:
        """The gids of a listing as the mirror has it, in its order where that is kept."""
        listing, resource = step.listing, step.listing.resource
        ordered = f" ORDER BY {listing.position}" if listing.position else ""
        if listing.kept:
            return self._kept(listing.kept, step)
        if listing.stands is None:
            return self._column(f"SELECT gid FROM {resource} WHERE {ALIVE}")
        if isinstance(listing.stands, tuple):
            table, column = listing.stands
            return self._column(
                f"SELECT gid FROM {resource} JOIN {table} ON {member_column(resource)} = gid "
                f"WHERE {column} = ? AND {ALIVE}{ordered}",
                step.parent_gid,
            )
        sql = f"SELECT gid FROM {resource} WHERE {ALIVE} AND {standing_in(listing)}{ordered}"
        return self._column(sql, *place_values(step))

    def _kept(self, kept: Kept, step: Step) -> list[str]:
        """Who stands in a list that is itself kept as links."""
        only = f" AND {kept.kind} = '{kept.only}'" if kept.only else ""
        ordered = f" ORDER BY {kept.position}" if kept.position else ""
        sql = f"SELECT {kept.member} FROM {kept.table} WHERE {kept.owner} = ?{only}{ordered}"
        return self._column(sql, step.parent_gid)

    def read_alone(self, listing: Listing, gids: Iterable[str]) -> set[str]:
        """Which of these are read one by one, because they were met where this listing need not show them."""
        if listing.alone is None:
            return set()
        read = "SELECT parent_gid FROM sync_checkpoints WHERE name = ?"
        return self.living(listing.resource, gids).intersection(self._column(read, listing.alone))

    def global_custom_fields(self) -> list[str]:
        """The fields that stand in a workspace's list; which one's, no field says."""
        return self._column(f"SELECT gid FROM custom_fields WHERE is_global_to_workspace AND {ALIVE}")

    def purged(self) -> set[str]:
        """Persons who were purged, and so stand in no list."""
        return set(self._column("SELECT gid FROM sync_purged WHERE resource = 'actors'"))

    # -- records --------------------------------------------------------------------------------------

    def count(self) -> dict[str, int]:
        """How many living records there are of whatever can be read by itself, but for those kept out."""
        return {
            name: self._all(f"SELECT count(*) FROM {name} WHERE {_followed(name)} AND {self._within(name)}")[
                0
            ][0]
            for name, entry in RESOURCES.items()
            if entry.path
        }

    def gids(self, resource: str) -> Iterator[str]:
        """The gids of all living records, in a fixed order, but for those kept out."""
        last = ""
        while found := self._column(
            f"SELECT gid FROM {resource} WHERE gid > ? AND {_followed(resource)} AND {self._within(resource)} "
            f"ORDER BY gid LIMIT {AT_ONCE}",
            last,
        ):
            last = found[-1]
            yield from found

    def _within(self, resource: str) -> str:
        """The condition that a record belongs to the wanted workspaces."""
        if not self.workspaces:
            return "1"
        here = _texts(self.workspaces)
        if resource == "workspaces":
            return f"{resource}.gid IN ({here})"
        if "workspace_gid" in RESOURCES[resource].column_names():
            return f"{resource}.workspace_gid IN ({here})"
        conditions = []
        for listing in listings_of(resource):
            place, below = listing.stands, listing.below or ""
            if place is None:
                continue
            parents = (
                here if below == "workspaces" else f"SELECT gid FROM {below} WHERE {self._within(below)}"
            )
            if isinstance(place, tuple):
                member, (table, column) = member_column(resource), place
                conditions.append(f"gid IN (SELECT {member} FROM {table} WHERE {column} IN ({parents}))")
            else:
                conditions.append(f"{resource}.{place} IN ({parents})")
        return f"({' OR '.join(conditions)})" if conditions else "1"

    def living(self, resource: str, gids: Iterable[str]) -> set[str]:
        """Which of these are whole and no tombstones."""
        sql = f"SELECT gid FROM {resource} WHERE gid IN (SELECT value FROM json_each(?)) AND {ALIVE}"
        return set(self._column(sql, gids_json(gids)))

    def states(self, resource: str, gids: Iterable[str]) -> dict[str, str]:
        """What the mirror has under these gids, in words; nothing where it has nothing."""
        return {
            gid: LIVING if is_living else f"tombstone: {reason}" if reason else "known by reference only"
            for gid, is_living, reason in self._all(
                f"SELECT gid, {ALIVE}, _deleted_reason FROM {resource} "
                "WHERE gid IN (SELECT value FROM json_each(?))",
                gids_json(gids),
            )
        }

    def undecoded(self, resource: str, gids: Iterable[str]) -> set[str]:
        """Which of these are kept as they came, because they did not fit."""
        return set(
            self._column(
                "SELECT gid FROM sync_undecoded WHERE resource = ? AND gid IN (SELECT value FROM json_each(?))",
                resource,
                gids_json(gids),
            )
        )

    def fills(self, resource: str, gid: str) -> dict[str, Any]:
        """What a listing would say of a record that need not say it itself: where it stands and cannot leave."""
        columns = sorted(
            {
                column
                for listing in listings_of(resource)
                if listing.below == "workspaces" or RESOURCES[resource].one_place
                for column, _ in listing.fills
            }
        )
        if not columns:
            return {}
        found = self._all(f"SELECT {', '.join(columns)} FROM {resource} WHERE gid = ?", gid)
        return dict(zip(columns, found[0], strict=True)) if found else {}

    def like(self, batch: Batch) -> Here:
        """What the mirror has where the batch has something."""
        here = Here()
        for name, rows in batch.rows.items():
            here.rows[name] = self._rows(name, rows)
            here.states[name] = self.states(name, rows.keys() - here.rows[name].keys())
        for table, owners in batch.links.items():
            here.links[table] = {owner: self._links(_links_of(table), owner) for owner in owners}
        for (child, column), parents in batch.children.items():
            sql = f"SELECT gid FROM {child} WHERE {column} = ? AND {ALIVE}"
            here.children[child, column] = {parent: set(self._column(sql, parent)) for parent in parents}
        return here

    def _rows(self, resource: str, gids: Iterable[str]) -> dict[str, Row]:
        columns = ", ".join((*RESOURCES[resource].column_names(), "_extra"))
        return {
            row[0]: row[1:]
            for row in self._all(
                f"SELECT gid, {columns} FROM {resource} "
                f"WHERE gid IN (SELECT value FROM json_each(?)) AND {ALIVE}",
                gids_json(gids),
            )
        }

    def _links(self, links: Links, owner: str) -> dict[Row, Row]:
        width = len(links.key)
        sql = f"SELECT {', '.join(links.columns)} FROM {links.table} WHERE {links.owner} = ?"
        return {row[:width]: row[width:] for row in self._all(sql, owner)}

    # -- runs -----------------------------------------------------------------------------------------

    def last_scope(self) -> Scope | None:
        """What the last sync was narrowed to; None when it did not come to its end."""
        found = self._all(
            "SELECT outcome, scope FROM sync_runs WHERE mode != 'repair' ORDER BY id DESC LIMIT 1"
        )
        if not found or found[0][0] not in FINISHED:
            return None
        narrowed = orjson.loads(found[0][1])
        return Scope(**{name: tuple(what) for name, what in narrowed.items() if isinstance(what, list)})

    def _all(self, sql: str, *values: Any) -> list[Any]:
        return self._connection.execute(sql, values).fetchall()

    def _column(self, sql: str, *values: Any) -> list[str]:
        return [row[0] for row in self._connection.execute(sql, values)]


@cache
def _followed(resource: str) -> str:
    """The condition that a record lives, and that neither it nor what it stands on is kept out."""
    places = [
        ("gid", resource),
        *((column, parent) for child, column, parent in standing_on() if child == resource),
    ]
    return " AND ".join(
        [ALIVE, *(f"coalesce({column}, '') NOT IN {kept_out(parent)}" for column, parent in places)]
    )


@cache
def _links_of(table: str) -> Links:
    return next(links for entry in RESOURCES.values() for links in entry.links if links.table == table)


def _texts(values: Iterable[str]) -> str:
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)

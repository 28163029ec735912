"""How many requests a list would take, and what it would show, as far as the mirror knows: read only."""

from __future__ import annotations

from collections.abc import Iterator

from sqlite_utils import Database

from asana_mirror.catalog import LISTINGS, RESOURCES, Listing, Row
from asana_mirror.plan import PAGE, pages
from asana_mirror.store.absence import ALIVE, standing_in
from asana_mirror.words import Step


class Counts:
    """Counts living rows; lists of more than a page are looked up once for each kind."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._long: dict[str, dict[tuple[str, ...], int]] = {}

    def requests(self, step: Step) -> int:
        """Pages of a list; one of what was modified lately counts as one."""
        listing = step.listing
        if step.since is not None:
            return 1
        if listing.below is not None and listing.stands is None:  # no column says what stands there
            row = self._db.execute(
                "SELECT records FROM sync_checkpoints WHERE listing = ?", [step.key]
            ).fetchone()
            return pages(row[0] if row else 0)
        if listing.name not in self._long:
            self._long[listing.name] = self._count(listing)
        return pages(self._long[listing.name].get(_place(step), 0))

    def _count(self, listing: Listing) -> dict[tuple[str, ...], int]:
        """Where more than a page of records stands → how many."""
        if listing.below is None:
            (count,) = self._db.execute(f"SELECT count(*) FROM {listing.resource} WHERE {ALIVE}").fetchone()
            return {(): count}
        source, columns = listing.resource, listing.stands
        if isinstance(columns, tuple):
            table, column = columns
            owner = f"{listing.resource.removesuffix('s')}_gid"
            source, columns = f"{table} JOIN {listing.resource} ON {owner} = gid", f"{table}.{column}"
        if listing.below == "actors":
            columns = f"{columns}, workspace_gid"
        found = self._db.execute(
            f"SELECT {columns}, count(*) FROM {source} WHERE {ALIVE} GROUP BY {columns} HAVING count(*) > {PAGE}"
        )
        return {tuple(row[:-1]): row[-1] for row in found}

    def rows(self, step: Step) -> Iterator[tuple[str, Row]]:
        """The records of a list: gid, and a row of which only the columns are filled that count what is below."""
        place = standing_in(step.listing)
        if place is None:
            return iter(())
        return self._rows(step.listing.resource, place, _place(step))

    def row(self, resource: str, gid: str) -> Iterator[tuple[str, Row]]:
        """One record in the same way, if it lives."""
        return self._rows(resource, "gid = ?", (gid,))

    def _rows(self, resource: str, condition: str, values: tuple[str, ...]) -> Iterator[tuple[str, Row]]:
        counting = {listing.unless_zero for listing in LISTINGS.values() if listing.below == resource}
        columns = (name if name in counting else "NULL" for name in RESOURCES[resource].column_names())
        found = self._db.execute(
            f"SELECT gid, {', '.join(columns)} FROM {resource} WHERE {ALIVE} AND {condition}", list(values)
        )
        return ((row[0], row[1:]) for row in found)

    def agents_at_work(self) -> list[tuple[str, str]]:
        """(agent, workspace) of every agent that has a task."""
        return self._db.execute(
            "SELECT DISTINCT assignee_gid, workspace_gid FROM tasks JOIN actors ON actors.gid = assignee_gid "
            f"WHERE actors.type = 'agent' AND workspace_gid IS NOT NULL AND tasks.{ALIVE}"
        ).fetchall()

    def fields_shown_nowhere(self) -> int:
        """Custom fields that are neither global nor in the settings of anything."""
        (count,) = self._db.execute(
            f"SELECT count(*) FROM custom_fields WHERE {ALIVE} AND is_global_to_workspace IS NOT 1 AND gid NOT IN "
            f"(SELECT custom_field_gid FROM custom_field_settings WHERE {ALIVE})"
        ).fetchone()
        return int(count)

    def lists(self, condition: str) -> set[str]:
        """Keys of lists of which the mirror knows something: that they are refused, or read in parts."""
        sql = f"SELECT listing FROM sync_checkpoints WHERE {condition}"
        return {row[0] for row in self._db.execute(sql)}

    def walked_projects(self) -> set[str]:
        """Living projects whose tasks were read to the end, or in parts."""
        return {
            row[0]
            for row in self._db.execute(
                "SELECT parent_gid FROM sync_checkpoints WHERE name = 'project_tasks' AND last_walked_at IS NOT NULL "
                f"AND parent_gid IN (SELECT gid FROM projects WHERE {ALIVE})"
            )
        }


def _place(step: Step) -> tuple[str, ...]:
    """What names the parent in the columns of a record."""
    if step.listing.below is None:
        return ()
    if step.listing.below == "actors":
        return step.parent_gid or "", step.workspace_gid or ""
    return (step.parent_gid or "",)

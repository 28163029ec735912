"""How many requests a list would take, and what it would show, as far as the mirror knows: read only."""

from __future__ import annotations

from collections.abc import Iterator

from sqlite_utils import Database

from asana_mirror.catalog import LISTINGS, RESOURCES, Listing, Row
from asana_mirror.plan import PAGE, opened_by, pages
from asana_mirror.store.pages import gids_json
from asana_mirror.store.standing import ALIVE, member_column, place_columns, place_values, standing_in
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
        return pages(self._long[listing.name].get(tuple(place_values(step)), 0))

    def _count(self, listing: Listing) -> dict[tuple[str, ...], int]:
        """Where more than a page of records stands → how many."""
        if listing.below is None:
            (count,) = self._db.execute(f"SELECT count(*) FROM {listing.resource} WHERE {ALIVE}").fetchone()
            return {(): count}
        source, columns = listing.resource, ", ".join(place_columns(listing))
        if isinstance(listing.stands, tuple):
            table, column = listing.stands
            member = member_column(listing.resource)
            source, columns = f"{table} JOIN {listing.resource} ON {member} = gid", f"{table}.{column}"
        found = self._db.execute(
            f"SELECT {columns}, count(*) FROM {source} WHERE {ALIVE} GROUP BY {columns} HAVING count(*) > {PAGE}"
        )
        return {tuple(row[:-1]): row[-1] for row in found}

    def standing(self, step: Step) -> int:
        """How many records stand in a list; 0 where no column says so."""
        place = standing_in(step.listing)
        if place is None:
            return 0
        sql = f"SELECT count(*) FROM {step.listing.resource} WHERE {ALIVE} AND {place}"
        return int(self._db.execute(sql, place_values(step)).fetchone()[0])

    def log_ends_at(self, step: Step) -> str | None:
        """When the last entry of a log was made that is here."""
        sql = f"SELECT max(created_at) FROM {step.listing.resource} WHERE workspace_gid = ?"
        last: str | None = self._db.execute(sql, [step.parent_gid]).fetchone()[0]
        return last

    def rows(self, step: Step) -> Iterator[tuple[str, Row]]:
        """The records of a list: gid, and a row of which only the columns are filled that count what is below."""
        listing = step.listing
        if listing.single and listing.below == listing.resource:
            return self.row(listing.resource, step.parent_gid or "")
        place = standing_in(listing)
        if place is None:
            return self._that_opened_lists(step)
        return self._rows(listing.resource, place, place_values(step))

    def _that_opened_lists(self, step: Step) -> Iterator[tuple[str, Row]]:
        """Of a list of a workspace of which no column says who stands in it: those that led to further lists."""
        listing = step.listing
        opened = [below.name for below in opened_by(listing.resource) if below.via in (None, listing.name)]
        if not opened or listing.below != "workspaces":
            return iter(())
        lists = "SELECT parent_gid FROM sync_checkpoints WHERE name IN (SELECT value FROM json_each(?))"
        return self._rows(
            listing.resource,
            f"gid IN ({lists} AND workspace_gid = ?)",
            [gids_json(opened), step.parent_gid or ""],
        )

    def members(self, step: Step) -> dict[str, str | None]:
        """gid → type, where it is told, of those in a list that is itself kept as links."""
        kept = step.listing.kept
        if kept is None:
            return {}
        kind, only = kept.kind or "NULL", f" AND {kept.kind} = '{kept.only}'" if kept.only else ""
        sql = f"SELECT {kept.member}, {kind} FROM {kept.table} WHERE {kept.owner} = ?{only}"
        return dict(self._db.execute(sql, [step.parent_gid]).fetchall())

    def row(self, resource: str, gid: str) -> Iterator[tuple[str, Row]]:
        """One record in the same way, if it lives."""
        return self._rows(resource, "gid = ?", [gid])

    def _rows(self, resource: str, condition: str, values: list[str]) -> Iterator[tuple[str, Row]]:
        telling = (listing for listing in LISTINGS.values() if listing.opened_by == resource)
        counting = {name for listing in telling for name in (listing.unless_zero, *listing.when)}
        columns = (name if name in counting else "NULL" for name in RESOURCES[resource].column_names())
        found = self._db.execute(
            f"SELECT gid, {', '.join(columns)} FROM {resource} WHERE {ALIVE} AND {condition}", values
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

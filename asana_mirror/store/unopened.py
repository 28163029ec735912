"""Lists that an older version never asked for: their parents are here, and nothing new calls for them."""

from __future__ import annotations

from collections.abc import Iterator

from sqlite_utils import Database

from asana_mirror.catalog import LISTINGS, RESOURCES, Listing
from asana_mirror.plan import steps_below
from asana_mirror.store.standing import ALIVE
from asana_mirror.words import Scope, Step

UPGRADE = "upgrade"  # why such a list is read


class Unopened:
    """Finds them once, after an upgrade; read only."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def is_upgraded(self, version: str) -> bool:
        """Whether the last run that read everything it should was another version's."""
        found = self._db.execute(
            "SELECT version FROM sync_runs WHERE outcome = 'complete' AND mode IN ('first', 'full', 'changes') "
            "ORDER BY id DESC LIMIT 1"
        ).fetchone()
        return found is not None and found[0] != version

    def steps(self, scope: Scope) -> Iterator[Step]:
        """Every list that a living record opens and that was never asked for."""
        known = {row[0] for row in self._db.execute("SELECT DISTINCT name FROM sync_checkpoints")}
        for listing in LISTINGS.values():
            opener = listing.opened_by
            if listing.name in known or listing.on_demand or listing.via or opener not in RESOURCES:
                continue
            for gid, workspace_gid, row in self._openers(listing, opener):
                for step in steps_below(opener, gid, row, workspace_gid=workspace_gid, scope=scope):
                    if step.listing is listing:
                        yield step

    def _openers(
        self, listing: Listing, resource: str
    ) -> Iterator[tuple[str, str | None, tuple[object, ...]]]:
        """(gid, workspace, row) of the living records that may open such a list."""
        names = RESOURCES[resource].column_names()
        workspace = "workspace_gid" if "workspace_gid" in names else "NULL"
        source = resource
        if listing.within_workspace and resource == "users":
            source, workspace = (
                "users JOIN user_workspaces ON user_gid = gid",
                "user_workspaces.workspace_gid",
            )
        told = [f"coalesce({name}, '[]') != '[]'" for name in listing.when if listing.opens]
        columns = ", ".join(f"{resource}.{name}" for name in names)
        found = self._db.execute(
            f"SELECT {resource}.gid, {workspace}, {columns} FROM {source} "
            f"WHERE {' AND '.join([ALIVE, *told])}"
        )
        return ((row[0], row[1], row[2:]) for row in found.fetchall())

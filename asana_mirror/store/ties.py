"""Who is still tied to what is missing: read only."""

from __future__ import annotations

from collections.abc import Iterator

from sqlite_utils import Database

from asana_mirror.catalog import RESOURCES
from asana_mirror.store.absence import IN_DOUBT
from asana_mirror.store.standing import ALIVE

_MISSING = f"IN (SELECT gid FROM sync_missing WHERE round = ?1 AND reason != '{IN_DOUBT}'"
_LIVES_ON = (
    f"EXISTS (SELECT 1 FROM tasks AS t WHERE t.gid = task_gid AND {ALIVE}) AND task_gid NOT IN "
    "(SELECT gid FROM sync_missing WHERE round = ?1 AND resource = 'tasks')"
)


class Ties:
    """Looks up what changed because something else is gone, whether or not an event said so."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def tasks(self, round_number: int) -> set[str]:
        """Living tasks that link to something missing, refer to it in a value, or are assigned to it."""
        missing = self._gids(
            f"SELECT DISTINCT resource FROM sync_missing WHERE round = ?1 AND reason != '{IN_DOUBT}'",
            round_number,
        )
        found: set[str] = set()
        for table, column, other in self._link_keys():
            if other in missing:
                found |= self._gids(
                    f"SELECT DISTINCT task_gid FROM {table} WHERE {column} {_MISSING} AND resource = ?2) "
                    f"AND {_LIVES_ON}",
                    round_number,
                    other,
                )
        if missing:
            found |= self._gids(
                "SELECT DISTINCT task_gid FROM task_custom_fields, json_each(reference_gids) AS other "
                "WHERE custom_field_gid IN "
                "(SELECT gid FROM custom_fields WHERE resource_subtype = 'reference' OR type = 'reference') "
                f"AND other.value {_MISSING}) AND {_LIVES_ON}",
                round_number,
            )
        if not missing.isdisjoint(("users", "agents")):
            found |= self._gids(
                "SELECT gid AS task_gid FROM tasks "
                f"WHERE assignee_gid {_MISSING} AND resource IN ('users', 'agents')) AND {_LIVES_ON}",
                round_number,
            )
        return found

    def teams(self, round_number: int) -> set[str]:
        """The teams in which, as far as is known, somebody is who is missing."""
        return self._gids(
            f"SELECT DISTINCT team_gid FROM team_memberships WHERE {ALIVE} "
            f"AND user_gid {_MISSING} AND resource = 'users')",
            round_number,
        )

    def task_lists(self, round_number: int) -> set[str]:
        """Living task lists that belonged to a membership of a workspace that is gone, or missing."""
        return self._gids(
            f"SELECT gid FROM user_task_lists WHERE {ALIVE} AND gid IN (SELECT user_task_list_gid "
            f"FROM workspace_memberships WHERE _deleted_at IS NOT NULL OR "
            f"(gid {_MISSING} AND resource = 'workspace_memberships')))",
            round_number,
        )

    def _link_keys(self) -> Iterator[tuple[str, str, str]]:
        """(link table of tasks, the column that names something else, the resource that it names)."""
        for links in RESOURCES["tasks"].links:
            for row in self._db.execute(f"PRAGMA foreign_key_list({links.table})").fetchall():
                if row[3] != links.owner and row[2] in RESOURCES:
                    yield links.table, row[3], row[2]

    def _gids(self, sql: str, *parameters: object) -> set[str]:
        return {row[0] for row in self._db.execute(sql, list(parameters))}

"""Event streams: the token of each, and when it was last asked."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlite_utils import Database

from asana_mirror.store.pages import gids_json
from asana_mirror.times import seconds_since

STREAM = "events"  # the name of a stream's row in sync_checkpoints
CLOSE_LOOK = "unheard"  # the row that tells when what no stream tells of was looked at
# The tasks of some projects, given as JSON: all that their streams tell of.
TASKS_WITHIN = (
    "WITH RECURSIVE within (gid) AS (SELECT task_gid FROM task_projects WHERE project_gid IN "
    "(SELECT value FROM json_each(?1)) UNION SELECT tasks.gid FROM tasks JOIN within ON parent_gid = within.gid) "
    "SELECT gid FROM within"
)

_STREAMS = (
    "FROM projects AS p "
    "JOIN sync_checkpoints AS tasks ON tasks.parent_gid = p.gid AND tasks.name = 'project_tasks' "
    "LEFT JOIN sync_checkpoints AS stream ON stream.listing = '/events?resource=' || p.gid "
    "WHERE p._deleted_at IS NULL AND p._synced_at IS NOT NULL "
    "AND (stream.cursor IS NOT NULL OR tasks.last_walked_at IS NOT NULL)"
)


def key_of(project_gid: str) -> str:
    """The request without its token, as the key of the stream's checkpoint."""
    return f"/events?resource={project_gid}"


class Streams:
    """Reads and writes the rows of `sync_checkpoints` that belong to streams."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def token(self, project_gid: str) -> str | None:
        """The token from which to read on; None where the stream was never opened."""
        row = self._db.execute(
            "SELECT cursor FROM sync_checkpoints WHERE listing = ?", [key_of(project_gid)]
        ).fetchone()
        return row[0] if row else None

    def keep(self, project_gid: str, token: str, *, now: str, told: bool = False) -> None:
        """Keep a token. Written with what was told before it, so that neither is without the other."""
        self._db.execute(
            "INSERT INTO sync_checkpoints "
            "(listing, name, parent_gid, rank, round, due, cursor, last_walked_at, told_at) "
            "VALUES (?, ?, ?, 0, 0, 0, ?, ?, ?) ON CONFLICT (listing) DO UPDATE SET "
            "cursor = excluded.cursor, last_walked_at = excluded.last_walked_at, refused = NULL, "
            "told_at = coalesce(excluded.told_at, told_at)",
            [key_of(project_gid), STREAM, project_gid, token, now, now if told else None],
        )

    def refuse(self, project_gid: str, status: int) -> None:
        """Asana will not tell what happens there; the token is of no use any more."""
        self._db.execute(
            "INSERT INTO sync_checkpoints (listing, name, parent_gid, rank, round, due, refused) "
            "VALUES (?, ?, ?, 0, 0, 0, ?) ON CONFLICT (listing) DO UPDATE SET "
            "cursor = NULL, refused = excluded.refused",
            [key_of(project_gid), STREAM, project_gid, status],
        )
        self._db.execute("DELETE FROM sync_told WHERE project_gid = ?", [project_gid])

    def quiet_since(
        self, moment: str | None, projects: Collection[str] | None = None
    ) -> list[tuple[str, str | None]]:
        """(project, token) of every living project that was mirrored, and not listened to since a moment, if named."""
        within = "" if projects is None else "AND p.gid IN (SELECT value FROM json_each(?2))"
        return self._db.execute(
            f"SELECT p.gid, stream.cursor {_STREAMS} "
            f"AND (?1 IS NULL OR stream.last_walked_at IS NULL OR stream.last_walked_at < ?1) {within}",
            [moment] if projects is None else [moment, gids_json(projects)],
        ).fetchall()

    def ages(self, projects: Collection[str] | None = None) -> list[tuple[str, str | None, str | None]]:
        """(project, when its stream was heard, when it told anything) of every living project that was mirrored.

        A stream that is refused was heard when its project was read in its place.
        """
        within = "" if projects is None else "AND p.gid IN (SELECT value FROM json_each(?1))"
        return self._db.execute(
            "SELECT p.gid, CASE WHEN stream.refused IS NULL THEN stream.last_walked_at ELSE tasks.last_walked_at END, "
            f"stream.told_at {_STREAMS} {within}",
            [] if projects is None else [gids_json(projects)],
        ).fetchall()

    def last_changes(self, since: str) -> dict[str, str]:
        """Project → when the last of its tasks was modified, by Asana's clock, of those changed since then."""
        return dict(
            self._db.execute(
                "SELECT project_gid, max(modified_at) FROM tasks JOIN task_projects ON task_gid = gid "
                "WHERE modified_at >= ? GROUP BY 1",
                [since],
            ).fetchall()
        )

    def note_told(self, project_gid: str, *, now: str) -> None:
        """Something happens there, as a webhook tells."""
        self._db.execute(
            "UPDATE sync_checkpoints SET told_at = ? WHERE listing = ?", [now, key_of(project_gid)]
        )

    def clock_offset_s(self) -> float:
        """By how much our clock is ahead of Asana's, as of the last list of workspaces."""
        row = self._db.execute(
            "SELECT cursor, last_walked_at FROM sync_checkpoints WHERE name = 'workspaces' AND cursor IS NOT NULL"
        ).fetchone()
        return seconds_since(row[0], datetime.fromisoformat(row[1])) if row and row[1] else 0.0

    def modified_at(self, tasks: Iterable[str]) -> dict[str, str]:
        """When these tasks were modified, as far as the mirror knows them."""
        found = self._db.execute(
            "SELECT gid, modified_at FROM tasks WHERE _deleted_at IS NULL AND gid IN (SELECT value FROM json_each(?))",
            [gids_json(tasks)],
        )
        return dict(found.fetchall())

    def only_named(self) -> list[str]:
        """Projects in which living tasks stand, and of which nothing else is known: they are new, or gone already."""
        return [
            row[0]
            for row in self._db.execute(
                "SELECT gid FROM projects AS p WHERE _synced_at IS NULL AND _deleted_at IS NULL AND NOT EXISTS "
                "(SELECT 1 FROM sync_problems WHERE listing = '/projects/' || p.gid) AND EXISTS "
                "(SELECT 1 FROM task_projects JOIN tasks ON tasks.gid = task_gid WHERE project_gid = p.gid "
                "AND tasks._deleted_at IS NULL)"
            )
        ]

    def read_of(self, projects: Iterable[str]) -> set[str]:
        """Which of these projects were ever read."""
        found = self._db.execute(
            "SELECT gid FROM projects WHERE _synced_at IS NOT NULL AND gid IN (SELECT value FROM json_each(?))",
            [gids_json(projects)],
        )
        return {row[0] for row in found}

    def projects_above(self, tasks: Iterable[str]) -> dict[str, set[str]]:
        """Task → the projects in which tasks above it stand, whose streams so tell of it; only those that have any."""
        above: dict[str, set[str]] = {}
        for gid, project_gid in self._db.execute(
            "WITH RECURSIVE above (gid, upper) AS (SELECT gid, parent_gid FROM tasks WHERE parent_gid IS NOT NULL "
            "AND gid IN (SELECT value FROM json_each(?)) UNION SELECT above.gid, tasks.parent_gid FROM above "
            "JOIN tasks ON tasks.gid = upper WHERE tasks.parent_gid IS NOT NULL) "
            "SELECT above.gid, project_gid FROM above JOIN task_projects ON task_gid = upper",
            [gids_json(tasks)],
        ):
            above.setdefault(gid, set()).add(project_gid)
        return above

    def looked_closely_at(self) -> str:
        """When what no stream tells of was looked at last, record by record; never, if another run found news since."""
        row = self._db.execute(
            "SELECT last_walked_at FROM sync_checkpoints WHERE listing = ? AND NOT EXISTS (SELECT 1 FROM sync_runs "
            "WHERE (ended_at >= last_walked_at AND outcome != 'complete') "
            "OR (started_at > last_walked_at AND rows_inserted + rows_updated > 0))",
            [CLOSE_LOOK],
        ).fetchone()
        return row[0] if row else ""

    def look_closely(self, *, now: str) -> None:
        """It is looked at now."""
        self._db.execute(
            "INSERT INTO sync_checkpoints (listing, name, rank, round, due, last_walked_at) "
            "VALUES (?, ?, 0, 0, 0, ?) ON CONFLICT (listing) DO UPDATE SET last_walked_at = excluded.last_walked_at",
            [CLOSE_LOOK, CLOSE_LOOK, now],
        )

    def projects_of(
        self, workspaces: Collection[str], teams: Collection[str], projects: Collection[str]
    ) -> set[str]:
        """The projects that the mirror knows in these places."""
        found = self._db.execute(
            "SELECT gid FROM projects WHERE gid IN (SELECT value FROM json_each(?)) "
            "OR team_gid IN (SELECT value FROM json_each(?)) OR workspace_gid IN (SELECT value FROM json_each(?))",
            [gids_json(projects), gids_json(teams), gids_json(workspaces)],
        )
        return {row[0] for row in found}

    def briefs_of(self, projects: Iterable[str]) -> set[str]:
        """The briefs that these projects name."""
        found = self._db.execute(
            "SELECT project_brief_gid FROM projects WHERE project_brief_gid IS NOT NULL "
            "AND gid IN (SELECT value FROM json_each(?))",
            [gids_json(projects)],
        )
        return {row[0] for row in found}

    def tasks_of(self, projects: Collection[str]) -> set[str]:
        """The tasks that stand in these projects, and those below them."""
        found = self._db.execute(f"SELECT gid FROM ({TASKS_WITHIN})", [gids_json(projects)])
        return {row[0] for row in found}

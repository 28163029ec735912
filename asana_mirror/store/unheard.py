"""Tasks of which no project's stream tells: in no living project, and below no task that is in one."""

from __future__ import annotations

from collections.abc import Iterable

from sqlite_utils import Database

from asana_mirror.store.pages import gids_json
from asana_mirror.store.standing import ALIVE
from asana_mirror.words import Step, step_named

_IN_A_PROJECT = (
    "EXISTS (SELECT 1 FROM task_projects AS m JOIN projects AS p ON p.gid = m.project_gid "
    "WHERE m.task_gid = t.gid AND p._deleted_at IS NULL AND p._synced_at IS NOT NULL)"
)
_LISTED_ELSEWHERE = (  # among a person's tasks, or below a tag
    "(t.assignee_gid IS NOT NULL AND EXISTS (SELECT 1 FROM user_workspaces AS u WHERE u.user_gid = t.assignee_gid "
    "AND u.workspace_gid = t.workspace_gid UNION ALL SELECT 1 FROM agents AS a WHERE a.gid = t.assignee_gid "
    "AND a._deleted_at IS NULL) OR EXISTS (SELECT 1 FROM task_tags AS g JOIN tags ON tags.gid = g.tag_gid "
    "WHERE g.task_gid = t.gid AND tags._deleted_at IS NULL))"
)
_ALIVE = "t._deleted_at IS NULL AND t._synced_at IS NOT NULL"


class Unheard:
    """Finds them once a run, in a temporary table."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._found = False

    def find_anew(self) -> None:
        """Forget what was found: a new run begins."""
        self._found = False

    def find(self) -> None:
        """Look for them, unless that was done."""
        if self._found:
            return
        self._found = True
        self._db.execute(
            "CREATE TEMP TABLE IF NOT EXISTS unheard (gid TEXT PRIMARY KEY NOT NULL) WITHOUT ROWID"
        )
        self._db.execute("DELETE FROM temp.unheard")
        self._db.execute(
            "INSERT INTO temp.unheard WITH RECURSIVE loose (gid) AS ("
            f"SELECT t.gid FROM tasks AS t WHERE {_ALIVE} AND NOT {_IN_A_PROJECT} AND NOT EXISTS "
            f"(SELECT 1 FROM tasks WHERE gid = t.parent_gid AND {ALIVE}) "
            "UNION SELECT t.gid FROM tasks AS t JOIN loose ON t.parent_gid = loose.gid "
            f"WHERE {_ALIVE} AND NOT {_IN_A_PROJECT}) SELECT gid FROM loose"
        )

    def among(self, gids: Iterable[str]) -> set[str]:
        """Which of these tasks no stream told of for some time: when the run began, or since they left a place."""
        self.find()
        return {
            row[0]
            for row in self._db.execute(
                "SELECT t.gid FROM tasks AS t WHERE t.gid IN (SELECT value FROM json_each(?)) AND (t.gid IN "
                f"(SELECT gid FROM temp.unheard) OR NOT {_IN_A_PROJECT} AND (t.parent_gid IS NULL OR t.parent_gid "
                "IN (SELECT gid FROM temp.unheard)))",
                [gids_json(gids)],
            )
        }

    def since_before(self, gids: Iterable[str]) -> set[str]:
        """Which of these tasks no stream told of already when the run began."""
        self.find()
        found = self._db.execute(
            "SELECT gid FROM temp.unheard WHERE gid IN (SELECT value FROM json_each(?))", [gids_json(gids)]
        )
        return {row[0] for row in found}

    def heard_by_now(self, gids: Iterable[str]) -> set[str]:
        """Which of these tasks no stream told of when the run began, and one does since."""
        self.find()
        found = self._db.execute(
            "SELECT t.gid FROM tasks AS t JOIN temp.unheard ON unheard.gid = t.gid "
            f"WHERE t.gid IN (SELECT value FROM json_each(?)) AND ({_IN_A_PROJECT} OR "
            "(t.parent_gid IS NOT NULL AND t.parent_gid NOT IN (SELECT gid FROM temp.unheard)))",
            [gids_json(gids)],
        )
        return {row[0] for row in found}

    def by_assignee(self) -> dict[tuple[str, str], tuple[int, int]]:
        """(person, workspace) → how many living tasks are theirs, and how many of them no stream tells of."""
        self.find()
        return {
            (actor_gid, workspace_gid): (standing, unheard)
            for actor_gid, workspace_gid, standing, unheard in self._db.execute(
                "SELECT assignee_gid, workspace_gid, count(*), count(unheard.gid) FROM tasks "
                f"LEFT JOIN temp.unheard ON unheard.gid = tasks.gid WHERE {ALIVE} "
                "AND assignee_gid IS NOT NULL AND workspace_gid IS NOT NULL GROUP BY 1, 2"
            )
        }

    def of_assignee(self, actor_gid: str, workspace_gid: str) -> list[str]:
        """A person's tasks that no stream tells of."""
        self.find()
        return self._gids(
            "SELECT tasks.gid FROM tasks JOIN temp.unheard ON unheard.gid = tasks.gid "
            "WHERE assignee_gid = ? AND workspace_gid = ?",
            actor_gid,
            workspace_gid,
        )

    def strays(self, limit: int, turn: int) -> list[str]:
        """Tasks that no list shows either; where they are more than `limit`, others each `turn`."""
        self.find()
        found = self._gids(
            f"SELECT t.gid FROM tasks AS t JOIN temp.unheard ON unheard.gid = t.gid WHERE NOT {_LISTED_ELSEWHERE} "
            f"AND NOT EXISTS (SELECT 1 FROM tasks WHERE gid = t.parent_gid AND {ALIVE}) ORDER BY t.gid"
        )
        start = turn * limit % len(found) if len(found) > limit else 0
        return (found + found)[start : start + limit] if len(found) > limit else found

    def families(self, limit: int, why: str) -> list[Step]:
        """The lists of subtasks that alone show a subtask, those longest unread first."""
        self.find()
        return [
            step_named("subtasks", row[0], row[1], why)
            for row in self._db.execute(
                "SELECT t.parent_gid, c.workspace_gid FROM tasks AS t JOIN temp.unheard ON unheard.gid = t.gid "
                f"JOIN tasks AS parent ON parent.gid = t.parent_gid AND parent._deleted_at IS NULL "
                "LEFT JOIN sync_checkpoints AS c ON c.parent_gid = t.parent_gid AND c.name = 'subtasks' "
                f"WHERE NOT {_LISTED_ELSEWHERE} GROUP BY 1 ORDER BY c.last_walked_at LIMIT ?",
                [limit],
            )
        ]

    def older_than(self, moment: str, why: str) -> list[Step]:
        """What stands on them and was not read since a moment."""
        self.find()
        return [
            step_named(row[0], row[1], row[2], why)
            for row in self._db.execute(
                "SELECT name, parent_gid, workspace_gid FROM temp.unheard JOIN sync_checkpoints AS c "
                "ON c.parent_gid = unheard.gid WHERE name IN ('subtasks', 'task_stories', 'task_attachments') "
                "AND last_walked_at < ? AND due = 0 AND refused IS NULL",
                [moment],
            )
        ]

    def _gids(self, sql: str, *parameters: str) -> list[str]:
        return [row[0] for row in self._db.execute(sql, list(parameters))]

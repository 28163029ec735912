"""Where a record stands that is to be read, and how many stand there: read only."""

from __future__ import annotations

from collections.abc import Iterator

from sqlite_utils import Database

from asana_mirror.catalog import listings_of
from asana_mirror.store.standing import ALIVE, member_column, place_columns
from asana_mirror.words import Step, Wish, step_named

# A field stands in its workspace's list, or in the settings of projects and teams.
SHOW_FIELDS = ("workspace_custom_fields", "workspace_projects", "workspace_teams")


class Places:
    """Looks up the list in which a record could be read."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def of(self, wish: Wish) -> tuple[str, str] | None:
        """The listing and its parent; None where the record can only be read by itself."""
        if wish.anew:
            return None
        if wish.resource == "stories":
            task_gid = wish.parent_gid if wish.parent in (None, "tasks") else None
            known = "SELECT target_gid FROM stories WHERE gid = ? AND target_type = 'task'"
            task_gid = task_gid or self._one(known, wish.gid)
            return ("task_stories", task_gid) if task_gid else None
        if wish.resource != "tasks":
            return None
        project_gid = self._project(wish)
        if project_gid:
            return "project_tasks", project_gid
        parent_gid = (
            wish.parent_gid
            if wish.parent == "tasks"
            else self._one("SELECT parent_gid FROM tasks WHERE gid = ?", wish.gid)
        )
        return ("subtasks", parent_gid) if parent_gid else None

    def _project(self, wish: Wish) -> str | None:
        if wish.parent == "projects":
            return wish.parent_gid
        if wish.parent == "sections":
            known = self._one("SELECT project_gid FROM sections WHERE gid = ?", wish.parent_gid or "")
            return known or wish.project_gid
        return self._one(
            "SELECT m.project_gid FROM task_projects AS m JOIN projects AS p ON p.gid = m.project_gid "
            "WHERE m.task_gid = ?1 AND p._deleted_at IS NULL "
            "AND NOT EXISTS (SELECT 1 FROM sync_missing WHERE resource = 'projects' AND gid = p.gid) "
            "ORDER BY m.project_gid = ?2 DESC LIMIT 1",
            wish.gid,
            wish.project_gid or "",
        )

    def where(self, resource: str, gid: str) -> Iterator[Step]:
        """Every listing in which a record stands, as far as the mirror knows."""
        for listing in listings_of(resource):
            if listing.below is None:
                yield Step(listing)
            elif isinstance(listing.stands, tuple):
                table, column = listing.stands
                member = member_column(resource)
                for row in self._db.execute(f"SELECT {column} FROM {table} WHERE {member} = ?", [gid]):
                    yield Step(listing, row[0])
            elif listing.stands is not None:
                columns = place_columns(listing)
                sql = f"SELECT {', '.join(columns)} FROM {resource} WHERE gid = ?"
                row = self._db.execute(f"{sql} AND {listing.stands} IS NOT NULL", [gid]).fetchone()
                if row is not None:
                    place = dict(zip(columns, row, strict=True))
                    workspace = place.get("workspace_gid") if listing.within_workspace else None
                    part = place.get(listing.part) if listing.part else None
                    yield Step(listing, row[0], workspace, part=part)
        if resource == "custom_fields":  # global fields stand in a list, the others in settings
            for (workspace_gid,) in self._db.execute(f"SELECT gid FROM workspaces WHERE {ALIVE}").fetchall():
                for name in SHOW_FIELDS:
                    yield step_named(name, workspace_gid)

    def standing(self, name: str, parent_gid: str) -> int:
        """How many records a list has, as far as the mirror knows."""
        sql = {
            "project_tasks": "SELECT count(*) FROM task_projects WHERE project_gid = ?",
            "subtasks": f"SELECT count(*) FROM tasks WHERE parent_gid = ? AND {ALIVE}",
            "task_stories": f"SELECT count(*) FROM stories WHERE target_gid = ? AND {ALIVE}",
        }[name]
        return int(self._db.execute(sql, [parent_gid]).fetchone()[0])

    def _one(self, sql: str, *parameters: str) -> str | None:
        row = self._db.execute(sql, list(parameters)).fetchone()
        return row[0] if row else None

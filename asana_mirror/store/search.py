"""The full-text indexes: kept by triggers, but filled in one go after a first walk.

The triggers more than double the cost of an insert; one rebuild costs microseconds a row.
"""

from __future__ import annotations

from sqlite_utils import Database

from asana_mirror.store.opening import drop_triggers_sql, remake_triggers

INDEXED = ("tasks", "stories", "projects")


class Search:
    """Switches the indexes between being kept and being rebuilt."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def put_off(self) -> None:
        """Stop keeping the indexes: they will be rebuilt at the end of the walk."""
        self._db.conn.executescript(f"BEGIN IMMEDIATE;\n{drop_triggers_sql(self._db)}\nCOMMIT;")

    def clear(self) -> None:
        """Put off inside the caller's transaction, and leave nothing in the indexes meanwhile."""
        for statement in drop_triggers_sql(self._db).splitlines():
            self._db.execute(statement)
        for table in INDEXED:
            self._db.execute(f"INSERT INTO {table}_fts ({table}_fts) VALUES ('delete-all')")

    def catch_up(self) -> None:
        """Rebuild the indexes and keep them again, if they were put off."""
        if self._kept():
            return
        with self._db.atomic():
            for table in INDEXED:
                self._db.execute(f"INSERT INTO {table}_fts ({table}_fts) VALUES ('rebuild')")
        remake_triggers(self._db)

    def _kept(self) -> bool:
        (count,) = self._db.execute("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'").fetchone()
        return bool(count)

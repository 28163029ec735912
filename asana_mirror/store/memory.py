"""What a process knows of its mirror without asking SQLite.

Most pages find nothing in the small tables, and refer again and again to the same people and fields: to ask, or to
write, what is there already would cost more than the page itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlite_utils import Database

WATCHED = (
    "sync_excluded",
    "sync_inbox",
    "sync_missing",
    "sync_purged",
    "sync_undecoded",
)
MOST = 10_000  # records remembered, about 4 MB


class Memory:
    """Which tables are empty, and what was written of records that others refer to.

    Only whoever holds the mirror for writing may remember (`holds`); for anybody else it asks each time. SQLite itself
    tells of every insert, whoever makes it; whoever rolls back, or erases, says `forget`.
    """

    def __init__(self, db: Database, *, holds: bool = False) -> None:
        self._connection = db.conn
        self._holds = holds
        self._empty: set[str] = set()
        self._written: dict[tuple[str, str], Mapping[str, str]] = {}
        self._problems: set[str] | None = None  # lists of which a problem may be on file
        if holds:
            self._connection.create_function("no_longer_empty", 1, self._empty.discard)
            self._connection.create_function("problem_noted", 1, self._note_problem)
            self._connection.execute(
                "CREATE TEMP TRIGGER problem_noted AFTER INSERT ON main.sync_problems "
                "BEGIN SELECT problem_noted(NEW.listing); END"
            )
            for table in WATCHED:
                self._connection.execute(
                    f"CREATE TEMP TRIGGER {table}_filled AFTER INSERT ON main.{table} "
                    f"BEGIN SELECT no_longer_empty('{table}'); END"
                )

    def is_empty(self, table: str) -> bool:
        """Whether a table that is `WATCHED` has no rows."""
        if table in self._empty:
            return True
        if self._connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone():
            return False
        if self._holds:
            self._empty.add(table)
        return True

    def may_be_a_problem(self, listing: str) -> bool:
        """Whether a problem with this list may be on file."""
        if not self._holds:
            return True
        if self._problems is None:
            found = self._connection.execute("SELECT listing FROM sync_problems")
            self._problems = {row[0] for row in found}
        return listing in self._problems

    def _note_problem(self, listing: str) -> None:
        if self._problems is not None:
            self._problems.add(listing)

    def is_written(self, table: str, gid: str, known: Mapping[str, str]) -> bool:
        """Whether this much of a record was written before; if not, it counts as written from now on."""
        if not self._holds:
            return False
        stood = self._written.get((table, gid))
        if stood is not None and known.items() <= stood.items():
            return True
        if len(self._written) >= MOST:
            self._written.clear()
        self._written[table, gid] = {**stood, **known} if stood else known
        return False

    def forget(self) -> None:
        """What was written may not be there any more, and what was deleted may be back."""
        self._empty.clear()
        self._written.clear()
        self._problems = None

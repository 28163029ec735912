"""What events told and nobody has read yet: durable, so that a token may go on before the reading is done."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import astuple, fields, replace

from sqlite_utils import Database

from asana_mirror.catalog import RESOURCES
from asana_mirror.folding import fold
from asana_mirror.store.memory import Memory
from asana_mirror.store.pages import gids_json
from asana_mirror.store.streams import TASKS_WITHIN
from asana_mirror.words import Wish

_COLUMNS = tuple(field.name for field in fields(Wish))
# What a record stands on: (resource, its column, the kind of parent if the column may name several).
_ABOVE = {
    "tasks": ("parent_gid", None),
    "stories": ("target_gid", "target_type"),
    "attachments": ("parent_gid", "parent_type"),
}


def _can_be_read(wish: Wish) -> bool:
    """What has no address of its own comes inside others; that it is gone is news all the same."""
    return RESOURCES[wish.resource].path is not None or not wish.to_read


class Inbox:
    """Reads and writes `sync_inbox`; the caller holds the transaction."""

    def __init__(self, db: Database, memory: Memory) -> None:
        self._db = db
        self._memory = memory

    def note(self, wishes: Iterable[Wish], above: Iterable[Wish] = ()) -> list[Wish]:
        """Fold wishes into those that are there; `above` are wishes for what these records stand on.

        Returns those of the latter of which nobody knows on what that is: they came and went in between.
        """
        found = [(wish, self._above(wish)) for wish in above]
        wishes = [*wishes, *(stood_on for _, stood_on in found if stood_on is not None)]
        wanted = [wish for wish in wishes if wish.resource in RESOURCES and _can_be_read(wish)]
        known = self._known(wanted)
        self._db.conn.executemany(
            f"INSERT OR REPLACE INTO sync_inbox ({', '.join(_COLUMNS)}) "
            f"VALUES ({', '.join('?' * len(_COLUMNS))})",
            [astuple(wish) for wish in fold(wanted, known).values()],
        )
        return [wish for wish, stood_on in found if stood_on is None and self._is_unknown(wish)]

    def _is_unknown(self, wish: Wish) -> bool:
        sql = f"SELECT 1 FROM {wish.resource} WHERE gid = ?"
        return wish.resource != "tasks" and self._db.execute(sql, [wish.gid]).fetchone() is None

    def _above(self, wish: Wish) -> Wish | None:
        """The task that a record stands on, as far as the mirror knows."""
        column, kind_column = _ABOVE[wish.resource]
        kind = f"AND {kind_column} = 'task'" if kind_column else ""
        row = self._db.execute(
            f"SELECT {column} FROM {wish.resource} WHERE gid = ? AND {column} IS NOT NULL {kind}", [wish.gid]
        ).fetchone()
        return None if row is None else replace(wish, resource="tasks", gid=row[0])

    def _known(self, wishes: Iterable[Wish]) -> dict[tuple[str, str], Wish]:
        keys = {(wish.resource, wish.gid) for wish in wishes}
        found: dict[tuple[str, str], Wish] = {}
        for resource in {resource for resource, _ in keys}:
            gids = gids_json(gid for kind, gid in keys if kind == resource)
            condition = "resource = ? AND gid IN (SELECT value FROM json_each(?))"
            for wish in self._select(condition, resource, gids):
                found[wish.resource, wish.gid] = wish
        return found

    def to_read(self, projects: Collection[str] | None = None) -> list[Wish]:
        """What is to be read; only what these projects' streams told, or of their tasks, where some are named."""
        if projects is None:
            return self._select("to_read = 1")
        return self._select(
            "to_read = 1 AND (project_gid IN (SELECT value FROM json_each(?1)) OR "
            f"(resource = 'tasks' AND gid IN ({TASKS_WITHIN})) OR parent_gid IN ({TASKS_WITHIN}))",
            gids_json(projects),
        )

    def _select(self, condition: str, *parameters: str) -> list[Wish]:
        sql = f"SELECT {', '.join(_COLUMNS)} FROM sync_inbox WHERE {condition}"
        return [
            Wish(*row[:2], *map(bool, row[2:7]), *row[7:]) for row in self._db.execute(sql, list(parameters))
        ]

    def fulfil(self, resource: str, gids: Iterable[str], *, anew: bool = False) -> None:
        """These were read; what is to be tied anew is done only where it was read for that (`anew`), or is gone."""
        if self.is_empty():
            return
        self._db.conn.executemany(
            "DELETE FROM sync_inbox WHERE resource = ? AND gid = ? AND anew <= ?",
            [(resource, gid, anew) for gid in gids],
        )

    def settle(self, resource: str, parent_gid: str) -> None:
        """The list of all that stands on a parent was read: it has told what there is to be told."""
        if self.is_empty():
            return
        self._db.execute(
            "DELETE FROM sync_inbox WHERE resource = ? AND parent_gid = ? AND to_read = 1",
            [resource, parent_gid],
        )

    def is_empty(self) -> bool:
        return self._memory.is_empty("sync_inbox")

    def explains(self, resource: str, gid: str) -> bool:
        """Whether a deleted event told of this record."""
        sql = "SELECT 1 FROM sync_inbox WHERE resource = ? AND gid = ? AND deleted = 1"
        return self._db.execute(sql, [resource, gid]).fetchone() is not None

    def drop_the_buried(self) -> None:
        """What is a tombstone by now, or was never here, need not be told again."""
        self._db.execute("DELETE FROM sync_inbox WHERE to_read = 0")

    def count(self) -> int:
        (count,) = self._db.execute("SELECT count(*) FROM sync_inbox").fetchone()
        return int(count)

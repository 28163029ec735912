"""Erasing for good: the only module that deletes rows of resources.

Who is to go is collected first (`doomed`, a temporary table), then erased in one go. What a remaining row still refers
to is not deleted but emptied: it stays as a nameless stub, so that foreign keys hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlite_utils import Database

from asana_mirror.catalog import LISTINGS, RESOURCES, Links, Row
from asana_mirror.erasure import PEOPLE, Erasure
from asana_mirror.store.files import Files
from asana_mirror.store.memory import Memory
from asana_mirror.store.purged import PurgedPeople
from asana_mirror.store.search import Search
from asana_mirror.store.standing import standing_on
from asana_mirror.words import UndecodedRecord

_AT_ONCE = 1000  # rows looked at between two reads
_READERS_MAY_TAKE_MS = 5000
_DOOMED = "SELECT gid FROM temp.doomed WHERE resource ="
# Named by their project, and perhaps known by that alone: then no column of theirs says where they stand.
_OF_A_PROJECT = {
    "current_status_gid": "project_statuses",
    "current_status_update_gid": "status_updates",
    "project_brief_gid": "project_briefs",
}


@dataclass
class Erased:
    """What a purge does, in rows per table."""

    deleted: Counter[str] = field(default_factory=Counter)
    emptied: Counter[str] = field(default_factory=Counter)  # still referred to: kept as nameless stubs
    rewritten: Counter[str] = field(default_factory=Counter)  # kept without the erased person's name or words


class Purging:
    """Erases inside the caller's transaction; `compact` afterwards, outside of it."""

    def __init__(
        self, db: Database, memory: Memory, purged: PurgedPeople, search: Search, files: Files
    ) -> None:
        self._db = db
        self._memory = memory
        self._purged = purged
        self._search = search
        self._files = files
        self._people: set[str] = set()
        self._projects: set[str] = set()
        self.erased = Erased()

    def begin(self) -> None:
        """Overwrite what is deleted, and take the search entries away: they rest on rowids that `compact` changes."""
        self._db.execute("PRAGMA secure_delete = ON")
        self._db.execute("CREATE TEMP TABLE doomed (resource TEXT, gid TEXT, PRIMARY KEY (resource, gid))")
        self._search.clear()

    def known(self, table: str, gids: Iterable[str]) -> str | None:
        """The first of these gids that has a row."""
        for gid in gids:
            if self._db.execute(f"SELECT 1 FROM {table} WHERE gid = ?", [gid]).fetchone():
                return gid
        return None

    def person(self, gid: str, *, now: str) -> None:
        """Doom a person's (or agent's) own rows, and remember not to let them back in."""
        self._people.add(gid)
        names = self._db.execute(
            "SELECT name FROM actors WHERE gid = ?1 UNION SELECT name FROM users WHERE gid = ?1 "
            "UNION SELECT email FROM users WHERE gid = ?1 UNION SELECT name FROM agents WHERE gid = ?1",
            [gid],
        ).fetchall()
        self._purged.remember(gid, [name for (name,) in names if name], now=now)
        for table in PEOPLE:
            self._doom(table, "gid = ?1", gid)

    def projects(self, gids: Sequence[str]) -> None:
        """Doom projects, their tasks that live nowhere else, the subtasks of those, and their own custom fields."""
        self._projects.update(gids)
        for gid in gids:
            self._doom("projects", "gid = ?1", gid)
        for gid in gids:
            self._doom_tasks_of(gid)
            settings = "SELECT 1 FROM custom_field_settings WHERE custom_field_gid = custom_fields.gid AND parent_gid"
            self._doom(
                "custom_fields",
                f"is_global_to_workspace = 0 AND EXISTS ({settings} = ?1) "
                f"AND NOT EXISTS ({settings} NOT IN ({_DOOMED} 'projects'))",
                gid,
            )

    def _doom_tasks_of(self, project_gid: str) -> None:
        nowhere_else = (
            "NOT EXISTS (SELECT 1 FROM task_projects WHERE task_gid = tasks.gid "
            f"AND project_gid NOT IN ({_DOOMED} 'projects'))"
        )
        self._db.execute(
            "WITH RECURSIVE only_here (gid) AS (SELECT tasks.gid FROM tasks "
            f"JOIN task_projects ON task_gid = tasks.gid AND project_gid = ?1 WHERE {nowhere_else} "
            "AND NOT EXISTS (SELECT 1 FROM tasks AS parent WHERE parent.gid = tasks.parent_gid "
            "AND parent._deleted_at IS NULL AND parent._synced_at IS NOT NULL) "
            "UNION SELECT tasks.gid FROM tasks JOIN only_here ON tasks.parent_gid = only_here.gid "
            f"WHERE {nowhere_else}) "
            "INSERT INTO temp.doomed SELECT 'tasks', gid FROM only_here WHERE true ON CONFLICT DO NOTHING",
            [project_gid],
        )

    def tombstones(self, before: str) -> None:
        """Doom every tombstone set before a moment (as Asana writes times)."""
        for resource in RESOURCES:
            self._doom(resource, "_deleted_at < ?1", before)

    def erase(self) -> Erased:
        """Everything doomed goes, with what stands on it and what the state of syncing says of it."""
        self._doom_what_stands_on_the_doomed()
        self._delete_links()
        if self._people:
            self._take_people_out()
        self.erased.deleted["attachment_files"] += self._files.erase(f"{_DOOMED} 'attachments'")
        referred = self._referred()
        self._forget_walks()
        for resource in RESOURCES:
            self._empty(resource, referred.get(resource, ()))
            self.erased.deleted[resource] += self._db.execute(
                f"DELETE FROM {resource} WHERE gid IN ({_DOOMED} ?1)", [resource]
            ).rowcount
        self._delete_actors_nobody_names()
        self._db.execute("DROP TABLE temp.doomed")
        self._memory.forget()
        return self.erased

    def compact(self) -> bool:
        """Leave nothing of it in the files; returns whether no reader stood in the way. After the transaction."""
        self._db.execute(f"PRAGMA busy_timeout = {_READERS_MAY_TAKE_MS}")
        try:
            self._db.execute("VACUUM")
        finally:
            self._search.catch_up()
        busy, *_ = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    # -- who is doomed

    def _doom(self, resource: str, condition: str, *parameters: str) -> int:
        return self._db.execute(
            f"INSERT INTO temp.doomed SELECT '{resource}', gid FROM {resource} WHERE {condition} "
            "ON CONFLICT DO NOTHING",
            list(parameters),
        ).rowcount

    def _doom_what_stands_on_the_doomed(self) -> None:
        for column, resource in _OF_A_PROJECT.items():
            named = f"SELECT {column} FROM projects WHERE gid IN ({_DOOMED} 'projects')"
            self._doom(resource, f"gid IN ({named})")
        grown = 1
        while grown:
            grown = sum(
                self._doom(child, f"{column} IN ({_DOOMED} '{parent}')")
                for child, column, parent in standing_on()
            )

    # -- people

    def _take_people_out(self) -> None:
        """Their links and memberships go, their words go; what others did keeps its rows without their names."""
        erasure = self._purged.erasure()
        for resource in RESOURCES.values():
            for links in resource.links:
                if erasure.concerns(links):
                    self._take_out_of_links(erasure, links)
            self._take_out_of_rows(erasure, resource.name)
        for gid in self._people:
            self.erased.rewritten["actors"] += self._db.execute(
                "UPDATE actors SET type = NULL, name = NULL WHERE gid = ? AND coalesce(type, name) IS NOT NULL",
                [gid],
            ).rowcount
        self._take_out_of_state(erasure)

    def _take_out_of_rows(self, erasure: Erasure, table: str) -> None:
        resource = RESOURCES[table]
        columns = (*resource.column_names(), "_extra")
        assignments = ", ".join(f"{column} = ?" for column in columns)
        for rows in self._in_parts(table, ("gid",), columns, f"gid NOT IN ({_DOOMED} '{table}')"):
            changed = []
            for gid, *row in rows:
                left = erasure.row(resource, gid, tuple(row))
                if left is None:
                    self._doom(table, "gid = ?1", gid)
                elif left != tuple(row):
                    changed.append((*left, gid))
            self._db.conn.executemany(f"UPDATE {table} SET {assignments} WHERE gid = ?", changed)
            self.erased.rewritten[table] += len(changed)

    def _take_out_of_links(self, erasure: Erasure, links: Links) -> None:
        table, key = links.table, (links.owner, *links.key)
        here = " AND ".join(f"{column} = ?" for column in key)
        assignments = ", ".join(f"{column} = ?" for column in links.values)
        for rows in self._in_parts(table, key, links.values):
            gone, changed = [], []
            for row in rows:
                values = row[len(key) :]
                left = erasure.link(links, row[1 : len(key)], values)
                if left is None:
                    gone.append(row[: len(key)])
                elif left != values:
                    changed.append((*left, *row[: len(key)]))
            self._db.conn.executemany(f"DELETE FROM {table} WHERE {here}", gone)
            self.erased.deleted[table] += len(gone)
            if changed:
                self._db.conn.executemany(f"UPDATE {table} SET {assignments} WHERE {here}", changed)
            self.erased.rewritten[table] += len(changed)

    def _in_parts(
        self, table: str, key: Sequence[str], columns: Sequence[str], condition: str = "true"
    ) -> Iterator[list[Row]]:
        """A table, a part at a time: its rows change between two parts, and it may be larger than the memory."""
        keys, marks = ", ".join(key), ", ".join("?" * len(key))
        last: Sequence[Any] = [""] * len(key)
        while True:
            rows = self._db.execute(
                f"SELECT {', '.join((*key, *columns))} FROM {table} WHERE ({keys}) > ({marks}) "
                f"AND {condition} ORDER BY {keys} LIMIT {_AT_ONCE}",
                list(last),
            ).fetchall()
            if not rows:
                return
            yield rows
            last = rows[-1][: len(key)]

    def _take_out_of_state(self, erasure: Erasure) -> None:
        """Records that did not fit their table, and what Asana said when it refused something."""
        columns = "resource, gid, error, record"
        for row in self._db.execute(f"SELECT {columns} FROM sync_undecoded").fetchall():
            before = UndecodedRecord(*row)
            after = erasure.undecoded(before)
            if after is None:
                self._delete("sync_undecoded", "resource = ? AND gid = ?", *row[:2])
            elif after != before:
                self._db.execute(
                    "UPDATE sync_undecoded SET error = ?, record = ? WHERE resource = ? AND gid = ?",
                    [after.error, after.record, *row[:2]],
                )
                self.erased.rewritten["sync_undecoded"] += 1
        for listing, message in self._db.execute("SELECT listing, message FROM sync_problems").fetchall():
            if erasure.text(message) != message:
                self._db.execute(
                    "UPDATE sync_problems SET message = ? WHERE listing = ?", [erasure.text(message), listing]
                )
                self.erased.rewritten["sync_problems"] += 1

    # -- what goes

    @cached_property
    def _foreign_keys(self) -> list[tuple[str, str, str]]:
        """(table, its column, the table it names) for every foreign key of the mirror."""
        tables = [
            row[0]
            for row in self._db.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
            )
        ]
        return [
            (table, row[3], row[2])
            for table in tables
            for row in self._db.execute(f"PRAGMA foreign_key_list({table})").fetchall()
        ]

    def _delete_links(self) -> None:
        """A link goes with its owner; with its other end only where that is a project purged by name."""
        for resource in RESOURCES.values():
            for links in resource.links:
                self._delete(links.table, f"{links.owner} IN ({_DOOMED} '{resource.name}')")
        for kept, below in {listing.kept: listing.below for listing in LISTINGS.values()}.items():
            if kept is not None:
                self._delete(kept.table, f"{kept.owner} IN ({_DOOMED} '{below}')")
                self._delete(kept.table, f"{kept.member} IN (SELECT gid FROM temp.doomed)")
        for table, column, other in self._foreign_keys:
            if other == "projects" and table not in RESOURCES:
                for gid in self._projects:
                    self._delete(table, f"{column} = ?", gid)

    def _delete(self, table: str, condition: str, *parameters: str) -> None:
        done = self._db.execute(f"DELETE FROM {table} WHERE {condition}", list(parameters))
        self.erased.deleted[table] += done.rowcount

    def _referred(self) -> dict[str, set[str]]:
        """The doomed that a remaining row still refers to. Emptied, they refer to nothing themselves."""
        found: dict[str, set[str]] = {}
        for table, column, other in self._foreign_keys:
            if other in RESOURCES:
                remains = f"AND gid NOT IN ({_DOOMED} '{table}')" if table in RESOURCES else ""
                rows = self._db.execute(
                    f"SELECT DISTINCT {column} FROM {table} WHERE {column} IN ({_DOOMED} ?) {remains}",
                    [other],
                )
                found.setdefault(other, set()).update(gid for (gid,) in rows)
        return found

    def _empty(self, resource: str, gids: Iterable[str]) -> None:
        columns = [row[1] for row in self._db.execute(f"PRAGMA table_info({resource})") if row[1] != "gid"]
        assignments = ", ".join(f"{column} = NULL" for column in columns)
        for gid in gids:
            self._db.execute(f"UPDATE {resource} SET {assignments} WHERE gid = ?", [gid])
            self._db.execute("DELETE FROM temp.doomed WHERE resource = ? AND gid = ?", [resource, gid])
            self.erased.emptied[resource] += 1

    def _forget_walks(self) -> None:
        """How far the listings below the doomed were read: what comes back must be read from its beginning.

        A person's tasks are still read below the person: the work stays.
        """
        below = (
            "SELECT listing FROM sync_checkpoints WHERE parent_gid IN (SELECT gid FROM temp.doomed "
            f"WHERE resource NOT IN {PEOPLE})"
        )
        for table, column in (
            ("sync_problems", "listing"),
            ("sync_undecoded", "listing"),
            ("sync_seen", "scope"),
        ):
            self._db.execute(f"DELETE FROM {table} WHERE {column} IN ({below})")
        self._db.execute(f"DELETE FROM sync_checkpoints WHERE listing IN ({below})")
        for table, column in (
            ("sync_undecoded", "resource"),
            ("sync_seen", "scope"),
            ("sync_missing", "resource"),
            ("sync_inbox", "resource"),
        ):
            self._db.execute(
                f"DELETE FROM {table} WHERE ({column}, gid) IN (SELECT resource, gid FROM temp.doomed)"
            )

    def _delete_actors_nobody_names(self) -> None:
        """Those whose last row went. Others keep their names: Asana goes on saying who did what."""
        names = " UNION ".join(
            f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL"
            for table, column, other in self._foreign_keys
            if other == "actors"
        )
        candidates = f"SELECT gid FROM temp.doomed WHERE resource IN {PEOPLE}"
        if self._db.execute(candidates).fetchone():
            self.erased.deleted["actors"] += self._db.execute(
                f"DELETE FROM actors WHERE gid IN ({candidates}) AND gid NOT IN ({names})"
            ).rowcount

"""Searches that stand in for lists of single tasks: how far they have come, and for which tasks they are not enough."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from sqlite_utils import Database

from asana_mirror.catalog import fingerprint
from asana_mirror.store.pages import gids_json
from asana_mirror.store.standing import ALIVE
from asana_mirror.words import Step, step_named

AT_A_TIME = 500  # tasks looked at in one transaction
SURE = "to be sure"  # why a list is read that a search says is empty
FOUND = "found by search"

_UNTRIED = (
    "NOT EXISTS (SELECT 1 FROM sync_checkpoints AS c WHERE c.parent_gid = t.gid AND c.name = '{listing}')"
)
_SEEN = (
    "EXISTS (SELECT 1 FROM sync_seen AS n WHERE n.round = ?3 AND n.scope = '{scope}' AND n.gid = t.{column})"
)
# Search lags and goes by workspace; ?1 the workspaces in which it is relied on, ?2 the time before which it is.
_UNSURE = (
    "t.workspace_gid IS NULL OR t.workspace_gid NOT IN (SELECT value FROM json_each(?1)) "
    "OR t.modified_at IS NULL OR t.modified_at >= ?2 "
)
_SUBTASKS = (
    f"{_UNSURE} OR t.num_subtasks IS NOT (SELECT count(*) FROM tasks AS b WHERE b.parent_gid = t.gid "
    "AND b._deleted_at IS NULL AND b._synced_at IS NOT NULL AND b.modified_at < ?2)"
)
_ATTACHMENTS = (
    f"{_UNSURE} OR {_SEEN.format(scope='attached', column='gid')} "
    f"OR {_SEEN.format(scope='attached at once', column='created_at')} OR EXISTS (SELECT 1 FROM stories AS s "
    "WHERE s.target_gid = t.gid AND s.resource_subtype = 'attachment_added' AND s._deleted_at IS NULL)"
)


@dataclass(frozen=True)
class SearchState:
    """How far a search has come. `state`: under way, done, refused, or void, where it is not to be relied on."""

    state: str
    after: str | None = None
    began_at: str | None = None
    requests: int = 0
    status: int | None = None


@dataclass(frozen=True)
class Reliance:
    """In which workspaces a search is relied on, and before which time of modification."""

    workspaces: Collection[str]
    before: str
    round: int


class Searches:
    """Reads and writes `sync_searches`, and finds the tasks of which a search does not tell enough."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def state(self, workspace_gid: str, kind: str) -> SearchState | None:
        """Where a search stands; None: it was never tried."""
        row = self._db.execute(
            "SELECT state, mark, began_at, requests, status FROM sync_searches WHERE workspace_gid = ? AND kind = ?",
            [workspace_gid, kind],
        ).fetchone()
        return SearchState(*row) if row else None

    def stand_in(self) -> bool:
        """Whether any search may stand in for lists."""
        row = self._db.execute("SELECT 1 FROM sync_searches WHERE state IN ('under way', 'done')").fetchone()
        return row is not None

    def note(self, workspace_gid: str, kind: str, state: SearchState, *, now: str) -> None:
        """Keep how far a search has come; written with what it found."""
        self._db.execute(
            "INSERT INTO sync_searches (workspace_gid, kind, state, mark, began_at, requests, status, noted_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (workspace_gid, kind) DO UPDATE SET state = excluded.state, "
            "mark = excluded.mark, began_at = excluded.began_at, requests = excluded.requests, "
            "status = excluded.status, noted_at = excluded.noted_at",
            [
                workspace_gid,
                kind,
                state.state,
                state.after,
                state.began_at,
                state.requests,
                state.status,
                now,
            ],
        )

    def parents(self, reliance: Reliance) -> Iterator[list[tuple[str, str | None, bool]]]:
        """(task, workspace, whether its list must be read) of tasks that say they have subtasks, part by part.

        A search tells enough where as many subtasks were found as the task says, none of them changed lately.
        """
        yield from self._parts("subtasks", _SUBTASKS, reliance, "AND coalesce(t.num_subtasks, 1) != 0")

    def owners(self, reliance: Reliance) -> Iterator[list[tuple[str, str | None, bool]]]:
        """The same of all tasks and their attachments: found by the search, or told of by a story."""
        yield from self._parts("task_attachments", _ATTACHMENTS, reliance)

    def _parts(
        self, listing: str, must: str, reliance: Reliance, also: str = ""
    ) -> Iterator[list[tuple[str, str | None, bool]]]:
        last = ""
        while True:
            part = self._db.execute(
                f"SELECT t.gid, t.workspace_gid, {must} FROM tasks AS t WHERE t.gid > ?4 "
                f"AND t._deleted_at IS NULL AND t._synced_at IS NOT NULL {also} "
                f"AND {_UNTRIED.format(listing=listing)} ORDER BY t.gid LIMIT {AT_A_TIME}",
                [gids_json(reliance.workspaces), reliance.before, reliance.round, last],
            ).fetchall()
            if not part:
                return
            last = part[-1][0]
            yield [(gid, workspace, bool(asked)) for gid, workspace, asked in part]

    def take_as_read(self, steps: Iterable[Step], round_number: int, *, began_at: str, now: str) -> None:
        """A search has shown all that these lists would: they count as read when it began."""
        self._db.conn.executemany(
            "INSERT INTO sync_checkpoints (listing, name, parent_gid, workspace_gid, rank, round, due, cursor, "
            "walk_began_at, last_walked_at, swept_at, fingerprint, why) "
            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?7, ?8, ?8, ?9, ?10) ON CONFLICT DO NOTHING",
            [
                (
                    step.key,
                    step.listing.name,
                    step.parent_gid,
                    step.workspace_gid,
                    step.listing.rank,
                    round_number,
                    began_at,
                    now,
                    fingerprint(step.listing),
                    FOUND,
                )
                for step in steps
            ],
        )

    def count_tasks(self) -> int:
        """Living tasks."""
        (count,) = self._db.execute(f"SELECT count(*) FROM tasks WHERE {ALIVE}").fetchone()
        return int(count)

    def was_wrong(self, round_number: int, before: str) -> set[str | None]:
        """Workspaces with a task that has an attachment older than the search's lag, which the search did not find."""
        found = self._db.execute(
            "SELECT DISTINCT c.workspace_gid FROM sync_checkpoints AS c JOIN attachments AS a "
            f"ON a.parent_gid = c.parent_gid AND a._deleted_at IS NULL WHERE c.round = ? AND c.why = '{SURE}' "
            "AND c.name = 'task_attachments' AND (a.created_at IS NULL OR a.created_at < ?)",
            [round_number, before],
        )
        return {row[0] for row in found}

    def unknown(self, scope: str, round_number: int) -> list[str]:
        """Tasks that a search has shown and no list."""
        found = self._db.execute(
            f"SELECT gid FROM sync_seen WHERE round = ? AND scope = ? "
            f"AND gid NOT IN (SELECT gid FROM tasks WHERE {ALIVE})",
            [round_number, scope],
        )
        return [row[0] for row in found]

    def projects_of(self, workspace_gid: str) -> list[str]:
        """The living projects of a workspace."""
        found = self._db.execute(
            f"SELECT gid FROM projects WHERE workspace_gid = ? AND {ALIVE} ORDER BY gid", [workspace_gid]
        )
        return [row[0] for row in found]


def step_below(listing: str, gid: str, workspace_gid: str | None, why: str = "") -> Step:
    """The list of one task for which a search might stand in."""
    return step_named(listing, gid, workspace_gid, why)

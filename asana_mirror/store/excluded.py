"""What the configuration keeps out: the rules, and whom they were found to concern.

An entry of `sync_excluded` keeps a record out, and out of every conclusion, until the record is met where the rules let
it in. What was mirrored when its rule was lifted is marked `lifted` meanwhile: followed like anything else, and new
once it is met.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlite_utils import Database

from asana_mirror.exclusion import ARCHIVED, NAMED, PRIVATE, REMEMBERED, Exclusion, Record, hanging_on
from asana_mirror.store.memory import Memory
from asana_mirror.store.pages import gids_json
from asana_mirror.words import Batch, Step

LIFTED = "lifted"
_RULES = "rules"  # as a resource: what is excluded without being named
_IN = "IN (SELECT value FROM json_each(?))"
_FIELDS = "custom_fields"


def kept_out(resource: str) -> str:
    """The gids of a resource that are kept out, as SQL."""
    return f"(SELECT gid FROM sync_excluded WHERE resource = '{resource}' AND why != '{LIFTED}')"


# How many are left out, and of how many of them there are rows from before.
LEFT_OUT = "SELECT * FROM ({}) WHERE left_out > 0".format(
    " UNION ALL ".join(
        f"SELECT '{table}' AS resource, count(*) AS left_out, count(_synced_at) AS mirrored_before "
        f"FROM {kept_out(table)} AS out LEFT JOIN {table} ON {table}.gid = out.gid"
        for table in REMEMBERED
    )
)
_ELSEWHERE = (  # a task stands in a project that is not kept out
    "EXISTS (SELECT 1 FROM task_projects AS other WHERE other.task_gid = t.gid "
    f"AND other.project_gid NOT IN {kept_out('projects')})"
)


# What is not excluded itself, but stands on what is.
_HANGING = {
    "project_briefs": f"project_gid IN {kept_out('projects')} OR gid IN "
    f"(SELECT project_brief_gid FROM projects WHERE gid IN {kept_out('projects')})",
    "status_updates": f"parent_gid IN {kept_out('projects')}",
    "stories": f"target_gid IN {kept_out('tasks')}",
    "custom_fields": f"gid IN {kept_out('custom_fields')}",
    "custom_types": "gid IN (SELECT custom_type_gid FROM project_custom_types) AND gid NOT IN (SELECT custom_type_gid "
    f"FROM project_custom_types WHERE project_gid NOT IN {kept_out('projects')})",
}


class Excluded:
    """Reads and writes `sync_excluded`; the caller holds the transaction."""

    def __init__(self, db: Database, memory: Memory | None = None) -> None:
        self._db = db
        self._memory = memory or Memory(db)

    # -- rules ----------------------------------------------------------------------------------------

    def rules(self) -> Exclusion:
        """What the last run was told to keep out."""
        named = self._db.execute("SELECT resource, gid FROM sync_excluded WHERE why = ?", [NAMED]).fetchall()
        flags = self._gids("SELECT gid FROM sync_excluded WHERE resource = ?", _RULES)
        return Exclusion(
            projects=frozenset(gid for resource, gid in named if resource == "projects"),
            teams=frozenset(gid for resource, gid in named if resource == "teams"),
            archived=ARCHIVED in flags,
            private=PRIVATE in flags,
        )

    def configure(self, exclusion: Exclusion) -> None:
        """Obey these rules from now on: what they let in again is lifted, what is here and excluded is left alone."""
        if self._is_empty() and not exclusion:
            return
        if exclusion != self.rules():
            self._lift_what_no_rule_says(exclusion)
            flags = [name for name in (ARCHIVED, PRIVATE) if getattr(exclusion, name)]
            self._db.execute("DELETE FROM sync_excluded WHERE resource = ?", [_RULES])
            self._enter(_RULES, dict.fromkeys(flags, "configured"))
            self.leave_out(
                {("teams", gid): NAMED for gid in exclusion.teams}
                | {("projects", gid): NAMED for gid in exclusion.projects}
            )
        if exclusion:
            self.leave_out(self._excluded_here(exclusion))
        self._leave_fields_alone()

    def _lift_what_no_rule_says(self, exclusion: Exclusion) -> None:
        for resource in ("teams", "projects"):
            entries = self._db.execute(
                "SELECT gid, why FROM sync_excluded WHERE resource = ? AND why != ?", [resource, LIFTED]
            ).fetchall()
            self._lift(resource, [g for g, why in entries if not exclusion.still_says(resource, g, why)])

    def _excluded_here(self, exclusion: Exclusion) -> dict[Record, str]:
        """Mirrored projects that are excluded, as far as is known, and not kept out yet."""
        found = {}
        for gid, team_gid, archived, public, privacy_setting in self._db.execute(
            "SELECT gid, team_gid, archived, public, privacy_setting FROM projects "
            f"WHERE _deleted_at IS NULL AND _synced_at IS NOT NULL AND gid NOT IN {kept_out('projects')}"
        ).fetchall():
            record = {"archived": archived, "public": public, "privacy_setting": privacy_setting}
            why = exclusion.why("projects", {**record, "gid": gid, "team": {"gid": team_gid}})
            if why:
                found["projects", gid] = why
        return found

    # -- who ------------------------------------------------------------------------------------------

    def among(self, resource: str, gids: Iterable[str]) -> set[str]:
        """Which of these are kept out."""
        return self._gids(f"SELECT gid FROM ({kept_out(resource)}) WHERE gid {_IN}", gids_json(gids))

    def verdicts(self, resource: str, gids: Collection[str]) -> dict[str, str]:
        """Why each is kept out, or that it is not (empty), as far as the mirror knows."""
        sql = f"SELECT gid FROM {resource} WHERE gid {_IN} AND _synced_at IS NOT NULL"
        here = dict.fromkeys(self._gids(sql, gids_json(gids)), "")
        return here | dict(
            self._db.execute(
                f"SELECT gid, why FROM sync_excluded WHERE resource = ? AND gid {_IN} AND why != ?",
                [resource, gids_json(gids), LIFTED],
            ).fetchall()
        )

    def followed(self, steps: Iterable[Step]) -> list[Step]:
        """The listings of these that do not belong to what is kept out."""
        found = list(steps)
        if self._is_empty():
            return found
        out: dict[str | None, set[str]] = {}
        for below in REMEMBERED:
            parents = {step.parent_gid for step in found if step.listing.below == below and step.parent_gid}
            out[below] = self.among(below, parents) if parents else set()
        for below, conditions in _HANGING.items():
            parents = {step.parent_gid for step in found if step.listing.below == below and step.parent_gid}
            if parents:
                sql = f"SELECT gid FROM {below} WHERE gid {_IN} AND ({conditions})"
                out[below] = self._gids(sql, gids_json(parents))
        return [step for step in found if step.parent_gid not in out.get(step.listing.below, ())]

    def outside(self, resource: str, gids: Iterable[str]) -> list[str]:
        """Those of these that are not kept out."""
        found = list(gids)
        out = set() if self._is_empty() else self.among(resource, found)
        return [gid for gid in found if gid not in out]

    # -- out and in -----------------------------------------------------------------------------------

    def leave_out(self, found: Mapping[Record, str]) -> None:
        """Keep these out from now on: (resource, gid) → why. What is here of them stays, and is let go."""
        for resource in REMEMBERED if found else ():
            whys = {gid: why for (kind, gid), why in found.items() if kind == resource}
            new = whys.keys() - self.among(resource, whys) if whys else set()
            self._enter(resource, whys)
            self._let_go(resource, new)

    def take_in(self, batch: Batch) -> dict[str, set[str]]:
        """Records that come in: returns those that were kept out until now, which are as good as new."""
        released: dict[str, set[str]] = {}
        if self._is_empty():
            return released
        for resource in (*REMEMBERED, _FIELDS):
            gids = gids_json(batch.rows.get(resource, ()))
            sql = f"DELETE FROM sync_excluded WHERE resource = ? AND gid {_IN} RETURNING gid"
            released[resource] = self._gids(sql, resource, gids)
            self._lift_what_hangs_on(resource, released[resource])
        return released

    def forget_lists_of(self, gids: Iterable[str]) -> None:
        """What is not followed has no lists and no stream."""
        below = f"parent_gid {_IN}"
        lists = f"SELECT listing FROM sync_checkpoints WHERE {below}"
        self._db.execute(f"DELETE FROM sync_problems WHERE listing IN ({lists})", [gids_json(gids)])
        self._db.execute(f"DELETE FROM sync_checkpoints WHERE {below}", [gids_json(gids)])

    def _enter(self, resource: str, whys: Mapping[str, str]) -> None:
        self._db.conn.executemany(
            "INSERT INTO sync_excluded (resource, gid, why) VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET why = excluded.why WHERE why != excluded.why",
            [(resource, gid, why) for gid, why in whys.items()],
        )

    def _let_go(self, resource: str, gids: Collection[str]) -> None:
        """Leave alone what is here of those who are kept out from now on, and of what stands on them only."""
        if not gids:
            return
        if resource == "projects":
            self._let_go_of_tasks_in(gids)
        if resource == "tasks":
            gids = self._with_all_below(gids)
            self._db.execute(
                f"DELETE FROM task_projects WHERE task_gid {_IN} AND project_gid NOT IN {kept_out('projects')}",
                [gids_json(gids)],
            )
        else:
            self._leave_fields_alone()
        self.forget_lists_of(gids)

    def _let_go_of_tasks_in(self, projects: Collection[str]) -> None:
        gids = gids_json(projects)
        tasks = self._db.execute(
            "SELECT t.gid, min(m.project_gid) FROM task_projects AS m JOIN tasks AS t ON t.gid = m.task_gid "
            f"WHERE m.project_gid {_IN} AND t._deleted_at IS NULL AND NOT {_ELSEWHERE} GROUP BY 1",
            [gids],
        ).fetchall()
        self.leave_out({("tasks", gid): hanging_on("projects", project_gid) for gid, project_gid in tasks})
        self._db.execute(
            f"DELETE FROM task_projects WHERE project_gid {_IN} AND task_gid NOT IN {kept_out('tasks')}",
            [gids],
        )
        self.forget_lists_of(self._gids(f"SELECT gid FROM sections WHERE project_gid {_IN}", gids))

    def _with_all_below(self, tasks: Collection[str]) -> set[str]:
        """These tasks, and their subtasks that stand in no other project, which are kept out with them."""
        below = self._db.execute(
            "WITH RECURSIVE below (gid, above) AS (SELECT t.gid, t.parent_gid FROM tasks AS t "
            f"WHERE t.parent_gid {_IN} AND t._deleted_at IS NULL AND NOT {_ELSEWHERE} "
            "UNION SELECT t.gid, t.parent_gid FROM tasks AS t JOIN below ON t.parent_gid = below.gid "
            f"WHERE t._deleted_at IS NULL AND NOT {_ELSEWHERE}) SELECT gid, above FROM below",
            [gids_json(tasks)],
        ).fetchall()
        self._enter("tasks", {gid: hanging_on("tasks", above) for gid, above in below})
        return {*tasks, *(gid for gid, _ in below)}

    def _leave_fields_alone(self) -> None:
        """Custom fields of what is kept out alone: no list of anything else shows them."""
        self._db.execute("DELETE FROM sync_excluded WHERE resource = ?", [_FIELDS])
        out = f"IN (SELECT gid FROM sync_excluded WHERE resource IN ('projects', 'teams') AND why != '{LIFTED}')"
        fields = self._gids(
            "SELECT s.custom_field_gid FROM custom_field_settings AS s JOIN custom_fields AS f "
            "ON f.gid = s.custom_field_gid AND f.is_global_to_workspace IS NOT 1 "
            f"WHERE s._deleted_at IS NULL GROUP BY 1 HAVING min(s.parent_gid {out})"
        )
        self._enter(_FIELDS, dict.fromkeys(fields, "projects"))

    # -- lifted ---------------------------------------------------------------------------------------

    def _lift(self, resource: str, gids: Collection[str]) -> None:
        """No rule keeps these out any more: they come in with the next list that shows them."""
        if not gids:
            return
        here = f"SELECT gid FROM {resource} WHERE _synced_at IS NOT NULL"
        self._db.execute(
            f"DELETE FROM sync_excluded WHERE resource = ? AND gid {_IN} AND gid NOT IN ({here})",
            [resource, gids_json(gids)],
        )
        self._db.execute(
            f"UPDATE sync_excluded SET why = '{LIFTED}' WHERE resource = ? AND gid {_IN}",
            [resource, gids_json(gids)],
        )
        self._lift_what_hangs_on(resource, gids)

    def _lift_what_hangs_on(self, resource: str, gids: Collection[str]) -> None:
        below = {"teams": "projects", "projects": "tasks", "tasks": "tasks"}.get(resource)
        if below and gids:
            whys = gids_json(hanging_on(resource, gid) for gid in gids)
            sql = f"SELECT gid FROM sync_excluded WHERE resource = ? AND why {_IN}"
            self._lift(below, self._gids(sql, below, whys))

    def _is_empty(self) -> bool:
        return self._memory.is_empty("sync_excluded")

    def _gids(self, sql: str, *parameters: Any) -> set[str]:
        return {row[0] for row in self._db.execute(sql, list(parameters))}

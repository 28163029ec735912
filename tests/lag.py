"""What may lag behind Asana after a run that followed changes, by the contract and by nothing else.

Everything else must be equal after every finished run, and these as well once their age is up (`max_age_s=0`),
or after a full run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from typing import Any

from truth import LINKS, WHOLE_ROW, differences, unsound
from worlds import Mirrored, rows

from asana_mirror.catalog import LISTINGS, RESOURCES

# Positions are as of the last listing; values show names of things elsewhere, as of the last reading of their owner.
COLUMNS = {
    ("task_projects", "position"),
    *((table, column) for table in LINKS for column in ("display_value", "reference_gids")),
}
WHOLE_ROWS = {"team_memberships"}  # no stream tells of them, and each team costs a request
# Edits and likes of comments move nothing on their task: where no stream tells of them, they wait for their age.
OF_COMMENTS = {
    *("text", "html_text", "is_edited", "is_pinned", "sticker_name", "previews"),
    *("num_likes", "liked", "reaction_summary"),
}
THEIR_LIKES = "story_likes"


class Lag:
    """Tells of a difference whether it may be there: the `besides` of `differences`."""

    def __init__(self, both: Mirrored, untold: Collection[str] = ()) -> None:
        """`untold` are further tasks whose comments may have changed while no stream told of it."""
        self._world = both.world
        self._untold = {*untold, *tasks_without_a_stream(both)}
        waiting = "SELECT parent_gid FROM sync_checkpoints WHERE waiting_since IS NOT NULL AND name = 'task_stories'"
        self._waiting = {row[0] for row in rows(both.path, waiting)}

    def __call__(self, table: str, key: Any, column: str) -> bool:
        if (table, column) in COLUMNS or table in WHOLE_ROWS:
            return True
        if table not in ("stories", THEIR_LIKES):
            return False
        story = self._world.story(key[0] if table == THEIR_LIKES else key)
        task = story["target"] if story else None
        if task in self._waiting:
            return True
        return task in self._untold and (table == THEIR_LIKES or column in OF_COMMENTS)


def lagging_tables() -> set[str]:
    """Tables of which a list that is read by its age alone is the only one, and what hangs on their rows."""
    told = {one.resource for one in LISTINGS.values() if one.each_run or one.events or not one.by_age}
    found = {one.kept.table for one in LISTINGS.values() if one.kept} | {
        one.resource for one in LISTINGS.values() if one.by_age and one.resource in RESOURCES
    }
    found -= told
    found |= {inside.resource for name in found & RESOURCES.keys() for inside in RESOURCES[name].embedded}
    return found | {links.table for name in found & RESOURCES.keys() for links in RESOURCES[name].links}


class AgeLag(Lag):
    """Tells of a difference whether it may be there until its age is up."""

    def __init__(self, both: Mirrored, untold: Collection[str] = ()) -> None:
        super().__init__(both, untold)
        self._tables = lagging_tables()
        self._listed = {
            rec["gid"]
            for rec in self._world.iter_records("portfolios")
            if rec["owner"]["gid"] == self._world.me
        }
        empty = "SELECT name, parent_gid FROM sync_checkpoints WHERE records = 0"
        self._unasked = {
            (LISTINGS[name].resource, gid) for name, gid in rows(both.path, empty) if name in LISTINGS
        }
        self._there = both.path

    def __call__(self, table: str, key: Any, column: str) -> bool:
        return super().__call__(table, key, column) or self.by_age(table, key, column)

    def by_age(self, table: str, key: Any, column: str) -> bool:
        """Only of what no stream and no list of every run tells."""
        if table in self._tables:
            return True
        gid = key[0] if isinstance(key, tuple) else key
        owner = LINKS[table][0] if table in LINKS else table
        if (owner, self._workspace_of(gid)) in self._unasked:  # an empty list is asked for by its age only
            return True
        if owner == "portfolios":
            return gid not in self._listed
        return self._stands_on_what_lags(table, gid, column)

    def _stands_on_what_lags(self, table: str, gid: str, column: str) -> bool:
        """Sections of My Tasks, attachments of briefs, stories of goals, reactions to what lags, settings."""
        row = self._row(table, gid)
        if table == "sections":
            return not row.get("project_gid")
        if table == "attachments":
            return row.get("parent_type") == "project_brief"
        if table in ("stories", "story_likes"):
            return self._row("stories", gid).get("target_type") == "goal"
        if table == "reactions":
            return row.get("target_type") != "story" or self._lags(row["target_gid"])
        if table == "custom_field_settings":
            return row.get("parent_type") == "portfolio" and row["parent_gid"] not in self._listed
        return False

    def _workspace_of(self, gid: str) -> str | None:
        rec = self._world.records.get(gid, {})
        return rec.get("workspace")

    def _lags(self, story: str) -> bool:
        return self("stories", story, WHOLE_ROW) or super().__call__("stories", story, "reaction_summary")

    def _row(self, table: str, gid: str) -> dict[str, Any]:
        """As the mirror has it, else as Asana does."""
        found = [] if table in LINKS else rows(self._there, f"SELECT * FROM {table} WHERE gid = ?", gid)
        if found:
            return dict(found[0])
        record = {}
        with contextlib.suppress(KeyError):
            record = self._world.record(gid)
        for name in ("target", "parent", "project"):
            if isinstance(record.get(name), dict):
                record |= {f"{name}_gid": record[name]["gid"], f"{name}_type": record[name]["resource_type"]}
        return record


def tasks_without_a_stream(both: Mirrored) -> set[str]:
    """Tasks in no living project, and below none that is in one."""
    world = both.world

    def told(gid: str | None) -> bool:
        task = world.records.get(gid or "")
        if task is None:
            return False
        return any(world.alive(project) for project, _ in task.get("memberships", ())) or told(
            task.get("parent")
        )

    return {gid for gid in world.tasks if not told(gid)}


def equal_but_for_lag(both: Mirrored, untold: Collection[str] = ()) -> bool:
    found = differences(both.world, both.path, besides=AgeLag(both, untold))
    assert found == [], found
    assert (found := unsound(both.path)) == [], found
    return True


def equal_but_for_age(both: Mirrored) -> bool:
    """Nothing lags but what no stream and no list of every run tells."""
    found = differences(both.world, both.path, besides=AgeLag(both).by_age)
    assert found == [], found
    assert (found := unsound(both.path)) == [], found
    return True


def equal_at_last(both: Mirrored, **options: Any) -> bool:
    """Nothing lags any more once all that waits for its age has been read."""
    both.sync(max_age_s=0, **options)
    found = differences(both.world, both.path)
    assert found == [], found
    assert (found := unsound(both.path)) == [], found
    return True

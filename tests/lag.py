"""What may lag behind Asana after a run that followed changes, by the contract and by nothing else.

Everything else must be equal after every finished run, and these as well once their age is up (`max_age_s=0`),
or after a full run.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from truth import LINKS, differences, unsound
from worlds import Mirrored, rows

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
    found = differences(both.world, both.path, besides=Lag(both, untold))
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

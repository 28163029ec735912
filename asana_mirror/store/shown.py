"""Where a name is shown that belongs to something else: a value of a custom field, the text of a story."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlite_utils import Database

from asana_mirror.store.pages import gids_json

_AMONG = "IN (SELECT value FROM json_each(?1))"


def _in_json(column: str) -> str:
    """The tasks on which stories keep one of these whole in a column: gid, name and all."""
    return (
        f"SELECT target_gid FROM stories, json_each({column}) AS named "
        f"WHERE {column} IS NOT NULL AND json_extract(named.value, '$.gid') {_AMONG}"
    )


# Resource → (the tasks whose values show it, the tasks on which stories name it).
_TASKS = {
    "custom_fields": (
        f"SELECT task_gid FROM task_custom_fields WHERE custom_field_gid {_AMONG} AND display_value IS NOT NULL",
        f"SELECT target_gid FROM stories WHERE custom_field_gid {_AMONG}",
    ),
    "enum_options": (
        f"SELECT task_gid FROM task_custom_fields WHERE enum_option_gid {_AMONG} UNION "
        "SELECT task_gid FROM task_custom_fields, json_each(multi_enum_option_gids) AS chosen "
        f"WHERE chosen.value {_AMONG} AND custom_field_gid IN "
        f"(SELECT custom_field_gid FROM enum_options WHERE gid {_AMONG})",
        f"SELECT target_gid FROM stories WHERE old_enum_value_gid {_AMONG} UNION "
        f"SELECT target_gid FROM stories WHERE new_enum_value_gid {_AMONG} UNION "
        f"{_in_json('old_multi_enum_values')} UNION {_in_json('new_multi_enum_values')}",
    ),
    "users": (
        "SELECT task_gid FROM task_custom_fields, json_each(people_gids) AS chosen "
        f"WHERE chosen.value {_AMONG} AND custom_field_gid IN "
        "(SELECT gid FROM custom_fields WHERE resource_subtype = 'people' OR type = 'people')",
        f"SELECT target_gid FROM stories WHERE assignee_gid {_AMONG} UNION "
        f"SELECT target_gid FROM stories WHERE follower_gid {_AMONG} UNION "
        f"{_in_json('old_people_value')} UNION {_in_json('new_people_value')}",
    ),
}
_TASKS["agents"] = _TASKS["users"]
# What of it is shown elsewhere.
SHOWN = {
    "custom_fields": (
        "name",
        "precision",
        "format",
        "currency_code",
        "custom_label",
        "custom_label_position",
    ),
    "enum_options": ("name", "color", "enabled"),
    "users": ("name",),
    "agents": ("name",),
}


class Shown:
    """Looks up who shows what."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def in_values(self, resource: str, gids: Iterable[str]) -> list[str]:
        """Tasks with a value that shows one of these."""
        return self._tasks(_TASKS[resource][0], gids)

    def in_stories(self, resource: str, gids: Iterable[str]) -> list[str]:
        """Tasks with a story that names one of these."""
        return self._tasks(_TASKS[resource][1], gids)

    def _tasks(self, sql: str, gids: Iterable[str]) -> list[str]:
        parameters: Sequence[str] = [gids_json(gids)]
        return [row[0] for row in self._db.execute(f"SELECT DISTINCT * FROM ({sql})", parameters)]

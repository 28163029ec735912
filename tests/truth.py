"""What a mirror must hold, derived from a world's records by the rules of the contract and by nothing else.

It shares no line with what reads and writes the mirror: a mistake made there must show here.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import truth_goals
import truth_plan

from asana_mirror.sandbox import World

Record = dict[str, Any]
Row = dict[str, Any]
Key = Any  # a gid, or a pair of gids in a link table
Tables = dict[str, dict[Key, Row]]

WHOLE_ROW = "*"  # what `besides` is asked, where other things are columns

NOT_STORED = {"resource_type", "hearts", "hearted", "num_hearts", "download_url", "view_url"}

# Fields that are kept as rows of other tables. `dependents` is `dependencies` read backwards.
ELSEWHERE: dict[str, set[str]] = {
    "users": {"workspaces", "custom_fields"},
    "teams": {"custom_field_settings"},
    "projects": {"members", "followers", "custom_fields", "custom_field_settings"},
    "sections": {"projects"},
    "tags": {"followers"},
    "custom_fields": {"enum_options"},
    "tasks": {
        *("projects", "memberships", "tags", "followers", "likes", "custom_fields"),
        *("dependencies", "dependents"),
    },
    "stories": {"likes"},
    **truth_plan.ELSEWHERE,
    **truth_goals.ELSEWHERE,
}

# References that may be of several kinds, and so come with their type.
OF_SEVERAL_KINDS = {
    *(("stories", "target"), ("attachments", "parent"), ("custom_field_settings", "parent")),
    *truth_plan.OF_SEVERAL_KINDS,
    *truth_goals.OF_SEVERAL_KINDS,
}

# Structures that look like a reference and are kept as they came all the same.
AS_JSON = truth_plan.AS_JSON | truth_goals.AS_JSON

# link table: (table of the owner, column of the owner, column of the other one)
LINKS: dict[str, tuple[str, str, str]] = {
    "user_workspaces": ("users", "user_gid", "workspace_gid"),
    "user_custom_fields": ("users", "user_gid", "custom_field_gid"),
    "project_members": ("projects", "project_gid", "actor_gid"),
    "project_followers": ("projects", "project_gid", "actor_gid"),
    "project_custom_fields": ("projects", "project_gid", "custom_field_gid"),
    "tag_followers": ("tags", "tag_gid", "actor_gid"),
    "task_projects": ("tasks", "task_gid", "project_gid"),
    "task_tags": ("tasks", "task_gid", "tag_gid"),
    "task_followers": ("tasks", "task_gid", "actor_gid"),
    "task_likes": ("tasks", "task_gid", "actor_gid"),
    "task_dependencies": ("tasks", "task_gid", "depends_on_gid"),
    "task_custom_fields": ("tasks", "task_gid", "custom_field_gid"),
    "story_likes": ("stories", "story_gid", "actor_gid"),
    **truth_plan.LINKS,
    **truth_goals.LINKS,
}

# Within what a position counts. Only the order is Asana's; with which number it begins is not.
ORDERED_WITHIN = {
    "custom_field_settings": ("parent_gid",),
    "enum_options": ("custom_field_gid",),
    "task_projects": ("project_gid", "section_gid"),
    **truth_plan.ORDERED_WITHIN,
    **truth_goals.ORDERED_WITHIN,
}

RESOURCES = (
    *("workspaces", "users", "agents", "teams", "team_memberships", "projects", "sections", "tags"),
    *("custom_fields", "custom_field_settings", "enum_options", "tasks", "stories", "attachments"),
    *truth_plan.RESOURCES,
    *truth_goals.RESOURCES,
)

# What leaves its last listing and can still be read by itself lives on, equal to what Asana says of it.
OUTLIVES_ITS_LISTINGS = (
    *("tasks", "custom_fields"),
    *truth_plan.OUTLIVES_ITS_LISTINGS,
    *truth_goals.OUTLIVES_ITS_LISTINGS,
)


# -- here: what the world's records say ---------------------------------------------------------------


def expected(world: World, strays: Iterable[str] = (), service: bool = False) -> Tables:
    """Every row of every table as a mirror must have it; strays: what exists though no list shows it.

    service: whether the mirror was filled by the token of a service account.
    """
    found: Tables = {table: {} for table in (*RESOURCES, *LINKS)}
    for table in ("workspaces", "users", "agents", "teams", "team_memberships", "tags"):
        for record in world.iter_records(table):
            _add(found, table, record)
    _add_places(found, world)
    truth_goals.add_goals(found, world, strays, _add, service)
    _add_custom_fields(found, world, strays)
    _add_work(found, world, strays)
    truth_plan.add_plans(found, world, strays, _add, service)
    truth_goals.add_shared(found, world, _add)
    return found


def _add_places(found: Tables, world: World) -> None:
    for project in world.iter_records("projects"):
        _add(found, "projects", project)
        for position, setting in enumerate(project["custom_field_settings"]):
            _add(found, "custom_field_settings", world.record(setting["gid"]), position=position)
        sections = [gid for gid in world.records[project["gid"]]["sections"] if world.alive(gid)]
        for position, gid in enumerate(sections):
            _add(found, "sections", world.record(gid), position=position)


def _add_custom_fields(found: Tables, world: World, strays: Iterable[str]) -> None:
    gids = {record["gid"] for record in world.iter_records("custom_fields")}
    gids |= {row["custom_field_gid"] for row in found["custom_field_settings"].values()}
    for gid in gids.union(gid for gid in strays if _is(world, gid, "custom_field")):
        record = world.record(gid)
        _add(found, "custom_fields", record)
        for position, option in enumerate(record.get("enum_options") or ()):
            _add(found, "enum_options", option, position=position, custom_field_gid=gid)


def _add_work(found: Tables, world: World, strays: Iterable[str]) -> None:
    tasks = _with_all_below(world, [*world.reachable_tasks(), *strays])
    for gid in tasks:
        _add(found, "tasks", world.record(gid))
    for project in found["projects"]:
        before: dict[str | None, int] = defaultdict(int)  # how many stand before it in its section
        for gid in world.project_order(project):
            place = found["task_projects"].get((gid, project))
            if place is not None:
                place["position"] = before[place["section_gid"]]
                before[place["section_gid"]] += 1
    for story in world.iter_records("stories"):
        if story["target"]["gid"] in tasks or story["target"]["gid"] in found["goals"]:
            _add(found, "stories", story)
    holders = tasks | found["projects"].keys() | found["project_briefs"].keys()
    for attachment in world.iter_records("attachments"):
        if attachment["parent"]["gid"] in holders:
            _add(found, "attachments", attachment)


def _with_all_below(world: World, gids: list[str]) -> set[str]:
    found: set[str] = set()
    waiting = [gid for gid in gids if _is(world, gid, "task")]
    while waiting:
        gid = waiting.pop()
        if gid not in found and world.alive(gid):
            found.add(gid)
            waiting += world.records[gid].get("subtasks", ())
    return found


def _is(world: World, gid: str, kind: str) -> bool:
    return world.alive(gid) and world.records[gid]["resource_type"] == kind


def _add(found: Tables, table: str, record: Record, **more: Any) -> None:
    gid = record["gid"]
    found[table][gid] = _columns(table, record) | more
    for link, rows in _links(table, record).items():
        for row in rows:
            other = row.pop(LINKS[link][2])
            found[link][gid, other] = row


def _columns(table: str, record: Record) -> Row:
    row: Row = {}
    for field, value in record.items():
        if field in NOT_STORED or field in ELSEWHERE.get(table, ()):
            continue
        if isinstance(value, dict) and "resource_type" in value and (table, field) not in AS_JSON:
            row[f"{field}_gid"] = value["gid"]
            if (table, field) in OF_SEVERAL_KINDS:
                row[f"{field}_type"] = value["resource_type"]
        else:
            row[field] = int(value) if isinstance(value, bool) else value
    return row


def _links(table: str, record: Record) -> dict[str, Iterable[Row]]:
    if table == "users":
        return {
            "user_workspaces": _gids(record, "workspaces", "workspace_gid"),
            "user_custom_fields": _field_values(record),
        }
    if table == "projects":
        return {
            "project_members": _gids(record, "members", "actor_gid"),
            "project_followers": _gids(record, "followers", "actor_gid"),
            "project_custom_fields": _field_values(record),
        }
    if table == "tags":
        return {"tag_followers": _gids(record, "followers", "actor_gid")}
    if table == "tasks":
        return {
            "task_projects": map(_membership, record["memberships"]),
            "task_tags": _gids(record, "tags", "tag_gid"),
            "task_followers": _gids(record, "followers", "actor_gid"),
            "task_likes": _likes(record),
            "task_dependencies": _gids(record, "dependencies", "depends_on_gid"),
            "task_custom_fields": _field_values(record),
        }
    if table in truth_goals.LINKED_BY:
        return {link: _kept(link, field, record) for link, field in truth_goals.LINKED_BY[table].items()}
    return {"story_likes": _likes(record)} if table == "stories" else truth_plan.links(table, record)


def _kept(link: str, field: str, record: Record) -> Iterator[Row]:
    """The rows of a link table by the shape of the field that it keeps."""
    if field == "likes":
        return _likes(record)
    return _field_values(record) if field == "custom_fields" else _gids(record, field, LINKS[link][2])


def _gids(record: Record, field: str, column: str) -> Iterator[Row]:
    return ({column: other["gid"]} for other in record[field])


def _likes(record: Record) -> Iterator[Row]:
    return ({"actor_gid": like["user"]["gid"]} for like in record.get("likes", ()))


def _membership(place: Record) -> Row:
    section = place["section"]
    return {"project_gid": place["project"]["gid"], "section_gid": section and section["gid"]}


def _field_values(record: Record) -> Iterator[Row]:
    for value in record["custom_fields"]:
        option, date = value.get("enum_value"), value.get("date_value") or {}
        yield {
            "custom_field_gid": value["gid"],
            "type": value.get("resource_subtype") or value.get("type"),
            "display_value": value["display_value"],
            "text_value": value.get("text_value"),
            "number_value": value.get("number_value"),
            "enum_option_gid": option and option["gid"],
            "date_value": date.get("date_time") or date.get("date"),
            "multi_enum_option_gids": _all_gids(value.get("multi_enum_values")),
            "people_gids": _all_gids(value.get("people_value")),
            "reference_gids": _all_gids(value.get("reference_value")),
        }


def _all_gids(records: list[Record] | None) -> list[str] | None:
    return None if records is None else [record["gid"] for record in records]


# -- there: what the mirror says ----------------------------------------------------------------------


def living(mirror: Path, table: str) -> dict[Key, Row]:
    """The living rows of a table without their bookkeeping, or the link rows of what is no tombstone."""
    with closing(sqlite3.connect(mirror)) as db:
        db.row_factory = sqlite3.Row
        return _living(db, table)


def _living(db: sqlite3.Connection, table: str) -> dict[Key, Row]:
    if table not in LINKS:
        rows = db.execute(f"SELECT * FROM {table} WHERE _deleted_at IS NULL AND _synced_at IS NOT NULL")
        return _ranked(table, {row["gid"]: _without_books(row) for row in rows})
    owners, owner, other = LINKS[table]
    rows = db.execute(
        f"SELECT * FROM {table} WHERE {owner} NOT IN (SELECT gid FROM {owners} WHERE _deleted_at IS NOT NULL)"
    )
    return _ranked(table, {(row[owner], row[other]): dict(row) for row in rows})


def _without_books(row: sqlite3.Row) -> Row:
    return {column: row[column] for column in row.keys() if column == "_extra" or column[0] != "_"}  # noqa: SIM118


def _ranked(table: str, rows: dict[Key, Row]) -> dict[Key, Row]:
    """Positions as ranks among the living; equal positions stay equal, and so differ from Asana's order."""
    within = ORDERED_WITHIN.get(table, ())
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows.values() if within else ():
        groups[tuple(row[column] for column in within)].append(row)
    for group in groups.values():
        ranks = {place: rank for rank, place in enumerate(sorted({r["position"] for r in group} - {None}))}
        for row in group:
            row["position"] = ranks.get(row["position"])
    return rows


# -- here against there -------------------------------------------------------------------------------


def differences(
    world: World,
    mirror: Path,
    *,
    besides: Callable[[str, Key, str], bool] = lambda table, key, column: False,
    service: bool = False,
) -> list[str]:
    """Readable lines, none when mirror and Asana are equal; service: with whose token the mirror was filled.

    `besides` names columns that may differ, and with WHOLE_ROW as a column rows that may stand on one side only.
    """
    with closing(sqlite3.connect(mirror)) as db:
        db.row_factory = sqlite3.Row
        there = {table: _living(db, table) for table in (*RESOURCES, *LINKS)}
        columns = {table: _column_names(db, table) for table in there}
        actors = {row["gid"]: dict(row) for row in db.execute("SELECT * FROM actors")}
    strays = [gid for table in OUTLIVES_ITS_LISTINGS for gid in there[table]]
    here = expected(world, strays, service)
    found = list(_actor_differences(world, actors))
    for table in here:
        found += _compared(table, here[table], there[table], columns[table], besides)
    return found


def _column_names(db: sqlite3.Connection, table: str) -> list[str]:
    names = [row["name"] for row in db.execute(f"PRAGMA table_info({table})")]
    link_columns = LINKS[table][1:] if table in LINKS else ("gid",)
    return [name for name in names if name not in link_columns and (name == "_extra" or name[0] != "_")]


def _compared(
    table: str,
    here: dict[Key, Row],
    there: dict[Key, Row],
    columns: list[str],
    besides: Callable[[str, Key, str], bool],
) -> Iterator[str]:
    for side, lacking, rows in (("Asana", there, here), ("the mirror", here, there)):
        for key in sorted(rows.keys() - lacking.keys()):
            if not besides(table, key, WHOLE_ROW):
                yield f"{table} {_shown(key)}: only in {side}"
    for field in sorted({field for row in here.values() for field in row} - {*columns, "gid"}):
        if any(row.get(field) is not None for row in here.values()):
            yield f"{table}.{field}: no such column in the mirror"
    for key in sorted(here.keys() & there.keys()):
        for column in columns:
            asana, mirror = here[key].get(column), there[key][column]
            if not _same(asana, mirror) and not besides(table, key, column):
                yield f"{table} {_shown(key)} {column}: Asana {_shown(asana)}, mirror {_shown(mirror)}"


def _same(asana: Any, mirror: Any) -> bool:
    if isinstance(asana, (dict, list)):
        with contextlib.suppress(TypeError, ValueError):
            return bool(json.loads(mirror) == asana)
        return False
    if isinstance(asana, str) or isinstance(mirror, str) or asana is None or mirror is None:
        return type(asana) is type(mirror) and asana == mirror
    return bool(asana == mirror)  # 3 and 3.0


def _actor_differences(world: World, actors: dict[str, Row]) -> Iterator[str]:
    """Users and agents that a list shows are all there; of the others only what is true of them."""
    for table, kind in (("users", "user"), ("agents", "agent")):
        for record in world.iter_records(table):
            row = actors.get(record["gid"])
            if row is None:
                yield f"actors {record['gid']}: only in Asana"
            elif (row["type"], row["name"]) != (kind, record["name"]):
                yield f"actors {record['gid']}: Asana {kind} {record['name']!r}, mirror {row}"
    for gid, row in actors.items():
        record = world.records.get(gid, {})
        kind, name = record.get("resource_type"), record.get("name")
        if kind not in ("user", "agent"):
            yield f"actors {gid}: nobody in Asana has this gid"
        elif row["type"] not in (None, kind) or row["name"] not in (None, name):
            yield f"actors {gid}: Asana {kind} {name!r}, mirror {row}"


def _shown(value: Any) -> str:
    text = "/".join(value) if isinstance(value, tuple) else repr(value) if value is not None else "NULL"
    return text if len(text) <= 90 else f"{text[:60]}… ({len(text)} characters)"


def fields_without_a_place(world: World, mirror: Path) -> set[str]:
    """Fields that Asana gives and that have neither a column nor a link table, null ones too."""
    found: set[str] = set()
    with closing(sqlite3.connect(mirror)) as db:
        db.row_factory = sqlite3.Row
        for table in set(RESOURCES) - {"enum_options"}:
            columns = {row["name"] for row in db.execute(f"PRAGMA table_info({table})")}
            for record in world.iter_records(table):
                for field in record.keys() - NOT_STORED - ELSEWHERE.get(table, set()):
                    if field not in columns and f"{field}_gid" not in columns:
                        found.add(f"{table}.{field}")
    return found


def unsound(mirror: Path, *, search: bool = True) -> list[str]:
    """What SQLite itself finds wrong with the file; `search` checks the full-text indexes as well."""
    with closing(sqlite3.connect(mirror, isolation_level=None)) as db:
        found = [row[0] for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"]
        found += [f"foreign key: {row}" for row in db.execute("PRAGMA foreign_key_check")]
        for table in ("tasks_fts", "stories_fts", "projects_fts") if search else ():
            try:
                db.execute(f"INSERT INTO {table}({table}, rank) VALUES ('integrity-check', 1)")
            except sqlite3.DatabaseError as error:
                found.append(f"{table}: {error}")
    return found


def sound(mirror: Path, *, search: bool = True) -> bool:
    return not unsound(mirror, search=search)

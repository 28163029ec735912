"""A purged person is in no byte of the files and stays away; the work of everyone stays."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from purges import EMAIL, NAME, SAID, Office, purged, remains_of, somebody
from purges import mirrored_office as mirrored_office
from purges import office as office
from truth import differences, living, unsound
from worlds import Rewriter, mirror, mirrored, row, rows, value, write

from asana_mirror.erasure import Erasure, Purged, traces_of
from asana_mirror.sandbox import generate
from asana_mirror.sandbox.sharing import HELD_IN

WORDS = ("text", "html_text", "previews", "sticker_name")
_STATUS = ("title", "text", "html_text")
WRITTEN = {  # table: the field that says who wrote its words, and these words
    "time_tracking_entries": ("created_by", ("description",)),
    "status_updates": ("author", _STATUS),
    "project_statuses": ("author", _STATUS),
    "access_requests": ("requester", ("message",)),
}
HERS = {  # table: the field that says to whom a whole record belongs
    **dict.fromkeys(("team_memberships", "workspace_memberships", "ooo_entries"), "user"),
    "user_task_lists": "owner",
    **{f"{place}_memberships": "member" for place in HELD_IN},
}


# -- a person -----------------------------------------------------------------------------------------


def test_before_a_purge_there_is_much_to_find(office: Office) -> None:
    assert remains_of(office.path, *office.traces) == list(office.traces)
    assert len(rows(office.path, "SELECT 1 FROM stories WHERE created_by_gid = ?", office.zoe)) > 10
    assert value(
        office.path, "SELECT count(*) FROM task_custom_fields WHERE people_gids LIKE ?", f"%{office.zoe}%"
    )
    assert value(office.path, "SELECT count(*) FROM stories WHERE new_people_value LIKE ?", f"%{office.zoe}%")


def test_of_a_purged_person_no_byte_is_left(office: Office) -> None:
    report = purged(office.path, people=[[office.zoe]])

    assert remains_of(office.path, *office.traces) == []
    assert unsound(office.path) == []
    assert report.people == [office.zoe]
    assert report.deleted["users"] == 1
    assert dict(row(office.path, "actors", office.zoe)) == {"gid": office.zoe, "type": None, "name": None}


def test_where_a_purged_person_belonged_and_what_they_followed_goes(office: Office) -> None:
    links = ("team_memberships.user_gid", "user_workspaces.user_gid", "task_followers.actor_gid")
    links += ("task_likes.actor_gid", "story_likes.actor_gid", "project_members.actor_gid")

    def named() -> set[str]:
        counted = {link: f"SELECT count(*) FROM {link.replace('.', ' WHERE ')} = ?" for link in links}
        return {link for link, sql in counted.items() if value(office.path, sql, office.zoe)}

    assert named() == set(links)
    purged(office.path, people=[[office.zoe]])
    assert named() == set()
    shown = "SELECT DISTINCT display_value FROM task_custom_fields WHERE people_gids LIKE ?"
    assert [r[0] for r in rows(office.path, shown, f"%{office.zoe}%")] == [None]


def test_the_work_of_a_purged_person_stays(office: Office) -> None:
    before = {
        table: set(living(office.path, table)) for table in ("tasks", "stories", "attachments", "projects")
    }
    assigned = value(office.path, "SELECT count(*) FROM tasks WHERE assignee_gid = ?", office.zoe)
    purged(office.path, people=[[office.zoe]])

    assert {table: set(living(office.path, table)) for table in before} == before
    assert value(office.path, "SELECT count(*) FROM tasks WHERE assignee_gid = ?", office.zoe) == assigned > 0


def test_search_finds_nothing_of_a_purged_person_and_still_finds_the_rest(office: Office) -> None:
    def found(word: str) -> int:
        return len(rows(office.path, "SELECT rowid FROM stories_fts WHERE stories_fts MATCH ?", word))

    assert (found("knee"), found("quill") > 0, found("lighthouse")) == (1, True, 1)
    rest = value(office.path, "SELECT count(*) FROM stories_fts WHERE stories_fts MATCH 'decide'")
    hers = "SELECT count(*) FROM stories WHERE text LIKE '%decide%' AND created_by_gid = ?"
    rest -= value(office.path, hers, office.zoe)
    purged(office.path, people=[[office.zoe]])

    assert (found("knee"), found("quill"), found("lighthouse")) == (0, 0, 1)
    assert found("decide") == rest > 0
    ((text,),) = rows(
        office.path,
        "SELECT text FROM stories WHERE rowid IN (SELECT rowid FROM stories_fts('lighthouse'))",
    )
    assert text == "Ask [purged], the lighthouse is hers"


def _tells_of(story: dict[str, Any], gid: str) -> bool:
    people = [story.get(field) for field in ("created_by", "assignee", "follower")]
    people += [*(story.get("old_people_value") or ()), *(story.get("new_people_value") or ())]
    return any(person is not None and person["gid"] == gid for person in people)


def _about_her(office: Office) -> set[tuple[str, str, str]]:
    """(table, key, column) of all that may differ from Asana once she is purged."""
    world, zoe = office.world, office.zoe
    found = set()
    for story in world.iter_records("stories"):
        if _tells_of(story, zoe):
            found |= {("stories", story["gid"], c) for c in (*WORDS, "old_people_value", "new_people_value")}
    for task in world.iter_records("tasks"):
        for field in task["custom_fields"]:
            if any(person["gid"] == zoe for person in field.get("people_value") or ()):
                found.add(("task_custom_fields", (task["gid"], field["gid"]), "display_value"))
    for table, (author, columns) in WRITTEN.items():
        for record in world.iter_records(table):
            if (record[author] or {}).get("gid") == zoe:
                found |= {(table, record["gid"], column) for column in columns}
    for (_, workspace), favorites in world.favorites.items():  # those after her move up
        found |= {("favorites", (workspace, gid), "position") for gid in favorites}
    for table, gid in office.planted:
        columns = ("name", "notes", "html_notes", "old_name", "new_name", "text", "html_text")
        found |= {(table, gid, column) for column in columns}
    return found


def test_the_next_sync_changes_nothing_and_all_else_is_still_equal_to_asana(office: Office) -> None:
    purged(office.path, people=[[office.zoe]])
    report = office.sync()

    assert (report.rows_inserted, report.rows_updated, report.rows_deleted) == (0, 0, 0)
    assert remains_of(office.path, *office.traces) == []
    about_her = _about_her(office)
    memberships = [
        record["gid"]
        for table, whose in HERS.items()
        for record in office.world.iter_records(table)
        if record[whose]["gid"] == office.zoe
    ]
    lines = differences(office.world, office.path, besides=lambda *place: place in about_her)
    left = [
        line
        for line in lines
        if not (line.endswith("only in Asana") and any(gid in line for gid in (office.zoe, *memberships)))
        and not line.startswith(f"actors {office.zoe}: Asana user")
    ]
    assert left == []
    assert len(lines) > len(left)


def test_a_first_sync_anew_of_what_was_purged_leaves_the_person_out(office: Office) -> None:
    """Rows that come as new are written by the same rule as rows that stood there."""
    purged(office.path, people=[[office.zoe]])
    with closing(sqlite3.connect(office.path)) as db, db:
        db.execute("DELETE FROM task_likes")
        db.execute("DELETE FROM story_likes")
        db.execute(
            "DELETE FROM stories WHERE story_gid IS NULL AND gid NOT IN (SELECT story_gid FROM stories "
            "WHERE story_gid IS NOT NULL)"
        )
    assert office.sync(full=True).rows_inserted > 100
    assert remains_of(office.path, *office.traces) == []
    assert unsound(office.path) == []


def test_new_comments_of_a_purged_person_come_without_their_words(tmp_path: Path) -> None:
    world = generate(72, 40)
    both = mirrored(tmp_path, world)
    zoe = somebody(world)
    purged(both.path, people=[[zoe]])
    world.admit("zoe", zoe)
    task = next(gid for gid in sorted(world.reachable_tasks()) if world.visible(world.tokens["zoe"], gid))
    her_own = SimpleNamespace(token=world.tokens["zoe"])
    story = write(her_own, both.app, "POST", f"/tasks/{task}/stories", text=SAID)["gid"]  # type: ignore[arg-type]
    both.write("POST", f"/tasks/{task}/addFollowers", followers=[zoe])
    both.sync()

    found = both.row("stories", story)
    assert (found["text"], found["created_by_gid"], found["type"]) == (None, zoe, "comment")
    assert rows(both.path, "SELECT 1 FROM task_followers WHERE actor_gid = ?", zoe) == []
    assert remains_of(both.path, SAID, world.records[zoe]["name"], world.records[zoe]["email"]) == []


def test_a_record_that_does_not_fit_brings_nobody_back(office: Office) -> None:
    spoiled = []

    def change(path: str, envelope: dict[str, Any]) -> None:
        for record in envelope["data"] if path.endswith("/stories") else ():
            record["num_likes"] = f"{NAME} and others"
            spoiled.append(record["gid"])

    purged(office.path, people=[[office.zoe]])
    mirror(office.world, office.path, Rewriter(office.app, change), full=True)

    assert value(office.path, "SELECT count(*) FROM sync_undecoded") == len(spoiled) > 100
    assert remains_of(office.path, *office.traces) == []
    purged(office.path, people=[[office.zoe]])
    assert remains_of(office.path, *office.traces) == []


def test_records_that_did_not_fit_are_purged_too(office: Office) -> None:
    record = json.dumps({"gid": "7", "created_by": {"gid": office.zoe, "name": "Z."}, "text": SAID})
    with closing(sqlite3.connect(office.path)) as db, db:
        db.execute(
            "INSERT INTO sync_undecoded (resource, gid, listing, error, record, since, last_seen_at) "
            "VALUES ('stories', '7', '/x', ?, ?, '', ''), ('users', ?, '/x', '', ?, '', '')",
            [f"num_likes is {NAME!r}", record, office.zoe, record],
        )
    purged(office.path, people=[[office.zoe]])
    ((left,),) = rows(office.path, "SELECT record FROM sync_undecoded")
    assert json.loads(left) == {"gid": "7"}
    assert remains_of(office.path, *office.traces) == []


def test_a_person_may_be_purged_twice(office: Office) -> None:
    purged(office.path, people=[[office.zoe]])
    again = purged(office.path, people=[[office.zoe]])

    assert (again.deleted, again.emptied, again.rewritten) == ({}, {}, {})
    office.sync()
    assert remains_of(office.path, *office.traces) == []


# -- texts --------------------------------------------------------------------------------------------

SALT = "00" * 16
TEXTS = {
    "Ask Zoë O'Quill.": "Ask [purged].",
    "ZOË O’QUILL's": "[purged]'s",
    "Zoe\u0308 O'Quill": "[purged]",
    "<b>Zo\u00eb O&#x27;Quill</b>": "<b>[purged]</b>",
    f"<{EMAIL}>": "<[purged]>",
    "Zoë, or O'Quill": "Zoë, or O'Quill",
    "Zoëlle O'Quill": "Zoëlle O'Quill",
    '<a data-asana-gid="7" href="#">@Zo</a> <a data-asana-gid="8">@Bo</a>': (
        '<a data-asana-gid="7" href="#">[purged]</a> <a data-asana-gid="8">@Bo</a>'
    ),
    "山田太郎さんに聞く": "[purged]さんに聞く",
    "I will ask Will.": "I will ask [purged].",
    "": "",
}


@pytest.mark.parametrize("text", TEXTS)
def test_texts_lose_names_in_whatever_spelling(text: str) -> None:
    traces = traces_of([NAME, EMAIL, "山田太郎", "Will"], SALT)
    assert Erasure([Purged("7", SALT, traces)]).text(text) == TEXTS[text]


def test_what_is_remembered_holds_no_name(office: Office) -> None:
    purged(office.path, people=[[office.zoe]])
    ((salt, traces),) = rows(office.path, "SELECT salt, traces FROM sync_purged")
    assert len(salt) == 32
    assert sorted(words for words, _, _ in json.loads(traces)) == [3, 4, 4]


def test_a_namesake_keeps_the_name(tmp_path: Path) -> None:
    world = generate(73, 20)
    one, other = list(world.members[world.workspaces[0]])[1:3]
    world.records[one]["name"] = world.records[other]["name"] = NAME
    both = mirrored(tmp_path, world)
    purged(both.path, people=[[one]])
    both.sync()

    assert both.row("users", other)["name"] == both.row("actors", other)["name"] == NAME
    assert both.row("actors", one)["name"] is None

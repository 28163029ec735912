"""Shapes that Asana's description allows, or will one day: everything is kept, nothing stops."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from everything import KINDS, equal, mirrored_world, served, some_of_everything
from truth import differences, unsound
from worlds import Listener, Mirrored, Rewriter, mirror, row, rows, value

from asana_mirror.catalog import LISTINGS, RESOURCES
from asana_mirror.sandbox import create_app

Record = dict[str, Any]
SMALL: dict[str, Any] = {"tasks": 12, "projects": 3, "users": 5}
NEW = tuple(name for name in KINDS if name in RESOURCES)
REFERENCES = {
    name: [one.name for one in (*RESOURCES[name].references, *RESOURCES[name].open_references)]
    for name in NEW
}


KIND_AT = {"/reactions": "reactions"}  # whose records do not say of which type they are


def _kind_of(record: Record) -> str:
    """The table of a record, by its type; memberships by what they are of."""
    kind = record.get("resource_type") or ""
    if kind.endswith("membership") and isinstance(record.get("parent"), dict):
        return f"{record['parent'].get('resource_type')}_memberships"
    return next(
        (name for name in NEW if name in (f"{kind}s", f"{kind}es", f"{kind.removesuffix('y')}ies")), ""
    )


def _each(spoil: Callable[[str, Record], None]) -> Callable[[str, Record], None]:
    """A change of all records of the new kinds, in lists and by themselves."""

    def change(path: str, envelope: Record) -> None:
        data = envelope.get("data")
        for record in data if isinstance(data, list) else [data]:
            if isinstance(record, dict) and (kind := KIND_AT.get(path) or _kind_of(record)):
                spoil(kind, record)

    return change


def _mirrored(tmp_path: Path, change: Callable[[str, Record], None], seed: int = 171) -> Mirrored:
    world = some_of_everything(seed, **SMALL)
    both = served(tmp_path, world)
    report = mirror(world, both.path, Rewriter(both.app, change))
    assert report.outcome == "complete"
    assert unsound(both.path) == []
    return both


def _counts(both: Mirrored) -> dict[str, int]:
    living = "SELECT count(*) FROM {} WHERE _deleted_at IS NULL AND _synced_at IS NOT NULL"
    return {name: value(both.path, living.format(name)) for name in NEW}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """How many there are of each kind."""
    return _counts(mirrored_world(tmp_path_factory.mktemp("plain"), some_of_everything(171, **SMALL)))


def _set_right(both: Mirrored) -> bool:
    """The next full run sees all as it is."""
    both.sync(full=True)
    assert not rows(both.path, "SELECT * FROM sync_undecoded")
    return equal(both)


# -- records with less, or other things, than expected ------------------------------------------------


def test_references_may_be_null(tmp_path: Path, plain: dict[str, int]) -> None:
    def spoil(kind: str, record: Record) -> None:
        for name in REFERENCES[kind]:
            record[name] = None

    both = _mirrored(tmp_path, _each(spoil))

    assert not rows(both.path, "SELECT * FROM sync_undecoded")
    # What a list shows stands in it, whatever the record says: briefs and items need their names.
    found = _counts(both)
    assert {n for n in plain if plain[n] and not found[n]} <= {"portfolio_memberships"}
    assert _set_right(both)


# What says which lists there are, and which portfolios are one's own.
KEPT = {"gid", "resource_type", "parent", "owner", "workspace", "reaction_summary", "user_task_list"}


def test_fields_may_be_missing(tmp_path: Path, plain: dict[str, int]) -> None:
    def spoil(kind: str, record: Record) -> None:
        for name in set(record) - KEPT:
            del record[name]

    both = _mirrored(tmp_path, _each(spoil))

    assert not rows(both.path, "SELECT * FROM sync_undecoded")
    assert _counts(both) == plain
    assert _set_right(both)


def test_unknown_words_are_kept_as_they_are(tmp_path: Path, plain: dict[str, int]) -> None:
    words = ("resource_subtype", "status_type", "access_level", "approval_status", "budget_type", "status")

    def spoil(kind: str, record: Record) -> None:
        record |= {name: "never_heard_of" for name in words if isinstance(record.get(name), str)}

    both = _mirrored(tmp_path, _each(spoil))

    assert _counts(both) == plain
    for table, column in (
        ("goals", "status"),
        ("status_updates", "status_type"),
        ("project_memberships", "access_level"),
        ("budgets", "budget_type"),
        ("goal_relationships", "resource_subtype"),
    ):
        assert {r[0] for r in rows(both.path, f"SELECT {column} FROM {table}")} <= {"never_heard_of", None}
    assert _set_right(both)


def test_unknown_fields_are_kept_beside(tmp_path: Path, plain: dict[str, int]) -> None:
    more = {"aura": "violet", "weights": [1, {"a": None}]}

    both = _mirrored(tmp_path, _each(lambda kind, record: record.update(more)))

    assert _counts(both) == plain
    by_themselves = {name for name in NEW if plain[name]} - {"user_task_lists", "custom_type_status_options"}
    for name in by_themselves:
        for kept in rows(both.path, f"SELECT _extra FROM {name} WHERE _synced_at IS NOT NULL"):
            assert json.loads(kept[0] or "{}") == more, name
    assert _set_right(both)


def test_lists_inside_records_may_be_empty_or_null(tmp_path: Path, plain: dict[str, int]) -> None:
    for number, nothing in enumerate(([], None)):

        def spoil(kind: str, record: Record, nothing: Any = nothing) -> None:
            record |= {name: nothing for name, held in record.items() if isinstance(held, list)}

        (tmp_path / str(number)).mkdir()
        both = _mirrored(tmp_path / str(number), _each(spoil))

        assert not rows(both.path, "SELECT * FROM sync_undecoded")
        expected = plain | {"reactions": _counts(both)["reactions"]}
        expected["custom_type_status_options"] = _counts(both).get("custom_type_status_options", 0)
        assert _counts(both) == {name: expected[name] for name in plain}
        assert _set_right(both)


SPOILED: dict[str, tuple[str, Record]] = {
    "a metric that is a list": ("goals", {"metric": [1, 2]}),
    "a metric that is text": ("goals", {"metric": "half"}),
    "a number for a reference": ("goals", {"owner": 17}),
    "a number for a list": ("goals", {"followers": 3}),
    "words for a number": ("time_tracking_entries", {"duration_minutes": "an hour"}),
    "text for a truth": ("portfolios", {"archived": "perhaps"}),
    "a list for text": ("status_updates", {"title": ["a"]}),
    "an object for a rate": ("rates", {"rate": {"amount": 3}}),
    "text for likes": ("status_updates", {"likes": "many"}),
}


@pytest.mark.parametrize(("kind", "spoiled"), SPOILED.values(), ids=SPOILED)
def test_a_record_that_does_not_fit_is_kept_aside_and_stops_no_other(
    tmp_path: Path, plain: dict[str, int], kind: str, spoiled: Record
) -> None:
    chosen: list[str] = []

    def spoil(its: str, record: Record) -> None:
        if its == kind and (not chosen or record["gid"] in chosen):
            chosen[:] = [record["gid"]]
            record |= spoiled

    both = _mirrored(tmp_path, _each(spoil))

    kept = rows(both.path, "SELECT * FROM sync_undecoded")
    if kept:
        assert [(one["resource"], one["gid"]) for one in kept] == [(kind, chosen[0])]
    assert _counts(both)[kind] >= plain[kind] - len(kept)
    assert _set_right(both)


def test_a_status_of_nothing_keeps_its_place(tmp_path: Path) -> None:
    def spoil(kind: str, record: Record) -> None:
        if kind == "status_updates":
            record["parent"] = None

    both = _mirrored(tmp_path, _each(spoil))

    assert not rows(
        both.path, "SELECT * FROM status_updates WHERE _synced_at IS NOT NULL AND parent_gid IS NULL"
    )
    assert _set_right(both)


def test_an_item_without_a_type_is_an_item_all_the_same(tmp_path: Path) -> None:
    def spoil(path: str, envelope: Record) -> None:
        if path.endswith("/items") or path == "/users/me/favorites":
            for record in envelope["data"]:
                record.pop("resource_type", None)

    both = _mirrored(tmp_path, spoil)

    told = sum(
        len(both.world.records[r["gid"]]["items"])
        for r in both.world.iter_records("portfolios")
        if r["owner"]["gid"] == both.world.me
    )
    assert told <= value(both.path, "SELECT count(*) FROM portfolio_items") or told == 0
    assert _set_right(both)


def test_gids_have_any_length(tmp_path: Path, plain: dict[str, int]) -> None:
    """Above 2^63 as well: they are text."""

    def spoil(path: str, envelope: Record) -> None:
        text = json.dumps(envelope)
        envelope |= json.loads(re.sub(r'"(1200\d{9,})"', r'"77777777777\1"', text))

    class Shortened(Listener):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            text = scope["query_string"].replace(b"77777777777", b"")
            path = scope["path"].replace("77777777777", "")
            shorter = {**scope, "query_string": text, "path": path, "raw_path": path.encode()}
            await self.app(shorter, receive, send)

    world = some_of_everything(171, **SMALL)
    path = tmp_path / "mirror.db"
    mirror(world, path, Shortened(Rewriter(create_app(world), spoil)))

    both = Mirrored(world, create_app(world), path)
    assert _counts(both) == plain
    assert unsound(path) == []


# -- reactions ----------------------------------------------------------------------------------------

SUMMARIES: dict[str, Any] = {
    "null": None,
    "of nothing": [{"emoji_base": None, "variant": None, "count": 1, "reacted": False}],
    "without a base": [{"variant": "👍", "count": 1}],
    "with more keys": [{"emoji_base": "👍", "variant": "👍🏿", "count": 1, "reacted": True, "mood": "fine"}],
    "with null inside": [None, {"emoji_base": "👍"}],
    "an object": {"emoji_base": "👍"},
    "text": "👍",
}


@pytest.mark.parametrize("summary", SUMMARIES.values(), ids=SUMMARIES)
def test_summaries_of_reactions_have_any_shape(tmp_path: Path, summary: Any) -> None:
    def spoil(path: str, envelope: Record) -> None:
        data = envelope.get("data")
        for record in data if isinstance(data, list) else ():
            if isinstance(record, dict) and "reaction_summary" in record:
                record["reaction_summary"] = summary

    both = _mirrored(tmp_path, spoil)
    assert _set_right(both)


EMOJIS = (*("👍🏿", "👩‍👩‍👧", "❤️", "%", "&", "#", "+", "a=b&c", ":custom/emoji:", "{gid}", "%F0", "مرحبا"),)


def test_any_emoji_finds_its_list(tmp_path: Path) -> None:
    """Names that have a meaning in addresses as well."""
    world = some_of_everything(172, **SMALL)
    story = next(world.iter_records("stories"))["gid"]
    update = next(world.iter_records("status_updates"))["gid"]
    for emoji in EMOJIS:
        for target in (story, update):
            world.react(target, emoji)
    both = mirrored_world(tmp_path, world)

    sql = "SELECT emoji_base FROM reactions WHERE target_gid = ? AND _deleted_at IS NULL"
    for target in (story, update):
        assert {row[0] for row in rows(both.path, sql, target)} >= set(EMOJIS)
    assert equal(both)
    for emoji in EMOJIS:
        world.react(story, emoji)
    both.sync(full=True)
    assert equal(both)


# -- pages --------------------------------------------------------------------------------------------

PAGED = (
    *("/goals", "/portfolios", "/memberships", "/status_updates", "/time_tracking_entries", "/roles"),
    *("/time_periods", "/goal_relationships", "/portfolios/{}/items", "/users/me/favorites", "/reactions"),
    *("/projects/{}/project_statuses", "/allocations", "/rates", "/ooo_entries", "/custom_types"),
    *("/workspaces/{}/workspace_memberships", "/time_tracking_categories", "/project_templates"),
)


class _ShortPages(Listener):
    """Lets every list have pages of two records, and offsets die once in each of them."""

    def __init__(self, app: Any, dies: bool) -> None:
        super().__init__(app)
        self.dies = dies
        self.died: set[str] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        text = scope["query_string"].decode()
        place = re.sub(r"[&?](offset|limit)=[^&]*", "", f"?{text}")
        template = re.sub(r"\d{6,}", "{}", scope["path"].removeprefix("/api/1.0"))
        if "offset=" in text and self.dies and f"{scope['path']}{place}" not in self.died:
            self.died.add(f"{scope['path']}{place}")
            text = re.sub(r"offset=[^&]*", "offset=dead", text)
        if template in PAGED:
            text = re.sub(r"\blimit=100\b", "limit=2", text)
        await super().__call__({**scope, "query_string": text.encode()}, receive, send)


@pytest.mark.parametrize("dies", [False, True])
def test_lists_have_pages_and_their_offsets_die(tmp_path: Path, dies: bool) -> None:
    world = some_of_everything(173, **SMALL)
    path = tmp_path / "mirror.db"
    short = _ShortPages(create_app(world), dies)

    mirror(world, path, short)

    paged = {re.sub(r"\d{6,}", "{}", r.path) for r in short.requests if "offset" in dict(r.query)}
    assert len(paged & set(PAGED)) >= 12
    assert bool(short.died) == dies
    assert differences(world, path) == []
    assert not [p for p in rows(path, "SELECT * FROM sync_problems") if p["status"] not in (403, 400)]
    mirror(world, path, short, max_age_s=0)
    assert differences(world, path) == []


def test_who_vanishes_between_two_pages_hides_no_other(tmp_path: Path) -> None:
    world = some_of_everything(174, **SMALL)
    app = create_app(world)
    both = Mirrored(world, app, tmp_path / "mirror.db")
    for number in range(6):
        both.write("POST", "/goals", name=f"Goal {number}", workspace=world.workspaces[0])
    goals = [record["gid"] for record in world.iter_records("goals")]
    seen = 0

    def vanish(path: str, envelope: Record) -> None:
        nonlocal seen
        seen += path == "/goals"
        if path == "/goals" and seen == 1 and world.alive(goals[0]):
            world.records[goals[0]]["trashed"] = goals[0]

    mirror(world, both.path, _ShortPages(Rewriter(app, vanish), False))

    alive = {record["gid"] for record in world.iter_records("goals")}
    assert seen > 3
    both.sync(max_age_s=0)
    assert alive == {g for g in goals if both.is_alive("goals", g)}
    assert equal(both)


@pytest.mark.parametrize("path", ["/budgets", "/access_requests"])
def test_a_next_page_that_leads_to_itself_is_given_up_and_nothing_is_lost(tmp_path: Path, path: str) -> None:
    """Where no pages are described there may be some one day; so the way on is tried."""

    def promise(its: str, envelope: Record) -> None:
        if its == path:
            envelope["next_page"] = {"offset": "more", "path": "/more", "uri": "https://more.example"}

    world = some_of_everything(175, **SMALL)
    both = served(tmp_path, world)
    assert mirror(world, both.path, Rewriter(both.app, promise)).outcome == "complete"
    assert differences(world, both.path) == []
    assert mirror(world, both.path, Rewriter(both.app, promise), full=True).rows_deleted == 0
    both.sync(max_age_s=0)
    assert [p for p in rows(both.path, "SELECT * FROM sync_problems") if p["listing"].startswith(path)] == []


# -- records that are gone when they are asked for ----------------------------------------------------


@pytest.mark.parametrize("kind", ["portfolios", "project_briefs"])
def test_a_record_that_is_gone_when_it_is_read_by_itself_stops_nothing(tmp_path: Path, kind: str) -> None:
    world = some_of_everything(176, **SMALL)
    gone: list[str] = []

    async def vanish(scope: Any, receive: Any, send: Any) -> None:
        found = re.fullmatch(rf"/api/1.0/{kind}/(\d+)", scope["path"])
        if found and (not gone or found[1] in gone):
            gone[:] = [found[1]]
            world.records[found[1]]["trashed"] = found[1]
        await app(scope, receive, send)

    app = create_app(world)
    path = tmp_path / "mirror.db"
    report = mirror(world, path, vanish)

    assert gone
    assert report.outcome == "complete"
    there = row(path, kind, gone[0])
    assert there is None or there["_synced_at"] is None or there["_deleted_at"] is not None
    mirror(world, path, app, max_age_s=0)
    assert differences(world, path) == []


def test_every_new_list_is_met_in_these_worlds() -> None:
    """So that no kind of list is left out of what is said here."""
    paths = {re.sub(r"\{\w+\}", "{}", one.path.partition("?")[0]) for one in LISTINGS.values()}
    assert set(PAGED) <= paths

"""Shapes that Asana's description allows, or will one day: everything is kept, nothing stops."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from everything import KINDS, equal, mirrored_world, served, some_of_everything
from truth import unsound
from worlds import Listener, Mirrored, Rewriter, mirror, rows, value

from asana_mirror.catalog import RESOURCES
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


def _mirrored(tmp_path: Path, change: Callable[[str, Record], None], **more: Any) -> Mirrored:
    both = served(tmp_path, some_of_everything(171, **(SMALL | more)))
    report = mirror(both.world, both.path, Rewriter(both.app, change))
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


NONE_FITS = {
    "portfolios": ({"archived": "perhaps"}, "portfolio_items"),
    "custom_types": ({"status_options": "none"}, "project_custom_types"),
}


@pytest.mark.parametrize("kind", NONE_FITS)
def test_lists_kept_as_links_need_no_record_that_fits(
    tmp_path: Path, plain: dict[str, int], kind: str
) -> None:
    spoiled, links = NONE_FITS[kind]

    def spoil(its: str, record: Record) -> None:
        if its == kind:
            record |= spoiled

    both = _mirrored(tmp_path, _each(spoil), tasks=30, projects=4)

    assert _counts(both)[kind] == 0
    assert value(both.path, f"SELECT count(*) FROM {links}") > 0
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

    own = [r["gid"] for r in both.world.iter_records("portfolios") if r["owner"]["gid"] == both.world.me]
    items = {(gid, item) for gid in own for item in both.world.records[gid]["items"]}
    found = rows(both.path, "SELECT portfolio_gid, item_gid, item_type FROM portfolio_items")
    assert {(one["portfolio_gid"], one["item_gid"]) for one in found} == items != set()
    assert {one["item_type"] for one in found} == {None}
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

"""Events to wishes, and wishes to requests: pure, as tables."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis.strategies import lists, sampled_from
from hypothesis.strategies import permutations as orders

from asana_mirror.folding import asked_by, fold, merged
from asana_mirror.plan import way_to_read
from asana_mirror.words import Event, Wish

AT = "2026-01-01T00:00:00.000Z"
PROJECT = "77"


def event(resource: str, action: str, **more: Any) -> Event:
    return Event(resource, "5", action, created_at=AT, **more)


# -- what one event asks for --------------------------------------------------------------------------

READ, DEAD = "read", "dead"


def asked(told: Event) -> tuple[list[tuple[str, str, str]], list[tuple[str, str]], list[str]]:
    """Wishes as (resource, gid, what of it), listings, and the resources whose places are asked for as well."""
    found = asked_by(told, PROJECT)
    wishes = [
        (
            wish.resource,
            wish.gid,
            " ".join(
                name for name in ("to_read", "deleted", "anew", "moves", "placed") if getattr(wish, name)
            ),
        )
        for wish in found.wishes
    ]
    return wishes, found.listings, [wish.resource for wish in found.above]


EVENTS: list[tuple[Event, Any]] = [
    (event("tasks", "changed", field="name"), ([("tasks", "5", "to_read moves")], [], [])),
    (event("tasks", "changed", field="followers"), ([("tasks", "5", "to_read")], [], [])),
    (
        event("tasks", "changed", field="attachments"),
        ([("tasks", "5", "to_read moves")], [("task_attachments", "5")], []),
    ),
    (
        event("tasks", "added", parent="projects", parent_gid="8"),
        ([("tasks", "5", "to_read placed")], [], []),
    ),
    (
        event("tasks", "added", parent="tasks", parent_gid="8"),
        ([("tasks", "5", "to_read"), ("tasks", "8", "to_read")], [], []),
    ),
    (event("tasks", "removed", parent="sections", parent_gid="8"), ([("tasks", "5", "to_read")], [], [])),
    (event("tasks", "deleted"), ([("tasks", "5", "deleted")], [], ["tasks"])),
    (event("tasks", "undeleted"), ([("tasks", "5", "to_read anew")], [], ["tasks"])),
    (
        event("stories", "added", parent="tasks", parent_gid="8"),
        ([("stories", "5", "to_read"), ("tasks", "8", "to_read moves")], [], []),
    ),
    (event("stories", "changed", field="text"), ([("stories", "5", "to_read")], [], [])),
    (event("stories", "deleted"), ([("stories", "5", "deleted")], [], ["stories"])),
    (event("sections", "added", parent="projects", parent_gid="8"), ([], [("project_sections", "8")], [])),
    (event("sections", "changed", field="name"), ([], [("project_sections", PROJECT)], [])),
    (event("sections", "deleted"), ([("sections", "5", "deleted")], [("project_sections", PROJECT)], [])),
    (
        event("attachments", "added", parent="tasks", parent_gid="8"),
        ([("tasks", "8", "to_read moves")], [("task_attachments", "8")], []),
    ),
    (
        event("attachments", "added", parent="projects", parent_gid="8"),
        ([], [("project_attachments", "8")], []),
    ),
    (event("attachments", "deleted"), ([("attachments", "5", "deleted")], [], ["attachments"])),
    (event("projects", "changed", field="name"), ([("projects", "5", "to_read")], [], [])),
    (
        event("projects", "changed", field="sections"),
        ([("projects", "5", "to_read")], [("project_sections", "5")], []),
    ),
    (event("projects", "deleted"), ([("projects", "5", "deleted")], [], [])),
    (event("goal", "changed"), ([], [], [])),
]


@pytest.mark.parametrize(
    ("told", "wanted"),
    EVENTS,
    ids=[f"{e.resource} {e.action} {e.field or e.parent or ''}" for e, _ in EVENTS],
)
def test_what_an_event_asks_for(told: Event, wanted: Any) -> None:
    assert asked(told) == wanted


# -- many in one --------------------------------------------------------------------------------------


def at(second: int, **more: Any) -> Wish:
    moment = f"2026-01-01T00:00:{second:02}.000Z"
    return Wish("tasks", "5", first_at=moment, last_at=moment, **more)


DELETED: dict[str, Any] = {"to_read": False, "deleted": True}


def test_deleted_and_brought_back_is_read_with_all_below_it() -> None:
    assert merged(at(1, **DELETED), at(2, anew=True)).to_read
    assert merged(at(1, **DELETED), at(2, anew=True)).anew


def test_brought_back_and_deleted_again_is_not_read() -> None:
    assert not merged(at(1, anew=True), at(2, **DELETED)).to_read


def test_news_that_comes_late_does_not_raise_the_dead() -> None:
    """Two projects' streams are heard one after the other; Asana's clock tells what was last."""
    assert not merged(at(2, **DELETED), at(1)).to_read


def test_of_equal_times_the_later_in_the_stream_decides() -> None:
    assert not merged(at(1), at(1, **DELETED)).to_read
    assert merged(at(1, **DELETED), at(1)).to_read


def test_it_reaches_from_the_first_news_to_the_last() -> None:
    both = merged(at(3), merged(at(1), at(2)))
    assert (both.first_at, both.last_at) == (at(1).first_at, at(3).last_at)


KINDS: list[dict[str, Any]] = [
    {},
    DELETED,
    {"anew": True},
    {"moves": True},
    {"placed": True, "parent": "projects", "parent_gid": "8"},
    {"placed": True, "parent": "projects", "parent_gid": "9"},
]
# Where it was put is worth a look in either place; whose stream told is of no account.
OF_NO_ACCOUNT = {"parent": None, "parent_gid": None, "project_gid": None}


@given(
    lists(sampled_from(KINDS), min_size=1, max_size=5).flatmap(
        lambda kinds: orders([at(second, **kind) for second, kind in enumerate(kinds)])
    )
)
def test_in_whatever_order_streams_are_heard_the_wish_is_the_same(wishes: list[Wish]) -> None:
    by_time = sorted(wishes, key=lambda wish: wish.last_at or "")
    (here,), (there,) = fold(wishes, {}).values(), fold(by_time, {}).values()
    assert replace(here, **OF_NO_ACCOUNT) == replace(there, **OF_NO_ACCOUNT)
    assert here.parent_gid in {wish.parent_gid for wish in wishes}


def test_in_whatever_parts_wishes_are_folded_the_wish_is_the_same() -> None:
    wishes = [at(second, **kind) for second, kind in enumerate(KINDS[:4])]
    whole = fold(wishes, {})
    for ordered in permutations(wishes):
        for cut in range(len(ordered)):
            parts = fold(ordered[cut:], fold(ordered[:cut], {}))
            assert parts == whole


def test_records_are_kept_apart() -> None:
    other = replace(at(1), gid="6")
    story = replace(at(1), resource="stories")
    assert len(fold([at(1), other, story, at(2)], {})) == 3


# -- the cheapest way to read -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wishes", "moved", "standing", "whole", "way"),
    [
        (1, 0, 1, False, "singly"),  # of equal ways the one with fewer records
        (1, 0, 1, True, "listing"),  # unless the whole list tells more
        (1, 1, 1000, False, "singly"),
        (2, 2, 1000, False, "modified"),
        (2, 2, 80, False, "modified"),  # fewer records for as many requests
        (2, 2, 80, True, "listing"),
        (2, 0, 80, False, "listing"),
        (3, 1, 1000, False, "singly"),  # a page for one, and two singly
        (3, 2, 1000, False, "modified"),  # a page for two, and one singly
        (100, 100, 10_000, False, "modified"),
        (101, 101, 10_000, False, "modified"),  # two pages
        (101, 0, 10_000, False, "listing"),  # a hundred pages, one less than singly
        (100, 0, 10_000, False, "singly"),
        (100, 0, 10_000, True, "listing"),
        (150, 150, 150, False, "modified"),
        (150, 10, 150, False, "listing"),
        (5, 5, 0, False, "modified"),
        (5, 0, 0, False, "listing"),
    ],
)
def test_the_cheapest_way_is_taken(wishes: int, moved: int, standing: int, whole: bool, way: str) -> None:
    assert way_to_read(wishes, moved=moved, standing=standing, whole=whole) == way

"""The comparison itself: rows here, records there, what differs."""

from __future__ import annotations

import random
from typing import Any

import pytest

from asana_mirror.catalog import RESOURCES
from asana_mirror.compare import (
    Comparison,
    Difference,
    Here,
    choose,
    compare_batch,
    compare_listing,
    compare_order,
    spread,
)
from asana_mirror.decode import decode

TASK = {
    "gid": "1",
    "name": "Write",
    "completed": True,
    "num_likes": 2,
    "assignee": {"gid": "7", "resource_type": "user"},
    "tags": [{"gid": "30"}, {"gid": "31"}],
    "memberships": [{"project": {"gid": "20"}, "section": {"gid": "21"}}],
    "custom_fields": [{"gid": "40", "type": "number", "number_value": 3, "display_value": "3"}],
}


def here_of(resource: str, record: dict[str, Any]) -> Here:
    batch = decode(RESOURCES[resource], [record])
    return Here(rows=batch.rows, links=batch.links, children=batch.children)


def compared(resource: str, there: dict[str, Any], here: Here) -> Comparison:
    return compare_batch(RESOURCES[resource], decode(RESOURCES[resource], [there]), here)


@pytest.mark.parametrize(
    ("there", "differences"),
    [
        ({}, []),
        ({"name": "Wrote"}, [Difference("tasks", "1", "name", "Write", "Wrote")]),
        ({"name": None}, [Difference("tasks", "1", "name", "Write", None)]),
        ({"completed": False}, [Difference("tasks", "1", "completed", 1, 0)]),
        ({"assignee": {"gid": "8"}}, [Difference("tasks", "1", "assignee_gid", "7", "8")]),
        ({"news": 5}, [Difference("tasks", "1", "_extra", None, '{"news":5}')]),
        ({"tags": [{"gid": "30"}]}, [Difference("task_tags", "1", "tag_gid", "31", None)]),
        (
            {"tags": [{"gid": "30"}, {"gid": "31"}, {"gid": "32"}]},
            [Difference("task_tags", "1", "tag_gid", None, "32")],
        ),
        ({"tags": [{"gid": "31"}, {"gid": "30"}]}, []),
        (
            {"memberships": [{"project": {"gid": "20"}, "section": {"gid": "22"}}]},
            [Difference("task_projects", "1", "section_gid of 20", "21", "22")],
        ),
        (
            {"custom_fields": [{"gid": "40", "type": "number", "number_value": 4, "display_value": "3"}]},
            [Difference("task_custom_fields", "1", "number_value of 40", 3.0, 4.0)],
        ),
    ],
)
def test_a_record_differs_in_columns_and_links(there: dict[str, Any], differences: list[Difference]) -> None:
    found = compared("tasks", TASK | there, here_of("tasks", TASK))
    assert found.differences == differences
    assert found.lag == []


def test_values_shown_after_a_rename_and_positions_lag() -> None:
    shown = {"custom_fields": [{"gid": "40", "type": "number", "number_value": 3, "display_value": "3 €"}]}
    found = compared("tasks", TASK | shown, here_of("tasks", TASK))
    assert found.differences == []
    assert found.lag == [Difference("task_custom_fields", "1", "display_value of 40", "3", "3 €")]


def test_a_record_read_by_itself_says_nothing_of_its_place_in_a_listing() -> None:
    section = {"gid": "5", "name": "Done", "project": {"gid": "20"}}
    here = Here(rows=decode(RESOURCES["sections"], [section], position=("position", 3)).rows)
    found = compared("sections", section, here)
    assert (found.differences, found.lag) == ([], [])


def test_records_inside_a_record_are_compared_as_well() -> None:
    field = {
        "gid": "40",
        "name": "Size",
        "enum_options": [{"gid": "50", "name": "S"}, {"gid": "51", "name": "M"}],
    }
    changed = {
        **field,
        "enum_options": [{"gid": "51", "name": "Medium"}, {"gid": "52", "name": "L"}],
    }
    found = compared("custom_fields", changed, here_of("custom_fields", field))
    assert [(d.what, d.gid, d.column, d.here, d.there) for d in found.differences] == [
        ("enum_options", "51", "name", "M", "Medium"),
        ("enum_options", "52", None, "not in the mirror", "living"),
        ("enum_options", "52", "custom_field_gid 40", None, "living"),
        ("enum_options", "50", "custom_field_gid 40", "living", None),
    ]
    assert [(d.gid, d.column, d.here, d.there) for d in found.lag] == [("51", "position", 1, 0)]


def test_a_row_that_does_not_live_here_is_told_by_its_state() -> None:
    here = Here(states={"tags": {"3": "tombstone: gone"}})
    found = compared("tags", {"gid": "3", "name": "Urgent"}, here)
    assert found.differences == [Difference("tags", "3", None, "tombstone: gone", "living")]


@pytest.mark.parametrize(
    ("here", "there", "differences"),
    [
        ("", "", []),
        ("ab", "ba", []),
        ("a", "ab", [Difference("tasks", "b", "/list", "not in the mirror", "listed")]),
        ("a", "at", [Difference("tasks", "t", "/list", "tombstone: gone", "listed")]),
        ("a", "al", [Difference("tasks", "l", "/list", "living, not listed", "listed")]),
        ("ab", "a", [Difference("tasks", "b", "/list", "listed", "not listed")]),
    ],
)
def test_a_listing_differs_in_its_gids(here: str, there: str, differences: list[Difference]) -> None:
    states = {"t": "tombstone: gone", "l": "living"}
    assert compare_listing("tasks", "/list", here, there, states).differences == differences


@pytest.mark.parametrize(
    ("here", "there", "place"),
    [("abc", "abc", None), ("abc", "acb", ("c", 2, 1)), ("abxc", "yabc", None), ("", "a", None)],
)
def test_order_counts_among_those_that_both_sides_list(here: str, there: str, place: Any) -> None:
    found = [(d.gid, d.here, d.there) for d in compare_order("tasks", "/list", here, there)]
    assert found == ([place] if place else [])


@pytest.mark.parametrize(
    ("counts", "sample", "chosen"),
    [
        ({"tasks": 3, "tags": 2}, 100, {"tasks": 3, "tags": 2}),
        ({"tasks": 900, "tags": 90, "teams": 10}, 100, {"tasks": 90, "tags": 9, "teams": 1}),
        ({"tasks": 9990, "tags": 9, "teams": 1}, 10, {"tasks": 8, "tags": 1, "teams": 1}),
        ({"tasks": 9, "tags": 5, "teams": 1}, 2, {"tasks": 1, "tags": 1}),
        ({"tasks": 9, "tags": 0}, 2, {"tasks": 2}),
        ({"tasks": 9}, 0, {}),
        ({}, 5, {}),
    ],
)
def test_a_sample_is_spread_in_proportion(
    counts: dict[str, int], sample: int, chosen: dict[str, int]
) -> None:
    assert spread(counts, sample) == chosen


def test_a_choice_is_repeatable_and_fair() -> None:
    gids = [str(number) for number in range(20)]
    assert choose(gids, 5, random.Random(3)) == choose(iter(gids), 5, random.Random(3))
    assert choose(gids, 50, random.Random(3)) == gids
    assert choose(gids, 0, random.Random(3)) == []
    times = dict.fromkeys(gids, 0)
    for seed in range(2000):
        for gid in choose(gids, 5, random.Random(seed)):
            times[gid] += 1
    assert all(400 < count < 600 for count in times.values())

"""What an order leaves open comes differently each time, as Asana warns, and is repeatable all the same."""

from __future__ import annotations

from typing import Any

import pytest
from searching import limits, search

from asana_mirror.sandbox import World, create_app, generate

IMPORTED = 150


@pytest.fixture
def world() -> World:
    """A world in which many tasks were created at one instant, among others of the same day."""
    return generate(seed=3, tasks=400, imported=IMPORTED)


def pages(front: Any, count: int) -> list[list[str]]:
    """The first hundred of the import, asked for again and again."""
    instant = front.world.records[front.world.tasks[-1]]["created_at"]
    order = {"created_on": instant[:10], "sort_by": "created_at", "sort_ascending": "true"}
    return [search(front, **order) for _ in range(count)]


def test_a_page_cut_among_equals_holds_others_each_time(front_with: Any) -> None:
    found = pages(front_with(limits()), 6)
    assert all(len(set(page)) == 100 for page in found)
    assert len({frozenset(page) for page in found}) == 6
    assert len(set().union(*found)) > 0.9 * IMPORTED


def test_the_same_calls_in_the_same_world_answer_alike(front_with: Any, clock: Any) -> None:
    front = front_with(limits())
    again = front_with(limits())
    again.world = generate(seed=3, tasks=400, imported=IMPORTED)
    again.app = create_app(again.world, limits=limits(), clock=clock)
    assert pages(front, 3) == pages(again, 3)


def test_tasks_of_different_instants_keep_their_order(quiet: Any) -> None:
    first, second = (search(quiet, sort_by="created_at") for _ in range(2))
    assert first == second


def test_relevance_is_any_order(quiet: Any) -> None:
    first, second = (search(quiet, sort_by="relevance") for _ in range(2))
    assert len(first) == len(second) == 100
    assert first != second

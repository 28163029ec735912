"""Paging through a search by windows of created_at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asana_mirror.plan import PAGE
from asana_mirror.times import as_asana_writes
from asana_mirror.windows import Window, next_window

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def at(milliseconds: int) -> str:
    return as_asana_writes(EPOCH + timedelta(milliseconds=milliseconds))


def searched(created: list[str], *, inclusive: bool = False, most: int = 1000) -> tuple[set[int], set[str]]:
    """What windows find of tasks created at these times, by place, and the instants that were too crowded."""
    found: set[int] = set()
    crowded: set[str] = set()
    after: str | None = None
    for _ in range(most):
        fits = [
            place
            for place, moment in sorted(enumerate(created), key=lambda one: one[1])
            if after is None or moment > after or (inclusive and moment == after)
        ]
        shown = fits[:PAGE]
        found.update(shown)
        window = next_window([created[place] for place in shown], after)
        assert window.sound
        if window.crowded:
            crowded.add(window.crowded)
        if window.over:
            return found, crowded
        assert window.after is not None
        assert after is None or window.after > after
        after = window.after
    raise AssertionError("It does not come to an end.")


@given(st.lists(st.integers(0, 3000), max_size=700), st.booleans())
def test_windows_find_everything_but_what_was_created_in_crowds(moments: list[int], inclusive: bool) -> None:
    created = [at(moment) for moment in moments]
    found, crowded = searched(created, inclusive=inclusive)
    missed = {created[place] for place in range(len(created)) if place not in found}
    assert missed <= crowded


@pytest.mark.parametrize("crowd", [99, 100, 101, 350])
def test_more_than_a_page_created_in_one_instant_is_told(crowd: int) -> None:
    created = [*(at(n) for n in range(150)), *[at(200)] * crowd, *(at(n) for n in range(300, 450))]
    found, crowded = searched(created)
    assert {created[place] for place in found} == set(created)
    if crowd > PAGE:
        assert crowded == {at(200)}
    else:
        assert len(found) == len(created)


@pytest.mark.parametrize(
    ("created", "after"),
    [
        ([at(2), at(1)], None),  # not sorted
        ([at(1), None], None),
        (["yesterday"], None),
        ([at(1), at(2)], at(5000)),  # the window was ignored
    ],
)
def test_a_search_that_does_not_do_what_was_asked_is_not_relied_on(created: list, after: str | None) -> None:
    assert next_window(created, after) == Window(sound=False)


def test_a_short_page_is_not_taken_for_the_end() -> None:
    """Asana may leave out what the token may not see after it has cut the page."""
    assert not next_window([at(1), at(2)], None).over
    assert next_window([], at(2)).over

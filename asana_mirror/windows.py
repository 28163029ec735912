"""Paging through a search by windows of `created_at`: pure.

Search has no offsets and is not stable, so each window begins a millisecond before the last record of the one before.
https://developers.asana.com/reference/searchtasksforworkspace
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asana_mirror.plan import PAGE
from asana_mirror.times import earlier, is_time

INSTANT_S = 0.001  # the grain of Asana's times
GRAIN_S = 1.0  # of the times that a search goes by, at the coarsest


@dataclass(frozen=True)
class Window:
    """What a page says of the next one."""

    after: str | None = None  # where that begins
    over: bool = False  # there is none
    crowded: str | None = None  # an instant at which more was created than a page holds
    sound: bool = True  # else the search does not do what was asked


def next_window(created: Sequence[Any], after: str | None) -> Window:
    """Where to go on behind a page of records created at these times, which was asked for `after` a time."""
    if not created:
        return Window(over=True)
    if not all(isinstance(one, str) and is_time(one) for one in created) or list(created) != sorted(created):
        return Window(sound=False)
    if after is not None and created[0] < earlier(after, GRAIN_S):
        return Window(sound=False)
    last = str(created[-1])
    overlapping = earlier(last, INSTANT_S)
    if after is None or overlapping > after:
        return Window(overlapping)
    if len(created) < PAGE:
        return Window(over=True)
    # Nothing but one instant: what of it was not shown must be found in another way.
    beyond = last if last > after else earlier(after, -INSTANT_S)
    return Window(beyond, crowded=last)

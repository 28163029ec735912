"""Whose turn it is: everybody's within a period, evenly, whatever the ticks do."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis.strategies import floats, integers, lists

from asana_mirror.freshness import (
    AGED_EVERY_S,
    COLD_S,
    Stream,
    Tick,
    aged_due,
    lists_due,
    period_s,
    streams_due,
)
from asana_mirror.rotation import Aged, by_turn, slice_of, turns

TICK_S = 300.0
NOW_S = 1.8e9


@given(
    count=integers(1, 500),
    period=floats(600.0, 1e6),
    steps=lists(floats(1.0, 4000.0), min_size=1, max_size=60),
)
def test_small_shares_add_up_over_many_looks(count: int, period: float, steps: list[float]) -> None:
    now, found = NOW_S, 0
    for step in steps:
        now += step
        found += turns(count, period, now_s=now, elapsed_s=step)
    assert abs(found - sum(steps) * count / period) <= 1.01


@settings(deadline=None)
@given(
    count=integers(1, 200),
    period_ticks=integers(2, 80),
    jitter=lists(floats(0.2, 1.8), min_size=8, max_size=8),
)
def test_each_is_looked_at_within_a_period_and_no_look_is_crowded(
    count: int, period_ticks: int, jitter: list[float]
) -> None:
    period = period_ticks * TICK_S
    seen = dict.fromkeys(range(count), NOW_S)
    now = NOW_S
    for number in range(period_ticks * 3):
        step = TICK_S * jitter[number % 8] * 8 / sum(jitter)
        now += step
        aged = [Aged(one, now - at) for one, at in seen.items()]
        due = by_turn(aged, period, now_s=now, elapsed_s=step)
        assert len(due) <= count * step / period + 2 + sum(one.age_s >= period for one in aged)
        seen.update(dict.fromkeys(due, now))
        assert now - min(seen.values()) <= period + 2 * max(jitter) * TICK_S * 8 / sum(jitter)


def test_what_is_older_than_the_period_does_not_wait() -> None:
    aged = [Aged("old", 5000.0), Aged("older", 6000.0), Aged("new", 10.0)]
    assert by_turn(aged, 4000.0, now_s=NOW_S, elapsed_s=0.0) == ["older", "old"]


def test_what_takes_many_requests_waits_for_its_period_and_lets_the_others_have_their_turns() -> None:
    seen, costs = dict.fromkeys(["dear", "cheap", "cheaper"], NOW_S), {"dear": 20, "cheap": 1, "cheaper": 1}
    now, asked = NOW_S, dict.fromkeys(seen, 0)
    for _ in range(48):
        now += TICK_S
        aged = [Aged(one, now - at, costs[one]) for one, at in seen.items()]
        for one in by_turn(aged, 3600.0, now_s=now, elapsed_s=TICK_S):
            seen[one], asked[one] = now, asked[one] + 1
        assert now - min(seen.values()) <= 3600.0
    assert asked["dear"] == 4
    assert asked["cheap"] >= 4


@given(count=integers(0, 90), ticks=integers(2, 40))
def test_a_fixed_order_is_gone_through_once_a_period(count: int, ticks: int) -> None:
    things = [str(number) for number in range(count)]
    now, found = NOW_S, []
    for _ in range(ticks):
        before, now = now, now + TICK_S
        found += slice_of(things, ticks * TICK_S, now_s=now, elapsed_s=now - before)
    assert len(set(found)) >= count - 1
    assert len(found) - len(set(found)) <= 1


@pytest.mark.parametrize(
    ("quiet_ticks", "period_ticks"),
    [(0.5, 0.5), (1, 1), (1.5, 1.5), (3, 2), (8, 2), (12, 3), (40, 10)],
)
def test_the_longer_a_stream_is_quiet_the_more_seldom_it_is_heard(
    quiet_ticks: float, period_ticks: float
) -> None:
    assert period_s(quiet_ticks * TICK_S, TICK_S) == period_ticks * TICK_S


def tick(now_s: float = NOW_S) -> Tick:
    return Tick(now_s, TICK_S, TICK_S)


def test_hot_streams_are_heard_each_tick_and_cold_ones_in_their_turn() -> None:
    hot = [Stream(f"hot {number}", TICK_S, quiet_s=TICK_S) for number in range(40)]
    cold = [Stream(f"cold {number}", COLD_S * number / 2000) for number in range(1960)]
    due = streams_due(hot + cold, tick())
    assert {stream.project_gid for stream in hot} <= set(due)
    assert 26 <= len(due) - 40 <= 30
    assert due[40] == "cold 1959"  # the oldest


def test_a_search_makes_a_stream_hot_at_once() -> None:
    asleep = Stream("asleep", 600.0)
    assert streams_due([asleep], tick()) in ([], ["asleep"])
    assert streams_due([asleep], Tick(NOW_S, 0.0, TICK_S), hot={"asleep"}) == ["asleep"]


def test_with_a_webhook_in_order_a_stream_is_cold_however_much_happens() -> None:
    busy = Stream("busy", TICK_S, quiet_s=0.0, has_webhook=True)
    assert streams_due([busy], Tick(NOW_S, 0.0, TICK_S)) == []
    assert streams_due([Stream("busy", COLD_S, 0.0, has_webhook=True)], Tick(NOW_S, 0.0, TICK_S)) == ["busy"]


def test_a_stream_never_heard_is_heard() -> None:
    assert streams_due([Stream("new", math.inf)], Tick(NOW_S, 0.0, TICK_S)) == ["new"]


def test_a_small_workspace_has_all_its_collections_read_within_half_an_hour() -> None:
    """Twenty lists, of which a request a minute is read."""
    seen, now = dict.fromkeys(range(20), NOW_S), NOW_S
    for _ in range(12):
        now += TICK_S
        due = lists_due([Aged(one, now - at) for one, at in seen.items()], tick(now))
        assert len(due) <= 6
        seen.update(dict.fromkeys(due, now))
        assert now - min(seen.values()) <= 1800.0


def days_of_aged_lists(count: int, days: float, every_s: float) -> tuple[float, dict[str, float]]:
    """Requests a tick, and the greatest age in hours, of lists that are due each day and each week."""
    seen = {f"{kind} {number}": 0.0 for kind in ("day", "week") for number in range(count)}
    asked, oldest, now = 0, {"day": 0.0, "week": 0.0}, 0.0
    ticks = int(days * 86400 / every_s)
    for _ in range(ticks):
        now += every_s
        groups = {
            period: [Aged(one, now - at) for one, at in seen.items() if one.startswith(kind)]
            for kind, period in (("day", 86400.0), ("week", 7 * 86400.0))
        }
        for one in aged_due(groups, Tick(now, every_s, every_s)):
            asked += 1
            oldest[one.split()[0]] = max(oldest[one.split()[0]], (now - seen[one]) / 3600)
            seen[one] = now
    return asked / ticks, oldest


def test_lists_due_by_age_have_their_turn_within_it_while_there_are_few() -> None:
    a_tick, oldest = days_of_aged_lists(300, 8, every_s=300.0)
    assert a_tick < 1.3
    assert oldest["day"] <= 24.1
    assert oldest["week"] <= 7 * 24.1


def test_many_of_them_wait_longer_and_a_tick_costs_no_more() -> None:
    a_tick, oldest = days_of_aged_lists(6000, 6, every_s=3600.0)
    assert a_tick <= 1.05 * 3600.0 / AGED_EVERY_S
    stretch = 6000 * (1 / 86400 + 1 / (7 * 86400)) * AGED_EVERY_S
    assert oldest["day"] <= 25.2 * stretch

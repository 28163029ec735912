"""The governor of the allowance, on a hand-set clock, against limits of many makes."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from limiters import Bucket, Cost, Fixed, Kind, Limiter, Sliding, walk

from asana_mirror.prices import Prices
from asana_mirror.quota import READS_IN_FLIGHT, SLACK_S, WRITES_IN_FLIGHT, Ask, Governor, Pace, backoff_s
from asana_mirror.refusals import Beliefs

READ = Ask("/tasks/{gid}/stories")

# Every way in which a server might count a minute.
PAID: dict[str, Callable[[], Limiter]] = {
    "in any minute": lambda: Sliding(1500),
    "in each minute of the clock": lambda: Fixed(1500),
    "in any ten seconds": lambda: Sliding(250, 10),
    "a bucket of fifty": lambda: Bucket(1500, 50),
}
FREE: dict[str, Callable[[], Limiter]] = {
    "in any minute": lambda: Sliding(150),
    "in each minute of the clock": lambda: Fixed(150),
}


@given(st.integers(1, 3000), st.lists(st.floats(0, 5), min_size=1, max_size=50))
def test_requests_leave_evenly_and_over_any_time_never_faster_than_allowed(
    per_minute: int, gaps: list[float]
) -> None:
    pace, now, departures = Pace(per_minute), 1000.0, []
    for gap in gaps:
        now += gap
        now += pace.wait_s(now)
        pace.leave(now)
        departures.append(now)
    for number, later in enumerate(departures):
        for before, earlier in enumerate(departures[:number]):
            assert later - earlier >= (number - before) * 60 / per_minute - SLACK_S - 1e-6


def test_there_is_no_burst_to_begin_with() -> None:
    pace, now, departures = Pace(600), 0.0, []
    for _ in range(20):
        now += pace.wait_s(now)
        pace.leave(now)
        departures.append(now)
    assert all(later - earlier >= 0.1 - 1e-9 for earlier, later in pairwise(departures))


def test_a_pause_holds_for_every_request_and_is_never_cut_short() -> None:
    governor = Governor(math.inf)
    governor.pause(100.0, 30.0)
    governor.pause(101.0, 2.0)
    assert governor.wait_s(105.0) == pytest.approx(25.0)
    assert governor.wait_s(129.0) == pytest.approx(1.0)
    assert governor.wait_s(130.0) == 0


def test_a_pause_of_an_earlier_run_holds_for_this_one() -> None:
    governor = Governor(now=500.0, pause_s=40.0)
    assert governor.wait_s(500.0) == pytest.approx(40.0)
    assert governor.pause_left_s(530.0) == pytest.approx(10.0)


def test_backoff_grows_to_a_minute() -> None:
    waits = [backoff_s(tries, random.Random(1)) for tries in range(12)]
    assert 0.25 <= waits[0] <= 0.5
    assert all(30 <= wait <= 60 for wait in waits[8:])


def test_reads_and_writes_in_flight_are_counted_apart() -> None:
    governor = Governor(math.inf)
    write = Ask("/webhooks", reads=False)
    for ask, most in ((READ, READS_IN_FLIGHT), (write, WRITES_IN_FLIGHT)):
        departures = []
        while governor.own_wait_s(0.0, ask) == 0:
            departures.append(governor.leave(0.0, ask))
        assert len(departures) == most
        governor.failed(departures[0])
        assert governor.own_wait_s(0.0, ask) == 0
        governor.leave(0.0, ask)


@pytest.mark.parametrize("per_minute", [1500.0, math.inf])
def test_searches_have_a_limit_of_their_own(per_minute: float) -> None:
    governor, now, left = Governor(per_minute), 0.0, []
    search = Ask("/workspaces/{gid}/tasks/search", searches=True)
    while now < 180:
        wait_s = max(governor.wait_s(now), governor.own_wait_s(now, search))
        if wait_s > 0:
            assert governor.own_wait_s(now, READ) == 0  # others need not wait for it
            now += wait_s
            continue
        left.append(now)
        governor.answered(now, governor.leave(now, search), 1)
    assert all(sum(at <= other < at + 60 for other in left) < 60 for at in left)
    assert len(left) > 150


@pytest.mark.parametrize("limit", PAID.values(), ids=PAID)
def test_a_paid_domain_is_used_fully_and_never_overrun(limit: Callable[[], Limiter]) -> None:
    walked = walk(Governor(), limit(), requests=10_000)
    assert walked.used(1500) >= 0.97
    assert walked.refused == walked.early == 0


@pytest.mark.parametrize("limit", FREE.values(), ids=FREE)
def test_a_free_domain_refuses_what_was_in_flight_once_and_then_none(limit: Callable[[], Limiter]) -> None:
    governor = Governor()
    walked = walk(governor, limit(), requests=1800)
    assert walked.refused <= 3
    assert walked.refused_at[-1] - walked.refused_at[0] < 1
    assert governor.beliefs.per_minute == 150
    assert walked.early == 0
    assert walked.used(150) >= 0.97


@pytest.mark.parametrize("latency_s", [(0.8, 1.2), (1.6, 2.4)])
def test_of_slow_answers_many_are_refused_at_once_but_only_once(latency_s: tuple[float, float]) -> None:
    """So many are in flight then that they might be taken for too many."""
    walked = walk(Governor(), Sliding(150), requests=600, latency_s=latency_s)
    assert walked.refused <= READS_IN_FLIGHT
    assert walked.refused_at[-1] - walked.refused_at[0] < 3


@pytest.mark.parametrize("most", [20, 60, 100, 400, 900])
def test_any_other_limit_is_learned_as_well(most: int) -> None:
    walked = walk(Governor(), Sliding(most), requests=max(600, 10 * most))
    assert walked.refused <= 4
    assert walked.used(most) >= 0.95


@pytest.mark.parametrize(
    "limit", [Bucket(150, 150), Bucket(150, 25), Sliding(25, 10)], ids=["deep", "shallow", "ten seconds"]
)
def test_a_limit_that_is_counted_otherwise_is_settled_on_within_a_minute(limit: Limiter) -> None:
    walked = walk(Governor(), limit, requests=1500)
    assert [at for at in walked.refused_at if at > 60] == []
    assert walked.used(150) >= 0.9


def test_what_was_learned_spares_the_next_run_its_refusals() -> None:
    learned = Governor()
    walk(learned, Sliding(150), requests=400)
    walked = walk(Governor(beliefs=learned.beliefs), Sliding(150), requests=1000)
    assert walked.refused == 0


def test_a_domain_that_was_upgraded_is_found_out_about_within_the_hour() -> None:
    governor = Governor(beliefs=Beliefs(per_minute=150))
    walked = walk(governor, Sliding(1500), requests=60_000)
    assert governor.per_minute == 1500
    assert walked.refused == 0
    assert walked.now < 3600 + 60_000 / 1500 * 60


def test_asking_for_more_now_and_then_costs_hardly_a_refusal() -> None:
    walked = walk(Governor(), Sliding(150), requests=30_000)
    assert walked.refused <= 10
    assert walked.used(150) >= 0.97


def test_nobody_goes_above_what_the_user_allows() -> None:
    governor = Governor(300)
    walked = walk(governor, requests=3000)
    assert governor.per_minute == 300
    assert walked.now >= 3000 / 300 * 60 - 1


def test_refusals_without_a_reason_slow_nothing_down_for_long() -> None:
    """One in twenty: each costs the second that it tells to wait, and no more than that is concluded."""
    governor = Governor()
    walked = walk(governor, Sliding(1500), requests=6000, faults=0.05)
    pauses_s = 0.05 * 6000
    assert walked.now < 1.5 * (6000 / 1500 * 60 + pauses_s)
    assert governor.per_minute > 750


MIX = (
    Kind("/projects/{gid}/tasks", lambda randomness: randomness.uniform(500, 2500), 0.15),
    Kind("/tasks/{gid}/stories", lambda randomness: randomness.uniform(5, 60), 0.45),
    Kind("/attachments", lambda randomness: randomness.choice([1, 1, 1, 5]), 0.4),
)
PER_REQUEST = 0.15 * 1500 + 0.45 * 32.5 + 0.4 * 2


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_cost_quota_is_used_and_starves_nobody(seed: int) -> None:
    """It refills at half of what the walk asks, and what answers show is only a guess at what they cost."""
    cost = Cost(1500 * PER_REQUEST / 2)
    kinds = tuple(
        Kind(kind.endpoint, kind.price, kind.weight, shown)
        for kind, shown in zip(MIX, (0.4, 1.0, 1.0), strict=True)
    )
    governor = Governor()
    walked = walk(governor, Sliding(1500), cost, kinds=kinds, requests=12_000, seed=seed)
    assert cost.spent >= 0.9 * cost.per_minute * walked.now / 60
    assert walked.early == 0
    assert walked.refused <= 0.03 * walked.requests
    assert max(walked.longest_wait_s.values()) < 300
    assert governor.beliefs.cost_per_minute is not None
    assert governor.beliefs.per_minute is None  # it was not taken for a limit of the rate


def test_of_dear_and_cheap_requests_the_dear_ones_wait() -> None:
    governor = Governor(beliefs=Beliefs(cost_per_minute=60_000))
    for _ in range(50):
        for endpoint, links in (("/dear", 3000), ("/cheap", 5)):
            governor.answered(0.0, governor.leave(0.0, Ask(endpoint)), links)
    now = 1000.0
    governor.own_wait_s(now, Ask("/cheap", since=now))
    spent = governor.leave(now, Ask("/dear", since=now - 60))
    governor.answered(now, spent, 3000)
    assert governor.is_slowed("/dear")
    assert not governor.is_slowed("/cheap")
    assert governor.own_wait_s(now, Ask("/cheap", since=now)) == 0
    assert 0 < governor.own_wait_s(now, Ask("/dear", since=now)) < 60


def test_pages_that_are_refused_while_others_pass_become_smaller_and_grow_again() -> None:
    prices = Prices()
    sizes = []
    for _ in range(12):
        prices.refused_alone("/dear")
        sizes.append(prices.limit("/dear"))
    assert sizes[:4] == [100, 50, 50, 25]
    assert sizes[-1] == 10
    assert prices.limit("/cheap") == 100
    for _ in range(500):
        prices.learn("/dear", 100.0)
    assert prices.limit("/dear") == 100


def test_what_is_refused_alone_is_no_reason_to_slow_down_the_rest() -> None:
    governor, now = Governor(), 0.0
    for _ in range(30):
        governor.answered(now, governor.leave(now, Ask("/dear")), 3000)
        governor.answered(now, governor.leave(now + 0.01, Ask("/cheap")), 5)
        now += 1.0
    before = governor.beliefs
    for _ in range(2):
        refused = governor.leave(now, Ask("/dear"))
        passed = governor.leave(now + 0.1, Ask("/cheap"))
        governor.refused(now + 0.2, refused, 2.0)
        governor.pause(now + 0.2, 2.0)
        governor.answered(now + 0.3, passed, 5)
        now += 5.0
    governor.leave(now, READ)
    assert governor.beliefs == before
    assert governor.prices.limit("/dear") == 50
    assert governor.prices.limit("/cheap") == 100


def test_too_many_in_flight_is_told_from_too_many_a_minute() -> None:
    """Another program uses the same token: Asana refuses at twenty of ours."""
    governor = Governor()
    departures = [governor.leave(0.01 * number, READ) for number in range(44)]
    for departure in departures[20:]:
        governor.refused(1.0, departure, None)
    for departure in departures[:20]:
        governor.answered(1.1, departure, 5)
    assert governor.beliefs.per_minute is None
    assert governor.beliefs.reads_in_flight < READS_IN_FLIGHT


@settings(max_examples=30, deadline=None)
@given(
    st.integers(20, 2000),
    st.floats(0.01, 2.0),
    st.integers(0, 1000),
    st.sampled_from(["sliding", "fixed", "bucket"]),
)
def test_whatever_the_limit_no_request_comes_before_its_time_and_few_are_refused(
    most: int, latency_s: float, seed: int, make: str
) -> None:
    limiter: Limiter = {"sliding": Sliding(most), "fixed": Fixed(most), "bucket": Bucket(most, most)}[make]
    walked = walk(
        Governor(), limiter, requests=4 * most + 500, latency_s=(latency_s / 2, latency_s), seed=seed
    )
    assert walked.early == 0
    assert walked.refused <= 8 * READS_IN_FLIGHT
    assert walked.most_in_flight <= READS_IN_FLIGHT


class Curt(Sliding):
    """It tells to wait for a second, however long it takes until something is accepted again."""

    def knock(self, now: float, price: float) -> float:
        return min(1.0, super().knock(now, price))


def test_who_is_told_to_come_back_too_soon_waits_until_the_minute_is_over() -> None:
    walked = walk(Governor(), Curt(150), requests=800)
    assert walked.refused <= 4
    assert walked.used(150) >= 0.95

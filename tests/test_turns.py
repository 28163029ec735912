"""Who may send next."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from asana_mirror.quota import READS_IN_FLIGHT, Governor
from asana_mirror.turns import Budget, Turns


def unpaced() -> Governor:
    return Governor(math.inf, now=time.monotonic())


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 10))


async def full(turns: Turns) -> list[Any]:
    """As many as may be in flight have left."""
    return [await turns.take("/stories", hurry=False) for _ in range(READS_IN_FLIGHT)]


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_who_holds_an_offset_goes_first() -> None:
    async def work() -> list[str]:
        governor = unpaced()
        turns, order = Turns(governor), []
        away = await full(turns)

        async def asks(name: str, hurry: bool) -> None:
            await turns.take(f"/{name}", hurry=hurry)
            order.append(name)

        asking = [
            asyncio.create_task(asks(name, hurry))
            for name, hurry in (("first", False), ("second", False), ("offset", True))
        ]
        await settled()
        for departure in away[:3]:
            governor.answered(time.monotonic(), departure, 1)
            turns.call()
            await settled()
        await asyncio.gather(*asking)
        return order

    assert run(work()) == ["offset", "first", "second"]


def test_a_search_that_must_wait_holds_nobody_back() -> None:
    async def work() -> bool:
        governor = Governor(1e9, now=time.monotonic())
        turns = Turns(governor)
        search = "/workspaces/{gid}/tasks/search"
        searching = [asyncio.create_task(turns.take(search, hurry=False, searches=True)) for _ in range(5)]
        await settled()
        departure = await turns.take("/stories", hurry=False)
        waits = not searching[-1].done()
        for task in searching:
            task.cancel()
        return waits and departure is not None

    assert run(work())


def test_who_was_called_off_in_line_leaves_no_gap_and_takes_no_place() -> None:
    async def work() -> int:
        governor = unpaced()
        turns = Turns(governor)
        away = await full(turns)
        given_up = asyncio.create_task(turns.take("/stories", hurry=False))
        waiting = asyncio.create_task(turns.take("/stories", hurry=False))
        await settled()
        given_up.cancel()
        await settled()
        governor.answered(time.monotonic(), away[0], 1)
        turns.call()
        await waiting
        return governor.in_flight

    assert run(work()) == READS_IN_FLIGHT


def test_who_is_called_off_in_the_moment_of_its_turn_takes_no_place() -> None:
    async def work() -> int:
        governor = unpaced()
        turns = Turns(governor)
        away = await full(turns)
        task = asyncio.create_task(turns.take("/stories", hurry=False))
        await settled()
        governor.answered(time.monotonic(), away[0], 1)
        turns.call()  # its turn has come, and it does not know yet
        task.cancel()
        await settled()
        return governor.in_flight

    assert run(work()) == READS_IN_FLIGHT - 1


def test_a_pause_that_begins_meanwhile_holds_for_those_in_line() -> None:
    async def work() -> float:
        governor = unpaced()
        turns = Turns(governor)
        away = await full(turns)
        waiting = asyncio.create_task(turns.take("/stories", hurry=False))
        await settled()
        now = time.monotonic()
        governor.pause(now, 0.3)
        governor.answered(now, away[0], 1)
        turns.call()
        return (await waiting).at - now

    assert 0.3 <= run(work()) < 1.0


@pytest.mark.parametrize("most", [1, 7])
def test_when_the_budget_is_spent_nobody_leaves_any_more(most: int) -> None:
    async def work() -> tuple[int, int, bool]:
        spent: list[bool] = []
        turns = Turns(unpaced(), Budget(most, lambda: spent.append(True)))
        asking = [asyncio.create_task(turns.take("/stories", hurry=False)) for _ in range(10)]
        await settled()
        left = sum(task.done() for task in asking)
        for task in asking:
            task.cancel()
        return left, turns.sent, spent == [True]

    assert run(work()) == (most, most, True)


def test_a_closed_door_stays_closed() -> None:
    async def work() -> bool:
        turns = Turns(unpaced())
        turns.close()
        task = asyncio.create_task(turns.take("/stories", hurry=False))
        await asyncio.sleep(0.05)
        still = not task.done()
        task.cancel()
        return still

    assert run(work())

"""Many awaited calls, some at a time."""

import asyncio

import pytest

from shared.runtime.bounded import map_bounded


async def test_results_come_in_order_and_never_more_run_at_a_time() -> None:
    running, most, tasks = 0, 0, len(asyncio.all_tasks())

    async def double(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        assert len(asyncio.all_tasks()) <= tasks + 4
        await asyncio.sleep(0)
        running -= 1
        return 2 * number

    assert await map_bounded(double, range(50), 4) == [2 * number for number in range(50)]
    assert most == 4


async def test_the_first_failure_ends_the_others_and_is_raised() -> None:
    begun: list[int] = []

    async def fail_at_three(number: int) -> None:
        begun.append(number)
        if number == 3:
            raise ValueError("the third")
        await asyncio.Event().wait() if number > 3 else await asyncio.sleep(0)

    with pytest.raises(ValueError, match="the third"):
        await map_bounded(fail_at_three, range(100), 5)
    assert len(begun) <= 10
    assert len(asyncio.all_tasks()) == 1


async def test_nothing_gives_nothing() -> None:
    assert await map_bounded(asyncio.sleep, [], 3) == []

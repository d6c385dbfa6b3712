"""Calls that are made together."""

import asyncio
from collections.abc import Sequence

from shared.runtime.batcher import Batcher
from shared.runtime.errors import TransientError
from shared.testing import eventually


class Doubling:
    """Doubles numbers once it may go on; refuses negative ones as a bug, and 13 as something that passes."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.go_on = asyncio.Event()

    async def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.calls.append(list(numbers))
        await self.go_on.wait()
        if 13 in numbers:
            raise TransientError("away")
        if min(numbers) < 0:
            raise ValueError(str(min(numbers)))
        return [2 * number for number in numbers]


async def test_calls_that_come_meanwhile_are_made_together_in_their_order() -> None:
    function = Doubling()
    batcher = Batcher(function, most=3)
    first = asyncio.create_task(batcher.call(1))
    await eventually(lambda: function.calls)
    others = [asyncio.create_task(batcher.call(number)) for number in range(2, 7)]
    await asyncio.sleep(0)
    function.go_on.set()
    assert await asyncio.gather(first, *others) == [2, 4, 6, 8, 10, 12]
    assert function.calls == [[1], [2, 3, 4], [5, 6]]


async def test_a_call_alone_waits_for_no_other() -> None:
    function = Doubling()
    function.go_on.set()
    batcher = Batcher(function, most=3)
    assert [await batcher.call(1), await batcher.call(2)] == [2, 4]
    assert function.calls == [[1], [2]]


async def test_a_caller_that_is_cancelled_disturbs_no_other() -> None:
    function = Doubling()
    batcher = Batcher(function, most=3)
    callers = [asyncio.create_task(batcher.call(number)) for number in (1, 2)]
    await eventually(lambda: function.calls)
    late = [asyncio.create_task(batcher.call(number)) for number in (3, 4)]
    await asyncio.sleep(0)
    callers[0].cancel()
    late[0].cancel()
    function.go_on.set()
    assert [await callers[1], await late[1]] == [4, 8]
    assert function.calls == [[1, 2], [4]]


async def test_what_passes_is_raised_in_all_that_were_together_and_no_later_one() -> None:
    function = Doubling()
    function.go_on.set()
    batcher = Batcher(function, most=2)
    found = await asyncio.gather(*(batcher.call(number) for number in (13, 2, 3)), return_exceptions=True)
    assert [type(one) for one in found] == [TransientError, TransientError, int]


async def test_a_bug_is_raised_in_the_caller_whose_item_it_is_about() -> None:
    function = Doubling()
    function.go_on.set()
    batcher = Batcher(function, most=3)
    found = await asyncio.gather(*(batcher.call(number) for number in (1, -2, 3)), return_exceptions=True)
    assert [type(one) for one in found] == [int, ValueError, int]


async def test_when_the_work_is_cancelled_no_caller_is_left_waiting() -> None:
    function = Doubling()
    batcher = Batcher(function, most=1)
    callers = [asyncio.create_task(batcher.call(number)) for number in (1, 2)]
    await eventually(lambda: function.calls)
    for task in asyncio.all_tasks() - {asyncio.current_task(), *callers}:
        task.cancel()
    found = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(one) for one in found] == [asyncio.CancelledError] * 2
    function.go_on.set()
    assert await batcher.call(3) == 6

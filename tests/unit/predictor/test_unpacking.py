"""How many archives are unpacked in memory at once, and that each request gives its turn back."""

import asyncio

import pytest

from services.predictor.api.batches import unpacking
from services.predictor.api.batches.unpacking import Unpacking
from services.predictor.api.batches.zips import ZipLimits
from shared.http.problems import Problem
from tests.unit.predictor.test_zips import archive

LIMITS = ZipLimits(longest_file_bytes=1000, longest_bytes=2500)
ONE = archive({"one.png": b"one"})


async def test_a_request_waits_until_another_one_is_done_with_its_files() -> None:
    turns = asyncio.Semaphore(1)
    async with Unpacking(LIMITS, turns) as second:
        async with Unpacking(LIMITS, turns) as first:
            assert [len(await first.unpack(ONE)) for _ in range(2)] == [1, 1], "a request has one turn"
            waiting = asyncio.create_task(second.unpack(ONE))
            await asyncio.sleep(0)
            assert not waiting.done()
        assert [file.data for file in await waiting] == [b"one"]
        assert turns.locked()
    assert not turns.locked()


async def test_a_request_that_gets_no_turn_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "LONGEST_WAIT_SECONDS", 0.0)
    turns = asyncio.Semaphore(1)
    async with Unpacking(LIMITS, turns) as first:
        await first.unpack(ONE)
        async with Unpacking(LIMITS, turns) as second:
            with pytest.raises(Problem) as caught:
                await second.unpack(ONE)
        assert (caught.value.status_code, caught.value.error) == (503, "overloaded")
        assert turns.locked(), "who has no turn gives none back"
    async with Unpacking(LIMITS, turns) as third:
        assert len(await third.unpack(ONE)) == 1

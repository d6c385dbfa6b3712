"""Who waits for whom."""

import asyncio

from services.ingestor.precedence import Precedence

LONG_SECONDS = 30.0


async def test_without_an_upload_no_work_waits() -> None:
    await asyncio.wait_for(Precedence(LONG_SECONDS, LONG_SECONDS).give_way(), 1)


async def test_work_waits_until_the_last_upload_is_done() -> None:
    precedence = Precedence(LONG_SECONDS, quiet_seconds=0)
    with precedence.upload():
        with precedence.upload():
            other = asyncio.create_task(precedence.give_way())
        await asyncio.sleep(0.01)
        assert not other.done()
    await asyncio.wait_for(other, 1)


async def test_work_waits_for_the_next_upload_of_a_series() -> None:
    precedence = Precedence(LONG_SECONDS, quiet_seconds=0.05)
    with precedence.upload():
        other = asyncio.create_task(precedence.give_way())
    with precedence.upload():
        await asyncio.sleep(0.1)
        assert not other.done()
    await asyncio.wait_for(other, 1)


async def test_uploads_without_end_stop_no_work() -> None:
    precedence = Precedence(longest_seconds=0.01)
    with precedence.upload():
        await asyncio.wait_for(asyncio.gather(precedence.give_way(), precedence.give_way()), 1)

"""A full lane that ends once what it trained is on the log."""

import asyncio

import pytest

from services.trainer.full_lane.finishing import run_until_trained


class Log:
    def __init__(self) -> None:
        self.announced: set[str] = set()

    async def trained(self, version: str) -> object | None:
        return version if version in self.announced else None


class Parts:
    """Parts of a process; `ended` says that they were cancelled."""

    def __init__(self, *steps: object) -> None:
        self.ended = False

    async def run(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.ended = True


async def test_it_ends_when_the_log_has_what_was_asked_for() -> None:
    log, parts, answered = Log(), Parts(), {"full-1"}
    running = asyncio.ensure_future(run_until_trained(parts.run(), answered, log, 1))
    await asyncio.wait([running], timeout=0.6)
    assert not running.done()  # its event could still be lost
    log.announced.add("full-1")
    await running
    assert parts.ended


async def test_without_a_number_it_goes_on() -> None:
    log, parts = Log(), Parts()
    log.announced.add("full-1")
    running = asyncio.ensure_future(run_until_trained(parts.run(), {"full-1"}, log, 0))
    await asyncio.wait([running], timeout=0.1)
    assert not running.done()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert parts.ended


async def test_a_part_that_fails_ends_it_with_its_error() -> None:
    async def fail() -> None:
        raise ValueError("this part failed")

    with pytest.raises(ValueError, match="this part failed"):
        await run_until_trained(fail(), set(), Log(), 1)

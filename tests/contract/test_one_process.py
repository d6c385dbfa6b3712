"""Work that one process of several does, on a real PostgreSQL."""

import asyncio

import pytest

from shared.runtime.errors import TransientError
from shared.runtime.health import Health
from shared.tables.database import Database
from shared.tables.one_process import run_in_one_process
from shared.testing import FreshSchema, eventually


class Worker:
    """Works until it is told to stop; says whether it does."""

    def __init__(self, database: Database) -> None:
        self.health = Health()
        self.works = False
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(run_in_one_process(database, "work", self.health, self._work))

    async def _work(self) -> None:
        self.works = True
        try:
            await self.stop.wait()
        finally:
            self.works = False

    @property
    def detail(self) -> str:
        state = self.health.state("work")
        return "" if state is None else state.detail


async def test_one_works_and_the_other_stands_by_and_takes_over(schema: FreshSchema) -> None:
    async with schema.open() as one, schema.open() as other:
        first = Worker(one)
        await eventually(lambda: first.works)
        second = Worker(other)
        await eventually(lambda: second.detail.startswith("standing by"))
        assert second.health.ready
        assert not second.works
        first.stop.set()
        await first.task
        await eventually(lambda: second.works and not second.detail)
        second.stop.set()
        await second.task


async def test_one_that_loses_its_lock_stops(database: Database) -> None:
    worker = Worker(database)
    await eventually(lambda: worker.works)
    await database.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
    with pytest.raises(TransientError):
        await worker.task
    assert not worker.works

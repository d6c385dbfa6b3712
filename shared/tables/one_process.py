"""Work that one process of several does: it holds a lock in PostgreSQL meanwhile, the others stand by."""

import asyncio
from collections.abc import Awaitable, Callable

from shared.runtime.health import Health
from shared.tables.database import Database
from shared.tables.postgres import Connection, transient_errors

LOOK_SECONDS = 2.0


async def run_in_one_process(
    database: Database, name: str, health: Health, work: Callable[[], Awaitable[None]]
) -> None:
    """Wait for the lock `name` of the schema, then run `work` until it ends. The part `name` reports whether this
    process stands by.

    Raises:
        TransientError: the connection that holds the lock was lost, so that another process may work now.
        Exception: raised by `work`.
    """
    health.set(name, True, "standing by: another process does this")
    async with database.lock(name) as connection:
        health.set(name, True)
        try:
            async with asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(_look_until_cancelled(connection))
                await work()
                watching.cancel()
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None


async def _look_until_cancelled(connection: Connection) -> None:
    while True:
        with transient_errors():
            await connection.fetchval("SELECT 1")
        await asyncio.sleep(LOOK_SECONDS)

"""PostgreSQL for one service: a pool bound to one schema, its migrations, advisory locks, change notifications."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

from shared.runtime.errors import TransientError
from shared.runtime.retry import UNTIL_CANCELLED, retrying
from shared.runtime.telemetry import logger
from shared.tables.changes import ChangeFeed, Changes
from shared.tables.lock_holder import try_lock
from shared.tables.migrations import migrate
from shared.tables.postgres import (
    Connect,
    Connection,
    Pool,
    Row,
    Transaction,
    close,
    connecting,
    connector,
    open_pool,
    pooled,
    transient_errors,
)

__all__ = ["Changes", "Connection", "Database", "Row", "Transaction", "transient_errors"]

T = TypeVar("T")
LOCK_POLL_SECONDS = 0.2
ASK_AGAIN_SECONDS = 1.0


class Database:
    """A pool of connections whose search path is one schema. Make one with `Database.open`.

    Every method raises TransientError when PostgreSQL is away or rolled the work back in passing.
    """

    def __init__(self, pool: Pool, feed: ChangeFeed, connect: Connect, schema: str) -> None:
        self._pool = pool
        self._feed = feed
        self._connect = connect
        self.schema = schema

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, schema: str, migrations: str, connections: int = 8) -> AsyncIterator["Database"]:
        """Wait until PostgreSQL answers, create the schema, apply the missing migrations of shared and of the package
        `migrations` (`services.ingestor.data.sql`), and open at most `connections` connections.

        Raises:
            PappusError: a migration that was applied has changed since.
        """
        connect = connector(url, schema)

        async def prepare() -> Pool:
            connection = await connect()
            try:
                with transient_errors():
                    await migrate(connection, schema, ("shared.tables.sql", migrations))
            finally:
                await close(connection)
            return await open_pool(url, schema, connections)

        def failed(error: TransientError, attempt: int) -> None:
            logger.warning("waiting for PostgreSQL", schema=schema, attempt=attempt, reason=str(error))

        pool = await retrying(UNTIL_CANCELLED, prepare, failed=failed)
        try:
            async with ChangeFeed.open(connect, channel_of(schema)) as feed:
                yield cls(pool, feed, connect, schema)
        finally:
            await close(pool)

    async def fetch(self, sql: str, *args: object) -> list[Row]:
        """Return all rows."""
        async with pooled(self._pool) as connection:
            return list(await connection.fetch(sql, *args))

    async def fetchrow(self, sql: str, *args: object) -> Row | None:
        """Return the first row, or None."""
        async with pooled(self._pool) as connection:
            return await connection.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: object) -> Any:
        """Return the first column of the first row, or None."""
        async with pooled(self._pool) as connection:
            return await connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: object) -> str:
        """Run a statement; the result is its status, for example "UPDATE 3"."""
        async with pooled(self._pool) as connection:
            return str(await connection.execute(sql, *args))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Yield a connection in a transaction, committed at the end, rolled back on any exception. After a
        TransientError from the end of the block the outcome is unknown."""
        async with AsyncExitStack() as stack:
            with connecting():
                connection = await stack.enter_async_context(self._pool.acquire())
            with transient_errors():
                async with connection.transaction():
                    yield connection

    @asynccontextmanager
    async def lock(self, name: str) -> AsyncIterator[Connection]:
        """Hold the advisory lock `name` of this schema; wait for it without a limit.

        Yields the connection that holds it, which is not part of the pool and not in a transaction: a write on it
        happens under the lock, or fails.
        """
        async with self.connection() as connection:
            while not await try_lock(connection, f"{self.schema}.{name}"):  # noqa: ASYNC110 - another process
                await asyncio.sleep(LOCK_POLL_SECONDS)
            yield connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Yield a connection of the caller's own, beside the pool, not in a transaction."""
        connection = await self._connect()
        try:
            with transient_errors():
                yield connection
        finally:
            await close(connection)

    @asynccontextmanager
    async def changes(self, regardless_of: Collection[str] = ()) -> AsyncIterator[Changes]:
        """Yield a subscription to the commits of this schema's projection; none is lost between two waits. Commits of
        nothing but events of the topics `regardless_of` wake nothing."""
        with self._feed.subscribe(regardless_of) as changes:
            yield changes

    async def changed(self, timeout_seconds: float) -> bool:
        """Wait for the next commit of this schema's projection; False if none came in time."""
        async with self.changes() as changes:
            return await changes.wait(timeout_seconds)

    async def wait_until(self, question: Callable[[], Awaitable[T | None]], timeout_seconds: float) -> T | None:
        """Ask `question` now and after each change, and return the first answer that is not None; None after
        `timeout_seconds`."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + timeout_seconds
        async with self.changes() as changes:
            while (answer := await question()) is None and clock() < deadline:
                await changes.wait(min(deadline - clock(), ASK_AGAIN_SECONDS))
            return answer


def channel_of(schema: str) -> str:
    """Return the channel on which commits of this schema's projection are announced."""
    return f"{schema}_changed"


async def notify(transaction: Transaction, schema: str, topics: Collection[str] = ()) -> None:
    """Notify the subscribers of `schema` when this transaction commits. `topics` are those whose events were folded;
    none: anything may have changed."""
    await transaction.execute("SELECT pg_notify($1, $2)", channel_of(schema), ",".join(sorted(topics)))

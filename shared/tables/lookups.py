"""Questions to the tables of a schema from a process that goes on without PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.runtime.errors import PappusError, TransientError
from shared.tables.postgres import REFUSALS, DatabaseRefused, Pool, Row, Transaction, close, open_pool, pooled

LONGEST_SECONDS = 5.0
"""How long a question takes at most, the connection included: a server that was frozen answers nothing."""


class TablesAway(PappusError):
    """The tables cannot be asked now; the text says why, and is for operators."""


class Lookups:
    """Asks for rows. Nothing is connected before the first question, and connections that nothing asks are closed after
    five minutes; after an outage the next question connects anew. Make one with `Lookups.open`."""

    def __init__(self, pool: Pool, longest_seconds: float) -> None:
        self._pool = pool
        self._longest_seconds = longest_seconds

    @classmethod
    @asynccontextmanager
    async def open(
        cls, url: str, schema: str, connections: int = 2, longest_seconds: float = LONGEST_SECONDS
    ) -> AsyncIterator["Lookups"]:
        """Yield the questions to `schema`, with at most `connections` at once; PostgreSQL need not be there."""
        pool = await open_pool(url, schema, connections, at_once=0)
        try:
            yield cls(pool, longest_seconds)
        finally:
            await close(pool)

    async def fetchrow(self, sql: str, *args: object) -> Row | None:
        """Return the first row, or None.

        Raises:
            TablesAway: PostgreSQL is away, does not let this process in, has no such table yet, or took too long.
        """
        async with self._asked() as connection:
            return await connection.fetchrow(sql, *args)

    async def fetch(self, sql: str, *args: object) -> list[Row]:
        """Return all rows. Raises TablesAway as `fetchrow`."""
        async with self._asked() as connection:
            return list(await connection.fetch(sql, *args))

    @asynccontextmanager
    async def _asked(self) -> AsyncIterator[Transaction]:
        try:
            async with asyncio.timeout(self._longest_seconds), pooled(self._pool) as connection:
                yield connection
        except REFUSALS as error:
            raise TablesAway(str(error)) from error
        except (TransientError, DatabaseRefused, TimeoutError) as error:
            raise TablesAway(str(error) or f"PostgreSQL said nothing for {self._longest_seconds} s.") from error

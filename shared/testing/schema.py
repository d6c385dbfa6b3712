"""A schema in a real PostgreSQL that belongs to one test."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from shared.tables.database import Database
from shared.tables.postgres import close, connector


@dataclass(frozen=True, slots=True)
class FreshSchema:
    """A schema that no other test uses."""

    url: str
    name: str
    migrations: str

    def open(self) -> AbstractAsyncContextManager[Database]:
        """Open its database, as one process does."""
        return Database.open(self.url, self.name, self.migrations)

    async def hang_up(self) -> None:
        """End all its connections from the server's side, as a failover does."""
        connection = await connector(self.url, "public")()
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE $1",
            f"pappus {self.name}%",
        )
        await close(connection)


@asynccontextmanager
async def fresh_schema(url: str, migrations: str) -> AsyncIterator[FreshSchema]:
    """Yield a schema for the migrations of a package and drop it at the end; the role in `url` must be allowed to
    create schemas."""
    name = f"test_{uuid4().hex[:12]}"
    try:
        yield FreshSchema(url, name, migrations)
    finally:
        connection = await connector(url, "public")()
        await connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")
        await connection.execute(f"DROP SCHEMA IF EXISTS {name}_replay CASCADE")
        await close(connection)

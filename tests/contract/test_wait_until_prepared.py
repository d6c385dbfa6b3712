"""The container that waits for `pappus prepare`, on a real PostgreSQL."""

import asyncio
from pathlib import Path

from shared.tables.migrations import missing_migrations
from shared.tables.postgres import close, connector
from shared.tables.wait_until_prepared import main, wait_until_prepared
from shared.testing import FreshSchema


def add_migration(tmp_path: Path, name: str) -> None:
    """Write a migration beside those of the schema."""
    [folder] = tmp_path.iterdir()
    (folder / name).write_text("SELECT 1;")


class TestWaiting:
    async def test_ends_once_the_schema_has_every_migration(self, schema: FreshSchema) -> None:
        packages = ("shared.tables.sql", schema.migrations)
        waiting = asyncio.ensure_future(wait_until_prepared(schema.url, schema.name, packages, timeout_seconds=30))
        async with schema.open():
            assert await waiting

    async def test_fails_while_a_migration_of_this_release_is_missing(
        self, schema: FreshSchema, tmp_path: Path
    ) -> None:
        async with schema.open():
            add_migration(tmp_path, "0009_of_the_next_release.sql")
            packages = ("shared.tables.sql", schema.migrations)
            assert not await wait_until_prepared(schema.url, schema.name, packages, timeout_seconds=0)
            connection = await connector(schema.url, schema.name)()
            missing = await missing_migrations(connection, schema.name, packages)
            await close(connection)
        assert [name.rsplit("/", 1)[-1] for name in missing] == ["0009_of_the_next_release.sql"]

    async def test_lasts_while_there_is_no_server(self, schema: FreshSchema) -> None:
        assert not await wait_until_prepared(
            "postgresql://ingestor@127.0.0.1:1/none", schema.name, ("shared.tables.sql",), timeout_seconds=0
        )

    async def test_lasts_while_the_role_may_not_log_in(self, schema: FreshSchema) -> None:
        scheme, _, rest = schema.url.partition("://")
        wrong = f"{scheme}://someone:wrong@{rest.rpartition('@')[2]}"
        assert not await wait_until_prepared(wrong, schema.name, ("shared.tables.sql",), timeout_seconds=0)


def test_without_the_name_of_a_service_it_says_so() -> None:
    assert main([]) == 2

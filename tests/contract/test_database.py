"""PostgreSQL for one service: migrations, transactions, locks, and waking up."""

import asyncio
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from uuid import uuid4

import pytest

from shared.runtime.errors import PappusError, TransientError
from shared.tables import postgres
from shared.tables.database import Changes, Database, notify
from shared.tables.postgres import connector
from shared.testing import FreshSchema, eventually


def write(tmp_path: Path, name: str, sql: str) -> Path:
    """Write a migration beside those of the schema; gives its path."""
    [folder] = tmp_path.iterdir()
    script = folder / name
    script.write_text(sql)
    return script


class TestMigrations:
    async def test_are_applied_once_however_many_processes_start_at_the_same_time(self, schema: FreshSchema) -> None:
        async def start() -> int:
            async with schema.open() as opened:
                return int(await opened.fetchval("SELECT count(*) FROM migrations"))

        shared = len([each for each in files("shared.tables.sql").iterdir() if each.name.endswith(".sql")])
        assert await asyncio.gather(*(start() for _ in range(6))) == [shared + 1] * 6

    async def test_that_are_new_are_applied_at_the_next_start(self, schema: FreshSchema, tmp_path: Path) -> None:
        write(tmp_path, "0002_more.sql", "ALTER TABLE images ADD COLUMN more text DEFAULT 'yes';")
        async with schema.open() as opened:
            await opened.execute("INSERT INTO images (image_id) VALUES ($1)", uuid4())
            assert await opened.fetchval("SELECT more FROM images") == "yes"

    async def test_that_were_changed_after_they_were_applied_are_refused(
        self, schema: FreshSchema, tmp_path: Path
    ) -> None:
        async with schema.open():
            write(tmp_path, "0001_tables.sql", "CREATE TABLE other (id int);")
        with pytest.raises(PappusError, match="add a new file"):
            async with schema.open():
                pytest.fail("the schema was opened")

    async def test_that_fail_leave_nothing_behind(self, schema: FreshSchema, tmp_path: Path) -> None:
        script = write(tmp_path, "0002_wrong.sql", "CREATE TABLE half (id int); SELECT 1/0;")
        with pytest.raises(Exception, match="division by zero"):
            async with schema.open():
                pytest.fail("the schema was opened")
        script.unlink()
        async with schema.open() as opened:
            assert await opened.fetchval("SELECT to_regclass('half')") is None

    async def test_a_package_without_any_is_refused(self, schema: FreshSchema) -> None:
        with pytest.raises(PappusError, match=r"no \.sql files"):
            async with Database.open(schema.url, schema.name, "shared.testing"):
                pytest.fail("the schema was opened")

    async def test_a_schema_name_that_is_none_is_refused(self, schema: FreshSchema) -> None:
        with pytest.raises(PappusError, match="no schema name"):
            async with Database.open(schema.url, 'x"; DROP SCHEMA public', schema.migrations):
                pytest.fail("the schema was opened")


class TestQueries:
    async def test_json_ids_and_times_come_back_as_they_went_in(self, database: Database) -> None:
        now, name = datetime.now(UTC), uuid4()
        row = await database.fetchrow(
            "SELECT $1::jsonb AS json, $2::uuid AS id, $3::timestamptz AS time", {"of": [1, None]}, name, now
        )
        assert row is not None
        assert (row["json"], row["id"], row["time"]) == ({"of": [1, None]}, name, now)
        assert await database.fetchval("SELECT $1::jsonb", {"id": name, "at": now}) == {
            "id": str(name),
            "at": now.isoformat(),
        }

    async def test_a_transaction_is_rolled_back_by_an_exception(self, database: Database) -> None:
        with pytest.raises(KeyError):  # noqa: PT012 - the end of the block is what is tested
            async with database.transaction() as transaction:
                await transaction.execute("INSERT INTO images (image_id) VALUES ($1)", uuid4())
                raise KeyError
        assert await database.fetchval("SELECT count(*) FROM images") == 0

    async def test_one_that_is_cancelled_leaves_its_connection_clean(self, schema: FreshSchema) -> None:
        async with Database.open(schema.url, schema.name, schema.migrations, connections=1) as database:
            begun = asyncio.Event()

            async def insert_and_wait() -> None:
                async with database.transaction() as transaction:
                    await transaction.execute("SELECT pg_advisory_xact_lock(1)")
                    await transaction.execute("INSERT INTO images (image_id) VALUES ($1)", uuid4())
                    begun.set()
                    await asyncio.get_running_loop().create_future()

            working = asyncio.create_task(insert_and_wait())
            await begun.wait()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            assert await database.fetchval("SELECT count(*) FROM images") == 0
            held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
            assert await database.fetchval(held) == 0

    async def test_a_violated_constraint_is_no_transient_error(self, database: Database) -> None:
        image_id = uuid4()
        await database.execute("INSERT INTO images (image_id) VALUES ($1)", image_id)
        with pytest.raises(Exception, match="duplicate key") as raised:
            await database.execute("INSERT INTO images (image_id) VALUES ($1)", image_id)
        assert not isinstance(raised.value, TransientError)

    async def test_an_error_of_the_caller_inside_a_transaction_stays_what_it_is(self, database: Database) -> None:
        with pytest.raises(FileNotFoundError):
            async with database.transaction():
                raise FileNotFoundError("not PostgreSQL's")

    async def test_a_lost_connection_is_a_transient_error_and_the_next_call_works(
        self, database: Database, schema: FreshSchema
    ) -> None:
        with pytest.raises(TransientError):  # noqa: PT012 - the end of the block is what is tested
            async with database.transaction() as transaction:
                await schema.hang_up()
                await transaction.execute("SELECT 1")
        assert await asked_again(database, "SELECT 1 AS one") == [{"one": 1}]

    async def test_a_server_that_is_away_is_a_transient_error(self, unused_port: int) -> None:
        with pytest.raises(TransientError, match="Is it running"):
            await connector(f"postgresql://role:x@127.0.0.1:{unused_port}/none", "public")()


async def asked_again(database: Database, query: str) -> list[dict[str, object]]:
    """Return the rows, once the pool has noticed that its connections are gone."""

    async def rows() -> list[dict[str, object]] | None:
        try:
            return [dict(row) for row in await database.fetch(query)]
        except TransientError:
            return None

    found = await eventually(rows)
    assert found is not None
    return found


class TestLock:
    async def test_is_held_by_one_at_a_time_and_given_on(self, database: Database, schema: FreshSchema) -> None:
        order: list[str] = []
        async with schema.open() as other:

            async def wait() -> None:
                async with other.lock("writer"):
                    order.append("second")

            async with database.lock("writer"):
                waiting = asyncio.create_task(wait())
                async with other.lock("another name"):
                    pass
                order.append("first")
            await waiting
        assert order == ["first", "second"]

    async def test_is_free_when_its_connection_is_lost_and_writing_under_it_fails(
        self, database: Database, schema: FreshSchema
    ) -> None:
        async with schema.open() as other:
            with pytest.raises(TransientError):  # noqa: PT012 - the end of the block is what is tested
                async with database.lock("writer") as connection:
                    await schema.hang_up()
                    async with other.lock("writer"):
                        await connection.execute("INSERT INTO images (image_id) VALUES ($1)", uuid4())
        assert await asked_again(database, "SELECT count(*) AS rows FROM images") == [{"rows": 0}]


class TestADeadLink:
    async def test_a_statement_without_an_answer_is_a_transient_error(
        self, database: Database, schema: FreshSchema, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(postgres, "STATEMENT_SECONDS", 0.3)
        async with schema.open() as impatient:
            with pytest.raises(TransientError):
                await impatient.execute("SELECT pg_sleep(60)")
            with pytest.raises(TransientError):
                async with impatient.transaction() as transaction:
                    await transaction.execute("SELECT pg_sleep(60)")
            assert await impatient.fetchval("SELECT 1") == 1

    async def test_the_server_ends_the_session_of_a_host_that_went_away(self, database: Database) -> None:
        async with database.connection() as connection:
            for asked in (connection, database):
                idle = await asked.fetchval("SELECT current_setting('tcp_keepalives_idle')::int")
                every = await asked.fetchval("SELECT current_setting('tcp_keepalives_interval')::int")
                count = await asked.fetchval("SELECT current_setting('tcp_keepalives_count')::int")
                assert 0 < idle + every * count <= 20


async def test_a_cancelled_statement_leaves_no_lock_behind(
    database: Database, schema: FreshSchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.execute("CREATE TABLE asked (number int)")
    prepare = vars(postgres.Connection)["_get_statement"]

    async def prepare_and_be_cancelled(self: postgres.Connection, *args: object, **kwargs: object) -> object:
        statement = await prepare(self, *args, **kwargs)
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)
        return statement

    with monkeypatch.context() as patch:
        patch.setattr(postgres.Connection, "_get_statement", prepare_and_be_cancelled)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(database.fetch("SELECT number FROM asked"))
    async with schema.open() as other, other.transaction() as transaction:
        await transaction.execute("SET LOCAL lock_timeout = '5s'")
        await transaction.execute("DROP TABLE asked")
    assert await database.fetchval("SELECT 1") == 1


class TestChanges:
    async def change(self, database: Database, *topics: str) -> None:
        async with database.transaction() as transaction:
            await notify(transaction, database.schema, topics)

    async def test_wake_a_waiting_task_before_the_time_is_over(self, database: Database, schema: FreshSchema) -> None:
        async with schema.open() as other, database.changes() as changes:
            for _ in range(20):
                waiting = asyncio.create_task(changes.wait(5.0))
                await asyncio.sleep(0)
                await self.change(other)
                assert await waiting

    async def test_between_two_waits_are_not_lost_and_count_once(self, database: Database) -> None:
        async with database.changes() as changes, database.changes() as second:
            for _ in range(2):
                await self.change(database)
                assert await second.wait(5.0)  # one connection listens for both
            assert await changes.wait(5.0)
            assert not await changes.wait(0.05)

    async def test_by_events_that_change_nothing_for_a_subscriber_do_not_wake_it(self, database: Database) -> None:
        async with database.changes(regardless_of=["model.trained"]) as changes, database.changes() as every:
            await self.change(database, "model.trained")
            assert await every.wait(5.0)
            assert not await changes.wait(0)
            for topics in (["label.corrected", "model.trained"], []):
                await self.change(database, *topics)
                assert await changes.wait(5.0)

    async def test_that_go_on_without_a_pause_are_waited_for_a_limited_time(self) -> None:
        changes = Changes()

        async def change_without_end() -> None:
            while True:
                changes.set()
                await asyncio.sleep(0)

        changing = asyncio.create_task(change_without_end())
        await changes.wait_until_quiet(quiet_seconds=30, longest_seconds=0.05)
        changing.cancel()
        changes.set()
        await changes.wait_until_quiet(quiet_seconds=0.01, longest_seconds=30)
        assert not await changes.wait(0)

    async def test_that_never_come_end_with_the_time(self, database: Database) -> None:
        assert not await database.changed(0.02)

    async def test_go_on_after_the_listening_connection_was_lost(self, database: Database, schema: FreshSchema) -> None:
        async with database.changes() as changes:
            await schema.hang_up()
            assert await changes.wait(10.0), (
                "a lost connection wakes every waiting task, since a change may have been missed"
            )

            async def woken() -> bool:
                try:
                    await self.change(database)
                except TransientError:
                    return False
                return await changes.wait(0.2)

            assert await eventually(woken)

    async def test_an_answer_is_found_as_soon_as_the_tables_have_it(self, database: Database) -> None:
        image_id = uuid4()

        async def label() -> str | None:
            found: str | None = await database.fetchval("SELECT label FROM images WHERE image_id = $1", image_id)
            return found

        assert await database.wait_until(label, 0.05) is None
        waiting = asyncio.create_task(database.wait_until(label, 10.0))
        async with database.transaction() as transaction:
            await transaction.execute("INSERT INTO images (image_id, label) VALUES ($1, 'grass')", image_id)
            await notify(transaction, database.schema)
        assert await waiting == "grass"

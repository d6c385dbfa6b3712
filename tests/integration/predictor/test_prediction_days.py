"""Predictions lie in a table for each day, made ahead and dropped whole; none is lost or doubled on the way."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files

import pytest

from pappus.stack import Servers
from services.predictor.data.prediction_days import AHEAD, KeptDays, days_of, keep_days
from services.predictor.data.projection import MIGRATIONS, projectors
from shared.contract.replicas import AnswersLogged, PredictionLogged
from shared.tables.database import Database
from shared.testing import FreshSchema, answers_logged, fresh_schema, image_withdrawn, prediction_logged

APPLY = {projector.event: projector.apply for projector in projectors()}
DAY = timedelta(days=1)
NOW = datetime.now(UTC).replace(hour=12, minute=0)
"""The migration makes the tables of the usual time, which is that of the server."""
TODAY = NOW.date()
AHEAD_OF_TODAY = TODAY + AHEAD * DAY
BEFORE = "0007_days_of_predictions.sql"


@pytest.fixture
async def schema(servers: Servers) -> AsyncIterator[FreshSchema]:
    async with fresh_schema(servers.database_url("postgres"), MIGRATIONS) as made:
        yield made


@pytest.fixture
async def database(schema: FreshSchema) -> AsyncIterator[Database]:
    async with schema.open() as opened:
        yield opened


async def fold(database: Database, *events: PredictionLogged) -> None:
    async with database.transaction() as transaction:
        for event in events:
            await APPLY[PredictionLogged](event, transaction)


async def days(database: Database) -> list[date]:
    async with database.transaction() as transaction:
        return await days_of(transaction)


async def rows_of(database: Database, table: str = "predictions") -> int:
    return int(await database.fetchval(f"SELECT count(*) FROM {table}"))


def at(*moments: datetime) -> Sequence[PredictionLogged]:
    return [prediction_logged(occurred_at=moment) for moment in moments]


async def test_days_are_made_ahead_and_dropped_whole_when_all_of_them_is_old(database: Database) -> None:
    await fold(database, *at(NOW, NOW - 3 * DAY, NOW - 3 * DAY + timedelta(hours=11), NOW - 4 * DAY, NOW - 400 * DAY))
    later = NOW + DAY
    found = await keep_days(database, later, days=4)
    assert found.made == (AHEAD_OF_TODAY + DAY,)
    assert found.dropped == tuple(TODAY - number * DAY for number in range(14, 3, -1))
    assert found.rows == 1  # of a day that never had a table
    assert await rows_of(database) == 3
    assert await keep_days(database, later, days=4) == KeptDays((), (), 0)


async def test_several_workers_may_keep_the_days_at_once(database: Database) -> None:
    found = await asyncio.gather(*(keep_days(database, NOW + 9 * DAY, days=1) for _ in range(4)))
    assert sorted(len(each.made) for each in found) == [0, 0, 0, AHEAD + 1]
    assert sorted(len(each.dropped) for each in found)[:3] == [0, 0, 0]


async def test_rows_of_a_day_without_a_table_get_it_and_stay_unique(database: Database) -> None:
    ahead, later = at(NOW + 5 * DAY, NOW + 5 * DAY)
    await fold(database, ahead, later, ahead)
    assert (await rows_of(database), await rows_of(database, "predictions_other")) == (2, 2)
    assert TODAY + 5 * DAY in (await keep_days(database, NOW + 4 * DAY, days=14)).made
    await fold(database, ahead, later)
    async with database.transaction() as transaction:
        await APPLY[AnswersLogged](answers_logged(later), transaction)
    assert (await rows_of(database), await rows_of(database, "predictions_other")) == (2, 0)


async def test_a_withdrawal_reaches_every_day(database: Database) -> None:
    gone = image_withdrawn()
    about = [
        prediction_logged(occurred_at=moment, sha256=gone.sha256)
        for moment in (NOW, NOW - 2 * DAY, NOW + 90 * DAY, NOW - 90 * DAY)
    ]
    await fold(database, *about, *at(NOW))
    async with database.transaction() as transaction:
        await APPLY[type(gone)](gone, transaction)
    assert await rows_of(database) == 1


async def test_a_prediction_is_found_by_its_id_without_reading_a_day(database: Database) -> None:
    (event,) = at(NOW)
    await fold(database, event)
    async with database.transaction() as transaction:
        await transaction.execute("SET LOCAL enable_seqscan = off")
        plan = await transaction.fetch(
            "EXPLAIN SELECT * FROM predictions WHERE prediction_id = $1", event.prediction_id
        )
    text = "\n".join(row[0] for row in plan)
    assert "Seq Scan" not in text
    assert text.count("pkey") == len(await days(database)) + 1


async def test_the_rows_of_a_table_without_days_move_into_them(schema: FreshSchema) -> None:
    earlier = [*at(NOW, NOW - DAY, NOW - 13 * DAY, NOW - 100 * DAY)]
    async with schema.open() as database:
        await fold(database, *earlier)
        async with database.transaction() as transaction:  # as a release before had it
            await transaction.execute("CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT * FROM predictions")
            await transaction.execute("DROP TABLE predictions")
            await transaction.execute("DROP FUNCTION make_day_of_predictions")
            await transaction.execute(files(MIGRATIONS).joinpath("0001_predictions.sql").read_text())
            await transaction.execute("INSERT INTO predictions SELECT * FROM kept")
            await transaction.execute("DELETE FROM migrations WHERE name LIKE $1", f"%{BEFORE}")
    async with schema.open() as database:
        assert (await rows_of(database), await rows_of(database, "predictions_other")) == (4, 1)
        assert await rows_of(database, f"predictions_{TODAY:%Y%m%d}") == 1
        await fold(database, *earlier)
        assert await rows_of(database) == 4

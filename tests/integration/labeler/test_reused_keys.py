"""A key that is sent again with another revision, before the tables show what became of it the first time."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from pappus.stack import Servers
from services.ingestor.data.projection import Tables
from services.labeler.commands.corrections import correction_id
from services.trainer.data.projection import PROJECTORS as TRAINER
from shared.contract.events import ImageStored, LabelCorrected
from shared.tables.database import Database
from shared.tables.postgres import Row
from shared.tables.projection import ProjectionBatch, Projector
from shared.testing import MemoryEventLog, eventually, fresh_schema, image_registered, image_stored

from .conftest import Labeler

HELD_UP = """
INSERT INTO label_history (event_id, image_id, revision, label_to, corrected_by, occurred_at, reason, applied)
VALUES ($1, gen_random_uuid(), 1, '', '', now(), '', false)
"""
WAITING = "SELECT count(*) > 0 FROM pg_locks WHERE relation = 'label_history'::regclass AND NOT granted"
LABEL_OF = {
    "ingestor": "SELECT corrected_label AS label, revision FROM images",
    "trainer": "SELECT label, revision FROM newest_corrections",
}


@asynccontextmanager
async def folded(
    servers: Servers, event_log: MemoryEventLog, service: str, projectors: Sequence[Projector]
) -> AsyncIterator[Database]:
    """Tables of a service, folded from this log."""
    records = [record for topic in (ImageStored.topic, LabelCorrected.topic) for record in event_log.records(topic)]
    url = servers.database_url("postgres")
    async with fresh_schema(url, f"services.{service}.data.sql") as schema, schema.open() as database:
        async with database.transaction() as transaction:
            await ProjectionBatch(schema.name, projectors, publisher=None).batch(transaction, records)
        yield database


async def label_in(
    servers: Servers, event_log: MemoryEventLog, service: str, projectors: Sequence[Projector]
) -> Row | None:
    """Label and revision of the only image."""
    async with folded(servers, event_log, service, projectors) as database:
        return await database.fetchrow(LABEL_OF[service])


@pytest.mark.usefixtures("no_waiting")
async def test_makes_another_event_on_which_all_readers_agree(labeler: Labeler, servers: Servers) -> None:
    """Berta's correction comes before Anna's in the log; Anna sends hers again on top of Berta's, under the same key,
    while the tables know Berta's only."""
    stored = image_stored(label="dandelion")
    image_id = stored.image_id
    await labeler.tell(image_registered(image_id=image_id), stored)
    first_id = correction_id("anna", "k1", image_id, 1, "grass")
    second_id = correction_id("anna", "k1", image_id, 2, "grass")

    async with labeler.tables.transaction() as transaction:
        await transaction.execute(HELD_UP, first_id)  # the projection waits before anna's first, until this is undone
        await transaction.execute("SAVEPOINT before")
        await transaction.execute("LOCK TABLE label_history IN SHARE MODE")
        bertas = await labeler.correct("berta", image_id, "dandelion", 0)

        async def taken() -> bool:
            return bool(await labeler.tables.fetchval(WAITING))

        await eventually(taken)
        first = await labeler.correct("anna", image_id, "grass", 0, key="k1")
        await transaction.execute("ROLLBACK TO SAVEPOINT before")

        async def shown() -> bool:
            return int((await labeler.get(f"/images/{image_id}"))["revision"]) == 1

        await eventually(shown)
        second = await labeler.correct("anna", image_id, "grass", 1, key="k1")
        await transaction.execute("DELETE FROM label_history WHERE event_id = $1", first_id)
    await labeler.tell()

    assert [answer.status_code for answer in (bertas, first, second)] == [202, 202, 202]
    assert [event.event_id for event in labeler.event_log.events(LabelCorrected)][1:] == [first_id, second_id]
    again = await labeler.correct("anna", image_id, "grass", 1, key="k1")
    stale = await labeler.correct("anna", image_id, "grass", 0, key="k1")
    assert (again.status_code, again.json()["revision"]) == (200, 2)
    assert (stale.status_code, stale.json()["error"]) == (409, "superseded")
    assert len(labeler.event_log.events(LabelCorrected)) == 3
    shows = await labeler.get(f"/images/{image_id}")
    assert (shows["label"], shows["revision"], shows["corrected_by"]) == ("grass", 2, "anna")
    for service, projectors in (("ingestor", Tables("pappus", 5).projectors), ("trainer", TRAINER)):
        row = await label_in(servers, labeler.event_log, service, projectors)
        assert row is not None
        assert (row["label"], row["revision"]) == ("grass", 2), service

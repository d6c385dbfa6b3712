"""Every table is the fold of its topics, in any order of the topics and with any repetition of records."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ingestor.data.projection import Tables
from services.labeler.data.projection import PROJECTORS as LABELER
from services.predictor.data.projection import projectors as predictor
from services.trainer.data.projection import PROJECTORS as TRAINER
from shared.contract.events import ImageEvent
from shared.contract.replicas import AnswersLogged
from shared.messaging.event_log import Record, TopicPartition
from shared.tables.database import Database
from shared.tables.dump import canonical_dump
from shared.tables.projection import ProjectionBatch, Projector
from shared.testing import fresh_schema

from .demo_run import Told, readable

PROJECTORS: Mapping[str, Callable[[], Sequence[Projector]]] = {
    "ingestor": lambda: Tables("pappus", 5).projectors,
    "labeler": lambda: LABELER,
    "predictor": predictor,
    "trainer": lambda: TRAINER,
}
OTHER_IMAGES, PREDICTIONS = 20, 30
Step = tuple[int, int, int]
"""Which partition, how many records again, how many records on."""

steps = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 6), st.integers(1, 12)), max_size=60)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for all examples, as connections belong to a loop."""
    with asyncio.Runner() as one:
        yield one


@pytest.fixture(scope="module")
def history(told: Told, runner: asyncio.Runner) -> list[list[Record]]:
    """What this stack has recorded, partition by partition: all there is about models and requests, about every image
    that was corrected or rejected, and about some others, so that a fold takes no second."""
    topics = {projector.event.topic for each in PROJECTORS.values() for projector in each()}
    records = runner.run(told.records(sorted(topics)))
    places: dict[TopicPartition, list[Record]] = defaultdict(list)
    chosen = eventful(records)
    predictions = 0
    for record in records:
        event = readable(record)
        predictions += isinstance(event, AnswersLogged)
        if event is None or (isinstance(event, ImageEvent) and event.image_id not in chosen):
            continue
        if isinstance(event, AnswersLogged) and predictions > PREDICTIONS:
            continue
        places[record.topic_partition].append(record)
    return list(places.values())


def eventful(records: Sequence[Record]) -> set[object]:
    """Return the images that were corrected or rejected, and some others."""
    events = [event for record in records if isinstance(event := readable(record), ImageEvent)]
    special = {event.image_id for event in events if event.topic in ("label.corrected", "image.rejected")}
    return special | {event.image_id for event in events[:OTHER_IMAGES]}


class Scratch:
    """Tables of one service in a schema of their own, the partitions it reads, and the tables after these were folded
    in order. (No dataclass: its values would be printed with every failing example.)"""

    def __init__(
        self, database: Database, projectors: Sequence[Projector], history: Sequence[Sequence[Record]]
    ) -> None:
        topics = {projector.event.topic for projector in projectors}
        self.database = database
        self.projectors = projectors
        self.partitions = [records for records in history if records[0].topic in topics]
        self.in_order: Mapping[str, str] = {}

    async def fold(self, records: Sequence[Record]) -> Mapping[str, str]:
        """Return the tables, folded anew from these records."""
        tables = await self.database.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename <> 'migrations'", self.database.schema
        )
        async with self.database.transaction() as transaction:
            await transaction.execute(f"TRUNCATE {', '.join(row['tablename'] for row in tables)}")
            await ProjectionBatch(self.database.schema, self.projectors, publisher=None).batch(transaction, records)
        return await canonical_dump(self.database, without=("positions",))


@pytest.fixture(scope="module", params=sorted(PROJECTORS))
def scratch(
    request: pytest.FixtureRequest, told: Told, runner: asyncio.Runner, history: Sequence[Sequence[Record]]
) -> Iterator[Scratch]:
    """Tables of each service, in turn."""
    service, stack = request.param, AsyncExitStack()

    async def opened() -> Scratch:
        url, projectors = told.servers.database_url("postgres"), PROJECTORS[service]()
        schema = await stack.enter_async_context(fresh_schema(url, f"services.{service}.data.sql"))
        database = await stack.enter_async_context(schema.open())
        ours = Scratch(database, projectors, history)
        ours.in_order = await ours.fold([record for records in ours.partitions for record in records])
        return ours

    try:
        yield runner.run(opened())
    finally:
        runner.run(stack.aclose())


def delivered(partitions: Sequence[Sequence[Record]], steps: Sequence[Step]) -> Iterator[Record]:
    """Yield every record at least once, each partition in its order, with steps back as a consumer makes them: what
    comes after a step back comes again."""
    at = [0] * len(partitions)
    for number, again, on in steps:
        chosen = number % len(partitions)
        start = max(0, at[chosen] - again)
        at[chosen] = start + on
        yield from partitions[chosen][start : start + on]
    for records, position in zip(partitions, at, strict=True):
        yield from records[position:]


@settings(max_examples=12, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=steps)
def test_any_order_of_the_topics_and_any_repetition_gives_the_same_tables(
    scratch: Scratch, runner: asyncio.Runner, steps: Sequence[Step]
) -> None:
    assert runner.run(scratch.fold(list(delivered(scratch.partitions, steps)))) == scratch.in_order


def test_the_history_is_worth_folding(history: Sequence[Sequence[Record]]) -> None:
    topics = {records[0].topic for records in history}
    assert topics >= {"image.registered", "image.stored", "label.corrected", "model.trained", "model.promoted"}
    assert sum(map(len, history)) > 100

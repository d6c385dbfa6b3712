"""Projections on a real PostgreSQL: exactly once, the same in any interleaving, and never on another log."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Literal
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.contract.events import EVENT_OF_TOPIC, Event, ImageRegistered, ImageRejected, LabelCorrected
from shared.contract.race_rules import label_applies
from shared.contract.replicas import PredictionLogged
from shared.messaging.codec import encode
from shared.messaging.event_log import EventLog, TopicPartition
from shared.runtime.errors import InvalidMessage, LogReplaced, TransientError
from shared.runtime.health import Health
from shared.tables.database import Database, Row
from shared.tables.dump import canonical_dump
from shared.tables.projection import (
    Projection,
    ProjectionBatch,
    Projector,
    Transaction,
    on_event,
    wait_until_caught_up,
    wait_until_projected,
)
from shared.testing import (
    FreshSchema,
    MemoryEventLog,
    eventually,
    image_registered,
    image_rejected,
    label_corrected,
    prediction_logged,
)

TOPICS = (ImageRegistered.topic, ImageRejected.topic)


async def apply_image_registered(event: ImageRegistered, transaction: Transaction) -> None:
    if event.registered_by == "unknown":
        await transaction.execute("INSERT INTO images (image_id, label) VALUES ($1, 'half written')", event.image_id)
        raise InvalidMessage("the registrar is unknown")
    if event.registered_by == "bug":
        raise KeyError("a bug")
    await transaction.execute(
        """
        INSERT INTO images (image_id, label, attempts) VALUES ($1, $2, $3)
        ON CONFLICT (image_id) DO UPDATE SET label = excluded.label, attempts = greatest(images.attempts, $3)
        """,
        event.image_id,
        event.label,
        event.attempt,
    )


async def apply_image_rejected(event: ImageRejected, transaction: Transaction) -> None:
    await transaction.execute(
        """
        INSERT INTO images (image_id, reasons) VALUES ($1, jsonb_build_array($2::text))
        ON CONFLICT (image_id) DO UPDATE SET reasons =
            CASE WHEN images.reasons ? $2 THEN images.reasons ELSE images.reasons || to_jsonb($2::text) END
        """,
        event.image_id,
        f"{event.attempt} {event.reason}",
    )


PROJECTORS: tuple[Projector, ...] = (
    on_event(ImageRegistered, apply_image_registered),
    on_event(ImageRejected, apply_image_rejected),
)


async def publish(event_log: EventLog, *events: Event) -> None:
    async with event_log.publisher("pappus/jobs") as publisher:
        await publisher.publish(events)


@asynccontextmanager
async def projecting(
    event_log: EventLog, database: Database, health: Health | None = None, projectors: Sequence[Projector] = PROJECTORS
) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(Projection(event_log, database, projectors, health or Health()).run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def images(database: Database) -> dict[UUID, Row]:
    return {row["image_id"]: row for row in await database.fetch("SELECT * FROM images")}


async def test_events_become_rows_that_can_be_waited_for(event_log: EventLog, database: Database) -> None:
    events = [image_registered() for _ in range(30)]
    await publish(event_log, *events)
    async with projecting(event_log, database):
        await wait_until_caught_up(event_log, database, TOPICS, 20)
        assert set(await images(database)) == {event.image_id for event in events}
        await publish(event_log, late := image_registered())
        await wait_until_caught_up(event_log, database, TOPICS, 20)
        assert late.image_id in await images(database)


async def test_a_restart_goes_on_where_the_tables_are(event_log: EventLog, database: Database) -> None:
    applied: list[UUID] = []

    async def apply(event: ImageRegistered, transaction: Transaction) -> None:
        applied.append(event.event_id)

    events = [image_registered() for _ in range(20)]
    for half in (events[:10], events[10:]):
        await publish(event_log, *half)
        async with projecting(event_log, database, projectors=[on_event(ImageRegistered, apply)]):
            await wait_until_caught_up(event_log, database, [ImageRegistered.topic], 20)
    assert sorted(applied) == sorted(event.event_id for event in events)


async def test_one_of_two_processes_writes_and_the_other_takes_over(schema: FreshSchema) -> None:
    event_log, writers = MemoryEventLog(), set[str]()

    def projectors(name: str) -> list[Projector]:
        async def apply(event: ImageRegistered, transaction: Transaction) -> None:
            writers.add(name)

        return [on_event(ImageRegistered, apply)]

    async with schema.open() as one, schema.open() as two:
        async with projecting(event_log, one, projectors=projectors("one")):
            await publish(event_log, image_registered())
            await wait_until_caught_up(event_log, one, [ImageRegistered.topic], 20)
            async with projecting(event_log, two, projectors=projectors("two")):
                await publish(event_log, *(image_registered() for _ in range(10)))
                await wait_until_caught_up(event_log, two, [ImageRegistered.topic], 20)
                assert writers == {"one"}
        async with projecting(event_log, two, projectors=projectors("two")):
            await publish(event_log, image_registered())
            await wait_until_caught_up(event_log, two, [ImageRegistered.topic], 20)
            assert writers == {"one", "two"}


async def test_a_bug_in_a_projector_stops_the_projection_and_writes_nothing(database: Database) -> None:
    event_log = MemoryEventLog()
    await publish(event_log, image_registered(), image_registered(registered_by="bug"), image_registered())
    async with projecting(event_log, database) as task:
        with pytest.raises(KeyError, match="a bug") as raised:
            await task
    assert "image.registered" in raised.value.__notes__[0]
    assert not await images(database)
    assert await database.fetchval("SELECT sum(next_offset) FROM positions") == 0


async def test_an_invalid_event_becomes_a_dead_letter_and_leaves_no_rows(
    database: Database,
) -> None:
    event_log = MemoryEventLog()
    good = [image_registered() for _ in range(3)]
    await publish(event_log, good[0], image_registered(registered_by="unknown"), good[1])
    event_log.append(ImageRegistered.topic, "key", b"not an event")
    await publish(event_log, good[2])
    async with projecting(event_log, database):
        await wait_until_caught_up(event_log, database, TOPICS, 20)
    assert set(await images(database)) == {event.image_id for event in good}
    dead_letters = event_log.dead_letters(ImageRegistered.topic)
    assert sorted(dead_letter.detail.split()[0] for dead_letter in dead_letters) == ["A", "the"]
    assert {dead_letter.handler for dead_letter in dead_letters} == {f"projection {database.schema}"}


class NewerImageRegistered(ImageRegistered):
    """The event as a newer release knows it."""

    trust: Literal["claimed", "seed", "reviewed", "inherited"] = "claimed"  # type: ignore[assignment]


async def test_an_event_of_a_newer_release_stops_in_red_and_is_folded_by_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    event_log, health = MemoryEventLog(), Health()
    before, unknown, after = image_registered(), image_registered(), image_registered()
    await publish(event_log, before)
    envelope = json.loads(encode(unknown, "pappus/jobs"))
    envelope["data"]["trust"] = "inherited"
    event_log.append(ImageRegistered.topic, before.key, json.dumps(envelope).encode())
    await publish(event_log, after)
    async with projecting(event_log, database, health):
        await eventually(lambda: "newer release" in str(health.report()))
        assert not health.ok
        await eventually(lambda: is_shown(database, before))
        assert unknown.image_id not in await images(database)
        assert not event_log.dead_letters(ImageRegistered.topic)
    monkeypatch.setitem(EVENT_OF_TOPIC, ImageRegistered.topic, NewerImageRegistered)
    async with projecting(event_log, database):
        await wait_until_caught_up(event_log, database, TOPICS, 20)
    assert (await images(database)).keys() == {before.image_id, unknown.image_id, after.image_id}


async def is_shown(database: Database, event: ImageRegistered) -> bool:
    return event.image_id in await images(database)


async def test_an_undecodable_last_record_is_recognised_after_a_restart(database: Database) -> None:
    event_log = MemoryEventLog()
    event_log.append(ImageRegistered.topic, "key", b"not an event")
    for _ in range(2):
        async with projecting(event_log, database):
            await wait_until_caught_up(event_log, database, TOPICS, 20)
    assert len(event_log.dead_letters(ImageRegistered.topic)) == 1


class TestAnotherLog:
    async def fold(self, event_log: MemoryEventLog, database: Database, *events: Event) -> None:
        await publish(event_log, *events)
        async with projecting(event_log, database):
            await wait_until_caught_up(event_log, database, TOPICS, 20)

    async def refuses(self, event_log: MemoryEventLog, database: Database, why: str) -> None:
        async with projecting(event_log, database) as task:
            with pytest.raises(LogReplaced, match=why) as raised:
                await asyncio.wait_for(task, 20)
        assert "pappus replay" in str(raised.value)

    async def test_that_is_shorter_is_refused(self, database: Database) -> None:
        event_log = MemoryEventLog()
        await self.fold(event_log, database, image_registered())
        event_log.clear()
        await self.refuses(event_log, database, "ends at 0")

    async def test_with_other_events_at_the_same_offsets_is_refused(self, database: Database) -> None:
        event_log, image_id = MemoryEventLog(), uuid4()
        await self.fold(event_log, database, image_registered(image_id=image_id))
        event_log.clear()
        await publish(event_log, *(image_registered(image_id=image_id, attempt=attempt) for attempt in (2, 3)))
        await self.refuses(event_log, database, "not the one that was folded")

    async def test_that_lost_its_beginning_is_refused_on_a_topic_that_never_expires(self, database: Database) -> None:
        event_log, image_id = MemoryEventLog(), uuid4()
        await self.fold(event_log, database, image_registered(image_id=image_id))
        await publish(event_log, *(image_registered(image_id=image_id, attempt=attempt) for attempt in (2, 3)))
        event_log.expire(event_log.records(ImageRegistered.topic)[0].topic_partition, 2)
        await self.refuses(event_log, database, "begins at 2")

    async def test_is_noticed_while_reading(self, database: Database) -> None:
        event_log, image_id = MemoryEventLog(), uuid4()
        await publish(event_log, *(image_registered(image_id=image_id, attempt=attempt) for attempt in (1, 2, 3)))
        async with projecting(event_log, database) as task:
            await wait_until_caught_up(event_log, database, TOPICS, 20)
            event_log.clear()
            event_log.wake()
            with pytest.raises(LogReplaced):
                await asyncio.wait_for(task, 20)


async def test_a_time_limited_topic_may_jump_forward(database: Database) -> None:
    event_log, prediction_id, seen = MemoryEventLog(), uuid4(), list[float]()

    async def apply(event: PredictionLogged, transaction: Transaction) -> None:
        seen.append(event.milliseconds)

    async def fold(*milliseconds: float) -> None:
        for number in milliseconds:
            await publish(event_log, prediction_logged(prediction_id=prediction_id, milliseconds=number))
        async with projecting(event_log, database, projectors=[on_event(PredictionLogged, apply)]):
            await wait_until_caught_up(event_log, database, [PredictionLogged.topic], 20)

    await fold(1, 2)
    place = event_log.records(PredictionLogged.topic)[0].topic_partition
    await publish(
        event_log, *(prediction_logged(prediction_id=prediction_id, milliseconds=number) for number in (3, 4))
    )
    event_log.expire(place, 3)
    await fold(5)
    assert seen == [1, 2, 4, 5]
    event_log.expire(place, 5)
    await fold()
    await fold(6)
    assert seen == [1, 2, 4, 5, 6]


async def test_after_a_lost_connection_the_projection_goes_on_with_a_new_one(
    database: Database, schema: FreshSchema
) -> None:
    event_log, health = MemoryEventLog(), Health()
    async with projecting(event_log, database, health):
        for _ in range(8):
            events = [image_registered() for _ in range(20)]
            await publish(event_log, *events[:10])
            await schema.hang_up()
            await publish(event_log, *events[10:])

            async def there(wanted: frozenset[UUID] = frozenset(event.image_id for event in events)) -> bool:
                try:
                    return wanted <= set(await images(database))
                except TransientError:
                    return False

            await eventually(there)
        await eventually(lambda: health.ok)
    assert await database.fetchval("SELECT sum(next_offset) FROM positions") == 160


async def test_waiting_for_tables_without_a_projection_says_what_is_missing(database: Database) -> None:
    event_log = MemoryEventLog()
    await publish(event_log, image_registered())
    with pytest.raises(TransientError, match=r"image\.registered\[\d\] by 1"):
        await wait_until_caught_up(event_log, database, TOPICS, 0.1)


async def test_one_can_wait_for_what_one_has_published(database: Database) -> None:
    event_log = MemoryEventLog()
    async with projecting(event_log, database), event_log.publisher("pappus/jobs") as publisher:
        await wait_until_caught_up(event_log, database, TOPICS, 20)
        for _ in range(5):
            event = image_registered()
            records = await publisher.publish([event, label_corrected()])  # the second is folded nowhere here
            await wait_until_projected(database, records, 20)
            assert event.image_id in await images(database)


async def apply_label_corrected(event: LabelCorrected, transaction: Transaction) -> None:
    row = await transaction.fetchrow("SELECT attempts FROM images WHERE image_id = $1", event.image_id)
    current = row["attempts"] if row else 0
    if label_applies(current, event.revision):
        await transaction.execute(
            "INSERT INTO images (image_id, label, attempts) VALUES ($1, $2, $3)"
            " ON CONFLICT (image_id) DO UPDATE SET label = excluded.label, attempts = excluded.attempts",
            event.image_id,
            event.label_to,
            event.revision,
        )


IDS = [UUID(int=number) for number in range(4)]
corrections = st.builds(
    lambda image, revision, label: label_corrected(image_id=IDS[image], revision=revision, label_to=label),
    st.integers(0, 3),
    st.integers(1, 4),
    st.sampled_from(["grass", "dandelion"]),
)
rejections = st.builds(
    lambda image, attempt: image_rejected(image_id=IDS[image], attempt=attempt), st.integers(0, 3), st.integers(1, 3)
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    events=st.lists(st.one_of(corrections, rejections), max_size=30),
    repeated=st.lists(st.integers(0, 29), max_size=10),
    seed=st.integers(0, 2**16),
)
async def test_any_repetition_batching_and_interleaving_gives_the_same_tables(
    database: Database, events: list[Event], repeated: list[int], seed: int
) -> None:
    """Partition order is kept, as Kafka keeps it; everything else is chosen at random."""
    event_log, dice = MemoryEventLog(), random.Random(seed)
    await publish(event_log, *events, *(events[index] for index in repeated if index < len(events)))
    projectors = [on_event(LabelCorrected, apply_label_corrected), on_event(ImageRejected, apply_image_rejected)]

    async def fold(sizes: random.Random | None) -> dict[str, str]:
        await database.execute("TRUNCATE images, positions")
        queues = {
            place: [record for record in event_log.records(topic) if record.topic_partition == place]
            for topic in (LabelCorrected.topic, ImageRejected.topic)
            for place in (TopicPartition(topic, number) for number in range(4))
        }
        async with database.lock("projection") as connection:
            one = ProjectionBatch(database.schema, projectors, publisher=None)
            while any(queues.values()):
                batch = []
                for _ in range(sizes.randint(1, 7) if sizes else 1000):
                    if open_queues := [queue for queue in queues.values() if queue]:
                        batch.append((sizes.choice(open_queues) if sizes else open_queues[0]).pop(0))
                await one.batch(connection, batch)
        dump = await canonical_dump(database, ["images", "positions"])
        rows = sorted(
            (row["image_id"], row["label"], sorted(row["reasons"])) for row in (await images(database)).values()
        )
        return {"rows": repr(rows), "positions": dump["positions"]}

    assert await fold(dice) == await fold(None)

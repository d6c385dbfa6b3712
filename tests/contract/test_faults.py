"""What happens to events when processes are killed and the broker goes away, on the real one."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from aiokafka.errors import OutOfOrderSequenceNumber  # type: ignore[import-untyped]

from pappus.stack import Servers
from shared.contract.events import Event, ImageRegistered, ImageRejected, uuid_of
from shared.contract.topics import Topic
from shared.messaging.codec import decode
from shared.messaging.event_log import EventLog
from shared.messaging.handler import run_handlers, subscribe
from shared.messaging.kafka import Copies, KafkaEventLog, create_topics, group_lag, wait_until_ready
from shared.runtime.errors import TransientError
from shared.runtime.health import Health
from shared.tables.database import Database
from shared.tables.projection import Projection, Transaction, on_event, wait_until_caught_up
from shared.testing import eventually, image_registered, image_rejected, read_all

pytestmark = pytest.mark.timeout(300)

BOUND_SECONDS = 35  # of what must not wait for a broker that is away; the client alone would wait for 40 s

CHILD = """
import asyncio, signal, sys
from shared.contract.events import ImageRegistered, uuid_of
from shared.messaging.handler import run_handlers, subscribe
from shared.runtime.health import Health
from shared.messaging.kafka import open_event_log
from shared.runtime.kafka_connection import KafkaConnection
from shared.testing import image_rejected

async def on_image_registered(event):
    await asyncio.sleep(0.01)
    print("handled", event.event_id, flush=True)
    outcome = uuid_of("outcome", event.event_id)
    return [image_rejected(image_id=event.image_id, event_id=outcome, causes=(event.event_id,))]

async def main():
    async with open_event_log(KafkaConnection(sys.argv[1])) as event_log:
        await run_handlers(
            event_log, group=sys.argv[3], source="pappus/jobs", member=sys.argv[2] or None, concurrency=4,
            subscriptions=[subscribe(ImageRegistered, on_image_registered)], health=Health(),
        )

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that runs tests in the background has it ignored
asyncio.run(main())
"""


@asynccontextmanager
async def child(servers: Servers, member: str, group: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, servers.kafka_bootstrap, member, group, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def handled(process: asyncio.subprocess.Process, count: int) -> None:
    """Wait until the child has reported `count` handled events."""
    assert process.stdout is not None
    while count:
        line = await process.stdout.readline()
        assert line, "the child has ended"
        count -= line.startswith(b"handled")


async def causes_of_outcomes(event_log: EventLog) -> list[UUID]:
    records = await read_all(event_log, [ImageRejected.topic])
    return [cause for record in records for cause in decode(record.topic, record.value).causes]


async def publish(event_log: EventLog, events: Sequence[Event]) -> None:
    async with event_log.publisher("pappus/jobs") as publisher:
        await publisher.publish(events)


async def test_killing_a_handler_in_the_middle_loses_nothing(servers: Servers, kafka: EventLog) -> None:
    events = [image_registered() for _ in range(1200)]
    await publish(kafka, events)
    for _ in range(3):
        async with child(servers, "fetcher-0", "killed") as process:
            await handled(process, 200)
            process.kill()
    async with child(servers, "fetcher-0", "killed") as process:

        async def all_done() -> bool:
            return not sum((await group_lag(servers.kafka, "killed", [ImageRegistered.topic])).values())

        await eventually(all_done, 120)
    outcomes = await causes_of_outcomes(kafka)
    assert set(outcomes) == {event.event_id for event in events}


async def test_asking_a_handler_to_end_commits_what_is_finished(servers: Servers, kafka: EventLog) -> None:
    await publish(kafka, [image_registered() for _ in range(300)])
    async with child(servers, "", "ended") as process:
        await handled(process, 100)
        process.send_signal(signal.SIGINT)
        await process.communicate()
    committed = 300 - sum((await group_lag(servers.kafka, "ended", [ImageRegistered.topic])).values())
    outcomes = await causes_of_outcomes(kafka)
    assert 0 < committed <= len(outcomes)
    assert len(outcomes) - committed <= 4 * 4, "at most what was in flight comes again"


async def test_members_that_come_and_go_lose_nothing_and_hand_over_their_work(
    servers: Servers, kafka: KafkaEventLog
) -> None:
    taken: Counter[UUID] = Counter()
    events: list[ImageRegistered] = []

    async def on_image_registered(event: ImageRegistered) -> Sequence[Event]:
        taken[event.event_id] += 1
        await asyncio.sleep(0.01)
        return [image_rejected(image_id=event.image_id, causes=(event.event_id,))]

    def member() -> asyncio.Task[None]:
        subscriptions = [subscribe(ImageRegistered, on_image_registered)]
        running = run_handlers(
            kafka, group="fleet", source="pappus/jobs", subscriptions=subscriptions, health=Health(), concurrency=4
        )
        return asyncio.create_task(running)

    async def more() -> None:
        wanted = len(taken) + 50
        events.extend(new := [image_registered() for _ in range(100)])
        await publish(kafka, new)
        await eventually(lambda: len(taken) >= wanted, 60)

    fleet = [member()]
    try:
        for _ in range(3):
            await more()
            fleet.append(member())
            await more()
            fleet.append(member())
            await more()
            leaving = fleet.pop(0)
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
        await eventually(lambda: len(taken) == len(events), 60)

        async def all_committed() -> bool:
            return not sum((await group_lag(servers.kafka, "fleet", [ImageRegistered.topic])).values())

        await eventually(all_committed, 60)
        assert not any(task.done() for task in fleet)
    finally:
        for task in fleet:
            task.cancel()
        await asyncio.gather(*fleet, return_exceptions=True)
    assert set(await causes_of_outcomes(kafka)) == {event.event_id for event in events}
    again = sum(times - 1 for times in taken.values())
    assert again <= 3 * 4, "only what a leaving member had in flight is done again"


@asynccontextmanager
async def broker_away(servers: Servers) -> AsyncIterator[None]:
    """Have the broker keep its connections and answer nothing, then continue it and wait until it answers."""
    await asyncio.to_thread(servers.pause, "kafka")
    try:
        await eventually(lambda: servers.paused("kafka"))
        yield
    finally:
        await asyncio.to_thread(servers.resume, "kafka")
        await wait_until_ready(servers.kafka, 60)


async def kill_broker(servers: Servers) -> None:
    """Kill the broker, which is started again."""
    before = servers.start_of("kafka")
    assert before is not None
    await asyncio.to_thread(servers.kill, "kafka")
    await eventually(lambda: servers.start_of("kafka") not in (before, None), 60)


async def test_publishing_and_closing_are_bounded_while_the_broker_is_away(
    servers: Servers, kafka: KafkaEventLog
) -> None:
    async with kafka.publisher("pappus/jobs", timeout_seconds=1.0) as publisher:

        async def connected() -> bool:
            try:
                return bool(await publisher.publish([image_registered()]))
            except TransientError:  # on a busy machine a start takes longer
                return False

        await eventually(connected, 60)
        async with broker_away(servers), asyncio.timeout(BOUND_SECONDS):
            with pytest.raises(TransientError, match="unknown"):
                await publisher.publish([late := image_registered()])
    async with kafka.publisher("pappus/jobs", timeout_seconds=20.0) as publisher:
        await publisher.publish([late])  # the same id again: harmless
    async with (
        broker_away(servers),
        asyncio.timeout(BOUND_SECONDS),
        kafka.publisher("pappus/jobs", timeout_seconds=0.5) as publisher,
    ):
        with pytest.raises(TransientError):
            await publisher.publish([image_registered()])


async def test_asking_and_committing_are_bounded_while_the_broker_is_away(
    servers: Servers, kafka: KafkaEventLog
) -> None:
    await publish(kafka, [image_registered()])
    async with kafka.group("bounded", [ImageRegistered.topic]) as consumer, kafka.reader(["image.stored"]) as reader:
        records = await eventually(lambda: consumer.poll(1.0), 60)
        await reader.end_offsets()
        async with broker_away(servers), asyncio.timeout(BOUND_SECONDS):
            with pytest.raises(TransientError):
                await consumer.commit({records[0].topic_partition: 1})
            with pytest.raises(TransientError):
                await reader.end_offsets()


async def test_too_few_brokers_for_a_topic_may_pass_and_is_said(servers: Servers) -> None:
    await wait_until_ready(servers.kafka, 60)
    with pytest.raises(TransientError, match="too few brokers for topic everywhere"):
        await create_topics(servers.kafka, [Topic("everywhere", 1)], copies=Copies(2))


async def test_clients_that_cannot_end_in_order_leave_nothing_running(servers: Servers, kafka: KafkaEventLog) -> None:
    await publish(kafka, [image_registered()])
    before = asyncio.all_tasks()
    async with AsyncExitStack() as clients:
        consumer = await clients.enter_async_context(kafka.group("dropped", [ImageRegistered.topic]))
        await eventually(lambda: consumer.poll(1.0), 60)
        publisher = await clients.enter_async_context(kafka.publisher("pappus/jobs", timeout_seconds=20.0))
        await publisher.publish([image_registered()])
        async with broker_away(servers):
            pending = asyncio.create_task(publisher.publish([image_registered()]))
            await asyncio.sleep(0)
            await clients.aclose()
            with pytest.raises(TransientError):
                await pending
            await eventually(lambda: not (asyncio.all_tasks() - before))


async def test_a_projection_says_whether_it_waits_for_the_broker_or_stands_by(
    servers: Servers, kafka: KafkaEventLog, database: Database
) -> None:
    healths = [Health(), Health()]

    async def apply(_: ImageRejected, __: Transaction) -> None: ...

    def shown() -> set[tuple[bool, str]]:
        states = [state for health in healths if (state := health.state(f"projection {database.schema}"))]
        return {(state.ok, state.detail.partition(":")[0]) for state in states}

    tasks = []
    try:
        async with broker_away(servers):
            for health in healths:
                projection = Projection(kafka, database, [on_event(ImageRejected, apply)], health)
                tasks.append(asyncio.create_task(projection.run()))
            await eventually(lambda: shown() == {(False, "waiting for Kafka"), (True, "standing by")})
        await eventually(lambda: shown() == {(True, ""), (True, "standing by")}, 60)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_producer_that_the_broker_made_useless_is_replaced(kafka: KafkaEventLog) -> None:
    async with kafka.publisher("pappus/jobs") as publisher:
        await publisher.publish([image_registered()])

        async def refuse(*_: object) -> None:
            raise OutOfOrderSequenceNumber

        inside: Any = publisher
        inside._producer.result()._sender._maybe_wait_for_pid = refuse
        failures = 0

        async def published() -> bool:
            nonlocal failures
            try:
                return bool(await publisher.publish([image_registered()]))
            except TransientError:
                failures += 1
                return False

        await eventually(published)
        await eventually(published)
        assert failures >= 1


async def test_nothing_acknowledged_is_lost_when_the_broker_is_killed_under_load(
    servers: Servers, kafka: KafkaEventLog, database: Database
) -> None:
    """A publisher, a handler and a projection recover without help; every acknowledged event ends in the tables."""
    acknowledged: list[UUID] = []
    stop = asyncio.Event()

    async def publish_until_stopped() -> None:
        async with kafka.publisher("pappus/jobs", timeout_seconds=20) as publisher:
            while not stop.is_set():
                event = image_registered()
                try:
                    await publisher.publish([event])
                except TransientError:
                    continue
                acknowledged.append(event.event_id)
                await asyncio.sleep(0.005)

    async def on_image_registered(event: ImageRegistered) -> Sequence[Event]:
        outcome = uuid_of("outcome", event.event_id)
        return [image_rejected(image_id=event.image_id, event_id=outcome, causes=(event.event_id,))]

    async def apply_image_rejected(event: ImageRejected, transaction: Transaction) -> None:
        sql = "INSERT INTO images (image_id, label) VALUES ($1, $2) ON CONFLICT DO NOTHING"
        await transaction.execute(sql, event.image_id, str(event.causes[0]))

    health = Health()
    handlers = run_handlers(
        kafka,
        group="under-load",
        source="pappus/jobs",
        subscriptions=[subscribe(ImageRegistered, on_image_registered)],
        health=health,
        member="one",
    )
    projection = Projection(kafka, database, [on_event(ImageRejected, apply_image_rejected)], health)
    tasks = [asyncio.create_task(work) for work in (publish_until_stopped(), handlers, projection.run())]
    try:
        await eventually(lambda: len(acknowledged) > 100, 60)
        await kill_broker(servers)
        count = len(acknowledged)
        await eventually(lambda: len(acknowledged) > count + 100, 90)
        stop.set()
        await tasks[0]

        async def all_there() -> bool:
            await wait_until_caught_up(kafka, database, [ImageRejected.topic], 60)
            rows = await database.fetch("SELECT label FROM images")
            return {str(event_id) for event_id in acknowledged} <= {row["label"] for row in rows}

        await eventually(all_there, 60)
        assert not tasks[1].done()
        assert not tasks[2].done()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

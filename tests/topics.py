"""Topics of a broker that many tests share, empty again for the next of them."""

import asyncpg
from aiokafka import AIOKafkaConsumer  # type: ignore[import-untyped]
from aiokafka.admin import AIOKafkaAdminClient  # type: ignore[import-untyped]

from pappus.stack import Servers
from shared.contract.topics import TOPICS
from shared.messaging.kafka import create_topics, wait_until_ready
from shared.runtime.kafka_connection import KafkaConnection
from shared.testing import eventually


async def empty_topics(servers: Servers) -> None:
    """Leave the broker with the declared topics, all empty and beginning at offset 0, and let the tables of services
    forget how far they were folded from them: else the next projection finds that its log was replaced.

    Only topics that hold records, or that are not declared, are deleted: making all of them anew takes a second.
    """
    await wait_until_ready(servers.kafka, 60)  # the test before may have stopped the broker
    admin = AIOKafkaAdminClient(**servers.kafka.client_settings)
    await admin.start()
    try:
        names = {name for name in await admin.list_topics() if not name.startswith("__")}
        if used := sorted(names - await _empty_of(servers.kafka, names)):
            await admin.delete_topics(used)

            async def gone() -> bool:
                return not set(used) & set(await admin.list_topics())

            await eventually(gone)
            await _forget_positions(servers.database_url("postgres"), used)
    finally:
        await admin.close()
    if len(names) - len(used) < len(TOPICS):
        await create_topics(servers.kafka)


async def _empty_of(kafka: KafkaConnection, names: set[str]) -> set[str]:
    """Return the declared topics among these that have never held a record."""
    declared = names & {topic.name for topic in TOPICS}
    if not declared:
        return set()
    consumer = AIOKafkaConsumer(*declared, **kafka.client_settings)
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
    finally:
        await consumer.stop()
    return declared - {partition.topic for partition, end in ends.items() if end}


async def _forget_positions(database_url: str, topics: list[str]) -> None:
    """Delete the positions in these topics from every schema."""
    connection = await asyncpg.connect(database_url)
    try:
        schemas = await connection.fetch("SELECT schemaname FROM pg_tables WHERE tablename = 'positions'")
        for row in schemas:
            await connection.execute(f'DELETE FROM "{row[0]}".positions WHERE topic = ANY($1)', topics)
    finally:
        await connection.close()

"""Topics of a broker that many tests share, empty again for the next of them."""

from aiokafka import AIOKafkaConsumer  # type: ignore[import-untyped]
from aiokafka.admin import AIOKafkaAdminClient  # type: ignore[import-untyped]

from shared.contract.topics import TOPICS
from shared.messaging.kafka import create_topics, wait_until_ready
from shared.testing import eventually


async def empty_topics(bootstrap: str) -> None:
    """Leave the broker with the declared topics, all empty and beginning at offset 0.

    Only topics that hold records, or that are not declared, are deleted: making all of them anew takes a second.
    """
    await wait_until_ready(bootstrap, 60)  # the test before may have stopped the broker
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        names = {name for name in await admin.list_topics() if not name.startswith("__")}
        if used := sorted(names - await _empty_of(bootstrap, names)):
            await admin.delete_topics(used)

            async def gone() -> bool:
                return not set(used) & set(await admin.list_topics())

            await eventually(gone)
    finally:
        await admin.close()
    if len(names) - len(used) < len(TOPICS):
        await create_topics(bootstrap)


async def _empty_of(bootstrap: str, names: set[str]) -> set[str]:
    """Return the declared topics among these that have never held a record."""
    declared = names & {topic.name for topic in TOPICS}
    if not declared:
        return set()
    consumer = AIOKafkaConsumer(*declared, bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
    finally:
        await consumer.stop()
    return declared - {partition.topic for partition, end in ends.items() if end}

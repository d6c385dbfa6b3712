"""How many messages a second one client moves, and what a question about lag costs."""

import json
from collections.abc import AsyncIterator, Sequence
from statistics import median
from time import perf_counter

from aiokafka.structs import TopicPartition  # type: ignore[import-untyped]

from bench.kafka_pitfalls.clients import BULK, admin_client, group_member, new_topic, producer, reader
from bench.kafka_pitfalls.rows import Row, format_percentiles

MESSAGES = 50_000
PAYLOAD = json.dumps({"text": "x" * 1_000}).encode()
COMMIT_EVERY = 200
ROUNDS = 3
QUESTIONS = 100
SENT = 10


async def throughput(bootstrap: str) -> AsyncIterator[Row]:
    """Yield rows on messages of 1 KB: send them; consume and parse them in a group with a commit per COMMIT_EVERY."""
    sent, consumed = [], []
    for _ in range(ROUNDS):
        topic = await new_topic(bootstrap)
        sent.append(MESSAGES / await _send_seconds(bootstrap, topic))
        consumed.append(MESSAGES / await _consume_seconds(bootstrap, topic))
    yield Row("send, JSON of 1 KB, bulk settings", _per_second(sent))
    yield Row(f"consume and parse, JSON of 1 KB, a commit per {COMMIT_EVERY}", _per_second(consumed))


async def lag(bootstrap: str) -> AsyncIterator[Row]:
    """Yield a row on the time that a group's committed offsets and the end offsets take."""
    topic = await new_topic(bootstrap)
    partition, group = TopicPartition(topic, 0), f"lag-{topic}"
    consumer = group_member(bootstrap, group)
    consumer.subscribe(topics=[topic])
    seconds, lags = [], set()
    async with producer(bootstrap) as sender, consumer, admin_client(bootstrap) as admin:
        for _ in range(SENT):
            await sender.send_and_wait(topic, b"x")
        await consumer.getone()
        await consumer.commit({partition: 1})
        async with reader(bootstrap, topic) as asking:
            for _ in range(QUESTIONS):
                began = perf_counter()
                committed = await admin.list_consumer_group_offsets(group)
                ends = await asking.end_offsets([partition])
                seconds.append(perf_counter() - began)
                lags.add(ends[partition] - committed[partition].offset)
    right = "right" if lags == {SENT - 1} else f"wrong: {lags} instead of {SENT - 1}"
    yield Row("lag of a group from committed and end offsets", f"{right}; {format_percentiles(seconds)}")


async def _send_seconds(bootstrap: str, topic: str) -> float:
    async with producer(bootstrap, **BULK) as sender:
        began = perf_counter()
        for _ in range(MESSAGES):
            await sender.send(topic, PAYLOAD)
        await sender.flush()
        return perf_counter() - began


async def _consume_seconds(bootstrap: str, topic: str) -> float:
    consumer = group_member(bootstrap, f"throughput-{topic}")
    consumer.subscribe(topics=[topic])
    async with consumer:
        first = await consumer.getone()
        began, partition, read = perf_counter(), TopicPartition(topic, first.partition), 1
        while read < MESSAGES:
            found = await consumer.getmany(partition, timeout_ms=1_000, max_records=COMMIT_EVERY)
            for message in found.get(partition, ()):
                json.loads(message.value)
                read += 1
            await consumer.commit({partition: read})
        return perf_counter() - began


def _per_second(rates: Sequence[float]) -> str:
    low, middle, high = (round(rate / 1000, 1) for rate in (min(rates), median(rates), max(rates)))
    return f"{middle} k/s ({low} to {high}, n = {len(rates)} of {MESSAGES:,} messages)"

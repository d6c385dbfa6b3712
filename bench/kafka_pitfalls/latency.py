"""How long a message takes: to readers without a group, and over two hops."""

import asyncio
from collections.abc import AsyncIterator
from time import perf_counter

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer  # type: ignore[import-untyped]

from bench.kafka_pitfalls.clients import new_topic, producer, reader
from bench.kafka_pitfalls.rows import Row, format_percentiles

OLD, LIVE = 200, 1_000
PERIOD_SECONDS = 0.005
SETTLE_SECONDS = 0.5


async def broadcast(bootstrap: str) -> AsyncIterator[Row]:
    """Yield rows on two readers without a group, with and without linger."""
    for linger_ms in (0, 5):
        topic = await new_topic(bootstrap)
        async with producer(bootstrap, linger_ms=linger_ms) as sender:
            for _ in range(OLD):
                await sender.send(topic, b"old")
            await sender.flush()
            async with reader(bootstrap, topic) as one, reader(bootstrap, topic) as two:
                reading = [asyncio.create_task(_latencies(consumer, OLD)) for consumer in (one, two)]
                await _send_live(sender, topic)
                found = await asyncio.gather(*reading)
        yield Row(
            f"two group-less readers, each gets {OLD} old and {LIVE} live messages, linger {linger_ms} ms",
            format_percentiles([seconds for latencies in found for seconds in latencies]),
        )


async def two_hops(bootstrap: str) -> AsyncIterator[Row]:
    """Yield rows on send, consume, send, consume, with the default wait of a fetch (500 ms) and a short one."""
    for wait_ms in (500, 10):
        first, second = await new_topic(bootstrap), await new_topic(bootstrap)
        async with (
            producer(bootstrap) as sender,
            producer(bootstrap) as relay,
            reader(bootstrap, first, fetch_max_wait_ms=wait_ms) as middle,
            reader(bootstrap, second, fetch_max_wait_ms=wait_ms) as last,
        ):
            relaying = asyncio.create_task(_relay(middle, relay, second))
            reading = asyncio.create_task(_latencies(last, 0))
            await _send_live(sender, first)
            seconds = await reading
            await relaying
        yield Row(f"two hops, fetch_max_wait_ms {wait_ms}", format_percentiles(seconds))


async def _send_live(sender: AIOKafkaProducer, topic: str) -> None:
    """Send LIVE messages with the time of their sending."""
    await asyncio.sleep(SETTLE_SECONDS)
    for _ in range(LIVE):
        await sender.send(topic, str(perf_counter()).encode())
        await asyncio.sleep(PERIOD_SECONDS)


async def _relay(middle: AIOKafkaConsumer, sender: AIOKafkaProducer, topic: str) -> None:
    for _ in range(LIVE):
        await sender.send(topic, (await middle.getone()).value)


async def _latencies(consumer: AIOKafkaConsumer, old: int) -> list[float]:
    """Return seconds since each of LIVE messages was sent, after `old` others."""
    for _ in range(old):
        await consumer.getone()
    seconds = []
    for _ in range(LIVE):
        message = await consumer.getone()
        seconds.append(perf_counter() - float(message.value))
    return seconds

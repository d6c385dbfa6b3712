"""A producer and a consumer that are not told of an outage: do they resume by themselves, and is anything lost?"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer  # type: ignore[import-untyped]
from aiokafka.errors import KafkaError  # type: ignore[import-untyped]

from bench.kafka_pitfalls.clients import group_member, new_topic, producer
from bench.kafka_pitfalls.outage import Outage

PERIOD_SECONDS = 0.02
AFTER_SECONDS = 5.0
DRAIN_SECONDS = 60.0


@dataclass(frozen=True)
class Load:
    """`acknowledged` and `consumed` are seconds from the return of the broker to the first of each."""

    acknowledged: float
    consumed: float
    sent: int
    lost: int
    repeated: int


async def run_load(outage: Outage) -> Load:
    """Send and consume before, during and after the outage."""
    traffic = _Traffic(await new_topic(outage.bootstrap))
    consumer = group_member(outage.bootstrap, f"load-{traffic.topic}")
    consumer.subscribe(topics=[traffic.topic])
    async with producer(outage.bootstrap) as sender, consumer:
        consuming = asyncio.create_task(traffic.consume(consumer))
        sending = asyncio.create_task(traffic.send(sender))
        await outage.wait_until_begun()
        await outage.wait_until_over()
        await asyncio.sleep(AFTER_SECONDS)
        sending.cancel()
        await asyncio.wait(traffic.pending, timeout=DRAIN_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await traffic.all_consumed()
        consuming.cancel()
        await asyncio.gather(sending, consuming, return_exceptions=True)
    return traffic.load(outage.back_at)


@dataclass
class _Traffic:
    """Numbered messages: when each was acknowledged, and when each was read."""

    topic: str
    acknowledged_at: dict[int, float] = field(default_factory=dict)
    consumed_at: dict[int, float] = field(default_factory=dict)
    repeated: int = 0
    pending: set[asyncio.Task[None]] = field(default_factory=set)

    async def send(self, sender: AIOKafkaProducer) -> None:
        number = 0
        while True:
            number += 1
            self.pending.add(asyncio.create_task(self._send(sender, number)))
            await asyncio.sleep(PERIOD_SECONDS)

    async def consume(self, consumer: AIOKafkaConsumer) -> None:
        async for message in consumer:
            number = int(message.value)
            self.repeated += number in self.consumed_at
            self.consumed_at.setdefault(number, perf_counter())

    async def all_consumed(self) -> None:
        while self.acknowledged_at.keys() - self.consumed_at.keys():  # noqa: ASYNC110
            await asyncio.sleep(0.1)

    def load(self, back_at: float) -> Load:
        return Load(
            acknowledged=min(at for at in self.acknowledged_at.values() if at > back_at) - back_at,
            consumed=min(at for at in self.consumed_at.values() if at > back_at) - back_at,
            sent=len(self.acknowledged_at),
            lost=len(self.acknowledged_at.keys() - self.consumed_at.keys()),
            repeated=self.repeated,
        )

    async def _send(self, sender: AIOKafkaProducer, number: int) -> None:
        with suppress(KafkaError):  # raised when an outage outlasts the request timeout: then it is not acknowledged
            await sender.send_and_wait(self.topic, str(number).encode())
            self.acknowledged_at[number] = perf_counter()

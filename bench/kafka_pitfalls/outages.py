"""What a commit, a send that is given up, and a stop do while the broker is away; `load.py` has what goes on by
itself."""

import asyncio
from collections.abc import AsyncIterator
from time import perf_counter

from aiokafka.errors import KafkaError  # type: ignore[import-untyped]

from bench.kafka_pitfalls.broker import Broker, Installation, running_broker
from bench.kafka_pitfalls.clients import group_member, new_topic, producer, reader
from bench.kafka_pitfalls.load import run_load
from bench.kafka_pitfalls.outage import OUTAGE_SECONDS, Outage
from bench.kafka_pitfalls.rows import Row, format_durations

ROUNDS = 3
BOUND_SECONDS = 3.0
LONGEST_SECONDS = 120.0


async def outages(installation: Installation) -> AsyncIterator[Row]:
    """Yield rows on what happens in an outage, side by side in the same ROUNDS outages."""
    loads, commits, stops, delivered = [], [], [], 0
    async with running_broker(installation, "outage") as broker:
        for _ in range(ROUNDS):
            outage = Outage(broker.bootstrap, parties=4)
            async with asyncio.TaskGroup() as group:
                load = group.create_task(run_load(outage))
                commit = group.create_task(_commit(outage))
                late = group.create_task(_give_up_a_send(outage))
                stop = group.create_task(_stop(outage))
                group.create_task(_kill_and_restart(outage, broker))
            loads.append(load.result())
            commits.append(commit.result())
            stops.append(stop.result())
            delivered += late.result()
    away = f"broker away {OUTAGE_SECONDS:g} s"
    sent = format_durations([load.acknowledged for load in loads])
    yield Row(f"{away}: producer's first acknowledgement after it is back", sent)
    yield Row(
        f"{away}: consumer's first new message after it is back", format_durations([load.consumed for load in loads])
    )
    counts = f"{sum(load.lost for load in loads)} of {sum(load.sent for load in loads)}"
    yield Row(f"{away}: acknowledged messages lost", f"{counts} ({sum(load.repeated for load in loads)} read twice)")
    raised = ", ".join(sorted({how for _, how in commits}))
    yield Row(
        f"{away}: commit() ends, after its begin", f"{format_durations([seconds for seconds, _ in commits])}; {raised}"
    )
    hung = sum(seconds is None for seconds in stops)
    yield Row(f"{away}: stop() of an idempotent producer with a pending record", _stop_figure(stops, hung))
    yield Row(f"{away}: send given up after {BOUND_SECONDS:g} s, delivered all the same", f"{delivered} of {ROUNDS}")


def _stop_figure(stops: list[float | None], hung: int) -> str:
    ended = [seconds for seconds in stops if seconds is not None]
    figure = f"{hung} of {len(stops)} still hang {LONGEST_SECONDS:g} s after its begin"
    return f"{figure}; the others end after {format_durations(ended)}" if ended else figure


async def _kill_and_restart(outage: Outage, broker: Broker) -> None:
    await outage.wait_until_prepared()
    await broker.kill()
    outage.begin()
    await asyncio.sleep(OUTAGE_SECONDS)
    await broker.start()
    outage.end()


async def _commit(outage: Outage) -> tuple[float, str]:
    """Begin a commit in the outage. Return the seconds it took, and how it ended."""
    topic = await new_topic(outage.bootstrap)
    async with producer(outage.bootstrap) as sender:
        await sender.send_and_wait(topic, b"x")
    consumer = group_member(outage.bootstrap, f"commit-{topic}")
    consumer.subscribe(topics=[topic])
    await consumer.start()
    try:
        await consumer.getone()
        await outage.wait_until_begun()
        began = perf_counter()
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                await consumer.commit()
            how = "raises nothing"
        except (KafkaError, TimeoutError) as error:
            how = f"raises {type(error).__name__}"
        return perf_counter() - began, how
    finally:
        await consumer.stop()


async def _give_up_a_send(outage: Outage) -> bool:
    """Return whether the record of a send that timed out is in the topic afterwards."""
    topic = await new_topic(outage.bootstrap)
    async with producer(outage.bootstrap) as sender:
        await sender.send_and_wait(topic, b"before")
        await outage.wait_until_begun()
        try:
            async with asyncio.timeout(BOUND_SECONDS):
                await sender.send_and_wait(topic, b"given up")
        except TimeoutError:
            pass
        await outage.wait_until_over()
        await sender.send_and_wait(topic, b"after")
    values: list[bytes] = []
    async with reader(outage.bootstrap, topic) as consumer:
        while not values or values[-1] != b"after":
            values.append((await consumer.getone()).value)
    return b"given up" in values


async def _stop(outage: Outage) -> float | None:
    """Stop a producer in the outage. Return the seconds that took; None if it took more than LONGEST_SECONDS."""
    topic = await new_topic(outage.bootstrap)
    sender = producer(outage.bootstrap)
    await sender.start()
    await sender.send_and_wait(topic, b"before")
    await outage.wait_until_begun()
    await sender.send(topic, b"pending")
    began = perf_counter()
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            await sender.stop()
    except TimeoutError:
        return None
    return perf_counter() - began

"""What a Faust worker loses, one variant after the other. No guard of ours is in the way here."""

import asyncio
import signal
import uuid
from collections.abc import AsyncIterator

from bench.kafka_pitfalls.broker import Installation, running_broker
from bench.kafka_pitfalls.faust_process import START_SECONDS, Worker
from bench.kafka_pitfalls.rows import Row

LOOK_SECONDS = 3.0
GRACE_SECONDS = 50.0


async def faust_losses(bootstrap: str) -> AsyncIterator[Row]:
    """Yield rows on agents, on a worker that is asked to end, on timers, and on a missing topic."""
    for variant, values, last, what in (
        ("raise", "123", "3", "the body raises on the first of 3 messages"),
        ("typed", ("no json", "1"), "1", "the first of 2 messages cannot be decoded"),
        ("concurrent", "123", "3", "concurrency 2, the first of 3 messages is still in flight"),
    ):
        async with Worker.start(bootstrap, variant, values) as worker:
            await worker.wait_for(last)
            await asyncio.sleep(LOOK_SECONDS)
            yield Row(f"Faust: {what}", await _first_message_outcome(worker))
    yield await _agent_returns(bootstrap)
    for variant, what in (("no wait", "False"), ("wait", "True")):
        figure = await _asked_to_end(bootstrap, variant)
        yield Row(f"Faust: SIGTERM while the first of 3 messages is in flight, stream_wait_empty={what}", figure)
    for variant, what in (("timer raises", "a timer raises"), ("timer writes", "a timer writes a table")):
        async with Worker.start(bootstrap, variant, ()) as worker:
            yield Row(f"Faust: {what}", await _ends(worker, START_SECONDS))
    missing = f"missing-{uuid.uuid4().hex[:8]}"
    async with Worker.start(bootstrap, "plain", (), topic=missing) as worker:
        yield Row("Faust: the source topic is missing", await _ends(worker, 2 * LOOK_SECONDS))


async def faust_away(installation: Installation) -> AsyncIterator[Row]:
    """Yield a row on SIGTERM while the broker is away."""
    async with running_broker(installation, "faust") as broker, Worker.start(broker.bootstrap, "plain", "1") as worker:
        await worker.wait_for("1")
        await broker.kill()
        worker.process.send_signal(signal.SIGTERM)
        yield Row("Faust: SIGTERM while the broker is away", await _ends(worker, GRACE_SECONDS))


async def _agent_returns(bootstrap: str) -> Row:
    async with Worker.start(bootstrap, "return", "123") as worker:
        await worker.wait_for("1")
        more = "takes the second" if await worker.wait_for("2", LOOK_SECONDS) else "never takes the second"
        alive = "goes on" if worker.process.returncode is None else "ends"
    return Row("Faust: the agent returns at the first of 3 messages", f"{more}; the worker {alive}")


async def _asked_to_end(bootstrap: str, variant: str) -> str:
    async with Worker.start(bootstrap, variant, "123") as worker:
        await worker.wait_for("1")
        worker.process.send_signal(signal.SIGTERM)
        finished = await worker.wait_for("slow one done", GRACE_SECONDS)
        await worker.ends(GRACE_SECONDS)
        return (
            f"finished, committed offset {await worker.committed()}"
            if finished
            else await _first_message_outcome(worker)
        )


async def _first_message_outcome(worker: Worker) -> str:
    """Return whether the first message, which was not handled, comes again after a restart."""
    offset = await worker.committed()
    return f"committed offset {offset}: the first {'is lost' if offset else 'comes again'}"


async def _ends(worker: Worker, seconds: float) -> str:
    if await worker.ends(seconds):
        return f"the worker ends with exit code {worker.process.returncode}"
    return f"the worker still runs after {seconds:g} s"

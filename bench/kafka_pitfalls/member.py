"""A member of a consumer group in a process of its own, so that it can be killed.

    python -m bench.kafka_pitfalls.member BOOTSTRAP GROUP TOPIC SESSION_MS [INSTANCE_ID]

Prints how many partitions it owns whenever that changes ("owns 2"), and "message" once, at its first. SIGTERM is a
clean leave.
"""

import asyncio
import logging
import signal
import sys

from bench.kafka_pitfalls.clients import group_member


async def main(bootstrap: str, group: str, topic: str, session_ms: str, instance_id: str | None = None) -> None:
    """Consume until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    consumer = group_member(bootstrap, group, int(session_ms), instance_id)
    consumer.subscribe(topics=[topic])
    await consumer.start()
    owned, messages = -1, 0
    while not ended.is_set():
        found = await consumer.getmany(timeout_ms=100)
        if (now := len(consumer.assignment())) != owned:
            owned = now
            print(f"owns {owned}", flush=True)
        if not messages and (messages := sum(map(len, found.values()))):
            print("message", flush=True)
    await consumer.stop()


if __name__ == "__main__":
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    asyncio.run(main(*sys.argv[1:]))

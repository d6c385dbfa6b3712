"""A Faust worker in a process of its own that does one thing wrong.

    python -m bench.kafka_pitfalls.faust_worker BOOTSTRAP GROUP TOPIC VARIANT FOLDER

Prints each value when its agent takes it. `faust_losses.py` has the variants.
"""

import asyncio
import sys
from typing import Any

import faust

SLOW_SECONDS = 8.0
SETTINGS: dict[str, Any] = {
    "broker_session_timeout": 10,
    "broker_heartbeat_interval": 3,
    "broker_rebalance_timeout": 60,
    "broker_request_timeout": 90,
    "broker_commit_interval": 0.5,
    "consumer_auto_offset_reset": "earliest",
    "store": "memory://",
    "topic_partitions": 1,
    "topic_replication_factor": 1,
    "topic_disable_leader": True,
    "value_serializer": "raw",
    "web_enabled": False,
}


def make_app(bootstrap: str, group: str, topic: str, variant: str, folder: str) -> faust.App:
    """Return an application with this variant and, for the rest, sound settings."""
    wait_empty = variant != "no wait"
    app = faust.App(group, broker=f"kafka://{bootstrap}", datadir=folder, stream_wait_empty=wait_empty, **SETTINGS)
    typed: dict[str, Any] = {"value_serializer": "json"} if variant == "typed" else {"value_type": bytes}
    source = app.topic(topic, **typed)

    async def consume(stream: Any) -> None:
        async for value in stream:
            print(value.decode() if isinstance(value, bytes) else value, flush=True)
            if variant == "raise" and value == b"1":
                raise ValueError("the body of the agent raised")
            if variant == "return" and value == b"1":
                return
            if variant in ("no wait", "wait", "concurrent") and value == b"1":
                await asyncio.sleep(SLOW_SECONDS)
                print("slow one done", flush=True)

    app.agent(source, name="agent", concurrency=2 if variant == "concurrent" else 1)(consume)
    if variant.startswith("timer"):
        table = app.Table("counts", partitions=1)

        async def tick() -> None:
            if variant == "timer raises":
                raise ValueError("the timer raised")
            table["key"] = 1

        app.timer(1.0, name="tick")(tick)
    return app


if __name__ == "__main__":
    faust.Worker(make_app(*sys.argv[1:6]), loglevel="critical", redirect_stdouts=False).execute_from_commandline()

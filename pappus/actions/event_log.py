"""The log of the local stack, opened for the commands that read and write it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pappus.errors import Refused
from pappus.stack import Stack
from pappus.stack.folders import StateFolder
from pappus.stack.status import read_status
from shared.messaging.kafka import ANY_RECORD, KafkaEventLog, open_event_log
from shared.runtime.kafka_connection import KafkaConnection


@asynccontextmanager
async def running_event_log(state: StateFolder) -> AsyncIterator[tuple[KafkaEventLog, KafkaConnection]]:
    """Open the log of the running stack; yield it with the way to it. Raises Refused if Kafka does not run."""
    status = read_status(state)
    kafka = next((component for component in status.components if component.name == "kafka"), None)
    if not status.running or kafka is None:
        raise Refused("Kafka does not run here. Start it: pappus up --only kafka")
    connection = Stack(Path(state.root)).running_context().kafka
    async with open_event_log(connection, [ANY_RECORD]) as event_log:
        yield event_log, connection

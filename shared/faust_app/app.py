"""One Faust application inside an asyncio process.

Faust acknowledges an event whose agent raised, and counts events again after a crash. So its tables hold only state
that can be rebuilt, with values that are idempotent per event id, and every agent body runs behind a guard: bounded
retries, then a dead letter, and if that fails too the process ends before the stream moves on. Measured with
faust-streaming 0.15.3; upgrade it together with aiokafka, and run tests/contract/test_faust_app.py.
"""

import asyncio
import math
import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any, TypeVar, cast

import faust
from aiokafka.errors import KafkaError  # type: ignore[import-untyped]
from faust.auth import SASLCredentials, SSLCredentials

from shared.contract.events import Event
from shared.faust_app.recovery import LosslessTableManager
from shared.faust_app.standstill import Standstill
from shared.messaging.codec import decode_record
from shared.messaging.dead_letters import make_dead_letter, record_dead_letter
from shared.messaging.event_log import Publisher, Record
from shared.messaging.kafka import group_positions, raise_refusal, unreadable
from shared.messaging.tracing import describe_event, process_span
from shared.runtime.errors import InvalidMessage, PappusError, TransientError
from shared.runtime.health import Health
from shared.runtime.kafka_connection import KafkaConnection
from shared.runtime.metrics import EVENTS_HANDLED, RETRIES
from shared.runtime.process import describe
from shared.runtime.retry import RetryPolicy, delay
from shared.runtime.telemetry import logger

E = TypeVar("E", bound=Event)
Body = Callable[[Record], Awaitable[None]]

RETRY = RetryPolicy(first_seconds=0.1, factor=3.0, longest_seconds=2.0, attempts=4)  # well under 10 s in all
WATCH_SECONDS = 15.0
STUCK_SECONDS = 300.0  # longer than a partition waits for those that were fetched with it, in a backlog
STOP_SECONDS = 6.0
ASK_AGAIN_SECONDS = 1.0

SETTINGS: dict[str, Any] = {
    "processing_guarantee": "at_least_once",
    "stream_wait_empty": True,  # without it SIGTERM loses the event in flight
    "stream_buffer_maxsize": 256,
    "stream_processing_timeout": math.inf,  # these two say of idle streams that they are stuck: `standstill` looks
    "broker_commit_livelock_soft_timeout": math.inf,
    "broker_session_timeout": 10,
    "broker_heartbeat_interval": 3,
    "broker_rebalance_timeout": 60,
    "broker_request_timeout": 90,
    "broker_commit_interval": 2.0,
    "broker_commit_every": 1000,
    "consumer_auto_offset_reset": "earliest",
    "consumer_max_fetch_size": 1_048_576,
    "producer_acks": -1,
    "producer_request_timeout": 300,
    "producer_threaded": False,
    "store": "memory://",
    "TableManager": LosslessTableManager,
    "table_standby_replicas": 0,
    "topic_partitions": 4,
    "topic_replication_factor": 1,
    "topic_allow_declare": False,  # they are declared in shared/contract/topics.py, and its login may make none
    "topic_disable_leader": True,
    "key_serializer": "raw",
    "value_serializer": "raw",
    "web_enabled": False,
    "web_tables_enabled": False,
    "debug": False,
}


def end_process() -> None:
    """End the process at once: the current event is not acknowledged and is delivered again after the restart."""
    os._exit(1)


class FaustApp:
    """One Faust application inside an asyncio process. Create it in a running event loop, declare tables, events and
    ticks, then `run` it.

    `name` is the consumer group and the prefix of its changelog topics, `{name}-{table}-changelog`, which must be
    declared in `shared.contract.topics` like every other topic. `folder` holds nothing that must survive. `publisher`
    publishes dead letters. `give_up` ends the process; tests replace it.
    """

    def __init__(
        self,
        name: str,
        connection: KafkaConnection,
        *,
        folder: Path,
        publisher: Publisher,
        give_up: Callable[[], None] = end_process,
    ) -> None:
        brokers = [f"kafka://{address}" for address in connection.bootstrap.split(",")]
        folder.mkdir(parents=True, exist_ok=True)
        self._name = name
        self._connection = connection
        self._app = faust.App(
            name,
            broker=brokers,
            broker_credentials=_credentials(connection),
            datadir=folder,
            loop=asyncio.get_running_loop(),
            **SETTINGS,
        )
        self._publisher = publisher
        self._give_up = give_up
        self._topics: list[str] = []
        self._health: Health | None = None
        self._standstill = Standstill(STUCK_SECONDS)

    def table(self, name: str, partitions: int) -> MutableMapping[str, Any]:
        """Return a table of JSON values by text, kept in the compacted topic `{app}-{name}-changelog`. `partitions` is
        the partition count of the topics whose bodies write it. Write only in bodies, and whole values
        (`table[key] = {...}`): a change inside a value is not kept."""
        schema: Any = faust.Schema(key_type=str, key_serializer="raw", value_serializer="json")
        table = self._app.Table(name, partitions=partitions, schema=schema)
        return cast("MutableMapping[str, Any]", table)

    def on(self, event: type[E], body: Callable[[E, Record], Awaitable[None]]) -> None:
        """Register `body` as the handler of this event type; it is called sequentially with the event and its record.

        A call takes less than 10 s, and may get an event again. InvalidMessage leads to a dead letter at once, any
        other exception after some attempts.
        """

        async def decoded(record: Record) -> None:
            found = decode_record(record)
            describe_event(found)
            await body(cast("E", found), record)

        self._agent(event.topic, decoded)

    def every(self, seconds: float, topic: str, body: Callable[[Record], Awaitable[None]]) -> None:
        """Run `body` every so many seconds, in an agent: a timer may not write tables, so it only sends a tick through
        `topic`. A run that was missed while the process was down is not made up for; compare with the last time
        instead."""
        ticks = self._agent(topic, body, own=True)

        async def tick() -> None:
            await ticks.send(key=None, value=b"tick")

        self._app.timer(seconds, name=f"tick {topic}")(tick)

    async def run(self, health: Health) -> None:
        """Run until cancelled. A broker that is away at the start is waited for.

        Raises:
            KafkaRefused: Kafka lets no client in with these settings, of which Faust would say nothing.
            PappusError: Faust stopped by itself, or makes no progress although events are waiting; end the process
                and start it again.
        """
        self._health = health
        while not await raise_refusal(self._connection):
            health.set(self._name, False, "waiting for Kafka: is it running, at PAPPUS_KAFKA_BOOTSTRAP?")
            await asyncio.sleep(ASK_AGAIN_SECONDS)
        try:
            await self._app.start()
        except KafkaError as error:
            raise PappusError(f"Kafka went away while Faust started: {error!r}. Start the process again.") from error
        health.set(self._name, True)
        watching = asyncio.create_task(self._watch())
        stopped = asyncio.create_task(self._app.wait_until_stopped())
        try:
            done, _ = await asyncio.wait({watching, stopped}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            raise PappusError(f"Faust stopped by itself: {self._app.crash_reason!r}. Start the process again.")
        finally:
            watching.cancel()
            stopped.cancel()
            await asyncio.gather(watching, stopped, return_exceptions=True)
            await self._stop()

    async def _stop(self) -> None:
        """Stop Faust. It waits for an agent that hangs, and cannot be cancelled then, so it is left."""
        stopping = asyncio.create_task(self._app.stop())
        _, pending = await asyncio.wait({stopping}, timeout=STOP_SECONDS)
        if pending:
            logger.warning("Faust did not stop in time; events in flight are delivered again", app=self._name)

    def _agent(self, topic: str, body: Body, own: bool = False) -> Any:
        """Declare the agent that reads `topic`; return Faust's topic. `own`: the records are the app's own ticks, which
        are neither traced nor counted."""
        self._topics.append(topic)
        source = self._app.topic(topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

        async def consume(stream: Any) -> None:
            async for event in stream.events():
                await self.guarded(_to_record(event.message), body, own)

        self._app.agent(source, name=f"{self._name}.{topic}", concurrency=1)(consume)
        return source

    async def guarded(self, record: Record, body: Body, own: bool = False) -> None:
        """Run a body so that in every case the event was handled, is a dead letter, or is not acknowledged. A tick of
        the app's own is none of these: the next one comes anyway."""
        if own:
            await self._run_tick(record, body)
            return
        try:
            with process_span(record, group=self._name):
                handled = await self._process_or_dead_letter(record, body)
            if handled:
                EVENTS_HANDLED.labels(self._name, record.topic).inc()
        except Exception as error:  # noqa: BLE001 - Faust would acknowledge the event and go on
            logger.error(
                "the process ends so that no event is lost", app=self._name, error=describe(error), exc_info=error
            )
            self._give_up()

    async def _run_tick(self, record: Record, body: Body) -> None:
        """Run a body at a tick. While it fails, a part of the health is red, and each tick tries again."""
        try:
            await body(record)
        except Exception as error:  # noqa: BLE001 - Faust would go on as if nothing had happened
            logger.error(
                "a tick failed; the next one tries again", app=self._name, error=describe(error), exc_info=error
            )
            self._report_tick(False, f"The last tick failed: {describe(error)}")
        else:
            self._report_tick(True)

    def _report_tick(self, ok: bool, detail: str = "") -> None:
        name = self._name
        if self._health is not None:
            self._health.set(f"{name} ticks", ok, detail)

    async def _process_or_dead_letter(self, record: Record, body: Body) -> bool:
        """Return whether the body took the record; else it is a dead letter."""
        attempt = 0
        while True:
            attempt += 1
            try:
                await body(record)
                return True
            except InvalidMessage as error:
                await self._send_to_dlq(record, error, attempt)
                return False
            except Exception as error:
                seconds = delay(RETRY, attempt)
                if seconds is None:
                    if isinstance(error, TransientError):
                        raise  # a dependency is at fault, not the event: end, and handle the event again
                    await self._send_to_dlq(record, error, attempt)
                    return False
                RETRIES.labels(self._name).inc()
                logger.warning("will be tried again", app=self._name, attempt=attempt, reason=describe(error))
            await asyncio.sleep(seconds)

    async def _send_to_dlq(self, record: Record, error: Exception, attempts: int) -> None:
        dead_letter = make_dead_letter(record, error, handler=self._name, attempts=attempts)
        await self._publisher.publish_dead_letter(dead_letter)
        record_dead_letter(dead_letter)

    async def _watch(self) -> None:
        """Watch the committed offsets until cancelled.

        Raises:
            PappusError: records of a partition wait for STUCK_SECONDS while none is acknowledged: an agent hangs or
                died silently, its offsets are not committed, or the worker idles on a topic that it did not find.
        """
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if self._app.in_recovery:
                self._standstill.forget()
                continue
            try:
                positions = await group_positions(self._connection, self._name, self._topics)
            except TransientError as error:
                logger.warning("cannot measure the lag", app=self._name, reason=str(error))
                self._standstill.forget()  # without Kafka no progress is possible
                continue
            own = {partition: position for partition, position in positions.items() if partition.topic in self._topics}
            if stuck := self._standstill.look(own, time.monotonic()):
                where = ", ".join(f"{partition.topic}/{partition.partition}" for partition in sorted(stuck))
                raise PappusError(
                    f"{self._name} makes no progress in {where}, and {sum(stuck.values())} events are waiting there."
                    " Start the process again."
                )


def _credentials(connection: KafkaConnection) -> SASLCredentials | SSLCredentials | None:
    """Return the login and the trust of a connection as Faust takes them; without a context it uses no TLS."""
    if connection.logs_in:
        return SASLCredentials(
            username=connection.username,
            password=connection.password,
            mechanism=connection.mechanism,
            ssl_context=connection.ssl_context,
        )
    return SSLCredentials(connection.ssl_context) if connection.encrypted else None


def _to_record(message: Any) -> Record:
    headers = message.headers or ()
    pairs = list(headers.items() if isinstance(headers, dict) else headers)
    found = unreadable(pairs)
    return Record(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=None if message.key is None else bytes(message.key).decode(errors="replace"),
        value=message.value,
        headers=() if found else tuple((name, bytes(value)) for name, value in pairs if value is not None),
        timestamp_ms=int(message.timestamp * 1000),
        unreadable=found.reason if found else None,
    )

"""Appending to Kafka: idempotent, acknowledged by all, bounded in time."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from aiokafka import AIOKafkaProducer  # type: ignore[import-untyped]
from aiokafka.errors import (  # type: ignore[import-untyped]
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    ProducerFenced,
    RecordTooLargeError,
)

from shared.contract.dead_letter import DeadLetter
from shared.contract.events import Event
from shared.contract.topics import LARGEST_BYTES, dead_letter_topic
from shared.messaging.codec import encode
from shared.messaging.event_log import Record
from shared.messaging.kafka.client import UNAUTHORIZED, missing_right, start_with_retry, stop_within
from shared.messaging.tracing import SendSpan
from shared.runtime.errors import NotReady, PappusError, TransientError
from shared.runtime.kafka_connection import KafkaConnection
from shared.runtime.metrics import EVENTS_PUBLISHED
from shared.runtime.telemetry import logger

_Message = tuple[str, str | None, bytes, Event | None]
"""Topic, key, value, and the event in the value; None for a dead letter."""


class KafkaPublisher:
    """One idempotent producer. It starts in the background and is replaced when it has become unusable, or was not let
    in: a login may be made a moment later."""

    def __init__(self, connection: KafkaConnection, source: str, timeout_seconds: float) -> None:
        self._connection = connection
        self._source = source
        self._timeout_seconds = timeout_seconds
        self._producer = self._start()
        self._closed = False
        self._retired: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, connection: KafkaConnection, source: str, timeout_seconds: float
    ) -> AsyncIterator["KafkaPublisher"]:
        """Open a publisher. Does not wait for Kafka."""
        publisher = cls(connection, source, timeout_seconds)
        try:
            yield publisher
        finally:
            await publisher._close()

    async def publish(self, events: Sequence[Event]) -> Sequence[Record]:
        """See Publisher."""
        return await self._send([(event.topic, event.key, encode(event, self._source), event) for event in events])

    async def publish_dead_letter(self, dead_letter: DeadLetter) -> None:
        """See Publisher."""
        await self._send(
            [(dead_letter_topic(dead_letter.topic), dead_letter.key, dead_letter.model_dump_json().encode(), None)]
        )

    async def _send(self, messages: Sequence[_Message]) -> Sequence[Record]:
        if not messages:
            return []
        starting = self._producer
        try:
            async with asyncio.timeout(self._timeout_seconds):
                producer = await asyncio.shield(starting)
                return await _acknowledged(producer, messages)
        except TimeoutError as error:
            self._replace_if_dead(starting)
            raise TransientError(
                f"Kafka did not acknowledge within {self._timeout_seconds:g} s; whether the events are in the log is"
                " unknown. Publish them again: their ids stay the same."
            ) from error
        except (MessageSizeTooLargeError, RecordTooLargeError) as error:
            raise PappusError(f"An event on {messages[0][0]} is too large for Kafka: {error}.") from error
        except (OutOfOrderSequenceNumber, ProducerFenced, ProducerClosed) as error:
            self._replace(starting)
            raise TransientError(
                f"Kafka no longer accepts this producer ({error!r}); a new one replaces it. Publish the events again."
            ) from error
        except PappusError as error:  # of the start: nothing is wrong with the events, which wait until it is mended
            self._replace(starting)
            raise NotReady(f"{error} Nothing was sent; this process tries again.") from error
        except UNAUTHORIZED as error:
            raise missing_right(f"take an event on {messages[0][0]}", error) from error
        except KafkaError as error:
            self._replace_if_dead(starting)
            raise TransientError(f"Kafka did not take the events: {error!r}. Is it running?") from error

    def _start(self) -> "asyncio.Task[AIOKafkaProducer]":
        make = partial(
            AIOKafkaProducer,
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            max_request_size=LARGEST_BYTES,
            client_id=self._source,
        )
        what = f"publisher {self._source}"
        start: Coroutine[Any, Any, AIOKafkaProducer] = start_with_retry(self._connection, make, what)
        return asyncio.create_task(start, name=f"start publisher {self._source}")

    def _replace_if_dead(self, suspect: "asyncio.Task[AIOKafkaProducer]") -> None:
        if _is_started(suspect) and _is_dead(suspect.result()):
            self._replace(suspect)

    def _replace(self, broken: "asyncio.Task[AIOKafkaProducer]") -> None:
        """Replace the producer once, even if many calls failed on it."""
        if self._closed or self._producer is not broken:
            return
        logger.error("the Kafka producer is replaced", source=self._source)
        self._producer = self._start()
        if _is_started(broken):
            task = asyncio.create_task(stop_within(broken.result(), f"publisher {self._source}"))
            self._retired.add(task)
            task.add_done_callback(self._retired.discard)

    async def _close(self) -> None:
        self._closed = True
        self._producer.cancel()
        await asyncio.gather(self._producer, *self._retired, return_exceptions=True)
        if _is_started(self._producer):
            await stop_within(self._producer.result(), f"publisher {self._source}")


async def _acknowledged(producer: AIOKafkaProducer, messages: Sequence[_Message]) -> list[Record]:
    """Send all messages in order, then await all acknowledgements."""
    spans = [SendSpan(topic, key, event) for topic, key, _, event in messages]
    waiting: list[asyncio.Future[Any]] = []
    failure: BaseException | None = None
    try:
        for span, (topic, key, value, _) in zip(spans, messages, strict=True):
            encoded = None if key is None else key.encode()
            waiting.append(await producer.send(topic, value, key=encoded, headers=span.headers()))
        found = await asyncio.gather(*waiting)
    except BaseException as error:
        failure = error
        raise
    finally:
        for span in spans:
            span.end(failure)
    records = []
    for span, (topic, key, value, _), partition in zip(spans, messages, found, strict=True):
        EVENTS_PUBLISHED.labels(topic).inc()
        records.append(
            Record(
                topic,
                partition.partition,
                partition.offset,
                key,
                value,
                tuple(span.headers()),
                timestamp_ms=partition.timestamp or 0,
            )
        )
    return records


def _is_started(starting: "asyncio.Task[AIOKafkaProducer]") -> bool:
    """Return whether the producer was let in."""
    return starting.done() and not starting.cancelled() and starting.exception() is None


def _is_dead(producer: AIOKafkaProducer) -> bool:
    """Return whether the producer's sender has ended: every later send would raise."""
    sender = producer._sender.sender_task  # aiokafka offers no public way to ask
    return sender is None or bool(sender.done())

"""What all Kafka clients of Pappus share: measured settings, retries at the start, a bounded stop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Protocol, TypeVar

from aiokafka import AIOKafkaConsumer  # type: ignore[import-untyped]
from aiokafka.admin import AIOKafkaAdminClient  # type: ignore[import-untyped]
from aiokafka.errors import (  # type: ignore[import-untyped]
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    ClusterAuthorizationFailedError,
    CorruptRecordException,
    GroupAuthorizationFailedError,
    IncompatibleBrokerVersion,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    ProducerClosed,
    RecordTooLargeError,
    TopicAuthorizationFailedError,
    UnsupportedCodecError,
    UnsupportedVersionError,
)
from aiokafka.structs import TopicPartition as KafkaPartition  # type: ignore[import-untyped]

from shared.messaging.event_log import Record, TopicPartition
from shared.messaging.kafka.refusals import raise_refusal
from shared.messaging.kafka.unreadable import unreadable
from shared.runtime.errors import NotReady, PappusError, TransientError
from shared.runtime.kafka_connection import KafkaConnection
from shared.runtime.retry import UNTIL_CANCELLED, retrying
from shared.runtime.telemetry import logger

START_SECONDS = 15.0
STOP_SECONDS = 5.0
DROP_SECONDS = 2.0
ANSWER_SECONDS = 10.0

CONSUMER: dict[str, Any] = {
    "enable_auto_commit": False,
    "auto_offset_reset": "earliest",
    "heartbeat_interval_ms": 3_000,
    "rebalance_timeout_ms": 30_000,
    "request_timeout_ms": 40_000,  # must exceed the rebalance timeout: a JoinGroup is parked that long
    "max_poll_interval_ms": 300_000,
    "max_partition_fetch_bytes": 1_048_576,
}
FIXED_REPLICA_SESSION_MS = 15_000
"""A member with a name that is started again finds its partitions; so long they wait for one that is frozen or gone."""
SCALED_REPLICA_SESSION_MS = 10_000
READER: dict[str, Any] = {
    "group_id": None,
    "enable_auto_commit": False,
    "auto_offset_reset": "none",
    "max_partition_fetch_bytes": 1_048_576,
}

PERMANENT = (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    ClusterAuthorizationFailedError,
    CorruptRecordException,
    GroupAuthorizationFailedError,
    IncompatibleBrokerVersion,
    RecordTooLargeError,
    TopicAuthorizationFailedError,
    UnsupportedCodecError,
    UnsupportedVersionError,
)
"""What does not get better by asking again: Kafka answers, and the answer is no."""

UNAUTHORIZED = (ClusterAuthorizationFailedError, GroupAuthorizationFailedError, TopicAuthorizationFailedError)

_PARTS = (
    ("_coordinator", "_stop_heartbeat_task"),
    ("_coordinator", "_stop_commit_offsets_refresh_task"),
    ("_fetcher", "close"),
    ("_sender", "close"),
    ("_client", "close"),
    ("client", "close"),
)
"""The methods that end the parts of an aiokafka client."""

C = TypeVar("C", bound="Client")


class Client(Protocol):
    """What aiokafka's clients share."""

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Disconnect."""


async def start_with_retry(connection: KafkaConnection, make: Callable[..., C], what: str) -> C:
    """Call `make` with the keyword arguments of `connection` and start the client, with back-off until Kafka answers. A
    client whose start failed or was cancelled is dropped: aiokafka leaves it unusable. Raises KafkaRefused."""

    async def attempt() -> C:
        client = make(**connection.client_settings)
        try:
            with kafka_errors(f"let in the {what}"):
                async with asyncio.timeout(START_SECONDS):
                    await client.start()
        except BaseException as error:
            await stop_within(client, what)
            if isinstance(error, TransientError):
                await raise_refusal(connection)
            raise
        return client

    return await retrying(UNTIL_CANCELLED, attempt, failed=log_waiting(what))


async def stop_within(client: Client, what: str) -> None:
    """Stop a client within STOP_SECONDS, else drop it within DROP_SECONDS more: in an outage a client hangs on records
    that it can no longer send."""
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await client.stop()
    except asyncio.CancelledError:  # aiokafka's own, when a client is stopped before its tasks have begun
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
    except (KafkaError, OSError, TimeoutError, AttributeError) as error:
        logger.warning("a Kafka client was dropped", client=what, reason=repr(error))
        await _drop_client(client)


async def _drop_client(client: Client) -> None:
    """End what an interrupted stop left: tasks that would go on sending, fetching and claiming partitions, open
    connections, and pending sends. aiokafka offers no public way."""
    ends = [end for part, name in _PARTS if (end := getattr(getattr(client, part, None), name, None))]
    with suppress(TimeoutError):
        async with asyncio.timeout(DROP_SECONDS):  # all at once: some wait for answers until there is no connection
            await asyncio.gather(*(end() for end in ends), return_exceptions=True)
    accumulator = getattr(client, "_message_accumulator", None)
    if accumulator is not None:
        accumulator.fail_all(ProducerClosed())


def log_waiting(what: str) -> Callable[[TransientError, int], None]:
    """Return a callback that logs why `what` is still waiting."""

    def failed(error: TransientError, attempt: int) -> None:
        logger.warning("waiting for Kafka", client=what, attempt=attempt, reason=str(error))

    return failed


@contextmanager
def kafka_errors(action: str) -> Iterator[None]:
    """Turn what the client raises into TransientError; into PappusError what no repetition can mend."""
    try:
        yield
    except UNAUTHORIZED as error:
        raise missing_right(action, error) from error
    except PERMANENT as error:
        raise PappusError(
            f"Kafka runs, but did not {action}, and will not: {error!r}. {error.__doc__ or ''}"
        ) from error
    except (KafkaConnectionError, KafkaTimeoutError, OSError, TimeoutError) as error:
        raise TransientError(f"Kafka did not {action}: {error!r}. Is it running, at PAPPUS_KAFKA_BOOTSTRAP?") from error
    except KafkaError as error:
        raise TransientError(f"Kafka did not {action}: {error!r}.") from error


def missing_right(action: str, error: KafkaError) -> PappusError:
    """Return what is said to a login without a right."""
    return PappusError(
        f"Kafka does not {action}: the login in PAPPUS_KAFKA_USERNAME has no right to it ({error!r}). Correct it, or"
        " give it the right (docs/access.md)."
    )


@asynccontextmanager
async def open_admin(connection: KafkaConnection) -> AsyncIterator[AIOKafkaAdminClient]:
    """Open a short-lived admin client. Raises TransientError when Kafka is away, KafkaRefused if it lets no client in
    with these settings."""
    client = AIOKafkaAdminClient(**connection.client_settings)
    try:
        try:
            with kafka_errors("answer"):
                await with_timeout(client.start())
        except TransientError:
            await raise_refusal(connection)
            raise
        yield client
    finally:
        await with_timeout(client.close())


async def wait_for_topics(client: AIOKafkaConsumer, topics: frozenset[str], what: str) -> None:
    """Wait until all topics exist: a client that asks for a missing topic hangs or idles."""

    async def look() -> None:
        with kafka_errors("answer"):
            missing = topics - await with_timeout(client.topics())
        if missing:
            raise NotReady(
                f"Topics are missing: {', '.join(sorted(missing))}. `pappus up` creates them; or the"
                " login in PAPPUS_KAFKA_USERNAME has no right to them."
            )

    await retrying(UNTIL_CANCELLED, look, failed=log_waiting(what))


def to_record(message: Any) -> Record:
    """Convert a record of aiokafka."""
    if found := unreadable(message.headers):
        return Record(message.topic, message.partition, message.offset, None, None, unreadable=found.reason)
    return Record(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=None if message.key is None else message.key.decode(errors="replace"),
        value=message.value,
        headers=tuple((name, value) for name, value in message.headers if value is not None),
        timestamp_ms=message.timestamp,
    )


def to_kafka(partition: TopicPartition) -> Any:
    """Convert a partition for aiokafka."""
    return KafkaPartition(partition.topic, partition.partition)


async def with_timeout(call: Awaitable[Any], seconds: float = ANSWER_SECONDS) -> Any:
    """Await a call that could otherwise wait without end. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        return await call

"""The dead letters on the broker: listed, counted as in order (skipped), and published again (redriven)."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer  # type: ignore[import-untyped]
from aiokafka.structs import OffsetAndMetadata  # type: ignore[import-untyped]
from pydantic import ValidationError

from shared.contract.dead_letter import DeadLetter, skipped_group
from shared.contract.topics import DEAD_LETTER_TOPICS, LARGEST_BYTES
from shared.messaging.event_log import EventLog, LogReader, Record, TopicPartition
from shared.messaging.kafka.client import kafka_errors, open_admin, stop_within, with_timeout
from shared.messaging.reading import read_to_the_end
from shared.runtime.errors import PappusError
from shared.runtime.kafka_connection import KafkaConnection

REDRIVEN_FROM = "pappus-redriven-from"
"""The header of a record that was published again: the id of its dead letter."""


@dataclass(frozen=True, slots=True)
class StoredDeadLetter:
    """One record of a dead-letter topic. `letter` is None if it holds something else."""

    record: Record
    letter: DeadLetter | None

    @property
    def id(self) -> str:
        """Where it stands: topic/partition/offset, a word that no shell changes."""
        return f"{self.record.topic}/{self.record.partition}/{self.record.offset}"


@dataclass(frozen=True, slots=True)
class Original:
    """What a dead letter is about: key and bytes of the record, or why they are not known."""

    key: bytes | None
    value: bytes | None
    missing: str = ""


async def read_dead_letters(event_log: EventLog) -> list[StoredDeadLetter]:
    """Return all dead letters that have not expired, the oldest first. Raises TransientError."""
    found = []
    async with event_log.reader([topic.name for topic in DEAD_LETTER_TOPICS]) as reader:
        async for record in read_to_the_end(reader):
            found.append(StoredDeadLetter(record, _parsed(record)))
    return sorted(found, key=_failed_at)


async def skip(connection: KafkaConnection, group: str) -> dict[TopicPartition, int]:
    """Say that the dead letters of `group` so far are in order: after its next start it lets as many pass again.
    Return the offsets where that was said.

    Raises:
        TransientError: Kafka is away.
        PappusError: there is no such group.
    """
    async with open_admin(connection) as admin:
        with kafka_errors("list the groups"):
            committed = await with_timeout(admin.list_consumer_group_offsets(group))
            known = sorted(name for name, _ in await with_timeout(admin.list_consumer_groups()))
    if not committed:
        others = ", ".join(name for name in known if not name.endswith(skipped_group("")))
        raise PappusError(f"No group {group} has read anything. The groups are: {others or 'none'}.")
    consumer = AIOKafkaConsumer(
        group_id=skipped_group(group),
        enable_auto_commit=False,
        auto_offset_reset="none",
        **connection.client_settings,
    )
    try:
        with kafka_errors("store where the group goes on"):
            await with_timeout(consumer.start())
            consumer.assign(list(committed))
            await with_timeout(
                consumer.commit({place: OffsetAndMetadata(stored.offset, "") for place, stored in committed.items()})
            )
    finally:
        await stop_within(consumer, f"skip of {group}")
    return {TopicPartition(place.topic, place.partition): stored.offset for place, stored in committed.items()}


async def already_redriven(event_log: EventLog, letters: Sequence[DeadLetter]) -> set[str]:
    """Return the ids of the dead letters whose originals were published again: their topics say so themselves, so
    that publishing and remembering are one step. Only what stands behind the originals is read."""
    first: dict[TopicPartition, int] = {}
    for letter in letters:
        place = TopicPartition(letter.topic, letter.partition)
        first[place] = min(letter.offset, first.get(place, letter.offset))
    if not first:
        return set()
    found = set()
    async with event_log.reader(sorted({place.topic for place in first})) as reader:
        ends = await reader.end_offsets()
        beginnings = await reader.beginning_offsets()
        starts = {place: max(first.get(place, end), beginnings[place]) for place, end in ends.items()}
        async for record in read_to_the_end(reader, starts):
            for name, value in record.headers:
                if name == REDRIVEN_FROM:
                    found |= set(value.decode(errors="replace").split(","))
    return found


async def original_of(reader: LogReader, letter: DeadLetter) -> Original:
    """Return the record that a dead letter is about: from the log while it is there, else from the letter itself."""
    record = await reader.record_at(TopicPartition(letter.topic, letter.partition), letter.offset)
    if record is not None and record.unreadable is None:
        return Original(None if record.key is None else record.key.encode(), record.value)
    if letter.value_bytes is not None:
        return Original(None, None, "the dead letter holds only its beginning, and the log no longer has it")
    value = letter.whole_value
    if value is None:
        return Original(None, None, "it had no value that could be read")
    return Original(None if letter.key is None else letter.key.encode(), value)


@asynccontextmanager
async def open_redrive(connection: KafkaConnection) -> AsyncIterator["Redrive"]:
    """Open what publishes originals again. Raises TransientError."""
    producer = AIOKafkaProducer(
        enable_idempotence=True, acks="all", max_request_size=LARGEST_BYTES, **connection.client_settings
    )
    try:
        with kafka_errors("answer"):
            await with_timeout(producer.start())
        yield Redrive(producer)
    finally:
        await stop_within(producer, "redrive")


class Redrive:
    """Publishes originals again, each with the ids of its dead letters in a header."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def publish(self, ids: Sequence[str], letter: DeadLetter, original: Original) -> int:
        """Append the original of these dead letters, which are all about one record, to its partition, and wait until
        all have it. Return its new offset."""
        headers = [(REDRIVEN_FROM, ",".join(ids).encode())]
        with kafka_errors("take the record"):
            sent = await with_timeout(
                self._producer.send_and_wait(
                    letter.topic, original.value, key=original.key, partition=letter.partition, headers=headers
                )
            )
        return int(sent.offset)


def _parsed(record: Record) -> DeadLetter | None:
    try:
        return DeadLetter.model_validate_json(record.value or b"")
    except ValidationError:
        return None


def _failed_at(stored: StoredDeadLetter) -> float:
    when: datetime | None = None if stored.letter is None else stored.letter.failed_at
    return stored.record.timestamp_ms / 1000 if when is None else when.timestamp()

"""Positions: how far the tables are folded, stored with them, and checked against the log before more is added."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.contract.events import uuid_of
from shared.contract.topics import TOPIC_OF_NAME
from shared.messaging.codec import decode_record
from shared.messaging.event_log import LogReader, Record, TopicPartition
from shared.runtime.errors import InvalidMessage, LogReplaced
from shared.tables.postgres import Row, Transaction

_STORE = """
INSERT INTO positions (topic, partition, next_offset, last_event_id)
SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[], $4::uuid[])
ON CONFLICT (topic, partition) DO UPDATE
SET next_offset = excluded.next_offset, last_event_id = excluded.last_event_id
"""
READ = "SELECT topic, partition, next_offset, last_event_id FROM positions"


@dataclass(frozen=True, slots=True)
class Position:
    """The next offset to fold, and the identity of the record before it (None if none was folded)."""

    next_offset: int
    last_event_id: UUID | None = None


def identity(record: Record) -> UUID:
    """Return the identity of a record: its event id, or a hash of its bytes if it holds no readable event."""
    try:
        return decode_record(record).event_id
    except InvalidMessage:
        return uuid_of("unreadable", hashlib.sha256(record.value or b"").hexdigest())


def from_rows(rows: Sequence[Row]) -> dict[TopicPartition, Position]:
    """Return the rows of READ."""
    return {
        TopicPartition(row["topic"], row["partition"]): Position(row["next_offset"], row["last_event_id"])
        for row in rows
    }


async def store(transaction: Transaction, positions: Mapping[TopicPartition, Position]) -> None:
    """Store the positions, in the transaction that changed the tables."""
    await transaction.execute(
        _STORE,
        [partition.topic for partition in positions],
        [partition.partition for partition in positions],
        [position.next_offset for position in positions.values()],
        [position.last_event_id for position in positions.values()],
    )


async def start(transaction: Transaction, reader: LogReader) -> dict[TopicPartition, int]:
    """Return the next offset to read for every partition of the reader. Check that the log is the one the tables were
    folded from; on topics with limited retention move the position to the first offset that still exists. The record
    before it may be gone from those, and from compacted ones.

    Raises:
        LogReplaced: it is another log.
    """
    stored = from_rows(await transaction.fetch(READ))
    beginnings, ends = await reader.beginning_offsets(), await reader.end_offsets()
    found: dict[TopicPartition, Position] = {}
    for partition in await reader.partitions():
        position = stored.get(partition, Position(0))
        found[partition] = await _checked(reader, partition, position, beginnings[partition], ends[partition])
    await store(transaction, found)
    return {partition: position.next_offset for partition, position in found.items()}


async def find_replacement(stored: Mapping[TopicPartition, Position], reader: LogReader) -> str:
    """Return why the log is not the one that tables with these positions were folded from; an empty text if it is."""
    beginnings, ends = await reader.beginning_offsets(), await reader.end_offsets()
    for partition in await reader.partitions():
        try:
            position = stored.get(partition, Position(0))
            await _checked(reader, partition, position, beginnings[partition], ends[partition])
        except LogReplaced as replaced:
            return str(replaced)
    return ""


async def _checked(
    reader: LogReader, partition: TopicPartition, position: Position, beginning: int, end: int
) -> Position:
    if position.next_offset > end:
        raise _replaced(partition, position, f"it ends at {end}")
    if position.next_offset < beginning:
        if not _time_limited(partition.topic):
            raise _replaced(partition, position, f"it begins at {beginning}, and nothing on this topic ever expires")
        return Position(beginning)
    if position.last_event_id is None or position.next_offset == 0:
        return position
    record = await reader.record_at(partition, position.next_offset - 1)
    if record is None and _has_gaps(partition.topic):
        return position
    if record is None or identity(record) != position.last_event_id:
        raise _replaced(partition, position, "the record before that is not the one that was folded")
    return position


def _time_limited(topic: str) -> bool:
    declared = TOPIC_OF_NAME.get(topic)
    return declared is not None and declared.time_limited


def _has_gaps(topic: str) -> bool:
    declared = TOPIC_OF_NAME.get(topic)
    return declared is not None and declared.has_gaps


def _replaced(partition: TopicPartition, position: Position, why: str) -> LogReplaced:
    return LogReplaced(
        f"The log was replaced: {partition.topic}[{partition.partition}] was folded up to {position.next_offset}, but"
        f" {why}. Run `pappus replay`, which folds the tables again from the log as it is now."
    )

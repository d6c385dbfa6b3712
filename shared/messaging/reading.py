"""Topics read once, from their beginning to the end as it is now."""

from collections.abc import AsyncIterator, Mapping

from shared.messaging.event_log import LogReader, Record, TopicPartition
from shared.runtime.errors import TransientError

POLL_SECONDS = 1.0
SILENT_POLLS = 20


async def read_to_the_end(
    reader: LogReader, starts: Mapping[TopicPartition, int] | None = None
) -> AsyncIterator[Record]:
    """Yield every record up to the end as it is now, each partition in its order; a partition in `starts` begins there.

    Raises:
        TransientError: the log cannot be reached, or delivers nothing for 20 s.
    """
    beginnings, ends = await reader.beginning_offsets(), await reader.end_offsets()
    positions = {**beginnings, **(starts or {})}
    await reader.start_at(positions)
    silent = 0
    while any(positions[place] < end for place, end in ends.items()):
        records = await reader.poll(POLL_SECONDS)
        silent = 0 if records else silent + 1
        if silent > SILENT_POLLS:
            raise TransientError(f"Kafka delivered nothing for {SILENT_POLLS * POLL_SECONDS:g} s. Is it running?")
        for record in records:
            positions[record.topic_partition] = record.offset + 1
            yield record

"""Reading in tests: every record of some topics."""

from collections.abc import Sequence

from shared.messaging.event_log import EventLog, Record


async def read_all(event_log: EventLog, topics: Sequence[str]) -> list[Record]:
    """Return every record on these topics up to the end offsets measured now, each partition in its order."""
    found: list[Record] = []
    async with event_log.reader(topics) as reader:
        ends = dict(await reader.end_offsets())
        at = dict(await reader.beginning_offsets())
        await reader.start_at(at)
        while any(at[partition] < end for partition, end in ends.items()):
            for record in await reader.poll(1.0, 2000):
                at[record.topic_partition] = record.offset + 1
                if record.offset < ends[record.topic_partition]:
                    found.append(record)
    return found

"""The event log as the rest of Pappus sees it: records, partitions, and the four ways to use them.

`shared.messaging.kafka` implements it on Kafka, `shared.testing` in memory; both pass the same contract tests.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from shared.contract.dead_letter import DeadLetter
from shared.contract.events import Event


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Record:
    """One message of the log. `headers` carry the trace context (W3C `traceparent`); a header without a value is left
    out. `unreadable` says why the client could not read what stands here, None if it could: then there is no key and no
    value, and `offset` is the last one that this is about."""

    topic: str
    partition: int
    offset: int
    key: str | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_ms: int = 0
    unreadable: str | None = None

    @property
    def topic_partition(self) -> TopicPartition:
        """The partition that holds this record."""
        return TopicPartition(self.topic, self.partition)


class Publisher(Protocol):
    """Appends to the log."""

    async def publish(self, events: Sequence[Event]) -> Sequence[Record]:
        """Append the events in order and wait until every in-sync replica has them (acks=all). Return their records.

        The current trace context goes into the headers. An empty sequence does nothing. The offset of a record is -1 in
        the rare case that the log acknowledged a repetition without the offset of the first one.

        Raises:
            TransientError: the log did not acknowledge in time. The outcome is *unknown*: publishing again is safe,
                since event ids are deterministic.
        """

    async def publish_dead_letter(self, dead_letter: DeadLetter) -> None:
        """Append to the dead-letter topic of `dead_letter.topic`. Raises TransientError as `publish` does."""


ReportMembership = Callable[[bool, str], None]
"""Takes whether a member has its place in the group (it may be without partitions), and why not, or ""."""


class GroupConsumer(Protocol):
    """Reads topics as a member of a consumer group; offsets are committed by hand."""

    async def poll(self, timeout_seconds: float, max_records: int = 500) -> Sequence[Record]:
        """Return new records, at most `max_records`; none after `timeout_seconds`.

        Raises:
            TransientError: the log cannot be reached.
            PappusError: another process uses the name of this member.
        """

    async def commit(self, positions: Mapping[TopicPartition, int], metadata: str = "") -> None:
        """Commit the next offset to read for each partition, with `metadata`. A commit that a rebalance made void is
        ignored (redelivery follows). Bounded in time; raises TransientError."""

    async def committed_offsets(self) -> Mapping[TopicPartition, tuple[int, str]]:
        """Return committed offset and metadata of each assigned partition that has them."""

    async def skipped_offsets(self) -> Mapping[TopicPartition, int]:
        """Return the offset at which a person said that the dead letters before it are in order, for each partition of
        the group that has one. Raises TransientError."""

    def on_revoke(self, drain: Callable[[], Awaitable[None]]) -> None:
        """Register `drain`: awaited for at most 20 s before partitions are revoked. It may still commit; uncommitted
        records are delivered again, here or to another member. Afterwards every record polled before is void."""

    def on_membership(self, report: ReportMembership) -> None:
        """Register `report`: called now and at each change."""

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Deliver nothing from these partitions until `resume` or a rebalance; keep polling, which keeps membership."""

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Deliver from these partitions again."""


class LogReader(Protocol):
    """Reads whole topics without a group, from positions the caller chooses."""

    async def partitions(self) -> Sequence[TopicPartition]:
        """Return all partitions of the reader's topics."""

    async def start_at(self, positions: Mapping[TopicPartition, int]) -> None:
        """Start reading at these offsets; a partition that is not named starts at its beginning. Call it first."""

    async def poll(self, timeout_seconds: float, max_records: int = 500) -> Sequence[Record]:
        """Return new records; none after `timeout_seconds`.

        Raises:
            LogReplaced: a position is outside the log (reset policy `none`).
            CorruptRecord: the bytes of a record are not those that were written.
            TransientError: the log cannot be reached.
        """

    async def beginning_offsets(self) -> Mapping[TopicPartition, int]:
        """Return the first offset still in the log, per partition."""

    async def end_offsets(self) -> Mapping[TopicPartition, int]:
        """Return the offset of the next record, per partition, measured now (on a separate connection, so that it does
        not wait behind a poll)."""

    async def record_at(self, partition: TopicPartition, offset: int) -> Record | None:
        """Return the record at this offset, or None if it is gone."""


class EventLog(Protocol):
    """The event log: opens publishers, group members and readers. Each is closed when its context ends."""

    def publisher(self, source: str, timeout_seconds: float = 30.0) -> AbstractAsyncContextManager[Publisher]:
        """Open a publisher. `source` is the CloudEvents source, for example "pappus/ingestor". Opening does not wait
        for the log; publishing waits at most `timeout_seconds` for the acknowledgement."""

    def group(
        self, group: str, topics: Sequence[str], member: str | None = None
    ) -> AbstractAsyncContextManager[GroupConsumer]:
        """Join `group`. `member` is a unique static name (quick restarts); None for replicas that are scaled. Waits
        until the log answers and has the topics."""

    def reader(self, topics: Sequence[str]) -> AbstractAsyncContextManager[LogReader]:
        """Read whole topics without a group. Waits until the log answers and has the topics."""

    async def end_offsets(self, topics: Sequence[str]) -> Mapping[TopicPartition, int]:
        """Return the offset of the next record, for every partition of the topics, measured now. Raises
        TransientError."""

"""The log as the rest of Pappus sees it: records, positions, and the four things one can do with them.

`shared.messaging.kafka` is the real one, `shared.testing` the one in memory; both pass the same contract tests.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from shared.contract.events import DeadLetter, Event


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Record:
    """One message as it stands in the log. `headers` carry the trace context (W3C `traceparent`); one without a value
    is left out."""

    topic: str
    partition: int
    offset: int
    key: str | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_ms: int = 0

    @property
    def topic_partition(self) -> TopicPartition:
        """The partition this record stands in."""
        return TopicPartition(self.topic, self.partition)


class Publisher(Protocol):
    """Appends to the log."""

    async def publish(self, events: Sequence[Event]) -> Sequence[Record]:
        """Append the events in order and wait until every replica in sync has them (acks=all); gives where they stand.

        The current trace context goes into the headers. An empty sequence does nothing. The offset of a record is -1 in
        the rare case that the log acknowledged a repetition without saying where the first one stands.

        Raises:
            TransientError: the log did not acknowledge in time. The outcome is *unknown*: publishing again is safe,
                since event ids are deterministic.
        """

    async def publish_dead_letter(self, dead_letter: DeadLetter) -> None:
        """Append to the dead-letter topic of `letter.topic`. Raises TransientError as `publish` does."""


class GroupConsumer(Protocol):
    """Reads topics as a member of a consumer group; offsets are committed by hand."""

    async def poll(self, timeout_seconds: float, max_records: int = 500) -> Sequence[Record]:
        """Records that came, at most `max_records`; empty after `timeout_seconds`. Raises TransientError."""

    async def commit(self, positions: Mapping[TopicPartition, int], metadata: str = "") -> None:
        """Commit the next offset to read for each partition; a commit that a rebalance made void is ignored (redelivery
        follows). `note` is kept with the offsets. Bounded in time; raises TransientError."""

    async def committed_offsets(self) -> Mapping[TopicPartition, tuple[int, str]]:
        """Committed offset and note of each assigned partition that has one."""

    def on_revoke(self, drain: Callable[[], Awaitable[None]]) -> None:
        """Have `drain` awaited, for at most 20 s, before partitions are taken away. It still may commit; what is not
        committed then comes again, here or elsewhere. Afterwards everything polled before is void."""

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Deliver nothing from these until `resume` or a rebalance; polling goes on, so membership is kept."""

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Deliver from these again."""


class LogReader(Protocol):
    """Reads whole topics without a group, from positions the caller chooses."""

    async def partitions(self) -> Sequence[TopicPartition]:
        """All partitions of the reader's topics."""

    async def start_at(self, positions: Mapping[TopicPartition, int]) -> None:
        """Read on from these offsets; a partition that is not named starts at its beginning. Must be called first."""

    async def poll(self, timeout_seconds: float, max_records: int = 500) -> Sequence[Record]:
        """Records that came; empty after `timeout_seconds`.

        Raises:
            LogReplaced: a position is outside the log (reset policy `none`).
            TransientError: the log cannot be reached.
        """

    async def beginning_offsets(self) -> Mapping[TopicPartition, int]:
        """The first offset still in the log, per partition."""

    async def end_offsets(self) -> Mapping[TopicPartition, int]:
        """The offset the next record will get, per partition, measured now (on a connection of its own, so that it does
        not wait behind a poll)."""

    async def record_at(self, partition: TopicPartition, offset: int) -> Record | None:
        """The record at this offset, or None if it is gone."""


class EventLog(Protocol):
    """Opens the ways to use the log. Each is closed when its context ends."""

    def publisher(self, source: str, timeout_seconds: float = 30.0) -> AbstractAsyncContextManager[Publisher]:
        """`source` is the CloudEvents source, for example "pappus/ingestor". Opening does not wait for the log;
        publishing waits at most `timeout_seconds` for the acknowledgement."""

    def group(
        self, group: str, topics: Sequence[str], member: str | None = None
    ) -> AbstractAsyncContextManager[GroupConsumer]:
        """Join `group`; `member` is a unique static name (quick restarts), None for replicas that come and go. Waits
        until the log is there and has the topics."""

    def reader(self, topics: Sequence[str]) -> AbstractAsyncContextManager[LogReader]:
        """Read whole topics without a group. Waits until the log is there and has the topics."""

    async def end_offsets(self, topics: Sequence[str]) -> Mapping[TopicPartition, int]:
        """The offset the next record will get, for every partition of the topics, measured now. Raises
        TransientError."""

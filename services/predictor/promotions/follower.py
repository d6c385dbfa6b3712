"""Follows model.promoted, and label_set.changed, without a consumer group: every replica reads the whole topics."""

import asyncio
from collections.abc import Callable

from services.predictor.decisions.promotions import Promotions, fold
from services.predictor.model.classes import KnownClasses
from shared.contract.events import ModelPromoted
from shared.contract.label_set import LabelSetChanged
from shared.messaging.codec import decode_record
from shared.messaging.dead_letters import make_dead_letter, record_dead_letter
from shared.messaging.event_log import EventLog, LogReader, Publisher, Record, TopicPartition
from shared.messaging.tracing import describe_event, process_span
from shared.runtime.errors import InvalidMessage, LogReplaced, TransientError, UnknownContent
from shared.runtime.health import Health
from shared.runtime.retry import UNTIL_CANCELLED, RetryPolicy, delay
from shared.runtime.telemetry import logger

PART = "follower"
NAME = "predictor follower"
POLL_SECONDS = 1.0
DEAD_LETTER_SECONDS = 10.0


class Follower:
    """Folds model.promoted and calls `set_target`: once at the end offset measured at the start, then after each
    promotion that counts.

    A record that is not a promotion is skipped. Every replica reads it, so each publishes a dead letter, once in the
    life of the process; the dead letters of one record differ only in time.
    """

    def __init__(
        self,
        event_log: EventLog,
        publisher: Publisher,
        set_target: Callable[[Promotions], None],
        health: Health,
        retry: RetryPolicy = UNTIL_CANCELLED,
        classes: KnownClasses | None = None,
    ) -> None:
        """`classes`: what label_set.changed is folded into; None: nothing."""
        self._classes = classes
        self._event_log = event_log
        self._publisher = publisher
        self._set_target = set_target
        self._health = health
        self._retry = retry
        self._missing: int | None = None
        self._unreadable: dict[tuple[TopicPartition, int], tuple[Record, InvalidMessage] | None] = {}

    async def run(self) -> None:
        """Follow until cancelled. A log that is away is read again with back-off, a replaced one from its start."""
        attempt = 0
        while True:
            try:
                async with self._event_log.reader([ModelPromoted.topic, LabelSetChanged.topic]) as reader:
                    promotions = await self._read_to_end(reader)
                    self._report_health()
                    attempt = 0
                    await self._follow(reader, promotions)
            except (TransientError, LogReplaced) as error:
                attempt += 1
                self._health.set(PART, False, f"model.promoted cannot be followed: {error}")
                logger.warning("model.promoted cannot be followed; it will be tried again", error=str(error))
            await asyncio.sleep(delay(self._retry, attempt) or POLL_SECONDS)

    async def _read_to_end(self, reader: LogReader) -> Promotions:
        """Return the fold up to the end as it is now. A model loaded before that would already be replaced."""
        await reader.start_at({})
        ends = await reader.end_offsets()
        positions = dict(await reader.beginning_offsets())
        promotions = Promotions()
        if self._classes is not None:
            self._classes.restart()
        while any(positions[partition] < end for partition, end in ends.items()):
            for record in await reader.poll(POLL_SECONDS):
                promotions = self._fold_or_stop(promotions, record)
                positions[record.topic_partition] = record.offset + 1
        await self._show_classes()
        self._set_target(promotions)
        await self._send_to_dlq()
        return promotions

    async def _follow(self, reader: LogReader, promotions: Promotions) -> None:
        while True:
            records = await reader.poll(POLL_SECONDS)
            for record in sorted(records, key=lambda one: one.topic == ModelPromoted.topic):  # classes first
                before = promotions
                with process_span(record, "fold"):
                    promotions = self._fold_or_stop(promotions, record)
                    if promotions is not before:
                        self._set_target(promotions)
            await self._show_classes()
            self._report_health()
            await self._send_to_dlq()

    async def _show_classes(self) -> None:
        if self._classes is not None:
            await self._classes.show()

    def _fold_or_stop(self, promotions: Promotions, record: Record) -> Promotions:
        """Return the fold with this record. What was promoted before a record of a newer release is served.

        Raises:
            UnknownContent: a newer release wrote the record.
        """
        try:
            return self._fold(promotions, record)
        except UnknownContent:
            self._set_target(promotions)
            raise

    def _fold(self, promotions: Promotions, record: Record) -> Promotions:
        try:
            event = decode_record(record)
        except InvalidMessage as error:
            self._unreadable.setdefault((record.topic_partition, record.offset), (record, error))
            return promotions
        if isinstance(event, LabelSetChanged):
            if self._classes is not None:
                describe_event(event)
                self._classes.fold(event)
            return promotions
        if not isinstance(event, ModelPromoted):
            raise TypeError(
                f"shared.messaging.codec read {type(event).__name__} from {record.topic}: that is a bug there."
            )
        describe_event(event)
        if event.sequence > promotions.sequence + 1:
            self._missing = promotions.sequence + 1
        elif event.sequence == self._missing:
            self._missing = None
        return fold(promotions, event)

    def _report_health(self) -> None:
        """Report a gap: a promotion was unreadable here, so that those after it do not count, and other readers may
        serve another model."""
        detail = (
            f"Promotion {self._missing} is missing on model.promoted, and later ones are there: see the dead letters."
        )
        self._health.set(PART, self._missing is None, detail if self._missing else "")

    async def _send_to_dlq(self) -> None:
        """Publish a dead letter for each unreadable record, best effort: following goes on without."""
        for position, found in list(self._unreadable.items()):
            if found is None:
                continue
            self._unreadable[position] = None
            dead_letter = make_dead_letter(found[0], found[1], handler=NAME, attempts=1)
            record_dead_letter(dead_letter)
            try:
                async with asyncio.timeout(DEAD_LETTER_SECONDS):
                    await self._publisher.publish_dead_letter(dead_letter)
            except (TransientError, TimeoutError) as error:
                logger.warning("a dead letter could not be published", offset=dead_letter.offset, error=str(error))

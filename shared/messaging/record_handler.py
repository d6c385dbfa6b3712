"""One record of a handler: handled, published, marked as finished; and the policy on exceptions."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from shared.contract.events import Event
from shared.messaging.codec import decode_record
from shared.messaging.dead_letters import TooManyDeadLetters, make_dead_letter, record_dead_letter
from shared.messaging.event_log import Publisher, Record
from shared.messaging.failures import LAST_DEATH, LAST_FAILURE
from shared.messaging.in_flight import PartitionState
from shared.messaging.tracing import describe_event, process_span
from shared.runtime.errors import InvalidMessage, PappusError, TransientError
from shared.runtime.health import Health
from shared.runtime.metrics import EVENTS_HANDLED, HANDLE_SECONDS, QUEUE_WAIT_SECONDS, RETRIES
from shared.runtime.retry import RetryPolicy, retrying
from shared.runtime.telemetry import logger

E = TypeVar("E", bound=Event)
Handler = Callable[[E], Awaitable[Sequence[Event]]]
"""Applies the effect of an event and returns the events to publish. For a repeated event it returns the same events."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One event type and its handler; made by `subscribe`."""

    event: type[Event]
    handler: Callable[[Any], Awaitable[Sequence[Event]]]


def subscribe(event: type[E], handler: Handler[E]) -> Subscription:
    """Pair an event type with its handler. A function, so that the type checker refuses a handler of another type."""
    return Subscription(event, handler)


async def _commit_nothing() -> None:
    """Stand in until the group is joined."""


class KilledProcess(PappusError):
    """Handling a message has ended the process again and again."""

    def __init__(self, record: Record) -> None:
        place = f"{record.topic}[{record.partition}]@{record.offset}"
        super().__init__(
            f"{LAST_DEATH} processes were killed while they handled {place}: often for lack of memory. Give the"
            " service more, then redrive it."
        )


class RecordHandler:
    """Handles single records and applies the policy on exceptions."""

    def __init__(
        self,
        publisher: Publisher,
        group: str,
        subscriptions: Sequence[Subscription],
        health: Health,
        retry: RetryPolicy,
        dead_letters_in_a_row: int,
    ) -> None:
        self._publisher = publisher
        self._group = group
        self._handlers = {subscription.event.topic: subscription.handler for subscription in subscriptions}
        self._health = health
        self._retry = retry
        self._limit = dead_letters_in_a_row
        self._in_a_row = 0
        self._failing: dict[object, str] = {}
        """The reason for each message that is being retried; keyed by one object per call."""
        self.commit: Callable[[], Awaitable[None]] = _commit_nothing
        """Commits what is noted in the partition's state."""
        self._member = False
        self._member_detail = ""

    async def handle(self, state: PartitionState, record: Record, slots: asyncio.Semaphore) -> None:
        """Handle, publish, mark as finished. A slot is held while working, not while waiting for a retry."""
        with (
            process_span(record, group=self._group),
            HANDLE_SECONDS.labels(self._group, record.topic).time(),
        ):
            if record.timestamp_ms:
                waited = max(0.0, time.time() - record.timestamp_ms / 1000)
                QUEUE_WAIT_SECONDS.labels(self._group, record.topic).observe(waited)
            try:
                if state.deaths(record.offset) >= LAST_DEATH - 1:  # the first death came before anything was noted
                    raise KilledProcess(record)
                await self._handle_until_published(state, record, slots)
            except KilledProcess as error:
                logger.error("ALERT: a message that ends processes becomes a dead letter", group=self._group)
                await self._send_to_dlq(state, record, error, attempts=LAST_DEATH)
            except InvalidMessage as error:
                await self._send_to_dlq(state, record, error, attempts=1)
            except TransientError:
                raise
            except Exception as error:  # noqa: BLE001 - a bug: the policy decides whether it is raised again
                await self._record_exception(state, record, error)
            else:
                self._in_a_row = 0
                state.finish(record.offset, dead=False)
                EVENTS_HANDLED.labels(self._group, record.topic).inc()

    async def _handle_until_published(self, state: PartitionState, record: Record, slots: asyncio.Semaphore) -> None:
        produced: Sequence[Event] | None = None
        this = object()  # the offset would not do: after a rebalance one record may be in work twice

        async def attempt() -> None:
            nonlocal produced
            async with slots:
                if produced is None:  # once handled, only publishing is retried
                    produced = await self._handle_noted(state, record)
                await self._publisher.publish(produced)

        def failed(error: TransientError, attempts: int) -> None:
            RETRIES.labels(self._group).inc()
            self._failing[this] = str(error)
            self._report_health()
            logger.warning("a message will be retried", group=self._group, attempt=attempts, reason=str(error))

        given_up = False
        try:
            await retrying(self._retry, attempt, failed=failed)
        except TransientError:
            given_up = True  # the group stops, and stays red until it is started again
            raise
        finally:  # even when cancelled: a revoked message is delivered again
            if not given_up and self._failing.pop(this, None) is not None:
                self._report_health()

    async def _handle_noted(self, state: PartitionState, record: Record) -> Sequence[Event]:
        """Handle the record; if it may have ended the process before, note that in the log first."""
        event = decode_record(record)
        describe_event(event)
        if not state.suspect(record.offset):
            return await self._handlers[record.topic](event)
        state.begin(record.offset)
        try:
            await self.commit()
            return await self._handlers[record.topic](event)
        finally:
            state.end(record.offset)

    def report_membership(self, ok: bool, detail: str) -> None:
        """Report whether this process has its place in the group."""
        self._member, self._member_detail = ok, detail
        self._report_health()

    def _report_health(self) -> None:
        """Report the group as healthy unless a message is being retried or this process is out of the group."""
        reasons = [*self._failing.values(), *([] if self._member else [self._member_detail])]
        self._health.set(self._group, not reasons, next(iter(reasons), ""))

    async def _record_exception(self, state: PartitionState, record: Record, error: Exception) -> None:
        times = state.raised(record.offset)
        error.add_note(
            f"Handler of group {self._group}, {record.topic}[{record.partition}]@{record.offset}, time {times}."
        )
        if times < LAST_FAILURE:
            raise error
        logger.error(
            "ALERT: a message becomes a dead letter after repeated exceptions", group=self._group, exc_info=error
        )
        await self._send_to_dlq(state, record, error, attempts=times)

    async def _send_to_dlq(self, state: PartitionState, record: Record, error: Exception, attempts: int) -> None:
        in_a_row = max(self._in_a_row, state.known_failures.dead_letters_in_a_row)
        if in_a_row >= self._limit:
            raise TooManyDeadLetters(
                f"Group {self._group} could not handle {in_a_row} messages in a row, and now {record.topic}"
                f"[{record.partition}]@{record.offset}: {error!r}. The group stops. See them: pappus dlq ls. If the"
                " code is at fault, repair the handler; what it gave up comes back with pappus dlq redrive. If the"
                f" messages really are wrong: pappus dlq skip {self._group} lets {self._limit} more pass"
                " (PAPPUS_DEAD_LETTERS_IN_A_ROW)."
            ) from error
        dead_letter = make_dead_letter(record, error, handler=self._group, attempts=attempts)
        await retrying(self._retry, lambda: self._publisher.publish_dead_letter(dead_letter))
        record_dead_letter(dead_letter)
        self._in_a_row += 1
        state.finish(record.offset, dead=True)

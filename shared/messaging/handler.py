"""Handlers: receive -> handle -> publish -> commit. The only place with that order, and with the policy on
exceptions."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from shared.contract.events import Event
from shared.messaging.codec import decode
from shared.messaging.dead_letters import (
    DEAD_LETTERS_IN_A_ROW,
    TooManyDeadLetters,
    make_dead_letter,
    record_dead_letter,
)
from shared.messaging.event_log import EventLog, GroupConsumer, Publisher, Record
from shared.messaging.failures import LAST_FAILURE
from shared.messaging.in_flight import InFlight, PartitionState
from shared.messaging.tracing import process_span
from shared.runtime.errors import InvalidMessage, PappusError, TransientError
from shared.runtime.health import Health
from shared.runtime.metrics import EVENTS_HANDLED, HANDLE_SECONDS, RETRIES
from shared.runtime.retry import RetryPolicy, retrying
from shared.runtime.telemetry import logger as logger

__all__ = ["Handler", "Subscription", "TooManyDeadLetters", "run_handlers", "subscribe"]

E = TypeVar("E", bound=Event)
Handler = Callable[[E], Awaitable[Sequence[Event]]]
"""Takes an event, does its effect, gives the events to publish. It may see an event again, and then gives the same."""

POLL_SECONDS = 1.0
BUSY_POLL_SECONDS = 0.05
CAPACITY = 256
DRAIN_SECONDS = 15.0
FINAL_COMMIT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Subscription:
    """One event type and its handler. Made by `subscribe`."""

    event: type[Event]
    handler: Callable[[Any], Awaitable[Sequence[Event]]]


def subscribe(event: type[E], handler: Handler[E]) -> Subscription:
    """Have events of this type handled by `handler`. A function, so that the type checker refuses a wrong pair."""
    return Subscription(event, handler)


async def run_handlers(
    event_log: EventLog,
    *,
    group: str,
    source: str,
    subscriptions: Sequence[Subscription],
    health: Health,
    member: str | None = None,
    concurrency: int = 1,
    retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - immutable
    dead_letters_in_a_row: int = DEAD_LETTERS_IN_A_ROW,
) -> None:
    """Handle the events of the subscriptions as a member of `group`, for ever: at least once, one key of a topic
    serially, up to `concurrency` of them at once, committing up to the lowest unfinished offset.

    What a handler raises decides: InvalidMessage makes a dead letter. TransientError is tried again as `retry` says,
    while other keys go on; then it is raised here. Anything else is raised here too, uncommitted; it is remembered
    with the committed offset, the messages from there on are taken one at a time after the restart, and at the third
    time the message becomes a dead letter.

    Raises:
        TooManyDeadLetters: more than `dead_letters_in_a_row` without one that went well, over restarts too.
        Exception: what a handler raised, see above.
    """
    topics = [subscription.event.topic for subscription in subscriptions]
    if len(set(topics)) != len(topics):
        raise PappusError(f"Group {group} subscribes twice to one topic: use one handler, or two groups.")
    async with event_log.publisher(source) as publisher, event_log.group(group, topics, member) as consumer:
        health.set(group, True)
        worker = _Worker(publisher, group, subscriptions, health, retry, dead_letters_in_a_row)
        loop = _Loop(consumer, worker, concurrency)
        try:
            await loop.run()
        except BaseExceptionGroup as failed:
            raise _first_exception(failed) from None
        finally:
            await loop.in_flight.commit_finally(FINAL_COMMIT_SECONDS)


def _first_exception(failed: BaseExceptionGroup[BaseException]) -> BaseException:
    error = failed.exceptions[0]
    return _first_exception(error) if isinstance(error, BaseExceptionGroup) else error


class _Worker:
    """Handles one record after the other, and applies the policy on exceptions."""

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
        """Why each message that is being tried again has failed, by an object of its own."""

    async def handle(self, state: PartitionState, record: Record, slots: asyncio.Semaphore) -> None:
        """Handle, publish, mark as finished. A slot is held while something is done, not while waiting to try again."""
        with (
            process_span(record, f"process {record.topic}"),
            HANDLE_SECONDS.labels(self._group, record.topic).time(),
        ):
            try:
                await self._handle_until_published(record, slots)
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

    async def _handle_until_published(self, record: Record, slots: asyncio.Semaphore) -> None:
        produced: Sequence[Event] | None = None
        this = object()  # the place would not do: after a rebalance the same one may be in work twice

        async def attempt() -> None:
            nonlocal produced
            async with slots:
                if produced is None:  # once handled, only the publishing is tried again
                    produced = await self._handlers[record.topic](decode(record.topic, record.value))
                await self._publisher.publish(produced)

        def failed(error: TransientError, attempts: int) -> None:
            RETRIES.labels(self._group).inc()
            self._failing[this] = str(error)
            self._report_health()
            logger.warning("will be tried again", group=self._group, attempt=attempts, reason=str(error))

        given_up = False
        try:
            await retrying(self._retry, attempt, failed=failed)
        except TransientError:
            given_up = True  # the group stops, and stays red until it is started again
            raise
        finally:  # even when cancelled: a message that was taken away is somebody else's, or comes again
            if not given_up and self._failing.pop(this, None) is not None:
                self._report_health()

    def _report_health(self) -> None:
        """Say whether all goes well: nothing is failing."""
        self._health.set(self._group, not self._failing, next(iter(self._failing.values()), ""))

    async def _record_exception(self, state: PartitionState, record: Record, error: Exception) -> None:
        times = state.raised(record.offset)
        error.add_note(
            f"Handler of group {self._group}, {record.topic}[{record.partition}]@{record.offset}, time {times}."
        )
        if times < LAST_FAILURE:
            raise error
        logger.error("ALERT: a message is given up after repeated exceptions", group=self._group, exc_info=error)
        await self._send_to_dlq(state, record, error, attempts=times)

    async def _send_to_dlq(self, state: PartitionState, record: Record, error: Exception, attempts: int) -> None:
        in_a_row = max(self._in_a_row, state.known_failures.dead_letters_in_a_row)
        if in_a_row >= self._limit:
            raise TooManyDeadLetters(
                f"Group {self._group} could not handle {in_a_row} messages in a row, and now {record.topic}"
                f"[{record.partition}]@{record.offset}: {error!r}. Nothing more is given up: repair the handler and"
                " restart; if the messages are wrong indeed, raise dead_letters_in_a_row."
            ) from error
        dead_letter = make_dead_letter(record, error, handler=self._group, attempts=attempts)
        await retrying(self._retry, lambda: self._publisher.publish_dead_letter(dead_letter))
        record_dead_letter(dead_letter)
        self._in_a_row += 1
        state.finish(record.offset, dead=True)


class _Loop:
    """Takes records, keeps each key in order and up to `concurrency` of them going, commits what is finished."""

    def __init__(self, consumer: GroupConsumer, worker: _Worker, concurrency: int) -> None:
        self.in_flight = InFlight(consumer)
        self._consumer = consumer
        self._worker = worker
        self._slots = asyncio.Semaphore(concurrency)
        self._lanes: dict[str, deque[tuple[PartitionState, Record]]] = {}
        self._working: set[asyncio.Task[None]] = set()
        self._progress = asyncio.Event()
        self._paused = False

    async def run(self) -> None:
        """Until cancelled, or a record cannot be handled (as an exception group)."""
        self._consumer.on_revoke(self._drain)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._commit_until_cancelled())
            while True:
                records = await self._poll()
                self.in_flight.add(records)
                await retrying(RetryPolicy(), self.in_flight.load_committed)
                self._start(tasks)

    async def _poll(self) -> Sequence[Record]:
        """More records, if there is room for them; membership is kept by polling in any case."""
        room = CAPACITY - self.in_flight.unfinished
        if room <= 0 and not self._paused:
            self._consumer.pause(self.in_flight.partitions)
            self._paused = True
        elif self._paused and room >= CAPACITY // 2:
            self._consumer.resume(self.in_flight.partitions)
            self._paused = False
        return await self._consumer.poll(BUSY_POLL_SECONDS if self._paused else POLL_SECONDS, max(1, room))

    def _start(self, tasks: asyncio.TaskGroup) -> None:
        for state, record in self.in_flight.startable():
            own = f"[{record.partition}]" if record.key is None else f"/{record.key}"
            lane = record.topic + own  # a topic each: what one waits to try again must not hold up the remedy
            if lane in self._lanes:
                self._lanes[lane].append((state, record))
                continue
            self._lanes[lane] = deque([(state, record)])
            task = tasks.create_task(self._work(lane, self._lanes[lane], tasks))
            self._working.add(task)
            task.add_done_callback(self._working.discard)

    async def _work(self, lane: str, queue: deque[tuple[PartitionState, Record]], tasks: asyncio.TaskGroup) -> None:
        """Handle the records of one key of a topic in their order."""
        while queue:
            state, record = queue.popleft()
            try:
                await self._worker.handle(state, record, self._slots)
            finally:
                self._progress.set()
        if self._lanes.get(lane) is queue:
            del self._lanes[lane]
        self._start(tasks)

    async def _commit_until_cancelled(self) -> None:
        while True:
            await self._progress.wait()
            self._progress.clear()
            try:
                await self.in_flight.commit()
            except TransientError as error:
                logger.warning("a commit failed and will be made again", reason=str(error))
                self._progress.set()
                await asyncio.sleep(1.0)

    async def _drain(self) -> None:
        """Partitions are taken away: start nothing more, finish what is in flight, commit, forget the rest."""
        for queue in self._lanes.values():
            queue.clear()
        self.in_flight.stop_starting()
        try:
            if self._working:
                await asyncio.wait(self._working, timeout=DRAIN_SECONDS)
            await self.in_flight.commit()
        finally:
            for task in self._working:
                task.cancel()
            self._lanes.clear()
            self._paused = False
            self.in_flight.forget()

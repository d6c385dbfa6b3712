"""Handlers: receive -> handle -> publish -> commit. The only place with that order, and with the policy on
exceptions."""

import asyncio
from collections import deque
from collections.abc import Sequence

from shared.messaging.dead_letters import DEAD_LETTERS_IN_A_ROW, TooManyDeadLetters
from shared.messaging.event_log import EventLog, GroupConsumer, Record
from shared.messaging.in_flight import CAPACITY, InFlight, PartitionState
from shared.messaging.record_handler import Handler, RecordHandler, Subscription, subscribe
from shared.runtime.errors import PappusError, TransientError
from shared.runtime.health import Health
from shared.runtime.metrics import OLDEST_WAITING_SECONDS
from shared.runtime.retry import RetryPolicy, retrying
from shared.runtime.telemetry import logger as logger

__all__ = ["Handler", "Subscription", "TooManyDeadLetters", "run_handlers", "subscribe"]

POLL_SECONDS = 1.0
BUSY_POLL_SECONDS = 0.05
DRAIN_SECONDS = 15.0
COMMIT_PAUSE_SECONDS = 0.05
"""Between two commits: the broker writes each down, and what finishes in between goes with the next one."""
FINAL_COMMIT_SECONDS = 2.0


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
    """Handle the events of the subscriptions as a member of `group` until cancelled: at least once, the events of one
    key of a topic serially, up to `concurrency` keys at once, committing up to the lowest unfinished offset.

    The exception of a handler decides what happens. InvalidMessage: the message becomes a dead letter. TransientError:
    the message is retried by `retry` while other keys go on; then the error is raised here. Any other exception is
    raised here at once and counted in the metadata of the committed offset; after the restart messages from that
    offset on are handled one at a time, and the third exception at one offset makes the message a dead letter.
    So does the fifth process that was killed while it handled one message: the committed metadata says whether the
    process before ended in an orderly way; if it did not, each message that it may have had in flight is noted there
    before it is handled.

    Raises:
        TooManyDeadLetters: more than `dead_letters_in_a_row` without a success in between, counted over restarts.
        Exception: raised by a handler, see above.
    """
    topics = [subscription.event.topic for subscription in subscriptions]
    if len(set(topics)) != len(topics):
        raise PappusError(f"Group {group} subscribes twice to one topic: use one handler, or two groups.")
    async with event_log.publisher(source) as publisher, event_log.group(group, topics, member) as consumer:
        worker = RecordHandler(publisher, group, subscriptions, health, retry, dead_letters_in_a_row)
        consumer.on_membership(worker.report_membership)
        loop = _Loop(consumer, worker, concurrency)
        OLDEST_WAITING_SECONDS.labels(group).set_function(lambda: loop.in_flight.oldest_seconds)
        worker.commit = loop.in_flight.commit
        try:
            await loop.run()
        except BaseExceptionGroup as failed:
            raise _first_exception(failed) from None
        finally:
            await loop.in_flight.commit_finally(FINAL_COMMIT_SECONDS)


def _first_exception(failed: BaseExceptionGroup[BaseException]) -> BaseException:
    error = failed.exceptions[0]
    return _first_exception(error) if isinstance(error, BaseExceptionGroup) else error


class _Loop:
    """Polls records, handles each key in order and up to `concurrency` keys at once, commits finished offsets."""

    def __init__(self, consumer: GroupConsumer, worker: RecordHandler, concurrency: int) -> None:
        self.in_flight = InFlight(consumer)
        self._consumer = consumer
        self._worker = worker
        self._slots = asyncio.Semaphore(concurrency)
        self._queues: dict[str, deque[tuple[PartitionState, Record]]] = {}
        self._working: set[asyncio.Task[None]] = set()
        self._progress = asyncio.Event()
        self._paused = False

    async def run(self) -> None:
        """Run until cancelled, or until a record cannot be handled (raised as an exception group)."""
        self._consumer.on_revoke(self._drain)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._commit_until_cancelled())
            while True:
                records = await self._poll()
                self.in_flight.add(records)
                await retrying(RetryPolicy(), self.in_flight.load_committed)
                self._start(tasks)

    async def _poll(self) -> Sequence[Record]:
        """Return more records, if there is room for them; membership is kept by polling in any case."""
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
            queue_key = record.topic + own  # per topic: a retry on one topic must not hold up its remedy on another
            if queue_key in self._queues:
                self._queues[queue_key].append((state, record))
                continue
            self._queues[queue_key] = deque([(state, record)])
            task = tasks.create_task(self._work(queue_key, self._queues[queue_key], tasks))
            self._working.add(task)
            task.add_done_callback(self._working.discard)

    async def _work(
        self, queue_key: str, queue: deque[tuple[PartitionState, Record]], tasks: asyncio.TaskGroup
    ) -> None:
        """Handle the records of one key of a topic in their order."""
        while queue:
            state, record = queue.popleft()
            try:
                await self._worker.handle(state, record, self._slots)
            finally:
                self._progress.set()
        if self._queues.get(queue_key) is queue:
            del self._queues[queue_key]
        self._start(tasks)

    async def _commit_until_cancelled(self) -> None:
        while True:
            await self._progress.wait()
            self._progress.clear()
            try:
                await self.in_flight.commit()
                await asyncio.sleep(COMMIT_PAUSE_SECONDS)
            except TransientError as error:
                logger.warning("a commit failed and will be made again", reason=str(error))
                self._progress.set()
                await asyncio.sleep(1.0)

    async def _drain(self) -> None:
        """Start no more records, finish those in flight, commit, and forget the rest, before partitions are revoked."""
        for queue in self._queues.values():
            queue.clear()
        self.in_flight.stop_starting()
        try:
            if self._working:
                await asyncio.wait(self._working, timeout=DRAIN_SECONDS)
            self.in_flight.close()
            await self.in_flight.commit()
        finally:
            for task in self._working:
                task.cancel()
            self._queues.clear()
            self._paused = False
            self.in_flight.forget()

"""Questions to the log: whether all consumer groups keep up, and what they could not handle. Nothing is written."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from shared.clients.live import DeadLettersOf, GroupView, RedriveOutcome, ReplicaView
from shared.contract.access import GROUPS
from shared.contract.replicas import ModelLoaded
from shared.messaging.codec import decode
from shared.messaging.event_log import EventLog, Record
from shared.messaging.kafka.dead_letter_topics import StoredDeadLetter, already_redriven, read_dead_letters
from shared.messaging.kafka.groups import GroupState
from shared.messaging.reading import read_to_the_end
from shared.messaging.redriving import count_rows, redrive, those_of
from shared.runtime.clock import Clock, utc_now
from shared.runtime.errors import InvalidMessage, TransientError, UnknownContent

T = TypeVar("T")
AskGroups = Callable[[Mapping[str, Sequence[str]]], Awaitable[Mapping[str, GroupState]]]
"""Takes the topics of each group and returns the state of each; raises TransientError."""
TOPICS_OF = {group.name: [event.topic for event in group.events] for group in GROUPS}
ANSWER_SECONDS = 8.0
NEWEST_OF_REPLICAS = 300
"""So many records of each partition of model.loaded are read: every replica writes one each 10 s."""
RUNNING, HEARD_OF = timedelta(seconds=35), timedelta(minutes=10)
"""A replica that was not heard of for so long does not run; after the longer time it is not shown any more."""
FRESH_SECONDS = 3.0
"""So long an answer about the groups counts for all who ask."""
LETTERS_FRESH_SECONDS = 10.0
"""The same about dead letters, for which their topics are read whole."""


class _Shared(Generic[T]):
    """One answer for all who ask within some seconds; who comes meanwhile waits for it."""

    def __init__(self, ask: Callable[[], Awaitable[T]], seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        self._one_at_a_time = asyncio.Lock()
        self._known: tuple[float, T] | None = None

    async def get(self) -> T:
        async with self._one_at_a_time:
            if self._known is None or time.monotonic() - self._known[0] > self._seconds:
                answer = await self._ask()
                self._known = (time.monotonic(), answer)
            return self._known[1]


class LogWatch:
    """How what reads the log does. `ask_groups`: None if that cannot be asked here."""

    def __init__(self, event_log: EventLog, ask_groups: AskGroups | None, clock: Clock = utc_now) -> None:
        self._event_log = event_log
        self._clock = clock
        self._ask_groups = ask_groups
        self._groups = _Shared(self._look_at_groups, FRESH_SECONDS)
        self._replicas = _Shared(self._look_at_replicas, FRESH_SECONDS)
        self._letters = _Shared(self._count_letters, LETTERS_FRESH_SECONDS)

    async def groups(self) -> list[GroupView]:
        """Return the state of every consumer group. Raises TransientError if Kafka does not say it in time."""
        return await self._groups.get()

    async def replicas(self) -> list[ReplicaView]:
        """Return how the replicas of the predictor do that were heard of in the last minutes, by name. Raises
        TransientError if Kafka does not say it in time."""
        return await self._replicas.get()

    async def dead_letters(self) -> list[DeadLettersOf]:
        """Return the dead letters of each topic and group. Raises TransientError."""
        return await self._letters.get()

    async def rehearse_redrive(self, topic: str, group: str) -> list[RedriveOutcome]:
        """Return what `pappus dlq redrive` would do with the dead letters of a topic and a group. Raises
        TransientError."""
        async with _in_time():
            chosen = those_of(await read_dead_letters(self._event_log), topic, group)
            outcomes = await redrive(self._event_log, chosen, publish=None)
        return [RedriveOutcome(ids=list(each.ids), place=each.place, outcome=each.outcome) for each in outcomes]

    async def _look_at_groups(self) -> list[GroupView]:
        if self._ask_groups is None:
            raise TransientError("The groups are not known here.")
        async with _in_time():
            found = await self._ask_groups(TOPICS_OF)
        return [
            GroupView(
                name=group.name,
                service=group.principal,
                members=found[group.name].members,
                waiting=found[group.name].waiting,
            )
            for group in GROUPS
        ]

    async def _look_at_replicas(self) -> list[ReplicaView]:
        async with _in_time(), self._event_log.reader([ModelLoaded.topic]) as reader:
            begins, ends = await reader.beginning_offsets(), await reader.end_offsets()
            starts = {place: max(begins[place], end - NEWEST_OF_REPLICAS) for place, end in ends.items()}
            said = [_model_loaded(record) async for record in read_to_the_end(reader, starts)]
        return latest_of_replicas([event for event in said if event is not None], self._clock())

    async def _count_letters(self) -> list[DeadLettersOf]:
        async with _in_time():
            found: list[StoredDeadLetter] = await read_dead_letters(self._event_log)
            done = await already_redriven(self._event_log, [each.letter for each in found if each.letter])
        return [
            DeadLettersOf(
                topic=row.topic,
                group=row.group,
                count=row.count,
                redriven=row.redriven,
                newest=row.newest,
                when=row.when,
                reasons=row.reasons.split("\n"),
            )
            for row in count_rows(found, done)
        ]


def latest_of_replicas(said: Sequence[ModelLoaded], now: datetime) -> list[ReplicaView]:
    """Return what each replica said last, by name, without those that were not heard of for HEARD_OF. Pure."""
    latest: dict[str, ModelLoaded] = {}
    for event in said:
        known = latest.get(event.replica)
        if now - event.occurred_at < HEARD_OF and (known is None or known.occurred_at <= event.occurred_at):
            latest[event.replica] = event
    return [
        ReplicaView(
            name=name,
            version=event.version,
            sequence=event.sequence,
            loaded_at=event.loaded_at,
            failed="" if event.outcome == "serving" else f"{event.wanted_version}: {event.detail}",
            heard_at=event.occurred_at,
            running=now - event.occurred_at < RUNNING,
        )
        for name, event in sorted(latest.items())
    ]


def _model_loaded(record: Record) -> ModelLoaded | None:
    """Return the event in a record; None if there is none that can be read."""
    try:
        event = None if record.value is None else decode(record.topic, record.value)
    except (InvalidMessage, UnknownContent):
        return None
    return event if isinstance(event, ModelLoaded) else None


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            yield
    except TimeoutError as error:
        raise TransientError(
            "Kafka did not answer in time, or the labeler has no right to ask (docs/access.md). Try again in a moment."
        ) from error

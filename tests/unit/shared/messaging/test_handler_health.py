"""What a handler says about itself: well, unless a message is being tried again just now."""

import asyncio
from collections.abc import Sequence

import pytest

from shared.contract.events import Event, ImageRegistered
from shared.messaging.handler import run_handlers, subscribe
from shared.runtime.errors import TransientError
from shared.runtime.health import Health, PartState
from shared.runtime.retry import RetryPolicy
from shared.testing import MemoryEventLog, eventually, image_registered

TOPIC = ImageRegistered.topic
PATIENT = RetryPolicy(first_seconds=0.001, longest_seconds=0.001, attempts=None)
WELL = PartState(True)


class Handling:
    """Fails the first time it sees an image, and takes it the next time, as soon as it may."""

    def __init__(self, *labels: str) -> None:
        self.event_log = MemoryEventLog()
        self.health = Health()
        self.may = {label: asyncio.Event() for label in labels}
        self.failed: set[str] = set()
        self.taken: list[str] = []

    async def handle(self, event: ImageRegistered) -> Sequence[Event]:
        label = event.label or ""
        if label not in self.failed:
            self.failed.add(label)
            raise TransientError(f"{label} is away")
        await self.may[label].wait()
        self.taken.append(label)
        return []

    def start(self, retry: RetryPolicy = PATIENT, concurrency: int = 2) -> asyncio.Task[None]:
        subscriptions = [subscribe(ImageRegistered, self.handle)]
        return asyncio.create_task(
            run_handlers(
                self.event_log,
                group="test",
                source="pappus/jobs",
                subscriptions=subscriptions,
                health=self.health,
                concurrency=concurrency,
                retry=retry,
            )
        )

    async def fill(self) -> None:
        async with self.event_log.publisher("pappus/jobs") as publisher:
            await publisher.publish([image_registered(label=label) for label in self.may])

    @property
    def state(self) -> PartState | None:
        return self.health.state("test")


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_message_that_recovers_does_not_hide_another_that_still_fails() -> None:
    handling = Handling("grass", "dandelion")  # in this order grass can be committed, even in one partition
    await handling.fill()
    task = handling.start()
    await eventually(lambda: handling.failed == {"dandelion", "grass"})
    handling.may["grass"].set()
    await eventually(lambda: sum(handling.event_log.committed("test").values()) == 1)
    assert handling.state == PartState(False, "dandelion is away")
    handling.may["dandelion"].set()
    await eventually(lambda: handling.state == WELL)
    await stop(task)


async def test_a_message_that_was_taken_away_while_it_failed_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.messaging.handler.DRAIN_SECONDS", 0.01)
    handling = Handling("dandelion")
    await handling.fill()
    task = handling.start()
    await eventually(lambda: handling.state == PartState(False, "dandelion is away"))
    async with handling.event_log.group("test", [TOPIC]):  # a second member comes, so what is in work is cancelled
        handling.may["dandelion"].set()
    await eventually(lambda: handling.taken == ["dandelion"])  # delivered again, and taken at once
    await eventually(lambda: sum(handling.event_log.committed("test").values()) == 1)
    assert handling.state == WELL
    await stop(task)


async def test_a_message_that_is_given_up_leaves_the_group_red() -> None:
    handling = Handling("dandelion", "grass")
    await handling.fill()
    with pytest.raises(TransientError):
        await handling.start(RetryPolicy(attempts=1))
    assert handling.state is not None
    assert not handling.state.ok

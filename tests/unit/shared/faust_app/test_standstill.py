"""What stands still, and that Faust says nothing of an idle stream."""

import asyncio
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from faust.types import TP

from shared.faust_app import SETTINGS, FaustApp
from shared.faust_app import app as faust_app
from shared.faust_app.standstill import Standstill
from shared.messaging.event_log import TopicPartition
from shared.messaging.kafka import GroupPosition
from shared.runtime.kafka_connection import KafkaConnection
from shared.testing import MemoryEventLog

ONE, OTHER = TopicPartition("image.stored", 0), TopicPartition("label.corrected", 2)
DAY_SECONDS = 86_400.0


def test_a_stream_where_nothing_waits_never_stands_still() -> None:
    standstill = Standstill(300)
    for hour in range(24):
        assert standstill.look({ONE: GroupPosition(7, 7)}, 3600.0 * hour) == {}


def test_the_first_record_after_a_long_silence_is_given_its_time() -> None:
    standstill = Standstill(300)
    standstill.look({ONE: GroupPosition(7, 7)}, 0.0)
    assert standstill.look({ONE: GroupPosition(7, 8)}, DAY_SECONDS) == {}
    assert standstill.look({ONE: GroupPosition(7, 9)}, DAY_SECONDS + 299) == {}
    assert standstill.look({ONE: GroupPosition(7, 9)}, DAY_SECONDS + 301) == {ONE: 2}


def test_a_partition_that_is_stuck_is_found_beside_one_that_goes_on() -> None:
    standstill = Standstill(300)
    for second in range(0, 301, 15):
        assert standstill.look({ONE: GroupPosition(second, 9999), OTHER: GroupPosition(3, 4)}, float(second)) == {}
    assert standstill.look({ONE: GroupPosition(310, 9999), OTHER: GroupPosition(3, 4)}, 315.0) == {OTHER: 1}


def test_time_in_which_no_progress_was_possible_does_not_count() -> None:
    standstill = Standstill(300)
    standstill.look({ONE: GroupPosition(7, 9)}, 0.0)
    standstill.forget()
    assert standstill.look({ONE: GroupPosition(7, 9)}, 400.0) == {}
    assert standstill.look({ONE: GroupPosition(7, 9)}, 701.0) == {ONE: 2}


async def test_a_stop_that_waits_for_a_hanging_agent_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faust_app, "STOP_SECONDS", 0.05)
    over = asyncio.Event()

    async def stop() -> None:  # as Faust does, it goes on when it is cancelled
        while not over.is_set():
            with suppress(asyncio.CancelledError):
                await over.wait()

    async with MemoryEventLog().publisher("pappus/jobs") as publisher:
        app = FaustApp("stuck", KafkaConnection("127.0.0.1:1"), folder=tmp_path, publisher=publisher)
        monkeypatch.setattr(app._app, "stop", stop)
        await app._stop()
        over.set()


class TestFaustsOwnChecks:
    """Of a stream that was idle for a day, while a record has just been fetched and its agent has not taken it yet."""

    PARTITION = TP("image.stored", 0)
    NOW = 2 * DAY_SECONDS

    def complaints(self, settings: dict[str, Any], folder: Path, silent_seconds: float | None) -> list[str]:
        """Return what Faust with these settings says; `silent_seconds`: how long ago a record was taken, None for
        never."""
        app = faust.App(
            "idle", broker="kafka://127.0.0.1:1", datadir=folder, loop=asyncio.get_running_loop(), **settings
        )
        topics: Any = app.topics
        topics.acks_enabled_for = lambda _topic: True
        if silent_seconds is not None:
            app.monitor.stream_inbound_time[self.PARTITION] = self.NOW - silent_seconds
        fetched = SimpleNamespace(highwater=8, position=7, timestamp=self.NOW * 1000)
        assignment = SimpleNamespace(active=True, state_value=lambda _partition: fetched)
        subscriptions = SimpleNamespace(subscription=SimpleNamespace(assignment=assignment))
        consumer: Any = app.consumer
        thread = consumer._thread
        thread.time_started = self.NOW - DAY_SECONDS
        thread._consumer = SimpleNamespace(_fetcher=SimpleNamespace(_subscriptions=subscriptions))
        said: list[str] = []
        thread.log = SimpleNamespace(error=lambda message, *_: said.append(message.splitlines()[0]))
        consumer.verify_event_path(self.NOW, self.PARTITION)
        thread.thread_loop.close()
        return said

    @pytest.mark.parametrize(
        ("silent_seconds", "complaint"),
        [(None, "Stream has not started"), (DAY_SECONDS, "Stream stopped"), (0.0, "Has not committed")],
    )
    async def test_they_are_off_since_they_speak_of_idle_streams(
        self, silent_seconds: float | None, complaint: str, tmp_path: Path
    ) -> None:
        off = ("stream_processing_timeout", "broker_commit_livelock_soft_timeout")
        as_it_comes = {name: value for name, value in SETTINGS.items() if name not in off}
        [said] = self.complaints(as_it_comes, tmp_path / "one", silent_seconds)
        assert said.startswith(complaint)
        assert self.complaints(SETTINGS, tmp_path / "two", silent_seconds) == []

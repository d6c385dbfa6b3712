"""The trigger's agents on tables that are dicts: what they fold, when they want a tick, what they publish."""

from datetime import timedelta
from typing import Any

import pytest

from services.trainer.full_trigger.agents import FullTrigger, TriggerTables
from services.trainer.full_trigger.decisions.rows import RecordPosition, on_image_stored
from services.trainer.full_trigger.settings import FullTriggerSettings
from shared.contract.events import (
    DriftDetected,
    Event,
    ImageStored,
    ImageWithdrawn,
    LabelCorrected,
    ModelPromoted,
    ModelTrained,
    TrainingRequested,
)
from shared.contract.topics import TRIGGER_TICKS
from shared.messaging.codec import encode
from shared.messaging.event_log import Record
from shared.runtime.errors import TransientError
from shared.testing import (
    FixedClock,
    MemoryEventLog,
    drift_detected,
    group_on,
    image_stored,
    label_corrected,
    model_promoted,
    model_trained,
    training_requested,
)

SETTINGS = FullTriggerSettings(first_images_per_label=2, new_images=3)


def image(number: int, **changes: Any) -> ImageStored:
    """Return an image of one of two labels; of four images each label has one on each side of the split."""
    group_id = group_on("train" if number % 4 < 2 else "test", number)
    return image_stored(label=("dandelion", "grass")[number % 2], group_id=group_id, **changes)


class Bench:
    """The trigger, its tables and a log; `restarted` keeps tables and log."""

    def __init__(self) -> None:
        self.clock = FixedClock()
        self.event_log = MemoryEventLog()
        self.tables = TriggerTables({}, {}, {}, {})
        self.offsets: dict[str, int] = {}
        self.folded: list[tuple[Event, Record]] = []
        self.classes: tuple[str, ...] | None = SETTINGS.labels
        """None: the tables that know the classes are away."""

    async def __aenter__(self) -> "Bench":
        self._publishing = self.event_log.publisher("pappus/jobs")
        self._publisher = await self._publishing.__aenter__()
        self.restart()
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self._publishing.__aexit__(None, None, None)

    def restart(self, settings: FullTriggerSettings = SETTINGS) -> None:
        self.told: list[str] = []
        told = self.told.append
        self.trigger = FullTrigger(self.tables, self._publisher, "plants", settings, self.clock, told, self._classes)

    async def _classes(self) -> tuple[str, ...]:
        if self.classes is None:
            raise TransientError("PostgreSQL is away.")
        return self.classes

    async def take(self, event: Event, record: Record | None = None) -> None:
        offset = self.offsets.get(event.topic, 0)
        self.offsets[event.topic] = offset + 1
        now_ms = int(self.clock().timestamp() * 1000)
        record = record or Record(event.topic, 0, offset, event.key, encode(event, "pappus/jobs"), timestamp_ms=now_ms)
        self.folded.append((event, record))
        match event:
            case ImageStored():
                await self.trigger.on_image_stored(event, record)
            case ImageWithdrawn():
                await self.trigger.on_image_withdrawn(event, record)
            case LabelCorrected():
                await self.trigger.on_label_corrected(event, record)
            case ModelTrained() | TrainingRequested() | DriftDetected() | ModelPromoted():
                await self.trigger.on_training(event, record)

    async def tick(self, seconds: float = 0.0) -> None:
        self.clock.move(seconds)
        await self.trigger.on_tick(Record(TRIGGER_TICKS, 0, 0, None, b"tick"))

    async def images(self, count: int, **changes: Any) -> list[ImageStored]:
        made = [image(number, **changes) for number in range(count)]
        for event in made:
            await self.take(event)
        return made

    @property
    def asked(self) -> list[TrainingRequested]:
        return self.event_log.events(TrainingRequested)


async def test_a_burst_becomes_one_request_with_its_causes() -> None:
    async with Bench() as bench:
        made = await bench.images(4)
        await bench.tick()
        assert bench.asked == []
        await bench.tick(2.0)
        (request,) = bench.asked
        assert request.reason == "first_model"
        assert set(request.causes) == {event.event_id for event in made}
        for _ in range(5):
            await bench.tick(60)
        assert len(bench.asked) == 1


async def test_an_hourly_decision_makes_up_for_missed_moments() -> None:
    async with Bench() as bench:
        await bench.tick()
        for event in [image(number) for number in range(4)]:  # behind the trigger's back
            position = RecordPosition("image.stored/0", 0, bench.clock().timestamp())
            bench.tables.images[str(event.image_id)] = on_image_stored(None, event, position)
        await bench.tick(60)
        assert bench.asked == []
        await bench.tick(3600)
        assert len(bench.asked) == 1


async def test_after_a_crash_past_publishing_the_same_request_comes_out() -> None:
    async with Bench() as bench:
        await bench.images(4)
        await bench.tick(2.0)
        bench.tables.trainings.clear()
        bench.restart()
        await bench.images(3)
        await bench.tick(5.0)
        assert len(bench.asked) == 2
        assert bench.asked[0].event_id == bench.asked[1].event_id


async def test_meeting_its_own_request_again_changes_nothing() -> None:
    async with Bench() as bench:
        await bench.images(4)
        await bench.tick(2.0)
        before = dict(bench.tables.trainings)
        (record,) = bench.event_log.records(TrainingRequested.topic)
        await bench.take(bench.asked[0], record)
        assert bench.tables.trainings == before


async def test_the_full_lanes_answer_frees_the_next_request() -> None:
    async with Bench() as bench:
        await bench.images(4)
        await bench.tick(2.0)
        bench.clock.move(1)
        await bench.images(3)
        await bench.tick(30)
        assert len(bench.asked) == 1
        cut = {"image.stored/0": 4}
        await bench.take(model_trained(causes=(bench.asked[0].event_id,), positions=cut, manifest_cut_at=bench.clock()))
        await bench.tick(1)
        assert [request.reason for request in bench.asked] == ["first_model", "new_images"]


async def test_images_of_an_added_class_lead_to_a_training() -> None:
    async with Bench() as bench:
        await bench.images(4)
        await bench.tick(2.0)
        cut = {"image.stored/0": 4}
        await bench.take(model_trained(causes=(bench.asked[0].event_id,), positions=cut, manifest_cut_at=bench.clock()))
        bench.clock.move(1)
        for number in range(3):
            await bench.take(image_stored(label="moss", group_id=group_on("train", number)))
        await bench.tick(30)
        assert len(bench.asked) == 1
        bench.classes = ("dandelion", "grass", "moss")
        await bench.tick(3600)
        assert [request.reason for request in bench.asked] == ["first_model", "new_images"]


async def test_the_classes_known_last_count_while_the_tables_are_away() -> None:
    async with Bench() as bench:
        bench.classes = None
        await bench.images(4)
        await bench.tick(2.0)
        assert [request.reason for request in bench.asked] == ["first_model"]


async def test_a_candidate_of_the_fast_lane_frees_nothing() -> None:
    async with Bench() as bench:
        await bench.images(4)
        await bench.tick(2.0)
        await bench.take(model_trained(lane="fast", causes=(bench.asked[0].event_id,)))
        await bench.images(5)
        await bench.tick(60)
        assert len(bench.asked) == 1


async def test_a_persons_request_counts_as_the_one_under_way() -> None:
    async with Bench() as bench:
        await bench.images(4)
        bench.clock.move(1)
        await bench.take(training_requested(reason="person", requested_by="anna"))
        bench.clock.move(1)
        await bench.images(4)
        await bench.tick(60)
        assert bench.asked == []
        bench.clock.move(600)
        await bench.tick(1)
        assert len(bench.asked) == 1


async def test_an_answer_that_is_met_before_its_request_holds_nothing_up() -> None:
    async with Bench() as bench:
        request = training_requested(reason="person", requested_by="anna")
        await bench.take(model_trained(causes=(request.event_id,)))
        await bench.take(request)
        bench.clock.move(1)
        await bench.images(4)
        await bench.tick(2.0)
        assert [event.reason for event in bench.asked] == ["new_images"]


async def test_drift_with_a_new_label_asks() -> None:
    async with Bench() as bench:
        images = await bench.images(4)
        await bench.tick(2.0)
        await bench.take(
            model_trained(
                causes=(bench.asked[0].event_id,), positions={"image.stored/0": 4}, manifest_cut_at=bench.clock()
            )
        )
        bench.clock.move(10)
        drift = drift_detected()
        await bench.take(drift)
        await bench.tick(60)
        assert len(bench.asked) == 1
        correction = label_corrected(image_id=images[0].image_id, label_to="grass")
        await bench.take(correction)
        await bench.tick(60)
        assert bench.asked[-1].reason == "drift"
        assert set(bench.asked[-1].causes) == {drift.event_id, correction.event_id}


async def test_a_freeze_holds_requests_back_until_it_is_lifted() -> None:
    async with Bench() as bench:
        await bench.take(model_trained())
        await bench.take(model_promoted(sequence=7, frozen=True))
        bench.clock.move(10)
        await bench.images(4)
        await bench.tick(60)
        assert bench.asked == []
        await bench.take(model_promoted(sequence=8, frozen=False))
        await bench.take(model_promoted(sequence=7, frozen=True, version="late"))
        await bench.tick(1)
        assert [request.reason for request in bench.asked] == ["new_images"]


async def test_a_dry_run_says_what_it_would_request() -> None:
    async with Bench() as bench:
        bench.restart(SETTINGS.model_copy(update={"trigger_dry_run": True}))
        await bench.images(4)
        await bench.tick(60)
        assert bench.asked == []
        assert bench.told[-1].startswith("A full training would be requested: Each label has 2 trusted images")
        bench.restart()
        await bench.tick(60)
        assert [request.reason for request in bench.asked] == ["first_model"]


async def test_while_the_log_is_away_the_request_waits() -> None:
    async with Bench() as bench:
        await bench.images(4)
        bench.event_log.away = True
        await bench.tick(2.0)
        assert bench.tables.trainings == {}
        bench.event_log.away = False
        await bench.tick(1.0)
        assert len(bench.asked) == 1


async def test_events_of_another_model_change_nothing() -> None:
    async with Bench() as bench:
        await bench.take(model_trained(model_name="animals"))
        await bench.take(training_requested(model_name="animals"))
        await bench.take(drift_detected(model_name="animals"))
        assert bench.tables.trainings == {}


async def test_a_producers_clock_that_is_ahead_holds_nothing_up() -> None:
    async with Bench() as bench:
        for number in range(4):
            event = image(number)
            ahead = int((bench.clock() + timedelta(hours=5)).timestamp() * 1000)
            await bench.take(
                event, Record(event.topic, 0, number, event.key, encode(event, "pappus/jobs"), timestamp_ms=ahead)
            )
        await bench.tick(2.0)
        assert len(bench.asked) == 1


async def test_folding_everything_again_gives_the_same_rows() -> None:
    async with Bench() as bench:
        (image, *_) = await bench.images(4)
        await bench.take(label_corrected(image_id=image.image_id, label_to="grass"))
        await bench.tick(2.0)
        before = (dict(bench.tables.images), dict(bench.tables.corrections), dict(bench.tables.trainings))
        for event, record in list(bench.folded):
            await bench.take(event, record)
        assert (bench.tables.images, bench.tables.corrections, bench.tables.trainings) == before


def test_the_environment_sets_the_thresholds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPPUS_NEW_IMAGES", "7")
    monkeypatch.setenv("PAPPUS_LABELS", '["a", "b"]')
    settings = FullTriggerSettings()
    assert (settings.labels, settings.new_images, settings.quiet_seconds) == (("a", "b"), 7, 2)


async def test_health_is_told_why_there_is_no_training_and_when_one_is_requested() -> None:
    async with Bench() as bench:
        await bench.images(2)
        await bench.tick(60)
        await bench.images(4)
        await bench.tick(60)
        assert "1 of dandelion, 1 of grass" in bench.told[0]
        assert bench.told[1].startswith("A full training was requested")


async def test_a_persons_request_before_there_are_images_holds_nothing_up() -> None:
    async with Bench() as bench:
        await bench.take(training_requested(reason="person", requested_by="anna"))
        bench.clock.move(1)
        await bench.images(4)
        await bench.tick(60)
        assert [request.reason for request in bench.asked] == ["first_model"]

"""The trigger over whole histories: rows folded from events, decided once a second, answered by a full lane or not."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.trainer.full_trigger.decisions.rows import (
    NOTHING_TRAINED,
    CorrectionRow,
    ImageRow,
    RecordPosition,
    TrainingRow,
    on_drift_detected,
    on_image_stored,
    on_label_corrected,
    on_model_trained,
    on_training_requested,
    to_datetime,
)
from services.trainer.full_trigger.decisions.state import state_of
from services.trainer.full_trigger.decisions.training_due import Request, TriggerSettings, WaitUntil, decide
from shared.contract.events import (
    DriftDetected,
    Event,
    ImageStored,
    LabelCorrected,
    ModelTrained,
    TrainingRequested,
    Trust,
    uuid_of,
)
from shared.testing import group_on
from tests.profiles import examples

pytestmark = pytest.mark.slow

LABELS = ("dandelion", "grass")
SETTINGS = TriggerSettings(
    labels=LABELS, first_images_per_label=3, new_images=4, grown_corrections=5, week_seconds=3600
)
START = datetime(2026, 5, 1, tzinfo=UTC).timestamp()


@dataclass
class World:
    """A log of one partition a topic, the trigger that folds it, and a full lane that answers after a while."""

    now: float = START
    images: dict[str, ImageRow] = field(default_factory=dict)
    corrections: dict[str, CorrectionRow] = field(default_factory=dict)
    training: TrainingRow = field(default_factory=lambda: NOTHING_TRAINED)
    event_log: list[tuple[Event, RecordPosition]] = field(default_factory=list)
    requests: list[TrainingRequested] = field(default_factory=list)
    inputs: int = 0
    lane_seconds: float | None = 5.0
    names_positions: bool = True

    def append(self, event: Event) -> None:
        offset = self.next_offset(event.topic)
        self.event_log.append((event, RecordPosition(f"{event.topic}/0", offset, self.now)))
        self.fold(*self.event_log[-1])

    def next_offset(self, topic: str) -> int:
        return sum(event.topic == topic for event, _ in self.event_log)

    def fold(self, event: Event, position: RecordPosition) -> None:
        match event:
            case ImageStored():
                key = str(event.image_id)
                self.images[key] = on_image_stored(self.images.get(key), event, position)
            case LabelCorrected():
                row = on_label_corrected(self.corrections.get(str(event.image_id)), event, position)
                if row:
                    self.corrections[str(event.image_id)] = row
            case TrainingRequested():
                self.training = on_training_requested(self.training, event, position)
            case ModelTrained():
                self.training = on_model_trained(self.training, event, position)
            case DriftDetected():
                self.training = on_drift_detected(self.training, event, position)

    def store(self, number: int, label: str | None, trust: Trust) -> None:
        self.inputs += 1
        self.append(
            ImageStored(
                event_id=uuid_of("stored", number),
                occurred_at=to_datetime(self.now),
                image_id=uuid_of(number),
                sha256=f"{number:064d}",
                object_key="",
                size_bytes=1,
                width=1,
                height=1,
                image_format="JPEG",
                perceptual_hash="0" * 16,
                group_id=group_on("train" if number % 4 < 2 else "test", number),
                label=label,
                trust=trust,
                registered_by="test",
            )
        )

    def correct(self, number: int, label: str | None, revision: int) -> None:
        self.inputs += 1
        self.append(
            LabelCorrected(
                event_id=uuid_of("corrected", number, revision, self.now),
                occurred_at=to_datetime(self.now),
                image_id=uuid_of(number),
                label_from=None,
                label_to=label,
                no_label="withdrawn" if label is None else None,
                revision=revision,
                corrected_by="test",
            )
        )

    def drift(self) -> None:
        self.inputs += 1
        self.append(
            DriftDetected(
                event_id=uuid_of("drift", self.now),
                occurred_at=to_datetime(self.now),
                model_name="plants",
                model_version="v",
                statistic="mmd",
                value=1,
                threshold=0.5,
                window_from=to_datetime(self.now - 60),
                window_to=to_datetime(self.now),
                answers=100,
            )
        )

    def ask(self, request: Request) -> None:
        event_id = uuid_of("request", len(self.requests))
        event = TrainingRequested(
            event_id=event_id,
            occurred_at=to_datetime(self.now),
            model_name="plants",
            reason=request.reason,
            detail=request.detail,
            causes=request.causes,
        )
        self.requests.append(event)
        self.append(event)

    def train(self, causes: tuple[UUID, ...]) -> None:
        topics = ("image.stored", "label.corrected")
        self.append(
            ModelTrained(
                event_id=uuid_of("trained", self.now),
                occurred_at=to_datetime(self.now),
                model_name="plants",
                causes=causes,
                version=f"full-{self.now}",
                artefact_key="",
                artefact_sha256="",
                lane="full",
                parent=None,
                backbone_id="",
                weights_sha256="",
                manifest_key="",
                manifest_sha256="",
                labels=LABELS,
                training_images=1,
                test_images=1,
                positions={f"{topic}/0": self.next_offset(topic) for topic in topics} if self.names_positions else {},
                manifest_cut_at=to_datetime(self.now),
            )
        )

    def pass_time(self, seconds: float) -> None:
        """Let the lane answer what is due and the trigger decide; jump to where either has something to do."""
        ends = self.now + seconds
        look: float | None = self.now + 1.0
        while self.now < ends:
            due = [] if self.lane_seconds is None else [at + self.lane_seconds for at in self.unanswered().values()]
            next_times = [at for at in [*due, look] if at is not None]
            self.now = min(ends, max(self.now + 0.5, min(next_times, default=ends)))
            for event_id, at in self.unanswered().items():
                if self.lane_seconds is not None and self.now - at >= self.lane_seconds:
                    self.train((UUID(event_id),))
            state = state_of(self.images, self.corrections, self.training, LABELS)
            answer = decide(state, to_datetime(self.now), SETTINGS)
            if isinstance(answer, Request):
                self.ask(answer)
            look = answer.time.timestamp() if isinstance(answer, WaitUntil) and answer.time else None

    def unanswered(self) -> dict[str, float]:
        answers = self.training["answers"]
        return {one["event_id"]: one["at"] for one in self.training["asked"] if one["event_id"] not in answers}


LABEL = st.sampled_from([*LABELS, "moss", None])
STEP = st.one_of(
    st.tuples(st.just("burst"), st.integers(1, 5), st.just(None), st.just(None)),
    st.tuples(st.just("store"), st.integers(0, 30), LABEL, st.sampled_from(["claimed", "seed", "reviewed"])),
    st.tuples(st.just("correct"), st.integers(0, 30), st.sampled_from([*LABELS, None]), st.integers(1, 3)),
    st.tuples(st.just("drift"), st.just(0), st.just(None), st.just(None)),
    st.tuples(st.just("person"), st.just(0), st.just(None), st.just(None)),
    st.tuples(st.just("time"), st.sampled_from([0.25, 1.0, 3.0, 30.0, 700.0]), st.just(None), st.just(None)),
)


def play(world: World, steps: list[tuple[str, float, object, object]]) -> None:
    for kind, number, label, detail in steps:
        match kind:
            case "store":
                world.store(int(number), label, detail)  # type: ignore[arg-type]
            case "burst":
                for _ in range(int(number)):
                    for each in LABELS:
                        world.store(1000 + len(world.images), each, "seed")
            case "correct":
                world.correct(int(number), label, detail)  # type: ignore[arg-type]
            case "drift":
                world.drift()
            case "person":
                event_id = uuid_of("person", world.now, len(world.event_log))
                now = to_datetime(world.now)
                world.append(
                    TrainingRequested(
                        event_id=event_id, occurred_at=now, model_name="plants", reason="person", detail="please"
                    )
                )
            case _:
                world.pass_time(number)


@examples(1.5)
@given(steps=st.lists(STEP, max_size=60), lane_seconds=st.sampled_from([None, 2.0, 40.0]), positions=st.booleans())
def test_no_history_makes_the_trigger_set_itself_off(
    steps: list[tuple[str, float, object, object]], lane_seconds: float | None, positions: bool
) -> None:
    world = World(lane_seconds=lane_seconds, names_positions=positions)
    play(world, steps)
    known = {event.event_id: position.at for event, position in world.event_log}
    before = 0.0
    for request in world.requests:
        asked = known[request.event_id]
        assert request.causes
        assert all(cause in known for cause in request.causes), "a cause is an event of the log"
        assert any(known[cause] > before for cause in request.causes), "each request has a cause the last one had not"
        before = asked
    count = len(world.requests)
    assert count <= world.inputs
    world.pass_time(4 * 3600.0 if lane_seconds is None else 7200.0)
    settled = len(world.requests)
    assert settled <= count + 2, "what is left over is asked for at most once now and once after a week"
    world.pass_time(7200.0)
    assert len(world.requests) == settled, "and then never again"


@examples(0.5)
@given(steps=st.lists(STEP, max_size=40))
def test_folding_every_event_a_second_time_changes_no_row(steps: list[tuple[str, float, object, object]]) -> None:
    world = World()
    play(world, steps)
    before = (dict(world.images), dict(world.corrections), world.training)
    for event, position in world.event_log:
        world.fold(event, position)
    assert (world.images, world.corrections, world.training) == before


def test_an_unanswered_request_is_repeated_only_after_a_new_event() -> None:
    world = World(lane_seconds=None)
    play(world, [("burst", 5, None, None), ("time", 7200.0, None, None)])
    assert len(world.requests) == 1
    play(world, [("burst", 1, None, None), ("time", 7200.0, None, None)])
    assert len(world.requests) == 2


def test_a_thousand_images_in_ten_seconds_are_one_or_two_trainings() -> None:
    world = World()
    for number in range(1000):
        world.store(number, LABELS[number % 2], "seed")
        if number % 10 == 9:
            world.pass_time(0.1)
    world.pass_time(120)
    assert 1 <= len(world.requests) <= 2
    assert world.requests[0].reason == "first_model"
    assert state_of(world.images, world.corrections, world.training, LABELS).new_images == []


def test_claimed_labels_count_only_after_a_review() -> None:
    world = World()
    for number in range(10):
        world.store(number, LABELS[number % 2], "claimed")
    world.pass_time(60)
    assert world.requests == []
    for number in range(6):
        world.correct(number, LABELS[number % 2], 1)
    world.pass_time(60)
    assert [request.reason for request in world.requests] == ["first_model"]


def test_an_image_stored_during_the_cut_is_new_by_its_position() -> None:
    world = World()
    for number in range(6):
        world.store(number, LABELS[number % 2], "seed")
    world.pass_time(30)
    assert len(world.requests) == 1
    for number in range(6, 10):
        world.store(number, "grass", "seed")
    state = state_of(world.images, world.corrections, world.training, LABELS)
    assert len(state.new_images) == 4
    world.pass_time(30)
    assert [request.reason for request in world.requests] == ["first_model", "new_images"]


def test_a_superseded_correction_is_no_correction() -> None:
    world = World()
    world.store(1, "grass", "seed")
    world.correct(1, "dandelion", 1)
    world.now += 1
    world.correct(1, "grass", 1)
    assert world.corrections[str(uuid_of(1))]["label"] == "dandelion"
    assert len(world.corrections[str(uuid_of(1))]["applied"]) == 1


def test_a_repeated_model_answers_its_request_and_keeps_the_cut() -> None:
    world = World(lane_seconds=None)
    for number in range(6):
        world.store(number, LABELS[number % 2], "seed")
    world.pass_time(10)
    old = ModelTrained.model_validate({**_trained(world), "positions": {"image.stored/0": 6}})
    world.append(old)
    world.store(7, "grass", "seed")
    world.append(old.model_copy(update={"event_id": uuid_of("newer"), "positions": {"image.stored/0": 7}}))
    world.append(old.model_copy(update={"causes": (uuid_of("another"),)}))
    last = world.training["last"]
    assert last is not None
    assert last["positions"] == {"image.stored/0": 7}
    assert world.unanswered() == {}


def _trained(world: World) -> dict[str, object]:
    other = World(now=world.now)
    other.train((world.requests[0].event_id,))
    return other.event_log[0][0].model_dump()

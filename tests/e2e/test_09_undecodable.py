"""Unreadable messages on every topic that has a reader: kept as dead letters, and the loop goes on."""

from collections import defaultdict
from collections.abc import Mapping

from aiokafka import AIOKafkaProducer  # type: ignore[import-untyped]

from pappus.demo.drawing import draw_tiles
from pappus.plants import PlantRow
from shared.contract.dead_letter import DeadLetter
from shared.contract.events import ImageStored
from shared.contract.topics import EVENT_TOPICS, TRIGGER_APP, dead_letter_topic
from shared.messaging.codec import encode
from shared.messaging.event_log import TopicPartition
from shared.testing import eventually, image_stored, label_corrected

from .demo_run import LIVE_SECONDS, Told
from .pictures import served

INGESTOR, LABELER, TRAINER, PREDICTOR = (
    f"projection {name}" for name in ("ingestor", "labeler", "trainer", "predictor")
)
READERS: Mapping[str, set[str]] = {
    "image.registered": {"ingestor-fetcher", "ingestor-uploads", INGESTOR, LABELER},
    "image.stored": {"predictor-worker", INGESTOR, LABELER, PREDICTOR, TRAINER, TRIGGER_APP},
    "image.rejected": {INGESTOR, LABELER},
    "image.withdrawn": {
        *(f"{name}-withdrawals" for name in ("ingestor", "labeler", "trainer")),
        INGESTOR,
        LABELER,
        PREDICTOR,
        TRAINER,
        TRIGGER_APP,
    },
    "label.corrected": {INGESTOR, LABELER, TRAINER, TRIGGER_APP},
    "image.scored": {LABELER, PREDICTOR},
    "prediction.logged": {PREDICTOR},
    "answers.logged": {PREDICTOR},
    "prediction.requested": {"predictor-batches", PREDICTOR},
    "prediction.completed": {PREDICTOR},
    "drift.detected": {TRIGGER_APP},
    "training.requested": {"trainer-full", TRIGGER_APP},
    "model.trained": {
        *(f"trainer-{name}" for name in ("gate", "gate-full", "recorder", "withdrawals")),
        LABELER,
        TRAINER,
        TRIGGER_APP,
    },
    "model.promoted": {"predictor follower", "trainer-recorder", LABELER, TRAINER},
    "model.rejected": {"trainer-recorder", LABELER, TRAINER},
    "promotion.requested": {"trainer-gate", "trainer-gate-full", LABELER},
    "label.voted": {LABELER},
    "label_set.changed": {"predictor follower", INGESTOR, LABELER, TRAINER},
    "trial.started": {LABELER, TRAINER},
    "trial.compared": {TRAINER},
}
"""Who reads what, by the names in their dead letters."""

KEY = b"unreadable"
Place = tuple[TopicPartition, int]


def unreadable(topic: str) -> list[bytes | None]:
    """Return unreadable values: not text, JSON of another shape, half an envelope, nothing, no value, and an event of
    another type."""
    another = label_corrected() if topic == ImageStored.topic else image_stored()
    half = b'{"specversion": "1.0", "type": "' + topic.encode() + b'"}'
    return [b"\xff\xfe{not text", b'[{"another": "shape"}]', half, b"", None, encode(another, "pappus/jobs")]


async def produce(told: Told) -> dict[Place, bytes | None]:
    """Put every unreadable value on every topic; where each stands."""
    producer = AIOKafkaProducer(bootstrap_servers=told.servers.kafka_bootstrap)
    await producer.start()
    try:
        placed = {}
        for topic in READERS:
            for value in unreadable(topic):
                found = await producer.send_and_wait(topic, value, key=KEY, partition=0)
                placed[TopicPartition(topic, 0), found.offset] = value
        return placed
    finally:
        await producer.stop()


async def dead_letters(told: Told) -> dict[Place, list[DeadLetter]]:
    """Return all dead letters, by the place they are about."""
    found: dict[Place, list[DeadLetter]] = defaultdict(list)
    for record in await told.records(map(dead_letter_topic, READERS)):
        dead_letter = DeadLetter.model_validate_json(record.value or b"")
        found[TopicPartition(dead_letter.topic, dead_letter.partition), dead_letter.offset].append(dead_letter)
    return found


def test_every_topic_has_a_reader_but_the_one_that_only_people_look_at() -> None:
    assert {topic.name for topic in EVENT_TOPICS} - READERS.keys() == {"model.loaded"}


async def test_each_reader_keeps_each_of_them_as_a_dead_letter_and_goes_on(told: Told) -> None:
    restarts = {part.name: part.restarts for part in told.stack.status().components}
    placed = await produce(told)

    async def missing() -> dict[Place, set[str]]:
        told_of = await dead_letters(told)
        return {
            place: lacking
            for place in placed
            if (lacking := READERS[place[0].topic] - {dead_letter.handler for dead_letter in told_of[place]})
        }

    async def none_missing() -> bool:
        return not await missing()

    try:
        await eventually(none_missing, LIVE_SECONDS)
    except AssertionError:
        assert await missing() == {}
        raise
    told_of = await dead_letters(told)
    for place, value in placed.items():
        text = None if value is None or value.startswith(b"\xff") else value.decode()
        assert {dead_letter.value for dead_letter in told_of[place]} == {text}
        assert {dead_letter.value_base64 is None for dead_letter in told_of[place]} == {
            value is None or text is not None
        }
        assert {dead_letter.error for dead_letter in told_of[place]} == {"InvalidMessage"}

    assert {part.name: part.restarts for part in told.stack.status().components} == restarts
    await told.until_ready()


async def test_afterwards_a_row_is_stored_and_a_correction_becomes_live(told: Told) -> None:
    data = draw_tiles(9)
    row = PlantRow(f"{told.web}/after.png", None)
    with served(told.web, {"after.png": data}):
        assert await told.running.plants.insert([row]) == 1
        assert await told.running.plants.wait_for_outcomes([row], 60, lambda _: None) == {}
    await told.correct_to_the_other(data)


def test_a_replay_skips_them_too(told: Told) -> None:
    ended = told.pappus("replay")
    assert ended.returncode == 0, ended.stdout + ended.stderr

"""Every topic of Pappus on one screen: partitions, retention, dead letters. Created by code before any service."""

from dataclasses import dataclass
from typing import Literal

from shared.contract.batches import PredictionCompleted, PredictionRequested
from shared.contract.events import (
    DriftDetected,
    Event,
    ImageRegistered,
    ImageRejected,
    ImageStored,
    ImageWithdrawn,
    LabelCorrected,
    ModelPromoted,
    ModelRejected,
    ModelTrained,
    PromotionRequested,
    TrainingRequested,
)
from shared.contract.image_scored import ImageScored
from shared.contract.label_set import LabelSetChanged
from shared.contract.replicas import AnswersLogged, ModelLoaded, PredictionLogged
from shared.contract.trials import TrialCompared, TrialStarted
from shared.contract.votes import LabelVoted

DAY_MS = 24 * 3600 * 1000
UNLIMITED = -1
USUAL_BYTES = 1_048_588
"""The largest record of a topic, if nothing else is said: Kafka's own default."""
LARGEST_BYTES = 16 * 1024 * 1024
"""The largest record that is ever published."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `retention_ms` is -1 for unlimited; `max_bytes` is how large a record may be. `replaced_ms`: so long a
    compacted topic keeps a record that a later one of its key replaces; None if it does not matter. The partition count
    of a topic never changes: keys would move."""

    name: str
    partitions: int
    retention_ms: int = UNLIMITED
    cleanup: Literal["delete", "compact"] = "delete"
    max_bytes: int = USUAL_BYTES
    replaced_ms: int | None = None

    @property
    def time_limited(self) -> bool:
        """Whether old records vanish, so that a reader may find its position gone."""
        return self.retention_ms != UNLIMITED

    @property
    def has_gaps(self) -> bool:
        """Whether the record at a position may be gone although later ones are there."""
        return self.time_limited or self.cleanup == "compact"


COMPACTED = {"segment.bytes": str(16 * 1024 * 1024), "segment.ms": str(3600 * 1000), "min.cleanable.dirty.ratio": "0.1"}
"""Of compacted topics: only closed segments are compacted, and a table is read whole before its process works again."""


def settings_of(topic: Topic) -> dict[str, str]:
    """Return the settings of a topic by Kafka's names; how many copies there are is the installation's."""
    return {
        "retention.ms": str(topic.retention_ms),
        "cleanup.policy": topic.cleanup,
        "max.message.bytes": str(topic.max_bytes),
        **(COMPACTED if topic.cleanup == "compact" else {}),
        **({} if topic.replaced_ms is None else _lags(topic.replaced_ms)),
    }


def _lags(replaced_ms: int) -> dict[str, str]:
    """Return what keeps replaced records so long, and a day more at most, however few there are."""
    return {"min.compaction.lag.ms": str(replaced_ms), "max.compaction.lag.ms": str(replaced_ms + DAY_MS)}


def dead_letter_topic(topic: str) -> str:
    """Return the topic that takes what could not be handled on `topic`."""
    return f"{topic}.dlq"


def _event(model: type[Event], partitions: int, retention_ms: int = UNLIMITED, max_bytes: int = USUAL_BYTES) -> Topic:
    return Topic(model.topic, partitions, retention_ms, max_bytes=max_bytes)


EVENT_TOPICS: tuple[Topic, ...] = (
    _event(ImageRegistered, 4),
    _event(ImageStored, 4),
    _event(ImageRejected, 4),
    _event(ImageWithdrawn, 4),
    _event(LabelCorrected, 4),
    Topic(ImageScored.topic, 4, cleanup="compact", replaced_ms=14 * DAY_MS),
    _event(PredictionLogged, 4, 14 * DAY_MS),
    _event(AnswersLogged, 4, 14 * DAY_MS, LARGEST_BYTES),  # 200 answers with the probabilities of all classes
    _event(PredictionRequested, 4, 14 * DAY_MS),
    _event(PredictionCompleted, 4, 14 * DAY_MS),
    _event(DriftDetected, 1),
    _event(TrainingRequested, 1),
    _event(ModelTrained, 1, max_bytes=LARGEST_BYTES),  # it lists all corrections: some 70 bytes for each
    _event(ModelPromoted, 1),
    _event(ModelRejected, 1),
    _event(ModelLoaded, 1, DAY_MS),
    _event(PromotionRequested, 1),
    _event(LabelSetChanged, 1),
    _event(LabelVoted, 4),
    _event(TrialStarted, 1),
    Topic(TrialCompared.topic, 1, cleanup="compact"),  # each record holds the counts of all before it
)
DEAD_LETTER_TOPICS: tuple[Topic, ...] = tuple(
    Topic(dead_letter_topic(topic.name), topic.partitions, 30 * DAY_MS) for topic in EVENT_TOPICS
)

# Faust's own. Its tables keep their changelog in compacted topics with the partition count of the topic they follow;
# an app's timer speaks to its agent through a topic, because a timer may not write a table.
TRIGGER_APP = "trainer-trigger"
TRIGGER_TICKS = f"{TRIGGER_APP}-ticks"
MONITOR_APP = "predictor-monitor"
MONITOR_TICKS = f"{MONITOR_APP}-ticks"
FAUST_TOPICS_OF: dict[str, tuple[Topic, ...]] = {
    TRIGGER_APP: (
        Topic(TRIGGER_TICKS, 1, DAY_MS),
        Topic(f"{TRIGGER_APP}-images-changelog", 4, cleanup="compact"),
        Topic(f"{TRIGGER_APP}-corrections-changelog", 4, cleanup="compact"),
        Topic(f"{TRIGGER_APP}-withdrawals-changelog", 4, cleanup="compact"),
        Topic(f"{TRIGGER_APP}-trainings-changelog", 1, cleanup="compact"),
    ),
    MONITOR_APP: (
        Topic(MONITOR_TICKS, 1, DAY_MS),
        Topic(f"{MONITOR_APP}-answers-changelog", 4, cleanup="compact"),
        Topic(f"{MONITOR_APP}-outcomes-changelog", 4, cleanup="compact"),
        Topic(f"{MONITOR_APP}-watches-changelog", 1, cleanup="compact"),
    ),
}
"""By the consumer group of the app."""
FAUST_TOPICS: tuple[Topic, ...] = tuple(topic for topics in FAUST_TOPICS_OF.values() for topic in topics)

TOPICS: tuple[Topic, ...] = EVENT_TOPICS + DEAD_LETTER_TOPICS + FAUST_TOPICS
TOPIC_OF_NAME: dict[str, Topic] = {topic.name: topic for topic in TOPICS}

"""Every event of Pappus: its topic, its key, its fields, who publishes it and who reads it.

An event is a fact in the past tense, or a request that ends in `.requested`. Events are immutable; fields are only ever
added, with defaults; readers ignore fields they do not know. Words that only inform are plain strings, so that a newer
release may add one; words that decide something are Literals: a reader that does not know one stops there (see
CONTRIBUTING.md, "Changing an event"). `event_id` is a uuid5 of the natural key, so the same fact
published twice has the same id. `causes` are the ids of the events that led to this one.
"""

from collections.abc import Iterable
from typing import ClassVar, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator

from shared.contract.batches import PredictionCompleted, PredictionRequested
from shared.contract.event_base import ArtefactOfModel as ArtefactOfModel
from shared.contract.event_base import Event as Event
from shared.contract.event_base import ImageEvent as ImageEvent
from shared.contract.event_base import ModelEvent as ModelEvent
from shared.contract.event_base import Principal as Principal
from shared.contract.event_base import is_empty
from shared.contract.event_base import uuid_of as uuid_of
from shared.contract.event_parts import FILE_NAME_LENGTH
from shared.contract.event_parts import LARGEST as LARGEST
from shared.contract.event_parts import AppliedCorrection as AppliedCorrection
from shared.contract.event_parts import ClassFigures as ClassFigures
from shared.contract.event_parts import Count as Count
from shared.contract.event_parts import Ordinal as Ordinal
from shared.contract.event_parts import Probability as Probability
from shared.contract.event_parts import RuleOutcome as RuleOutcome
from shared.contract.event_parts import SetAside as SetAside
from shared.contract.event_parts import VerdictEvidence as VerdictEvidence
from shared.contract.image_scored import ImageScored
from shared.contract.label_set import LabelSetChanged
from shared.contract.labels import HeldLabel as HeldLabel
from shared.contract.labels import NoLabel as NoLabel
from shared.contract.labels import Trust as Trust
from shared.contract.rejections import RejectionReason as RejectionReason
from shared.contract.replicas import AnswersLogged, ModelLoaded, PredictionLogged
from shared.contract.trials import TrialCompared, TrialStarted
from shared.contract.votes import LabelVoted


class ImageRegistered(ImageEvent):
    """An image is known: the ingestor's announcer and the labeler's uploads say so.

    Exactly one of `url` (to be fetched) and `upload_key` (bytes already in the object store) is set. `attempt` counts
    from 1; a retryable rejection is announced again with the next attempt. `file_name` is what the file was called
    where it was uploaded, without folders; None if that is not known. Natural key: image_id and attempt.
    """

    topic: ClassVar[str] = "image.registered"
    publishers: ClassVar[tuple[Principal, ...]] = ("ingestor", "labeler")
    readers: ClassVar[tuple[Principal, ...]] = ("ingestor", "labeler")
    url: str | None = None
    upload_key: str | None = None
    label: str | None = None
    trust: Trust = "claimed"
    registered_by: str
    attempt: Ordinal = 1
    file_name: str | None = Field(default=None, max_length=FILE_NAME_LENGTH, exclude_if=is_empty)


class ImageStored(ImageEvent):
    """Bytes were verified and are in the object store under `object_key`. Natural key: image_id. `sha256` names these
    bytes, `pixels_sha256` the decoded pixels (empty in older events); width and height are in pixels after EXIF
    orientation; `perceptual_hash` is 64 bits as 16 hex digits. Images of one `group_id` are copies, on one side of the
    split; one that resembles groups of both sides names them in `joins` and is quarantined.
    """

    topic: ClassVar[str] = "image.stored"
    publishers: ClassVar[tuple[Principal, ...]] = ("ingestor",)
    readers: ClassVar[tuple[Principal, ...]] = ("ingestor", "labeler", "trainer", "predictor")
    sha256: str
    object_key: str
    size_bytes: Count
    width: Count
    height: Count
    image_format: str
    perceptual_hash: str
    group_id: str
    label: str | None = None
    trust: Trust = "claimed"
    registered_by: str
    source_url: str | None = None
    pixels_sha256: str = Field(default="", exclude_if=is_empty)
    joins: tuple[str, ...] = Field(default=(), exclude_if=is_empty)


class ImageRejected(ImageEvent):
    """The image will not be stored. Natural key: image_id and attempt. `reason` is a RejectionReason, or one that a
    newer release added. `duplicate_of` is the image that already holds the same bytes, if reason is "duplicate"."""

    topic: ClassVar[str] = "image.rejected"
    publishers: ClassVar[tuple[Principal, ...]] = ("ingestor",)
    readers: ClassVar[tuple[Principal, ...]] = ("ingestor", "labeler")
    reason: str
    detail: str
    retryable: bool = False
    duplicate_of: UUID | None = None
    attempt: Ordinal = 1


class ImageWithdrawn(ImageEvent):
    """A person took the image back, and its bytes with it. Natural key: image_id; the first one counts, and nothing
    undoes it. Each service deletes what it keeps of the image; the same bytes (`sha256`) are not stored again.
    `seen_by` are the full models that had learned from it by then, or were tested on it."""

    topic: ClassVar[str] = "image.withdrawn"
    publishers: ClassVar[tuple[Principal, ...]] = ("labeler",)
    readers: ClassVar[tuple[Principal, ...]] = ("ingestor", "labeler", "trainer", "predictor")
    sha256: str
    withdrawn_by: str
    reason: str
    seen_by: tuple[str, ...] = ()


class LabelCorrected(ImageEvent):
    """A person set a label, or none. Natural key: the client's idempotency key, with image, revision and label. It is
    applied if `revision` is the image's current revision plus one (`shared.contract.race_rules`).

    The shown values are the answer that the person saw, None if they saw none. `label_to` is None exactly if `no_label`
    says why. "withdrawn" takes the last decision back: `restored` is the decision before it, None if there was none, so
    that the image is again as it was stored. `voters` are those whose equal votes decided (`corrected_by` then lists
    them). Votes for an earlier revision are over, but where one person's decision was taken out: then those from
    `votes_from` on count again.
    """

    topic: ClassVar[str] = "label.corrected"
    publishers: ClassVar[tuple[Principal, ...]] = ("labeler",)
    readers: ClassVar[tuple[Principal, ...]] = ("ingestor", "labeler", "trainer", "predictor")
    label_from: str | None
    label_to: str | None
    revision: Ordinal
    corrected_by: str
    reason: str = ""
    shown_model_version: str | None = None
    shown_label: str | None = None
    shown_probability: Probability | None = None
    prediction_id: UUID | None = None
    no_label: NoLabel | None = None
    restored: HeldLabel | None = None
    voters: tuple[str, ...] = Field(default=(), exclude_if=is_empty)
    votes_from: Ordinal | None = Field(default=None, exclude_if=is_empty)

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.label_to is None) == (self.no_label is None):
            raise ValueError("a correction sets either a label or none, and then says why in no_label")
        restored = self.restored
        if restored is not None and (self.no_label != "withdrawn" or restored.revision >= self.revision):
            raise ValueError("only a withdrawal restores a decision, and only an earlier one")
        return self

    @property
    def holds(self) -> HeldLabel | None:
        """The decision that holds once this correction is applied; None: the image is as it was stored."""
        if self.no_label == "withdrawn":
            return self.restored
        return HeldLabel(revision=self.revision, label=self.label_to, no_label=self.no_label)


class DriftDetected(ModelEvent):
    """Answers differ from their reference, or people contradict more of them: once for each drift. Natural key: model,
    reference, statistic and episode.

    `statistic` says which: "features" (other pictures than those of the last full training) or "accuracy" (fewer
    answers that people agree with). `value` has passed `threshold`: features rise above it, accuracy falls below it.
    `window_from` is since when, and `answers` how many answers came since then, up to `window_to`. `figures` say more:
    "confidence", "share_<label>", and the same as they were expected. Its causes are the answer, or the correction,
    with which it was noticed.
    """

    topic: ClassVar[str] = "drift.detected"
    publishers: ClassVar[tuple[Principal, ...]] = ("predictor",)
    readers: ClassVar[tuple[Principal, ...]] = ("labeler", "trainer")
    model_version: str
    statistic: str
    value: float
    threshold: float
    window_from: AwareDatetime
    window_to: AwareDatetime
    answers: Count
    reference: str = ""
    episode: Count = 0
    figures: dict[str, float] = {}


class TrainingRequested(ModelEvent):
    """Train in full, and why: the trigger asks, or a person. `reason`: "first_model", "new_images", "weekly", "drift",
    "correction_layer_grown", "image_withdrawn" or "person"."""

    topic: ClassVar[str] = "training.requested"
    publishers: ClassVar[tuple[Principal, ...]] = ("labeler", "trainer")
    readers: ClassVar[tuple[Principal, ...]] = ("trainer",)
    reason: str
    detail: str
    requested_by: str | None = None


class ModelTrained(ArtefactOfModel):
    """A candidate exists, from the fast lane or the full lane. Natural key: version.

    `parent` is the champion it was made from (None for a full training without one). `corrections` are all revisions
    the manifest of this candidate holds, or null, so that a correction costs the same however many there are: then it
    holds those of its parent, without `removed` and with `added`, `holds` in all. `seconds` is the time of each stage.
    `positions` ("topic/partition" -> next offset) and `manifest_cut_at` say up to where the log was read when the
    manifest of a full training was cut.
    """

    topic: ClassVar[str] = "model.trained"
    publishers: ClassVar[tuple[Principal, ...]] = ("trainer",)
    readers: ClassVar[tuple[Principal, ...]] = ("labeler", "trainer", "predictor")
    lane: Literal["fast", "full"]
    parent: str | None
    backbone_id: str
    weights_sha256: str
    manifest_key: str
    manifest_sha256: str
    labels: tuple[str, ...]
    training_images: Count
    test_images: Count
    corrections: tuple[AppliedCorrection, ...] | None = ()
    metrics: dict[str, float] = {}
    parameters: dict[str, str | int | float] = {}
    curve: tuple[float, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    missing_images: tuple[UUID, ...] = ()
    seconds: dict[str, float] = {}
    positions: dict[str, int] = {}
    manifest_cut_at: AwareDatetime | None = None
    corrected_at: tuple[AwareDatetime, ...] = Field(default=(), exclude_if=is_empty)
    """When the corrections were made that the champion does not hold and this candidate does; of many the newest."""
    made_with: dict[str, str] = Field(default={}, exclude_if=is_empty)
    """Versions of the libraries, and the kind of CPU, that the bits of the weights depend on."""
    curves: dict[str, tuple[float, ...]] = Field(default={}, exclude_if=is_empty)
    """Figures of each epoch of the backbone, by name; none if it is not learned in epochs. (`curve` is the head's.)"""
    added: tuple[AppliedCorrection, ...] = Field(default=(), exclude_if=is_empty)
    removed: tuple[AppliedCorrection, ...] = Field(default=(), exclude_if=is_empty)
    holds: Count = Field(default=0, exclude_if=is_empty)
    """How many corrections it holds, where they are not listed."""
    unlearned: tuple[str, ...] = Field(default=(), exclude_if=is_empty)
    """Labels that its head has not learned, for want of images: only near corrected images is it answered so."""

    @property
    def held(self) -> tuple[AppliedCorrection, ...]:
        """The corrections it holds. Raises ValueError if they are not listed: see `completed`."""
        if self.corrections is None:
            raise ValueError(f"{self.version} was announced as a difference to {self.parent}: complete it first.")
        return self.corrections

    @property
    def held_count(self) -> int:
        """How many corrections it holds."""
        return self.holds if self.corrections is None else len(self.corrections)

    def completed(self, of_parent: Iterable[AppliedCorrection]) -> Self:
        """Return the same with its corrections listed, by image id, given those that its parent holds."""
        if self.corrections is not None:
            return self
        gone = {(one.image_id, one.revision) for one in (*self.removed, *self.added)}
        kept = [one for one in of_parent if (one.image_id, one.revision) not in gone]
        listed = sorted([*kept, *self.added], key=lambda one: (one.image_id, one.revision))
        return self.model_copy(update={"corrections": tuple(listed)})


def _cause_of_verdict(answers: UUID | None, causes: tuple[UUID, ...], event_id: UUID) -> UUID:
    if answers is not None:
        return answers
    return causes[0] if causes else event_id


class ModelPromoted(ArtefactOfModel):
    """This version serves from now on; only the gate says so. Natural key: cause and sequence. It counts if `sequence`
    is the last one plus one (`shared.contract.race_rules`). `route`: "first", "superior", "non_inferior", "rollback",
    "approve", "override", "freeze" or "unfreeze"."""

    topic: ClassVar[str] = "model.promoted"
    publishers: ClassVar[tuple[Principal, ...]] = ("trainer",)
    readers: ClassVar[tuple[Principal, ...]] = ("labeler", "trainer", "predictor")
    sequence: Ordinal
    replaces: str | None
    frozen: bool = False
    lane: Literal["fast", "full"]
    route: str
    verdict: tuple[RuleOutcome, ...] = ()
    summary: str
    requested_by: str | None = None
    answers: UUID | None = None
    """The promotion.requested this answers, or None when the cause is a candidate."""
    corrected_at: tuple[AwareDatetime, ...] = Field(default=(), exclude_if=is_empty)
    """When the corrections were made that this version is the first to hold; of many the newest."""
    evidence: VerdictEvidence | None = Field(default=None, exclude_if=is_empty)
    """What the candidate answered on the locked test images; None if it was not measured for this promotion."""

    @property
    def cause(self) -> UUID:
        """The promotion.requested this verdict answers, else the model.trained it judges (the first of its causes)."""
        return _cause_of_verdict(self.answers, self.causes, self.event_id)


class ModelRejected(ModelEvent):
    """This version does not serve, or this request was refused, rule by rule. `version` is None when a request named
    nothing that exists. `waits_for_approval`: it would have been promoted, and an operator has to approve it."""

    topic: ClassVar[str] = "model.rejected"
    publishers: ClassVar[tuple[Principal, ...]] = ("trainer",)
    readers: ClassVar[tuple[Principal, ...]] = ("labeler", "trainer", "predictor")
    version: str | None
    verdict: tuple[RuleOutcome, ...] = ()
    summary: str
    set_aside: tuple[SetAside, ...] = ()
    answers: UUID | None = None
    evidence: VerdictEvidence | None = Field(default=None, exclude_if=is_empty)
    """What the candidate answered on the locked test images; None if it was not measured."""
    waits_for_approval: bool = Field(default=False, exclude_if=is_empty)

    @property
    def cause(self) -> UUID:
        """The promotion.requested this verdict answers, else the model.trained it judges (the first of its causes)."""
        return _cause_of_verdict(self.answers, self.causes, self.event_id)


class PromotionRequested(ModelEvent):
    """A person asks the gate. Natural key: the client's idempotency key. `version` is the target of rollback, approve
    and override, None for freeze and unfreeze."""

    topic: ClassVar[str] = "promotion.requested"
    publishers: ClassVar[tuple[Principal, ...]] = ("labeler",)
    readers: ClassVar[tuple[Principal, ...]] = ("labeler", "trainer")
    action: Literal["rollback", "approve", "override", "freeze", "unfreeze"]
    version: str | None = None
    requested_by: str
    reason: str


EVENTS: tuple[type[Event], ...] = (
    ImageRegistered,
    ImageStored,
    ImageRejected,
    ImageWithdrawn,
    LabelCorrected,
    ImageScored,
    PredictionLogged,
    AnswersLogged,
    PredictionRequested,
    PredictionCompleted,
    DriftDetected,
    TrainingRequested,
    ModelTrained,
    ModelPromoted,
    ModelRejected,
    ModelLoaded,
    PromotionRequested,
    LabelSetChanged,
    LabelVoted,
    TrialStarted,
    TrialCompared,
)
EVENT_OF_TOPIC: dict[str, type[Event]] = {event.topic: event for event in EVENTS}

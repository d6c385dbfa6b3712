"""From the output of the model to the answer about one image. Pure."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from shared.contract.artefact import ArtefactMetadata
from shared.contract.events import ImageStored, ImageWithdrawn, ModelPromoted, uuid_of
from shared.contract.image_scored import ImageScored, ScoredAnswer
from shared.contract.replicas import LoggedAnswer
from shared.drift.sketch import project_features

NAMED_CORRECTIONS = 3
NAMED_WEIGHT = 0.135
"""A correction is named behind an answer if its kernel weight, 0..1, is at least this (exp(-2)): re-encoded and resized
copies of the corrected image are far above it, unrelated images below."""


@dataclass(frozen=True, slots=True)
class Output:
    """What the graph computes for one image.

    `probabilities`: float32 [c], in [0, 1], sum 1. `features`: float32 [d]. `weights`: float32 [m], how near the image
    is to each row of the correction layer, in [0, 1].
    """

    probabilities: NDArray[np.float32]
    features: NDArray[np.float32]
    weights: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class UsedCorrection:
    """A corrected image that shaped an answer; `weight` in (0, 1], 1 for the very same picture."""

    image_id: UUID
    weight: float


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer about one image. `corrections`: heaviest first; `features`: float32 [d]."""

    label: str
    probabilities: dict[str, float]
    corrections: tuple[UsedCorrection, ...]
    features: NDArray[np.float32]

    @property
    def projection(self) -> tuple[float, ...]:
        """The 16 numbers of the features: computed at each question, and not before the answer is given."""
        return project_features(self.features)

    @property
    def probability(self) -> float:
        """The probability of the label, in [0, 1]."""
        return self.probabilities[self.label]


def needs_answer(event: ImageStored) -> bool:
    """Return whether the image has no trusted label; the review queue then waits for the model's answer."""
    return event.label is None or event.trust == "claimed"


def answer_of(output: Output, metadata: ArtefactMetadata) -> Answer:
    """Return the answer with the likeliest label, of equal ones the first."""
    probabilities: list[float] = output.probabilities.tolist()
    return Answer(
        label=metadata.labels[probabilities.index(max(probabilities))],
        probabilities=dict(zip(metadata.labels, probabilities, strict=True)),
        corrections=used_corrections(output.weights, metadata),
        features=output.features,
    )


def used_corrections(weights: NDArray[np.float32], metadata: ArtefactMetadata) -> tuple[UsedCorrection, ...]:
    """Return the corrections near enough to have shaped the answer, heaviest first, at most `NAMED_CORRECTIONS`. One
    with several rows is named once, with the largest weight of its rows."""
    if not metadata.corrections:
        return ()
    rows = weights[: len(metadata.corrections)]  # a layer is padded with rows of no correction
    (near,) = (rows >= NAMED_WEIGHT).nonzero()
    if not near.size:
        return ()
    heaviest = sorted(near.tolist(), key=lambda row: (-float(rows[row]), row))
    largest: dict[UUID, float] = {}
    for row in heaviest:
        largest.setdefault(metadata.corrections[row][0], round(float(rows[row]), 6))
    return tuple(UsedCorrection(image_id, weight) for image_id, weight in largest.items())[:NAMED_CORRECTIONS]


@dataclass(frozen=True, slots=True)
class PredictionContext:
    """The origin of an answer to a request: the version, the bytes and the time it took.

    `drift_reference` names what the answer may be compared with, empty without one.
    """

    model_version: str
    sha256: str
    milliseconds: float
    drift_reference: str = ""


def logged_answer(
    answer: Answer, context: PredictionContext, prediction_id: UUID, answered_at: datetime
) -> LoggedAnswer:
    """Return what the log keeps of an answer to a request."""
    return LoggedAnswer(
        prediction_id=prediction_id,
        answered_at=answered_at,
        model_version=context.model_version,
        label=answer.label,
        probabilities=answer.probabilities,
        milliseconds=context.milliseconds,
        sha256=context.sha256,
        projection=answer.projection,
        corrections=tuple(correction.image_id for correction in answer.corrections),
        correction_weights=tuple(correction.weight for correction in answer.corrections),
        drift_reference=context.drift_reference,
    )


@dataclass(frozen=True, slots=True)
class ScoringContext:
    """The origin of an answer about a stored image: the promotion, the whole artefact that answered, the replica, the
    bytes and the time. `causes` are the events that the answer follows from."""

    promotion: ModelPromoted
    full_model_sha256: str
    replica: str
    image_id: UUID
    sha256: str
    milliseconds: float
    causes: tuple[UUID, ...]


def image_scored(
    answer: Answer, context: ScoringContext, occurred_at: datetime, place: str | None = None
) -> ImageScored:
    """Return the event of an answer about a stored image, and of the place where that lies. The ids come from image,
    version and promotion, so that a repetition with the same model has the same ids."""
    promotion = context.promotion
    return ImageScored(
        event_id=uuid_of(ImageScored.topic, context.image_id, promotion.version, promotion.sequence),
        occurred_at=occurred_at,
        causes=context.causes,
        image_id=context.image_id,
        model_name=promotion.model_name,
        answer=ScoredAnswer(
            prediction_id=uuid_of("stored", context.image_id, promotion.version),
            sha256=context.sha256,
            label=answer.label,
            probabilities=answer.probabilities,
            model_version=promotion.version,
            sequence=promotion.sequence,
            full_model_sha256=context.full_model_sha256,
            corrections=tuple(correction.image_id for correction in answer.corrections),
            correction_weights=tuple(correction.weight for correction in answer.corrections),
            milliseconds=context.milliseconds,
            replica=context.replica,
            place=place,
        ),
    )


def answer_taken_back(image_id: UUID, model_name: str, occurred_at: datetime) -> ImageScored:
    """Return the event that takes the place of the answers about a withdrawn image."""
    return ImageScored(
        event_id=uuid_of(ImageScored.topic, image_id, ImageWithdrawn.topic),
        occurred_at=occurred_at,
        causes=(uuid_of(ImageWithdrawn.topic, image_id),),
        image_id=image_id,
        model_name=model_name,
        answer=None,
    )

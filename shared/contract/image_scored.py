"""The event that says what the model answers about a stored image now."""

from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared.contract.event_base import ImageEvent, Principal
from shared.contract.event_parts import Ordinal, Probability
from shared.contract.place import Place


class ScoredAnswer(BaseModel):
    """An answer about the bytes `sha256`. `probabilities` sum to 1. `model_version` gave it, in service since the
    promotion with this `sequence`; `full_model_sha256` is the whole artefact behind it: a version of the fast lane is
    a correction layer on it. `corrections` are the images whose corrections shaped the answer, heaviest first, with
    `correction_weights` in 0..1. `place` is where the image lies in the space of that whole artefact, as
    `shared.contract.place` writes it: places of the same artefact can be compared. None where it has no such space."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())
    prediction_id: UUID
    sha256: str
    label: str
    probabilities: dict[str, Probability]
    model_version: str
    sequence: Ordinal
    full_model_sha256: str
    corrections: tuple[UUID, ...] = ()
    correction_weights: tuple[float, ...] = ()
    milliseconds: float = 0.0
    replica: str = ""
    place: Place | None = None


class ImageScored(ImageEvent):
    """What the model answers about a stored image from now on. Natural key: image_id, version and sequence. The topic
    is compacted: of the records of an image only the last is sure to stay, so the last one on the log holds, also if
    an older model gave it. `answer` is None once the image was withdrawn: the answers before it leave the log."""

    topic: ClassVar[str] = "image.scored"
    publishers: ClassVar[tuple[Principal, ...]] = ("predictor",)
    readers: ClassVar[tuple[Principal, ...]] = ("labeler", "predictor")
    model_name: str
    answer: ScoredAnswer | None

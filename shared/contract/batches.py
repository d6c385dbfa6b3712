"""The events of asynchronous predictions: images that a client sends together and whose answers it asks for later."""

from typing import ClassVar, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.contract.event_base import Event, Principal, is_empty, uuid_of
from shared.contract.event_parts import FILE_NAME_LENGTH, Count, Ordinal, Probability

MOST_IMAGES = 10_000
"""So many images one batch has at most."""
URL_LENGTH = 2000
"""The most characters of a web address."""


def prediction_id_of(batch_id: UUID, index: int) -> UUID:
    """Return the id of the prediction about image `index`, from 0, of a batch."""
    return uuid_of("batch", batch_id, index)


class PredictionOfBatch(Event):
    """What both events say: image `index`, from 0, of the `batch_size` images of a batch. Keyed by prediction.

    `file_name` is what the client calls the file, in an archive with its folders; None if the image came as no file, or
    that is not known."""

    prediction_id: UUID
    batch_id: UUID
    index: Count
    batch_size: Ordinal
    image_id: UUID | None = None
    file_name: str | None = Field(default=None, max_length=FILE_NAME_LENGTH, exclude_if=is_empty)

    @property
    def key(self) -> str:
        return str(self.prediction_id)


class PredictionRequested(PredictionOfBatch):
    """A client asks what an image shows, and reads the answer later. Natural key: prediction_id.

    Exactly one of `object_key` (bytes in the object store, whose hash is `sha256`), `url` (to be fetched) and
    `image_id` (a stored image) is set. `callback_url` is told when all of the batch is finished; None: no address is.
    `requested_by` is the name of the API key, empty where none is asked for. `file_name` is what the client calls the
    file, in an archive with its folders; None if the image came as no file, or that is not known.
    """

    topic: ClassVar[str] = "prediction.requested"
    publishers: ClassVar[tuple[Principal, ...]] = ("predictor",)
    readers: ClassVar[tuple[Principal, ...]] = ("predictor",)
    object_key: str | None = None
    sha256: str | None = None
    url: str | None = Field(default=None, max_length=URL_LENGTH)
    callback_url: str | None = Field(default=None, max_length=URL_LENGTH)
    requested_by: str = ""

    @model_validator(mode="after")
    def _says_where_the_bytes_are(self) -> Self:
        if sum(place is not None for place in (self.object_key, self.url, self.image_id)) != 1:
            raise ValueError("a request names one of object_key, url and image_id")
        if (self.object_key is None) != (self.sha256 is None):
            raise ValueError("object_key and sha256 come together")
        return self


class BatchAnswer(BaseModel):
    """An answer about the bytes `sha256`. `probabilities` sum to 1; `model_version` gave it, in service since the
    promotion with this `sequence`."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())
    label: str
    probabilities: dict[str, Probability]
    model_version: str
    sequence: Ordinal
    sha256: str
    milliseconds: float = 0.0
    replica: str = ""


class BatchRefusal(BaseModel):
    """Why there is no answer: a code for programs, and a sentence."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    error: str
    detail: str


class PredictionCompleted(PredictionOfBatch):
    """An image of a batch has its answer, or will have none. Natural key: prediction_id; the first one on the log
    counts. Exactly one of `answer` and `refusal` is set. `file_name` is that of the request."""

    topic: ClassVar[str] = "prediction.completed"
    publishers: ClassVar[tuple[Principal, ...]] = ("predictor",)
    readers: ClassVar[tuple[Principal, ...]] = ("predictor",)
    answer: BatchAnswer | None = None
    refusal: BatchRefusal | None = None

    @model_validator(mode="after")
    def _is_answered_or_refused(self) -> Self:
        if (self.answer is None) == (self.refusal is None):
            raise ValueError("a completed prediction has either an answer or a refusal")
        return self

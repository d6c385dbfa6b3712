"""What requests and answers about batches look like."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.predictor.data.batches import BatchPrediction, BatchProgress
from shared.contract.batches import MOST_IMAGES, URL_LENGTH

NameOf = Callable[[str], str]
"""What people call a label now."""
WebAddress = Annotated[str, Field(max_length=URL_LENGTH)]
State = Literal["pending", "answered", "refused"]


class _Body(BaseModel):
    model_config = ConfigDict(protected_namespaces=())


class NewBatch(BaseModel):
    """Images to ask about: public web addresses, or ids of stored images; not both."""

    model_config = ConfigDict(extra="forbid")
    urls: list[WebAddress] | None = Field(default=None, max_length=MOST_IMAGES)
    image_ids: list[UUID] | None = Field(default=None, max_length=MOST_IMAGES)
    callback_url: WebAddress | None = Field(default=None, description="told when all images are finished")


class LinksBody(_Body):
    """Where to look next."""

    batch: str
    events: str


class AcceptedBody(_Body):
    """A batch that will be answered. `predictions`: the id of each image's prediction, in the order of the images.
    `callback_secret` is the key that signs the callback, the same for all batches of a client; null without a
    callback."""

    batch_id: UUID
    size: int
    predictions: list[UUID]
    links: LinksBody
    callback_secret: str | None = None


class BatchPredictionBody(_Body):
    """The prediction about image `index`, from 0, of a batch; `file_name` is what the client calls the file, in an
    archive with its folders; null for an image that came as no file. An answer has label, probabilities (sum 1), model
    version and sequence, the sha256 of the bytes and the milliseconds; a refusal has `error`, a code, and `detail`, a
    sentence."""

    prediction_id: UUID
    batch_id: UUID
    index: int
    state: State
    completed_at: datetime | None
    label: str | None = None
    name: str | None = None
    probabilities: dict[str, float] | None = None
    model_version: str | None = None
    model_sequence: int | None = None
    sha256: str | None = None
    milliseconds: float | None = None
    replica: str | None = None
    image_id: UUID | None = None
    file_name: str | None = None
    error: str | None = None
    detail: str | None = None


class BatchBody(_Body):
    """How far a batch is, and a page of its predictions by index. `next` is the cursor of the next page; null on the
    last one."""

    batch_id: UUID
    size: int
    pending: int
    answered: int
    refused: int
    finished: bool
    requested_at: datetime | None
    completed_at: datetime | None
    predictions: list[BatchPredictionBody]
    next: int | None
    links: LinksBody


def state_of(prediction: BatchPrediction) -> State:
    """Return what came of a prediction so far."""
    if prediction.completed_at is None:
        return "pending"
    return "answered" if prediction.error is None else "refused"


def prediction_body(prediction: BatchPrediction, name_of: NameOf) -> BatchPredictionBody:
    """Return the body of a prediction."""
    return BatchPredictionBody(
        prediction_id=prediction.prediction_id,
        batch_id=prediction.batch_id,
        index=prediction.index,
        state=state_of(prediction),
        completed_at=prediction.completed_at,
        label=prediction.label,
        name=None if prediction.label is None else name_of(prediction.label),
        probabilities=prediction.probabilities,
        model_version=prediction.model_version,
        model_sequence=prediction.sequence,
        sha256=prediction.sha256,
        milliseconds=prediction.milliseconds,
        replica=prediction.replica,
        image_id=prediction.image_id,
        file_name=prediction.file_name,
        error=prediction.error,
        detail=prediction.detail,
    )


def links_of(batch_id: UUID) -> LinksBody:
    """Return where a batch is shown."""
    return LinksBody(batch=f"/batches/{batch_id}", events=f"/batches/{batch_id}/events")


def batch_body(progress: BatchProgress, predictions: list[BatchPredictionBody], following: int | None) -> BatchBody:
    """Return the body of a batch with a page of predictions."""
    return BatchBody(
        batch_id=progress.batch_id,
        size=progress.size,
        pending=max(0, progress.size - progress.answered - progress.refused),
        answered=progress.answered,
        refused=progress.refused,
        finished=progress.finished,
        requested_at=progress.requested_at,
        completed_at=progress.completed_at,
        predictions=predictions,
        next=following,
        links=links_of(progress.batch_id),
    )

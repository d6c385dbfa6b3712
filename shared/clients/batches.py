"""Many images at once, with answers that are read later: the requests of the predictor's API about batches."""

from collections.abc import Mapping, Sequence
from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime

from shared.clients.answers import Body
from shared.clients.request import ApiRequest, idempotency

MOST_ON_A_PAGE = 1000


class AcceptedBatch(Body):
    """A batch that will be answered. `predictions`: the id of each image's prediction, in the order of the images;
    `callback_secret`: the key that signs the callback, None without one."""

    batch_id: UUID
    size: int
    predictions: list[UUID]
    callback_secret: str | None = None


class BatchPrediction(Body):
    """The prediction about image `index`, from 0, of a batch; `file_name`: what its file was called, None if it came as
    none. An answer has label, probabilities (sum 1) and model version; a refusal has `error`, a code, and `detail`, a
    sentence; a pending one has neither."""

    prediction_id: UUID
    batch_id: UUID
    index: int
    state: Literal["pending", "answered", "refused"]
    completed_at: AwareDatetime | None = None
    label: str | None = None
    name: str | None = None
    probabilities: dict[str, float] | None = None
    model_version: str | None = None
    sha256: str | None = None
    image_id: UUID | None = None
    file_name: str | None = None
    error: str | None = None
    detail: str | None = None


class BatchView(Body):
    """How far a batch is, and a page of its predictions by index. `next`: the cursor of the next page, None on the
    last one."""

    batch_id: UUID
    size: int
    pending: int
    answered: int
    refused: int
    finished: bool
    predictions: list[BatchPrediction]
    next: int | None = None


def request_predictions(
    *,
    archive: bytes | None = None,
    image_ids: Sequence[UUID] = (),
    urls: Sequence[str] = (),
    callback_url: str | None = None,
    key: str | None = None,
) -> ApiRequest[AcceptedBatch]:
    """Ask about the images of a ZIP archive, about stored images, or about those at public web addresses: one of the
    three. The same images with the same `key` are the same batch."""
    told: Mapping[str, str] = {} if callback_url is None else {"callback_url": callback_url}
    headers, read = idempotency(key), AcceptedBatch.model_validate_json
    if archive is not None:
        return ApiRequest("POST", "/predictions", read, file=("images.zip", archive), form=told, headers=headers)
    asked = {"image_ids": [str(each) for each in image_ids]} if image_ids else {"urls": list(urls)}
    return ApiRequest("POST", "/predictions", read, json={**asked, **told}, headers=headers)


def get_batch(batch_id: UUID, after: int = -1, limit: int = MOST_ON_A_PAGE) -> ApiRequest[BatchView]:
    """Get how far a batch is, and its predictions behind the index `after`. It is there within a second or so after it
    was accepted, and for some days; 404 before and after."""
    params = {"after": after, "limit": limit}
    return ApiRequest("GET", f"/batches/{batch_id}", BatchView.model_validate_json, params=params)

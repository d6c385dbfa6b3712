"""Routes about labels: list them, correct one, read its history, and get the review queue."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.labeler.api.audited import audited
from services.labeler.api.images import unknown
from services.labeler.api.metrics import measured
from services.labeler.api.problems import error_responses
from services.labeler.api.service import AnyUser, CurrentService, IdempotencyKey
from services.labeler.commands.corrections import CorrectionRequest, correct
from services.labeler.queries import images
from shared.clients.answers import AcceptedImage, Applied, HistoryEntry, Labels, ReviewQueue

router = APIRouter(tags=["labels"])


@router.get("/labels", responses=error_responses())
async def labels(service: CurrentService, _user: AnyUser) -> Labels:
    """Return the labels of this installation."""
    return Labels(labels=service.settings.labels, model_name=service.settings.model_name)


@router.post(
    "/images/{image_id}/label",
    responses={
        202: {"model": AcceptedImage, "description": "Accepted; not applied yet"},
        **error_responses(400, 404, 409, 422),
    },
)
async def set_label(
    service: CurrentService,
    user: AnyUser,
    response: Response,
    image_id: UUID,
    correction: CorrectionRequest,
    idempotency_key: IdempotencyKey = None,
) -> Applied | AcceptedImage:
    """Set the label of an image, or none, given the revision you saw. 409 says who was first, and the current label."""
    work = correct(service.command_bus, image_id, correction, user.name, idempotency_key)
    if correction.no_label == "withdrawn":  # it takes back what another person may have decided
        done = await audited("withdraw", str(image_id), user, work, command="correct")
    else:
        done = await measured("correct", work)
    if isinstance(done, AcceptedImage):
        response.status_code = 202
    return done


@router.get("/images/{image_id}/history", responses=error_responses(404, 422))
async def history(service: CurrentService, _user: AnyUser, image_id: UUID) -> list[HistoryEntry]:
    """Return every correction of the image's label: by whom, when, why, and since when a model holds it."""
    entries = await images.history(service.database, image_id)
    if entries is None:
        raise unknown(image_id)
    return entries


@router.get("/review", responses=error_responses(422))
async def review(
    service: CurrentService, _user: AnyUser, limit: Annotated[int, Query(ge=1, le=1000)] = 20
) -> ReviewQueue:
    """Return stored images that have not been reviewed, the most useful first."""
    return await images.review_queue(service.database, limit)

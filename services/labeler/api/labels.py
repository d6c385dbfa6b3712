"""Routes about labels: list them, correct one, and read its history."""

from fastapi import APIRouter, Response

from services.labeler.api.audited import audited
from services.labeler.api.images import ImageId, unknown
from services.labeler.api.metrics import measured
from services.labeler.api.problems import error_responses
from services.labeler.api.service import AnyUser, CurrentService, IdempotencyKey, Labeler
from services.labeler.commands.corrections import CorrectionRequest
from services.labeler.commands.votes import Voter, correct_or_vote
from services.labeler.queries import images
from shared.clients.answers import AcceptedImage, Applied, HistoryEntry, Labels
from shared.http.bodies import JsonBody

router = APIRouter(tags=["labels"])


@router.get("/labels", summary="List the labels", responses=error_responses())
async def get_labels(service: CurrentService, _user: AnyUser) -> Labels:
    """List the labels that an image can have in this installation, and what people call each."""
    classes = await service.command_bus.classes()
    return Labels(labels=classes.labels, names=dict(classes.names), model_name=service.settings.model_name)


@router.post(
    "/images/{image_id}/label",
    summary="Set or correct a label",
    responses={
        200: {"description": "The label holds"},
        202: {"model": AcceptedImage, "description": "Accepted; not applied yet"},
        **error_responses(400, 403, 404, 409, 410, 422),
    },
)
async def set_label(
    service: CurrentService,
    user: Labeler,
    response: Response,
    image_id: ImageId,
    correction: JsonBody[CorrectionRequest],
    idempotency_key: IdempotencyKey = None,
) -> Applied | AcceptedImage:
    """Say what an image shows, given the revision of the label that you saw. If another person was first, 409 says
    who, and which label holds now. Instead of a label, `no_label` says why there is none; `withdrawn` takes the last
    decision back. Where a label needs several equal votes, that of a labeler is kept as one: the answer says `voted`,
    and an operator's counts at once unless `vote` is set. Needs the role `labeler`."""
    voter = Voter(user.name, settles=user.may_act_as("operator"))
    work = correct_or_vote(service.command_bus, image_id, correction, voter, idempotency_key)
    if correction.no_label == "withdrawn":  # it takes back what another person may have decided
        done = await audited("withdraw", str(image_id), user, work, command="correct")
    else:
        done = await measured("correct", work)
    if isinstance(done, AcceptedImage):
        response.status_code = 202
    return done


@router.get("/images/{image_id}/history", summary="Show who set which label", responses=error_responses(404, 422))
async def get_history(service: CurrentService, _user: AnyUser, image_id: ImageId) -> list[HistoryEntry]:
    """List every label the image had: set by whom, when and why, and since when a model holds it."""
    entries = await images.history(service.database, image_id)
    if entries is None:
        raise unknown(image_id)
    return entries

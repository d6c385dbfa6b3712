"""The route that takes an image back."""

from fastapi import APIRouter, Response

from services.labeler.api.audited import audited
from services.labeler.api.images import ImageId
from services.labeler.api.models import FOR_OPERATORS
from services.labeler.api.problems import error_responses
from services.labeler.api.service import CurrentService, Operator
from services.labeler.commands.withdrawals import WithdrawRequest, withdraw
from shared.clients.answers import AcceptedImage
from shared.clients.withdrawals import Withdrawal
from shared.http.bodies import JsonBody

router = APIRouter(tags=["images"])


@router.post(
    "/images/{image_id}/withdraw",
    summary="Take an image back",
    description=(
        "Delete the bytes of an image and what was computed from them, train without it, and refuse the same bytes from"
        f" now on. The answer names the models that saw it. This cannot be undone. {FOR_OPERATORS}"
    ),
    responses={
        200: {"description": "The image is withdrawn, now or before"},
        202: {"model": AcceptedImage, "description": "Accepted; not applied yet"},
        **error_responses(403, 404, 409, 422),
    },
)
async def withdraw_image(
    service: CurrentService, user: Operator, response: Response, image_id: ImageId, body: JsonBody[WithdrawRequest]
) -> Withdrawal | AcceptedImage:
    """See the description."""
    work = withdraw(service.command_bus, service.store, image_id, body, user.name)
    done = await audited("withdraw_image", str(image_id), user, work)
    if isinstance(done, AcceptedImage):
        response.status_code = 202
    return done

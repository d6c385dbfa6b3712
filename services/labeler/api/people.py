"""Routes about what one person decided: see it, and take it out."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.labeler.api.audited import audited
from services.labeler.api.images import ImageId
from services.labeler.api.models import FOR_OPERATORS
from services.labeler.api.problems import error_responses
from services.labeler.api.service import AnyUser, CurrentService, Operator
from services.labeler.commands.taking_out import TakeOutRequest, take_out
from services.labeler.fields import Name
from services.labeler.queries.people import decisions_of
from shared.clients.answers import AcceptedImage
from shared.clients.lineage import MAX_HELD, DecisionsOf, TakeOutDone
from shared.http.bodies import JsonBody

router = APIRouter(tags=["labels"])


@router.get("/decisions", summary="Show what a person decided", responses=error_responses(422))
async def get_decisions(
    service: CurrentService,
    user: AnyUser,
    by: Annotated[Name, Query(min_length=1, description="The name of the person")],
    limit: Annotated[int, Query(ge=0, le=MAX_HELD, description="How many decisions that hold at most")] = 50,
) -> DecisionsOf:
    """Count what a person decided and what became of it, and list the decisions that hold now."""
    open_votes = by == user.name or user.may_act_as("operator")
    return await decisions_of(service.database, by, limit, open_votes)


@router.post(
    "/images/{image_id}/take-out",
    summary="Take a person's decisions about an image out",
    description=f"Let hold what other people decided, or what the image was stored with. {FOR_OPERATORS}",
    responses={
        200: {"description": "Nothing of this person holds any more"},
        202: {"model": AcceptedImage, "description": "Accepted; not applied yet"},
        **error_responses(403, 404, 409, 410, 422),
    },
)
async def take_out_decision(
    service: CurrentService, user: Operator, response: Response, image_id: ImageId, body: JsonBody[TakeOutRequest]
) -> TakeOutDone | AcceptedImage:
    """See the description."""
    done = await audited("take_out", str(image_id), user, take_out(service.command_bus, image_id, body, user.name))
    if isinstance(done, AcceptedImage):
        response.status_code = 202
    return done

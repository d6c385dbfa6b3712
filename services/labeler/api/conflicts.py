"""Routes about copies of pictures: labels that contradict each other, and images that are quarantined."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.labeler.api.problems import error_responses
from services.labeler.api.service import AnyUser, CurrentService
from services.labeler.fields import Name
from services.labeler.queries.conflicts import conflicts_of_person
from services.labeler.queries.images import quarantined_images
from shared.clients.answers import ImageView, LabelConflict

router = APIRouter(tags=["labels"])


@router.get("/conflicts", summary="Show labels that contradict each other", responses=error_responses(422))
async def get_conflicts(
    service: CurrentService,
    user: AnyUser,
    by: Annotated[Name | None, Query(min_length=1, description="The name of the person; without it, yours")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="How many conflicts at most")] = 20,
) -> list[LabelConflict]:
    """List pictures with the same pixels that people gave different labels, the newest conflict first. The later label
    counts for all of these pictures; a conflict ends when either label is changed or taken back."""
    return await conflicts_of_person(service.database, by or user.name, limit)


@router.get("/quarantine", tags=["images"], summary="Show quarantined images", responses=error_responses(422))
async def get_quarantine(
    service: CurrentService,
    _user: AnyUser,
    limit: Annotated[int, Query(ge=1, le=1000, description="How many images at most")] = 20,
) -> list[ImageView]:
    """List images that resemble both training and test images, the newest first, with those that they resemble. They
    are in neither: else the model would be tested on what it has learned."""
    return await quarantined_images(service.database, limit)

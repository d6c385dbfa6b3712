"""Routes about what was noticed: drifts."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.labeler.api.problems import error_responses
from services.labeler.api.service import AnyUser, CurrentService
from services.labeler.queries import watching
from shared.clients.answers import DriftView

router = APIRouter(tags=["models"])


@router.get("/drifts", summary="List the drifts", responses=error_responses(422))
async def list_drifts(
    service: CurrentService,
    _user: AnyUser,
    limit: Annotated[int, Query(ge=1, le=1000, description="How many drifts at most")] = 50,
) -> list[DriftView]:
    """List when pictures were others than the model had learned, or people agreed less; newest first."""
    return await watching.drifts(service.database, limit)

"""Routes about what happened: the events after a cursor."""

from collections.abc import Collection
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.labeler.api.problems import error_responses
from services.labeler.api.service import CurrentService, Labeler
from services.labeler.commands.outcomes import Refused
from services.labeler.fields import Line
from services.labeler.queries.events import TYPES, CursorAhead
from shared.clients.events import MAX_EVENTS, MAX_WAIT_SECONDS, EventPage

router = APIRouter(tags=["events"])


class EventsQuery(BaseModel):
    """Which events are asked for."""

    after: int = Field(0, ge=0, le=2**62, description="The cursor: `next` of an earlier answer; 0: from the first")
    limit: int = Field(100, ge=1, le=MAX_EVENTS, description="How many events at most")
    image: UUID | None = Field(None, description="Only those of this image")
    type: list[Line] = Field([], max_length=50, description="Only these types, such as label.corrected")
    wait: float = Field(
        0.0, ge=0, le=MAX_WAIT_SECONDS, description="How many seconds to wait for one where there is none"
    )


@router.get("/events", summary="Follow the events", responses=error_responses(403, 422))
async def list_events(service: CurrentService, _user: Labeler, asked: Annotated[EventsQuery, Query()]) -> EventPage:
    """List what happened after a cursor, the oldest first: each event once, in an order that stays. A cursor counts as
    long as the labeler's database is kept, and through a replay. Needs the role `labeler`."""
    refuse_unknown_types(asked.type)
    try:
        return await service.events.after(asked.after, asked.limit, asked.image, asked.type, asked.wait)
    except CursorAhead as ahead:
        raise Refused("cursor_ahead", str(ahead)) from ahead


def refuse_unknown_types(types: Collection[str]) -> None:
    """Raise Refused if events of one of these types are never listed."""
    if unknown := sorted(set(types) - TYPES):
        known = ", ".join(sorted(TYPES))
        raise Refused("type_unknown", f"No events of the type {unknown[0]!r} are listed. The types are: {known}.")

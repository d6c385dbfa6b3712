"""What happened, one event after the other: what the labeler's API answers, and how it is asked."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime

from shared.clients.answers import Body
from shared.clients.request import ApiRequest

MAX_EVENTS = 500
"""The most events of one answer."""
MAX_WAIT_SECONDS = 20.0
"""The longest that an answer waits for a new event."""
Plain = str | int | float | bool | None


class EventView(Body):
    """An event. `number` is its place, and the cursor behind it; numbers rise, and some are left out. `type` is that of
    docs/events.md; `data` holds the plain fields of the event, without lists. `event_id` stays the same wherever the
    event is seen."""

    number: int
    event_id: UUID
    type: str
    occurred_at: AwareDatetime
    image_id: UUID | None = None
    data: dict[str, Plain]


class EventPage(Body):
    """Events in the order of their numbers. `next`: the cursor for the request that follows, even if there are none
    here. `more`: whether others come right behind these. `newest`: the number of the newest event of all, 0 before the
    first; with it as the cursor one sees only what comes from now on."""

    items: list[EventView]
    next: int
    more: bool
    newest: int


def list_events(
    after: int = 0,
    *,
    limit: int = 100,
    image: UUID | None = None,
    types: Collection[str] = (),
    wait_seconds: float = 0.0,
) -> ApiRequest[EventPage]:
    """Get the events after a cursor, at most `limit` (1 to MAX_EVENTS), the oldest first: of one image, or of these
    types only. Without one the answer comes after `wait_seconds` (0 to MAX_WAIT_SECONDS), or with the first that
    does."""
    params: dict[str, Any] = {"after": after, "limit": limit, "wait": wait_seconds, "type": list(types)}
    if image is not None:
        params["image"] = str(image)
    return ApiRequest("GET", "/events", EventPage.model_validate_json, params=params)

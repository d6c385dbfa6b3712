"""The table of events: what happened, for those who follow along over HTTP."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from shared.contract.events import Event
from shared.contract.image_scored import ImageScored
from shared.contract.votes import LabelVoted
from shared.tables.postgres import Transaction
from shared.tables.projection import Projector, on_events

UNLISTED: tuple[type[Event], ...] = (ImageScored, LabelVoted)
"""Each full model answers about every image again, and the topic keeps only the last answer; no person reads how
another one voted before the label is decided."""
ELSEWHERE = frozenset(
    {"event_id", "occurred_at", "image_id", "upload_key", "object_key", "artefact_key", "manifest_key"}
)
"""Fields with a column of their own, and where bytes lie."""
COMPOUND = (tuple, list, dict, BaseModel)


def listing(*projectors: Projector) -> tuple[Projector, ...]:
    """Return projectors that also list each event, but for the types in UNLISTED."""
    return tuple(each if each.event in UNLISTED else _listing(each) for each in projectors)


def _listing(projector: Projector) -> Projector:
    apply, apply_together = projector.apply, projector.apply_together

    async def apply_and_list(event: Event, transaction: Transaction) -> None:
        await apply(event, transaction)
        await list_events([event], transaction)

    async def apply_and_list_together(events: Sequence[Event], transaction: Transaction) -> None:
        assert apply_together is not None
        await apply_together(events, transaction)
        await list_events(events, transaction)

    if apply_together is None:
        return replace(projector, apply=apply_and_list)
    return on_events(projector.event, apply_and_list_together)


async def list_events(events: Sequence[Event], transaction: Transaction) -> None:
    """Insert the events with their plain fields; lists and groups of fields, which may be long, are left out. A
    repetition changes nothing."""
    await transaction.executemany(
        """INSERT INTO events (event_id, topic, image_id, occurred_at, data) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT DO NOTHING""",
        [
            (event.event_id, event.topic, getattr(event, "image_id", None), event.occurred_at, _plain(event))
            for event in events
        ],
    )


def _plain(event: Event) -> dict[str, Any]:
    plain = {name for name in type(event).model_fields if not isinstance(getattr(event, name), COMPOUND)}
    return event.model_dump(mode="json", include=plain - ELSEWHERE)

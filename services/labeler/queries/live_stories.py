"""Queries about what happened last, image by image."""

from collections import defaultdict
from uuid import UUID

from shared.clients.live import LiveAnswer, LiveDecision, LiveStory
from shared.tables.database import Database
from shared.tables.postgres import Row

EVENTS_OF_A_STORY = 10
"""So many of the newest events are looked at for each image that is asked for."""
NEWEST_DECISIONS = 4

_STORIES = """
WITH recent AS (
    SELECT image_id, max(number) AS number
    FROM (SELECT image_id, number FROM event_numbers WHERE image_id IS NOT NULL ORDER BY number DESC LIMIT $2) newest
    GROUP BY image_id ORDER BY max(number) DESC LIMIT $1)
SELECT images.*, predictions.label AS predicted, (probabilities ->> predictions.label)::double precision AS confidence,
       model_version, predictions.occurred_at AS answered_at,
       (SELECT max(sequence) FROM promotions WHERE counts AND version = model_version) AS promotion
FROM recent JOIN current_images images USING (image_id) LEFT JOIN predictions USING (image_id)
ORDER BY recent.number DESC
"""
_DECISIONS = """
SELECT history.*, live.version AS live_in, live.sequence AS promotion, live.live_at
FROM label_history history LEFT JOIN live_corrections live USING (image_id, revision)
WHERE image_id = ANY($1) AND applied ORDER BY revision
"""


async def live_stories(database: Database, limit: int) -> list[LiveStory]:
    """Return the stories of the images that the newest events are about, at most `limit`, the newest first."""
    rows = await database.fetch(_STORIES, limit, limit * EVENTS_OF_A_STORY)
    decisions: dict[UUID, list[LiveDecision]] = defaultdict(list)
    for row in await database.fetch(_DECISIONS, [row["image_id"] for row in rows]):
        decisions[row["image_id"]].append(_decision(row))
    return [_story(row, decisions[row["image_id"]][-NEWEST_DECISIONS:]) for row in rows]


async def model_served(database: Database) -> bool:
    """Return whether a model was ever in service."""
    return bool(await database.fetchval("SELECT EXISTS (SELECT FROM promotions WHERE counts)"))


def _story(row: Row, decisions: list[LiveDecision]) -> LiveStory:
    refused = row["stored_at"] is None and row["rejection_reason"] is not None
    return LiveStory(
        image_id=row["image_id"],
        name=row["name"],
        came_at=row["registered_at"],
        came_from=row["registered_by"] or row["stored_by"],
        stored_at=row["stored_at"],
        refused=row["rejection_detail"] if refused else None,
        refused_at=row["rejected_at"] if refused else None,
        withdrawn_by=row["withdrawn_by"],
        withdrawn_at=row["withdrawn_at"],
        answer=_answer(row),
        decisions=decisions,
    )


def _answer(row: Row) -> LiveAnswer | None:
    if row["predicted"] is None:
        return None
    return LiveAnswer(
        label=row["predicted"],
        confidence=row["confidence"],
        model_version=row["model_version"],
        promotion=row["promotion"],
        answered_at=row["answered_at"],
    )


def _decision(row: Row) -> LiveDecision:
    return LiveDecision(
        revision=row["revision"],
        by=row["corrected_by"],
        at=row["occurred_at"],
        label_before=row["label_from"],
        label=row["label_to"],
        no_label=row["no_label"],
        live_in=row["live_in"],
        promotion=row["promotion"],
        live_at=row["live_at"],
    )

"""Leases: a person who reviews gets images that no other person has before them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from services.labeler.queries.queue_queries import AskedQueue
from services.labeler.queries.review_queues import review_queue
from shared.clients.answers import ReviewQueue
from shared.tables.database import Database

LEASE_SECONDS = 300.0
"""How long an image is kept for a person who has stopped asking for more."""
TRIES = 5


async def lease_queue(database: Database, person: str, limit: int, now: datetime, asked: AskedQueue) -> ReviewQueue:
    """Return the next `limit` images of a queue that no other person has, and keep them for this one. What they had and
    is still at the front is theirs again. Two people who ask at once may both find fewer."""
    for _ in range(TRIES):
        taken = await database.fetch("SELECT image_id FROM leases WHERE until > $1 AND person <> $2", now, person)
        queue = await review_queue(database, person, limit, now, asked, [row["image_id"] for row in taken])
        kept = await _keep(database, [item.image_id for item in queue.items], person, now)
        items = [item for item in queue.items if item.image_id in kept]
        if len(items) == len(queue.items):
            break  # else another person was first with some of them: look at those behind
    return queue.model_copy(update={"items": items})


async def _keep(database: Database, images: Sequence[UUID], person: str, now: datetime) -> set[UUID]:
    """Lease the images to the person; return those that are theirs now."""
    rows = await database.fetch(
        """WITH over AS (DELETE FROM leases WHERE until <= $3 AND image_id <> ALL($1))
           INSERT INTO leases (image_id, person, until) SELECT image_id, $2, $4 FROM unnest($1::uuid[]) AS image_id
           ORDER BY image_id
           ON CONFLICT (image_id) DO UPDATE SET person = excluded.person, until = excluded.until
               WHERE leases.person = excluded.person OR leases.until <= $3
           RETURNING image_id""",
        images,
        person,
        now,
        now + timedelta(seconds=LEASE_SECONDS),
    )
    return {row["image_id"] for row in rows}

"""Which decisions a second person should look at: of people who contradict model and data set again and again."""

from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID

from services.labeler.decisions.second_look import OFTEN, needing_second_look
from services.labeler.queries.kept_work import last_decisions
from shared.tables.database import Database

NEWEST = 1_000
"""So many of the newest decisions against a model are looked at,"""
SINCE = timedelta(days=60)
"""of so long ago at most,"""
OF_A_PERSON = 200
"""and so many of the last decisions of each person."""
_CONTRADICTING = """
WITH against AS (
    SELECT image_id, revision, corrected_by, label_to, occurred_at FROM label_history
    WHERE applied AND voters = '{}' AND label_to <> shown_label AND occurred_at >= $2
    ORDER BY occurred_at DESC LIMIT $3
)
SELECT image_id, corrected_by, held_revision = revision AND withdrawn_at IS NULL AS holds
FROM against CROSS JOIN LATERAL (SELECT held_revision, withdrawn_at, stored_at, stored_trust, stored_label FROM images
                                 WHERE images.image_id = against.image_id LIMIT 1) AS now
WHERE corrected_by <> $1 AND stored_at IS NOT NULL AND stored_trust IN ('seed', 'reviewed') AND label_to <> stored_label
ORDER BY occurred_at DESC, image_id
"""
"""Decisions of others against the answer that was shown and against the data set. $1: who asks. What several people
voted for needs no second look."""


async def second_looks(database: Database, person: str, now: datetime) -> list[UUID]:
    """Return the images that this person should look at after another one, the newest decision first."""
    rows = await database.fetch(_CONTRADICTING, person, now - SINCE, NEWEST)
    by_person = Counter(row["corrected_by"] for row in rows)
    needed: set[UUID] = set()
    for other, count in by_person.items():
        if count >= OFTEN:
            needed.update(needing_second_look(await last_decisions(database, other, OF_A_PERSON)))
    return [row["image_id"] for row in rows if row["holds"] and row["image_id"] in needed]

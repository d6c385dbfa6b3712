"""What Review keeps for a person: images that were left for later, and what they were asked about their decisions."""

from datetime import datetime
from uuid import UUID

from services.labeler.decisions.second_look import WINDOW, Decision, Question, double_check
from shared.tables.database import Database
from shared.tables.postgres import Row

LATER = """
skipped CROSS JOIN LATERAL (SELECT revision, stored_at, withdrawn_at FROM images
                            WHERE images.image_id = skipped.image_id LIMIT 1) AS now
WHERE skipped.revision = now.revision AND stored_at IS NOT NULL AND withdrawn_at IS NULL
"""
"""What people left for later, as long as it is not decided about. LIMIT: each is looked up, instead of all images."""
_DECISIONS = """
SELECT image_id, occurred_at AS decided_at,
       label_to <> shown_label
       AND EXISTS (SELECT FROM images WHERE images.image_id = theirs.image_id
                   AND stored_trust IN ('seed', 'reviewed') AND stored_label <> label_to)
       AND NOT was_taken_back(image_id, revision)
       AND NOT EXISTS (SELECT FROM label_history later
                       WHERE later.image_id = theirs.image_id AND later.applied AND later.revision > theirs.revision
                         AND later.corrected_by <> $1 AND later.label_to = theirs.label_to) AS contradicts,
       (SELECT answered_until FROM double_checks WHERE person = $1) AS answered_until
FROM label_history theirs
WHERE corrected_by = $1 AND applied AND label_to IS NOT NULL AND shown_label IS NOT NULL
ORDER BY occurred_at DESC, event_id LIMIT $2
"""
"""The last labels of a person who saw an answer of a model. $1: the person, $2: how many at most. What they took back
themselves contradicts nothing."""


async def skip(database: Database, person: str, image_id: UUID, revision: int, now: datetime) -> None:
    """Keep that this person left an image for later, which they saw at this revision."""
    await database.execute(
        """INSERT INTO skipped (person, image_id, revision, skipped_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT (person, image_id)
               DO UPDATE SET revision = excluded.revision, skipped_at = excluded.skipped_at""",
        person,
        image_id,
        revision,
        now,
    )


async def unskip(database: Database, person: str, image_id: UUID) -> None:
    """Forget it: the image comes again."""
    await database.execute("DELETE FROM skipped WHERE person = $1 AND image_id = $2", person, image_id)


async def skipped_images(database: Database, person: str) -> list[UUID]:
    """Return what this person left for later and waits."""
    query = f"SELECT image_id FROM {LATER} AND person = $1"  # noqa: S608 - constant
    return [row["image_id"] for row in await database.fetch(query, person)]


async def last_decisions(database: Database, person: str, limit: int) -> list[Decision]:
    """Return the last labels of a person who saw an answer of a model, the newest first."""
    return [_decision(row) for row in await database.fetch(_DECISIONS, person, limit)]


async def question_to(database: Database, person: str) -> Question | None:
    """Return what the person is asked about their last labels; None for nothing."""
    rows = await database.fetch(_DECISIONS, person, 2 * WINDOW)
    return double_check([_decision(row) for row in rows], rows[0]["answered_until"] if rows else None)


async def answer_double_check(database: Database, person: str, asked_about: datetime) -> datetime:
    """Keep that the person has answered about their decisions up to this time; return up to when they have."""
    found: datetime = await database.fetchval(
        """INSERT INTO double_checks AS known (person, answered_until) VALUES ($1, $2)
           ON CONFLICT (person) DO UPDATE SET answered_until = greatest(known.answered_until, excluded.answered_until)
           RETURNING answered_until""",
        person,
        asked_about,
    )
    return found


def _decision(row: Row) -> Decision:
    return Decision(row["image_id"], row["decided_at"], row["contradicts"])

"""Which addresses are to be told that a batch is finished, and what came of it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.tables.database import Database


@dataclass(frozen=True, slots=True)
class DueCallback:
    """A finished batch whose address is to be told now, after so many failures."""

    batch_id: UUID
    callback_url: str
    requested_by: str
    size: int
    answered: int
    completed_at: datetime
    failures: int


async def due_callbacks(database: Database, now: datetime, limit: int, of_receiver: int) -> list[DueCallback]:
    """Return finished batches whose address is to be told now, those that wait longest first: `limit` at most, and
    `of_receiver` for each client and host. Only those of which nothing is known to wait are counted."""
    rows = await database.fetch(
        """SELECT batch_id, callback_url, requested_by, size, answered, completed_at, failures
           FROM (
               SELECT b.batch_id, b.callback_url, coalesce(b.requested_by, '') AS requested_by, b.size, done.answered,
                      done.completed_at, coalesce(c.failures, 0) AS failures,
                      row_number() OVER (
                          PARTITION BY b.requested_by, substring(lower(b.callback_url) FROM '^[a-z]+://([^/?#]*)')
                          ORDER BY done.completed_at, b.batch_id) AS place
               FROM batches b LEFT JOIN callbacks c USING (batch_id) CROSS JOIN LATERAL (
                   SELECT count(*) AS completed, count(*) FILTER (WHERE p.error IS NULL) AS answered,
                          max(p.completed_at) AS completed_at
                   FROM batch_predictions p WHERE p.batch_id = b.batch_id AND p.completed_at IS NOT NULL) done
               WHERE b.callback_url IS NOT NULL AND c.delivered_at IS NULL AND c.given_up_at IS NULL
                 AND (c.next_try_at IS NULL OR c.next_try_at <= $1)
                 AND (SELECT true FROM batch_predictions w
                      WHERE w.batch_id = b.batch_id AND w.completed_at IS NULL LIMIT 1) IS NULL
                 AND done.completed >= b.size) due
           WHERE place <= $3 ORDER BY completed_at, batch_id LIMIT $2""",
        now,
        limit,
        of_receiver,
    )
    return [DueCallback(**dict(row)) for row in rows]


async def keep_delivered(database: Database, batch_id: UUID, now: datetime) -> None:
    """Remember that the address was told."""
    await database.execute(
        """INSERT INTO callbacks (batch_id, failures, delivered_at) VALUES ($1, 0, $2)
           ON CONFLICT (batch_id) DO UPDATE SET delivered_at = excluded.delivered_at, next_try_at = NULL""",
        batch_id,
        now,
    )


async def keep_failure(
    database: Database, callback: DueCallback, error: str, next_try_at: datetime, given_up_at: datetime | None
) -> None:
    """Remember a try that failed, and when it is tried again; `given_up_at`: never."""
    await database.execute(
        """INSERT INTO callbacks (batch_id, failures, last_error, next_try_at, given_up_at) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (batch_id) DO UPDATE SET
               failures = excluded.failures, last_error = excluded.last_error, next_try_at = excluded.next_try_at,
               given_up_at = excluded.given_up_at""",
        callback.batch_id,
        callback.failures + 1,
        error,
        next_try_at,
        given_up_at,
    )

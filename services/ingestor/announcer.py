"""Rows of plants_data -> image.registered; retryable rejections -> image.registered with the next attempt.

The announcer publishes first and marks second: a row that was published but not marked is published again with the same
event id.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.ingestor.decisions.registrations import NewRow, RetryableRow, first_registration, next_registration
from services.ingestor.precedence import Precedence
from shared.contract.events import ImageRegistered
from shared.messaging.event_log import Publisher
from shared.runtime.clock import Clock
from shared.runtime.health import Health
from shared.runtime.retry import RetryPolicy, delay
from shared.runtime.telemetry import logger
from shared.runtime.tracing import continued, traceparent
from shared.tables.database import Database, Row
from shared.tables.single_worker import run_in_one_process

ANNOUNCER = "announcer"
ROWS_AT_ONCE = 100
PUBLISHED_AT_ONCE = 50
"""The most rows that are published again after a crash between publishing and marking."""
_MARK = """
UPDATE plants_data p SET image_id = m.image_id, attempt = greatest(p.attempt, m.attempt), traceparent = m.traceparent,
    state = CASE WHEN p.attempt < m.attempt THEN 'waiting' ELSE p.state END, announced_at = coalesce(p.announced_at, $5)
FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[]) AS m (id, image_id, attempt, traceparent)
WHERE p.id = m.id AND p.id IN (SELECT id FROM plants_data WHERE id = ANY($1) FOR UPDATE {skip}) RETURNING p.id
"""
_MARK_FREE, _MARK_ONE = _MARK.format(skip="SKIP LOCKED"), _MARK.format(skip="")
_DUE = """
SELECT p.id, p.traceparent, i.image_id, i.url, i.upload_key, i.label, i.trust, i.registered_by,
       i.rejected_attempt, i.rejected_at
FROM images i JOIN plants_data p USING (image_id)
WHERE i.registered_at IS NOT NULL AND i.state = 'rejected' AND i.retryable AND i.rejected_attempt < $1
  AND p.attempt = i.rejected_attempt
  AND i.rejected_at + make_interval(secs => ($2::float8[])[i.rejected_attempt]) <= $3
ORDER BY i.rejected_at LIMIT $4
"""
"""$2 are the waits after each attempt, so that rows that are not due yet take no place of rows that are. A
rejection may be folded before its registration: only then the row is complete."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """One event to publish for one row. `trace` is the row's W3C traceparent, None for a trace of its own."""

    row_id: UUID
    event: ImageRegistered
    trace: str | None


class Announcer:
    """Publishes rows of `plants_data` that are not on the log. Of several processes one works at a time."""

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        policy: RetryPolicy,
        every_seconds: float,
        clock: Clock,
        precedence: Precedence,
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._policy = policy
        self._every_seconds = every_seconds
        self._clock = clock
        self._precedence = precedence

    async def run(self, health: Health) -> None:
        """Announce until cancelled: at once when rows are inserted, and at least every `every_seconds`."""

        async def announce_changes() -> None:
            async with self._database.changes() as changes:
                while True:
                    count = await self.announce()
                    health.set(ANNOUNCER, True)
                    if not count:
                        await changes.wait(self._every_seconds)

        await run_in_one_process(announce_changes, database=self._database, health=health, name=ANNOUNCER)

    async def announce(self) -> int:
        """Publish and mark what is due now, at most ROWS_AT_ONCE of each kind, and return how many. Two processes that
        do so at once publish the same event ids and set the same marks.

        Raises:
            TransientError: something was not acknowledged, or PostgreSQL is away. What was acknowledged is marked.
        """
        due = [*await self._new(), *await self._to_try_again()]
        for start in range(0, len(due), PUBLISHED_AT_ONCE):
            await self._announce(due[start : start + PUBLISHED_AT_ONCE])
        if due:
            logger.info("announced", images=len(due))
        return len(due)

    async def _announce(self, due: Sequence[Announcement]) -> None:
        await self._precedence.give_way()
        traces = await asyncio.gather(*map(self._publish, due), return_exceptions=True)
        await self._precedence.give_way()
        await self._mark([(one, t) for one, t in zip(due, traces, strict=True) if not isinstance(t, BaseException)])
        for failure in traces:
            if isinstance(failure, BaseException):
                raise failure

    async def _new(self) -> Sequence[Announcement]:
        rows = await self._database.fetch(
            """SELECT id, url_source, label, registered_by, created_at, image_id, upload_key, traceparent
               FROM plants_data WHERE announced_at IS NULL ORDER BY id LIMIT $1""",
            ROWS_AT_ONCE,
        )
        return [
            Announcement(
                row["id"],
                first_registration(NewRow(**{name: row[name] for name in NewRow.__slots__})),
                row["traceparent"],
            )
            for row in rows
        ]

    async def _to_try_again(self) -> Sequence[Announcement]:
        policy, now = self._policy, self._clock()
        attempts = policy.attempts or 1
        waits = [delay(policy, attempt) for attempt in range(1, attempts)]
        rows = await self._database.fetch(_DUE, attempts, waits, now, ROWS_AT_ONCE)
        due = []
        for row in rows:
            fields = {name: row[name] for name in RetryableRow.__slots__}
            event = next_registration(RetryableRow(**fields), policy, now)
            if event is not None:
                due.append(Announcement(row["id"], event, row["traceparent"]))
        return due

    async def _publish(self, announcement: Announcement) -> str | None:
        """Publish in the trace of the row, or in a new one. Return that trace, to be kept in the row."""
        with continued(announcement.trace, "announce image"):
            await self._publisher.publish([announcement.event])
            return announcement.trace or traceparent()

    async def _mark(self, published: Sequence[tuple[Announcement, str | None]]) -> None:
        """Mark these rows, with their traces. If the projection was faster, its state stays.

        The projection updates the same rows in another order, so a transaction that waits for a row while it has
        changed others could deadlock: rows that are locked now are passed over, and then marked each in its own
        transaction.
        """
        marked = {row["id"] for row in await self._update(_MARK_FREE, published)} if published else set()
        for one in published:
            if one[0].row_id not in marked:
                await self._update(_MARK_ONE, [one])

    async def _update(self, sql: str, published: Sequence[tuple[Announcement, str | None]]) -> Sequence[Row]:
        return await self._database.fetch(
            sql,
            [announcement.row_id for announcement, _ in published],
            [announcement.event.image_id for announcement, _ in published],
            [announcement.event.attempt for announcement, _ in published],
            [trace for _, trace in published],
            self._clock(),
        )

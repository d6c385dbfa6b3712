"""Queries about events in the order in which they were first shown."""

from collections.abc import Collection
from uuid import UUID

from services.labeler.data.projection import PROJECTORS
from services.labeler.queries.listed_images import Conditions
from shared.clients.events import EventPage, EventView
from shared.contract.votes import LabelVoted
from shared.runtime.errors import PappusError
from shared.tables.database import Database

TYPES = frozenset(projector.event.topic for projector in PROJECTORS) - {LabelVoted.topic}

_NEWEST = """
SELECT to_regclass('events')::oid::bigint AS table_id, (SELECT coalesce(max(number), 0) FROM event_numbers) AS newest
"""
_NUMBER_THE_REST = """
INSERT INTO event_numbers (event_id, topic, image_id)
SELECT event_id, topic, image_id FROM events
WHERE NOT EXISTS (SELECT FROM event_numbers known WHERE known.event_id = events.event_id)
ORDER BY occurred_at, event_id
"""


class CursorAhead(PappusError):
    """The cursor is behind the newest event: it belongs to tables that are gone."""

    def __init__(self, after: int, newest: int) -> None:
        super().__init__(
            f"No event has the number {after} yet, the newest is {newest}: this cursor belongs to another installation,"
            " or to tables that were lost. Begin again with after=0."
        )
        self.newest = newest


class EventFeed:
    """The events of one database, for one process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._numbered: int | None = None

    async def after(
        self, after: int, limit: int, image: UUID | None, types: Collection[str], wait_seconds: float
    ) -> EventPage:
        """Return the events behind the number `after`, at most `limit`: of an image (None: all) and of these types
        (none: all). Without one wait for it, for `wait_seconds`. Raises CursorAhead."""

        async def look() -> EventPage | None:
            page = await self._page(after, limit, image, types)
            return page if page.items else None

        page = await self._page(after, limit, image, types)
        if page.items or not wait_seconds:
            return page
        return await self._database.wait_until(look, wait_seconds) or await self._page(after, limit, image, types)

    async def _page(self, after: int, limit: int, image: UUID | None, types: Collection[str]) -> EventPage:
        newest = await self._newest()
        if after > newest:
            raise CursorAhead(after, newest)
        wanted = Conditions()
        wanted.add("numbers.number > {} AND numbers.number <= {}", after, newest)
        if image is not None:
            wanted.add("numbers.image_id = {}", image)
        if types:
            wanted.add("numbers.topic = ANY({})", list(types))
        rows = await self._database.fetch(
            f"""SELECT numbers.number, events.* FROM event_numbers numbers JOIN events USING (event_id)
                WHERE {wanted.where} ORDER BY numbers.number LIMIT {int(limit) + 1}""",  # noqa: S608 - constants
            *wanted.arguments,
        )
        items = [
            EventView(
                number=row["number"],
                event_id=row["event_id"],
                type=row["topic"],
                occurred_at=row["occurred_at"],
                image_id=row["image_id"],
                data=row["data"],
            )
            for row in rows[:limit]
        ]
        more = len(rows) > limit
        return EventPage(items=items, next=items[-1].number if more else newest, more=more, newest=newest)

    async def _newest(self) -> int:
        """Return the number of the newest event. Tables that a replay has put into use may hold events without one: the
        replay may have read further than the tables before it were."""
        row = await self._database.fetchrow(_NEWEST)
        assert row is not None
        if row["table_id"] == self._numbered:
            return int(row["newest"])
        async with self._database.transaction() as transaction:
            await transaction.execute("LOCK TABLE event_numbers IN SHARE ROW EXCLUSIVE MODE")
            await transaction.execute(_NUMBER_THE_REST)
            newest = await transaction.fetchval("SELECT coalesce(max(number), 0) FROM event_numbers")
        self._numbered = row["table_id"]
        return int(newest)

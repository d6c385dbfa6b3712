"""Sends events to webhooks: each at least once, in their order, signed; again with back-off until it arrives, or until
too many tries failed.

A second process that delivers at the same time does no harm: a receiver knows an event by its id, and a webhook moves
only from where this process has seen it.
"""

import asyncio
from datetime import timedelta
from functools import partial
from uuid import UUID

import aiohttp

from services.labeler.queries.events import CursorAhead, EventFeed
from services.labeler.queries.webhooks import due_webhooks, keep_delivery, keep_failure, move_webhook
from services.labeler.settings import LabelerSettings
from shared.clients.events import EventView
from shared.runtime.clock import Clock
from shared.runtime.errors import TransientError
from shared.runtime.health import Health
from shared.runtime.telemetry import logger
from shared.tables.database import Database
from shared.tables.postgres import Row
from shared.tables.single_worker import run_in_one_process
from shared.web.public_client import Message, open_client, send_signed
from shared.web.webhooks import host_of, pause_seconds, refuse_webhook

PART = "webhooks"
LOOK_EVERY_SECONDS = 1.0
AT_ONCE = 50
ERROR_CHARACTERS = 300


class WebhookDelivery:
    """Delivers until cancelled."""

    def __init__(self, database: Database, feed: EventFeed, settings: LabelerSettings, clock: Clock) -> None:
        self._database = database
        self._feed = feed
        self._settings = settings
        self._clock = clock
        self._running: set[UUID] = set()

    async def run(self, health: Health) -> None:
        """Deliver what is due, in one process of all, until cancelled."""
        work, silence = partial(self._work, health), self._settings.writer_silence_seconds
        await run_in_one_process(work, database=self._database, health=health, name=PART, silence_seconds=silence)

    async def _work(self, health: Health) -> None:
        self._running.clear()
        async with (
            open_client(self._settings.webhook_hosts) as http,
            self._database.changes() as changes,
            asyncio.TaskGroup() as deliveries,
        ):
            while True:
                due = await due_webhooks(self._database, self._clock())
                health.set(PART, True)
                for row in due:
                    if row["webhook_id"] not in self._running:  # a slow receiver holds up no other
                        self._running.add(row["webhook_id"])
                        deliveries.create_task(self.deliver(http, row))
                await changes.wait(LOOK_EVERY_SECONDS)

    async def deliver(self, http: aiohttp.ClientSession, row: Row) -> None:
        """Send the events behind where this webhook stands, until one does not arrive."""
        try:
            await self._deliver(http, row)
        except TransientError as error:  # PostgreSQL is away: what was sent since is sent once more
            logger.warning("a webhook waits", webhook=str(row["webhook_id"]), reason=str(error))
        finally:
            self._running.discard(row["webhook_id"])

    async def _deliver(self, http: aiohttp.ClientSession, row: Row) -> None:
        webhook_id, at = row["webhook_id"], int(row["delivered"])
        try:
            page = await self._feed.after(at, AT_ONCE, None, row["types"], 0)
        except CursorAhead as ahead:  # of tables that were lost: go on with what comes now
            await move_webhook(self._database, webhook_id, at, ahead.newest)
            return
        for event in page.items:
            if (error := await self._send(http, row, event)) is not None:
                await self._failed(row, at, *error)
                return
            if not await keep_delivery(self._database, webhook_id, at, event.number, self._clock()):
                return
            at = event.number
        if page.next > at:
            await move_webhook(self._database, webhook_id, at, page.next)

    async def _send(self, http: aiohttp.ClientSession, row: Row, event: EventView) -> tuple[str, bool] | None:
        """Send one event; None if it has arrived, else why not, and whether to stop at once."""
        if (why := refuse_webhook(row["url"], self._settings.webhook_hosts)) is not None:
            return why, True
        message = Message(str(event.event_id), event.model_dump_json().encode(), self._clock())
        return await send_signed(http, row["url"], row["secret"], message)

    async def _failed(self, row: Row, at: int, error: str, stop: bool) -> None:
        failures = (row["failures"] if at == row["delivered"] else 0) + 1
        now = self._clock()
        stopped = now if stop or failures >= self._settings.webhook_tries else None
        logger.warning("a webhook failed", url=host_of(row["url"]), failures=failures, stopped=bool(stopped), why=error)
        next_try_at = now + timedelta(seconds=pause_seconds(failures))
        await keep_failure(self._database, row, at, error[:ERROR_CHARACTERS], next_try_at, stopped)

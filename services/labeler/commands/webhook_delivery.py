"""Sends events to webhooks: each at least once, in their order, signed; again with back-off until it arrives, or until
too many tries failed.

A second process that delivers at the same time does no harm: a receiver knows an event by its id, and a webhook moves
only from where this process has seen it.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from services.labeler.decisions.webhook_rules import (
    GONE,
    host_of,
    pause_seconds,
    permitted,
    refuse_host,
    refuse_webhook,
    sign,
)
from services.labeler.queries.events import CursorAhead, EventFeed
from services.labeler.queries.webhooks import due_webhooks, keep_delivery, keep_failure, move_webhook
from services.labeler.settings import LabelerSettings
from shared.clients.events import EventView
from shared.runtime.clock import Clock
from shared.runtime.errors import PappusError, TransientError
from shared.runtime.health import Health
from shared.runtime.telemetry import logger
from shared.tables.database import Database
from shared.tables.postgres import Row
from shared.tables.single_worker import run_in_one_process

PART = "webhooks"
LOOK_EVERY_SECONDS = 1.0
AT_ONCE = 50
ANSWER_SECONDS = 10.0
ERROR_CHARACTERS = 300


class PrivateHost(PappusError):
    """The name of a webhook's host stands for an address inside our network."""


class PublicResolver(AbstractResolver):
    """Resolves names, and refuses addresses that are not public after they were resolved: aiohttp connects only to what
    is returned here, so a name that resolves differently the second time (DNS rebinding) gains nothing."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        self._allowed = allowed
        self._inner = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the public addresses of a host. Raises PrivateHost if it has others only."""
        answers = await self._inner.resolve(host, port, family)
        if permitted(host, port, self._allowed):
            return answers
        public = [answer for answer in answers if refuse_host(answer["host"]) is None]
        if answers and not public:
            raise PrivateHost(f"{host}: {refuse_host(answers[0]['host'])}")
        return public

    async def close(self) -> None:
        await self._inner.close()


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
        silence = self._settings.writer_silence_seconds
        await run_in_one_process(self._work, database=self._database, health=health, name=PART, silence_seconds=silence)

    async def _work(self) -> None:
        self._running.clear()
        async with (
            open_client(self._settings.webhook_hosts) as http,
            self._database.changes() as changes,
            asyncio.TaskGroup() as deliveries,
        ):
            while True:
                for row in await due_webhooks(self._database, self._clock()):
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
        body = event.model_dump_json().encode()
        timestamp = int(self._clock().timestamp())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Pappus",
            "webhook-id": str(event.event_id),
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(row["secret"], str(event.event_id), timestamp, body),
        }
        if (why := refuse_webhook(row["url"], self._settings.webhook_hosts)) is not None:
            return why, True
        try:
            async with http.post(row["url"], data=body, headers=headers, allow_redirects=False) as answer:
                if 200 <= answer.status < 300:
                    return None
                return f"It answered {answer.status}.", answer.status == GONE
        except PrivateHost as private:
            return str(private), True
        except TimeoutError:
            return f"It did not answer within {ANSWER_SECONDS:g} s.", False
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return f"It cannot be reached: {error}", False

    async def _failed(self, row: Row, at: int, error: str, stop: bool) -> None:
        failures = (row["failures"] if at == row["delivered"] else 0) + 1
        now = self._clock()
        stopped = now if stop or failures >= self._settings.webhook_tries else None
        logger.warning("a webhook failed", url=host_of(row["url"]), failures=failures, stopped=bool(stopped), why=error)
        next_try_at = now + timedelta(seconds=pause_seconds(failures))
        await keep_failure(self._database, row, at, error[:ERROR_CHARACTERS], next_try_at, stopped)


@asynccontextmanager
async def open_client(allowed: tuple[str, ...]) -> AsyncIterator[aiohttp.ClientSession]:
    """Open a client that connects to public addresses only, and to hosts that are allowed."""
    connector = aiohttp.TCPConnector(resolver=PublicResolver(allowed), limit=100, limit_per_host=2)
    timeout: Any = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        yield http

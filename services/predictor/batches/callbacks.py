"""Tells an address that a batch is finished: at least once, signed; again with back-off until it arrives, or until too
many tries failed.

A second process that does it at the same time does no harm: a receiver knows a message by its id.
"""

import asyncio
import time
from datetime import timedelta
from functools import partial
from uuid import UUID

import aiohttp

from services.predictor.data.callbacks import DueCallback, due_callbacks, keep_delivered, keep_failure
from services.predictor.decisions.batches import callback_message, callback_secret
from services.predictor.metrics import CALLBACKS
from services.predictor.settings import CALLBACK_HOSTS, PredictorSettings
from shared.runtime.clock import Clock, utc_now
from shared.runtime.errors import TransientError
from shared.runtime.health import Health
from shared.runtime.telemetry import logger
from shared.tables.database import Database
from shared.tables.single_worker import run_in_one_process
from shared.web.public_client import Message, open_client, send_signed
from shared.web.webhooks import host_of, pause_seconds, refuse_webhook

PART = "callbacks"
LOOK_EVERY_SECONDS = 1.0
REST = 10.0
"""So many times as long as a look took there is none: it goes through all batches with a callback, told ones, too."""
AT_ONCE = 100
OF_RECEIVER = 10
"""Callbacks of one client to one host at once, those under way counted: a receiver that keeps silent takes no more."""
ERROR_CHARACTERS = 300
SWITCHED_OFF = "PAPPUS_CALLBACK_SECRET is not set any more, so nothing can be signed."


class CallbackDelivery:
    """Delivers until cancelled. What came of it is in a table: a restart forgets nothing."""

    def __init__(self, database: Database, settings: PredictorSettings, clock: Clock = utc_now) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._running: set[UUID] = set()

    async def run(self, health: Health) -> None:
        """Deliver what is due, in one process of all, until cancelled."""
        work, silence = partial(self._work, health), self._settings.writer_silence_seconds
        await run_in_one_process(work, database=self._database, health=health, name=PART, silence_seconds=silence)

    async def _work(self, health: Health) -> None:
        self._running.clear()
        async with open_client(self._settings.callback_hosts, CALLBACK_HOSTS) as http, asyncio.TaskGroup() as tasks:
            while True:
                began = time.monotonic()
                due = await due_callbacks(self._database, self._clock(), AT_ONCE, OF_RECEIVER)
                took_seconds = time.monotonic() - began
                health.set(PART, True)
                for callback in due:
                    if callback.batch_id not in self._running:  # a slow receiver holds up no other
                        self._running.add(callback.batch_id)
                        tasks.create_task(self._deliver(http, callback))
                await asyncio.sleep(max(LOOK_EVERY_SECONDS, took_seconds * REST))

    async def _deliver(self, http: aiohttp.ClientSession, callback: DueCallback) -> None:
        try:
            error = await self._send(http, callback)
            if error is None:
                await keep_delivered(self._database, callback.batch_id, self._clock())
                CALLBACKS.labels("delivered").inc()
            else:
                await self._failed(callback, *error)
        except TransientError as away:  # PostgreSQL: what was sent is sent once more
            logger.warning("a callback waits", batch_id=str(callback.batch_id), reason=str(away))
        finally:
            self._running.discard(callback.batch_id)

    async def _send(self, http: aiohttp.ClientSession, callback: DueCallback) -> tuple[str, bool] | None:
        """Send the message; None if it has arrived, else why not, and whether to give up at once."""
        if (why := refuse_webhook(callback.callback_url, self._settings.callback_hosts, CALLBACK_HOSTS)) is not None:
            return why, True
        master = self._settings.callback_secret.get_secret_value()
        if not master:
            return SWITCHED_OFF, False
        message_id, body = callback_message(callback.batch_id, callback.size, callback.answered, callback.completed_at)
        message = Message(str(message_id), body, self._clock())
        return await send_signed(http, callback.callback_url, callback_secret(master, callback.requested_by), message)

    async def _failed(self, callback: DueCallback, error: str, stop: bool) -> None:
        failures, now = callback.failures + 1, self._clock()
        given_up_at = now if stop or failures >= self._settings.callback_tries else None
        CALLBACKS.labels("failed" if given_up_at is None else "given_up").inc()
        logger.warning(
            "a callback failed",
            batch_id=str(callback.batch_id),
            url=host_of(callback.callback_url),
            failures=failures,
            given_up=given_up_at is not None,
            why=error,
        )
        next_try_at = now + timedelta(seconds=pause_seconds(failures))
        await keep_failure(self._database, callback, error[:ERROR_CHARACTERS], next_try_at, given_up_at)

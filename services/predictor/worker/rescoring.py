"""Reconciler: every stored image has an answer of the full model in service, and no withdrawn one has any.

It goes slowly, and waits for images that have no answer yet. Corrections do not score images again: they change answers
near the corrected image only, and there are many of them.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from uuid import UUID

from services.predictor.data.stored_images import StoredImage, count_waiting, find_waiting, withdrawn_with_answer
from services.predictor.decisions.answers import answer_taken_back
from services.predictor.metrics import IMAGES_TO_SCORE
from services.predictor.model.holder import ModelHolder, ServingModel
from services.predictor.worker.scorer import Scorer
from shared.contract.events import ImageStored, ImageWithdrawn
from shared.contract.image_scored import ImageScored
from shared.contract.replicas import AnswersLogged, PredictionLogged
from shared.imaging.decoding import UndecodableImage
from shared.messaging.event_log import EventLog, Publisher
from shared.runtime.clock import Clock, utc_now
from shared.runtime.health import Health
from shared.runtime.retry import UNTIL_CANCELLED, retrying
from shared.runtime.telemetry import logger
from shared.storage.object_store import ObjectMissing
from shared.tables.database import Database
from shared.tables.lock_holder import SILENCE_SECONDS
from shared.tables.projection import wait_until_caught_up
from shared.tables.reconciler import run_reconciler
from shared.tables.single_worker import run_in_one_process

PART = "rescoring"
TOPICS = (ImageStored.topic, ImageScored.topic, ImageWithdrawn.topic)
CAUGHT_UP_SECONDS = 10.0
AT_ONCE = 100
"""Images of one round. What a round found out is published at its end, so a restart repeats one at most."""
ROUND_SECONDS = 5.0
"""A round of large images ends after this time, with fewer."""
FIRST_ANSWER_SECONDS = 60.0
"""So long an image that people will review is left to the handler of image.stored for its first answer."""
COUNT_EVERY_SECONDS = 10.0
EVERY_SECONDS = 10.0
"""A new model changes no table: so long it takes at most until it is noticed."""


class Rescoring:
    """Compares the table of stored images with the model in service. Of several processes one works at a time; doing it
    twice is harmless, because the same image, version and promotion give the same event id."""

    def __init__(
        self,
        event_log: EventLog,
        database: Database,
        scorer: Scorer,
        in_service: ModelHolder,
        share: float,
        clock: Clock = utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`share` of the time is worked, 0 to 1: the rest belongs to what is more urgent on the machine."""
        self._event_log = event_log
        self._database = database
        self._scorer = scorer
        self._in_service = in_service
        self._pause_ratio = 1 / share - 1
        self._clock = clock
        self._sleep = sleep
        self._unscorable: set[UUID] = set()
        self._full_model_sha256 = ""
        self._counted = -COUNT_EVERY_SECONDS

    async def run(
        self,
        publisher: Publisher,
        health: Health,
        silence_seconds: float = SILENCE_SECONDS,
        every_seconds: float = EVERY_SECONDS,
    ) -> None:
        """Reconcile until cancelled, while this process holds the lock, once the tables are caught up: before that it
        would score what has an answer already."""

        async def work() -> None:
            health.set(PART, True, "waiting until the tables show the whole log")
            await retrying(UNTIL_CANCELLED, self._wait_until_caught_up)
            try:
                await run_reconciler(
                    self.reconcile,
                    publisher=publisher,
                    database=self._database,
                    health=health,
                    name=PART,
                    every_seconds=every_seconds,
                    regardless_of=(PredictionLogged.topic, AnswersLogged.topic),
                )
            finally:
                IMAGES_TO_SCORE.set(0)  # another process counts now, or this one again

        await self._scorer.wait_for_model()
        await run_in_one_process(
            work, database=self._database, health=health, name=PART, silence_seconds=silence_seconds
        )

    async def _wait_until_caught_up(self) -> None:
        await wait_until_caught_up(self._event_log, self._database, TOPICS, CAUGHT_UP_SECONDS)

    async def reconcile(self) -> Sequence[ImageScored]:
        """Return answers that are missing, of one round; first that withdrawn images have none.

        Raises:
            TransientError: the tables or the object store do not answer.
        """
        serving = self._in_service.current
        if serving is None:
            return []
        now, model_name = self._clock(), serving.promotion.model_name
        withdrawn = await withdrawn_with_answer(self._database, AT_ONCE)
        events = [answer_taken_back(image_id, model_name, now) for image_id in withdrawn]
        if serving.full_model_sha256 != self._full_model_sha256:  # a chance for each new model: bytes may be back
            self._full_model_sha256, self._unscorable = serving.full_model_sha256, set()
        waiting = await find_waiting(
            self._database,
            self._full_model_sha256,
            serving.promotion.sequence,
            stored_before=now - timedelta(seconds=FIRST_ANSWER_SECONDS),
            but=self._unscorable,
            limit=AT_ONCE,
        )
        await self._count(serving, at_once=len(waiting) < AT_ONCE)
        return [*events, *await self._score(waiting)]

    async def _score(self, waiting: Sequence[StoredImage]) -> list[ImageScored]:
        began, events = time.monotonic(), list[ImageScored]()
        for image in waiting:
            if time.monotonic() - began > ROUND_SECONDS:
                break
            started = time.perf_counter()
            try:
                events.append(await self._scorer.score_again(image))
            except (ObjectMissing, UndecodableImage) as error:
                self._unscorable.add(image.image_id)
                logger.warning("a stored image cannot be scored", image_id=str(image.image_id), error=str(error))
            await self._sleep((time.perf_counter() - started) * self._pause_ratio)
        return events

    async def _count(self, serving: ServingModel, at_once: bool) -> None:
        """Show how many images wait: where it may have come to an end at once, else every now and then."""
        if at_once or time.monotonic() - self._counted >= COUNT_EVERY_SECONDS:
            self._counted = time.monotonic()
            found = await count_waiting(self._database, serving.full_model_sha256, serving.promotion.sequence)
            IMAGES_TO_SCORE.set(found)

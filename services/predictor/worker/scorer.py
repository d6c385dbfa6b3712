"""Answers about stored images: the bytes from the object store, the champion of that moment."""

import asyncio
from typing import Literal

from services.predictor.data.stored_images import StoredImage
from services.predictor.decisions.answers import ScoringContext, image_scored
from services.predictor.metrics import count_answer, count_stages
from services.predictor.model.holder import ModelHolder
from services.predictor.model.scoring import Scoring
from shared.contract.image_scored import ImageScored
from shared.runtime.clock import Clock, utc_now
from shared.runtime.errors import NotReady
from shared.storage.verified import ReadableStore


class Scorer:
    """Scores stored images. Those without an answer go first: scoring again waits while one of them is in work."""

    def __init__(self, images: ReadableStore, in_service: ModelHolder, replica: str, clock: Clock = utc_now) -> None:
        self._images = images
        self._in_service = in_service
        self._replica = replica
        self._clock = clock
        self._scoring = Scoring()
        self._first_in_work = 0
        self._none_in_work = asyncio.Event()
        self._none_in_work.set()

    async def wait_for_model(self) -> None:
        """Wait until there is a model."""
        await self._in_service.wait()

    async def score_first(self, image: StoredImage) -> ImageScored:
        """Return the first answer about an image, as `score_again`; does not wait for other work."""
        self._first_in_work += 1
        self._none_in_work.clear()
        try:
            return await self._score(image, "stored")
        finally:
            self._first_in_work -= 1
            if not self._first_in_work:
                self._none_in_work.set()

    async def score_again(self, image: StoredImage) -> ImageScored:
        """Return what the champion answers about an image.

        Raises:
            NotReady: there is no model yet.
            TransientError: the object store is away.
            ObjectMissing: the bytes are gone.
            UndecodableImage: they are not an image.
        """
        await self._none_in_work.wait()
        return await self._score(image, "stored_again")

    async def _score(self, image: StoredImage, source: Literal["stored", "stored_again"]) -> ImageScored:
        serving = self._in_service.current
        if serving is None:
            raise NotReady("No model has been loaded yet. Promote one; stored images are scored then.")
        scored = await self._scoring.score(await self._images.get(image.object_key), serving.model)
        count_answer(scored.answer.label, scored.answer.probability, source)
        if source == "stored":
            count_stages(scored.decode_seconds, scored.infer_seconds)
        causes = (image.stored_event_id,) if source == "stored" else (image.stored_event_id, serving.promotion.event_id)
        context = ScoringContext(
            serving.promotion,
            serving.full_model_sha256,
            self._replica,
            image.image_id,
            image.sha256,
            scored.milliseconds,
            causes,
        )
        return image_scored(scored.answer, context, self._clock(), serving.model.graph.place(scored.features))

"""image.stored -> prediction.logged, for images without a trusted label."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from services.predictor.decisions.answers import PredictionContext, prediction_logged
from services.predictor.metrics import STAGE_SECONDS, count_answer
from services.predictor.model.holder import ModelHolder
from services.predictor.model.scoring import Scoring
from services.predictor.settings import SOURCE
from shared.contract.events import ImageStored, PredictionLogged, uuid_of
from shared.imaging.decoding import UndecodableImage
from shared.messaging.event_log import EventLog
from shared.messaging.handler import run_handlers, subscribe
from shared.runtime.clock import Clock, utc_now
from shared.runtime.errors import InvalidMessage, NotReady
from shared.runtime.health import Health
from shared.runtime.settings import GroupSettings
from shared.storage.object_store import ObjectMissing
from shared.storage.verified import ReadableStore

GROUP = "predictor-worker"
CONCURRENCY = 4
"""Images in work at once: while one is scored, others are fetched. Fewer large images are decoded at once."""


def needs_answer(event: ImageStored) -> bool:
    """Return whether the image has no trusted label; the review queue then needs the model's answer."""
    return event.label is None or event.trust == "claimed"


async def no_image(_image_id: UUID) -> bool:
    """Say that no image was withdrawn."""
    return False


class StoredImages:
    """Scores each stored image once, with the champion of that time."""

    def __init__(
        self,
        images: ReadableStore,
        in_service: ModelHolder,
        replica: str,
        clock: Clock = utc_now,
        withdrawn: Callable[[UUID], Awaitable[bool]] = no_image,
    ) -> None:
        """`withdrawn`: whether a person took an image back; asked where its bytes are gone."""
        self._images = images
        self._withdrawn = withdrawn
        self._in_service = in_service
        self._replica = replica
        self._clock = clock
        self._scoring = Scoring()

    async def run(self, event_log: EventLog, health: Health, in_groups: GroupSettings) -> None:
        """Wait for the first model, then handle image.stored until cancelled."""
        await self._in_service.wait()
        await run_handlers(
            event_log,
            group=GROUP,
            source=SOURCE,
            subscriptions=[subscribe(ImageStored, self.on_image_stored)],
            health=health,
            concurrency=CONCURRENCY,
            **in_groups,
        )

    async def on_image_stored(self, event: ImageStored) -> list[PredictionLogged]:
        """Return prediction.logged for an image without a trusted label. Its id comes from image and model version, so
        a repetition with the same model has the same id.

        Raises:
            NotReady: there is no model yet.
            TransientError: the object store is away.
            InvalidMessage: the bytes are gone or are not an image, so the event is wrong.
        """
        if not needs_answer(event):
            return []
        serving = self._in_service.current
        if serving is None:
            raise NotReady("No model has been loaded yet. Promote one; stored images are scored then.")
        try:
            data = await self._images.get(event.object_key)
            scored = await self._scoring.score(data, serving.model)
        except (ObjectMissing, UndecodableImage) as error:
            if isinstance(error, ObjectMissing) and await self._withdrawn(event.image_id):
                return []  # a person took the image back meanwhile
            raise InvalidMessage(f"Image {event.image_id} was stored as {event.object_key}, but: {error}") from error
        promotion = serving.promotion
        context = PredictionContext(
            promotion,
            self._replica,
            "stored",
            event.sha256,
            scored.milliseconds,
            event.image_id,
            (event.event_id,),
            serving.model.metadata.drift_reference,
        )
        count_answer(scored.answer.label, scored.answer.probability, "stored")
        STAGE_SECONDS.labels("decode").observe(scored.decode_seconds)
        STAGE_SECONDS.labels("infer").observe(scored.infer_seconds)
        prediction_id = uuid_of("stored", event.image_id, promotion.version)
        return [prediction_logged(scored.answer, context, prediction_id, self._clock())]

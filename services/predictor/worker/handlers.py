"""image.stored -> image.scored, for images without a trusted label."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from services.predictor.data.stored_images import StoredImage
from services.predictor.decisions.answers import needs_answer
from services.predictor.settings import SOURCE
from services.predictor.worker.scorer import Scorer
from shared.contract.events import ImageStored
from shared.contract.image_scored import ImageScored
from shared.imaging.decoding import UndecodableImage
from shared.messaging.event_log import EventLog
from shared.messaging.handler import run_handlers, subscribe
from shared.runtime.errors import InvalidMessage
from shared.runtime.health import Health
from shared.runtime.settings import GroupSettings
from shared.storage.object_store import ObjectMissing

GROUP = "predictor-worker"
CONCURRENCY = 4
"""Images in work at once: while one is scored, others are fetched. Fewer large images are decoded at once."""


async def no_image(_image_id: UUID) -> bool:
    """Say that no image was withdrawn."""
    return False


class StoredImages:
    """Scores each stored image that people wait for at once, with the champion of that time. All others, and all again
    by each new full model: `services.predictor.worker.rescoring`."""

    def __init__(self, scorer: Scorer, withdrawn: Callable[[UUID], Awaitable[bool]] = no_image) -> None:
        """`withdrawn`: whether a person took an image back; asked where its bytes are gone."""
        self._scorer = scorer
        self._withdrawn = withdrawn

    async def run(self, event_log: EventLog, health: Health, in_groups: GroupSettings) -> None:
        """Wait for the first model, then handle image.stored until cancelled."""
        await self._scorer.wait_for_model()
        await run_handlers(
            event_log,
            group=GROUP,
            source=SOURCE,
            subscriptions=[subscribe(ImageStored, self.on_image_stored)],
            health=health,
            concurrency=CONCURRENCY,
            **in_groups,
        )

    async def on_image_stored(self, event: ImageStored) -> list[ImageScored]:
        """Return image.scored for an image without a trusted label. Its id comes from image and promotion, so a
        repetition with the same model has the same id.

        Raises:
            NotReady: there is no model yet.
            TransientError: the object store is away.
            InvalidMessage: the bytes are gone or are not an image, so the event is wrong.
        """
        if not needs_answer(event):
            return []
        image = StoredImage(event.image_id, event.sha256, event.object_key, event.event_id)
        try:
            return [await self._scorer.score_first(image)]
        except (ObjectMissing, UndecodableImage) as error:
            if isinstance(error, ObjectMissing) and await self._withdrawn(event.image_id):
                return []  # a person took the image back meanwhile
            raise InvalidMessage(f"Image {event.image_id} was stored as {event.object_key}, but: {error}") from error

"""image.withdrawn -> nothing: the labeler's own copy of the bytes, with which an upload began, is deleted."""

from collections.abc import Sequence

from services.labeler.commands.uploads import upload_key
from services.labeler.settings import SOURCE
from shared.contract.events import Event, ImageWithdrawn
from shared.messaging.event_log import EventLog
from shared.messaging.handler import run_handlers, subscribe
from shared.runtime.health import Health
from shared.storage.object_store import ObjectStore

GROUP = "labeler-withdrawals"


class WithdrawnUploads:
    """Deletes uploads/ of withdrawn images. A repetition deletes nothing more."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def run(self, event_log: EventLog, health: Health) -> None:
        """Handle image.withdrawn until cancelled."""
        await run_handlers(
            event_log,
            group=GROUP,
            source=SOURCE,
            subscriptions=[subscribe(ImageWithdrawn, self.on_image_withdrawn)],
            health=health,
        )

    async def on_image_withdrawn(self, event: ImageWithdrawn) -> Sequence[Event]:
        """Delete the bytes. Raises TransientError if the store does not answer."""
        await self._store.delete(upload_key(event.sha256))
        return []

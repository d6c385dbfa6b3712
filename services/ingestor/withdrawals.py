"""image.withdrawn -> nothing: the tombstone is written, and the object deleted."""

from collections.abc import Sequence

from services.ingestor.data.ledger import Ledger
from services.ingestor.decisions.images import object_key_of
from services.ingestor.settings import SOURCE
from shared.contract.events import Event, ImageWithdrawn
from shared.messaging.event_log import EventLog
from shared.messaging.handler import run_handlers, subscribe
from shared.runtime.health import Health
from shared.runtime.settings import GroupSettings
from shared.storage.object_store import ObjectStore

GROUP = "ingestor-withdrawals"


class Withdrawals:
    """Handles image.withdrawn. A repetition finds the tombstone, and deletes what is not there."""

    def __init__(self, ledger: Ledger, store: ObjectStore) -> None:
        self._ledger = ledger
        self._store = store

    async def run(self, event_log: EventLog, health: Health, in_groups: GroupSettings) -> None:
        """Handle image.withdrawn until cancelled."""
        await run_handlers(
            event_log,
            group=GROUP,
            source=SOURCE,
            subscriptions=[subscribe(ImageWithdrawn, self.on_image_withdrawn)],
            health=health,
            **in_groups,
        )

    async def on_image_withdrawn(self, event: ImageWithdrawn) -> Sequence[Event]:
        """Write the tombstone, then delete the bytes: what is decided from now on is a rejection, and a fetcher that
        put the same bytes before that deletes them itself. Raises TransientError if PostgreSQL or the store is away."""
        await self._ledger.withdraw(event)
        await self._store.delete(object_key_of(event.sha256))
        return []

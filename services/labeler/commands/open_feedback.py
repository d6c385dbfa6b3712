"""Beside the API: labels that people said of answers are set once their images are stored, if the process that was
asked has died before it could.

A reconciler as everywhere: the id of a correction follows from what was said, so a second copy, or a restart after each
line, does nothing twice.
"""

from collections.abc import Sequence
from datetime import timedelta

from services.labeler.commands.command_bus import CommandBus
from services.labeler.commands.feedback import set_label
from services.labeler.commands.outcomes import Refused
from services.labeler.queries import feedback, images
from shared.contract.events import ImageRejected, ImageStored, ImageWithdrawn
from shared.runtime.health import Health
from shared.runtime.telemetry import logger
from shared.tables.reconciler import run_on_changes

PART = "feedback"
LEFT_ALONE = timedelta(seconds=60)
"""For so long the request itself may still be at work."""
GIVEN_UP = timedelta(days=1)
"""After so long without an image of these bytes none will come."""
AT_ONCE = 100


class OpenFeedback:
    """Sets labels that wait for their images."""

    def __init__(self, command_bus: CommandBus, topics: Sequence[str]) -> None:
        """`topics`: all that the tables are folded from."""
        self._command_bus = command_bus
        self._regardless_of = set(topics) - {event.topic for event in (ImageStored, ImageRejected, ImageWithdrawn)}

    async def run(self, health: Health) -> None:
        """Look now and after changes, until cancelled. Raises what `run_on_changes` raises."""
        await run_on_changes(
            self.settle,
            database=self._command_bus.database,
            health=health,
            name=PART,
            regardless_of=self._regardless_of,
        )

    async def settle(self) -> None:
        """Set each label whose image is stored, and forget what can no longer be done. Raises TransientError."""
        database, now = self._command_bus.database, self._command_bus.clock()
        await feedback.forget_withdrawn(database)
        await feedback.forget_abandoned(database, now - GIVEN_UP)
        for said, image_id in await feedback.find_open(database, now - LEFT_ALONE, AT_ONCE):
            image = await images.image(database, image_id)
            if image is None:
                continue
            try:
                await set_label(self._command_bus, image, said, await self._command_bus.classes())
            except Refused as refused:
                logger.info("what was said of an answer no longer counts", reason=str(refused), code=refused.code)

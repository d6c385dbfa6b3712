"""The command that takes an image from a web address. The ingestor fetches it, behind its guards."""

from functools import partial
from uuid import UUID

from services.labeler.commands.command_bus import CommandBus
from services.labeler.commands.naming import label_named
from services.labeler.commands.outcomes import Refused, UploadResult
from services.labeler.commands.uploads import as_duplicate, next_attempt, settled
from services.labeler.commands.withdrawals import refuse_withdrawn
from services.labeler.queries import images
from shared.clients.answers import AcceptedImage
from shared.contract.events import ImageRegistered, uuid_of
from shared.web.addresses import refuse_address


def web_image_id(user: str, url: str, key: str | None) -> UUID:
    """Return the image id of an address that a person named. A retry has the same id, with or without a key."""
    return uuid_of("web image", user, url, key or "")


async def fetch(
    command_bus: CommandBus, url: str, label: str | None, user: str, key: str | None
) -> UploadResult | AcceptedImage:
    """Publish image.registered with an address, and wait until the image is stored or rejected.

    Raises:
        Refused: address_forbidden, unknown_label, image_withdrawn, or the reason of the image.rejected.
        TransientError: the log or the tables are unavailable.
    """
    if (why := refuse_address(url)) is not None:
        raise Refused("address_forbidden", why)
    label = label_named(label, await command_bus.classes())
    image_id = web_image_id(user, url, key)
    known = await images.image(command_bus.database, image_id)
    attempt = next_attempt(known)
    event = ImageRegistered(
        event_id=uuid_of(ImageRegistered.topic, image_id, attempt),
        occurred_at=command_bus.clock(),
        image_id=image_id,
        url=url,
        label=label,
        trust="claimed",
        registered_by=user,
        attempt=attempt,
    )
    if known is None or attempt > known.attempt:
        await command_bus.publish(event)
    image = await command_bus.wait_for(partial(settled, command_bus, image_id, attempt))
    if image is None:
        return AcceptedImage(event_id=event.event_id, image_id=image_id)
    refuse_withdrawn(image)
    if image.rejection is not None:
        raise Refused(image.rejection.reason, image.rejection.detail, {"image_id": str(image_id)})
    if image.image_id != image_id:
        return await as_duplicate(command_bus, image, label, user, key)
    return UploadResult(image=image, duplicate=False)

"""The command that takes an image back."""

from functools import partial
from uuid import UUID

from pydantic import BaseModel, Field

from services.labeler.commands.command_bus import CommandBus
from services.labeler.commands.outcomes import Refused
from services.labeler.fields import Text
from services.labeler.queries import images
from services.labeler.queries.withdrawals import find_seen_by, withdrawal
from shared.clients.answers import AcceptedImage, ImageView
from shared.clients.withdrawals import Withdrawal
from shared.contract.events import ImageWithdrawn, uuid_of
from shared.storage.object_store import ObjectStore


class WithdrawRequest(BaseModel):
    """The body: why the image is taken back."""

    reason: Text = Field(min_length=1)


async def withdraw(
    command_bus: CommandBus, store: ObjectStore, image_id: UUID, request: WithdrawRequest, user: str
) -> Withdrawal | AcceptedImage:
    """Publish the image.withdrawn and wait until the tables show it. An image that was taken back already is answered
    as it was then, and nothing is published.

    Raises:
        Refused: image_unknown, image_not_stored.
        TransientError: the log, the tables or the object store are unavailable.
    """
    seen = await images.image(command_bus.database, image_id)
    known = await withdrawal(command_bus.database, image_id)  # asked last: another request may be there in between
    if known is not None:
        return known
    image = _withdrawable(seen, image_id)
    event = ImageWithdrawn(
        event_id=uuid_of(ImageWithdrawn.topic, image_id),
        occurred_at=command_bus.clock(),
        image_id=image_id,
        sha256=image.sha256 or "",
        withdrawn_by=user,
        reason=request.reason,
        seen_by=tuple(await find_seen_by(command_bus.database, store, image_id)),
    )
    await command_bus.publish(event)
    shown = await command_bus.wait_for(partial(withdrawal, command_bus.database, image_id))
    return AcceptedImage(event_id=event.event_id, image_id=image_id) if shown is None else shown


def refuse_withdrawn(image: ImageView | None) -> None:
    """Raise Refused if the image was taken back: nothing can be done with it any more."""
    if image is not None and image.withdrawal is not None:
        raise withdrawn(image)


def withdrawn(image: ImageView) -> Refused:
    """Return the refusal of an image that was taken back."""
    said = image.withdrawal
    who = "" if said is None else f" by {said.withdrawn_by} on {said.withdrawn_at:%Y-%m-%d}: {said.reason.rstrip('.')}"
    return Refused("image_withdrawn", f"Image {image.image_id} was withdrawn{who}. Its bytes are gone, and stay away.")


def _withdrawable(image: ImageView | None, image_id: UUID) -> ImageView:
    """Return the image if it may be taken back. Raises Refused."""
    if image is None:
        raise Refused("image_unknown", f"There is no image {image_id}. Check the id, or upload the image.")
    if image.duplicate_of is not None:
        raise Refused(
            "image_not_stored",
            f"This image has the same bytes as {image.duplicate_of}, which holds them. Withdraw that image instead.",
            {"duplicate_of": str(image.duplicate_of)},
        )
    if image.state != "stored":
        detail = "This image is not stored, so there is nothing to withdraw. Look at its state."
        raise Refused("image_not_stored", detail)
    return image

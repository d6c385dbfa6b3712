"""How the picture is taken back."""

from services.labeler.api.examples.images import NO_ID, NO_IMAGE
from services.labeler.api.examples.models import OF_OPERATORS
from services.labeler.api.examples.story import NOON, OPERATOR, VERSION, example_image_id
from shared.clients.answers import AcceptedImage
from shared.clients.withdrawals import Withdrawal
from shared.contract.events import ImageWithdrawn, uuid_of
from shared.http.examples import Example
from shared.http.problems import Problem

REASON = "The owner of the picture asks for it."


def of_withdrawals() -> dict[str, Example]:
    """Return the example of the route that takes an image back."""
    image_id = example_image_id()
    event_id = uuid_of(ImageWithdrawn.topic, image_id)
    done = Withdrawal(
        image_id=image_id,
        event_id=event_id,
        withdrawn_by=OPERATOR,
        reason=REASON,
        withdrawn_at=NOON,
        seen_by=["full-1c9f0a7d2b34"],
        held_by=[VERSION],
        serving=VERSION,
    )
    not_stored = Problem(
        409, "image_not_stored", "This image is not stored, so there is nothing to withdraw. Look at its state."
    )
    return {
        "withdraw_image": Example(
            parameters={"image_id": image_id},
            body={"reason": REASON},
            answers={200: done, 202: AcceptedImage(event_id=event_id, image_id=image_id)},
            problems=(*OF_OPERATORS, NO_IMAGE, NO_ID, not_stored),
        )
    }

"""What the labeler's API answers about an image that was taken back, and the request that takes one back."""

from typing import Literal
from uuid import UUID

from pydantic import TypeAdapter

from shared.clients.answers import AcceptedImage, WithdrawalView
from shared.clients.request import ApiRequest


class Withdrawal(WithdrawalView):
    """An image that was taken back, and the models that saw it. `seen_by` are the full models that learned from it, or
    were tested on it; `held_by` those whose corrections hold one of it; each with the newest first. `serving` is the
    version in service if it is one of them or stands on one, None if the model in service has not seen the image."""

    image_id: UUID
    event_id: UUID
    seen_by: list[str]
    held_by: list[str]
    serving: str | None
    state: Literal["withdrawn"] = "withdrawn"

    @property
    def outcome(self) -> str:
        return self.state


_WITHDRAWAL: TypeAdapter[Withdrawal | AcceptedImage] = TypeAdapter(Withdrawal | AcceptedImage)


def withdraw_image(image_id: UUID, reason: str) -> ApiRequest[Withdrawal | AcceptedImage]:
    """Take an image back. A repetition answers what the first one did."""
    path = f"/images/{image_id}/withdraw"
    return ApiRequest("POST", path, _WITHDRAWAL.validate_json, json={"reason": reason})

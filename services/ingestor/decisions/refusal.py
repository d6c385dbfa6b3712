"""Why an image is not taken: a reason code for machines and a sentence for people."""

from dataclasses import dataclass
from uuid import UUID

from shared.contract.events import RejectionReason
from shared.runtime.errors import PappusError


@dataclass(frozen=True, slots=True)
class Rejection:
    """`retryable`: the same source may be fine later. `duplicate_of`: the image that holds the same bytes, if any."""

    reason: RejectionReason
    detail: str
    retryable: bool = False
    duplicate_of: UUID | None = None


class ImageRejectedError(PappusError):
    """This source will not give an image; `refusal` says why."""

    def __init__(self, refusal: Rejection) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal

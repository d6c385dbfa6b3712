"""Why an image that was taken back does not come in again. Pure."""

from datetime import datetime
from uuid import UUID

from shared.runtime.errors import PappusError
from shared.web.rejection import Rejection


class WithdrawnBytes(PappusError):
    """Nothing was decided about these bytes: a person withdrew them. `rejection` says so to others; who put the bytes
    into the store deletes them first."""

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(rejection.detail)
        self.rejection = rejection


def because(image_id: UUID, withdrawn_by: str, reason: str, withdrawn_at: datetime) -> Rejection:
    """Return the rejection of bytes that were stored as `image_id` until a person withdrew it."""
    detail = f"These bytes were image {image_id}, which {withdrawn_by} withdrew on {withdrawn_at:%Y-%m-%d}: {reason}"
    return Rejection("withdrawn", detail)

"""Why an image is not taken: a reason code for programs and a sentence for people."""

from dataclasses import dataclass
from uuid import UUID

from shared.contract.events import RejectionReason


@dataclass(frozen=True, slots=True)
class Rejection:
    """`retryable`: the same source may be fine later. `duplicate_of`: the image that holds the same bytes, if any."""

    reason: RejectionReason
    detail: str
    retryable: bool = False
    duplicate_of: UUID | None = None


def too_large(longest_bytes: int) -> Rejection:
    """Return the rejection of a file above the limit."""
    return Rejection("too_large", f"More than {longest_bytes:,} bytes; send a smaller file.")

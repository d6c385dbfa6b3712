"""The question whether a picture is stored already: the request and its answer."""

from typing import Literal
from uuid import UUID

from shared.clients.answers import Body
from shared.clients.request import ApiRequest


class DuplicateCheck(Body):
    """Whether a picture is stored: `image_id` holds the same bytes, the same pixels in another file, or ("similar") the
    same picture in another size or encoding. `distance`: how many of the 64 bits of the perceptual hashes differ; 0 for
    the first two. None without a duplicate."""

    duplicate: bool
    kind: Literal["bytes", "pixels", "similar"] | None = None
    image_id: UUID | None = None
    distance: int | None = None


def check_duplicate(name: str, data: bytes) -> ApiRequest[DuplicateCheck]:
    """Ask whether an image file is stored already; nothing is stored."""
    return ApiRequest("POST", "/check_duplicate", DuplicateCheck.model_validate_json, file=(name, data))

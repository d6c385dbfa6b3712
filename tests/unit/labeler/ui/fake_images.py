"""The images of the fake labeler."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

PICTURE = bytes.fromhex(  # the smallest PNG: one pixel
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


@dataclass
class Image:
    """An image in the fake labeler. `share`: how sure the model is that it is a dandelion, None without an answer."""

    image_id: UUID = field(default_factory=uuid4)
    label: str | None = None
    revision: int = 0
    trust: str = "claimed"
    state: str = "stored"
    history: list[dict[str, Any]] = field(default_factory=list)
    decided: int = 0
    share: float | None = None
    answer: dict[str, float] | None = None
    picture: bytes = PICTURE
    before: list[str | None] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

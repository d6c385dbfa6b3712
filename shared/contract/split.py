"""On which side of the split an image falls: decided by its near-duplicate group, once."""

from functools import lru_cache
from hashlib import sha256
from typing import Literal

Side = Literal["train", "test"]

TEST_FRACTION = 0.2


@lru_cache(maxsize=100_000)
def side(group_id: str, test_fraction: float = TEST_FRACTION) -> Side:
    """Return the side of every image of this near-duplicate group.

    It depends on the name of the group alone, so it never moves: not with more images, not with a corrected label, not
    with a new model. In the long run `test_fraction` (0..1) of the groups fall on the test side.
    """
    number = int.from_bytes(sha256(group_id.encode()).digest()[:8], "big")
    return "test" if number < test_fraction * 2**64 else "train"

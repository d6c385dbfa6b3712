"""Where an image lies in the space of a full model, as it stands in an event.

A place is up to 64 whole numbers of -127 to 127, one byte each, in base64. Only its direction means something: nearness
is the cosine of two places of the same space, so a place is scaled until its largest number is 127. That is at most
half a step of 127 away from the direction which the model computes.
"""

import math
from array import array
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

DIMENSIONS = 64
"""The most numbers that a place has. One of fewer is the same as one that ends in zeros."""
LARGEST = 127


def encode_place(coordinates: Sequence[float]) -> str | None:
    """Return the place in this direction; None if there is none: no coordinates, all of them 0, one that is not finite,
    or more than DIMENSIONS."""
    largest = max(map(abs, coordinates), default=0.0)
    if len(coordinates) > DIMENSIONS or not all(map(math.isfinite, coordinates)) or largest < 1e-12:
        return None
    return b64encode(array("b", (round(value / largest * LARGEST) for value in coordinates)).tobytes()).decode()


def decode_place(text: str) -> tuple[int, ...]:
    """Return the numbers of a place, -128 to 127, and zeros up to DIMENSIONS. Raises ValueError if it is none."""
    numbers = array("b", b64decode(text, validate=True))
    if len(numbers) > DIMENSIONS or not any(numbers):
        raise ValueError(f"A place has up to {DIMENSIONS} numbers, not all of them 0; this one has {len(numbers)}.")
    return (*numbers, *(0,) * (DIMENSIONS - len(numbers)))


def _check(text: str) -> str:
    decode_place(text)
    return text


Place = Annotated[str, AfterValidator(_check), Field(max_length=88)]
"""The text that `encode_place` gives."""

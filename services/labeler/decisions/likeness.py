"""What a whole picture looks like, to say before an upload whether it is stored in another size or encoding. Pure.

The hash is the ingestor's pHash of the event `image.stored` (Zauner 2010, chapter 3.2.1) to a bit or two: computed with
Pillow and a product of matrices, since this service brings no OpenCV. Few bits of difference make a candidate, and
thumbnails decide, as in the ingestor. What was cropped is found only there, once it is stored.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.imaging.decoding import decode
from shared.imaging.pixels_hash import hash_pixels

FARTHEST_BITS = 12
"""Of 64: other pictures differ in about 32, the same one in another size or encoding in a few."""
FARTHEST_LEVELS = 20.0
"""Root mean square difference of two thumbnails, in levels of 0..255: copies are below, other pictures above 40."""
_SIDE, _FREQUENCIES = 32, 8
_COSINES = np.cos(np.pi * np.outer(np.arange(_FREQUENCIES), np.arange(_SIDE) + 0.5) / _SIDE)  # [frequency, pixel]
_COSINES[0] /= np.sqrt(2)


@dataclass(frozen=True, slots=True)
class Likeness:
    """`pixels_sha256` is that of the pixels. `hashes`: of the picture and of its mirror image, 64 bits with a sign.
    `thumbnail`: bytes of uint8 RGB [32, 32, 3]."""

    pixels_sha256: str
    hashes: tuple[int, int]
    thumbnail: bytes


def likeness_of(data: bytes) -> Likeness:
    """Return what the picture in a file looks like. Takes as long as decoding does. Raises UndecodableImage."""
    pixels = decode(data)
    image = Image.fromarray(pixels)
    grey = np.asarray(image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float64)
    thumbnail = np.asarray(image.resize((_SIDE, _SIDE), Image.Resampling.BOX), np.uint8)
    return Likeness(hash_pixels(pixels), (_hash(grey), _hash(grey[:, ::-1])), thumbnail.tobytes())


def _hash(grey: NDArray[np.float64]) -> int:
    """Return which of the 8 x 8 lowest frequencies of [32, 32] exceed their median, as 64 bits with a sign."""
    lowest = _COSINES @ grey @ _COSINES.T
    return int(np.packbits(lowest > np.median(lowest)).view(">i8")[0])


def read_hash(text: str) -> int | None:
    """Return the 64 bits of 16 hex digits with a sign, as PostgreSQL keeps them; None for another text."""
    try:
        value = int(text, 16) if len(text) == 16 else -1
    except ValueError:
        return None
    if not 0 <= value < 2**64:
        return None
    return value - 2**64 if value >= 2**63 else value


def shows_the_same(one: Likeness, other: Likeness) -> bool:
    """Return whether two pictures show the same, upright or mirrored."""
    mine, theirs = (
        np.frombuffer(each.thumbnail, np.uint8).reshape(_SIDE, _SIDE, 3).astype(np.float64) for each in (one, other)
    )
    return min(_difference(mine, theirs), _difference(mine[:, ::-1], theirs)) <= FARTHEST_LEVELS


def _difference(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean((one - other) ** 2)))

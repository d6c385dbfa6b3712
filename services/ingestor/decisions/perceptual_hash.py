"""A 64-bit hash that near-duplicates share: the DCT hash known as pHash.

Zauner 2010, "Implementation and benchmarking of perceptual image hash functions", chapter 3.2.1.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

_SIDE = 32
_FREQUENCIES = 8


def perceptual_hash(pixels: NDArray[np.uint8]) -> str:
    """Return 64 bits as 16 hex digits, of uint8 RGB [height, width, 3].

    A bit is set if one of the 8 x 8 lowest frequencies exceeds their median. Resizing and re-encoding change a few
    bits; another picture differs in about half of them.
    """
    grey = cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    lowest = cv2.dct(grey.astype(np.float32))[:_FREQUENCIES, :_FREQUENCIES]
    return np.packbits(lowest > np.median(lowest)).tobytes().hex()

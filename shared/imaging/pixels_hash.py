"""A name for the pixels of a picture, the same for every file that shows them."""

import hashlib

import numpy as np
from numpy.typing import NDArray


def hash_pixels(pixels: NDArray[np.uint8]) -> str:
    """Return the sha256, as hex digits, of size and values of uint8 RGB [height, width, 3]."""
    digest = hashlib.sha256("{}x{}|".format(*pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()

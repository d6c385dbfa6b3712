"""The one resize that trainer and predictor share, after the one decode.

Antialiasing or another decoder alone flips some answers of a model, so training and serving must not have two of these.
"""

from dataclasses import dataclass
from time import perf_counter

import cv2
import numpy as np

from shared.imaging.decoding import pixels_of, read_structure
from shared.imaging.structure import Pixels, Structure

INPUT_SIZE = 96
"""Side of the square a model sees, in pixels."""


@dataclass(frozen=True)
class PreparedImage:
    """What a model sees: uint8 [96, 96, 3], and the seconds it took to make it."""

    pixels: Pixels
    seconds: float


def prepare(pixels: Pixels, size: int = INPUT_SIZE) -> Pixels:
    """Return the square a model sees: uint8 [size, size, 3].

    The whole picture is squeezed into the square instead of cropped: nothing a person saw is lost, and it is the recipe
    the accuracy was measured with. INTER_AREA averages over the source pixels, so large photographs do not alias.
    """
    return np.ascontiguousarray(cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def prepare_image(data: bytes) -> PreparedImage:
    """Decode and prepare. Raises UndecodableImage."""
    started = perf_counter()
    return prepare_opened(read_structure(data), started)


def prepare_opened(structure: Structure, started: float) -> PreparedImage:
    """Decode and prepare a picture whose structure is read; `started`: when that began (perf_counter). Raises
    UndecodableImage."""
    return PreparedImage(prepare(pixels_of(structure)), perf_counter() - started)

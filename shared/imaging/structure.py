"""What the structure of a picture says before a pixel is decoded. Reading it costs a bounded number of steps."""

import struct
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""uint8, [height, width, 3], RGB, 0..255."""

MAXIMUM_BLOCKS = 20_000
"""Segments, chunks or blocks that are looked at in one file; a 20 MB PNG in chunks of 8 KB has 2,500."""

_ORIENTATION_TAG = 0x0112
_SHORT = 3
_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}


@dataclass(frozen=True)
class Structure(ABC):
    """Format name in capitals; width and height in pixels as stored; EXIF orientation 1..8.

    `seconds` estimates the CPU time of decoding, rather too high. Decoders get the bytes they need and no metadata: a
    library's limits and habits regarding metadata do not decide about pixels.
    """

    format: str
    width: int
    height: int
    orientation: int
    seconds: float

    @abstractmethod
    def pixels(self) -> Pixels:
        """Decode: uint8 RGB [height, width, 3] as stored, transparency on white.

        Raises:
            UndecodableImage, or what a library raises about damage.
        """


def is_exif(block: bytes) -> bool:
    """Return whether an EXIF block begins as one."""
    return block[:4] in _BYTE_ORDERS


def orientation_of(exif: bytes) -> int:
    """Return the orientation 1..8 of an EXIF block (TIFF 6.0, the first directory); 1 where none can be read.

    As browsers do, only one SHORT counts.
    """
    order = _BYTE_ORDERS.get(exif[:4])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(f"{order}I", exif, 4)
        (entries,) = struct.unpack_from(f"{order}H", exif, at)
        for entry in range(at + 2, at + 2 + 12 * entries, 12):
            tag, kind, count, value = struct.unpack_from(f"{order}HHIHxx", exif, entry)
            if (tag, kind, count) == (_ORIENTATION_TAG, _SHORT, 1):
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1

"""The structure of a GIF file (GIF89a), up to its first picture."""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from shared.imaging.pillow import pixels_of
from shared.imaging.refusals import damaged, too_complex
from shared.imaging.structure import MAXIMUM_BLOCKS, Pixels, Structure

SIGNATURES = (b"GIF87a", b"GIF89a")
SECONDS_PER_BYTE = 15e-9
SECONDS_PER_PIXEL = 25e-9

_EXTENSION, _PICTURE = 0x21, 0x2C
_CONTROL = 0xF9


@dataclass(frozen=True)
class Gif(Structure):
    """`essential`: a file of nothing but the first picture; `left` and `top`: its place."""

    essential: bytes
    left: int
    top: int

    def pixels(self) -> Pixels:
        """Decode the first picture with Pillow and put it on white paper: what it does not cover is transparent."""
        with Image.open(BytesIO(self.essential), formats=("GIF",)) as image:
            picture = pixels_of(image)
        height, width, _ = picture.shape
        if (height, width) == (self.height, self.width):
            return picture
        paper = np.full((self.height, self.width, 3), 255, dtype=np.uint8)
        paper[self.top : self.top + height, self.left : self.left + width] = picture
        return paper


def gif_structure(data: bytes) -> Gif:
    """Read the blocks up to the first picture.

    Raises:
        UndecodableImage: truncated or too_complex.
    """
    start = 13 + _table_bytes(data[10:11])
    control, at = _first_picture(data, start)
    if at < 0 or at + 10 > len(data):
        raise damaged("GIF")
    left, top, width, height = (int.from_bytes(data[at + place : at + place + 2], "little") for place in (1, 3, 5, 7))
    screen_width, screen_height = (int.from_bytes(data[place : place + 2], "little") for place in (6, 8))
    if not (width and height):
        raise damaged("GIF")
    essential = data[:6] + data[at + 5 : at + 9] + data[10:start] + control + b"," + bytes(4) + data[at + 5 :]
    width, height = max(screen_width, left + width), max(screen_height, top + height)
    seconds = SECONDS_PER_BYTE * len(data) + SECONDS_PER_PIXEL * width * height
    return Gif("GIF", width, height, 1, seconds, essential, left, top)


def _table_bytes(flags: bytes) -> int:
    """Return the size of the colour table that a descriptor announces."""
    return 3 * 2 ** ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


def _first_picture(data: bytes, at: int) -> tuple[bytes, int]:
    """Return the last graphic control extension before the first picture, and where the picture begins (-1: none)."""
    control, blocks = b"", 0
    while at < len(data) and data[at] != _PICTURE:
        if data[at] != _EXTENSION:
            break
        start, at = at, at + 2
        while at < len(data) and data[at] and blocks <= MAXIMUM_BLOCKS:
            at, blocks = at + 1 + data[at], blocks + 1
        at += 1
        if data[start + 1 : start + 2] == bytes([_CONTROL]):
            control = data[start:at]
        blocks += 1
        if blocks > MAXIMUM_BLOCKS:
            raise too_complex("GIF", f"more than {MAXIMUM_BLOCKS:,} blocks before its picture", f"{MAXIMUM_BLOCKS:,}")
    return control, at if at < len(data) and data[at] == _PICTURE else -1

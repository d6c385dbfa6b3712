"""Bytes to pixels as a browser shows them: the one decode that ingestor, labeler, trainer and predictor share."""

import struct
import zlib
from dataclasses import dataclass

import numpy as np

from shared.imaging.bmp import bmp_structure, is_bmp
from shared.imaging.foreign_formats import refuse_foreign
from shared.imaging.gif import SIGNATURES, gif_structure
from shared.imaging.jpeg import jpeg_structure
from shared.imaging.png import SIGNATURE, png_structure
from shared.imaging.refusals import UndecodableImage, damaged, unsupported
from shared.imaging.structure import Pixels, Structure
from shared.imaging.webp import webp_structure

__all__ = [
    "MAXIMUM_PIXELS",
    "MAXIMUM_SIDE",
    "ImageFacts",
    "Pixels",
    "UndecodableImage",
    "decode",
    "image_facts",
    "pixels_of",
    "read_structure",
]

MAXIMUM_PIXELS = 50_000_000
MAXIMUM_SIDE = 65_535
"""The longest side of a JPEG or GIF picture."""

_SIDEWAYS = (5, 6, 7, 8)  # orientations that swap width and height
_DAMAGE = (OSError, SyntaxError, EOFError, struct.error, zlib.error)
"""What the decoders raise on pixels that are not as announced."""
_BEYOND = (ValueError, TypeError, LookupError, OverflowError, NotImplementedError)
"""What they raise on what they do not know."""


@dataclass(frozen=True)
class ImageFacts:
    """What the header says: format name in capitals; width and height in pixels after EXIF orientation. `seconds`
    estimates the CPU time of decoding."""

    format: str
    width: int
    height: int
    seconds: float


def image_facts(data: bytes, maximum_pixels: int = MAXIMUM_PIXELS) -> ImageFacts:
    """Read the structure only, so a decompression bomb costs nothing.

    Raises:
        UndecodableImage: for all reasons but one: that the pixels are complete is known after `decode` only.
    """
    structure = read_structure(data, maximum_pixels)
    width, height = structure.width, structure.height
    if structure.orientation in _SIDEWAYS:
        width, height = height, width
    return ImageFacts(structure.format, width, height, structure.seconds)


def decode(data: bytes, maximum_pixels: int = MAXIMUM_PIXELS) -> Pixels:
    """Return the picture as a browser shows it on white paper: uint8 RGB [height, width, 3], EXIF orientation applied.

    Takes JPEG, PNG, WebP, GIF and BMP (of animations the first frame) in any colour mode and depth that browsers show.
    Colour profiles are not applied.

    Raises:
        UndecodableImage: with the reason. Size and structure are checked before a pixel is decoded; a picture that ends
            early is refused as truncated in every format.
    """
    return pixels_of(read_structure(data, maximum_pixels))


def pixels_of(structure: Structure) -> Pixels:
    """Return what `decode` returns, of a picture whose structure is read. Raises UndecodableImage as `decode` does."""
    try:
        return _oriented(structure.pixels(), structure.orientation)
    except UndecodableImage:
        raise
    except _DAMAGE as error:
        raise damaged(structure.format) from error
    except _BEYOND as error:
        raise unsupported(f"an unusual kind of {structure.format} picture") from error


def read_structure(data: bytes, maximum_pixels: int = MAXIMUM_PIXELS) -> Structure:
    """Read what stands before the pixels, once for all who ask. Raises UndecodableImage as `image_facts` does."""
    if not data:
        raise UndecodableImage("empty", "The file is empty. Send an image.")
    structure = _structure(data)
    width, height = structure.width, structure.height
    if width * height > maximum_pixels:
        detail = f"The picture has {width} x {height} pixels; {maximum_pixels} are taken at most. Send a smaller one."
        raise UndecodableImage("too_many_pixels", detail)
    if max(width, height) > MAXIMUM_SIDE:
        detail = f"The picture has {width} x {height} pixels; a side has {MAXIMUM_SIDE} at most. Send a smaller one."
        raise UndecodableImage("too_many_pixels", detail)
    return structure


def _structure(data: bytes) -> Structure:
    if data.startswith(b"\xff\xd8\xff"):
        return jpeg_structure(data)
    if data.startswith(SIGNATURE):
        return png_structure(data)
    if data.startswith(SIGNATURES):
        return gif_structure(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return webp_structure(data)
    if is_bmp(data):
        return bmp_structure(data)
    raise refuse_foreign(data)


def _oriented(pixels: Pixels, orientation: int) -> Pixels:
    """Return the pixels transposed, then flipped, as the tag says (EXIF 2.32, tag 0x0112)."""
    if orientation in _SIDEWAYS:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)

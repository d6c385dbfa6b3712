"""Bytes to pixels: the one decode and the one resize that ingestor, trainer and predictor share.

Antialiasing or another decoder alone flips some answers of a model, so training and serving must not have two of these.
"""

import struct
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import Literal

import cv2
import numpy as np
import simplejpeg  # type: ignore[import-untyped]
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

Pixels = NDArray[np.uint8]
"""uint8, [height, width, 3], RGB, 0..255."""

Reason = Literal["empty", "not_an_image", "unsupported_format", "truncated", "too_many_pixels"]

INPUT_SIZE = 96
"""Side of the square a model sees, in pixels."""
MAXIMUM_PIXELS = 50_000_000

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
_ORIENTATION_TAG = 0x0112
_SIDEWAYS = (5, 6, 7, 8)  # orientations that swap width and height
_BROKEN = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, OverflowError, struct.error, zlib.error)
"""What Pillow's parsers raise on bytes that do not keep what their header promises."""


class UndecodableImage(ValueError):
    """These bytes are not an image Pappus takes. `reason` is the code of image.rejected; the text says what to do."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason


@dataclass(frozen=True)
class ImageFacts:
    """What the header says: format name in capitals; width and height in pixels after EXIF orientation."""

    format: str
    width: int
    height: int


def image_facts(data: bytes, maximum_pixels: int = MAXIMUM_PIXELS) -> ImageFacts:
    """Read the header only, so a decompression bomb costs nothing.

    Raises:
        UndecodableImage: empty, not_an_image, unsupported_format or too_many_pixels. That the pixels are complete is
            known after `decode` only.
    """
    image = _open(data, maximum_pixels)
    width, height = image.size
    if _orientation(image) in _SIDEWAYS:
        width, height = height, width
    return ImageFacts(_format(image), width, height)


def decode(data: bytes, maximum_pixels: int = MAXIMUM_PIXELS) -> Pixels:
    """Return the picture as a person sees it: uint8 RGB [height, width, 3], EXIF orientation applied, transparency on
    white.

    Takes JPEG, PNG, WebP, GIF and BMP (of animations the first frame) in any colour mode and depth Pillow reads.

    Raises:
        UndecodableImage: with the reason. Size is checked before a pixel is decoded; a picture that ends early is
            refused as truncated in every format.
    """
    image = _open(data, maximum_pixels)
    try:
        if _format(image) == "JPEG" and image.mode in ("RGB", "L"):
            pixels = _decode_plain_jpeg(data, image)
            if pixels is not None:
                return pixels
        return _decode_with_pillow(image)
    except _BROKEN as error:
        detail = f"The {_format(image)} picture is cut off or damaged ({error}). Send the complete file."
        raise UndecodableImage("truncated", detail) from error


def prepare(pixels: Pixels, size: int = INPUT_SIZE) -> Pixels:
    """Return the square a model sees: uint8 [size, size, 3].

    The whole picture is squeezed into the square instead of cropped: nothing a person saw is lost, and it is the recipe
    the accuracy was measured with. INTER_AREA averages over the source pixels, so large photographs do not alias.
    """
    return np.ascontiguousarray(cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _open(data: bytes, maximum_pixels: int) -> Image.Image:
    """Return the image with its header parsed and no pixel decoded."""
    if not data:
        raise UndecodableImage("empty", "The file is empty. Send an image.")
    try:
        image = Image.open(BytesIO(data), formats=_FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UndecodableImage("too_many_pixels", f"The picture is too large ({error}). Send a smaller one.") from error
    except UnidentifiedImageError as error:
        raise _unidentified(data) from error
    except _BROKEN as error:
        raise UndecodableImage(
            "truncated", f"The header of the picture is damaged ({error}). Send it again."
        ) from error
    width, height = image.size
    if width * height > maximum_pixels:
        detail = f"The picture has {width} x {height} pixels; {maximum_pixels} are taken at most. Send a smaller one."
        raise UndecodableImage("too_many_pixels", detail)
    return image


def _unidentified(data: bytes) -> UndecodableImage:
    """Distinguish a picture of another format (or one cut within its header) from bytes that are not a picture."""
    if data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM")) or data[8:12] == b"WEBP":
        return UndecodableImage("truncated", "The header of the picture is cut off or damaged. Send the complete file.")
    if data.startswith((b"II*\0", b"MM\0*", b"8BPS", b"\0\0\1\0")) or data[4:8] == b"ftyp":
        return UndecodableImage(
            "unsupported_format", f"Pictures of this format are not taken; use {', '.join(_FORMATS)}."
        )
    return UndecodableImage("not_an_image", f"This is not an image. Send one of {', '.join(_FORMATS)}.")


def _format(image: Image.Image) -> str:
    """Return the name of the format. Pillow calls a JPEG with further pictures behind it (as many phones write) MPO;
    its first picture is a JPEG."""
    return "JPEG" if image.format == "MPO" else str(image.format)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation 1..8; 1 where there is none or the EXIF block is unreadable."""
    if "exif" not in image.info:
        return 1
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except _BROKEN:
        return 1


def _decode_plain_jpeg(data: bytes, image: Image.Image) -> Pixels | None:
    """Decode by the fast path. Return None where libjpeg has a complaint: Pillow then decides whether something is
    missing (and refuses) or whether it is only a quirk of the camera, such as stray bytes between two segments."""
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data, colorspace="RGB", strict=True)
    except ValueError:
        return None
    return _oriented(pixels, _orientation(image))


def _oriented(pixels: Pixels, orientation: int) -> Pixels:
    """Return the pixels transposed, then flipped, as the tag says (EXIF 2.32, tag 0x0112)."""
    if orientation in _SIDEWAYS:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _decode_with_pillow(image: Image.Image) -> Pixels:
    orientation = _orientation(image)
    image.load()
    if image.mode.startswith("I;16"):  # 16-bit grey: the high byte; Pillow would clip instead
        return _oriented(np.repeat((np.asarray(image) >> 8).astype(np.uint8)[:, :, None], 3, axis=2), orientation)
    if "A" in image.getbands() or "transparency" in image.info:
        paper = Image.new("RGBA", image.size, "white")
        paper.alpha_composite(image.convert("RGBA"))
        image = paper
    return _oriented(np.asarray(image.convert("RGB"), dtype=np.uint8), orientation)

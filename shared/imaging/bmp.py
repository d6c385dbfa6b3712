"""The structure of a BMP file (Windows and OS/2), and its pixels."""

import struct
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.imaging.bmp_runs import run_length_indices
from shared.imaging.pillow import pixels_of
from shared.imaging.refusals import damaged, unsupported
from shared.imaging.structure import Pixels, Structure

SECONDS_PER_BYTE = 5e-9
SECONDS_PER_PIXEL = 15e-9
SECONDS_PER_UNPACKED_PIXEL = 45e-9
"""With runs or masks."""
SECONDS_PER_RUN_BYTE = 0.7e-6

_HEADER_BYTES = (12, 16, 40, 52, 56, 64, 108, 124)
_RLE8, _RLE4, _FIELDS, _JPEG, _PNG, _ALPHA_FIELDS = 1, 2, 3, 4, 5, 6
_BITS = (1, 4, 8, 16, 24, 32)
_NOT_TAKEN = {_JPEG: "a BMP file around a JPEG picture", _PNG: "a BMP file around a PNG picture"}
_MASKS_AT = 54
"""Masks follow the first 40 bytes of the header, inside a longer header or behind it."""


@dataclass(frozen=True)
class Bmp(Structure):
    """`data`: the file; `header_bytes` without the 14 bytes before the header; `bits` of one pixel."""

    data: bytes
    header_bytes: int
    bits: int
    compression: int

    def pixels(self) -> Pixels:
        """Decode with Pillow, except for runs, of which Pillow paints what is skipped, and for masks, of which it knows
        few."""
        if self.compression in (_RLE8, _RLE4):
            return self._runs()
        if self.compression in (_FIELDS, _ALPHA_FIELDS) and self.bits in (16, 32):
            return self._fields()
        with Image.open(BytesIO(self.data), formats=("BMP",)) as image:
            return pixels_of(image)

    @property
    def _top_down(self) -> bool:
        return int.from_bytes(self.data[22:26], "little", signed=True) < 0

    def _runs(self) -> Pixels:
        """Look the indices up; pixels that no run covers are black, as in browsers."""
        body = self.data[int.from_bytes(self.data[10:14], "little") :]
        indices, drawn = run_length_indices(body, self.width, self.height, self.bits)
        start = 14 + self.header_bytes
        stored = np.frombuffer(self.data[start : min(start + 4 * 256, len(self.data))], np.uint8)
        table = np.zeros((256, 3), np.uint8)
        colours = min(int.from_bytes(self.data[46:50], "little") or 2**self.bits, 256, len(stored) // 4)
        table[:colours] = stored[: 4 * colours].reshape(-1, 4)[:, 2::-1]
        pixels = np.take(table, indices, axis=0)
        pixels[~drawn] = 0
        return pixels if self._top_down else pixels[::-1]

    def _fields(self) -> Pixels:
        """Take red, green, blue and alpha out of 16 or 32 bits by their masks."""
        with_alpha = self.header_bytes >= 56 or self.compression == _ALPHA_FIELDS
        masks = struct.unpack_from("<4I", self.data.ljust(_MASKS_AT + 16, b"\0"), _MASKS_AT)
        stride = (self.width * self.bits + 31) // 32 * 4
        start = int.from_bytes(self.data[10:14], "little")
        if len(self.data) < start + stride * self.height:
            raise damaged("BMP")
        lines = np.frombuffer(self.data, np.uint8, stride * self.height, start).reshape(self.height, stride)
        words = lines.view(f"<u{self.bits // 8}")[:, : self.width]
        pixels = np.stack([_channel(words, mask) for mask in masks[:3]], axis=2)
        alpha = _channel(words, masks[3]) if with_alpha and masks[3] else None
        if alpha is not None:
            pixels = _on_white(pixels, alpha)
        return pixels if self._top_down else pixels[::-1]


def is_bmp(data: bytes) -> bool:
    """Return whether these bytes begin as a BMP file does; "BM" alone may be the begin of a text."""
    return data[:2] == b"BM" and (len(data) < 18 or int.from_bytes(data[14:18], "little") in _HEADER_BYTES)


def bmp_structure(data: bytes) -> Bmp:
    """Read the header.

    Raises:
        UndecodableImage: truncated or unsupported_format.
    """
    header = data[14 : 14 + int.from_bytes(data[14:18], "little")]
    compression = 0
    if len(header) == 12:
        width, height, _, bits = struct.unpack_from("<4H", header, 4)
    elif len(header) >= 16 and len(header) in _HEADER_BYTES:
        width, height, _, bits = struct.unpack_from("<iiHH", header, 4)
        compression = int.from_bytes(header[16:20], "little")
    else:
        raise damaged("BMP")
    if compression > _ALPHA_FIELDS or compression in _NOT_TAKEN:
        raise unsupported(_NOT_TAKEN.get(compression, "a BMP picture packed in an unusual way"))
    if bits not in _BITS:
        raise unsupported(f"a BMP picture of {bits} bits a pixel")
    if width <= 0 or height == 0:
        raise damaged("BMP")
    seconds = (SECONDS_PER_RUN_BYTE if compression in (_RLE8, _RLE4) else SECONDS_PER_BYTE) * len(data)
    seconds += (SECONDS_PER_UNPACKED_PIXEL if compression else SECONDS_PER_PIXEL) * width * abs(height)
    return Bmp("BMP", width, abs(height), 1, seconds, data, len(header), bits, compression)


def _channel(words: NDArray[np.unsignedinteger], mask: int) -> Pixels:
    """Return one channel, scaled to 0..255. A mask of 0 gives 0."""
    if not mask:
        return np.zeros(words.shape, np.uint8)
    shift = (mask & -mask).bit_length() - 1
    most = mask >> shift
    values = (words & np.array(mask, words.dtype)) >> np.array(shift, words.dtype)
    if most == 255:
        return values.astype(np.uint8)
    return (values.astype(np.uint64) * 255 // most).astype(np.uint8)


def _on_white(pixels: Pixels, alpha: Pixels) -> Pixels:
    """Return the pixels on white paper, as Pillow rounds."""
    image = Image.fromarray(np.dstack((pixels, alpha)), "RGBA")
    return pixels_of(image)

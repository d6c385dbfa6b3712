"""The structure of a JPEG file (ITU-T T.81, annex B), and its pixels."""

import re
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import simplejpeg  # type: ignore[import-untyped]
from PIL import Image

from shared.imaging.refusals import damaged, too_complex, unsupported
from shared.imaging.structure import MAXIMUM_BLOCKS, Pixels, Structure, is_exif, orientation_of

MAXIMUM_SCANS = 500
MAXIMUM_SCANNED_PIXELS = 2_000_000_000
"""Pixels times scans: 40 scans of 50 million pixels; a camera makes 1, a web page's picture about 10."""

SECONDS_PER_BYTE = 30e-9
SECONDS_PER_PIXEL = 15e-9
SECONDS_PER_BUFFERED_PIXEL = 25e-9
"""Of a picture in several scans: its coefficients are kept in memory until the last one."""
SECONDS_PER_SCANNED_PIXEL = 0.4e-9
ARITHMETIC_FACTOR = 8
"""Of arithmetic instead of Huffman coding, which hardly any program writes."""

_EXIF = b"Exif\0"
_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_WITHOUT_LENGTH = (0x00, 0x01, *range(0xD0, 0xD8))
_EOI, _SOS, _APP0, _APP1, _APP14, _APP15, _COM = 0xD9, 0xDA, 0xE0, 0xE1, 0xEE, 0xEF, 0xFE
_FRAMES = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0), 0xF7)
_SINGLE_SCAN = (0xC0, 0xC1)
_ARITHMETIC = (0xC9, 0xCA)
_NOT_TAKEN = {0xC3: "a lossless JPEG picture", 0xCB: "a lossless JPEG picture", 0xF7: "a JPEG-LS picture"}
_NOT_TAKEN |= dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF), "a hierarchical JPEG picture")


@dataclass(frozen=True)
class Jpeg(Structure):
    """One picture; what follows it (as in the files of many phones) is not looked at. `components`: 1, 3 or 4.
    `essential` are the segments without metadata."""

    components: int
    essential: bytes

    def pixels(self) -> Pixels:
        """libjpeg-turbo without Pillow, which decides where libjpeg has a complaint: something is missing, or it is
        only a quirk of the camera."""
        if self.components in (1, 3):
            with suppress(ValueError):
                return np.asarray(simplejpeg.decode_jpeg(self.essential, colorspace="RGB", strict=True), dtype=np.uint8)
        with Image.open(BytesIO(self.essential), formats=("JPEG",)) as image:
            return np.asarray(image.convert("RGB"), dtype=np.uint8)


@dataclass
class _Found:
    """`frame` is the content of the SOF segment, `marker` its second byte; `kept` are the pieces to decode."""

    kept: list[bytes]
    frame: bytes = b""
    marker: int = 0
    orientation: int | None = None
    scans: int = 0


def jpeg_structure(data: bytes) -> Jpeg:
    """Read the segments, up to the end of the picture.

    Raises:
        UndecodableImage: truncated, unsupported_format or too_complex.
    """
    found = _read_segments(data)
    if len(found.frame) < 6 or not found.scans:
        raise damaged("JPEG")
    kind = "a JPEG picture of more than 8 bits a channel" if found.frame[0] != 8 else _NOT_TAKEN.get(found.marker)
    if kind:
        raise unsupported(kind)
    height, width = (int.from_bytes(found.frame[at : at + 2], "big") for at in (1, 3))
    _refuse_scans(found.scans, width * height)
    seconds = _seconds(found, width * height, len(data))
    return Jpeg("JPEG", width, height, found.orientation or 1, seconds, found.frame[5], b"".join(found.kept))


def _seconds(found: _Found, pixels: int, size_bytes: int) -> float:
    coding = ARITHMETIC_FACTOR if found.marker in _ARITHMETIC else 1
    buffered = SECONDS_PER_BUFFERED_PIXEL if found.scans > 1 else 0.0
    each = SECONDS_PER_PIXEL + buffered + (found.scans - 1) * SECONDS_PER_SCANNED_PIXEL
    return coding * (SECONDS_PER_BYTE * size_bytes + each * pixels)


def _refuse_scans(scans: int, pixels: int) -> None:
    if scans > MAXIMUM_SCANS:
        raise too_complex("JPEG", f"more than {MAXIMUM_SCANS} scans", f"{MAXIMUM_SCANS}")
    if pixels * scans > MAXIMUM_SCANNED_PIXELS:
        raise too_complex("JPEG", f"{scans} scans of {pixels:,} pixels", f"{MAXIMUM_SCANNED_PIXELS // pixels} scans")


def _read_segments(data: bytes) -> _Found:
    found, at = _Found([data[:2]]), 2
    for _ in range(MAXIMUM_BLOCKS):
        at = _next_marker(data, at, in_scan=found.scans > 0)
        if at < 0 or data[at + 1] == _EOI:
            return found
        marker = data[at + 1]
        end = at + 2 if marker in _WITHOUT_LENGTH else at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == _SOS:
            found.scans += 1
            if found.scans == 1:  # from here on nothing is left out
                found.kept.append(data[at:])
            if found.scans > MAXIMUM_SCANS or (found.marker in _SINGLE_SCAN and _all_components(data, at, found)):
                return found
        elif not found.scans:
            _read_segment(marker, data[at:end], found)
        at = end
    raise too_complex("JPEG", f"more than {MAXIMUM_BLOCKS:,} segments", f"{MAXIMUM_BLOCKS:,}")


def _next_marker(data: bytes, at: int, *, in_scan: bool) -> int:
    """Return where the next marker begins, -1 if there is none. Stray bytes before it are passed over."""
    if in_scan:
        match = _MARKER_IN_SCAN.search(data, at)
        return match.start() if match else -1
    at = data.find(b"\xff", at)
    while at >= 0 and data[at + 1 : at + 2] == b"\xff":  # fill bytes
        at += 1
    return at if 0 <= at < len(data) - 1 else -1


def _read_segment(marker: int, segment: bytes, found: _Found) -> None:
    """Take a segment before the first scan. `segment` begins with its marker."""
    if marker in _FRAMES and not found.frame:
        found.frame, found.marker = segment[4:], marker
    if marker == _APP1 and segment[4:].startswith(_EXIF) and is_exif(segment[10:]) and not found.orientation:
        found.orientation = orientation_of(segment[10:])
    metadata = (_APP0 < marker <= _APP15 and marker != _APP14) or marker == _COM
    if not metadata and marker not in _WITHOUT_LENGTH:
        found.kept.append(segment)


def _all_components(data: bytes, at: int, found: _Found) -> bool:
    """Return whether the scan at `at` holds all components; in a sequential picture libjpeg reads no scan after it."""
    return len(found.frame) > 5 and data[at + 4 : at + 5] == found.frame[5:6]

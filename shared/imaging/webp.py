"""The structure of a WebP file (RFC 9649)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from shared.imaging.pillow import pixels_of
from shared.imaging.refusals import damaged, too_complex
from shared.imaging.structure import MAXIMUM_BLOCKS, Pixels, Structure

SECONDS_PER_BYTE = 40e-9
SECONDS_PER_PIXEL = 40e-9

_LOSSY, _LOSSLESS, _EXTENDED, _ANIMATION, _FRAME = b"VP8 ", b"VP8L", b"VP8X", b"ANIM", b"ANMF"
_ALPHA_FLAG, _ANIMATION_FLAG = 0x10, 0x02
_PIXELS = (b"ALPH", _LOSSY, _LOSSLESS)


@dataclass(frozen=True)
class WebP(Structure):
    """`essential`: the picture or the first frame of an animation. EXIF is left out, its orientation too: browsers turn
    no WebP. `whole`: the file is as long as it announces."""

    essential: bytes
    whole: bool

    def pixels(self) -> Pixels:
        """Decode with Pillow, on white paper."""
        if not self.whole:
            raise damaged("WEBP")
        with Image.open(BytesIO(self.essential), formats=("WEBP",)) as image:
            return pixels_of(image)


def webp_structure(data: bytes) -> WebP:
    """Read the chunks up to the first picture.

    Raises:
        UndecodableImage: truncated or too_complex.
    """
    kept: list[bytes] = []
    size: tuple[int, int] | None = None
    for name, content in _chunks(data):
        if name == _EXTENDED and not kept and len(content) >= 10:
            size = 1 + int.from_bytes(content[4:7], "little"), 1 + int.from_bytes(content[7:10], "little")
            animated = content[0] & _ANIMATION_FLAG  # what no frame covers is transparent
            content = bytes([animated | (_ALPHA_FLAG if animated else content[0] & _ALPHA_FLAG)]) + content[1:]
        elif name not in (*_PIXELS, _ANIMATION, _FRAME):
            continue
        kept.append(_written(name, content))
        size = size or _size(name, content)
        if name in (_LOSSY, _LOSSLESS, _FRAME):
            break
    if size is None or not all(size):
        raise damaged("WEBP")
    seconds = SECONDS_PER_BYTE * len(data) + SECONDS_PER_PIXEL * size[0] * size[1]
    body = b"WEBP" + b"".join(kept)
    whole = len(data) >= 8 + int.from_bytes(data[4:8], "little")
    return WebP("WEBP", *size, 1, seconds, b"RIFF" + struct.pack("<I", len(body)) + body, whole)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each chunk; the last one may be cut off."""
    at, data = 12, data[: 8 + int.from_bytes(data[4:8], "little")]
    for _ in range(MAXIMUM_BLOCKS):
        if at + 8 > len(data):
            return
        name, length = struct.unpack_from("<4sI", data, at)
        content = data[at + 8 : at + 8 + length]
        yield name, content
        at += 8 + length + length % 2
    raise too_complex("WEBP", f"more than {MAXIMUM_BLOCKS:,} chunks", f"{MAXIMUM_BLOCKS:,}")


def _written(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _size(name: bytes, content: bytes) -> tuple[int, int] | None:
    """Return width and height of a picture without VP8X; None if its header cannot be read."""
    if name == _LOSSY and content[3:6] == b"\x9d\x01\x2a" and len(content) >= 10:
        width, height = struct.unpack_from("<HH", content, 6)
        return width & 0x3FFF, height & 0x3FFF
    if name == _LOSSLESS and content[:1] == b"\x2f" and len(content) >= 5:
        bits = int.from_bytes(content[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return None

"""The structure of a PNG file (W3C, third edition), and its pixels."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.imaging.pillow import pixels_of
from shared.imaging.refusals import damaged, too_complex, unsupported
from shared.imaging.structure import MAXIMUM_BLOCKS, Pixels, Structure, orientation_of

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SECONDS_PER_BYTE = 10e-9
SECONDS_PER_PIXEL = 10e-9
SECONDS_PER_RAW_BYTE = 3e-9
SECONDS_PER_COMPARED_PIXEL = 40e-9
"""With the one transparent colour, of 16 bits a channel."""

_GREY, _RGB, _PALETTE = 0, 2, 3
_CHANNELS = {_GREY: 1, _RGB: 3, _PALETTE: 1, 4: 2, 6: 4}


@dataclass(frozen=True)
class Chunk:
    """`content` without length, name and checksum; `checksum` as stored, shorter if the file ends in it."""

    name: bytes
    content: bytes
    checksum: bytes

    @property
    def sound(self) -> bool:
        """Whether the checksum is right."""
        return self.checksum == _checksum(self.name, self.content)


@dataclass
class _Found:
    """The chunks that decide about pixels. `frame` is the fcTL of the animation's first frame if that frame is not the
    picture in IDAT; `data` its fdAT chunks, or the IDAT chunks."""

    chunks: dict[bytes, Chunk] = field(default_factory=dict)
    frame: bytes | None = None
    data: list[Chunk] = field(default_factory=list)


@dataclass(frozen=True)
class Png(Structure):
    """The picture, or the first frame of an animation that leaves the picture out, as browsers show it."""

    found: _Found

    def pixels(self) -> Pixels:
        """Put the first frame on white paper of the picture's size."""
        if self.found.frame is None:
            return self._decode(self.found.chunks[b"IHDR"].content)
        width, height, left, top = struct.unpack_from(">4I", self.found.frame, 4)
        if not (0 < width <= self.width - left and 0 < height <= self.height - top):
            raise damaged("PNG")
        paper = np.full((self.height, self.width, 3), 255, dtype=np.uint8)
        header = struct.pack(">II", width, height) + self.found.chunks[b"IHDR"].content[8:]
        paper[top : top + height, left : left + width] = self._decode(header)
        return paper

    def _decode(self, header: bytes) -> Pixels:
        """Pillow, except for the transparent colour, which Pillow compares after it has reduced the depth."""
        depth, colour = header[8], header[9]
        transparent = self._transparent(depth, colour)
        data = self._written(header)
        if transparent is None:
            with Image.open(BytesIO(data), formats=("PNG",)) as image:
                return pixels_of(image)
        samples = _samples(data, depth, colour)  # [height, width, 1 or 3]
        clear = np.ones(samples.shape[:2], dtype=np.bool_)
        for channel, value in enumerate(transparent):
            clear &= samples[:, :, channel] == value
        pixels = samples.astype(np.uint8) if depth < 16 else (samples >> 8).astype(np.uint8)
        pixels = np.repeat(pixels, 3 // pixels.shape[2], axis=2)
        pixels[clear] = 255
        return pixels

    def _written(self, header: bytes) -> bytes:
        """Return a PNG file of nothing but its pixels."""
        names = (b"PLTE", b"tRNS") if header[9] == _PALETTE else ()
        tables = {name: self.found.chunks[name] for name in names if name in self.found.chunks}
        sound = all(chunk.sound for chunk in (self.found.chunks[b"IHDR"], *tables.values(), *self.found.data))
        if not sound or (header[9] == _PALETTE and b"PLTE" not in tables):
            raise damaged("PNG")
        contents = {name: table.content for name, table in tables.items()}
        if len(contents.get(b"tRNS", b"")) > len(contents.get(b"PLTE", b"")) // 3:  # browsers do not believe it
            del contents[b"tRNS"]
        if b"PLTE" in contents:  # an index behind the palette means its last colour
            contents[b"PLTE"] += contents[b"PLTE"][-3:] * (2 ** header[8] - len(contents[b"PLTE"]) // 3)
        numbered = 4 if self.found.frame else 0  # fdAT begins with the number of the chunk
        data = b"".join(chunk.content[numbered:] for chunk in self.found.data)
        written = [(b"IHDR", header), *contents.items(), (b"IDAT", data), (b"IEND", b"")]
        return SIGNATURE + b"".join(
            struct.pack(">I", len(content)) + name + content + _checksum(name, content) for name, content in written
        )

    def _transparent(self, depth: int, colour: int) -> NDArray[np.uint16] | None:
        """Return the one transparent colour as a sample of `_samples`."""
        chunk, channels = self.found.chunks.get(b"tRNS"), _CHANNELS[colour]
        if chunk is None or colour not in (_GREY, _RGB) or len(chunk.content) < 2 * channels:
            return None
        scale = 255 // (2**depth - 1) if depth < 8 else 1
        stored = np.frombuffer(chunk.content, ">u2", channels).astype(np.uint16) & (2**depth - 1)
        return np.asarray(stored * scale, dtype=np.uint16)


def png_structure(data: bytes) -> Png:
    """Read the chunks.

    Raises:
        UndecodableImage: truncated or too_complex.
    """
    found = _read_chunks(data)
    header = found.chunks.get(b"IHDR")
    if header is None or len(header.content) != 13 or not found.data:
        raise damaged("PNG")
    width, height, depth, colour, *_ = struct.unpack(">IIBBBBB", header.content)
    if not (width and height and colour in _CHANNELS and depth in (1, 2, 4, 8, 16)):
        raise damaged("PNG")
    raw_bytes = width * height * _CHANNELS[colour] * depth / 8
    seconds = SECONDS_PER_BYTE * len(data) + SECONDS_PER_PIXEL * width * height + SECONDS_PER_RAW_BYTE * raw_bytes
    if b"tRNS" in found.chunks:
        seconds += SECONDS_PER_COMPARED_PIXEL * width * height
    exif = found.chunks.get(b"eXIf")
    return Png("PNG", width, height, orientation_of(exif.content) if exif else 1, seconds, found)


def _read_chunks(data: bytes) -> _Found:
    """Sort the chunks. Of metadata only eXIf before the pixels counts, as in browsers; the rest is passed over, sound
    or not."""
    found, animated, last = _Found(), False, b""
    for chunk in _chunks(data):
        if chunk.name == b"IDAT" and found.frame is None:
            if found.data and last != b"IDAT":
                break  # browsers read no further; the pixels are incomplete
            found.data.append(chunk)
        elif found.data and not animated:
            break  # nothing behind the pixels counts
        elif chunk.name == b"acTL":
            animated = not found.data
        elif chunk.name == b"fcTL":
            if found.frame is not None:
                break
            if not found.data:
                animated = False  # the first frame is the picture itself
            elif animated and len(chunk.content) >= 20:
                found.frame, found.data = chunk.content, []
        elif chunk.name == b"fdAT" and found.frame is not None:
            found.data.append(chunk)
        elif not found.data:
            _read_table(chunk, found)
        last = chunk.name
    return found


def _read_table(chunk: Chunk, found: _Found) -> None:
    """Take a chunk before the pixels: the first of its kind, and if it is ancillary, only if its checksum is right."""
    if (chunk.name == b"IHDR") == bool(found.chunks):
        raise damaged("PNG")  # IHDR is the first chunk, and only the first
    if chunk.name in (b"IHDR", b"PLTE") or (chunk.name in (b"tRNS", b"eXIf") and chunk.sound):
        if chunk.name == b"PLTE":
            found.chunks.pop(b"tRNS", None)  # tRNS counts behind the palette only
        found.chunks.setdefault(chunk.name, chunk)
    elif not chunk.name[0] & 0x20:
        raise unsupported("a PNG picture of an unusual kind")


def _chunks(data: bytes) -> Iterator[Chunk]:
    """The chunks up to IEND or to the end of the file; the last one may be cut off."""
    at = len(SIGNATURE)
    for _ in range(MAXIMUM_BLOCKS):
        if at + 8 > len(data):
            return
        length, name = struct.unpack_from(">I4s", data, at)
        if name == b"IEND":
            return
        end = at + 8 + length
        yield Chunk(name, data[at + 8 : end], data[end : end + 4])
        at = end + 4
    raise too_complex("PNG", f"more than {MAXIMUM_BLOCKS:,} chunks", f"{MAXIMUM_BLOCKS:,}")


def _samples(data: bytes, depth: int, colour: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Return [height, width, 1 or 3] of a grey or RGB picture: uint16 as stored for a depth of 16, else uint8."""
    if (depth, colour) == (16, _RGB):  # Pillow reduces it to 8 bits
        high, low = (_eight_bits(data, order) for order in ("RGB;16B", "RGB;16L"))
        return np.asarray(high.astype(np.uint16) << 8 | low, dtype=np.uint16)
    with Image.open(BytesIO(data), formats=("PNG",)) as image:
        image.load()
        samples = np.asarray(image if depth in (8, 16) else image.convert("L"))
    return samples if samples.ndim == 3 else samples[:, :, None]


def _eight_bits(data: bytes, order: str) -> Pixels:
    """Return the first byte of each sample of 16 bits in this byte order: the high or the low one."""
    with Image.open(BytesIO(data), formats=("PNG",)) as image:
        image.tile = [tile._replace(args=order) for tile in image.tile]
        image.load()
        return np.asarray(image)


def _checksum(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(content, zlib.crc32(name)))

"""Pictures of up to 20 MB that cost as much to decode as their format allows."""

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO

import cv2
import numpy as np
from PIL import Image

WIDTH, HEIGHT = 8160, 6120
"""50 million pixels."""

_EMPTY_SCAN = b"\xff\xda\0\x08\1\1\0\x3f\x3f\0"
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def costly_files() -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each file."""
    yield from _pngs()
    yield from _jpegs()
    yield from _others()


def photo(width: int, height: int) -> Image.Image:
    """Return a picture with some detail everywhere."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (height // 10, width // 10, 3), dtype=np.uint8)
    return Image.fromarray(np.asarray(cv2.resize(coarse, (width, height)), np.uint8))


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    """Return the file that Pillow writes."""
    buffer = BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def _noise(width: int, height: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _flat_png(
    colour: int, bits: int, depth: int, width: int, height: int, key: bytes = b"", *, passes: bool = False
) -> bytes:
    """Return a PNG of zeros, `bits` a pixel."""
    areas = [(width, height)]
    if passes:
        areas = [((width - x + dx - 1) // dx, (height - y + dy - 1) // dy) for x, y, dx, dy in _ADAM7]
    lines = zlib.compress(bytes(sum(h * (1 + (w * bits + 7) // 8) for w, h in areas)), 1)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, passes)
    transparent = _chunk(b"tRNS", key) if key else b""
    parts = _chunk(b"IHDR", header) + transparent + _chunk(b"IDAT", lines) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def _pngs() -> Iterator[tuple[str, bytes]]:
    yield "PNG, one bit", _flat_png(0, 1, 1, WIDTH, HEIGHT)
    yield "PNG, one bit, one colour transparent", _flat_png(0, 1, 1, WIDTH, HEIGHT, b"\0\1")
    yield "PNG, 4 x 16 bits", _flat_png(6, 64, 16, WIDTH, HEIGHT)
    yield "PNG, 4 x 16 bits, interlaced", _flat_png(6, 64, 16, WIDTH, HEIGHT, passes=True)
    yield "PNG, 3 x 16 bits, one colour transparent", _flat_png(2, 48, 16, WIDTH, HEIGHT, b"\0\1" * 3)
    yield "PNG, longest side up", _flat_png(2, 24, 8, 762, 65535)
    yield "PNG, longest side across", _flat_png(2, 24, 8, 65535, 762)
    yield "PNG, noise", encoded(Image.fromarray(_noise(2560, 2560)), "PNG", compress_level=1)
    metadata = b"".join(_chunk(b"tEXt", b"a\0b") for _ in range(19_000))
    flat = _flat_png(2, 24, 8, WIDTH, HEIGHT)
    yield "PNG, 19,000 chunks", flat[:33] + metadata + flat[33:]
    yield "PNG, 49 million lines", _flat_png(0, 1, 1, 1, 49_000_000)


def _jpegs() -> Iterator[tuple[str, bytes]]:
    large = photo(WIDTH, HEIGHT)
    yield "JPEG", encoded(large, "JPEG", quality=85)
    progressive = encoded(large, "JPEG", quality=60, subsampling=0, progressive=True)
    yield "JPEG, progressive", progressive
    yield "JPEG, 40 scans", progressive[:-2] + _EMPTY_SCAN * 29 + progressive[-2:]
    yield "JPEG, 300 scans", progressive[:-2] + _EMPTY_SCAN * 289 + progressive[-2:]
    yield "JPEG, 100,000 scans", progressive[:-2] + _EMPTY_SCAN * 100_000 + progressive[-2:]
    yield "JPEG, stray bytes at the end", progressive[:-2] + b"\0\0\0\0" + progressive[-2:]
    yield "JPEG, CMYK, progressive", encoded(large.convert("CMYK"), "JPEG", quality=60, progressive=True)
    options = [cv2.IMWRITE_JPEG_QUALITY, 92, cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    noise = cv2.imencode(".jpg", _noise(4000, 3000), options)[1].tobytes()
    yield "JPEG, noise, progressive", noise
    yield "JPEG, noise, 150 scans", noise[:-2] + _EMPTY_SCAN * 140 + noise[-2:]
    segments = b"\xff\xfe\0\2" * 19_000
    yield "JPEG, 19,000 segments", noise[:2] + segments + noise[2:]


def _bmp(bits: int, compression: int, width: int, height: int, body: bytes, masks: bytes = b"") -> bytes:
    table = bytes(1024) if bits == 8 else b""
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(body), 0, 0, 0, 0)
    start = 54 + len(masks) + len(table)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + info + masks + table + body


def _others() -> Iterator[tuple[str, bytes]]:
    yield "GIF, one colour", encoded(Image.new("P", (WIDTH, HEIGHT)), "GIF")
    yield "GIF, transparent", encoded(Image.new("P", (WIDTH, HEIGHT)), "GIF", transparency=0)
    yield "GIF, noise", encoded(Image.fromarray(_noise(3600, 3600, 1)[:, :, 0]), "GIF")
    yield (
        "WebP, one colour",
        encoded(Image.new("RGB", (WIDTH, HEIGHT), "red"), "WEBP", lossless=True, quality=0, method=0),
    )
    yield "WebP, lossy", encoded(photo(WIDTH, HEIGHT), "WEBP", quality=60, method=0)
    noise = Image.fromarray(_noise(2200, 2200, 4))
    yield "WebP, noise", encoded(noise, "WEBP", lossless=True, quality=0, method=0)
    yield "BMP, long runs", _bmp(8, 1, WIDTH, HEIGHT, b"\xff\5" * (WIDTH * HEIGHT // 255) + b"\0\1")
    yield "BMP, short runs", _bmp(8, 1, 4000, 490, (b"\1\5" * 4000 + b"\0\0") * 490 + b"\0\1")
    yield "BMP, masks", _bmp(16, 3, 4000, 2400, bytes(2 * 4000 * 2400), struct.pack("<III", 0xF00, 0xF0, 0xF))
    yield "BMP, one bit", encoded(Image.new("1", (WIDTH, HEIGHT)), "BMP")

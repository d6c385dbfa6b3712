"""JPEG, GIF, WebP and BMP files of every kind that Pillow writes, and odd ones put together by hand."""

import struct
from collections.abc import Iterator
from io import BytesIO
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.integration.imaging.png_files import exif

WIDTH, HEIGHT = 37, 22


def picture() -> Image.Image:
    """Smooth, each corner of its own colour, so that orientation shows."""
    corners = np.array([[[250, 20, 20], [20, 230, 20]], [[20, 20, 240], [240, 240, 30]]], dtype=np.uint8)
    return Image.fromarray(np.asarray(cv2.resize(corners, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR), np.uint8))


def clear_picture() -> Image.Image:
    """`picture` with every transparency from left to right."""
    image = picture()
    image.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))))
    return image


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    """The file that Pillow writes."""
    buffer = BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def jpeg(mode: str = "RGB", **options: object) -> bytes:
    return encoded(picture().convert(mode), "JPEG", **{"quality": 90, **options})


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def jpeg_files() -> Iterator[tuple[str, bytes]]:
    for mode, subsampling, progressive in product(("RGB", "L"), (0, 1, 2), (False, True)):
        name = f"jpeg-{mode}-{subsampling}{'-progressive' if progressive else ''}"
        yield name, jpeg(mode, subsampling=subsampling, progressive=progressive)
    plain = jpeg()
    after_start, before_frame = plain[:2], plain[2:]
    for orientation, order in product(range(1, 9), "<>"):
        block = segment(0xE1, b"Exif\0\0" + exif(orientation, order))
        yield f"jpeg-exif-{orientation}{order}", after_start + block + before_frame
    turned = segment(0xE1, b"Exif\0\0" + exif(6))
    at = plain.index(b"\xff\xda")
    odd: dict[str, bytes] = {
        "exif-behind-frame": plain[:at] + turned + plain[at:],
        "exif-twice": after_start + turned + segment(0xE1, b"Exif\0\0" + exif(3)) + before_frame,
        "exif-9": after_start + segment(0xE1, b"Exif\0\0" + exif(9)) + before_frame,
        "exif-long": after_start + segment(0xE1, b"Exif\0\0" + exif(6, kind=4)) + before_frame,
        "exif-byte": after_start + segment(0xE1, b"Exif\0\0" + exif(6, kind=1)) + before_frame,
        "exif-without-entries": after_start + segment(0xE1, b"Exif\0\0II*\0" + bytes(8)) + before_frame,
        "exif-cut-off": after_start + segment(0xE1, b"Exif\0\0" + exif(6)[:14]) + before_frame,
        "exif-in-app2": after_start + segment(0xE2, b"Exif\0\0" + exif(6)) + before_frame,
        "xmp-orientation": after_start
        + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b'<x tiff:Orientation="6"/>')
        + before_frame,
        "comment": after_start + segment(0xFE, b"hello") + before_frame,
        "comment-behind-frame": plain[:at] + segment(0xFE, b"hello") + plain[at:],
        "stray-bytes": plain[:at] + b"abc" + plain[at:],
        "fill-bytes": plain[:at] + b"\xff" * 9 + plain[at:],
        "behind-end": plain + b"\0" * 500,
        "second-behind-end": plain + jpeg("L"),
        "restarts": jpeg(restart_marker_blocks=1),
        "optimised": jpeg(optimize=True),
        "quality-1": jpeg(quality=1),
        "16-bit-tables": jpeg(qtables=[[300] * 64, [700] * 64]),
        "cmyk": jpeg("CMYK"),
        "rgb-adobe": jpeg(keep_rgb=True),
        "1x1": encoded(picture().resize((1, 1)), "JPEG"),
        "9x1": encoded(picture().resize((9, 1)), "JPEG"),
        "without-jfif": plain[:2] + plain[20:],
        "adobe-ycc": after_start + segment(0xEE, b"Adobe\0\x64\0\0\0\0\x01") + plain[20:],
        "many-comments": after_start + segment(0xFE, b"") * 5000 + before_frame,
    }
    for name, data in odd.items():
        yield f"jpeg-{name}", data


def gif_files() -> Iterator[tuple[str, bytes]]:
    for colours in (2, 3, 16, 256):
        yield f"gif-{colours}", encoded(picture().quantize(colours), "GIF")
        yield f"gif-{colours}-plain-order", encoded(picture().quantize(colours), "GIF", interlace=0)
    yield "gif-grey", encoded(picture().convert("L"), "GIF")
    yield "gif-bilevel", encoded(picture().convert("1"), "GIF")
    indexed = picture().quantize(16)
    corner = indexed.getpixel((0, 0))
    clear = encoded(indexed, "GIF", transparency=corner)
    yield "gif-transparent", clear
    yield "gif-transparent-background", encoded(indexed, "GIF", transparency=corner, background=corner)
    yield "gif-comment", encoded(indexed, "GIF", comment=b"hello" * 200)
    yield "gif-1x1", encoded(indexed.resize((1, 1)), "GIF")
    frames = [picture().quantize(16), picture().rotate(180).quantize(16)]
    for disposal in range(4):
        moving = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], disposal=disposal, loop=0)
        yield f"gif-animation-{disposal}", moving
    plain = encoded(indexed, "GIF", interlace=0)
    at = plain.index(b",", 13 + 3 * 16)
    control, comment = b"\x21\xf9\4\1\0\0" + bytes([int(str(corner))]) + b"\0", b"\x21\xfe\3abc\0"
    for name, (left, top, width, height) in {
        "offset": (5, 3, 0, 0),
        "larger-screen": (0, 0, 20, 9),
        "offset-in-larger-screen": (11, 4, 30, 20),
    }.items():
        screen = struct.pack("<HH", WIDTH + width, HEIGHT + height)
        place = struct.pack("<HH", left, top)
        for kind, block in (("", b""), ("-transparent", control)):
            data = plain[:6] + screen + plain[10:at] + block + b"," + place + plain[at + 5 :]
            yield f"gif-{name}{kind}", data
    yield "gif-smaller-screen", plain[:6] + struct.pack("<HH", 9, 9) + plain[10:]
    yield "gif-two-controls", plain[:at] + control + control[:3] + bytes(5) + plain[at:]
    yield "gif-comment-behind-control", plain[:at] + control + comment + plain[at:]
    yield "gif-without-end", plain[:-1]
    yield "gif-behind-end", plain + b"more bytes"
    yield "gif-87a", b"GIF87a" + plain[6:]
    flags = plain[at + 9] | 0x83
    table = bytes(range(0, 240, 5))
    yield "gif-local-table", plain[: at + 9] + bytes([flags]) + table + plain[at + 10 :]
    yield (
        "gif-only-local-table",
        (plain[:10] + bytes([plain[10] & 0x7F]) + plain[11:13] + plain[at : at + 9] + bytes([flags]) + table)
        + plain[at + 10 :],
    )


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP" + b"".join(
        name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2) for name, content in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_files() -> Iterator[tuple[str, bytes]]:
    for lossless, image in product((False, True), (picture(), clear_picture())):
        name = f"webp-{'lossless' if lossless else 'lossy'}-{image.mode}"
        yield name, encoded(image, "WEBP", lossless=lossless, quality=90)
    for orientation in range(1, 9):
        block = b"Exif\0\0" + exif(orientation)
        yield f"webp-exif-{orientation}", encoded(picture(), "WEBP", quality=90, exif=block)
    yield "webp-xmp", encoded(picture(), "WEBP", quality=90, xmp=b"<x/>" * 100)
    yield "webp-1x1", encoded(picture().resize((1, 1)), "WEBP", lossless=True)
    yield "webp-odd-size", encoded(picture().resize((19, 7)), "WEBP", quality=90)
    yield "webp-grey", encoded(picture().convert("L"), "WEBP", quality=90)
    frames = [picture(), picture().rotate(180)]
    for image, other in (frames, [clear_picture(), clear_picture().rotate(180)]):
        moving = encoded(
            image, "WEBP", save_all=True, append_images=[other], lossless=True, background=(9, 200, 9, 255)
        )
        yield f"webp-animation-{image.mode}", moving
    lossy, exact = encoded(picture(), "WEBP", quality=90), encoded(clear_picture(), "WEBP", lossless=True)
    yield "webp-behind-end", lossy + b"more bytes"
    size = struct.pack("<I", WIDTH - 1)[:3] + struct.pack("<I", HEIGHT - 1)[:3]
    frame, bits = lossy[20:], exact[exact.index(b"VP8L") + 8 :]
    yield "webp-unknown-chunk", riff((b"VP8X", bytes(4) + size), (b"ABCD", b"abc"), (b"VP8 ", frame), (b"WXYZ", b""))
    yield "webp-wrong-flags", riff((b"VP8X", b"\x2c\0\0\0" + size), (b"VP8 ", frame))
    yield "webp-extended-lossless", riff((b"VP8X", b"\x10\0\0\0" + size), (b"VP8L", bits))
    larger = struct.pack("<I", WIDTH + 9)[:3] + struct.pack("<I", HEIGHT + 7)[:3]
    place = struct.pack("<I", 2)[:3] + struct.pack("<I", 1)[:3] + size + b"\x64\0\0\0"
    chunk = b"VP8 " + struct.pack("<I", len(frame)) + frame
    moving = riff((b"VP8X", b"\2\0\0\0" + larger), (b"ANIM", b"\x10\x20\x30\xff\0\0"), (b"ANMF", place + chunk))
    yield "webp-animation-small-frame", moving


def bmp(
    bits: int, pixels: bytes, *, compression: int = 0, extra: bytes = b"", table: bytes = b"", size: int = 40
) -> bytes:
    """A file of WIDTH x HEIGHT pixels; `extra` are the fields of the header behind the first 40 bytes."""
    info = struct.pack("<IiiHHIIiiII", size, WIDTH, HEIGHT, 1, bits, compression, len(pixels), 0, 0, len(table) // 4, 0)
    offset = 14 + len(info) + len(extra) + len(table)
    return b"BM" + struct.pack("<IHHI", offset + len(pixels), 0, 0, offset) + info + extra + table + pixels


def padded(rows: NDArray[np.integer]) -> bytes:
    """Lines from the bottom, each padded to four bytes."""
    lines = [row.tobytes() for row in rows[::-1]]
    return b"".join(line + bytes(-len(line) % 4) for line in lines)


def bmp_files() -> Iterator[tuple[str, bytes]]:
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        yield f"bmp-{mode}", encoded((clear_picture() if mode == "RGBA" else picture()).convert(mode), "BMP")
    rgb = np.asarray(picture(), dtype=np.uint16)
    rgba = np.asarray(clear_picture())
    bgra = np.ascontiguousarray(rgba[:, :, [2, 1, 0, 3]])
    high = (rgb[:, :, 0] >> 3) << 10 | (rgb[:, :, 1] >> 3) << 5 | rgb[:, :, 2] >> 3
    higher = (rgb[:, :, 0] >> 3) << 11 | (rgb[:, :, 1] >> 2) << 5 | rgb[:, :, 2] >> 3
    yield "bmp-16-555", bmp(16, padded(high))
    masks = struct.pack("<III", 0xF800, 0x7E0, 0x1F)
    yield "bmp-16-565", bmp(16, padded(higher), compression=3, extra=masks)
    yield "bmp-32", bmp(32, padded(bgra))
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    yield "bmp-32-fields", bmp(32, padded(bgra), compression=3, extra=masks[:12])
    yield "bmp-32-v3-alpha", bmp(32, padded(bgra), compression=3, extra=masks, size=56)
    yield "bmp-32-v4-alpha", bmp(32, padded(bgra), compression=3, extra=masks + bytes(52), size=108)
    yield "bmp-32-v5-alpha", bmp(32, padded(bgra), compression=3, extra=masks + bytes(68), size=124)
    masks = struct.pack("<III", 0xFF, 0xFF00, 0xFF0000)
    yield "bmp-32-fields-rgb", bmp(32, padded(np.ascontiguousarray(rgba)), compression=3, extra=masks)
    whole = encoded(picture(), "BMP")
    top_down = np.ascontiguousarray(rgb[:, :, ::-1].astype(np.uint8))[::-1]
    yield "bmp-top-down", whole[:22] + struct.pack("<i", -HEIGHT) + whole[26:54] + padded(top_down)
    os2 = b"BM" + struct.pack("<IHHIIHHHH", 26 + len(whole) - 54, 0, 0, 26, 12, WIDTH, HEIGHT, 1, 24)
    yield "bmp-os2", os2 + whole[54:]
    yield "bmp-gap", whole[:10] + struct.pack("<I", 64) + whole[14:54] + bytes(10) + whole[54:]
    yield "bmp-behind-end", whole + b"more bytes"
    grey = np.asarray(picture().convert("L"))
    table = b"".join(bytes([i, 255 - i, i // 2, 0]) for i in range(256))
    four = np.ascontiguousarray(np.pad(grey >> 4, ((0, 0), (0, 1))).reshape(HEIGHT, -1, 2) @ np.array([16, 1])).astype(
        np.uint8
    )
    yield "bmp-4", bmp(4, padded(four), table=table[: 4 * 16])
    yield "bmp-8-short-table", bmp(8, padded(grey // 2), table=table[: 4 * 128])
    runs = b"".join(b"".join(bytes([1, value]) for value in row) + b"\0\0" for row in grey[::-1]) + b"\0\1"
    yield "bmp-rle8-runs", bmp(8, runs, compression=1, table=table)
    absolute = b"".join(b"\0" + bytes([WIDTH]) + row.tobytes() + b"\0\0\0" for row in grey[::-1]) + b"\0\1"
    yield "bmp-rle8-absolute", bmp(8, absolute, compression=1, table=table)
    skips = b"\0\2\5\3\x0a\x80\0\0\x14\x50\0\2\2\2\5\x30\0\1"
    yield "bmp-rle8-skips", bmp(8, skips, compression=1, table=table)
    yield (
        "bmp-rle8-short-lines",
        bmp(8, b"".join(b"\x0a\x80\0\0" for _ in range(HEIGHT)) + b"\0\1", compression=1, table=table),
    )
    runs = b"".join(b"\x14\x12\x11\x34\0\0" for _ in range(HEIGHT)) + b"\0\1"
    yield "bmp-rle4-runs", bmp(4, runs, compression=2, table=table[: 4 * 16])

"""PNG files written chunk by chunk, of every colour type and depth, and odd ones that keep the rules."""

import struct
import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
DEPTHS = {GREY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GREY_ALPHA: (8, 16), RGB_ALPHA: (8, 16)}
WIDTH, HEIGHT = 21, 13
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))

Chunk = tuple[bytes, bytes]
Samples = NDArray[np.uint16]
"""uint16 [height, width, channels]."""


def written(name: bytes, content: bytes, checksum_error: int = 0) -> bytes:
    """One chunk."""
    checksum = zlib.crc32(name + content) ^ checksum_error
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def samples_of(colour: int, depth: int, width: int = WIDTH, height: int = HEIGHT) -> Samples:
    """All values of the depth; the left column holds the least, the right one the most."""
    rows, columns, channels = np.meshgrid(
        np.arange(height), np.arange(width), np.arange(CHANNELS[colour]), indexing="ij"
    )
    most = 2**depth - 1
    values = (columns * most // max(width - 1, 1) + rows * 7 * (channels + 1)) % (most + 1)
    values[:, 0], values[:, -1] = 0, most
    return np.asarray(values, dtype=np.uint16)


def lines(samples: Samples, depth: int, filters: Sequence[int] = (0,)) -> bytes:
    """The lines of a picture, each filtered by the next of `filters`."""
    out, above = [], b""
    for number, row in enumerate(samples):
        flat = row.reshape(-1)
        if depth == 16:
            line = flat.astype(">u2").tobytes()
        else:
            bits = np.unpackbits(flat.astype(np.uint8)[:, None], axis=1)[:, 8 - depth :]
            line = np.packbits(bits.reshape(-1)).tobytes()
        step = max(1, depth * samples.shape[2] // 8)
        kind = filters[number % len(filters)]
        out.append(bytes([kind]) + _filtered(kind, line, above or bytes(len(line)), step))
        above = line
    return b"".join(out)


def _filtered(kind: int, line: bytes, above: bytes, step: int) -> bytes:
    left = bytes(step) + line[: len(line) - step] if len(line) > step else bytes(len(line))
    corner = bytes(step) + above[: len(above) - step] if len(above) > step else bytes(len(above))

    def paeth(a: int, b: int, c: int) -> int:
        distances = abs(b - c), abs(a - c), abs(a + b - 2 * c)
        return (a, b, c)[distances.index(min(distances))]

    guesses = {
        0: lambda a, b, c: 0,
        1: lambda a, b, c: a,
        2: lambda a, b, c: b,
        3: lambda a, b, c: (a + b) // 2,
        4: paeth,
    }
    return bytes((x - guesses[kind](a, b, c)) % 256 for x, a, b, c in zip(line, left, above, corner, strict=True))


def interlaced(samples: Samples, depth: int) -> bytes:
    """The seven passes."""
    passes = (samples[top::down, left::right] for left, top, right, down in ADAM7)
    return b"".join(lines(each, depth) for each in passes if each.size)


def header(colour: int, depth: int, interlace: int = 0, width: int = WIDTH, height: int = HEIGHT) -> Chunk:
    return b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)


def palette(depth: int) -> Chunk:
    last = 2**depth - 1
    colours = ((i * 255 // last, i * 91 % 256, (255 - i * 37) % 256) for i in range(last + 1))
    return b"PLTE", b"".join(map(bytes, colours))


def png(
    colour: int = RGB,
    depth: int = 8,
    *,
    interlace: bool = False,
    before: Sequence[Chunk] = (),
    after: Sequence[Chunk] = (),
    filters: Sequence[int] = (0,),
    pieces: int = 1,
    width: int = WIDTH,
    height: int = HEIGHT,
    end: bytes = b"",
) -> bytes:
    """A whole file. `before` and `after` stand around the pixels, which lie in so many `pieces`."""
    samples = samples_of(colour, depth, width, height)
    packed = zlib.compress(interlaced(samples, depth) if interlace else lines(samples, depth, filters))
    bounds = [len(packed) * piece // pieces for piece in range(pieces + 1)]
    data = [(b"IDAT", packed[start:stop]) for start, stop in pairwise(bounds)]
    table = [palette(depth)] if colour == PALETTE else []
    chunks = [header(colour, depth, int(interlace), width, height), *table, *before, *data, *after, (b"IEND", b"")]
    return SIGNATURE + b"".join(written(*chunk) for chunk in chunks) + end


def transparencies(colour: int, depth: int) -> Iterator[tuple[str, bytes]]:
    """What tRNS may hold for this colour type: the least and the greatest value, and one with bits above the depth."""
    if colour == PALETTE:
        yield "first", b"\0"
        yield "some", bytes([255, 128, 0])[: 2**depth]
        yield "too-long", bytes(range(0, 256, 2)) + bytes(130)
    if colour in (GREY, RGB):
        most = 2**depth - 1
        for name, value in (("least", 0), ("most", most), ("unused-bits", most | 1 << 14), ("other", most // 2)):
            yield name, struct.pack(">H", value) * CHANNELS[colour]


def png_files() -> Iterator[tuple[str, bytes]]:
    """Every colour type, depth, interlace and transparency."""
    for colour, depths in DEPTHS.items():
        for depth in depths:
            name = f"png-{colour}-{depth}"
            yield name, png(colour, depth)
            yield f"{name}-interlaced", png(colour, depth, interlace=True)
            for kind, content in transparencies(colour, depth):
                yield f"{name}-trns-{kind}", png(colour, depth, before=[(b"tRNS", content)])
    yield "png-16-trns-interlaced", png(RGB, 16, interlace=True, before=[(b"tRNS", bytes(6))])
    yield "png-4-trns-interlaced", png(GREY, 4, interlace=True, before=[(b"tRNS", b"\0\x0f")])
    yield from _odd_structure()
    yield from _metadata()
    yield from _animations()


def _odd_structure() -> Iterator[tuple[str, bytes]]:
    for width, height in ((1, 1), (1, 9), (9, 1), (3, 5)):
        yield f"png-{width}x{height}-interlaced", png(width=width, height=height, interlace=True)
    for kind in range(5):
        yield f"png-filter-{kind}", png(filters=[kind])
    yield "png-filters-mixed", png(GREY, 16, filters=[4, 3, 2, 1, 0])
    yield "png-idat-of-single-bytes", png(pieces=60)
    yield "png-idat-empty", png(pieces=2, before=[(b"IDAT", b"")])
    yield "png-palette-in-rgb", png(before=[palette(4)])
    yield (
        "png-palette-short",
        SIGNATURE
        + b"".join(
            written(*chunk)
            for chunk in (
                header(PALETTE, 8),
                (b"PLTE", palette(8)[1][: 3 * 200]),
                (b"IDAT", zlib.compress(lines(samples_of(PALETTE, 8) % 200, 8))),
                (b"IEND", b""),
            )
        ),
    )
    yield "png-behind-end", png(end=b"more bytes" * 30)
    yield "png-second-behind-end", png() + png(GREY, 8)
    yield "png-without-end", png()[:-12]
    yield "png-trns-in-rgba", png(RGB_ALPHA, before=[(b"tRNS", bytes(6))])
    yield "png-trns-behind-pixels", png(after=[(b"tRNS", bytes(6))])
    yield "png-trns-short", png(before=[(b"tRNS", bytes(2))])
    yield "png-trns-twice", png(before=[(b"tRNS", bytes(6)), (b"tRNS", b"\0\xff" * 3)])
    yield "png-idat-in-two-places", png(pieces=2, after=[(b"tEXt", b"a\0b"), (b"IDAT", b"")])
    yield (
        "png-zlib-trailing",
        SIGNATURE
        + b"".join(
            written(*chunk)
            for chunk in (
                header(GREY, 8),
                (b"IDAT", zlib.compress(lines(samples_of(GREY, 8), 8)) + b"abc"),
                (b"IEND", b""),
            )
        ),
    )
    yield (
        "png-zlib-stored",
        SIGNATURE
        + b"".join(
            written(*chunk)
            for chunk in (header(GREY, 8), (b"IDAT", zlib.compress(lines(samples_of(GREY, 8), 8), 0)), (b"IEND", b""))
        ),
    )


def exif(orientation: int, order: str = "<", kind: int = 3) -> bytes:
    """An EXIF block of one entry."""
    entry = struct.pack(f"{order}HHIHH", 0x0112, kind, 1, orientation, 0)
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, 1) + entry + bytes(4)


def _metadata() -> Iterator[tuple[str, bytes]]:
    large = zlib.compress(bytes(2_500_000))
    texts: dict[str, Chunk] = {
        "text": (b"tEXt", b"Comment\0hello"),
        "text-3mb": (b"tEXt", b"Comment\0" + b"a" * 3_000_000),
        "ztxt-bomb": (b"zTXt", b"Comment\0\0" + large),
        "itxt-bomb": (b"iTXt", b"Comment\0\1\0\0\0" + large),
        "ztxt-broken": (b"zTXt", b"Comment\0\0broken"),
        "iccp-bomb": (b"iCCP", b"profile\0\0" + large),
        "iccp-broken": (b"iCCP", b"profile\0\0broken"),
        "phys": (b"pHYs", struct.pack(">IIB", 2835, 1000, 1)),
        "time": (b"tIME", struct.pack(">H5B", 2024, 2, 30, 25, 61, 61)),
        "srgb": (b"sRGB", b"\0"),
        "bkgd": (b"bKGD", b"\0\xff\0\0\0\0"),
        "sbit": (b"sBIT", b"\5\6\5"),
        "unknown": (b"prVt", b"something"),
    }
    for name, chunk in texts.items():
        yield f"png-{name}-before", png(before=[chunk])
        yield f"png-{name}-after", png(after=[chunk])
    wrong = written(b"tEXt", b"Comment\0hello", checksum_error=1)
    whole = png()
    yield "png-wrong-checksum-before", whole[:33] + wrong + whole[33:]
    yield "png-wrong-checksum-after", whole[:-12] + wrong + whole[-12:]
    for orientation in range(1, 9):
        yield f"png-exif-{orientation}", png(before=[(b"eXIf", exif(orientation, ">" if orientation % 2 else "<"))])
    yield "png-exif-behind-pixels", png(after=[(b"eXIf", exif(6))])
    yield "png-exif-twice", png(before=[(b"eXIf", exif(3)), (b"eXIf", exif(6))])
    yield "png-exif-9", png(before=[(b"eXIf", exif(9))])
    yield "png-exif-long", png(before=[(b"eXIf", exif(6, kind=4))])
    yield "png-exif-with-jpeg-prefix", png(before=[(b"eXIf", b"Exif\0\0" + exif(6))])


def _animations() -> Iterator[tuple[str, bytes]]:
    def control(number: int, width: int = WIDTH, height: int = HEIGHT, left: int = 0, top: int = 0) -> Chunk:
        return b"fcTL", struct.pack(">IIIIIHHBB", number, width, height, left, top, 1, 10, 0, 0)

    start = (b"acTL", struct.pack(">II", 2, 0))
    other = zlib.compress(lines(255 - samples_of(RGB, 8), 8))
    small = zlib.compress(lines(255 - samples_of(RGB, 8, 7, 5), 8))
    yield "apng", png(before=[start, control(0)], after=[control(1), (b"fdAT", struct.pack(">I", 2) + other)])
    second = [control(2), (b"fdAT", struct.pack(">I", 3) + small)]
    frames = [control(0), (b"fdAT", struct.pack(">I", 1) + other), *second]
    yield "apng-picture-left-out", png(before=[start], after=frames)
    frames = [control(0, 7, 5, 6, 4), (b"fdAT", struct.pack(">I", 1) + small), *second]
    yield "apng-picture-left-out-small-frame", png(before=[start], after=frames)
    pieces = [(b"fdAT", struct.pack(">I", 1 + i) + other[i * 40 : i * 40 + 40]) for i in range(len(other) // 40 + 1)]
    yield "apng-picture-left-out-in-pieces", png(before=[start], after=[control(0), *pieces])
    yield "apng-without-frames", png(before=[start])
    yield "apng-start-behind-pixels", png(after=[start, control(0), (b"fdAT", struct.pack(">I", 1) + other)])

"""Files at the edge of the rules and beyond: damaged ones, and those that browsers understand in their own way."""

import struct
import zlib
from collections.abc import Iterator

from tests.integration.imaging import other_files as other
from tests.integration.imaging.png_files import (
    PALETTE,
    RGB,
    SIGNATURE,
    Chunk,
    exif,
    header,
    lines,
    palette,
    png,
    samples_of,
    written,
)

END: Chunk = (b"IEND", b"")


def odd_files() -> Iterator[tuple[str, bytes]]:
    """`damaged-`: refused here, shown in part by a browser. `gamma-`: colours that are not corrected here."""
    yield from _pngs()
    yield from _jpegs()
    yield from _others()


def _file(*chunks: Chunk) -> bytes:
    return SIGNATURE + b"".join(written(*chunk) for chunk in chunks)


def _pngs() -> Iterator[tuple[str, bytes]]:
    whole = zlib.compress(lines(samples_of(RGB, 8), 8))
    indices = zlib.compress(lines(samples_of(PALETTE, 8), 8))
    rgb, indexed = header(RGB, 8), header(PALETTE, 8)
    pixels: Chunk = (b"IDAT", whole)
    yield "png-checksum-of-end", _file(rgb, pixels) + written(*END, 1)
    yield "png-checksum-of-header", SIGNATURE + written(*rgb, 1) + _file(pixels, END)[8:]
    yield "png-checksum-of-palette", _file(indexed) + written(*palette(8), 1) + _file((b"IDAT", indices), END)[8:]
    yield "png-checksum-of-trns", _file(rgb) + written(b"tRNS", bytes(6), 1) + _file(pixels, END)[8:]
    yield "png-checksum-of-exif", _file(rgb) + written(b"eXIf", exif(6), 1) + _file(pixels, END)[8:]
    yield "png-unknown-critical-chunk", _file(rgb, (b"CRIT", b"a"), pixels, END)
    yield "png-unknown-critical-chunk-behind", _file(rgb, pixels, (b"CRIT", b"a"), END)
    yield "png-two-headers", _file(rgb, rgb, pixels, END)
    yield "png-late-header", _file((b"tEXt", b"a\0b"), rgb, pixels, END)
    yield "png-trns-before-palette", _file(indexed, (b"tRNS", b"\0\x40"), palette(8), (b"IDAT", indices), END)
    yield "png-index-behind-palette", _file(indexed, (b"PLTE", palette(8)[1][:30]), (b"IDAT", indices), END)
    yield "png-without-zlib-checksum", _file(rgb, (b"IDAT", whole[:-4]), END)
    yield "png-text-longer-than-file", png()[:33] + struct.pack(">I", 0x7FFFFFFF) + b"tEXt" + png()[33:]
    yield "png-text-cut-off-behind", png()[:-12] + struct.pack(">I", 5000) + b"tEXtab"
    yield "damaged-png-checksum-of-pixels", _file(rgb) + written(*pixels, 1) + written(*END)
    yield "damaged-png-zlib-checksum", _file(rgb, (b"IDAT", whole[:-1] + bytes([whole[-1] ^ 1])), END)
    yield (
        "damaged-png-pixels-in-two-places",
        _file(rgb, (b"IDAT", whole[:60]), (b"tEXt", b"a\0b"), (b"IDAT", whole[60:]), END),
    )
    yield "damaged-png-without-palette", _file(indexed, (b"IDAT", indices), END)
    yield "damaged-png-palette-behind-pixels", _file(indexed, (b"IDAT", indices), palette(8), END)
    yield (
        "damaged-png-unknown-filter",
        _file(rgb, (b"IDAT", zlib.compress(lines(samples_of(RGB, 8), 8)[:64] + b"\5" + bytes(10_000))), END),
    )
    primaries = struct.pack(">8I", 31270, 32900, 70800, 29200, 17000, 79700, 13100, 4600)
    yield "gamma-png-1", png(before=[(b"gAMA", struct.pack(">I", 100_000))])
    yield "gamma-png-with-primaries", png(before=[(b"gAMA", struct.pack(">I", 45_455)), (b"cHRM", primaries)])
    yield "gamma-png-cicp", png(before=[(b"cICP", bytes([12, 13, 0, 1]))])
    yield "png-gamma-of-srgb", png(before=[(b"gAMA", struct.pack(">I", 45_455))])
    yield "png-primaries-without-gamma", png(before=[(b"cHRM", primaries)])


def _jpegs() -> Iterator[tuple[str, bytes]]:
    plain = other.jpeg()
    at = plain.index(b"\xff\xda")

    def with_exif(*blocks: bytes) -> bytes:
        return plain[:2] + b"".join(other.segment(0xE1, b"Exif\0\0" + block) for block in blocks) + plain[2:]

    yield "jpeg-exif-empty-then-6", with_exif(b"", exif(6))
    yield "jpeg-exif-in-two-parts", with_exif(exif(6)[:20], exif(6)[20:])
    yield "jpeg-exif-1-then-6", with_exif(exif(1), exif(6))
    yield "jpeg-exif-0-then-6", with_exif(exif(0), exif(6))
    yield "jpeg-exif-cut-off-then-6", with_exif(exif(3)[:14], exif(6))
    yield "jpeg-exif-of-nothing-then-6", with_exif(b"II*\0\x08\0\0\0\0\0\0\0\0\0", exif(6))
    yield "jpeg-stray-bytes-before-end", plain[:-2] + b"\0\0\0" + plain[-2:]
    yield "jpeg-restart-before-scan", plain[:at] + b"\xff\xd0" + plain[at:]
    yield "jpeg-segment-of-length-0", plain[:at] + b"\xff\xfe\0\0" + plain[at:]
    yield "jpeg-unknown-segment", plain[:at] + other.segment(0xF3, b"abc") + plain[at:]
    yield "jpeg-start-twice", plain[:2] + plain
    yield "damaged-jpeg-without-end", plain[:-2]
    yield "damaged-jpeg-no-pixels", plain[: at + 14]
    cmyk = other.jpeg("CMYK")
    adobe = cmyk.index(b"\xff\xee")
    behind = adobe + 2 + int.from_bytes(cmyk[adobe + 2 : adobe + 4], "big")
    yield "jpeg-cmyk-without-adobe", cmyk[:adobe] + cmyk[behind:]
    yield "jpeg-ycck", cmyk[:adobe] + other.segment(0xEE, b"Adobe\0\x64\0\0\0\0\x02") + cmyk[behind:]


def _others() -> Iterator[tuple[str, bytes]]:
    gif = other.encoded(other.picture().quantize(16), "GIF")
    at = gif.index(b",", 13 + 3 * 16)
    yield "gif-pixel-aspect", gif[:12] + b"\x80" + gif[13:]
    yield "gif-without-terminator", gif[:-2]
    yield "damaged-gif-cut-off", gif[: len(gif) * 2 // 3]
    yield "damaged-gif-stray-byte", gif[:at] + b"\0" + gif[at:]
    yield "damaged-gif-empty-frame", gif[: at + 5] + bytes(4) + gif[at + 9 :]
    yield "unlike-gif-without-any-table", gif[:10] + bytes([gif[10] & 0x7F]) + gif[11:13] + gif[at:]
    webp = other.encoded(other.picture(), "WEBP", quality=90)
    yield "damaged-webp-cut-off", webp[: len(webp) * 2 // 3]
    yield "damaged-webp-shorter-than-it-says", webp[:4] + struct.pack("<I", len(webp) + 40) + webp[8:]
    bmp = other.encoded(other.picture(), "BMP")
    yield "bmp-planes-0", bmp[:26] + b"\0\0" + bmp[28:]
    yield "bmp-negative-width", bmp[:18] + struct.pack("<i", -other.WIDTH) + bmp[22:]
    yield "damaged-bmp-cut-off", bmp[: len(bmp) * 2 // 3]
    table = b"".join(bytes([i, 255 - i, i // 2, 0]) for i in range(256))

    def runs(*codes: bytes) -> bytes:
        return other.bmp(8, b"".join(codes), compression=1, table=table)

    line = b"\x25\x80\0\0"
    yield "bmp-rle8-without-end", runs(line * other.HEIGHT)
    yield "bmp-rle8-end-early", runs(line * 4, b"\0\1")
    yield "bmp-rle8-over-the-line", runs(b"\x40\x80\0\0" * other.HEIGHT, b"\0\1")
    yield "bmp-rle8-without-line-ends", runs(b"\x25\x80" * other.HEIGHT, b"\0\1")
    yield "damaged-bmp-rle8-half", runs(line * (other.HEIGHT // 2))
    words = bytes(range(76)) * other.HEIGHT
    yield "bmp-16-444", other.bmp(16, words, compression=3, extra=struct.pack("<III", 0xF00, 0xF0, 0xF))
    words = bytes(range(148)) * other.HEIGHT
    yield "bmp-32-10-bits", other.bmp(32, words, compression=3, extra=struct.pack("<III", 0x3FF00000, 0xFFC00, 0x3FF))
    yield "bmp-32-no-red", other.bmp(32, words, compression=3, extra=struct.pack("<III", 0, 0xFF00, 0xFF))
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    yield "bmp-32-alpha-fields", other.bmp(32, words, compression=6, extra=masks)
    yield "bmp-around-jpeg", other.bmp(0, other.jpeg(), compression=4)

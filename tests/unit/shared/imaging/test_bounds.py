"""Work is bounded by what it costs: scans, sides, chunks, tables. All of these files are small."""

import pickle
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest

from shared.imaging.decoding import MAXIMUM_SIDE, UndecodableImage, decode, image_facts
from shared.imaging.jpeg import MAXIMUM_SCANNED_PIXELS, MAXIMUM_SCANS
from shared.imaging.structure import MAXIMUM_BLOCKS
from tests.integration.imaging.other_files import HEIGHT, WIDTH, bmp, encoded, jpeg, picture, riff, segment
from tests.integration.imaging.png_files import GREY, RGB, SIGNATURE, header, png, written

EMPTY_SCAN = segment(0xDA, b"\1\1\0\x3f\x3f\0")
"""A progressive scan of one coefficient of one component, without a bit in it."""


def with_scans(scans: int, data: bytes | None = None) -> bytes:
    """A progressive JPEG with so many scans more than Pillow writes."""
    whole = data or jpeg(progressive=True)
    return whole[:-2] + EMPTY_SCAN * scans + whole[-2:]


def refusal_of(read: Callable[[bytes], object], data: bytes) -> UndecodableImage:
    with pytest.raises(UndecodableImage) as refusal:
        read(data)
    return refusal.value


@pytest.mark.parametrize("read", [decode, image_facts])
def test_a_jpeg_of_too_many_scans_is_refused_unread(read: Callable[[bytes], object]) -> None:
    refusal = refusal_of(read, with_scans(MAXIMUM_SCANS))
    assert refusal.reason == "too_complex"
    assert "more than 500 scans; 500 at most" in str(refusal)


def test_pixels_times_scans_are_bounded() -> None:
    whole = with_scans(300)
    at = whole.index(b"\xff\xc2") + 5
    assert MAXIMUM_SCANNED_PIXELS < 300 * 6000 * 8000
    large = whole[:at] + struct.pack(">HH", 6000, 8000) + whole[at + 4 :]
    assert refusal_of(image_facts, large).reason == "too_complex"


def test_a_scan_marker_in_metadata_or_behind_the_end_is_no_scan() -> None:
    whole = jpeg(progressive=True)
    inside = whole[:2] + segment(0xE5, EMPTY_SCAN * 600) + whole[2:] + EMPTY_SCAN * 600
    assert np.array_equal(decode(inside), decode(whole))


def test_more_scans_are_estimated_to_cost_more() -> None:
    assert image_facts(with_scans(300)).seconds > image_facts(with_scans(0)).seconds


def grey_png(width: int, height: int) -> bytes:
    pixels = zlib.compress(bytes((1 + width) * height))
    chunks = (header(GREY, 8, width=width, height=height), (b"IDAT", pixels), (b"IEND", b""))
    return SIGNATURE + b"".join(written(*chunk) for chunk in chunks)


@pytest.mark.parametrize("sides", [(1, MAXIMUM_SIDE + 1), (MAXIMUM_SIDE + 1, 1)])
def test_a_longer_side_than_the_limit_is_refused(sides: tuple[int, int]) -> None:
    refusal = refusal_of(image_facts, grey_png(*sides))
    assert refusal.reason == "too_many_pixels"
    assert "a side has 65535 at most" in str(refusal)


@pytest.mark.parametrize("sides", [(1, MAXIMUM_SIDE), (MAXIMUM_SIDE, 1)])
def test_the_longest_side_is_taken(sides: tuple[int, int]) -> None:
    assert decode(grey_png(*sides)).shape == (sides[1], sides[0], 3)


def many_blocks() -> dict[str, bytes]:
    plain_jpeg, plain_png = jpeg(), png()
    gif = encoded(picture().quantize(16), "GIF")
    at = gif.index(b",", 13 + 3 * 16)
    webp = encoded(picture(), "WEBP")
    return {
        "JPEG": plain_jpeg[:2] + segment(0xFE, b"") * MAXIMUM_BLOCKS + plain_jpeg[2:],
        "PNG": plain_png[:33] + written(b"tEXt", b"a\0") * MAXIMUM_BLOCKS + plain_png[33:],
        "PNG in pieces": plain_png[:33] + written(b"IDAT", b"") * MAXIMUM_BLOCKS + plain_png[33:],
        "GIF": gif[:at] + b"\x21\xfe\0" * (MAXIMUM_BLOCKS + 1) + gif[at:],
        "GIF in pieces": gif[:at] + b"\x21\xfe" + b"\1a" * (MAXIMUM_BLOCKS + 1) + b"\0" + gif[at:],
        "WEBP": riff(*[(b"ABCD", b"")] * MAXIMUM_BLOCKS, (b"VP8 ", webp[20:])),
    }


@pytest.mark.parametrize("name", many_blocks())
def test_a_file_of_too_many_blocks_is_refused(name: str) -> None:
    refusal = refusal_of(image_facts, many_blocks()[name])
    assert refusal.reason == "too_complex"
    assert str(refusal).startswith(f"The {name.split()[0]} picture has more than 20,000 ")


def test_a_bmp_of_too_many_runs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.imaging.bmp_runs.MAXIMUM_CODES", WIDTH * HEIGHT)
    runs = b"\1\5" * (WIDTH * HEIGHT + 1)
    refusal = refusal_of(decode, bmp(8, runs, compression=1, table=bytes(1024)))
    assert refusal.reason == "too_complex"


@pytest.mark.parametrize("name", ["plain", "one colour transparent"])
def test_pixels_behind_the_last_line_are_not_unpacked(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    packer = zlib.compressobj(1)
    lines = b"".join(packer.compress(bytes(50_000_000)) for _ in range(4)) + packer.flush()
    key = [(b"tRNS", bytes(6))] if name != "plain" else []
    chunks = (header(RGB, 16, width=9, height=9), *key, (b"IDAT", lines), (b"IEND", b""))
    assert decode(SIGNATURE + b"".join(written(*chunk) for chunk in chunks)).shape == (9, 9, 3)
    assert capfd.readouterr().err == ""


def exif_bomb(entries: int, size_bytes: int) -> bytes:
    """An EXIF block whose entries all name the same large piece of it."""
    table = b"".join(struct.pack("<HHII", 0x9000 + i, 7, size_bytes, 8) for i in range(entries))
    return b"II*\0" + struct.pack("<IH", 8, entries) + table + bytes(size_bytes)


def test_entries_of_exif_that_repeat_the_file_are_not_read() -> None:
    bomb = png(before=[(b"eXIf", exif_bomb(20_000, 5_000_000))])  # 100 GB, if the entries are taken
    assert np.array_equal(decode(bomb), decode(png()))


def test_a_refusal_survives_pickling() -> None:
    refusal = refusal_of(decode, b"")
    copy = pickle.loads(pickle.dumps(refusal))
    assert (copy.reason, str(copy)) == (refusal.reason, str(refusal))

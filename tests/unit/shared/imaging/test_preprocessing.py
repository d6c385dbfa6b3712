import struct
import zlib
from contextlib import suppress
from io import BytesIO

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from shared.imaging.decoding import UndecodableImage, decode, image_facts
from shared.imaging.preprocessing import prepare
from shared.imaging.structure import Pixels
from tests.integration.imaging.png_files import GREY, RGB, png, samples_of, written
from tests.profiles import examples

WIDTH, HEIGHT = 48, 32


def picture() -> Pixels:
    """Return a smooth picture, so that lossy formats keep it; each corner has its own colour, so that orientation
    shows."""
    corners = np.array([[[250, 20, 20], [20, 230, 20]], [[20, 20, 240], [240, 240, 30]]], dtype=np.uint8)
    return np.asarray(cv2.resize(corners, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def as_jpeg(**options: object) -> bytes:
    return encoded(Image.fromarray(picture()), "JPEG", quality=95, **options)


ENCODINGS = {
    "JPEG": as_jpeg(),
    "JPEG progressive": as_jpeg(progressive=True),
    "JPEG with EXIF": as_jpeg(exif=Image.Exif()),
    "JPEG CMYK": encoded(Image.fromarray(picture()).convert("CMYK"), "JPEG", quality=95),
    "PNG": encoded(Image.fromarray(picture()), "PNG"),
    "PNG palette": encoded(Image.fromarray(picture()).quantize(256), "PNG"),
    "PNG 16 bit": cv2.imencode(".png", picture()[:, :, ::-1].astype(np.uint16) * 257)[1].tobytes(),
    "PNG opaque alpha": encoded(Image.fromarray(picture()).convert("RGBA"), "PNG"),
    "WEBP": encoded(Image.fromarray(picture()), "WEBP", quality=95),
    "GIF": encoded(Image.fromarray(picture()).quantize(256), "GIF"),
    "BMP": encoded(Image.fromarray(picture()), "BMP"),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_format_and_mode_becomes_the_same_rgb_picture(name: str) -> None:
    pixels = decode(ENCODINGS[name])
    assert pixels.dtype == np.uint8
    assert pixels.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(pixels.astype(int) - picture()).mean() < 12


@pytest.mark.parametrize("name", ENCODINGS)
def test_the_facts_are_known_from_the_header(name: str) -> None:
    facts = image_facts(ENCODINGS[name])
    assert (facts.format, facts.width, facts.height) == (name.split()[0], WIDTH, HEIGHT)


def refusal_of(data: bytes) -> str | None:
    """Return the reason why the bytes are refused; None if they are taken."""
    try:
        decode(data)
    except UndecodableImage as refusal:
        return refusal.reason
    return None


def test_a_file_that_ends_early_is_refused() -> None:
    reasons = {
        (name, kept): refusal_of(data[: int(len(data) * kept)])
        for name, data in ENCODINGS.items()
        for kept in (0.3, 0.6, 0.9)
    }
    assert reasons == dict.fromkeys(reasons, "truncated")


@pytest.mark.parametrize("name", ["JPEG", "JPEG progressive", "JPEG with EXIF"])
def test_a_jpeg_without_its_last_byte_is_refused(name: str) -> None:
    with pytest.raises(UndecodableImage, match="complete file"):
        decode(ENCODINGS[name][:-1])


def test_a_jpeg_with_stray_bytes_behind_its_end_is_taken() -> None:
    assert np.array_equal(decode(as_jpeg() + b"\0" * 100), decode(as_jpeg()))


@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_exif_orientation_is_applied_as_pillow_would(file_format: str) -> None:
    transposed = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    upright = Image.fromarray(picture())
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = encoded(upright, file_format, exif=exif)
        expected = np.asarray(upright.transpose(transposed[orientation]) if orientation in transposed else upright)
        pixels = decode(data)
        assert pixels.shape == expected.shape, orientation
        assert np.abs(pixels.astype(int) - expected).mean() < 12, orientation
        assert (image_facts(data).height, image_facts(data).width) == pixels.shape[:2], orientation


def test_transparency_becomes_white() -> None:
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    assert (decode(encoded(clear, "PNG")) == 255).all()


@pytest.mark.parametrize(
    ("colour", "depth"), [(GREY, 1), (GREY, 2), (GREY, 4), (GREY, 8), (GREY, 16), (RGB, 8), (RGB, 16)]
)
def test_the_one_transparent_colour_is_compared_at_full_depth(colour: int, depth: int) -> None:
    samples = samples_of(colour, depth)
    for value in {0, 2 ** (depth - 1), 2**depth - 1}:
        key = struct.pack(">H", value) * samples.shape[2]
        clear = (samples == value).all(axis=2)
        pixels = decode(png(colour, depth, before=[(b"tRNS", key)]))
        assert (pixels[clear] == 255).all()
        assert np.array_equal(pixels[~clear], decode(png(colour, depth))[~clear])


@pytest.mark.parametrize("name", [b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"prVt"])
@pytest.mark.parametrize("checksum_error", [0, 1])
def test_metadata_decides_nothing_about_pixels(name: bytes, checksum_error: int) -> None:
    plain = png()
    large = written(name, b"profile\0\0" + zlib.compress(bytes(3_000_000)), checksum_error)
    for at in (33, len(plain) - 12):
        assert np.array_equal(decode(plain[:at] + large + plain[at:]), decode(plain))


def test_a_webp_is_not_turned_as_in_browsers() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(picture()), "WEBP", exif=exif)
    assert decode(data).shape == (HEIGHT, WIDTH, 3)
    assert (image_facts(data).height, image_facts(data).width) == (HEIGHT, WIDTH)


def test_what_the_first_picture_of_a_gif_leaves_out_is_white() -> None:
    data = encoded(Image.fromarray(picture()).quantize(16), "GIF")
    larger = data[:6] + struct.pack("<HH", WIDTH + 9, HEIGHT + 5) + data[10:]
    pixels = decode(larger)
    assert np.array_equal(pixels[:HEIGHT, :WIDTH], decode(data))
    assert (pixels[HEIGHT:] == 255).all()
    assert (pixels[:, WIDTH:] == 255).all()


def test_sixteen_bit_grey_keeps_its_range() -> None:
    grey = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    pixels = decode(cv2.imencode(".png", grey)[1].tobytes())
    assert np.array_equal(pixels[:, :, 0], grey >> 8)


def test_the_first_frame_of_an_animation_counts() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert tuple(decode(data)[0, 0]) == (255, 0, 0)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"<html>404</html>", "not_an_image"),
        (b"\xff\xd8\xff", "truncated"),
        (b"II*\0" + b"\0" * 64, "unsupported_format"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 64, "unsupported_format"),
    ],
)
def test_what_is_no_image_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    assert refusal_of(data) == reason


@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_size_is_checked_before_pixels_are_decoded(file_format: str) -> None:
    data = encoded(Image.fromarray(picture()), file_format)
    without_its_end = data[:-20]
    with pytest.raises(UndecodableImage) as refusal:
        decode(without_its_end, maximum_pixels=WIDTH * HEIGHT - 1)
    assert refusal.value.reason == "too_many_pixels"


def black_png(side: int) -> bytes:
    """Return a complete PNG of one bit per pixel; packed at zlib's quickest level, which Pillow does not offer for
    writing."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    lines = zlib.compress(bytes(side * (1 + side // 8)), level=1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


def test_the_bomb_is_a_picture_if_it_is_small() -> None:
    assert not decode(black_png(64)).any()


@pytest.mark.parametrize("side", [10_000, 20_000])
def test_a_decompression_bomb_is_refused(side: int) -> None:
    assert refusal_of(black_png(side)) == "too_many_pixels"


@given(st.sampled_from(sorted(ENCODINGS)), st.lists(st.tuples(st.integers(0, 2000), st.binary(min_size=1, max_size=8))))
@examples(3)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # Pillow remarks on the damage it met
def test_damage_gives_a_picture_or_a_refusal_and_nothing_else(name: str, damage: list[tuple[int, bytes]]) -> None:
    data = bytearray(ENCODINGS[name])
    for place, junk in damage:
        at = place % len(data)
        data[at : at + len(junk)] = junk
    with suppress(UndecodableImage):
        assert decode(bytes(data)).ndim == 3


@pytest.mark.parametrize("shape", [(300, 200, 3), (50, 400, 3), (96, 96, 3), (1, 1, 3)])
def test_a_prepared_picture_is_the_whole_of_it_in_a_square(shape: tuple[int, int, int]) -> None:
    prepared = prepare(np.full(shape, 77, dtype=np.uint8))
    assert prepared.shape == (96, 96, 3)
    assert (prepared == 77).all()


def test_preparing_averages_instead_of_picking_pixels() -> None:
    stripes = np.zeros((960, 960, 3), dtype=np.uint8)
    stripes[:, ::2] = 200
    assert np.abs(prepare(stripes).astype(int) - 100).max() <= 1

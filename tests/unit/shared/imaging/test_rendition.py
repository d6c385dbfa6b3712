"""The picture that people see is the one that the model sees."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from shared.imaging.decoding import UndecodableImage, decode
from shared.imaging.rendition import render


def photo(orientation: int = 1, size: tuple[int, int] = (400, 300), form: str = "JPEG") -> bytes:
    """A picture whose left upper quarter is red, with an EXIF orientation."""
    pixels = np.full((size[1], size[0], 3), 200, np.uint8)
    pixels[: size[1] // 2, : size[0] // 2] = (250, 10, 10)
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, form, exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_phone_photo_is_as_upright_as_the_model_sees_it(orientation: int) -> None:
    data = photo(orientation)

    shown = Image.open(BytesIO(render(data, 1600)))

    assert shown.getexif().get(0x0112, 1) == 1
    assert shown.size == ((300, 400) if orientation > 4 else (400, 300))
    difference = np.asarray(shown, dtype=int) - decode(data)
    assert np.abs(difference).mean() < 2


@pytest.mark.parametrize(("longest_side", "size"), [(100, (100, 75)), (400, (400, 300)), (9000, (400, 300))])
def test_a_rendition_is_made_smaller_and_never_larger(longest_side: int, size: tuple[int, int]) -> None:
    assert Image.open(BytesIO(render(photo(), longest_side))).size == size


def test_a_rendition_is_at_most_1600_pixels_long() -> None:
    assert Image.open(BytesIO(render(photo(size=(4000, 1000)), 4000))).size == (1600, 400)


def test_a_line_of_pixels_keeps_one_pixel() -> None:
    assert Image.open(BytesIO(render(photo(size=(2000, 1), form="PNG"), 100))).size == (100, 1)


def test_bytes_that_are_no_image_have_no_rendition() -> None:
    with pytest.raises(UndecodableImage):
        render(b"no image", 100)

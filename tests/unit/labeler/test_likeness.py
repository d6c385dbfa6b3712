"""What a picture looks like, as the labeler and the ingestor say it."""

from io import BytesIO
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from services.ingestor.decisions.perceptual_hash import perceptual_hash
from services.labeler.decisions.likeness import FARTHEST_BITS, likeness_of, read_hash, shows_the_same


def photograph(seed: int) -> NDArray[np.uint8]:
    """Return uint8 [240, 320, 3] with spots of colour."""
    spots = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(spots, (320, 240), interpolation=cv2.INTER_CUBIC), np.uint8)


def encoded(pixels: NDArray[np.uint8], kind: str = "PNG", **options: Any) -> bytes:
    """Return the bytes of a file."""
    file = BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, kind, **options)
    return file.getvalue()


def bits(one: int, other: int) -> int:
    """Return in how many bits two hashes differ."""
    return ((one ^ other) & (2**64 - 1)).bit_count()


@pytest.mark.parametrize("seed", range(20))
def test_the_hash_is_that_of_the_ingestor_to_a_few_bits(seed: int) -> None:
    pixels = photograph(seed)
    theirs = [read_hash(perceptual_hash(np.ascontiguousarray(each))) for each in (pixels, pixels[:, ::-1])]
    for mine, other in zip(likeness_of(encoded(pixels)).hashes, theirs, strict=True):
        assert other is not None
        assert bits(mine, other) <= 4


def test_other_pictures_are_far_and_copies_near() -> None:
    looks = [likeness_of(encoded(photograph(seed))) for seed in range(20)]
    for place, look in enumerate(looks):
        copy = likeness_of(encoded(photograph(place), "JPEG"))
        assert shows_the_same(look, copy)
        assert bits(look.hashes[0], copy.hashes[0]) <= FARTHEST_BITS
        assert [other for other in looks if shows_the_same(copy, other)] == [look]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0000000000000001", 1),
        ("7fffffffffffffff", 2**63 - 1),
        ("8000000000000000", -(2**63)),
        ("ffffffffffffffff", -1),
        ("", None),
        ("0", None),
        ("no hexadecimals!", None),
        ("-000000000000001", None),
    ],
)
def test_a_hash_is_read_as_postgresql_keeps_it(text: str, value: int | None) -> None:
    assert read_hash(text) == value

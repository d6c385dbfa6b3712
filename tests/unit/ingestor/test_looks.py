"""Copies of a picture are found by their looks, and other pictures are none."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.ingestor.decisions.looks import WINDOWS, find_candidates, is_copy, look_of, read_hashes

Pixels = NDArray[np.uint8]


def picture(seed: int) -> Pixels:
    """Return uint8 [240, 320, 3]: spots of colour, large and small, as in a photograph."""
    random = np.random.default_rng(seed)
    layers = [
        cv2.resize(random.normal(0, weight, (side, side, 3)), (320, 240), interpolation=cv2.INTER_CUBIC)
        for side, weight in ((3, 45), (6, 35), (14, 25), (40, 12))
    ]
    return np.asarray(np.clip(128 + np.sum(layers, axis=0), 0, 255), np.uint8)


def encoded(pixels: Pixels) -> Pixels:
    """Return what is left after a JPEG of low quality."""
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 40])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def resembles(one: Pixels, other: Pixels) -> bool:
    """Return whether one picture is found among stored ones as a copy of the other."""
    stored, look = look_of(other), look_of(one)
    return any(is_copy(look, found, stored.thumbnail) for found in find_candidates(look, read_hashes(stored.hashes)))


COPIES: dict[str, Callable[[Pixels], Pixels]] = {
    "the same": lambda pixels: pixels,
    "smaller": lambda pixels: cv2.resize(pixels, (96, 72), interpolation=cv2.INTER_AREA).astype(np.uint8),
    "larger": lambda pixels: cv2.resize(pixels, (500, 375), interpolation=cv2.INTER_CUBIC).astype(np.uint8),
    "encoded again": encoded,
    "mirrored": lambda pixels: np.ascontiguousarray(pixels[:, ::-1]),
    "cropped on all sides": lambda pixels: pixels[18:222, 22:298],
    "cropped at a corner": lambda pixels: pixels[:208, :278],
    "cropped at one side": lambda pixels: pixels[:, 40:],
    "mirrored, cropped, smaller": lambda pixels: encoded(
        cv2.resize(pixels[12:, 300:10:-1], (160, 120)).astype(np.uint8)
    ),
}


@pytest.mark.parametrize("change", COPIES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_copy_is_found(change: str, seed: int) -> None:
    original = picture(seed)

    copy = COPIES[change](original)

    assert resembles(copy, original)
    assert resembles(original, copy)


def test_other_pictures_are_no_copies() -> None:
    pictures = [picture(seed) for seed in range(12)]

    found = [(i, j) for i, one in enumerate(pictures) for j, other in enumerate(pictures) if resembles(one, other)]

    assert found == [(i, i) for i in range(12)]


def test_the_same_shapes_in_other_colours_are_no_copy() -> None:
    original = picture(5)

    assert not resembles(np.ascontiguousarray(original[..., ::-1] // 2), original)


def test_the_looks_of_a_picture_and_its_mirror_image_are_exchanged() -> None:
    original = picture(7)
    look, mirrored = look_of(original), look_of(np.ascontiguousarray(original[:, ::-1]))

    differ = np.bitwise_count(read_hashes(look.hashes) ^ read_hashes(mirrored.mirrored))

    assert differ.shape == (1, WINDOWS)
    assert differ.max() <= 4  # by rounding

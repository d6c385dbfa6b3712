import cv2
import numpy as np
from numpy.typing import NDArray

from services.ingestor.decisions.perceptual_hash import perceptual_hash


def photograph(seed: int) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(seed).integers(0, 255, (9, 9, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (200, 150), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def hamming_distance(left: str, right: str) -> int:
    """Return in how many of the 64 bits two hashes differ, 0..64."""
    return (int(left, 16) ^ int(right, 16)).bit_count()


def test_a_hash_is_sixteen_hex_digits() -> None:
    assert len(perceptual_hash(photograph(0))) == 16
    int(perceptual_hash(photograph(0)), 16)


def test_a_resized_and_re_encoded_copy_is_near() -> None:
    for seed in range(20):
        original = photograph(seed)
        smaller = cv2.resize(original, (120, 90), interpolation=cv2.INTER_AREA)
        copy = cv2.imdecode(cv2.imencode(".jpg", smaller, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR)
        assert copy is not None
        assert hamming_distance(perceptual_hash(original), perceptual_hash(np.asarray(copy, dtype=np.uint8))) <= 4


def test_other_pictures_differ_in_about_half_of_the_bits() -> None:
    hashes = [perceptual_hash(photograph(seed)) for seed in range(30)]
    distances = [hamming_distance(left, right) for at, left in enumerate(hashes) for right in hashes[:at]]
    assert min(distances) > 10
    assert 26 < np.mean(distances) < 38

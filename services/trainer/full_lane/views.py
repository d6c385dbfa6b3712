"""Mild views of prepared images, as people send the same picture again: how near they stay to it decides how far a
correction reaches. Pure."""

import cv2
import numpy as np

from services.trainer.model.arrays import Floats, Images
from shared.imaging.structure import Pixels

VIEWED = 100
"""So many images are looked at in views: a third of a second of inference."""
FEWEST_UNSEEN = 20
"""With so many images on the test side these are looked at, else those that were learned. Their labels do not count."""
CUT = 0.03
SMALLER = 0.9
QUALITY = 85
SAME = 1e-3
"""Features of an image and of its mirror image that differ by no more are the same."""


def make_views(images: Images) -> Images:
    """Return three views of each image uint8 [n, size, size, 3], one kind after the other: uint8 [3 * n, size, size,
    3] with two edges cut off, made smaller and larger again, encoded again."""
    kinds = (_cut, _resize, _encode)
    return np.stack([view(image) for view in kinds for image in images]) if len(images) else images


def are_mirror_proof(features: Floats, mirrored: Floats) -> bool:
    """Return whether the features float32 [n, d] of images are those of their mirror images."""
    return bool(np.abs(features - mirrored).max(initial=0.0) <= SAME)


def _cut(image: Pixels) -> Pixels:
    size = len(image)
    cut = max(round(size * CUT), 1)
    return _scale(image[cut:, cut:], size, cv2.INTER_LINEAR)


def _resize(image: Pixels) -> Pixels:
    size = len(image)
    return _scale(_scale(image, round(size * SMALLER), cv2.INTER_AREA), size, cv2.INTER_LINEAR)


def _encode(image: Pixels) -> Pixels:
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])  # the order of the channels is kept
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)


def _scale(image: Pixels, size: int, interpolation: int) -> Pixels:
    return np.asarray(cv2.resize(image, (size, size), interpolation=interpolation), dtype=np.uint8)

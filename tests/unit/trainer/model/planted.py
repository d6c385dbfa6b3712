"""Features as photographs have them: most of the variance in a few directions, views of an image beside it."""

from uuid import UUID

import numpy as np

from services.trainer.model.arrays import Floats
from services.trainer.model.layer_space import LayerSpace, fit_space
from shared.contract.artefact import CorrectionEntry

WIDTH = 120


def planted_features(images: int, seed: int) -> Floats:
    """Return float32 [images, WIDTH], all of one sign on average, so that their own cosines are near 1."""
    generator = np.random.default_rng(seed)
    spread = np.exp(-np.arange(WIDTH) / 20)
    mixing = np.linalg.qr(np.random.default_rng(0).normal(size=(WIDTH, WIDTH)))[0]
    return np.asarray(2 + (generator.normal(size=(images, WIDTH)) * spread) @ mixing, dtype=np.float32)


def views_of(features: Floats, seed: int, by: float = 0.02) -> Floats:
    """Return a mild view of each image: float32 [n, WIDTH]."""
    return features + np.float32(by) * (planted_features(len(features), seed) - 2)


def planted_space() -> LayerSpace:
    """Return the space of 400 planted images."""
    space = fit_space(planted_features(400, 77))
    assert space is not None
    return space


def entries_for(count: int) -> list[CorrectionEntry]:
    return [(UUID(int=number), 1) for number in range(count)]

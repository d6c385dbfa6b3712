"""The full lane's arithmetic: from labelled images to backbone and head."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.trainer.model.arrays import Images
from services.trainer.model.sessions import FeatureExtractor, mirror
from services.trainer.training import Backbone, train_backbone
from services.trainer.training.logistic_regression import FittedHead, fit_head


@dataclass(frozen=True)
class Learned:
    """A backbone, the head on top of it, the features float32 [n, d] of the training images, and seconds per stage.

    `extractor` is the exported backbone, loaded: what training saw and serving will see.
    """

    backbone: Backbone
    extractor: FeatureExtractor
    fitted: FittedHead
    features: NDArray[np.float32]
    seconds: Mapping[str, float]


def learn(
    images: Images,
    targets: Sequence[str],
    labels: Sequence[str],
    seed: int,
    backbone: str = "patches",
    settings: Mapping[str, float] | None = None,
    probe: Images | None = None,
) -> Learned:
    """Learns from the training side alone: images uint8 [n, 96, 96, 3] and the label of each; deterministic.

    The head sees every image mirrored as well: worth about one point of accuracy, and serving pays nothing for it.
    `probe` as in `train_backbone`. Raises ValueError as `train_backbone` and `fit_head` do.
    """
    trained = train_backbone(backbone, images, seed, settings, probe)
    started = time.perf_counter()
    extractor = FeatureExtractor(trained.onnx)
    features = extractor.features(images)  # [n, d]
    both = np.concatenate((features, extractor.features(mirror(images))))  # [2n, d]
    extracted = time.perf_counter()
    fitted = fit_head(both, [*targets, *targets], labels)
    seconds = {"features": extracted - started, "head": time.perf_counter() - extracted}
    return Learned(trained, extractor, fitted, features, {**trained.seconds, **seconds})

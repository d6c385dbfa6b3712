"""The evaluation of a new model, from features and labels. Pure."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from services.trainer.dataset.manifest import Manifest, Sample
from services.trainer.model.arrays import Floats
from services.trainer.model.correction_layer import CorrectionLayer, own_rows
from services.trainer.model.head import Head
from services.trainer.model.metrics import evaluate, evaluate_slices
from services.trainer.model.reference_inference import A_BLOCK, predict_probabilities

Confusion = tuple[tuple[int, ...], ...]


def evaluate_model(
    head: Head, layer: CorrectionLayer, manifest: Manifest, features: Mapping[str, Floats]
) -> tuple[dict[str, float], Confusion]:
    """Return the metrics of a model, flat, and its confusion matrix [truth][answer] on the test side.

    Test images are answered without their own corrections; the reviewed ones are reported as a slice of their own,
    since review selects harder images. Corrected images are answered as in service.
    """
    tests = manifest.of_side("test")
    corrected = [sample for sample in manifest.samples if sample.revision]
    truths = truths_of(tests, head.labels)
    own = own_rows(layer, [sample.image_id for sample in tests])
    answers = predict_probabilities(head, layer, _features(features, tests, head), own)
    found = evaluate(answers, truths, head.labels)
    reviewed = np.array([sample.revision > 0 for sample in tests], dtype=bool)
    halves = {"reviewed": reviewed, "unreviewed": ~reviewed} if reviewed.any() else {}
    slices = evaluate_slices(answers, truths, head.labels, halves)
    metrics = found.metrics("test")
    for name, figures in slices.items():
        metrics |= figures.metrics(f"test_{name}")
    for name, samples in (("train", manifest.of_side("train")), ("corrected", corrected)):
        if samples:
            metrics[f"{name}_accuracy"] = _accuracy(head, layer, samples, features)
    return {
        **metrics,
        "corrected_images": float(len(corrected)),
        "layer_rows": float(len(layer.entries)),
    }, found.confusion


def truths_of(samples: Sequence[Sample], labels: Sequence[str]) -> NDArray[np.intp]:
    """Return the class of each sample as an index into `labels`, [n]."""
    return np.array([labels.index(sample.label) for sample in samples], dtype=np.intp)


def _accuracy(head: Head, layer: CorrectionLayer, samples: Sequence[Sample], features: Mapping[str, Floats]) -> float:
    """Return the share of the samples that is answered rightly, as in service."""
    right = 0
    for at in range(0, len(samples), A_BLOCK):
        block = samples[at : at + A_BLOCK]
        answers = predict_probabilities(head, layer, _features(features, block, head)).argmax(axis=1)
        right += int((answers == truths_of(block, head.labels)).sum())
    return right / len(samples)


def _features(features: Mapping[str, Floats], samples: Sequence[Sample], head: Head) -> Floats:
    """Return the features of the samples, float32 [n, d]; n may be 0."""
    rows = [features[sample.sha256] for sample in samples]
    return np.stack(rows) if rows else np.zeros((0, len(head.mean)), np.float32)

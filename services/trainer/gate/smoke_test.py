"""A handful of images through the whole graph, as a predictor would run it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from services.trainer.gate.model_loader import EvaluatedModel, ModelLoadError
from services.trainer.model.arrays import Floats, Images, Vectors, stack_features
from services.trainer.model.onnx_artefact import Artefact
from services.trainer.model.reference_inference import compare_runtimes, predict_probabilities
from shared.imaging.preprocessing import INPUT_SIZE
from shared.imaging.structure import Pixels

TIMING_BUDGET_SECONDS = 1.0
GREY: Pixels = np.full((INPUT_SIZE, INPUT_SIZE, 3), 128, dtype=np.uint8)
NO_AGREEMENT = 1.0
"""The largest difference two probabilities can have; stands for answers that are not numbers, too."""


@dataclass(frozen=True)
class SmokeTest:
    """How onnxruntime on pixels and numpy on features agree (largest difference of a probability, 0..1, and images with
    different labels), and how long one answer takes in milliseconds (the fastest of a few)."""

    difference: float
    disagreements: int
    milliseconds: float


def run_smoke_test(
    loaded: EvaluatedModel, prepared: Mapping[str, Pixels], vectors: Vectors, slowest_milliseconds: float
) -> SmokeTest:
    """Run the prepared images `prepared` (by sha256), whose features are in `vectors`; a grey one if there are none, so
    that a model is still known to answer. Takes milliseconds of computing: call it in a thread.

    Raises:
        ModelLoadError: the graph cannot be loaded or run.
    """
    model = loaded.compared
    pixels = np.stack(list(prepared.values()) or [GREY])  # uint8 [k, 96, 96, 3]
    try:
        served, milliseconds = _answer(loaded.artefact, pixels, slowest_milliseconds)
    except Exception as error:  # any exception of the runtime about a broken graph is a verdict on the graph
        raise ModelLoadError(f"{model.trained.version} cannot answer: {error}") from error
    if not prepared:
        return SmokeTest(0.0, 0, milliseconds)
    features = stack_features([vectors[digest] for digest in prepared], len(model.head.mean))
    computed = predict_probabilities(model.head, model.layer, features)
    if served.shape != computed.shape or not np.isfinite(served).all():
        return SmokeTest(NO_AGREEMENT, len(prepared), milliseconds)
    agreed = compare_runtimes(computed, served)
    difference = agreed.difference if np.isfinite(agreed.difference) else NO_AGREEMENT
    return SmokeTest(difference, agreed.disagreements, milliseconds)


def _answer(artefact: Artefact, pixels: Images, slowest: float) -> tuple[Floats, float]:
    """Return probabilities [k, c] of these images, and how long the fastest answer took. If all were slower than the
    gate allows, more are asked for: what else the machine does is not the model's doing, and a verdict stays."""
    deadline = time.perf_counter() + TIMING_BUDGET_SECONDS
    served, spent = zip(*(_timed(artefact, one[None]) for one in pixels), strict=True)
    fastest = min(spent)
    while fastest > slowest and time.perf_counter() < deadline:
        fastest = min(fastest, _timed(artefact, pixels[:1])[1])
    return np.concatenate(served), fastest


def _timed(artefact: Artefact, one: Images) -> tuple[Floats, float]:
    started = time.perf_counter()
    answered = artefact.predict(one).probabilities
    return answered, 1000 * (time.perf_counter() - started)

"""A handful of images through the whole graph, as a predictor would run it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from services.trainer.gate.model_loader import Loaded, Unloadable
from services.trainer.model.arrays import Vectors, stack_features
from services.trainer.model.reference_inference import agreement, answer
from services.trainer.model.sessions import ArtefactSession
from shared.imaging.preprocessing import INPUT_SIZE, Pixels

TIMED_RUNS = 3
PATIENCE_SECONDS = 1.0
GREY: Pixels = np.full((INPUT_SIZE, INPUT_SIZE, 3), 128, dtype=np.uint8)
NO_AGREEMENT = 1.0
"""The largest difference two probabilities can have; stands for answers that are not numbers, too."""


@dataclass(frozen=True)
class Probe:
    """How onnxruntime on pixels and numpy on features agree (largest difference of a probability, 0..1, and images with
    different labels), and how long one answer takes in milliseconds (the fastest of a few)."""

    difference: float
    disagreements: int
    milliseconds: float


def probe(loaded: Loaded, squares: Mapping[str, Pixels], vectors: Vectors, slowest_milliseconds: float) -> Probe:
    """Runs the prepared images `squares` (by sha256), whose features are in `vectors`; a grey one if there are none, so
    that a model is still known to answer. Takes milliseconds of computing: call it in a thread.

    Raises:
        Unloadable: the graph cannot be loaded or run.
    """
    contestant = loaded.contestant
    pixels = np.stack(list(squares.values()) or [GREY])  # uint8 [k, 96, 96, 3]
    try:
        session = ArtefactSession(loaded.artefact)
        served = session.answers(pixels).probabilities  # [k, c]
        milliseconds = _milliseconds(session, pixels[:1], slowest_milliseconds)
    except Exception as error:  # whatever a broken graph makes the runtime raise is a verdict on the graph
        raise Unloadable(f"{contestant.model.version} cannot answer: {error}") from error
    if not squares:
        return Probe(0.0, 0, milliseconds)
    features = stack_features([vectors[digest] for digest in squares], len(contestant.head.mean))
    computed = answer(contestant.head, contestant.layer, features)
    if served.shape != computed.shape or not np.isfinite(served).all():
        return Probe(NO_AGREEMENT, len(squares), milliseconds)
    agreed = agreement(computed, served)
    difference = agreed.difference if np.isfinite(agreed.difference) else NO_AGREEMENT
    return Probe(difference, agreed.disagreements, milliseconds)


def _milliseconds(session: ArtefactSession, one: Pixels, slowest: float) -> float:
    """The fastest of a few answers, and of more when all were slower than the gate allows: what else the machine does
    is not the model's doing, and a verdict stays."""
    fastest, patience = float("inf"), time.perf_counter() + PATIENCE_SECONDS
    runs = 0
    while runs < TIMED_RUNS or (fastest > slowest and time.perf_counter() < patience):
        started = time.perf_counter()
        session.answers(one)
        fastest = min(fastest, 1000 * (time.perf_counter() - started))
        runs += 1
    return fastest

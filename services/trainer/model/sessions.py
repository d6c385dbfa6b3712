"""Features and answers through onnxruntime: what training sees is what serving will see."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray

from services.trainer.model.arrays import Images
from shared.contract.artefact import CORRECTION_WEIGHTS, FEATURES, INPUT, PROBABILITIES
from shared.runtime.metrics import ARTEFACT_PARSES


@dataclass(frozen=True)
class ModelOutputs:
    """What an artefact answers: probabilities float32 [n, c], features float32 [n, d] and the kernel weight of each row
    of the correction layer float32 [n, m], 0..1."""

    probabilities: NDArray[np.float32]
    features: NDArray[np.float32]
    correction_weights: NDArray[np.float32]


class FeatureExtractor:
    """An exported backbone, loaded. One thread: more of them change the bits."""

    def __init__(self, backbone_onnx: bytes) -> None:
        self._session = _session(backbone_onnx)

    def features(self, images: Images) -> NDArray[np.float32]:
        """Return float32 [n, d] of uint8 [n, 96, 96, 3]; n may be 0."""
        return _run(self._session, images, [FEATURES])[0]

    def mirrored_features(self, images: Images) -> NDArray[np.float32]:
        """Return those of the mirror images."""
        return _run(self._session, images[:, :, ::-1], [FEATURES])[0]


class ArtefactSession:
    """A whole artefact, loaded as a predictor loads it."""

    def __init__(self, artefact: bytes) -> None:
        self._session = _session(artefact)

    def predict(self, images: Images, rows: Mapping[str, NDArray[np.float32]] = {}) -> ModelOutputs:
        """Return the answers for uint8 [n, 96, 96, 3]; n may be 0. `rows`: those of the layer, if it is open."""
        return ModelOutputs(*_run(self._session, images, [PROBABILITIES, FEATURES, CORRECTION_WEIGHTS], rows))


def run_graph(model: bytes, values: NDArray[np.float32], output: str) -> NDArray[np.float32]:
    """Return one output of any graph with a single input."""
    session = _session(model)
    found: NDArray[np.float32] = session.run([output], {session.get_inputs()[0].name: values})[0]
    return found


def mirror(images: Images) -> Images:
    """Return the images mirrored left to right: twice the training images for the head."""
    return np.ascontiguousarray(images[:, :, ::-1])


def _session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    ARTEFACT_PARSES.labels("onnxruntime").inc()
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _run(
    session: onnxruntime.InferenceSession,
    images: Images,
    outputs: list[str],
    rows: Mapping[str, NDArray[np.float32]] = {},
) -> list[NDArray[np.float32]]:
    if not len(images):
        widths = [next(output.shape[1] for output in session.get_outputs() if output.name == name) for name in outputs]
        return [np.zeros((0, width), dtype=np.float32) for width in widths]
    # One image a call, as the predictor does: others in the batch would change the last bits, and save no time.
    found: list[NDArray[np.float32]] = []
    for at in range(len(images)):
        answers = session.run(outputs, {INPUT: np.ascontiguousarray(images[at : at + 1]), **rows})
        found = found or [np.empty((len(images), *one.shape[1:]), one.dtype) for one in answers]
        for each, one in zip(found, answers, strict=True):
            each[at] = one[0]
    return found

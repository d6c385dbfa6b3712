"""A model in memory. The only importer of onnxruntime here; `shared.contract.artefact` describes artefacts."""

from collections.abc import Collection
from time import perf_counter

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray

from services.predictor.decisions.answers import Output
from shared.artefacts import parse_artefact
from shared.contract.artefact import CORRECTION_WEIGHTS, FEATURES, INPUT, METADATA_KEY, PROBABILITIES, ArtefactMetadata
from shared.imaging.preprocessing import INPUT_SIZE
from shared.imaging.structure import Pixels
from shared.runtime.errors import InvalidMessage, PappusError
from shared.runtime.metrics import ARTEFACT_PARSES

_OUTPUTS = [PROBABILITIES, FEATURES, CORRECTION_WEIGHTS]
_SUM_TOLERANCE = 1e-3


class InvalidArtefact(PappusError):
    """The artefact cannot serve: it is unreadable, of another format, or its answers are not probabilities."""


class Model:
    """One loaded artefact. `answer` may be called from any thread."""

    def __init__(self, artefact: bytes, labels: Collection[str] | None = None) -> None:
        """Look through the artefact, build the session and let it answer a few times. Takes from 20 ms to seconds: call
        it from a thread. `labels`: those of the installation, None takes any.

        Raises:
            InvalidArtefact: it is not what a trainer writes, it names labels that are none here, the session cannot be
                built, or its answer to a grey image is none.
        """
        self.metadata = _metadata(_properties(artefact))
        _check_labels(self.metadata.labels, labels)
        self._session = _session(artefact)
        _check(self.metadata, self._grey_answer())
        self.answer_seconds = min(self._timed() for _ in range(3))
        """The shortest time of one answer; slow models answer in a thread."""

    def answer(self, image: Pixels) -> Output:
        """Answer one image: uint8 RGB [96, 96, 3], as `shared.imaging.preprocessing.prepare` makes it."""
        probabilities, features, weights = self._session.run(_OUTPUTS, {INPUT: image[None]})
        return Output(probabilities[0], features[0], weights[0])  # [c], [d], [m]

    def _timed(self) -> float:
        started = perf_counter()
        self._grey_answer()
        return perf_counter() - started

    def _grey_answer(self) -> Output:
        """Answer a grey image. The first answer also makes the session allocate its memory."""
        grey: NDArray[np.uint8] = np.full((INPUT_SIZE, INPUT_SIZE, 3), 128, np.uint8)
        try:
            return self.answer(grey)
        except Exception as error:  # onnxruntime's exceptions have no base class of their own
            raise InvalidArtefact(f"The model cannot answer a grey image: {error}. Train it again.") from error


def _session(artefact: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # one core a request beats threads within a request by 1.6
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    ARTEFACT_PARSES.labels("onnxruntime").inc()
    try:
        return onnxruntime.InferenceSession(artefact, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no base class of their own
        raise InvalidArtefact(f"onnxruntime cannot load the artefact: {error}. Train it again.") from error


def _properties(artefact: bytes) -> dict[str, str]:
    """Return what the artefact says about itself. Nothing of an artefact runs before all of it was looked through."""
    try:
        return {entry.key: entry.value for entry in parse_artefact(artefact).metadata_props}
    except InvalidMessage as error:
        raise InvalidArtefact(str(error)) from error


def _check_labels(found: tuple[str, ...], allowed: Collection[str] | None) -> None:
    foreign = [label for label in found if allowed is not None and label not in allowed]
    if foreign or len(set(found)) != len(found):
        shown = ", ".join(repr(label[:40]) for label in foreign[:3]) or "one of them twice"
        raise InvalidArtefact(
            f"The artefact names {len(found)} labels, among them {shown}; those of this installation are"
            f" {', '.join(map(repr, allowed or ()))}. Set PAPPUS_LABELS as the trainer has it, or train again."
        )


def _metadata(properties: dict[str, str]) -> ArtefactMetadata:
    try:
        metadata = ArtefactMetadata.from_json(properties[METADATA_KEY])
    except KeyError as error:
        raise InvalidArtefact(f"The artefact has no property {METADATA_KEY}. Train it again.") from error
    except InvalidMessage as error:
        raise InvalidArtefact(str(error)) from error
    if metadata.input_size != INPUT_SIZE:
        raise InvalidArtefact(
            f"The model takes {metadata.input_size} pixels; images are prepared with {INPUT_SIZE}. Train it again."
        )
    return metadata


def _check(metadata: ArtefactMetadata, output: Output) -> None:
    """Raise InvalidArtefact if the output for a grey image contradicts the metadata or is no answer at all."""
    probabilities, labels, rows = output.probabilities, metadata.labels, metadata.corrections
    if probabilities.shape != (len(labels),):
        problem = f"names {len(labels)} labels but answers with {probabilities.size} probabilities"
    elif not (np.isfinite(probabilities).all() and abs(float(probabilities.sum()) - 1) < _SUM_TOLERANCE):
        problem = f"answers with {probabilities.tolist()}, which are no probabilities"
    elif not np.isfinite(output.features).all():
        problem = "answers with features that are not finite"
    elif output.weights.size < len(rows):
        problem = f"names {len(rows)} corrections but holds {output.weights.size}"
    else:
        return
    raise InvalidArtefact(f"For a grey image, the model {problem}. Train it again.")

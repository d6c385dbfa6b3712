"""A model in memory. The only importer of onnxruntime here; `shared.contract.artefact` describes artefacts."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import ModelProto

from services.predictor.decisions.answers import Output
from shared.artefacts import LayerRows, open_layer, padded, parse_artefact, read_layer, rows_of, space_of
from shared.contract.artefact import (
    CORRECTION_WEIGHTS,
    FEATURES,
    INPUT,
    METADATA_KEY,
    PROBABILITIES,
    ArtefactMetadata,
)
from shared.contract.place import encode_place
from shared.imaging.preprocessing import INPUT_SIZE
from shared.imaging.structure import Pixels
from shared.runtime.cores import usable_cores
from shared.runtime.errors import InvalidMessage, PappusError
from shared.runtime.metrics import ARTEFACT_PARSES

_OUTPUTS = [PROBABILITIES, FEATURES, CORRECTION_WEIGHTS]
_SUM_TOLERANCE = 1e-3
HEAVY_SECONDS = 0.008
"""A graph whose answer takes longer with one thread is given more. Below it one core an answer is faster by 1.6 times
when all cores are busy, and an answer is there soon enough when they are not."""
MOST_THREADS = 4
"""More bring little for one image."""


class InvalidArtefact(PappusError):
    """The artefact cannot serve: it is unreadable, of another format, or its answers are not probabilities."""


@dataclass(frozen=True)
class ParsedArtefact:
    """The bytes of an artefact, looked through and parsed: nothing of it ran yet. `proto` may be changed by whom it is
    given to, so it is used once."""

    data: bytes
    proto: ModelProto
    metadata: ArtefactMetadata

    @classmethod
    def of(cls, data: bytes) -> "ParsedArtefact":
        """Look through an artefact. Raises InvalidArtefact: it is not what a trainer writes."""
        try:
            proto = parse_artefact(data)
        except InvalidMessage as error:
            raise InvalidArtefact(str(error)) from error
        return cls(data, proto, _metadata(proto))


class Graph:
    """A whole artefact in memory. The rows of its correction layer are given with each image, so that it answers for
    every layer that was made on it; `answer` may be called from any thread."""

    def __init__(self, artefact: ParsedArtefact) -> None:
        """Build the session of a whole artefact. Takes from 20 ms to seconds: call it from a thread.

        Raises:
            InvalidArtefact: it is a layer alone, the session cannot be built, or its answer to a grey image is none.
        """
        self.artefact = artefact.data
        self.metadata = artefact.metadata
        if self.metadata.base is not None:
            raise InvalidArtefact("A layer alone cannot serve as the base of another. Train it again.")
        self.own_rows = rows_of(artefact.proto)
        """None: it has no rows that could be replaced; it answers for itself alone."""
        self._space = space_of(artefact.proto)
        graph = artefact.data if self.own_rows is None else open_layer(artefact.proto)
        self._session = build_session(graph)
        grey = self.answer_grey(self.own_rows)  # the first answer also makes the session allocate its memory
        _check(self.metadata, grey)
        self.answer_seconds = min(self._timed() for _ in range(3))
        """The shortest time of one answer; slow models answer in a thread."""
        self.threads = 1
        """Threads that compute one answer. How many there are changes no number of it."""
        if self.answer_seconds > HEAVY_SECONDS and usable_cores() > 1:
            self.threads = min(usable_cores(), MOST_THREADS)
            self._session = build_session(graph, self.threads)
            self.answer_grey(self.own_rows)
            self.answer_seconds = min(self._timed() for _ in range(3))

    def answer(self, image: Pixels, rows: LayerRows | None) -> Output:
        """Answer one image: uint8 RGB [96, 96, 3], as `shared.imaging.preprocessing.prepare` makes it."""
        inputs = {INPUT: image[None]} if rows is None else {INPUT: image[None], **rows.inputs}
        probabilities, features, weights = self._session.run(_OUTPUTS, inputs)
        return Output(probabilities[0], features[0], weights[0])  # [c], [d], [m]

    def place(self, features: NDArray[np.float32]) -> str | None:
        """Return where an image with these features [d] lies in the space of the layer; None if there is no space."""
        if self._space is None or self._space.mean.shape != features.shape:
            return None
        return encode_place(self._space.place(features).tolist())

    def answer_grey(self, rows: LayerRows | None) -> Output:
        """Answer a grey image. Raises InvalidArtefact if that fails."""
        grey: NDArray[np.uint8] = np.full((INPUT_SIZE, INPUT_SIZE, 3), 128, np.uint8)
        try:
            return self.answer(grey, rows)
        except Exception as error:  # onnxruntime's exceptions have no base class of their own
            raise InvalidArtefact(f"The model cannot answer a grey image: {error}. Train it again.") from error

    def _timed(self) -> float:
        started = perf_counter()
        self.answer_grey(self.own_rows)
        return perf_counter() - started


class Model:
    """One loaded artefact. `answer` may be called from any thread."""

    def __init__(
        self,
        artefact: bytes | ParsedArtefact,
        labels: Collection[str] | None = None,
        bases: Mapping[str, Graph] | None = None,
    ) -> None:
        """Look through the artefact and let it answer. For a whole one a session is built first, which takes from
        20 ms to seconds: call it from a thread. `labels`: those of the installation, None takes any. `bases`: graphs in
        memory by the sha256 of their bytes; that of a layer alone has to be among them.

        Raises:
            InvalidArtefact: it is not what a trainer writes, it names labels that are none here, the session cannot be
                built, its answer to a grey image is none, or it does not belong to its base.
        """
        parsed = artefact if isinstance(artefact, ParsedArtefact) else ParsedArtefact.of(artefact)
        self.metadata = parsed.metadata
        _check_labels(self.metadata.labels, labels)
        base = self.metadata.base
        if base is None:
            self.graph = Graph(parsed)
            self._rows = self.graph.own_rows
            self.answer_seconds = self.graph.answer_seconds
            return
        self.graph = (bases or {})[base.sha256]
        self.answer_seconds = self.graph.answer_seconds
        self._rows = padded(*read_layer(parsed.proto))
        _check_base(self.metadata, self.graph.metadata)
        if self.graph.own_rows is None:
            raise InvalidArtefact("The base of this artefact has no correction layer. Train it again.")
        _check(self.metadata, self.graph.answer_grey(self._rows))

    def answer(self, image: Pixels) -> Output:
        """Answer one image: uint8 RGB [96, 96, 3], as `shared.imaging.preprocessing.prepare` makes it."""
        return self.graph.answer(image, self._rows)


def build_session(artefact: bytes, threads: int = 1) -> onnxruntime.InferenceSession:
    """Return a session whose answers take so many threads each. Raises InvalidArtefact: onnxruntime cannot load it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin while they wait take the cores of other replicas: half of the pace with two of them.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    ARTEFACT_PARSES.labels("onnxruntime").inc()
    try:
        return onnxruntime.InferenceSession(artefact, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no base class of their own
        raise InvalidArtefact(f"onnxruntime cannot load the artefact: {error}. Train it again.") from error


def _check_base(metadata: ArtefactMetadata, base: ArtefactMetadata) -> None:
    """Raise InvalidArtefact unless a layer says of itself what its base does, but for the corrections."""
    whole = replace(
        base,
        base=metadata.base,
        corrections=metadata.corrections,
        manifest_sha256=metadata.manifest_sha256,
        format_version=metadata.format_version,
    )
    if whole != metadata:
        raise InvalidArtefact("The layer of this artefact was made for another base. Train it again.")


def _check_labels(found: tuple[str, ...], allowed: Collection[str] | None) -> None:
    foreign = [label for label in found if allowed is not None and label not in allowed]
    if foreign or len(set(found)) != len(found):
        shown = ", ".join(repr(label[:40]) for label in foreign[:3]) or "one of them twice"
        raise InvalidArtefact(
            f"The artefact names {len(found)} labels, among them {shown}; those of this installation are"
            f" {', '.join(map(repr, allowed or ()))}. Set PAPPUS_LABELS as the trainer has it, or train again."
        )


def _metadata(parsed: ModelProto) -> ArtefactMetadata:
    properties = {entry.key: entry.value for entry in parsed.metadata_props}
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
    if bool(parsed.graph.node) != (metadata.base is None):
        raise InvalidArtefact("The artefact is neither a whole graph nor a layer with a base. Train it again.")
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

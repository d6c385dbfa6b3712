"""The artefact: backbone, head and correction layer written into one ONNX graph, and read back from it, parsed once.

The contract with the predictor is `shared.contract.artefact`; the graph itself is `onnx_graph`'s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from threading import Lock

import numpy as np
import onnx
from onnx import ModelProto, helper, numpy_helper

from services.trainer.model.arrays import Images
from services.trainer.model.correction_layer import CorrectionLayer, empty_layer
from services.trainer.model.head import Head
from services.trainer.model.layer_space import LayerSpace
from services.trainer.model.onnx_graph import (
    END,
    HEAD_TENSORS,
    SPACE,
    SPACE_TENSORS,
    TEMPERATURE,
    Tensor,
    add_head,
    delete_layer,
    extract_backbone,
    layer_tensors,
    parse_graph,
    read_metadata,
    read_tensors,
    serialise,
)
from services.trainer.model.sessions import ArtefactSession, ModelOutputs
from shared.artefacts import open_layer, padded, parse_artefact, read_layer, write_layer
from shared.contract.artefact import (
    CENTERS,
    COEFFICIENTS,
    FORMAT_VERSION,
    LAYER_FORMAT_VERSION,
    METADATA_KEY,
    ArtefactMetadata,
    BaseArtefact,
)
from shared.drift.reference import with_more_labels
from shared.runtime.errors import InvalidMessage


class GraphWithoutLayer:
    """The parsed graph of a backbone and a head, into which any correction layer can be written. Artefacts that share
    backbone and head share it; it may be used from several threads."""

    def __init__(self, model: ModelProto) -> None:
        self._model = model
        self._lock = Lock()
        self._session: ArtefactSession | None = None
        self._tensors: dict[str, Tensor] | None = None

    def write(self, layer: CorrectionLayer, metadata: ArtefactMetadata, *, check: bool = False) -> bytes:
        """Return the bytes of the whole graph. With `check`, onnx looks whether it is valid, and raises if not."""
        with self._lock:
            tensors = self._model.graph.initializer
            kept = len(tensors)
            try:
                tensors.extend(layer_tensors(layer))
                helper.set_model_props(self._model, {METADATA_KEY: metadata.to_json()})
                if check:
                    onnx.checker.check_model(self._model)
                return serialise(self._model)
            finally:
                del tensors[kept:]
                del self._model.metadata_props[:]

    @property
    def loaded(self) -> bool:
        """Whether `session` returns at once."""
        return self._session is not None

    def session(self, layer: CorrectionLayer) -> ArtefactSession:
        """Return the graph, loaded as a predictor loads it: once, for all layers. Raises what the runtime raises."""
        with self._lock:
            if self._session is None:
                model = ModelProto()
                model.CopyFrom(self._model)
                model.graph.initializer.extend(layer_tensors(layer))
                self._session = ArtefactSession(open_layer(model))
            return self._session

    def tensors(self, layer: CorrectionLayer) -> dict[str, Tensor]:
        """Return all learned numbers of the graph with this layer, by name."""
        with self._lock:
            if self._tensors is None:
                self._tensors = read_tensors(self._model)
        return self._tensors | {tensor.name: numpy_helper.to_array(tensor) for tensor in layer_tensors(layer)}


@dataclass(frozen=True, eq=False)
class Backbone:
    """A backbone as it was exported, byte for byte."""

    onnx: bytes = field(repr=False)

    @cached_property
    def id(self) -> str:
        """The hash of the bytes, 64 hex digits."""
        return sha256(self.onnx).hexdigest()


@dataclass(frozen=True, eq=False)
class Artefact:
    """A model file with its pieces: `data` is the whole graph or a layer alone, `head` and `layer` are as they were
    assembled, bit for bit. `key`: where a whole one lies in the object store; empty if it was not read from there."""

    data: bytes = field(repr=False)
    metadata: ArtefactMetadata
    head: Head
    layer: CorrectionLayer
    backbone: Backbone
    graph: GraphWithoutLayer = field(repr=False)
    key: str = ""

    @classmethod
    def parse(cls, data: bytes, key: str = "") -> "Artefact":
        """Return the whole artefact with these bytes, which may come from a stranger.

        Raises:
            InvalidMessage: these bytes are not a whole artefact, or hold what must not be run.
        """
        return ArtefactFile.parse(data, key).whole()

    @classmethod
    def of_file(cls, file: "ArtefactFile") -> "Artefact":
        """See `ArtefactFile.whole`. The parsed graph is used up."""
        data, model, metadata, key = file.data, file.model, file.metadata, file.key
        if metadata.base is not None:
            raise InvalidMessage("This artefact is a layer alone, where a whole one is needed. Train the model again.")
        tensors = read_tensors(model, "head.") | read_tensors(model, SPACE[0]) | read_tensors(model, "corrections.")
        rows = len(metadata.corrections)  # the graph holds an empty layer as one row
        try:
            head = Head(metadata.labels, *(tensors[name] for name in HEAD_TENSORS), temperature=_temperature(tensors))
            centers, coefficients = tensors[CENTERS][:rows], tensors[COEFFICIENTS][:rows]
            space, end = _read_space(tensors)
        except KeyError as error:
            raise InvalidMessage(f"This ONNX graph lacks the tensor {error}. Train the model again.") from error
        _check_shapes(head, space, centers, coefficients, rows)
        layer = CorrectionLayer(centers, coefficients, metadata.corrections, metadata.kappa, space, end)
        backbone = Backbone(extract_backbone(model))
        delete_layer(model)
        return cls(data, metadata, head, layer, backbone, GraphWithoutLayer(model), key)

    @property
    def base(self) -> BaseArtefact:
        """The whole artefact that layers on this backbone and head name: this one, or that of this layer."""
        return self.metadata.base or BaseArtefact(self.key, self.sha256)

    def with_layer(self, layer: CorrectionLayer, manifest_sha256: str) -> "Artefact":
        """Return the same backbone and head with another correction layer in the same space, as a layer alone, and the
        manifest it came from. Nothing is parsed; takes a millisecond."""
        changed = replace(
            self.metadata, manifest_sha256=manifest_sha256, base=self.base, format_version=LAYER_FORMAT_VERSION
        )
        metadata = _metadata_for(changed, layer)
        data = write_layer(layer.centers, layer.coefficients, metadata.to_json())
        return replace(self, data=data, metadata=metadata, layer=layer)

    def with_unlearned(self, labels: Sequence[str]) -> "Artefact":
        """Return a whole artefact with these labels after its own, which its head has not learned, and an empty layer
        in the same space: a graph of its own, since the heads differ. Takes some tenths of a second."""
        head, layer = self.head.with_unlearned(labels), self.layer
        drift = None if self.metadata.drift is None else with_more_labels(self.metadata.drift, len(labels))
        metadata = replace(self.metadata, drift=drift, base=None, format_version=FORMAT_VERSION)
        empty = empty_layer(len(head.mean), len(head.labels), layer.space, layer.kappa, layer.end)
        return assemble(self.backbone.onnx, head, empty, metadata)

    def with_layer_inside(self, layer: CorrectionLayer, manifest_sha256: str) -> "Artefact":
        """Return the same backbone and head with another layer in one whole artefact, and the manifest it came from."""
        metadata = replace(self.metadata, manifest_sha256=manifest_sha256, base=None, format_version=FORMAT_VERSION)
        metadata = _metadata_for(metadata, layer)
        return replace(self, data=self.graph.write(layer, metadata), metadata=metadata, layer=layer, key="")

    def predict(self, images: Images) -> ModelOutputs:
        """Return what a predictor answers for uint8 [n, 96, 96, 3]; n may be 0. Raises what the runtime raises."""
        rows = padded(self.layer.centers, self.layer.coefficients)
        return self.graph.session(self.layer).predict(images, rows.inputs)

    def whole(self) -> bytes:
        """Return one graph that needs no base: the same answers for those who know nothing of layers."""
        if self.metadata.base is None:
            return self.data
        return self.graph.write(self.layer, replace(self.metadata, base=None, format_version=FORMAT_VERSION))

    def hash_weights(self) -> str:
        """Return a hash of all learned numbers, in the order of their names: equal for models that answer alike, bit
        for bit."""
        digest = sha256()
        for name, tensor in sorted(self.graph.tensors(self.layer).items()):
            digest.update(f"{name} {tensor.dtype} {tensor.shape}\n".encode())
            digest.update(np.ascontiguousarray(tensor).tobytes())
        return digest.hexdigest()

    @cached_property
    def sha256(self) -> str:
        """The hash of the bytes, 64 hex digits."""
        return sha256(self.data).hexdigest()


@dataclass(frozen=True, eq=False)
class ArtefactFile:
    """The bytes of an artefact, looked through: a whole one, or a layer alone. `key`: where they lie."""

    data: bytes = field(repr=False)
    model: ModelProto = field(repr=False)
    metadata: ArtefactMetadata
    key: str = ""

    @classmethod
    def parse(cls, data: bytes, key: str = "") -> "ArtefactFile":
        """Look through bytes, which may come from a stranger. Raises InvalidMessage: they are not an artefact, or hold
        what must not be run."""
        model = parse_artefact(data)
        metadata = read_metadata(model)
        if bool(model.graph.node) != (metadata.base is None):
            raise InvalidMessage("This artefact is neither a whole graph nor a layer with a base. Train it again.")
        return cls(data, model, metadata, key)

    @property
    def base(self) -> BaseArtefact | None:
        """The whole artefact that a layer alone names; None for a whole one."""
        return self.metadata.base

    def whole(self) -> Artefact:
        """Return the whole artefact. Raises InvalidMessage if it is none, or its numbers do not fit each other."""
        return Artefact.of_file(self)

    def on(self, base: Artefact) -> Artefact:
        """Return the artefact of a layer alone on its base. Raises InvalidMessage if it was made for another one."""
        metadata, (centers, coefficients) = self.metadata, read_layer(self.model)
        rows, before = len(metadata.corrections), base.layer
        expected = replace(
            base.metadata,
            base=base.base,
            corrections=metadata.corrections,
            manifest_sha256=metadata.manifest_sha256,
            format_version=metadata.format_version,
        )
        shapes = ((rows, before.centers.shape[1]), (rows, len(base.head.labels)))
        if expected != metadata or (centers.shape, coefficients.shape) != shapes:
            raise InvalidMessage("The layer of this artefact was made for another base. Train the model again.")
        layer = CorrectionLayer(centers, coefficients, metadata.corrections, before.kappa, before.space, before.end)
        return replace(base, data=self.data, metadata=metadata, layer=layer)


def assemble(backbone_onnx: bytes, head: Head, layer: CorrectionLayer, metadata: ArtefactMetadata) -> Artefact:
    """Return one graph that answers as `shared.contract.artefact` says; equal pieces give equal bytes.

    The labels, kappa and corrections in its metadata are those of head and layer; those in `metadata` are ignored.

    Raises:
        InvalidMessage: the backbone is not an ONNX graph.
    """
    model = parse_graph(backbone_onnx)
    add_head(model, head, layer.space)
    graph = GraphWithoutLayer(model)
    metadata = _metadata_for(replace(metadata, labels=head.labels), layer)
    return Artefact(graph.write(layer, metadata, check=True), metadata, head, layer, Backbone(backbone_onnx), graph)


def _temperature(tensors: Mapping[str, Tensor]) -> float:
    """Return the temperature of the head, 1 if there is none. Raises InvalidMessage."""
    found = tensors.get(TEMPERATURE, np.ones((), np.float32))
    if found.shape != () or not 0 < float(found) < np.inf:
        raise InvalidMessage("The temperature of this artefact is not a positive number. Train the model again.")
    return float(found)


def _read_space(tensors: Mapping[str, Tensor]) -> tuple[LayerSpace | None, float]:
    """Return the space of a layer and the weight at which its kernel ends. Raises KeyError if a part of them lacks."""
    if not any(name.startswith(SPACE[0]) for name in tensors):
        return None, 0.0
    return LayerSpace(*(tensors[name] for name in SPACE_TENSORS)), float(tensors[END])


def _check_shapes(head: Head, space: LayerSpace | None, centers: Tensor, coefficients: Tensor, rows: int) -> None:
    """Raise InvalidMessage unless the numbers fit each other: mean and scale [d], weights [d, p * c], bias [p * c], the
    rows of the layer [m, k] and [m, c], mean and projection of their space [d] and [d, k], all float32; without a space
    k is d."""
    numbers = [head.mean, head.scale, head.weights, head.bias, centers, coefficients]
    features, classes = len(head.mean) if head.mean.ndim else 0, len(head.labels)
    columns = head.parts * classes
    shapes: list[tuple[int, ...]] = [(features,), (features,), (features, columns), (columns,)]
    width = centers.shape[1] if space is not None and centers.ndim == 2 else features
    shapes += [(rows, width), (rows, classes)]
    if space is not None:
        numbers += [space.mean, space.projection]
        shapes += [(features,), (features, width)]
    if [array.shape for array in numbers] != shapes or {array.dtype for array in numbers} != {np.dtype(np.float32)}:
        raise InvalidMessage(
            f"The numbers of this artefact do not fit {classes} labels and {rows} corrections. Train the model again."
        )


def _metadata_for(metadata: ArtefactMetadata, layer: CorrectionLayer) -> ArtefactMetadata:
    return replace(metadata, kappa=layer.kappa, corrections=layer.entries)

"""The artefact: backbone, head and correction layer written into one ONNX graph, and read back from it.

What the pieces are called inside: initialisers `head.*` and `corrections.*`, nodes `head/*` and `corrections/*`; all
the rest is the backbone, untouched. The contract with the predictor is `shared.contract.artefact`.
"""

from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from services.trainer.model.correction_layer import CorrectionLayer
from services.trainer.model.head import Head
from shared.contract.artefact import CORRECTION_WEIGHTS, FEATURES, METADATA_KEY, PROBABILITIES, ArtefactMetadata
from shared.runtime.errors import InvalidMessage

HEAD, LAYER = ("head.", "head/"), ("corrections.", "corrections/")
CENTERS, COEFFICIENTS = "corrections.centers", "corrections.coefficients"


def assemble(backbone_onnx: bytes, head: Head, layer: CorrectionLayer, metadata: ArtefactMetadata) -> bytes:
    """One graph that answers as `shared.contract.artefact` says; equal pieces give equal bytes.

    The labels, kappa and corrections in the metadata are those of head and layer, whatever `metadata` says.
    """
    model = onnx.load_model_from_string(backbone_onnx)
    graph = model.graph
    graph.node.extend([*_head_nodes(), *_layer_nodes()])
    graph.initializer.extend(_initialisers(head, layer))
    batch = "batch"
    outputs = ((PROBABILITIES, len(head.labels)), (FEATURES, len(head.mean)), (CORRECTION_WEIGHTS, "corrections"))
    del graph.output[:]
    graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, size]) for name, size in outputs)
    _write_metadata(model, _metadata_for(replace(metadata, labels=head.labels), layer))
    onnx.checker.check_model(model)
    return _serialise(model)


def replace_layer(artefact: bytes, layer: CorrectionLayer, manifest_sha256: str) -> bytes:
    """The same backbone and head with another correction layer, and the manifest it came from. Takes milliseconds."""
    model = _load(artefact)
    kept = [tensor for tensor in model.graph.initializer if not tensor.name.startswith(LAYER)]
    del model.graph.initializer[:]
    model.graph.initializer.extend([*kept, *_layer_initialisers(layer)])
    _write_metadata(model, _metadata_for(replace(_metadata(model), manifest_sha256=manifest_sha256), layer))
    return _serialise(model)


def read_metadata(artefact: bytes) -> ArtefactMetadata:
    """Raises InvalidMessage if these bytes are no artefact, as all `read_*` do."""
    return _metadata(_load(artefact))


def read_head(artefact: bytes) -> Head:
    """The head as it was assembled, bit for bit."""
    model = _load(artefact)
    tensors = _tensors(model)
    names = ("head.mean", "head.scale", "head.weights", "head.bias")
    return Head(_metadata(model).labels, *(tensors[name] for name in names))


def read_layer(artefact: bytes) -> CorrectionLayer:
    """The correction layer as it was assembled, bit for bit; without the row that stands for an empty one."""
    model = _load(artefact)
    tensors, metadata = _tensors(model), _metadata(model)
    rows = len(metadata.corrections)
    return CorrectionLayer(tensors[CENTERS][:rows], tensors[COEFFICIENTS][:rows], metadata.corrections, metadata.kappa)


def read_backbone(artefact: bytes) -> bytes:
    """The backbone as it was exported, byte for byte: its sha256 is the backbone id."""
    model = _load(artefact)
    graph = model.graph
    nodes = [node for node in graph.node if not node.name.startswith((*HEAD, *LAYER))]
    tensors = [tensor for tensor in graph.initializer if not tensor.name.startswith((*HEAD, *LAYER))]
    outputs = [output for output in graph.output if output.name == FEATURES]
    for field, kept in ((graph.node, nodes), (graph.initializer, tensors), (graph.output, outputs)):
        copies = [type(piece).FromString(piece.SerializeToString()) for piece in kept]
        del field[:]
        field.extend(copies)
    del model.metadata_props[:]
    return _serialise(model)


def hash_weights(artefact: bytes) -> str:
    """A hash of all learned numbers, in the order of their names: equal for models that answer alike, bit for bit."""
    digest = sha256()
    for name, tensor in sorted(_tensors(_load(artefact)).items()):
        digest.update(f"{name} {tensor.dtype} {tensor.shape}\n".encode())
        digest.update(np.ascontiguousarray(tensor).tobytes())
    return digest.hexdigest()


def _head_nodes() -> list[NodeProto]:
    return [
        _node("Sub", [FEATURES, "head.mean"], "head/centred"),
        _node("Div", ["head/centred", "head.scale"], "head/standardised"),
        _node("Gemm", ["head/standardised", "head.weights", "head.bias"], "head/logits"),
    ]


def _layer_nodes() -> list[NodeProto]:
    return [
        _node("ReduceL2", [FEATURES, "corrections.axis"], "corrections/length", keepdims=1),
        _node("Max", ["corrections/length", "corrections.shortest"], "corrections/divisor"),
        _node("Div", [FEATURES, "corrections/divisor"], "corrections/unit"),
        _node("Gemm", ["corrections/unit", CENTERS], "corrections/cosine", transB=1),
        _node("Sub", ["corrections/cosine", "corrections.one"], "corrections/nearness"),
        _node("Mul", ["corrections/nearness", "corrections.kappa"], "corrections/exponent"),
        _node("Exp", ["corrections/exponent"], CORRECTION_WEIGHTS),
        _node("Gemm", [CORRECTION_WEIGHTS, COEFFICIENTS, "head/logits"], "corrections/logits"),
        _node("Softmax", ["corrections/logits"], PROBABILITIES, axis=-1),
    ]


def _node(operation: str, inputs: list[str], output: str, **attributes: int) -> NodeProto:
    name = output if "/" in output else f"corrections/{output}"
    node = helper.make_node(operation, inputs, [output], name=name)
    node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
    return node


def _initialisers(head: Head, layer: CorrectionLayer) -> Iterable[TensorProto]:
    named = {"head.mean": head.mean, "head.scale": head.scale, "head.weights": head.weights, "head.bias": head.bias}
    return [*(numpy_helper.from_array(array, name) for name, array in named.items()), *_layer_initialisers(layer)]


def _layer_initialisers(layer: CorrectionLayer) -> list[TensorProto]:
    centers, coefficients = layer.centers, layer.coefficients
    if not len(centers):  # runtimes do not agree on matrices without rows, so an empty layer is a row that adds nothing
        centers, coefficients = (np.zeros((1, array.shape[1]), np.float32) for array in (centers, coefficients))
    named: dict[str, NDArray[np.float32] | NDArray[np.int64]] = {
        CENTERS: centers,
        COEFFICIENTS: coefficients,
        "corrections.kappa": np.array(layer.kappa, np.float32),
        "corrections.one": np.array(1, np.float32),
        "corrections.shortest": np.array(1e-12, np.float32),
        "corrections.axis": np.array([1], np.int64),
    }
    return [numpy_helper.from_array(array, name) for name, array in named.items()]


def _metadata_for(metadata: ArtefactMetadata, layer: CorrectionLayer) -> ArtefactMetadata:
    return replace(metadata, kappa=layer.kappa, corrections=layer.entries)


def _write_metadata(model: ModelProto, metadata: ArtefactMetadata) -> None:
    helper.set_model_props(model, {METADATA_KEY: metadata.to_json()})


def _metadata(model: ModelProto) -> ArtefactMetadata:
    for entry in model.metadata_props:
        if entry.key == METADATA_KEY:
            return ArtefactMetadata.from_json(entry.value)
    raise InvalidMessage(f"This ONNX graph has no {METADATA_KEY!r} metadata: it is no artefact of Pappus.")


def _load(artefact: bytes) -> ModelProto:
    try:
        return onnx.load_model_from_string(artefact)
    except Exception as error:  # the protobuf library's own class, which differs between its implementations
        raise InvalidMessage(f"These {len(artefact)} bytes are no ONNX graph ({error}). Was the object cut?") from error


def _tensors(model: ModelProto) -> dict[str, NDArray[np.float32]]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def _serialise(model: ModelProto) -> bytes:
    return bytes(model.SerializeToString(deterministic=True))

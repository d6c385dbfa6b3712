"""The parts of an artefact's ONNX graph, and how they are read and written.

Initialisers `head.*`, `space.*` and `corrections.*` and nodes `head/*`, `space/*` and `corrections/*` belong to head
and correction layer; the rest is the backbone, untouched.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from services.trainer.model.correction_layer import CorrectionLayer
from services.trainer.model.head import LEAST_PROBABILITY, Head
from services.trainer.model.layer_space import LayerSpace
from shared.artefacts import padded
from shared.contract.artefact import (
    CENTERS,
    COEFFICIENTS,
    CORRECTION_WEIGHTS,
    FEATURES,
    METADATA_KEY,
    PROBABILITIES,
    SPACE_MEAN,
    SPACE_PROJECTION,
    ArtefactMetadata,
)
from shared.runtime.errors import InvalidMessage
from shared.runtime.metrics import ARTEFACT_PARSES

Tensor = NDArray[np.float32]

HEAD, SPACE, LAYER = ("head.", "head/"), ("space.", "space/"), ("corrections.", "corrections/")
HEAD_TENSORS = ("head.mean", "head.scale", "head.weights", "head.bias")
"""In the order of the fields of `Head`."""
TEMPERATURE = "head.temperature"
"""A number that only a head of several parts has: that of a single one is folded into its weights and bias."""
SPACE_TENSORS = (SPACE_MEAN, SPACE_PROJECTION)
"""In the order of the fields of `LayerSpace`. A graph without them measures cosines of the features themselves."""
END = "corrections.end"


def parse_graph(data: bytes) -> ModelProto:
    """Parse an ONNX graph, and count that.

    Raises:
        InvalidMessage: these bytes are none.
    """
    ARTEFACT_PARSES.labels("onnx").inc()
    try:
        return onnx.load_model_from_string(data)
    except Exception as error:  # the protobuf library's own class, which differs between its implementations
        raise InvalidMessage(f"These {len(data)} bytes are not an ONNX graph ({error}). Was the object cut?") from error


def serialise(model: ModelProto) -> bytes:
    """Return the bytes of a graph: equal graphs give equal bytes."""
    return bytes(model.SerializeToString(deterministic=True))


def read_metadata(model: ModelProto) -> ArtefactMetadata:
    """Return what an artefact says about itself.

    Raises:
        InvalidMessage: it says nothing, or in a format that this program does not read.
    """
    for entry in model.metadata_props:
        if entry.key == METADATA_KEY:
            return ArtefactMetadata.from_json(entry.value)
    raise InvalidMessage(f"This ONNX graph has no {METADATA_KEY!r} metadata: it is not an artefact of Pappus.")


def read_tensors(model: ModelProto, beginning: str = "") -> dict[str, Tensor]:
    """Return the learned numbers whose names begin like this, by name."""
    chosen = [tensor for tensor in model.graph.initializer if tensor.name.startswith(beginning)]
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in chosen}


def extract_backbone(model: ModelProto) -> bytes:
    """Return the backbone in an artefact as it was exported, byte for byte."""
    backbone = ModelProto()
    backbone.CopyFrom(model)
    graph = backbone.graph
    _delete(graph.node, lambda node: node.name.startswith((*HEAD, *SPACE, *LAYER)))
    _delete(graph.initializer, lambda tensor: tensor.name.startswith((*HEAD, *SPACE, *LAYER)))
    _delete(graph.output, lambda output: output.name != FEATURES)
    del backbone.metadata_props[:]
    return serialise(backbone)


def delete_layer(model: ModelProto) -> None:
    """Delete the numbers of the correction layer and the metadata, which depends on them."""
    _delete(model.graph.initializer, lambda tensor: tensor.name.startswith(LAYER))
    del model.metadata_props[:]


def add_head(model: ModelProto, head: Head, space: LayerSpace | None = None) -> None:
    """Make an artefact without a correction layer of a backbone: the nodes of head and layer, the numbers of the head
    and of the space in which the layer lies."""
    graph, batch = model.graph, "batch"
    graph.node.extend([*_head_nodes(head.parts), *_layer_nodes(space)])
    graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in _head_tensors(head).items())
    if space is not None:
        graph.initializer.extend(
            numpy_helper.from_array(array, name)
            for name, array in zip(SPACE_TENSORS, (space.mean, space.projection), strict=True)
        )
    outputs = ((PROBABILITIES, len(head.labels)), (FEATURES, len(head.mean)), (CORRECTION_WEIGHTS, "corrections"))
    del graph.output[:]
    graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, size]) for name, size in outputs)


def layer_tensors(layer: CorrectionLayer) -> list[TensorProto]:
    """Return the numbers of a correction layer as initialisers of the graph."""
    named: dict[str, NDArray[np.float32] | NDArray[np.int64]] = {
        **padded(layer.centers, layer.coefficients).inputs,
        "corrections.kappa": np.array(layer.kappa, np.float32),
        "corrections.one": np.array(1, np.float32),
        "corrections.shortest": np.array(1e-12, np.float32),
        "corrections.axis": np.array([1], np.int64),
    }
    if layer.space is not None:
        named |= {
            END: np.array(layer.end, np.float32),
            "corrections.zero": np.array(0, np.float32),
            "corrections.rest": np.array(1 - layer.end, np.float32),
        }
    return [numpy_helper.from_array(array, name) for name, array in named.items()]


def _head_tensors(head: Head) -> dict[str, NDArray[Any]]:
    arrays: tuple[NDArray[Any], ...] = (head.mean, head.scale, head.weights, head.bias)
    named = dict(zip(HEAD_TENSORS, arrays, strict=True))
    if head.parts > 1:
        named |= {
            TEMPERATURE: np.array(head.temperature, np.float32),
            "head.least": np.array(LEAST_PROBABILITY, np.float32),
            "head.parts": np.array([0, head.parts, len(head.labels)], np.int64),  # 0: as many images as there are
            "head.axis": np.array([1], np.int64),
        }
    return named


def _head_nodes(parts: int) -> list[NodeProto]:
    """Return the nodes from features to `head/logits`; of several parts the logarithm of the mean of probabilities."""
    answers = "head/logits" if parts == 1 else "head/answers"
    nodes = [
        _node("Sub", [FEATURES, "head.mean"], "head/centred"),
        _node("Div", ["head/centred", "head.scale"], "head/standardised"),
        _node("Gemm", ["head/standardised", "head.weights", "head.bias"], answers),
    ]
    if parts > 1:
        nodes += [
            _node("Reshape", [answers, "head.parts"], "head/of_parts"),  # [b, p, c]
            _node("Softmax", ["head/of_parts"], "head/probabilities", axis=-1),
            _node("ReduceMean", ["head/probabilities", "head.axis"], "head/mean", keepdims=0),
            _node("Max", ["head/mean", "head.least"], "head/likely"),
            _node("Log", ["head/likely"], "head/log"),
            _node("Div", ["head/log", TEMPERATURE], "head/logits"),
        ]
    return nodes


def _layer_nodes(space: LayerSpace | None) -> list[NodeProto]:
    """Return the nodes of the layer; without a space those of an artefact of format 1."""
    place, kernel = (FEATURES, CORRECTION_WEIGHTS) if space is None else ("space/place", "corrections/kernel")
    placing = [
        _node("Sub", [FEATURES, SPACE_MEAN], "space/centred"),
        _node("MatMul", ["space/centred", SPACE_PROJECTION], place),
    ]
    nearness = [
        _node("ReduceL2", [place, "corrections.axis"], "corrections/length", keepdims=1),
        _node("Max", ["corrections/length", "corrections.shortest"], "corrections/divisor"),
        _node("Div", [place, "corrections/divisor"], "corrections/unit"),
        _node("Gemm", ["corrections/unit", CENTERS], "corrections/cosine", transB=1),
        _node("Sub", ["corrections/cosine", "corrections.one"], "corrections/nearness"),
        _node("Mul", ["corrections/nearness", "corrections.kappa"], "corrections/exponent"),
        _node("Exp", ["corrections/exponent"], kernel),
    ]
    ending = [
        _node("Sub", [kernel, END], "corrections/above"),
        _node("Max", ["corrections/above", "corrections.zero"], "corrections/reached"),
        _node("Div", ["corrections/reached", "corrections.rest"], CORRECTION_WEIGHTS),
    ]
    answer = [
        _node("Gemm", [CORRECTION_WEIGHTS, COEFFICIENTS, "head/logits"], "corrections/logits"),
        _node("Softmax", ["corrections/logits"], PROBABILITIES, axis=-1),
    ]
    return [*nearness, *answer] if space is None else [*placing, *nearness, *ending, *answer]


def _node(operation: str, inputs: Sequence[str], output: str, **attributes: int) -> NodeProto:
    name = output if "/" in output else f"corrections/{output}"
    node = helper.make_node(operation, inputs, [output], name=name)
    node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
    return node


def _delete(pieces: Any, unwanted: Callable[[Any], bool]) -> None:
    """Delete from a repeated field of a protobuf message, in place."""
    for index in reversed(range(len(pieces))):
        if unwanted(pieces[index]):
            del pieces[index]

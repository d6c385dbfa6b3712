"""A correction layer as a file of its own, and a graph whose layer is given with each image.

The file is an ONNX model without nodes: two initialisers, which take the place of those of its base. Places are stored
as whole steps of 1 / 2**15, on which the rows of a layer lie anyway: half the bytes, and not one bit is lost.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from shared.contract.artefact import CENTERS, COEFFICIENTS, METADATA_KEY

STEPS = 2**15
IR_VERSION = 10
_TYPES = {CENTERS: TensorProto.INT16, COEFFICIENTS: TensorProto.FLOAT}


@dataclass(frozen=True)
class LayerRows:
    """The rows of a correction layer, as a graph takes them: centers float32 [m, k], coefficients float32 [m, c]; m is
    at least 1, since runtimes do not agree on matrices without rows: an empty layer is a row that adds nothing."""

    centers: NDArray[np.float32]
    coefficients: NDArray[np.float32]

    @property
    def inputs(self) -> dict[str, NDArray[np.float32]]:
        """The inputs of a graph with an open layer."""
        return {CENTERS: self.centers, COEFFICIENTS: self.coefficients}


def padded(centers: NDArray[np.float32], coefficients: NDArray[np.float32]) -> LayerRows:
    """Return these rows, or one that adds nothing if there are none."""
    if not len(centers):
        centers, coefficients = (np.zeros((1, array.shape[1]), np.float32) for array in (centers, coefficients))
    return LayerRows(centers, coefficients)


def write_layer(centers: NDArray[np.float32], coefficients: NDArray[np.float32], metadata: str) -> bytes:
    """Return the file of a layer with these rows, [m, k] and [m, c]; m may be 0. Equal layers give equal bytes."""
    steps = np.round(centers * np.float32(STEPS))
    tensors: dict[str, NDArray[np.int16] | NDArray[np.float32]] = {
        CENTERS: np.clip(steps, -STEPS, STEPS - 1).astype(np.int16),
        COEFFICIENTS: coefficients,
    }
    model = ModelProto(ir_version=IR_VERSION)
    model.graph.name = "corrections"
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in tensors.items())
    helper.set_model_props(model, {METADATA_KEY: metadata})
    return bytes(model.SerializeToString(deterministic=True))


def problem_of_layer(model: ModelProto) -> str | None:
    """Return what is wrong with a model without nodes, None if it is a layer."""
    graph = model.graph
    if graph.input or graph.output or graph.value_info or graph.sparse_initializer or model.functions:
        return "it has no nodes, and more than the rows of a layer"
    if {tensor.name: tensor.data_type for tensor in graph.initializer} != _TYPES or len(graph.initializer) != 2:
        return "it has no nodes, and not the rows of a layer"
    shapes = []
    for tensor in graph.initializer:
        if tensor.data_location != TensorProto.DEFAULT or tensor.external_data:
            return f"the numbers {tensor.name!r} lie in another file"
        rows, width = (*tensor.dims, -1, -1)[:2]
        bytes_each = helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        if len(tensor.dims) != 2 or min(rows, width) < 0 or len(tensor.raw_data) != rows * width * bytes_each:
            return f"{tensor.name!r} has other numbers than its shape says"
        shapes.append(rows)
    return None if shapes[0] == shapes[1] else "its rows have no coefficients"


def read_layer(model: ModelProto) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return centers float32 [m, k] and coefficients float32 [m, c] of a model that was looked through."""
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    return found[CENTERS].astype(np.float32) / np.float32(STEPS), found[COEFFICIENTS]


def open_layer(model: ModelProto) -> bytes:
    """Return the graph with the rows of its layer as inputs. It was looked through, and is changed."""
    tensors = {tensor.name: tensor for tensor in model.graph.initializer if tensor.name in _TYPES}
    for name, tensor in tensors.items():
        shape = ["corrections", tensor.dims[1]]
        model.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        model.graph.initializer.remove(tensor)
    return bytes(model.SerializeToString())


def rows_of(model: ModelProto) -> LayerRows | None:
    """Return the rows of the layer in a whole artefact; None if it has none, or not of this shape."""
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer if tensor.name in _TYPES}
    if set(found) != set(_TYPES) or any(array.ndim != 2 or array.dtype != np.float32 for array in found.values()):
        return None
    return LayerRows(found[CENTERS], found[COEFFICIENTS])

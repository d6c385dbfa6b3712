"""What one answer of a graph costs, from its shapes alone: nothing is run.

A short graph can ask for any amount of memory or time: a column times a row of 250,000 numbers each, which fit into two
megabytes, makes 250 gigabytes.
"""

import math
from collections.abc import Mapping

import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper

from shared.runtime.errors import InvalidMessage

LARGEST_NUMBERS = 25_000_000
"""The numbers of all results between input and answer for one image: 100 MB. Some 100 times what our backbone makes."""
LARGEST_STEPS = 5_000_000_000
"""Multiplications and additions for one image: seconds of one core; a ResNet-50 on 96 x 96 pixels has 800 million."""
KEPT_NUMBERS = 64
"""Larger initialisers tell nothing about shapes, and are left out of what the shapes are computed from."""

Shape = tuple[int, ...]


def check_cost(model: ModelProto) -> None:
    """Compute the shape of every result for one image, and what computing it takes.

    Raises:
        InvalidMessage: a shape does not follow from the graph, or it costs too much.
    """
    shapes = _shapes(model)
    numbers, steps = 0, 0
    for node in model.graph.node:
        results = [shapes.get(name) for name in node.output if name]
        if any(shape is None for shape in results):
            raise InvalidMessage(
                f"The model may not be run: how large the result of {node.op_type} {node.name!r} is does not follow"
                " from the graph. Train it again."
            )
        made = sum(math.prod(shape) for shape in results if shape is not None)
        numbers += made
        steps += made * _steps_each(node, shapes) + sum(math.prod(shapes.get(name, ())) for name in node.input)
    if numbers > LARGEST_NUMBERS or steps > LARGEST_STEPS:
        raise InvalidMessage(
            f"The model may not be run: one image would take {numbers} numbers in memory (at most {LARGEST_NUMBERS})"
            f" and {steps} steps (at most {LARGEST_STEPS}). Train a smaller one."
        )


def _steps_each(node: NodeProto, shapes: Mapping[str, Shape]) -> int:
    """Return how many multiplications and additions one number of the result takes."""
    attributes = {attribute.name: attribute for attribute in node.attribute}
    if node.op_type in ("AveragePool", "MaxPool"):
        return math.prod(attributes["kernel_shape"].ints) if "kernel_shape" in attributes else 1
    if node.op_type == "Conv":
        return math.prod(shapes.get(node.input[1], ())[1:])
    if node.op_type in ("MatMul", "Gemm"):
        first = shapes.get(node.input[0], ())
        transposed = "transA" in attributes and attributes["transA"].i
        return first[0 if transposed else -1] if first else 1
    return 1


def _shapes(model: ModelProto) -> dict[str, Shape]:
    """Return the shape of each initialiser, and of each result where it follows from the graph, for one image."""
    try:
        inferred = onnx.shape_inference.infer_shapes(_outline(model), strict_mode=True, data_prop=True).graph
    except Exception as error:  # the checker's own classes, which have no common base
        raise InvalidMessage(f"The model may not be run: its shapes do not fit ({error}). Train it again.") from error
    shapes: dict[str, Shape] = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    for value in (*inferred.input, *inferred.value_info, *inferred.output):
        tensor = value.type.tensor_type
        if tensor.HasField("shape") and all(size.HasField("dim_value") for size in tensor.shape.dim):
            shapes[value.name] = tuple(size.dim_value for size in tensor.shape.dim)
    return shapes


def _outline(model: ModelProto) -> ModelProto:
    """Return the graph for one image without what the shapes do not depend on; what it says of its results is not
    believed."""
    graph = model.graph
    large = [tensor for tensor in graph.initializer if math.prod(tensor.dims) > KEPT_NUMBERS]
    small = [tensor for tensor in graph.initializer if math.prod(tensor.dims) <= KEPT_NUMBERS]
    inputs = [helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)) for tensor in large]
    image = graph.input[0]
    sizes = [1, *(size.dim_value for size in image.type.tensor_type.shape.dim[1:])]
    inputs.append(helper.make_tensor_value_info(image.name, image.type.tensor_type.elem_type, sizes))
    outputs = [helper.make_tensor_value_info(output.name, TensorProto.FLOAT, None) for output in graph.output]
    outline = ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    outline.graph.CopyFrom(GraphProto(name=graph.name, node=graph.node, input=inputs, output=outputs))
    outline.graph.initializer.extend(small)
    return outline

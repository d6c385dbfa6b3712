"""What the graph of an artefact may hold: known operators on numbers that lie in the file itself, and nothing else."""

import math
from collections import Counter
from collections.abc import Iterator

import onnx
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, helper

from shared.artefacts.cost import check_cost
from shared.artefacts.layer import problem_of_layer
from shared.artefacts.wire import check_wire
from shared.contract.artefact import INPUT, LARGEST_ARTEFACT_BYTES
from shared.runtime.errors import InvalidMessage
from shared.runtime.metrics import ARTEFACT_PARSES

DOMAINS = ("", "ai.onnx")
LARGEST_NODES = 5_000
DEEPEST_TENSOR = 8
LARGEST_SIDE = 1_024
_OPERATORS = """
Abs Add Ceil Clip Div Erf Exp Floor Log Max Mean Min Mul Neg Pow Reciprocal Round Sign Sqrt Sub Sum
And Equal Greater GreaterOrEqual Less LessOrEqual Not Or Where
Elu Gelu HardSigmoid HardSwish LeakyRelu LogSoftmax Mish PRelu Relu Selu Sigmoid Softmax Softplus Softsign Tanh
AveragePool Conv Dropout Gemm GlobalAveragePool GlobalMaxPool MatMul MaxPool
BatchNormalization GroupNormalization InstanceNormalization LayerNormalization
ArgMax ArgMin ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare
Cast Concat Constant Expand Flatten Gather Identity Pad Reshape Shape Slice Split Squeeze Transpose Unsqueeze
"""
OPERATORS = frozenset(_OPERATORS.split())
"""What a graph may compute: the operators of our exporters and those of usual image classifiers. None of them runs
another graph, repeats itself, or reads anything but its inputs; what they cost follows from the shapes."""
_T, _A = TensorProto, AttributeProto
_FLOATS = {_T.FLOAT, _T.FLOAT16, _T.BFLOAT16, _T.DOUBLE}
_WHOLE = {_T.BOOL, _T.UINT8, _T.INT8, _T.UINT16, _T.INT16, _T.UINT32, _T.INT32, _T.UINT64, _T.INT64}
_NUMBERS = frozenset(_FLOATS | _WHOLE)
_ATTRIBUTES = frozenset((_A.FLOAT, _A.INT, _A.STRING, _A.TENSOR, _A.FLOATS, _A.INTS, _A.STRINGS))


def parse_artefact(data: bytes) -> ModelProto:
    """Look through the bytes of an artefact, parse them, and count that. A model without nodes is a layer alone.

    Raises:
        InvalidMessage: they are no model that Pappus would make; the text says what is wrong.
    """
    if len(data) > LARGEST_ARTEFACT_BYTES:
        raise InvalidMessage(f"The artefact has {len(data)} bytes; at most {LARGEST_ARTEFACT_BYTES} are loaded.")
    check_wire(data)
    ARTEFACT_PARSES.labels("onnx").inc()
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # the protobuf library's own class, which differs between its implementations
        raise InvalidMessage(f"These {len(data)} bytes are not an ONNX graph ({error}). Was the object cut?") from error
    if model.graph.node:
        check_graph(model)
    elif (problem := problem_of_layer(model)) is not None:
        raise InvalidMessage(f"These {len(data)} bytes are no artefact: {problem}. Train it again.")
    return model


def check_graph(model: ModelProto) -> None:
    """Look at everything in the graph, and at what one answer costs.

    Raises:
        InvalidMessage: the graph may not be run; the text says what is wrong.
    """
    if (problem := _problem_of(model)) is not None:
        raise InvalidMessage(f"The model may not be run: {problem}. Train it again.")
    check_cost(model)


def _problem_of(model: ModelProto) -> str | None:
    graph = model.graph
    if model.functions or model.training_info or graph.sparse_initializer:
        return "it brings functions, training steps or sparse numbers"
    if [entry.domain for entry in model.opset_import if entry.domain not in DOMAINS] or len(model.opset_import) != 1:
        return "it needs operators of other domains than ONNX's own"
    if [entry.name for entry in graph.input] != [INPUT]:
        return f"it asks for other inputs than {INPUT!r}"
    sizes = graph.input[0].type.tensor_type.shape.dim
    if len(sizes) != 4 or not all(0 < size.dim_value <= LARGEST_SIDE for size in sizes[1:]):
        return "the size of the images that it takes is not fixed"
    names = Counter([INPUT, *(tensor.name for tensor in graph.initializer)])
    names.update(name for node in graph.node for name in node.output if name)
    if (twice := names.most_common(1)[0])[1] > 1:
        return f"it computes {twice[0]!r} twice"
    if len(graph.node) > LARGEST_NODES:
        return f"it has {len(graph.node)} nodes, more than {LARGEST_NODES}"
    problems = (*map(_problem_of_node, graph.node), *map(_problem_of_tensor, _tensors(model)))
    return next((problem for problem in problems if problem is not None), None)


def _problem_of_node(node: NodeProto) -> str | None:
    if node.domain not in DOMAINS or node.op_type not in OPERATORS:
        return f"the operator {node.domain}:{node.op_type} is not among those a model may use"
    for attribute in node.attribute:
        if attribute.type not in _ATTRIBUTES or attribute.ref_attr_name or attribute.name.startswith("value_string"):
            return f"the attribute {attribute.name!r} of {node.op_type} holds a graph or something unknown"
        if attribute.name == "to" and attribute.i not in _NUMBERS:  # one text takes as much memory as ten numbers
            return f"{node.op_type} makes something else than numbers"
        if attribute.HasField("g") or attribute.graphs or attribute.HasField("sparse_tensor"):
            return f"the attribute {attribute.name!r} of {node.op_type} holds a graph"
    return None


def _tensors(model: ModelProto) -> Iterator[TensorProto]:
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _problem_of_tensor(tensor: TensorProto) -> str | None:
    if tensor.data_location != TensorProto.DEFAULT or tensor.external_data:
        return f"the numbers {tensor.name!r} lie in another file"
    if tensor.data_type not in _NUMBERS:
        return f"{tensor.name!r} holds no numbers"
    if len(tensor.dims) > DEEPEST_TENSOR or any(size < 0 for size in tensor.dims):
        return f"the numbers {tensor.name!r} have the impossible shape {list(tensor.dims)[:DEEPEST_TENSOR]}"
    if _counted(tensor) != math.prod(tensor.dims):
        return f"{tensor.name!r} has other numbers than its shape {list(tensor.dims)} says"
    return None


def _counted(tensor: TensorProto) -> int:
    """Return how many numbers are there; -1 if one of them is cut."""
    if tensor.HasField("raw_data"):
        count, rest = divmod(len(tensor.raw_data), helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)
        return -1 if rest else count
    lists = (tensor.float_data, tensor.int32_data, tensor.int64_data, tensor.double_data, tensor.uint64_data)
    return max(map(len, lists))

"""Artefacts as strangers may write them: refused before anything in them runs."""

import json
import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from PIL import Image

from services.predictor.model.onnx_model import InvalidArtefact, Model
from services.trainer.model.onnx_artefact import Artefact
from shared.artefacts import parse_artefact
from shared.artefacts.wire import check_wire
from shared.contract.artefact import METADATA_KEY
from shared.runtime.errors import InvalidMessage
from tests.unit.predictor.small_model import METADATA, small_artefact
from tests.unit.trainer.model.test_onnx_artefact import assembled

Change = Callable[[ModelProto], None]


def changed(change: Change) -> bytes:
    """Return a good artefact after a change."""
    model = onnx.load_model_from_string(small_artefact())
    change(model)
    return bytes(model.SerializeToString())


def constant(value: object, name: str, kind: type = np.int64) -> TensorProto:
    return numpy_helper.from_array(np.array(value, kind), name)


def feeding_the_bias(nodes: list[NodeProto], *numbers: TensorProto) -> Change:
    """Return a change after which the result `evil` of `nodes` is added to the answer."""

    def change(model: ModelProto) -> None:
        rest = [NodeProto.FromString(node.SerializeToString()) for node in model.graph.node]
        for node in rest:
            if node.op_type == "Gemm" and "bias" in node.input:
                node.input[2] = "evil"
        del model.graph.node[:]
        model.graph.node.extend([*nodes, *rest])
        model.graph.initializer.extend(numbers)

    return change


def loop(rounds: int) -> Change:
    body = helper.make_graph(
        [helper.make_node("Identity", ["on"], ["still"]), helper.make_node("Identity", ["before"], ["after"])],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("before", TensorProto.FLOAT, [2]),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.FLOAT, [2]),
        ],
    )
    node = helper.make_node("Loop", ["rounds", "", "bias"], ["evil"], body=body)
    return feeding_the_bias([node], constant(rounds, "rounds"))


def in_the_file(name: str) -> Change:
    tensor = TensorProto(name="bytes", dims=[2], data_type=TensorProto.UINT8, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=name)
    tensor.external_data.add(key="length", value="2")
    return feeding_the_bias([helper.make_node("Cast", ["bytes"], ["evil"], to=TensorProto.FLOAT)], tensor)


def in_the_file_of_an_attribute(name: str) -> Change:
    tensor = TensorProto(dims=[2], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=name)
    return feeding_the_bias([helper.make_node("Constant", [], ["evil"], value=tensor)])


def in_the_file_of_a_branch(name: str) -> Change:
    tensor = TensorProto(name="t", dims=[2], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=name)
    out = [helper.make_tensor_value_info("t", TensorProto.FLOAT, [2])]
    branch = helper.make_graph([], "branch", [], out, [tensor])
    node = helper.make_node("If", ["yes"], ["evil"], then_branch=branch, else_branch=branch)
    return feeding_the_bias([node], constant(True, "yes", np.bool_))


def column_times_row(model: ModelProto) -> None:
    side = 200_000
    feeding_the_bias(
        [
            helper.make_node("Mul", ["column", "row"], ["huge"]),
            helper.make_node("ReduceSum", ["huge"], ["evil"], keepdims=0),
        ],
        constant(np.zeros((side, 1)), "column", np.float32),
        constant(np.zeros((1, side)), "row", np.float32),
    )(model)


def many_products(model: ModelProto) -> None:
    """Little memory, and much to compute."""
    nodes = [helper.make_node("MatMul", ["square", "square"], ["s0"])]
    nodes += [helper.make_node("MatMul", [f"s{n}", "square"], [f"s{n + 1}"]) for n in range(40)]
    nodes += [helper.make_node("ReduceSum", ["s40"], ["evil"], keepdims=0)]
    feeding_the_bias(nodes, constant(np.zeros((700, 700)), "square", np.float32))(model)


def large_constant(model: ModelProto) -> None:
    feeding_the_bias(
        [
            helper.make_node("ConstantOfShape", ["size"], ["huge"]),
            helper.make_node("ReduceSum", ["huge"], ["evil"], keepdims=0),
        ],
        constant([250_000_000], "size"),
    )(model)


def expanded(model: ModelProto) -> None:
    feeding_the_bias(
        [
            helper.make_node("Expand", ["one", "size"], ["huge"]),
            helper.make_node("ReduceSum", ["huge"], ["evil"], keepdims=0),
        ],
        constant([1 << 40], "size"),
    )(model)


def padded(model: ModelProto) -> None:
    feeding_the_bias(
        [
            helper.make_node("Pad", ["bias", "ends"], ["huge"]),
            helper.make_node("ReduceSum", ["huge"], ["evil"], keepdims=0),
        ],
        constant([0, 1 << 33], "ends"),
    )(model)


def of_a_size_nobody_knows(model: ModelProto) -> None:
    feeding_the_bias(
        [
            helper.make_node("Cast", ["number"], ["size"], to=TensorProto.INT64),
            helper.make_node("Expand", ["one", "size"], ["huge"]),
            helper.make_node("ReduceSum", ["huge"], ["evil"], keepdims=0),
        ],
        constant([1e12], "number", np.float32),
    )(model)


def without_a_size(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "height"


def another_domain(model: ModelProto) -> None:
    model.opset_import.add(domain="com.microsoft", version=1)
    feeding_the_bias([helper.make_node("FusedGemm", ["bias"], ["evil"], domain="com.microsoft")])(model)


def a_function(model: ModelProto) -> None:
    opset = [helper.make_opsetid("", 18)]
    nodes = [helper.make_node("Identity", ["a"], ["b"])]
    model.functions.append(helper.make_function("", "Mine", ["a"], ["b"], nodes, opset))


def training_steps(model: ModelProto) -> None:
    model.training_info.add().algorithm.name = "steps"


def fewer_numbers_than_it_says(model: ModelProto) -> None:
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "bias")
    tensor.dims[:] = [1 << 32]


def texts(model: ModelProto) -> None:
    feeding_the_bias(
        [
            helper.make_node("Cast", ["bias"], ["texts"], to=TensorProto.STRING),
            helper.make_node("Cast", ["texts"], ["evil"], to=TensorProto.FLOAT),
        ]
    )(model)


def numbers_of_another_size(model: ModelProto) -> None:
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "bias")
    tensor.raw_data = tensor.raw_data + b"x"


def endless_metadata(model: ModelProto) -> None:
    helper.set_model_props(model, {METADATA_KEY: "[" * 100_000})


def odd_metadata(model: ModelProto) -> None:
    metadata = json.loads(METADATA.to_json()) | {"labels": [["dandelion"], {"grass": 1}]}
    helper.set_model_props(model, {METADATA_KEY: json.dumps(metadata)})


def odd_corrections(model: ModelProto) -> None:
    metadata = json.loads(METADATA.to_json()) | {"corrections": [[5, 1e999]]}
    helper.set_model_props(model, {METADATA_KEY: json.dumps(metadata)})


HOSTILE: dict[str, Change] = {
    "texts": texts,
    "numbers of another size": numbers_of_another_size,
    "metadata without end": endless_metadata,
    "labels that are no texts": odd_metadata,
    "corrections that are none": odd_corrections,
    "2^62 rounds": loop(1 << 62),
    "numbers in another file": in_the_file("secret.bin"),
    "an attribute in another file": in_the_file_of_an_attribute("secret.bin"),
    "a branch in another file": in_the_file_of_a_branch("secret.bin"),
    "250 million numbers": large_constant,
    "column times row": column_times_row,
    "billions of products": many_products,
    "a number repeated": expanded,
    "a list made longer": padded,
    "a computed size": of_a_size_nobody_knows,
    "an image of any size": without_a_size,
    "operators of another domain": another_domain,
    "a function": a_function,
    "training steps": training_steps,
    "a shape without numbers": fewer_numbers_than_it_says,
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_graph_is_refused_by_all_who_load_it(
    change: Change, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret.bin").write_bytes(struct.pack("<2f", 0.25, 0.75))
    monkeypatch.chdir(tmp_path)
    artefact = changed(change)
    with pytest.raises(InvalidArtefact):
        Model(artefact)
    with pytest.raises(InvalidMessage):
        Artefact.parse(artefact)


def picture_and_model() -> bytes:
    """Return a BMP file of 32 x 32 pixels whose bytes are also a model: "BM" begins an operator set of 77 bytes, and
    the rest of the header is the name of its domain."""
    size = struct.unpack("<I", b"\x0a\x4bxx")[0]  # of the file, and field 1 with 75 bytes
    header = struct.pack("<IHHI", size, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, 32, 32, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + header.ljust(77, b"\0") + small_artefact()


def test_a_picture_that_is_also_a_model_is_refused() -> None:
    data = picture_and_model()
    assert Image.open(BytesIO(data)).size == (32, 32)
    assert onnx.load_model_from_string(data).graph.node, "the parser takes it"
    with pytest.raises(InvalidArtefact, match=r"other domains|does not know|twice"):
        Model(data)


@pytest.mark.parametrize(
    "tail",
    [
        b"\xa2\x06\x03abc",  # a field 100
        b"\x08\x0a",  # the version of the format once more
        b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # a number without end
        b"\x3a\xff\xff\x03\x00",  # a graph that is longer than the file
        b"\x0d\x00\x00\x00\x00",  # the version of the format as another type
        b"\x3b",  # a group
    ],
)
def test_bytes_that_our_writer_never_writes_are_refused(tail: bytes) -> None:
    with pytest.raises(InvalidMessage):
        check_wire(small_artefact() + tail)


def test_a_small_file_of_many_empty_pieces_is_refused_unparsed() -> None:
    nodes = b"\x0a\x00" * 300_000
    graph = b"\x3a" + bytes([len(nodes) & 127 | 128, len(nodes) >> 7 & 127 | 128, len(nodes) >> 14]) + nodes
    with pytest.raises(InvalidMessage, match="fields"):
        parse_artefact(graph)


def test_graphs_in_graphs_are_refused_unparsed() -> None:
    inner = b""
    for _ in range(60):
        inner = b"\x32" + _length(inner) + inner  # an attribute's graph
        inner = b"\x2a" + _length(inner) + inner  # a node's attribute
        inner = b"\x0a" + _length(inner) + inner  # a graph's node
    with pytest.raises(InvalidMessage, match="deep"):
        parse_artefact(b"\x3a" + _length(inner) + inner)


def test_short_numbers_that_grow_in_memory_are_refused() -> None:
    def change(model: ModelProto) -> None:
        model.graph.initializer.add(name="many", data_type=TensorProto.INT64, int64_data=[0] * 1_100_000)

    with pytest.raises(InvalidMessage, match="whole numbers"):
        parse_artefact(changed(change))


def test_an_artefact_larger_than_any_model_is_refused() -> None:
    with pytest.raises(InvalidArtefact, match="100000001 bytes"):
        Model(bytes(100_000_001))


def test_labels_of_another_installation_are_refused() -> None:
    assert Model(small_artefact(), ("grass", "moss", "dandelion")).metadata.labels == METADATA.labels
    with pytest.raises(InvalidArtefact, match="PAPPUS_LABELS"):
        Model(small_artefact(), ("grass", "moss"))


def test_a_head_that_does_not_fit_its_labels_is_refused() -> None:
    model = onnx.load_model_from_string(assembled().data)
    bias = next(tensor for tensor in model.graph.initializer if tensor.name == "head.bias")
    bias.CopyFrom(constant([1, 2], "head.bias", np.float32))
    with pytest.raises(InvalidMessage, match="do not fit 3 labels"):
        Artefact.parse(bytes(model.SerializeToString()))


def test_artefacts_of_trainer_and_tests_are_taken() -> None:
    assert parse_artefact(small_artefact()).graph.node
    assert Artefact.parse(assembled().data).data == assembled().data


def _length(data: bytes) -> bytes:
    found, left = b"", len(data)
    while left > 127:
        found, left = found + bytes([left & 127 | 128]), left >> 7
    return found + bytes([left])

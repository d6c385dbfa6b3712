"""Requests and answers of the Open Inference Protocol, as JSON and with bytes behind it."""

import base64
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from services.predictor.api.standards.pictures import bmp_of, images_of
from services.predictor.api.standards.tensors import (
    Output,
    flatten,
    pack_bytes,
    read_request,
    unpack_bytes,
    write_answer,
)
from shared.http.problems import Problem
from shared.imaging.decoding import decode
from tests.unit.predictor.small_model import picture

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["image", "pixels", "label"]) | JSON,
        "datatype": st.sampled_from(["BYTES", "UINT8", "FP32"]) | JSON,
        "shape": st.lists(st.integers(-1, 4), max_size=5) | JSON,
        "data": st.lists(st.sampled_from(["", "AAAA", "!", 0, 255, 256, None]), max_size=4) | JSON,
        "parameters": st.fixed_dictionaries({}, optional={"binary_data_size": st.integers(-1, 20) | JSON}) | JSON,
    },
)
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "id": JSON,
        "inputs": st.lists(FIELDS, max_size=3) | JSON,
        "outputs": st.lists(FIELDS, max_size=3) | JSON,
        "parameters": st.fixed_dictionaries({}, optional={"binary_data_output": st.booleans() | JSON}) | JSON,
    },
)


def written(inputs: list[dict[str, Any]], behind: bytes = b"", **more: object) -> tuple[bytes, str]:
    """Return a body, and the header that says how much of it is JSON."""
    head = json.dumps({"inputs": inputs, **more}).encode()
    return head + behind, str(len(head))


def tensor(name: str, shape: list[int], **more: object) -> dict[str, Any]:
    return {"name": name, "datatype": "BYTES" if name == "image" else "UINT8", "shape": shape, **more}


@given(elements=st.lists(st.binary(max_size=30), max_size=8))
def test_elements_are_packed_and_unpacked(elements: list[bytes]) -> None:
    assert unpack_bytes(pack_bytes(elements), most=len(elements)) == elements


@given(files=st.lists(st.binary(max_size=30), min_size=1, max_size=5), binary=st.booleans(), column=st.booleans())
def test_files_are_read_from_json_and_from_bytes(files: list[bytes], binary: bool, column: bool) -> None:
    shape = [len(files), 1] if column else [len(files)]
    if binary:
        packed = pack_bytes(files)
        asked = written([tensor("image", shape, parameters={"binary_data_size": len(packed)})], packed)
    else:
        texts: list[Any] = [base64.b64encode(each).decode() for each in files]
        asked = written([tensor("image", shape, data=[[text] for text in texts] if column else texts)])
    assert images_of(read_request(*asked).inputs) == files


@given(
    pixels=arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=6).map(lambda s: (*s, 3))),
    how=st.sampled_from(["binary", "nested", "flat", "one"]),
)
def test_pixels_become_files_that_keep_every_pixel(pixels: NDArray[np.uint8], how: str) -> None:
    if how == "one":
        pixels = pixels[:1]
    sent = pixels[0] if how == "one" else pixels
    if how in ("binary", "one"):
        more = tensor("pixels", list(sent.shape), parameters={"binary_data_size": sent.nbytes})
        asked = written([more], sent.tobytes())
    else:
        data = sent.tolist() if how == "nested" else sent.ravel().tolist()
        asked = written([tensor("pixels", list(sent.shape), data=data)])
    files = images_of(read_request(*asked).inputs)
    np.testing.assert_array_equal([decode(file) for file in files], pixels)


def test_a_picture_made_of_pixels_is_a_bmp_file() -> None:
    assert bmp_of(decode(picture()))[:2] == b"BM"


@given(rows=arrays(np.float32, (3, 2), elements=st.floats(0, 1, width=32)), binary=st.tuples(*[st.booleans()] * 2))
def test_an_answer_is_json_then_the_bytes_of_its_tensors(rows: NDArray[np.float32], binary: tuple[bool, bool]) -> None:
    outputs = [Output("label", ["Löwenzahn", "", "grass"]), Output("probabilities", rows)]
    body, json_bytes = write_answer({"id": "7"}, zip(outputs, binary, strict=True))
    assert (json_bytes is None) == (not any(binary))
    found, rest = json.loads(body[:json_bytes]), body[len(body) if json_bytes is None else json_bytes :]
    assert found["id"] == "7"
    assert [(each["name"], each["datatype"], each["shape"]) for each in found["outputs"]] == [
        ("label", "BYTES", [3]),
        ("probabilities", "FP32", [3, 2]),
    ]
    values: list[Any] = []
    for each in found["outputs"]:
        size = each.get("parameters", {}).get("binary_data_size")
        values.append(each["data"] if size is None else rest[:size])
        rest = rest[size or 0 :]
    assert rest == b""
    labels, probabilities = values
    if binary[0]:
        labels = [each.decode() for each in unpack_bytes(labels, most=3)]
    assert labels == ["Löwenzahn", "", "grass"]
    found_rows = np.frombuffer(probabilities, "<f4") if binary[1] else np.array(probabilities, np.float32)
    np.testing.assert_array_equal(found_rows.reshape(3, 2), rows)


def problem_of(body: bytes, header: str | None) -> Problem | None:
    try:
        images_of(read_request(body, header).inputs)
    except Problem as problem:
        return problem
    return None


@given(request=REQUESTS, behind=st.binary(max_size=20), length=st.none() | st.text(max_size=4))
def test_rubbish_is_refused_with_a_sentence(request: dict[str, Any], behind: bytes, length: str | None) -> None:
    head = json.dumps(request).encode()
    for header in (length, str(len(head))):
        problem = problem_of(head + behind, header)
        assert problem is None or (problem.status_code, problem.error) == (400, "bad_request")
        assert problem is None or len(problem.detail) < 500


def image(data: object = ("AAAA",), shape: object = (1,), **more: object) -> dict[str, Any]:
    return {"name": "image", "datatype": "BYTES", "shape": shape, "data": data, **more}


def pixels(data: object, shape: object = (1, 1, 3)) -> dict[str, Any]:
    return {"name": "pixels", "datatype": "UINT8", "shape": shape, "data": data}


@pytest.mark.parametrize(
    ("request_json", "said"),
    [
        ([], "no object"),
        ({}, "`inputs` is no list"),
        ({"inputs": []}, "The inputs are none. Send one"),
        ({"inputs": [image(), image()]}, "The inputs are 'image' of BYTES, 'image' of BYTES"),
        ({"inputs": [{**image(), "name": "picture"}]}, "'picture' of BYTES"),
        ({"inputs": [{**image(), "datatype": "FP32"}]}, "none of BYTES, UINT8"),
        ({"inputs": [{**image(), "datatype": "UINT8"}]}, "Send one: 'image' of BYTES"),
        ({"inputs": [image(shape="1")]}, "no list of whole numbers"),
        ({"inputs": [image(shape=[True])]}, "no list of whole numbers"),
        ({"inputs": [image(shape=[1] * 5)]}, "Send four at most"),
        ({"inputs": [image(shape=[1, 2])]}, r"Send \[N\] or \[N, 1\]"),
        ({"inputs": [image(shape=[0], data=[])]}, "no image"),
        ({"inputs": [image(shape=[65], data=["AAAA"] * 65)]}, "has 65 images. Send 1 to 64"),
        ({"inputs": [image(shape=[2])]}, "has 1 elements, and its shape"),
        ({"inputs": [image(data=[7])]}, "not a number"),
        ({"inputs": [image(data=["A"])]}, "not base64"),
        ({"inputs": [image(data=["\ud800"])]}, "not base64"),
        ({"inputs": [image(data="AAAA")]}, "has no data"),
        ({"inputs": [image(parameters={"binary_data_size": 1})]}, "Send one of them"),
        ({"inputs": [image(parameters=[1])]}, "`parameters` is a list"),
        ({"inputs": [pixels([1, 2, 256])]}, "0 to 255"),
        ({"inputs": [pixels([1, 2, True])]}, "0 to 255"),
        ({"inputs": [pixels([1, 2])]}, "has 2 elements"),
        ({"inputs": [pixels([1, 2, 3, 4], [1, 1, 4])]}, r"\[H, W, 3\]"),
        ({"inputs": [pixels([], [1, 0, 3])]}, r"\[H, W, 3\]"),
        ({"inputs": [image()], "id": 7}, "`id` is a number"),
        ({"inputs": [image()], "parameters": {"binary_data_output": 1}}, "binary_data_output is a number"),
        ({"inputs": [image()], "outputs": ["label"]}, "`outputs` is no list of objects"),
        ({"inputs": [image()], "outputs": [{}]}, "name of an output is null"),
        ({"inputs": [image()], "outputs": [{"name": "label", "parameters": {"classification": 2}}]}, "Classification"),
    ],
)
def test_a_refusal_says_what_is_wrong_and_what_to_do(request_json: object, said: str) -> None:
    with pytest.raises(Problem, match=r"^400: ") as refused:
        images_of(read_request(json.dumps(request_json).encode(), None).inputs)
    assert refused.match(said)


@pytest.mark.parametrize(
    ("body", "header", "said"),
    [
        (b"{}", "3", "how many bytes of the 2 are JSON"),
        (b"{}", "-1", "are JSON"),
        (b"{}", "9" * 5000, "are JSON"),
        (b"{", None, "no JSON"),
        (b"\xff\xfe", None, "no JSON"),
        (b"[" * 20_000, None, "no JSON"),
        (b"[" * 20_001, None, "more than 20,000 lists"),
        (b"[" + b"1," * 300_000 + b"1]", None, "more than 300,000 values"),
        (*written([tensor("image", [1], parameters={"binary_data_size": 9})], b"1234"), "4 bytes that are left"),
        (*written([tensor("image", [1], parameters={"binary_data_size": 2})], b"1234"), "2 bytes are left behind"),
        (*written([tensor("image", [1], parameters={"binary_data_size": 4})], b"1234"), "ends within an element"),
        (*written([tensor("image", [1], parameters={"binary_data_size": 8})], bytes(8)), "more than the 1 elements"),
        (*written([tensor("image", [2], parameters={"binary_data_size": 4})], bytes(4)), "has 1 elements"),
        (*written([tensor("pixels", [1, 1, 3], parameters={"binary_data_size": 4})], b"1234"), "has 4 elements"),
    ],
)
def test_bytes_that_do_not_fit_are_refused(body: bytes, header: str | None, said: str) -> None:
    with pytest.raises(Problem, match=r"^400: ") as refused:
        images_of(read_request(body, header).inputs)
    assert refused.match(said)


def test_lists_are_flattened_as_deep_as_the_shape_only() -> None:
    assert flatten([[1, [2]], 3], 2) == [1, [2], 3]
    assert flatten([1, 2], 4) == [1, 2]

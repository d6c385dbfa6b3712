"""Requests and answers of the Open Inference Protocol: tensors in JSON, or as bytes behind it (the binary tensor data
extension). Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.predictor.api.standards.batches import bad_request, kind_of, parse_object, write_json
from shared.http.problems import Problem

LENGTH_BYTES = 4
"""Before each element of a BYTES tensor stands its length, little-endian."""
DATATYPES = ("BYTES", "UINT8")
"""Those of inputs."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input. `data`: the bytes behind the JSON, or what stands in the JSON."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: memoryview | list[Any]

    @property
    def size(self) -> int:
        """How many elements the shape says."""
        product = 1
        for length in self.shape:
            product *= length
        return product


@dataclass(frozen=True, slots=True)
class OutputRequest:
    """An output that is asked for, and whether as bytes behind the JSON."""

    name: str
    binary: bool


@dataclass(frozen=True, slots=True)
class InferRequest:
    """A request. `outputs`: None if it names none."""

    id: str | None
    inputs: tuple[Tensor, ...]
    outputs: tuple[OutputRequest, ...] | None
    binary_outputs: bool


@dataclass(frozen=True, slots=True)
class Output:
    """An output: BYTES of texts, or FP32 (float32) of the shape."""

    name: str
    values: Sequence[str] | NDArray[np.float32]

    @property
    def datatype(self) -> str:
        """The name of the type of its elements."""
        return "FP32" if isinstance(self.values, np.ndarray) else "BYTES"

    @property
    def shape(self) -> list[int]:
        """The length of each dimension."""
        return list(self.values.shape) if isinstance(self.values, np.ndarray) else [len(self.values)]

    def listed(self) -> list[Any]:
        """Return the elements as JSON has them, flat."""
        return self.values.ravel().tolist() if isinstance(self.values, np.ndarray) else list(self.values)

    def packed(self) -> bytes:
        """Return the elements as bytes."""
        if isinstance(self.values, np.ndarray):
            return self.values.astype("<f4").tobytes()
        return pack_bytes(text.encode() for text in self.values)


def read_request(body: bytes, json_bytes: str | None) -> InferRequest:
    """Read a request. `json_bytes`: the header Inference-Header-Content-Length, None without one: all is JSON then.

    Raises:
        Problem: 400 with what is wrong.
    """
    length = len(body) if json_bytes is None else _number(json_bytes)
    if length is None or length > len(body):
        raise bad_request(
            f"Inference-Header-Content-Length is {json_bytes!r}. Send how many bytes of the {len(body)} are JSON."
        )
    found = parse_object(body[:length])
    rest = memoryview(body)[length:]
    inputs = []
    for each in _objects(found, "inputs"):
        tensor, taken = _tensor(each, rest)
        inputs.append(tensor)
        rest = rest[taken:]
    if rest:
        raise bad_request(f"{len(rest)} bytes are left behind the tensors. Name their length as binary_data_size.")
    default = _flag(_parameters(found), "binary_data_output", default=False)
    outputs = [_wanted(each, default) for each in _objects(found, "outputs")] if found.get("outputs") else None
    return InferRequest(_text_or_none(found, "id"), tuple(inputs), None if outputs is None else tuple(outputs), default)


def write_answer(fields: dict[str, Any], outputs: Iterable[tuple[Output, bool]]) -> tuple[bytes, int | None]:
    """Return the body of an answer with these outputs, each as bytes or not, and how many bytes of it are JSON (None if
    all are). `fields`: the others of the answer."""
    described, blobs = [], []
    for output, binary in outputs:
        entry = {"name": output.name, "datatype": output.datatype, "shape": output.shape}
        if binary:
            blobs.append(output.packed())
            described.append({**entry, "parameters": {"binary_data_size": len(blobs[-1])}})
        else:
            described.append({**entry, "data": output.listed()})
    head = write_json({**fields, "outputs": described})
    return b"".join((head, *blobs)), len(head) if blobs else None


def pack_bytes(elements: Iterable[bytes]) -> bytes:
    """Return the elements of a BYTES tensor, each behind its length."""
    return b"".join(len(each).to_bytes(LENGTH_BYTES, "little") + each for each in elements)


def unpack_bytes(data: bytes | memoryview, most: int) -> list[bytes]:
    """Return the elements of a BYTES tensor. Raises Problem (400) if a length does not fit, or there are more than
    `most` of them."""
    found: list[bytes] = []
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + LENGTH_BYTES], "little")
        at += LENGTH_BYTES
        if at + length > len(data):
            raise bad_request("The data of a BYTES tensor ends within an element. Send 4 bytes of length before each.")
        if len(found) == most:
            raise bad_request(f"A BYTES tensor has more than the {most} elements of its shape. Send as many.")
        found.append(bytes(data[at : at + length]))
        at += length
    return found


def flatten(data: list[Any], depth: int) -> list[Any]:
    """Return the elements of nested lists, `depth` levels deep at most; a flat list as it is."""
    for _ in range(depth - 1):
        if not any(isinstance(each, list) for each in data):
            break
        data = [value for each in data for value in (each if isinstance(each, list) else [each])]
    return data


def no_classification() -> Problem:
    """Return the problem of a request that asks for Triton's classification."""
    return bad_request("Classification is an extension that is not there. Ask for the outputs label and probabilities.")


def checked_head(name: object, datatype: object, shape: object) -> tuple[str, str, tuple[int, ...]]:
    """Return what stands before the data of an input. Raises Problem (400)."""
    if not isinstance(name, str):
        raise bad_request(f"The name of an input is {kind_of(name)}. Send a string.")
    if datatype not in DATATYPES:
        raise bad_request(f"The datatype of input {name[:40]!r} is none of {', '.join(DATATYPES)}. Send one of these.")
    if not isinstance(shape, list) or not all(type(each) is int and 0 <= each < 2**31 for each in shape):
        raise bad_request(f"The shape of input {name[:40]!r} is no list of whole numbers. Send one.")
    if len(shape) > len("NHWC"):
        raise bad_request(f"The shape of input {name[:40]!r} has {len(shape)} dimensions. Send four at most.")
    return name, str(datatype), tuple(shape)


def _tensor(found: dict[str, Any], rest: memoryview) -> tuple[Tensor, int]:
    """Return an input, and how many of the bytes that are left are its."""
    name, datatype, shape = checked_head(found.get("name"), found.get("datatype"), found.get("shape"))
    size = _parameters(found).get("binary_data_size")
    if size is None:
        if not isinstance(found.get("data"), list):
            raise bad_request(f"Input {name[:40]!r} has no data. Send a list in `data`, or name its binary_data_size.")
        return Tensor(name, datatype, shape, found["data"]), 0
    if "data" in found:
        raise bad_request(f"Input {name[:40]!r} has both `data` and binary_data_size. Send one of them.")
    if type(size) is not int or not 0 <= size <= len(rest):
        raise bad_request(
            f"The binary_data_size of input {name[:40]!r} is more than the {len(rest)} bytes that are left, or none."
            " Send the number of its bytes, and the header Inference-Header-Content-Length."
        )
    return Tensor(name, datatype, shape, rest[:size]), size


def _wanted(found: dict[str, Any], default: bool) -> OutputRequest:
    name, parameters = found.get("name"), _parameters(found)
    if not isinstance(name, str):
        raise bad_request(f"The name of an output is {kind_of(name)}. Send a string.")
    if "classification" in parameters:
        raise no_classification()
    return OutputRequest(name, _flag(parameters, "binary_data", default=default))


def _objects(found: dict[str, Any], name: str) -> list[dict[str, Any]]:
    entries = found.get(name)
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise bad_request(f"`{name}` is no list of objects. Send one.")
    return entries


def _parameters(found: dict[str, Any]) -> dict[str, Any]:
    parameters = found.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise bad_request(f"`parameters` is {kind_of(parameters)}. Send an object.")
    return parameters


def _flag(parameters: dict[str, Any], name: str, *, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise bad_request(f"The parameter {name} is {kind_of(value)}. Send true or false.")
    return value


def _text_or_none(found: dict[str, Any], name: str) -> str | None:
    value = found.get(name)
    if value is not None and not isinstance(value, str):
        raise bad_request(f"`{name}` is {kind_of(value)}. Send a string.")
    return value


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None

"""Requests and answers of the Open Inference Protocol as messages of gRPC. Pure."""

from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped]

from services.predictor.api.standards.batches import bad_request
from services.predictor.api.standards.inference import Inferred
from services.predictor.api.standards.protocol import open_inference_pb2 as pb
from services.predictor.api.standards.remote_calls.fields import check_fields, no_message
from services.predictor.api.standards.tensors import (
    InferRequest,
    Output,
    OutputRequest,
    Tensor,
    checked_head,
    no_classification,
    pack_bytes,
)

AMessage = TypeVar("AMessage", bound=Message)
_CONTENTS = {"BYTES": "bytes_contents", "UINT8": "uint_contents"}
"""Where the elements of an input are, by its datatype."""


def parse(kind: type[AMessage], data: bytes) -> AMessage:
    """Return a message. Raises Problem (400) if the bytes are none, or have too many fields (`check_fields`)."""
    check_fields(data, kind.DESCRIPTOR)
    try:
        found: AMessage = kind.FromString(data)
    except DecodeError as error:
        raise no_message(kind.DESCRIPTOR) from error
    return found


def read_request(data: bytes) -> tuple[InferRequest, str, str | None]:
    """Return what a request says, and which model and version it is for. The outputs come as bytes if the inputs did,
    as with Triton. Raises Problem (400)."""
    asked = parse(pb.ModelInferRequest, data)
    raw = asked.raw_input_contents
    if raw and len(raw) != len(asked.inputs):
        raise bad_request(
            f"raw_input_contents has {len(raw)} entries for {len(asked.inputs)} inputs. Send one for each, in their"
            " order."
        )
    inputs = [_tensor(each, raw[number] if raw else None) for number, each in enumerate(asked.inputs)]
    outputs = tuple(_wanted(each, bool(raw)) for each in asked.outputs) or None
    request = InferRequest(asked.id, tuple(inputs), outputs, bool(raw))
    return request, asked.model_name, asked.model_version or None


def write_answer(found: Inferred) -> pb.ModelInferResponse:
    """Return the answer to a request."""
    promotion = found.serving.promotion
    answer = pb.ModelInferResponse(model_name=promotion.model_name, model_version=promotion.version, id=found.id or "")
    for output, as_bytes in found.outputs:
        made = answer.outputs.add(name=output.name, datatype=output.datatype, shape=output.shape)
        if as_bytes:
            answer.raw_output_contents.append(output.packed())
        else:
            _fill(made.contents, output)
    return answer


def _tensor(found: Any, raw: bytes | None) -> Tensor:
    """Return an input; `raw`: its bytes, where they stand behind the inputs."""
    name, datatype, shape = checked_head(found.name, found.datatype, list(found.shape))
    contents = found.contents
    if raw is not None:
        if found.HasField("contents"):
            raise bad_request(f"Input {name[:40]!r} has both contents and raw_input_contents. Send one of them.")
        return Tensor(name, datatype, shape, memoryview(raw))
    others = [field.name for field, _ in contents.ListFields() if field.name != _CONTENTS[datatype]]
    if others:
        raise bad_request(
            f"Input {name[:40]!r} of {datatype} has {others[0]}. Send its data in {_CONTENTS[datatype]}, or in"
            " raw_input_contents."
        )
    if datatype == "BYTES":
        return Tensor(name, datatype, shape, memoryview(pack_bytes(contents.bytes_contents)))
    return Tensor(name, datatype, shape, list(contents.uint_contents))


def _wanted(found: Any, as_bytes: bool) -> OutputRequest:
    if "classification" in found.parameters:
        raise no_classification()
    return OutputRequest(found.name, as_bytes)


def _fill(contents: Any, output: Output) -> None:
    if output.datatype == "FP32":
        contents.fp32_contents.extend(output.listed())
    else:
        contents.bytes_contents.extend(text.encode() for text in output.listed())

"""What requests and answers of the protocols look like, for the description of the API."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class _Body(BaseModel):
    model_config = ConfigDict(protected_namespaces=())


class ErrorBody(_Body):
    """An error of the Open Inference Protocol: what is wrong, and what to do."""

    error: str


class LiveBody(_Body):
    """The replica lives."""

    live: bool


class ReadyBody(_Body):
    """The replica is ready."""

    ready: bool


class ServerBody(_Body):
    """The server: what of the protocol it speaks."""

    name: str
    version: str
    extensions: list[str]


class TensorBody(_Body):
    """An input or an output of a model. In a shape -1 is any length."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadataBody(_Body):
    """The model in service. A request has one of the inputs."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorBody]
    outputs: list[TensorBody]


class ModelReadyBody(_Body):
    """The model answers."""

    name: str
    ready: bool


class InferredTensor(_Body):
    """An output: its elements in `data`, or behind the JSON with their number of bytes in `parameters`."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, int] | None = None
    data: list[str] | list[float] | None = None


class InferredBody(_Body):
    """The answers about the images of a request, in their order."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[InferredTensor]


class ImagePrediction(_Body):
    """The answer about one image."""

    label: str
    name: str = ""
    probabilities: dict[str, float]
    prediction_id: UUID
    model_version: str


class InvocationsBody(_Body):
    """The answers about the images of a request, in their order."""

    predictions: list[ImagePrediction]


PARAMETERS = {"type": "object", "additionalProperties": True}
INFER_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string", "description": "Comes back in the answer"},
        "parameters": {**PARAMETERS, "description": "binary_data_output: all outputs as bytes behind the JSON"},
        "inputs": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": {
                "type": "object",
                "required": ["name", "datatype", "shape"],
                "properties": {
                    "name": {"type": "string", "enum": ["image", "pixels"]},
                    "datatype": {"type": "string", "enum": ["BYTES", "UINT8"]},
                    "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
                    "parameters": {**PARAMETERS, "description": "binary_data_size: its bytes behind the JSON"},
                    "data": {"type": "array", "items": {}, "description": "base64 of files, or numbers 0..255"},
                },
            },
        },
        "outputs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string"},
                    "parameters": {**PARAMETERS, "description": "binary_data: as bytes behind the JSON"},
                },
            },
        },
    },
}
BYTES_SCHEMA = {"type": "string", "format": "binary"}
INVOCATIONS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "One of the four, and in it a file as base64 for each image, in the column `image`",
    "properties": {
        "dataframe_split": {
            "type": "object",
            "properties": {
                # pandas numbers the columns that have no names
                "columns": {"type": "array", "items": {"type": ["string", "number"]}},
                "data": {"type": "array", "items": {"type": "array", "items": {}}},
            },
        },
        "dataframe_records": {"type": "array", "items": {"type": "object", "additionalProperties": True}},
        "instances": {},
        "inputs": {},
    },
}

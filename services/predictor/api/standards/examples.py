"""The examples of these protocols in the API's description."""

import base64
from collections.abc import Mapping
from functools import cache
from io import BytesIO
from typing import Any
from uuid import UUID

from PIL import Image

from services.predictor.api.standards.bodies import (
    ImagePrediction,
    InferredBody,
    InferredTensor,
    InvocationsBody,
    LiveBody,
    ModelMetadataBody,
    ModelReadyBody,
    ReadyBody,
    ServerBody,
    TensorBody,
)
from shared.http.examples import Example
from shared.http.limits import too_large, too_slow
from shared.http.problems import Problem

ERRORS = {
    400: "The request has no image. Send 1 to 64 in one request.",
    404: "There is no model 'flowers'. Ask for 'plants'.",
    408: too_slow().detail,
    413: too_large(20_000_000).detail,
    503: "No model has been promoted and loaded yet. Ask again when /readyz is green; /health says more.",
}
"""Errors of the Open Inference Protocol, by status."""
MODEL = "plants"


@cache
def small_picture() -> str:
    """Return a yellow PNG of 8 x 8 pixels as base64: short enough to be read past."""
    file = BytesIO()
    Image.new("RGB", (8, 8), (240, 200, 40)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def examples(version: str, prediction_id: UUID) -> Mapping[str, Example]:
    """Return the examples, by the names of the routes."""
    named: dict[str, object] = {"model_name": MODEL}
    of_version = {**named, "model_version": version}
    metadata = ModelMetadataBody(
        name=MODEL,
        versions=[version],
        platform="onnxruntime_onnx",
        inputs=[
            TensorBody(name="image", datatype="BYTES", shape=[-1]),
            TensorBody(name="pixels", datatype="UINT8", shape=[-1, -1, -1, 3]),
        ],
        outputs=[
            TensorBody(name="label", datatype="BYTES", shape=[-1]),
            TensorBody(name="probabilities", datatype="FP32", shape=[-1, 2]),
        ],
    )
    ready = ModelReadyBody(name=MODEL, ready=True)
    asked: dict[str, Any] = {
        "id": "42",
        "inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": [small_picture()]}],
        "outputs": [{"name": "label"}, {"name": "probabilities"}],
    }
    inferred = InferredBody(
        model_name=MODEL,
        model_version=version,
        id="42",
        outputs=[
            InferredTensor(name="label", datatype="BYTES", shape=[1], data=["dandelion"]),
            InferredTensor(name="probabilities", datatype="FP32", shape=[1, 2], data=[0.97, 0.03]),
        ],
    )
    prediction = ImagePrediction(
        label="dandelion",
        name="dandelion",
        probabilities={"dandelion": 0.97, "grass": 0.03},
        prediction_id=prediction_id,
        model_version=version,
    )
    table = {"columns": ["image"], "data": [[small_picture()]]}
    return {
        "describe_server": Example(
            answers={200: ServerBody(name="pappus", version="1", extensions=["binary_tensor_data"])}
        ),
        "tell_live": Example(answers={200: LiveBody(live=True)}),
        "tell_ready": Example(answers={200: ReadyBody(ready=True)}),
        "describe_model": Example(answers={200: metadata}, parameters=named),
        "describe_model_version": Example(answers={200: metadata}, parameters=of_version),
        "tell_model_ready": Example(answers={200: ready}, parameters=named),
        "tell_model_version_ready": Example(answers={200: ready}, parameters=of_version),
        "infer": Example(answers={200: inferred}, parameters=named, body=asked),
        "infer_version": Example(answers={200: inferred}, parameters=of_version, body=asked),
        "invoke": Example(
            answers={200: InvocationsBody(predictions=[prediction])},
            body={"dataframe_split": table},
            problems=[
                Problem(
                    415,
                    "unsupported_media_type",
                    "Send application/json or one of image/jpeg, image/png, image/webp, image/gif, image/bmp,"
                    " not 'text/csv'.",
                ),
            ],
        ),
        "ping": Example(problems=[Problem(503, "not_ready", "The replica is not ready. /health says why; ask again.")]),
    }

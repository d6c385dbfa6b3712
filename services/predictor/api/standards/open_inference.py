"""The Open Inference Protocol (version 2, as KServe, Triton, MLServer and their clients speak it) over HTTP."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Any

import numpy as np
from fastapi import Request
from fastapi.params import Depends
from fastapi.responses import JSONResponse, Response

from services.predictor.api.standards.batches import Batches, bad_request, read_body
from services.predictor.api.standards.bodies import (
    BYTES_SCHEMA,
    INFER_SCHEMA,
    ErrorBody,
    InferredBody,
    LiveBody,
    ModelMetadataBody,
    ModelReadyBody,
    ReadyBody,
    ServerBody,
)
from services.predictor.api.standards.examples import ERRORS
from services.predictor.api.standards.pictures import IMAGE, PIXELS, images_of
from services.predictor.api.standards.tensors import InferRequest, Output, OutputRequest, read_request, write_answer
from services.predictor.model.holder import ServingModel
from shared.http.api import Api
from shared.http.problems import Problem, problem_responses
from shared.runtime.health import Health

VERSION = "1"
"""Of the API, as its description has it."""
PREFIX = "/v2/models/"
LIVE, READY = "/v2/health/live", "/v2/health/ready"
MODEL, MODEL_VERSION = "/v2/models/{model_name}", "/v2/models/{model_name}/versions/{model_version}"
JSON_BYTES = "Inference-Header-Content-Length"
DEFAULT_OUTPUTS = ("label", "probabilities", "model_version", "prediction_id")
CLASSES = "classes"
"""An output on request: the label of each column of the probabilities."""
_Route = Callable[[Request], Awaitable[Response]]


def add_open_inference(app: Api, batches: Batches, health: Health, needs_key: Sequence[Depends]) -> None:
    """Add the routes. Those of health need no key."""
    routes = OpenInference(batches, health)
    of_key = (401, 429) if needs_key else ()

    def add(
        path: str, route: _Route, body: type | None, summary: str, errors: tuple[int, ...] = (), **more: Any
    ) -> None:
        keyed = path not in (LIVE, READY)
        app.add_api_route(
            path,
            _with_errors_of_protocol(route),
            name=more.pop("name", route.__name__),
            tags=["open inference protocol"],
            summary=summary,
            description=route.__doc__,
            response_description=summary,
            response_model=body,
            dependencies=list(needs_key) if keyed else [],
            responses={
                **problem_responses(*(of_key if keyed else ())),
                **{status: _error_response(status) for status in errors},
                **more.pop("responses", {}),
            },
            **more,
        )

    add("/v2", routes.describe_server, ServerBody, "Describe the server")
    add(LIVE, routes.tell_live, LiveBody, "Say whether the replica lives", (503,))
    add(READY, routes.tell_ready, ReadyBody, "Say whether the replica is ready", (503,))
    for path, version in ((MODEL, ""), (MODEL_VERSION, "_version")):
        of_path: dict[str, Any] = {"parameters": _path_parameters(path)}
        named = " of the version that is named" if version else ""
        add(
            path,
            routes.describe_model,
            ModelMetadataBody,
            f"Describe the model{named}",
            (404, 503),
            name=f"describe_model{version}",
            openapi_extra=of_path,
        )
        add(
            f"{path}/ready",
            routes.tell_model_ready,
            ModelReadyBody,
            f"Say whether the model answers{named}",
            (404, 503),
            name=f"tell_model{version}_ready",
            openapi_extra=of_path,
        )
        add(
            f"{path}/infer",
            routes.infer,
            InferredBody,
            f"Say what images show{named}",
            (400, 404, 408, 413, 503),
            name=f"infer{version}",
            methods=["POST"],
            openapi_extra={"parameters": [*of_path["parameters"], _JSON_BYTES_PARAMETER], "requestBody": _REQUEST_BODY},
            responses={200: {"content": {"application/octet-stream": {"schema": BYTES_SCHEMA}}}},
        )


class OpenInference:
    """The routes of the protocol."""

    def __init__(self, batches: Batches, health: Health) -> None:
        self._batches = batches
        self._predictions = batches.predictions
        self._health = health

    async def describe_server(self, _request: Request) -> Response:
        """Say which extensions of the protocol are there."""
        return JSONResponse({"name": "pappus", "version": VERSION, "extensions": ["binary_tensor_data"]})

    async def tell_live(self, _request: Request) -> Response:
        """As `/livez`."""
        return JSONResponse({"live": self._checked(self._health.live, "live")})

    async def tell_ready(self, _request: Request) -> Response:
        """As `/readyz`: a model answers."""
        return JSONResponse({"ready": self._checked(self._health.ready, "ready")})

    async def describe_model(self, request: Request) -> Response:
        """Name the inputs, of which a request has one, and the outputs. The version is that of the model in service;
        each of several replicas follows a promotion by itself."""
        serving = self._serving(request)
        labels = len(serving.model.metadata.labels)
        inputs = [(IMAGE, "BYTES", [-1]), (PIXELS, "UINT8", [-1, -1, -1, 3])]
        outputs = [
            *((name, "BYTES", [-1]) for name in DEFAULT_OUTPUTS if name != "probabilities"),
            ("probabilities", "FP32", [-1, labels]),
            (CLASSES, "BYTES", [labels]),
        ]
        return JSONResponse(
            {
                "name": serving.promotion.model_name,
                "versions": [serving.promotion.version],
                "platform": "onnxruntime_onnx",
                "inputs": [dict(zip(("name", "datatype", "shape"), each, strict=True)) for each in inputs],
                "outputs": [dict(zip(("name", "datatype", "shape"), each, strict=True)) for each in outputs],
            }
        )

    async def tell_model_ready(self, request: Request) -> Response:
        """A model that is in service is ready; every other one does not exist here."""
        return JSONResponse({"name": self._serving(request).promotion.model_name, "ready": True})

    async def infer(self, request: Request) -> Response:
        """Send files (`image`: BYTES, in JSON base64) or pixels (`pixels`: UINT8, RGB), 1 to 64 in one request. The
        outputs are label, probabilities, model_version and prediction_id; on request also `classes`, the label of each
        column of the probabilities. Tensors may be bytes behind the JSON (the binary tensor data extension)."""
        with self._predictions.refusals_counted():
            self._serving(request)  # what cannot be answered need not be read
            body = await read_body(request)
            take_apart = partial(_read, body, request.headers.get(JSON_BYTES))
            asked, images = await self._batches.read(take_apart, len(body))
            del body, take_apart
            wanted = _wanted_outputs(asked)
            serving = self._serving(request)  # read once: a request is answered by one version, the one it names
            found = await self._batches.answer(images, serving, request)
        fields = {"model_name": serving.promotion.model_name, "model_version": serving.promotion.version}
        if asked.id is not None:
            fields["id"] = asked.id
        labels = serving.model.metadata.labels
        content, json_bytes = write_answer(
            fields, [(_output(each.name, found, labels), each.binary) for each in wanted]
        )
        if json_bytes is None:
            return Response(content, media_type="application/json")
        return Response(content, headers={JSON_BYTES: str(json_bytes)}, media_type="application/octet-stream")

    def _serving(self, request: Request) -> ServingModel:
        """Return the model in service. Raises Problem: 503 without one, 404 if the path names another one."""
        serving = self._predictions.serving()
        promotion = serving.promotion
        name, version = request.path_params["model_name"], request.path_params.get("model_version")
        if name != promotion.model_name:
            detail = f"There is no model {name[:100]!r}. Ask for {promotion.model_name!r}."
            raise Problem(404, "no_such_model", detail)
        if version is not None and version != promotion.version:
            detail = (
                f"Version {version[:100]!r} of the model does not serve here; {promotion.version!r} does. Ask for that"
                " one, or name no version."
            )
            raise Problem(404, "no_such_version", detail)
        return serving

    def _checked(self, good: bool, what: str) -> bool:
        if not good:
            raise Problem(503, f"not_{what}", f"The replica is not {what}. /health says why; ask again.")
        return True


def _read(body: bytes, json_bytes: str | None) -> tuple[InferRequest, Sequence[bytes]]:
    """Return a request without its inputs, and its images. Raises Problem (400)."""
    asked = read_request(body, json_bytes)
    return replace(asked, inputs=()), images_of(asked.inputs)


def _wanted_outputs(asked: InferRequest) -> tuple[OutputRequest, ...]:
    """Return the outputs to send. Raises Problem (400) if one is unknown or named twice."""
    if asked.outputs is None:
        return tuple(OutputRequest(name, asked.binary_outputs) for name in DEFAULT_OUTPUTS)
    names = [each.name for each in asked.outputs]
    known = (*DEFAULT_OUTPUTS, CLASSES)
    if not set(names).issubset(known) or len(set(names)) < len(names):
        shown = ", ".join(repr(name[:40]) for name in names[:5])
        raise bad_request(f"The outputs {shown} are asked for. Ask for some of {', '.join(known)}, each once.")
    return asked.outputs


def _output(name: str, found: Sequence[dict[str, Any]], labels: Sequence[str]) -> Output:
    """Return one output of the answers, each the fields of a PredictionBody."""
    if name == CLASSES:
        return Output(name, list(labels))
    if name == "probabilities":
        rows = [[answer["probabilities"][label] for label in labels] for answer in found]
        return Output(name, np.array(rows, np.float32))
    return Output(name, [answer[name] for answer in found])


def _with_errors_of_protocol(route: _Route) -> _Route:
    """Return the route with its problems in the form of the protocol. An image that is none is a bad request there."""

    async def answer(request: Request) -> Response:
        try:
            return await route(request)
        except Problem as problem:
            status = 400 if problem.status_code == 422 else problem.status_code
            return JSONResponse({"error": problem.detail}, status, dict(problem.headers or {}))

    return answer


def _error_response(status: int) -> dict[str, Any]:
    example = {"application/json": {"example": {"error": ERRORS[status]}}}
    return {"model": ErrorBody, "description": HTTPStatus(status).phrase, "content": example}


def _path_parameters(path: str) -> list[dict[str, Any]]:
    names = [part.strip("{}") for part in path.split("/") if part.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


_JSON_BYTES_PARAMETER = {
    "name": JSON_BYTES,
    "in": "header",
    "required": False,
    "description": "How many bytes of the body are JSON, where tensors follow it",
    "schema": {"type": "integer", "minimum": 0},
}
_REQUEST_BODY = {
    "required": True,
    "content": {"application/json": {"schema": INFER_SCHEMA}, "application/octet-stream": {"schema": BYTES_SCHEMA}},
}

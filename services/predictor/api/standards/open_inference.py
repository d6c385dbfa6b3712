"""The Open Inference Protocol (version 2, as KServe, Triton, MLServer and their clients speak it) over HTTP."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.params import Depends
from fastapi.responses import JSONResponse, Response
from structlog.contextvars import get_contextvars

from services.predictor.api.predictions import Asker
from services.predictor.api.standards.batches import read_body
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
from services.predictor.api.standards.inference import SERVER, Inference, described
from services.predictor.api.standards.tensors import read_request, write_answer
from services.predictor.model.holder import ServingModel
from shared.http.api import Api
from shared.http.problems import Problem, problem_responses

PREFIX = "/v2/models/"
LIVE, READY = "/v2/health/live", "/v2/health/ready"
MODEL, MODEL_VERSION = "/v2/models/{model_name}", "/v2/models/{model_name}/versions/{model_version}"
JSON_BYTES = "Inference-Header-Content-Length"
_Route = Callable[[Request], Awaitable[Response]]


def add_open_inference(app: Api, inference: Inference, needs_key: Sequence[Depends]) -> None:
    """Add the routes. Those of health need no key."""
    routes = OpenInference(inference)
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

    def __init__(self, inference: Inference) -> None:
        self._inference = inference

    async def describe_server(self, _request: Request) -> Response:
        """Say which extensions of the protocol are there."""
        return JSONResponse(SERVER)

    async def tell_live(self, _request: Request) -> Response:
        """As `/livez`."""
        return JSONResponse({"live": _checked(self._inference.health.live, "live")})

    async def tell_ready(self, _request: Request) -> Response:
        """As `/readyz`: a model answers."""
        return JSONResponse({"ready": _checked(self._inference.health.ready, "ready")})

    async def describe_model(self, request: Request) -> Response:
        """Name the inputs, of which a request has one, and the outputs. The version is that of the model in service;
        each of several replicas follows a promotion by itself."""
        return JSONResponse(described(self._serving(request)))

    async def tell_model_ready(self, request: Request) -> Response:
        """A model that is in service is ready; every other one does not exist here."""
        return JSONResponse({"name": self._serving(request).promotion.model_name, "ready": True})

    async def infer(self, request: Request) -> Response:
        """Send files (`image`: BYTES, in JSON base64) or pixels (`pixels`: UINT8, RGB), 1 to 64 in one request. The
        outputs are label, probabilities, model_version and prediction_id; on request also `classes`, the label of each
        column of the probabilities. Tensors may be bytes behind the JSON (the binary tensor data extension)."""
        with self._inference.predictions.refusals_counted():
            self._serving(request)  # what cannot be answered need not be read
            body = await read_body(request)
            read = partial(read_request, body, request.headers.get(JSON_BYTES))
            size_bytes = len(body)
            del body
            asker = Asker.of(request.scope, get_contextvars().get("api_key"))
            found = await self._inference.infer(read, size_bytes, *_asked_for(request), asker, request.is_disconnected)
        fields = {"model_name": found.serving.promotion.model_name, "model_version": found.serving.promotion.version}
        if found.id is not None:
            fields["id"] = found.id
        content, json_bytes = write_answer(fields, found.outputs)
        if json_bytes is None:
            return Response(content, media_type="application/json")
        return Response(content, headers={JSON_BYTES: str(json_bytes)}, media_type="application/octet-stream")

    def _serving(self, request: Request) -> ServingModel:
        return self._inference.serving(*_asked_for(request))


def _asked_for(request: Request) -> tuple[str, str | None]:
    """Return the name and the version of the model in a path."""
    return request.path_params["model_name"], request.path_params.get("model_version")


def _checked(good: bool, what: str) -> bool:
    """Return True. Raises Problem (503) if the replica is not `what`."""
    if not good:
        raise Problem(503, f"not_{what}", f"The replica is not {what}. /health says why; ask again.")
    return True


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

"""The paths of one replica."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.telemetry import TelemetryConfig

from services.predictor.api import refusals
from services.predictor.api.bodies import ErrorBody, ModelBody, PredictionBody
from services.predictor.api.predictions import Predictions
from services.predictor.api.uploads import FIELD, read_upload
from shared.runtime.health import HEALTH_PATHS, Health, health_response
from shared.runtime.telemetry import continued

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Pappus predictor</title>
<h1>Pappus predictor</h1>
<form action="/predict" method="post" enctype="multipart/form-data">
<p><label>An image: <input type="file" name="file" accept="image/*" required></label>
<button>What is it?</button></p></form>
<ul><li><a href="/model">/model</a>: what answers here<li><a href="/docs">/docs</a>: how to ask
<li><a href="/health">/health</a>: how it is<li><a href="/metrics">/metrics</a>: what it counted</ul></html>"""

_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {
                        FIELD: {"type": "string", "format": "binary", "description": "JPEG, PNG, WebP, GIF, BMP"}
                    },
                }
            }
        },
    }
}
NO_SPANS: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}
"""The framework's own four spans cost a sixth of an answer; /predict opens the one that is needed."""


def _errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": ErrorBody} for status in statuses}


def build_app(predictions: Predictions, health: Health, upload_limit_bytes: int) -> FastAPI:
    """The application. The health paths answer whatever else is away."""
    app = FastAPI(
        title="Pappus predictor", version="1", description="Asks the champion about one image.", telemetry=NO_SPANS
    )
    refusals.install(app)

    @app.post(
        "/predict", response_model=PredictionBody, responses=_errors(400, 413, 415, 422, 503), openapi_extra=_FORM
    )
    async def predict(request: Request) -> Response:
        """What is on this image?"""
        with predictions.admitted(), continued(request.headers.get("traceparent"), "predict"):
            predictions.serving()  # without a model there is no point in reading the image
            content_type = request.headers.get("content-type", "")
            data = await read_upload(content_type, request.stream(), upload_limit_bytes)
            return JSONResponse(await predictions.answer(data))

    @app.get("/model", response_model=ModelBody, responses=_errors(503))
    async def model() -> Response:
        """What answers in this replica?"""
        return JSONResponse(predictions.model())

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def page() -> str:
        return PAGE

    async def answer_health(request: Request) -> Response:
        found = health_response(health, request.url.path)
        return Response(found.body, found.status, media_type=found.content_type)

    for path in HEALTH_PATHS:
        app.add_api_route(path, answer_health, methods=["GET"], include_in_schema=False)
    return app

"""MLflow's scoring protocol, as `mlflow models serve` and its clients speak it, and an image as it is."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from fastapi import Request
from fastapi.params import Depends
from fastapi.responses import PlainTextResponse, Response
from structlog.contextvars import get_contextvars

from services.predictor.api.predictions import Asker
from services.predictor.api.standards.batches import (
    Batches,
    bad_request,
    check_number,
    image_of_text,
    parse_object,
    read_body,
    write_json,
)
from services.predictor.api.standards.bodies import (
    BYTES_SCHEMA,
    INVOCATIONS_SCHEMA,
    ImagePrediction,
    InvocationsBody,
)
from services.predictor.api.standards.inference import VERSION
from shared.http.api import Api
from shared.http.forms import IMAGE_TYPES
from shared.http.problems import Problem, problem_responses
from shared.runtime.health import Health

PATH, PING = "/invocations", "/ping"
COLUMN = "image"
FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_TEXT: dict[str, Any] = {"content": {"text/plain": {"schema": {"type": "string"}}}}
_REQUEST_BODY = {
    "required": True,
    "content": {
        "application/json": {"schema": INVOCATIONS_SCHEMA},
        **{kind: {"schema": BYTES_SCHEMA} for kind in IMAGE_TYPES},
    },
}


def add_mlflow_scoring(app: Api, batches: Batches, health: Health, needs_key: Sequence[Depends]) -> None:
    """Add the routes. /ping needs no key; /health, which MLflow has too, is that of every service."""
    predictions, tags = batches.predictions, ["mlflow scoring"]
    of_key = (401, 429) if needs_key else ()

    @app.post(
        PATH,
        tags=list(tags),
        summary="Say what images show, as MLflow asks",
        response_description="What the images show",
        response_model=InvocationsBody,
        responses=problem_responses(*of_key, 400, 408, 413, 415, 422, 503),
        openapi_extra={"requestBody": _REQUEST_BODY},
        dependencies=list(needs_key),
    )
    async def invoke(request: Request) -> Response:
        """Send 1 to 64 files as base64 in one of MLflow's four forms of JSON, or one file as it is, under its
        Content-Type. Problems have MLflow's members, too: error_code and message."""
        try:
            with predictions.refusals_counted():
                predictions.serving()  # without a model there is no point in reading the images
                kind = _kind(request)
                body = await read_body(request)
                images = [body] if kind in IMAGE_TYPES else await batches.read(partial(_read, body), len(body))
                del body
                asker = Asker.of(request.scope, get_contextvars().get("api_key"))
                found = await batches.answer(images, predictions.serving(), asker, request.is_disconnected)
        except Problem as problem:
            problem.facts |= {"error_code": _error_code(problem.status_code), "message": problem.detail}
            raise
        records = [{name: answer[name] for name in ImagePrediction.model_fields} for answer in found]
        return Response(write_json({"predictions": records}), media_type="application/json")

    @app.get(
        PING,
        tags=list(tags),
        summary="Say whether the replica is ready, as MLflow asks",
        response_class=PlainTextResponse,
        responses={200: {**_TEXT, "description": "It is"}, **problem_responses(503)},
    )
    async def ping() -> Response:
        """As `/readyz`, without a body."""
        if not health.ready:
            raise Problem(503, "not_ready", "The replica is not ready. /health says why; ask again.")
        return PlainTextResponse("\n")

    @app.get(
        "/version",
        tags=list(tags),
        summary="Show the version of the server, as MLflow asks",
        response_class=PlainTextResponse,
        responses={200: {**_TEXT, "description": "The version"}, **problem_responses(*of_key)},
        dependencies=list(needs_key),
    )
    async def version() -> Response:
        """The version of this API, and not of MLflow, which no replica has. `/model` has that of the model."""
        return PlainTextResponse(VERSION)


def rows_of(found: dict[str, Any]) -> list[object]:
    """Return what stands for an image in each row of a request. Raises Problem (400): it has none of the four forms."""
    forms = [name for name in FORMS if name in found]
    if len(forms) != 1:
        raise bad_request(f"The JSON has {len(forms)} of {', '.join(FORMS)}. Send exactly one of them.")
    value = found[forms[0]]
    if forms[0] == "dataframe_split":
        return _rows_of_split(value)
    if isinstance(value, dict):  # by columns
        value = value[_column(list(value))]
    rows = value if isinstance(value, list) else [value]
    return [_cell(row) for row in rows]


def _read(body: bytes) -> list[bytes]:
    rows = rows_of(parse_object(body))
    check_number(len(rows))
    return [image_of_text(row) for row in rows]


def _rows_of_split(value: object) -> list[object]:
    table = value if isinstance(value, dict) else {}
    columns, data = table.get("columns"), table.get("data")
    if not isinstance(columns, list) or not isinstance(data, list):
        raise bad_request("`dataframe_split` has no lists `columns` and `data`. Send both.")
    if not all(isinstance(name, str | int | float) and not isinstance(name, bool) for name in columns):
        raise bad_request("A column in `columns` is neither a string nor a number. Name each column by one of them.")
    at = columns.index(_column(columns))
    if not all(isinstance(row, list) and len(row) == len(columns) for row in data):
        raise bad_request(f"A row of `data` has not the {len(columns)} values of `columns`. Send as many in each.")
    return [row[at] for row in data]


def _column(columns: list[Any]) -> Any:
    """Return the column of the images: that of this name, else the only one. Raises Problem (400)."""
    if COLUMN in columns:
        return COLUMN
    if len(columns) == 1:
        return columns[0]
    raise bad_request(f"None of the {len(columns)} columns is {COLUMN!r}. Name the one with the images so.")


def _cell(row: object) -> object:
    """Return the image of a row: itself, alone in a list, or in its column."""
    if isinstance(row, dict):
        return row[_column(list(row))]
    if isinstance(row, list):
        if len(row) != 1:
            raise bad_request(f"A row has {len(row)} values. Send one image a row, as base64.")
        return row[0]
    return row


def _kind(request: Request) -> str:
    """Return the media type of a request. Raises Problem (415) if none of it is read here."""
    given = request.headers.get("content-type", "")
    kind = given.partition(";")[0].strip().lower()
    if kind != "application/json" and kind not in IMAGE_TYPES:
        detail = f"Send application/json or one of {', '.join(IMAGE_TYPES)}, not {given[:100]!r}."
        raise Problem(415, "unsupported_media_type", detail)
    return kind


def _error_code(status: int) -> str:
    """Return the code by which MLflow names an error."""
    codes = {503: "TEMPORARILY_UNAVAILABLE", 429: "REQUEST_LIMIT_EXCEEDED"}
    return codes.get(status, "BAD_REQUEST")

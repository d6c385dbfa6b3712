"""What the protocols have in common: requests with several images, in JSON or as they are."""

import base64
import json
from collections.abc import Sequence
from typing import Any

from fastapi import Request
from starlette.types import Scope
from structlog.contextvars import get_contextvars

from services.predictor.api.predictions import Asker, Predictions
from services.predictor.model.holder import ServingModel
from shared.http.limits import too_large
from shared.http.problems import Problem
from shared.runtime.tracing import current_span

MOST_IMAGES = 64
"""In one request. More of them would only wait for each other: they are answered one after another."""
MOST_VALUES = 300_000
"""In one JSON body. A number takes some twenty times as long to read as a byte of base64: others wait."""

MOST_LISTS = 20_000
"""Of lists and objects in one JSON body. Many of them at once make Python look through all it has (its garbage
collector), which takes some ten times as long as reading them."""


class Batches:
    """Answers requests with several images, each of them like one to /predict."""

    def __init__(self, predictions: Predictions, upload_limit_bytes: int) -> None:
        self.predictions = predictions
        self.upload_limit_bytes = upload_limit_bytes

    async def answer(self, images: Sequence[bytes], serving: ServingModel, scope: Scope) -> list[dict[str, Any]]:
        """Return the fields of a PredictionBody for each image.

        Raises:
            Problem: 413 if one is larger than a file may be; as `Predictions.answer_each`.
        """
        if any(len(image) > self.upload_limit_bytes for image in images):
            raise too_large(self.upload_limit_bytes)
        asker = Asker.of(scope, get_contextvars().get("api_key"))
        return await self.predictions.answer_each(images, serving, current_span(), asker)


def check_number(count: int) -> None:
    """Raise Problem (400) for no image, or for too many."""
    if not 1 <= count <= MOST_IMAGES:
        found = f"{count} images" if count else "no image"
        raise bad_request(f"The request has {found}. Send 1 to {MOST_IMAGES} in one request.")


async def read_body(request: Request) -> bytes:
    """Return the whole body. Raises Problem: 400 if it is compressed; 408, 413, 503: see `shared.http.limits`."""
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise bad_request(
            f"The body is compressed ({encoding[:40]!r}). Send it as it is: pictures are compressed already."
        )
    return await request.body()


def parse_object(body: bytes) -> dict[str, Any]:
    """Return a JSON object. Raises Problem (400) if it is none, or has more than MOST_VALUES or MOST_LISTS."""
    if body.count(b",") >= MOST_VALUES:
        raise bad_request(
            f"The JSON has more than {MOST_VALUES:,} values. Send pixels as binary tensor data, or images as files."
        )
    if body.count(b"[") + body.count(b"{") > MOST_LISTS:
        raise bad_request(
            f"The JSON has more than {MOST_LISTS:,} lists. Send the data of a tensor as one flat list, or as bytes."
        )
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise bad_request(f"The body is no JSON ({str(error)[:100]}). Send a JSON object.") from error
    if not isinstance(found, dict):
        raise bad_request("The body is JSON, but no object. Send a JSON object.")
    return found


def image_of_text(value: object) -> bytes:
    """Return the bytes of a file that stands in JSON as base64, in lines or without. Raises Problem (400)."""
    if not isinstance(value, str):
        raise bad_request(f"An image is a string of base64, not {kind_of(value)}.")
    try:
        return base64.b64decode(value.replace("\n", "").replace("\r", ""), validate=True)
    except ValueError as error:
        raise bad_request(f"An image is not base64 ({error}). Encode the bytes of its file.") from error


def kind_of(value: object) -> str:
    """Return what JSON calls the kind of a value, for a sentence."""
    if value is None:
        return "null"
    names = {bool: "true or false", int: "a number", float: "a number", str: "a string", list: "a list"}
    return names.get(type(value), "an object")


def bad_request(detail: str) -> Problem:
    """Return the problem of a request that is not as the protocol says. `detail`: what is wrong, and what to do."""
    return Problem(400, "bad_request", detail)


def write_json(value: object) -> bytes:
    """Return JSON in ASCII: what a request said comes back whole, also where it was no valid Unicode."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()

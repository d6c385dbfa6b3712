"""What the protocols have in common: requests with several images, in JSON or as they are."""

import asyncio
import base64
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from services.predictor.api.predictions import Asker, HasLeft, Predictions
from services.predictor.model.holder import ServingModel
from services.predictor.model.scoring import INLINE_BYTES
from shared.http.limits import too_large
from shared.http.problems import Problem
from shared.imaging.lanes import estimated_seconds
from shared.runtime.threads import call_holding
from shared.runtime.tracing import current_span

MOST_IMAGES = 64
"""In one request. More of them would only wait for each other: they are answered one after another."""
MOST_SECONDS = 2.0
"""What the decoding of all images of a request may take, by the estimate from their structure; one alone may take what
it may in a request to /predict."""
LARGE_AT_ONCE = 4
"""So many large bodies are taken apart at once: each takes three times its size meanwhile."""
MOST_VALUES = 300_000
"""In one JSON body. A number takes some twenty times as long to read as a byte of base64: others wait."""

MOST_LISTS = 20_000
"""Of lists and objects in one JSON body. Many of them at once make Python look through all it has (its garbage
collector), which takes some ten times as long as reading them."""

T = TypeVar("T")


class Batches:
    """Answers requests with several images, each of them like one to /predict."""

    def __init__(self, predictions: Predictions, upload_limit_bytes: int) -> None:
        self.predictions = predictions
        self.upload_limit_bytes = upload_limit_bytes
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)

    async def read(self, take_apart: Callable[[], T], size_bytes: int) -> T:
        """Return what a function returns that takes a body of this size apart: a large one in a thread."""
        if size_bytes <= INLINE_BYTES:
            return take_apart()
        return await call_holding(self._large, take_apart)

    async def answer(
        self, images: Sequence[bytes], serving: ServingModel, asker: Asker, has_left: HasLeft
    ) -> list[dict[str, Any]]:
        """Return the fields of a PredictionBody for each image. The time that it waits counts from now.

        Raises:
            ClientDisconnect: the client has left.
            Problem: 413 if one is larger than a file may be, or all together take too long to decode; as
                `Predictions.answer_each`.
        """
        asker = asker._replace(arrived=None)
        found = await self.predictions.answer_each(
            self._checked(images), len(images), serving, current_span(), asker, has_left
        )
        if found is None:
            raise ClientDisconnect
        return found

    def _checked(self, images: Sequence[bytes]) -> Iterator[bytes]:
        """Yield the images. Raises Problem (413) instead of one that is too large, or takes too long."""
        seconds = 0.0
        for number, image in enumerate(images):
            if len(image) > self.upload_limit_bytes:
                raise too_large(self.upload_limit_bytes)
            if len(images) > 1:
                seconds += estimated_seconds(image)
            if number and seconds > MOST_SECONDS:
                detail = f"Image {number} and those before it take too long to decode. Send each in its own request."
                raise Problem(413, "too_complex", detail)
            yield image


def check_number(count: int) -> None:
    """Raise Problem (400) for no image, or for too many."""
    if not 1 <= count <= MOST_IMAGES:
        found = f"{count} images" if count else "no image"
        raise bad_request(f"The request has {found}. Send 1 to {MOST_IMAGES} in one request.")


async def read_body(request: Request) -> bytes:
    """Return the whole body, which the request does not keep.

    Raises:
        Problem: 400 if it is compressed; 408, 413, 503: see `shared.http.limits`.
    """
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise bad_request(
            f"The body is compressed ({encoding[:40]!r}). Send it as it is: pictures are compressed already."
        )
    return b"".join([chunk async for chunk in request.stream()])


def parse_object(body: bytes) -> dict[str, Any]:
    """Return a JSON object. Raises Problem (400) if it is none, or has more than MOST_VALUES or MOST_LISTS."""
    if body.count(b",") + body.count(b":") >= MOST_VALUES:
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
    if not value.isascii():  # a look at the string alone: what follows copies it
        raise bad_request("An image is not base64: it has characters that are not ASCII. Encode the bytes of its file.")
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

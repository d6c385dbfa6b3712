"""The routes of batches."""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header, Query, Request
from fastapi.responses import JSONResponse, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from structlog.contextvars import get_contextvars

from services.predictor.api.batches.bodies import AcceptedBody, BatchBody, BatchPredictionBody, NewBatch, links_of
from services.predictor.api.batches.received import read_batch
from services.predictor.api.batches.service import BatchService
from services.predictor.data.batches import BatchProgress
from shared.contract.batches import URL_LENGTH
from shared.http.api import Api
from shared.http.forms import FORM_SCHEMA_OF_FILE
from shared.http.problems import Problem, problem_responses

PATH = "/predictions"
MOST_ON_A_PAGE = 1000
KEY_LENGTH = 200
FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "array", "items": FORM_SCHEMA_OF_FILE},
        "callback_url": {"type": "string", "maxLength": URL_LENGTH, "description": "told when all images are finished"},
    },
}


def add_batches(app: Api, service: BatchService, needs_key: Sequence[Any], of_key: Sequence[int]) -> None:
    """Add the routes. `of_key`: the statuses of a request without a key."""
    dependencies = list(needs_key)

    @app.post(
        PATH,
        tags=["batches"],
        status_code=202,
        summary="Ask about many images, and read the answers later",
        response_description="The batch will be answered, although every process is killed now",
        response_model=AcceptedBody,
        responses=problem_responses(*of_key, 400, 408, 413, 415, 422, 503),
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {"schema": NewBatch.model_json_schema()},
                    "multipart/form-data": {"schema": FORM},
                    "application/zip": {"schema": {"type": "string", "format": "binary"}},
                },
            }
        },
        dependencies=dependencies,
    )
    async def request_predictions(
        request: Request,
        idempotency_key: Annotated[
            str | None,
            Header(
                min_length=1,
                max_length=KEY_LENGTH,
                description="A request that is sent again with the same key and images is the same batch",
            ),
        ] = None,
    ) -> Response:
        """Ask about up to 10,000 images: files or ZIP archives in the field `file` of a form, an archive as the body
        itself, or JSON with `image_ids` of stored images or public `urls`. The answer comes when everything is durable,
        and names the id of each prediction."""
        requested_by = str(get_contextvars().get("api_key") or "")
        async with service.unpacking() as unpacking:
            asked = await read_batch(request, unpacking)
            secret = service.settings.check_callback(asked.callback_url, requested_by)
            batch = await service.submissions.submit(asked, requested_by, idempotency_key)
        body = AcceptedBody(
            batch_id=batch.batch_id,
            size=len(batch.predictions),
            predictions=list(batch.predictions),
            links=links_of(batch.batch_id),
            callback_secret=secret,
        )
        return JSONResponse(body.model_dump(mode="json"), 202, {"Location": body.links.batch})

    @app.get(
        "/batches/{batch_id}",
        tags=["batches"],
        summary="Show how far a batch is",
        response_description="The batch, and a page of its predictions",
        response_model=BatchBody,
        responses=problem_responses(*of_key, 404, 422, 503),
        dependencies=dependencies,
    )
    async def batch(
        batch_id: UUID,
        after: Annotated[int, Query(ge=-1, le=2**31 - 1, description="`next` of the page before")] = -1,
        limit: Annotated[int, Query(ge=1, le=MOST_ON_A_PAGE, description="predictions on a page")] = 100,
    ) -> Response:
        """Show how many images of a batch are answered and refused, and its predictions, by the index of the image."""
        return JSONResponse((await service.page(batch_id, after, limit)).model_dump(mode="json"))

    async def followed(
        batch_id: UUID,
        last_event_id: Annotated[
            str | None, Header(max_length=20, description="`id` of the last event that was read")
        ] = None,
    ) -> int:
        """Return the number behind which events are sent, once it is sure that there is such a batch."""
        if last_event_id is not None and not (last_event_id.isascii() and last_event_id.isdigit()):
            detail = "Last-Event-ID is no id of an event of this batch. Send the last one, or none to begin anew."
            raise Problem(422, "invalid_request", detail)
        service.check_room()
        await service.progress(batch_id)
        return min(int(last_event_id or 0), 2**63 - 1)

    @app.get(
        "/batches/{batch_id}/events",
        tags=["batches"],
        summary="Follow a batch",
        response_description="Server-sent events: one for each finished prediction, in the form of /predictions/{id}",
        response_class=EventSourceResponse,
        responses=problem_responses(*of_key, 404, 422, 503),
        dependencies=dependencies,
    )
    async def batch_events(batch_id: UUID, after: Annotated[int, Depends(followed)]) -> AsyncIterator[ServerSentEvent]:
        """Send an event for each finished prediction, those that are finished already first. The stream ends with the
        event `finished` when the whole batch is. Its `id` is a cursor: sent as `Last-Event-ID`, it resumes there."""
        async for found in service.follow(batch_id, after):
            if isinstance(found, BatchProgress):
                summary = {"size": found.size, "answered": found.answered, "refused": found.refused}
                yield ServerSentEvent(data=summary, event="finished")
            else:
                body: BatchPredictionBody = service.body(found.prediction)
                yield ServerSentEvent(raw_data=body.model_dump_json(), event="prediction", id=str(found.number))

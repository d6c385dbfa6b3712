"""The route that corrects an answer by its id."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from services.labeler.api.audited import audited
from services.labeler.api.images import LABEL_SCHEMA
from services.labeler.api.problems import error_responses
from services.labeler.api.service import CurrentService, IdempotencyKey, Labeler
from services.labeler.commands.feedback import FeedbackRequest, SentImage, correct_answer
from services.labeler.commands.votes import Voter
from services.labeler.fields import TEXT_LENGTH
from shared.clients.feedback import CorrectedAnswer
from shared.contract.event_parts import FILE_NAME_LENGTH
from shared.http.bodies import read_json
from shared.http.forms import form_description, read_form
from shared.runtime.text import clean_file_name

WRONG_SCHEMA = {"type": "boolean", "description": "Instead of a label: the answer is wrong"}
REASON_SCHEMA = {"type": "string", "maxLength": TEXT_LENGTH}
router = APIRouter(tags=["labels"])


def _described() -> dict[str, Any]:
    """Return the body: a form, or JSON without an image."""
    described: dict[str, Any] = form_description(
        needs_file=False, label=LABEL_SCHEMA, wrong=WRONG_SCHEMA, reason=REASON_SCHEMA
    )
    fields = {"label": LABEL_SCHEMA, "wrong": WRONG_SCHEMA, "reason": REASON_SCHEMA}
    described["requestBody"]["content"]["application/json"] = {"schema": {"type": "object", "properties": fields}}
    return described


@router.post(
    "/predictions/{prediction_id}/correction",
    summary="Correct an answer by its id",
    responses={
        200: {"description": "It is done"},
        202: {"model": CorrectedAnswer, "description": "Accepted; not done yet"},
        **error_responses(400, 403, 404, 408, 409, 410, 413, 415, 422),
    },
    openapi_extra=_described(),
)
async def correct_prediction(
    service: CurrentService,
    user: Labeler,
    request: Request,
    response: Response,
    prediction_id: Annotated[UUID, Path(description="From an answer of the predictor")],
    idempotency_key: IdempotencyKey = None,
) -> CorrectedAnswer:
    """Say what is right instead of an answer of the predictor, also of one in a batch: `label`, or `wrong` if you only
    know that the answer is wrong. If the image is stored its label is set; else 422 `image_needed`: send its bytes in
    `file` of a form, and it is stored first. `wrong` alone is the other label of two; with more classes the image waits
    in Review (`GET /review?queue=wrong_answers`). An answer can be corrected a second or so after it was given,
    and for some days. Needs the role `labeler`."""
    said, sent = await _read(request, service.settings.upload_limit_bytes)
    voter = Voter(user.name, settles=user.may_act_as("operator"))

    async def work() -> CorrectedAnswer:
        answer = await service.answers.find(prediction_id)
        return await correct_answer(service.command_bus, service.store, answer, said, sent, voter, idempotency_key)

    done = await audited("correct_answer", str(prediction_id), user, work())
    if done.state == "accepted":
        response.status_code = 202
    return done


async def _read(request: Request, limit_bytes: int) -> tuple[FeedbackRequest, SentImage | None]:
    """Return what a form or JSON says. Raises Problem and RequestValidationError."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
        try:
            fields = await request.json()
        except (ValueError, RecursionError) as error:
            found = {"type": "json_invalid", "loc": ("body",), "msg": f"JSON decode error: {error}"}
            raise RequestValidationError([found]) from error
        with _refusals_described():
            return read_json(FeedbackRequest, fields), None
    form = await read_form(request)
    texts = {name: text for name in FeedbackRequest.model_fields if (text := form.text(name))}
    sent = None
    if form.has_file:
        sent = SentImage(form.file(limit_bytes), clean_file_name(form.file_name(), FILE_NAME_LENGTH))
    with _refusals_described():
        return FeedbackRequest.model_validate(texts), sent


@contextmanager
def _refusals_described() -> Iterator[None]:
    """Raise RequestValidationError, as the framework does, for what is not as the model describes it."""
    try:
        yield
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in found]) from error

"""The correction of an answer by its id: the request and its answer."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from shared.clients.answers import Body
from shared.clients.request import ApiRequest, idempotency


class CorrectedAnswer(Body):
    """What became of what was said about an answer, in a sentence (`detail`).

    "applied": the label holds; "voted": it is kept as a vote; "in_review": people look at the image, since its answer
    is wrong; "accepted": it is not done yet, and will be. `image_id` is None while the image is not stored; `revision`
    is that of its label. `links` are paths of the labeler's API.
    """

    prediction_id: UUID
    state: Literal["applied", "voted", "in_review", "accepted"]
    detail: str
    image_id: UUID | None
    label: str | None
    revision: int | None
    event_id: UUID | None = None
    links: dict[str, str] = Field(default_factory=dict)

    @property
    def outcome(self) -> str:
        return self.state


def correct_answer(
    prediction_id: UUID,
    label: str | None = None,
    *,
    reason: str = "",
    file: tuple[str, bytes] | None = None,
    key: str | None = None,
) -> ApiRequest[CorrectedAnswer]:
    """Say what is right instead of an answer, or without a label that it is wrong. `file`: name and bytes of the image,
    needed if it is not stored (the problem is `image_needed` then)."""
    said = {"wrong": "true"} if label is None else {"label": label}
    form = said | ({"reason": reason} if reason else {})
    path, headers = f"/predictions/{prediction_id}/correction", idempotency(key)
    if file is not None:
        return ApiRequest("POST", path, CorrectedAnswer.model_validate_json, file=file, form=form, headers=headers)
    body = {**form, "wrong": label is None}
    return ApiRequest("POST", path, CorrectedAnswer.model_validate_json, json=body, headers=headers)

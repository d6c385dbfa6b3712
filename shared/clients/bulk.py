"""The labels of many images set at once: what the labeler's API answers, and how it is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.clients.answers import Body
from shared.clients.request import ApiRequest, idempotency
from shared.contract.events import NoLabel

MAX_BULK = 200
"""The most images of one request."""


class BulkOutcome(Body):
    """What became of one image. `outcome`: "applied"; "voted", if it is kept as a vote; "accepted", if the log has it
    and the tables do not show it yet; else the code of a refusal ("superseded", "image_unknown", "image_not_stored",
    "image_withdrawn", "unknown_label", "nothing_to_withdraw", "decided_by_votes", "key_reused"), and `detail` says
    more. `label` and `revision` hold now, where they are known; of a vote, `label` is what was voted for."""

    image_id: UUID
    outcome: str
    label: str | None = None
    revision: int | None = None
    event_id: UUID | None = None
    detail: str = ""


class BulkResult(Body):
    """What became of each image, in the order of the request."""

    items: list[BulkOutcome]

    @property
    def outcome(self) -> str:
        """In a word for all: "applied", "accepted" (some are), or "partial" (some are refused)."""
        outcomes = {"applied" if item.outcome == "voted" else item.outcome for item in self.items}
        if outcomes <= {"applied"}:
            return "applied"
        return "accepted" if outcomes <= {"applied", "accepted"} else "partial"


@dataclass(frozen=True, slots=True)
class BulkCorrection:
    """What one image shows, given the revision that was seen; without a label `no_label` says why. `prediction_id`: the
    model's answer that the person saw."""

    image_id: UUID
    revision: int
    label: str | None = None
    no_label: NoLabel | None = None
    prediction_id: UUID | None = None


def correct_labels(
    corrections: Sequence[BulkCorrection], *, reason: str = "", key: str | None = None
) -> ApiRequest[BulkResult]:
    """Set the labels of at most MAX_BULK images, each with an outcome of its own."""
    items = []
    for each in corrections:
        item: dict[str, object] = {"image_id": str(each.image_id), "revision": each.revision}
        item |= {"label": each.label} if each.label is not None else {"no_label": each.no_label}
        items.append(item | ({} if each.prediction_id is None else {"prediction_id": str(each.prediction_id)}))
    body = {"items": items, "reason": reason}
    return ApiRequest("POST", "/images/labels", BulkResult.model_validate_json, json=body, headers=idempotency(key))

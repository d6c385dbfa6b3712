"""The label of the picture: wanted, set and remembered."""

from collections.abc import Sequence
from datetime import timedelta

from services.labeler.api.examples.images import MANY, NO_ID, NO_IMAGE
from services.labeler.api.examples.story import FORMER, NOON, USER, VERSION, example_image_id
from shared.clients.answers import (
    AcceptedImage,
    Applied,
    HistoryEntry,
    LabelConflict,
    Labels,
)
from shared.clients.bulk import BulkOutcome, BulkResult
from shared.contract.events import LabelCorrected, uuid_of
from shared.http.examples import Example
from shared.http.problems import Problem

REASON = "Yellow petals."
OF_LABELERS = Problem(403, "forbidden", "nina has the role uploader; this needs the role labeler. Ask an admin.")


def of_labels(labels: Sequence[str], model_name: str) -> dict[str, Example]:
    """Return the examples of the routes about labels."""
    return {
        "get_labels": Example(
            answers={200: Labels(labels=tuple(labels), names={one: one for one in labels}, model_name=model_name)}
        ),
        "set_label": _of_a_correction(labels),
        "set_labels": _of_many(labels),
        "get_history": _of_a_history(labels),
        "get_conflicts": Example(parameters={"limit": 5}, answers={200: [_conflict(labels)]}, problems=(MANY,)),
    }


def _conflict(labels: Sequence[str]) -> LabelConflict:
    """Return what two people said of the picture and of a copy of it."""
    later = {"label": labels[0], "no_label": None, "decided_by": USER, "decided_at": NOON, "revision": 1}
    earlier = {**later, "label": labels[1], "decided_by": "anna", "decided_at": NOON - timedelta(minutes=5)}
    copy = uuid_of("a copy of", example_image_id())
    return LabelConflict.model_validate(
        {"counting": {**later, "image_id": example_image_id()}, "overruled": {**earlier, "image_id": copy}}
    )


def _of_many(labels: Sequence[str]) -> Example:
    image_id, other = uuid_of("image", 2), uuid_of("image", 3)
    event_id = uuid_of(LabelCorrected.topic, image_id, 1)
    refused = f"There is no image {other}. Upload it first."
    return Example(
        body={
            "items": [
                {"image_id": image_id, "label": labels[0], "revision": 0},
                {"image_id": other, "no_label": "unusable", "revision": 0},
            ],
            "reason": REASON,
        },
        answers={
            200: BulkResult(
                items=[
                    BulkOutcome(image_id=image_id, outcome="applied", label=labels[0], revision=1, event_id=event_id),
                    BulkOutcome(image_id=other, outcome="image_unknown", detail=refused),
                ]
            )
        },
        problems=(OF_LABELERS, Problem(422, "invalid_request", "body.items: List should have at most 200 items")),
    )


def _of_a_correction(labels: Sequence[str]) -> Example:
    image_id = example_image_id()
    event_id = uuid_of(LabelCorrected.topic, image_id, 1)
    first = Problem(
        409,
        "superseded",
        f"anna was first: the label is {labels[1]} now (revision 1). Look at it again, and correct it if it is wrong.",
        {"label": labels[1], "revision": 1, "corrected_by": "anna"},
    )
    unknown = f"'moss' is not a label of this installation. Choose one of: {', '.join(labels)}."
    return Example(
        parameters={"image_id": image_id},
        body={"label": labels[0], "revision": 0, "reason": REASON},
        answers={
            200: Applied(image_id=image_id, label=labels[0], revision=1, event_id=event_id),
            202: AcceptedImage(event_id=event_id, image_id=image_id),
        },
        problems=(OF_LABELERS, NO_IMAGE, first, Problem(422, "unknown_label", unknown)),
    )


def _of_a_history(labels: Sequence[str]) -> Example:
    image_id = example_image_id()
    entry = HistoryEntry(
        event_id=uuid_of(LabelCorrected.topic, image_id, 1),
        revision=1,
        label_from=labels[0],
        label_to=labels[0],
        corrected_by=USER,
        occurred_at=NOON,
        reason=REASON,
        shown_model_version=FORMER,
        shown_label=labels[1],
        state="applied",
        live_in=VERSION,
        live_at=NOON,
        set_aside=None,
    )
    return Example(parameters={"image_id": image_id}, answers={200: [entry]}, problems=(NO_IMAGE, NO_ID))

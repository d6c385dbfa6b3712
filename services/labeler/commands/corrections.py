"""A person sets the label of an image."""

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from pydantic import BaseModel, Field

from services.labeler.commands.command_bus import CommandBus, command_id
from services.labeler.commands.outcomes import Refused
from services.labeler.fields import Line, Text
from services.labeler.queries import images
from shared.clients.answers import AcceptedImage, Applied, ImageView
from shared.contract.events import LabelCorrected
from shared.tables.postgres import Row


class CorrectionRequest(BaseModel):
    """What a person asks for. `revision` is the one they saw; the rest says what the model had told them."""

    label: Line
    revision: int = Field(ge=0, le=2**31 - 2)
    reason: Text = ""
    prediction_id: UUID | None = None
    shown_model_version: Line | None = None
    shown_label: Line | None = None


def correction_id(user: str, key: str | None, image_id: UUID, revision: int, label: str) -> UUID:
    """The event id of a correction: the uuid5 of who says what under which key. The same request has the same one."""
    return command_id(LabelCorrected.topic, user, key, image_id, revision, label)


async def correct(
    command_bus: CommandBus, image_id: UUID, wish: CorrectionRequest, user: str, key: str | None
) -> Applied | AcceptedImage:
    """Publish a label.corrected and wait for what becomes of it.

    The event id says all that makes the correction (see `correction_id`), so one id never stands for two revisions: a
    key that is used again before the tables show its first correction makes another event, and every reader decides
    between the two by the rule of the log. Once they show it, the key answers with it. The image is read before the
    key is looked up: a correction that was applied in between is found then.

    Raises:
        Refused: unknown_label, image_unknown, image_not_stored, superseded (somebody was first), key_reused.
        TransientError: the log or the tables are away.
    """
    event_id = correction_id(user, key, image_id, wish.revision + 1, wish.label)
    image = await images.image(command_bus.database, image_id)
    if key is not None:  # without one, nothing is ever a repetition
        known = _under_key(await images.corrections_by(command_bus.database, image_id, user), key, event_id)
        if known is not None:
            return _outcome(known, wish)
    current = _correctable(image, image_id, wish, command_bus.labels)
    await command_bus.publish(
        LabelCorrected(
            event_id=event_id,
            occurred_at=command_bus.clock(),
            image_id=image_id,
            label_from=current.label,
            label_to=wish.label,
            revision=wish.revision + 1,
            corrected_by=user,
            reason=wish.reason,
            shown_model_version=wish.shown_model_version,
            shown_label=wish.shown_label,
            prediction_id=wish.prediction_id,
        )
    )
    row = await command_bus.wait_for(partial(images.correction, command_bus.database, event_id))
    return AcceptedImage(event_id=event_id, image_id=image_id) if row is None else _outcome(row, wish)


def _under_key(said: Sequence[Row], key: str, event_id: UUID) -> Row | None:
    """Of what one person said about an image, the event asked for, else what they said under this key; None if the
    tables show nothing of the kind."""
    under_key = [
        row
        for row in said
        if row["event_id"] == correction_id(row["corrected_by"], key, row["image_id"], row["revision"], row["label_to"])
    ]
    return next((row for row in under_key if row["event_id"] == event_id), next(iter(under_key), None))


def _correctable(
    image: ImageView | None, image_id: UUID, wish: CorrectionRequest, labels: tuple[str, ...]
) -> ImageView:
    """The image, if this wish may become an event."""
    if wish.label not in labels:
        raise Refused("unknown_label", f"{wish.label!r} is no label here. Choose one of: {', '.join(labels)}.")
    if image is None:
        raise Refused("image_unknown", f"There is no image {image_id}. Upload it first.")
    if image.duplicate_of is not None:
        raise Refused(
            "image_not_stored",
            f"This image has the same bytes as {image.duplicate_of}: correct that one.",
            {"duplicate_of": str(image.duplicate_of)},
        )
    if image.state != "stored":
        raise Refused(
            "image_not_stored",
            "This image is not stored (yet), so it has no label to correct. Wait, or upload it again.",
        )
    if image.revision != wish.revision:
        raise _superseded(image.label, image.revision, image.corrected_by)
    return image


def _outcome(row: Row, wish: CorrectionRequest) -> Applied:
    """The outcome of a correction that the tables know."""
    if row["label_to"] != wish.label:
        raise Refused(
            "key_reused",
            f"This Idempotency-Key already set the label {row['label_to']} here. Use a new key for another correction.",
        )
    if not row["applied"]:
        raise _superseded(row["current_label"], row["current_revision"], row["current_by"])
    return Applied(image_id=row["image_id"], label=row["label_to"], revision=row["revision"], event_id=row["event_id"])


def _superseded(label: str | None, revision: int | None, by: str | None) -> Refused:
    return Refused(
        "superseded",
        f"{by or 'Nobody'} was first: the label is {label or 'not set'} now (revision {revision or 0})."
        " Look again, and correct that one if it is wrong.",
        {"label": label, "revision": revision or 0, "corrected_by": by},
    )

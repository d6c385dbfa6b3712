"""The command that corrects a label."""

from collections.abc import Sequence
from functools import partial
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from services.labeler.commands.command_bus import CommandBus, command_id
from services.labeler.commands.naming import label_named
from services.labeler.commands.outcomes import Refused
from services.labeler.commands.withdrawals import refuse_withdrawn
from services.labeler.fields import Label, Line, Text
from services.labeler.queries import images
from services.labeler.queries.conflicts import conflicts_of_image
from shared.clients.answers import AcceptedImage, Applied, ImageView
from shared.contract.events import LabelCorrected, NoLabel, Probability
from shared.contract.label_set import LabelSet
from shared.tables.postgres import Row


class CorrectionRequest(BaseModel):
    """The body of a correction. `revision` is the one the person saw; the shown values are the prediction they saw.
    Without a label, `no_label` says why there is none; "withdrawn" takes the last decision back."""

    label: Label | None = None
    no_label: NoLabel | None = None
    revision: int = Field(ge=0, le=2**31 - 2)
    reason: Text = ""
    prediction_id: UUID | None = None
    shown_model_version: Line | None = None
    shown_label: Line | None = None
    shown_probability: Probability | None = None
    vote: bool = Field(
        default=False, description="Where labels are voted about: count it as a vote, also an operator's"
    )

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.label is None) == (self.no_label is None):
            raise ValueError("send either a label, or null and in no_label why there is none")
        return self


def correction_id(
    user: str, key: str | None, image_id: UUID, revision: int, label: str | None, no_label: str | None = None
) -> UUID:
    """Return the event id of a correction: the uuid5 of user, key, image, revision and label (or why there is none).
    Equal requests have equal ids."""
    what = (label,) if label is not None else ("no label", no_label)
    return command_id(LabelCorrected.topic, user, key, image_id, revision, *what)


async def correct(
    command_bus: CommandBus, image_id: UUID, correction: CorrectionRequest, user: str, key: str | None
) -> Applied | AcceptedImage:
    """Publish a label.corrected and wait for its outcome.

    The event id covers everything that makes the correction (see `correction_id`), so one id never stands for two
    revisions. A key that is used again before the tables show its first correction makes another event, and every
    reader decides between the two by the race rule. Once the tables show the first one, the key returns its outcome.
    The image is read before the key is looked up, so a correction that is applied in between is found.

    Raises:
        Refused: unknown_label, image_unknown, image_not_stored, image_withdrawn, superseded (another person was first),
            key_reused, nothing_to_withdraw.
        TransientError: the log or the tables are unavailable.
    """
    classes = await command_bus.classes()
    correction = with_label(correction, classes)
    image = await images.image(command_bus.database, image_id)
    before = await images.corrections_by(command_bus.database, image_id, user) if key is not None else []
    prepared = await prepare_correction(command_bus, classes, image_id, image, correction, before, user, key)
    if isinstance(prepared, Applied):
        return await _with_conflicts(command_bus, prepared)
    await command_bus.publish(prepared)
    row = await command_bus.wait_for(partial(images.correction, command_bus.database, prepared.event_id))
    if row is None:
        return AcceptedImage(event_id=prepared.event_id, image_id=image_id)
    return await _with_conflicts(command_bus, outcome_of(row, correction.label, correction.no_label, classes))


def with_label(correction: CorrectionRequest, classes: LabelSet) -> CorrectionRequest:
    """Return the correction with the labels of the classes that it names; a name that none has stays as it is."""
    names = correction.label, correction.shown_label
    label, shown = (None if name is None else classes.label_of(name) or name for name in names)
    return correction.model_copy(update={"label": label, "shown_label": shown})


async def prepare_correction(
    command_bus: CommandBus,
    classes: LabelSet,
    image_id: UUID,
    image: ImageView | None,
    correction: CorrectionRequest,
    before: Sequence[Row],
    user: str,
    key: str | None,
) -> Applied | LabelCorrected:
    """Return the event to publish, or the outcome if the tables show it already. `image` was read before `before`, the
    corrections of it by this person; without a key, no request is a repetition. `correction` names labels of `classes`
    (see `with_label`). Raises Refused."""
    event_id = correction_id(user, key, image_id, correction.revision + 1, correction.label, correction.no_label)
    known = None if key is None else _under_key(before, key, event_id)
    if known is not None:
        return outcome_of(known, correction.label, correction.no_label, classes)
    current = correctable(image, image_id, correction, classes)
    restored = None
    if correction.no_label == "withdrawn":
        if not current.decided_in:
            raise Refused(
                "nothing_to_withdraw", "No person has set a label of this image, so there is none to take back."
            )
        restored = await images.decision_before(command_bus.database, image_id, current.decided_in)
    return LabelCorrected(
        event_id=event_id,
        occurred_at=command_bus.clock(),
        image_id=image_id,
        label_from=current.label,
        label_to=correction.label,
        revision=correction.revision + 1,
        corrected_by=user,
        reason=correction.reason,
        shown_model_version=correction.shown_model_version,
        shown_label=correction.shown_label,
        shown_probability=correction.shown_probability,
        prediction_id=correction.prediction_id,
        no_label=correction.no_label,
        restored=restored,
    )


async def _with_conflicts(command_bus: CommandBus, applied: Applied) -> Applied:
    """Return the outcome with the labels that it contradicts."""
    found = await conflicts_of_image(command_bus.database, applied.image_id)
    return applied.model_copy(update={"conflicts": found})


def _under_key(corrections: Sequence[Row], key: str, event_id: UUID) -> Row | None:
    """Return, of one person's corrections of an image, the one with `event_id`, else one under this key, else None."""
    under_key = [
        row
        for row in corrections
        if row["event_id"]
        == correction_id(row["corrected_by"], key, row["image_id"], row["revision"], row["label_to"], row["no_label"])
    ]
    return next((row for row in under_key if row["event_id"] == event_id), next(iter(under_key), None))


def correctable(image: ImageView | None, image_id: UUID, correction: CorrectionRequest, classes: LabelSet) -> ImageView:
    """Return the image if a person may say this about it now. Raises Refused."""
    label_named(correction.label, classes)
    if image is None:
        raise Refused("image_unknown", f"There is no image {image_id}. Upload it first.")
    refuse_withdrawn(image)
    if image.duplicate_of is not None:
        raise Refused(
            "image_not_stored",
            f"This image has the same bytes as {image.duplicate_of}. Correct that image instead.",
            {"duplicate_of": str(image.duplicate_of)},
        )
    if image.state != "stored":
        raise Refused(
            "image_not_stored",
            "This image is not stored, so its label cannot be corrected. Wait until it is, or upload it again.",
        )
    if image.revision != correction.revision:
        raise _superseded(image.label, image.revision, image.corrected_by, classes)
    return image


def outcome_of(row: Row, label: str | None, no_label: NoLabel | None, classes: LabelSet) -> Applied:
    """Return the outcome of a correction to this label, or to none, that the tables show. Raises Refused."""
    if (row["label_to"], row["no_label"]) != (label, no_label):
        raise Refused(
            "key_reused",
            f"This Idempotency-Key already set the label {classes.name_of(row['label_to'] or row['no_label'])}."
            " Use a new key for another correction.",
        )
    if not row["applied"]:
        raise _superseded(row["current_label"], row["current_revision"], row["current_by"], classes)
    newest = row["current_revision"] == row["revision"]
    return Applied(
        image_id=row["image_id"],
        label=row["current_label"] if newest else row["held_label"],
        revision=row["revision"],
        event_id=row["event_id"],
        no_label=row["no_label"],
    )


def _superseded(label: str | None, revision: int | None, by: str | None, classes: LabelSet) -> Refused:
    called = "not set" if label is None else classes.name_of(label)
    return Refused(
        "superseded",
        f"{by or 'Another person'} was first: the label is {called} now (revision {revision or 0})."
        " Look at it again, and correct it if it is wrong.",
        {"label": label, "revision": revision or 0, "corrected_by": by},
    )

"""The command that corrects an answer by its id: the image may be stored, or come with the request."""

import hashlib
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from pydantic import BaseModel, model_validator

from services.labeler.commands.command_bus import CommandBus, command_id
from services.labeler.commands.corrections import CorrectionRequest
from services.labeler.commands.given_answers import FoundAnswer
from services.labeler.commands.naming import label_named
from services.labeler.commands.outcomes import Refused
from services.labeler.commands.uploads import UploadedFile, upload
from services.labeler.commands.votes import Voter, correct_or_vote
from services.labeler.commands.withdrawals import refuse_withdrawn
from services.labeler.fields import Label, Text
from services.labeler.queries import feedback, images
from services.labeler.queries.feedback import SaidAboutAnswer
from shared.clients.answers import AcceptedImage, Applied, ImageView
from shared.clients.feedback import CorrectedAnswer
from shared.contract.label_set import LabelSet
from shared.storage.object_store import ObjectStore

WHAT = "feedback"
IMAGE_NEEDED = (
    "The image that this answer is about is not stored here. Send its bytes in the field `file` of a form, with what"
    " you say of it: then it is stored, and corrected."
)
OTHER_IMAGE = "These are not the bytes that the answer is about. Send the file that was asked about."
ACCEPTED = "The image is accepted, and the label is set as soon as it is stored."


class FeedbackRequest(BaseModel):
    """What is said about an answer: the right label, or only that the answer is wrong."""

    label: Label | None = None
    wrong: bool = False
    reason: Text = ""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.label is None) is not self.wrong:
            raise ValueError("send either the label that is right, or wrong=true if you only know that the answer is")
        return self


@dataclass(frozen=True, slots=True)
class SentImage:
    """The bytes that came with the request, and what the file is called, if that is known."""

    data: bytes
    file_name: str | None = None


async def correct_answer(
    command_bus: CommandBus,
    store: ObjectStore,
    answer: FoundAnswer,
    request: FeedbackRequest,
    sent: SentImage | None,
    voter: Voter,
    key: str | None,
) -> CorrectedAnswer:
    """Correct the label of the image that an answer is about, with this answer as the one that was shown. An image that
    is not stored is stored first. "wrong" alone is the other label of two; with more classes the image waits in Review.

    What is said is kept in a table before an image is uploaded, until its label is set: `OpenFeedback` does what a
    process that died has left. A repetition with the same key has the same ids, so nothing is done twice.

    Raises:
        Refused: unknown_label, image_needed, other_image (the bytes are not those of the answer), image_withdrawn,
            superseded, key_reused, or why the image cannot be stored.
        TransientError: the log, the tables or the object store are unavailable.
    """
    classes = await command_bus.classes()
    label = label_named(request.label, classes) if request.label is not None else the_other(answer.label, classes)
    if sent is not None and hashlib.sha256(sent.data).hexdigest() != answer.sha256:
        raise Refused("other_image", OTHER_IMAGE)
    stored = next(iter(await images.images_of_bytes(command_bus.database, answer.sha256)), None)
    refuse_withdrawn(stored)
    if stored is None and sent is None:
        raise Refused("image_needed", IMAGE_NEEDED, {"sha256": answer.sha256})
    said = _said(command_bus, answer, label, request.reason, voter, key, 0 if stored is None else stored.revision)
    if stored is None or label is None:
        kept = await feedback.keep(command_bus.database, said)
        if kept.label != label:
            raise Refused("key_reused", "This Idempotency-Key already said something else of it. Use a new key.")
    image: ImageView | None = stored
    if stored is None and sent is not None:
        image = await _store(command_bus, store, sent, said)
    if image is None:
        return _result(said, None, "accepted", ACCEPTED)
    if label is None:
        detail = f"Image {image.image_id} waits in Review, since its answer {classes.name_of(answer.label)} is wrong."
        return _result(said, image, "in_review", detail)
    return await set_label(command_bus, image, said, classes)


def the_other(label: str, classes: LabelSet) -> str | None:
    """Return the label that is right if this one is wrong: the other one of two; None with more, or if it is neither of
    them."""
    others = [each for each in classes.labels if each != label]
    return others[0] if len(others) == 1 and len(classes.labels) == 2 else None


async def set_label(
    command_bus: CommandBus, image: ImageView, said: SaidAboutAnswer, classes: LabelSet
) -> CorrectedAnswer:
    """Set the label that was said, and forget that it waits. What another person has decided since it was said stays.
    Raises as `correct_answer`."""
    correction = CorrectionRequest(
        label=said.label,
        revision=said.revision,
        reason=said.reason,
        prediction_id=said.prediction_id,
        shown_model_version=said.model_version,
        shown_label=said.answered_label,
        shown_probability=said.answered_probability,
    )
    voter = Voter(said.said_by, settles=said.settles)
    try:
        done = await correct_or_vote(command_bus, image.image_id, correction, voter, str(said.feedback_id))
    except Refused:
        await feedback.forget(command_bus.database, [said.feedback_id])
        raise
    if isinstance(done, AcceptedImage):
        return _result(said, image, "accepted", "The correction is accepted, and not applied yet.", done.event_id)
    await feedback.forget(command_bus.database, [said.feedback_id])
    return _of_applied(said, image, done, classes)


async def _store(
    command_bus: CommandBus, store: ObjectStore, sent: SentImage, said: SaidAboutAnswer
) -> ImageView | None:
    """Store the bytes as an upload is stored; None if it is accepted, and not stored yet. Raises as `upload`."""
    try:
        done = await upload(
            command_bus, store, UploadedFile(sent.data, None, sent.file_name), said.said_by, str(said.feedback_id)
        )
    except Refused:
        await feedback.forget(command_bus.database, [said.feedback_id])
        raise
    return None if isinstance(done, AcceptedImage) else done.image


def _said(
    command_bus: CommandBus,
    answer: FoundAnswer,
    label: str | None,
    reason: str,
    voter: Voter,
    key: str | None,
    revision: int,
) -> SaidAboutAnswer:
    return SaidAboutAnswer(
        feedback_id=command_id(WHAT, voter.name, key, answer.prediction_id),
        said_by=voter.name,
        settles=voter.settles,
        said_at=command_bus.clock(),
        reason=reason,
        label=label,
        prediction_id=answer.prediction_id,
        sha256=answer.sha256,
        model_version=answer.model_version,
        answered_label=answer.label,
        answered_probability=min(1.0, max(0.0, answer.probabilities.get(answer.label, 0.0))),
        revision=revision,
    )


def _of_applied(said: SaidAboutAnswer, image: ImageView, done: Applied, classes: LabelSet) -> CorrectedAnswer:
    called = classes.name_of(done.label or "")
    if done.state == "voted":
        detail = f"Your vote that image {image.image_id} shows {called} is counted."
    else:
        detail = f"Image {image.image_id} shows {called} now, and the model learns it."
    found = _result(said, image, done.state, detail, done.event_id)
    return found.model_copy(update={"revision": done.revision, "label": done.label})


def _result(
    said: SaidAboutAnswer, image: ImageView | None, state: str, detail: str, event_id: UUID | None = None
) -> CorrectedAnswer:
    at = "" if image is None else f"/images/{image.image_id}"
    links = {"image": at, "history": f"{at}/history"} if at else {}
    if state == "in_review":
        links["review"] = "/review?queue=wrong_answers"
    return CorrectedAnswer.model_validate(
        {
            "prediction_id": said.prediction_id,
            "state": state,
            "detail": detail,
            "image_id": None if image is None else image.image_id,
            "label": None if image is None else image.label,
            "revision": None if image is None else image.revision,
            "event_id": event_id,
            "links": links,
        }
    )

"""The command that corrects the labels of many images at once."""

from collections import Counter
from collections.abc import Sequence
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from services.labeler.commands.command_bus import CommandBus
from services.labeler.commands.corrections import CorrectionRequest, outcome_of, prepare_correction, with_label
from services.labeler.commands.outcomes import Refused
from services.labeler.commands.votes import Voter, known_votes, outcome_of_vote, prepare_vote, publish_votes
from services.labeler.fields import Label, Text
from services.labeler.queries import images
from shared.clients.answers import Applied, ImageView
from shared.clients.bulk import MAX_BULK, BulkOutcome, BulkResult
from shared.contract.events import LabelCorrected, NoLabel
from shared.contract.label_set import LabelSet
from shared.contract.votes import LabelVoted
from shared.tables.postgres import Row


class BulkItem(BaseModel):
    """What one image shows, or in `no_label` why it has no label, given the revision of the label that was seen.
    `prediction_id` names the model's answer that the person saw."""

    image_id: UUID
    revision: int = Field(ge=0, le=2**31 - 2)
    label: Label | None = None
    no_label: NoLabel | None = None
    prediction_id: UUID | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.label is None) == (self.no_label is None):
            raise ValueError("send either a label, or in no_label why there is none")
        return self


class BulkRequest(BaseModel):
    """The body: what each image shows, and why, for all of them."""

    items: list[BulkItem] = Field(min_length=1, max_length=MAX_BULK)
    reason: Text = ""

    @model_validator(mode="after")
    def _names_each_image_once(self) -> Self:
        [(image_id, number)] = Counter(item.image_id for item in self.items).most_common(1)
        if number > 1:
            raise ValueError(f"image {image_id} is named {number} times; name each image once")
        return self


async def correct_all(command_bus: CommandBus, request: BulkRequest, voter: Voter, key: str | None) -> BulkResult:
    """Publish a label.corrected for each image whose label may be corrected, or a vote where labels are voted about,
    all at once, and wait for the outcomes.

    Each is the event that a single correction with this key would be: a repetition publishes only what the tables do
    not show, with the same ids, and an image that is refused does not hold up the others.

    Raises:
        TransientError: the log or the tables are unavailable.
    """
    classes = await command_bus.classes()
    ids, user = [item.image_id for item in request.items], voter.name
    votes = await known_votes(command_bus, ids, user) if command_bus.vote_rules.on else {}
    known = await images.images_of(command_bus.database, ids)
    before = await images.corrections_of(command_bus.database, ids, user) if key is not None else {}
    outcomes: dict[UUID, BulkOutcome] = {}
    events: dict[UUID, LabelCorrected] = {}
    voted: list[LabelVoted] = []
    for item in request.items:
        image = known.get(item.image_id)
        correction = with_label(_correction(item, image, request.reason), classes)
        try:
            prepared: Applied | LabelVoted | LabelCorrected | None = None
            if item.image_id in votes:
                prepared = await prepare_vote(
                    command_bus, classes, item.image_id, image, correction, votes[item.image_id], voter, key
                )
            if prepared is None:
                prepared = await prepare_correction(
                    command_bus, classes, item.image_id, image, correction, before.get(item.image_id, ()), user, key
                )
        except Refused as refused:
            outcomes[item.image_id] = _refused(item.image_id, refused)
            continue
        if isinstance(prepared, Applied):
            outcomes[item.image_id] = _applied(prepared)
        elif isinstance(prepared, LabelVoted):
            voted.append(prepared)
        else:
            events[item.image_id] = prepared
    if voted:
        await publish_votes(command_bus, voted)
        outcomes |= {vote.image_id: _applied(outcome_of_vote(vote)) for vote in voted}
    if events:
        await command_bus.publish(*events.values())
        shown = await _shown(command_bus, [event.event_id for event in events.values()])
        for image_id, event in events.items():
            outcomes[image_id] = _outcome(event, shown.get(event.event_id), classes)
    return BulkResult(items=[outcomes[image_id] for image_id in ids])


def _correction(item: BulkItem, image: ImageView | None, reason: str) -> CorrectionRequest:
    """Return the correction of one image, with the answer that the person saw if it is still the newest one."""
    seen = None if image is None else image.prediction
    if seen is None or seen.prediction_id != item.prediction_id:
        seen = None
    return CorrectionRequest(
        label=item.label,
        no_label=item.no_label,
        revision=item.revision,
        reason=reason,
        prediction_id=None if seen is None else seen.prediction_id,
        shown_model_version=None if seen is None else seen.model_version,
        shown_label=None if seen is None else seen.label,
        shown_probability=None if seen is None else min(1.0, seen.probabilities[seen.label]),
    )


async def _shown(command_bus: CommandBus, event_ids: Sequence[UUID]) -> dict[UUID, Row]:
    """Return the corrections with these ids that the tables show, as soon as they show all or the time is over."""
    found: dict[UUID, Row] = {}

    async def all_shown() -> bool | None:
        missing = [event_id for event_id in event_ids if event_id not in found]
        found.update({row["event_id"]: row for row in await images.corrections(command_bus.database, missing)})
        return True if len(found) == len(event_ids) else None

    await command_bus.wait_for(all_shown)
    return found


def _outcome(event: LabelCorrected, row: Row | None, classes: LabelSet) -> BulkOutcome:
    if row is None:
        return BulkOutcome(image_id=event.image_id, outcome="accepted", event_id=event.event_id)
    try:
        return _applied(outcome_of(row, event.label_to, event.no_label, classes))
    except Refused as refused:
        return _refused(event.image_id, refused)


def _applied(applied: Applied) -> BulkOutcome:
    return BulkOutcome(
        image_id=applied.image_id,
        outcome=applied.state,
        label=applied.label,
        revision=applied.revision,
        event_id=applied.event_id,
    )


def _refused(image_id: UUID, refused: Refused) -> BulkOutcome:
    label, revision = refused.facts.get("label"), refused.facts.get("revision")
    return BulkOutcome(
        image_id=image_id,
        outcome=refused.code,
        detail=str(refused),
        label=label if isinstance(label, str) else None,
        revision=revision if isinstance(revision, int) else None,
    )

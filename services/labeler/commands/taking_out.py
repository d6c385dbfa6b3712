"""The command that takes a person's decisions about an image out."""

from functools import partial
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from services.labeler.commands.command_bus import CommandBus, command_id
from services.labeler.commands.outcomes import Refused
from services.labeler.commands.votes import publish_votes
from services.labeler.commands.withdrawals import refuse_withdrawn
from services.labeler.decisions.taking_out import decision_without, held_label, still_holds
from services.labeler.fields import Name, Text
from services.labeler.queries import images, votes
from services.labeler.queries.people import revisions_of
from shared.clients.answers import AcceptedImage, ImageView
from shared.clients.lineage import TakeOutDone
from shared.contract.events import LabelCorrected
from shared.contract.votes import LabelVoted


class TakeOutRequest(BaseModel):
    """The body: whose decisions, and why."""

    person: Name = Field(min_length=1)
    reason: Text = Field(min_length=1)


async def take_out(
    command_bus: CommandBus, image_id: UUID, request: TakeOutRequest, user: str
) -> TakeOutDone | AcceptedImage:
    """Publish the withdrawal that restores what other people decided, and wait for its outcome. Where nothing of the
    person holds, say so, and publish nothing. A vote of the person that counts, or that decided, is taken back first;
    those of the others then count again.

    The id of the event follows from the image, its revision, the person and who asks: a repetition before the tables
    show the first one is the same event, and one after it finds nothing.

    Raises:
        Refused: image_unknown, image_withdrawn, superseded (another person was first).
        TransientError: the log or the tables are unavailable.
    """
    image = await images.image(command_bus.database, image_id)
    if image is None:
        raise Refused("image_unknown", f"There is no image {image_id}. Check the id, or upload the image.")
    refuse_withdrawn(image)
    vote = await _take_vote_out(command_bus, image, request, user)
    revisions = await revisions_of(command_bus.database, image_id)
    if not still_holds(request.person, revisions):
        state: Literal["taken_out", "nothing"] = "nothing" if vote is None else "taken_out"
        return TakeOutDone(image_id=image_id, state=state, label=image.label, revision=image.revision, event_id=vote)
    event_id = command_id(LabelCorrected.topic, user, f"take out {request.person}", image_id, len(revisions) + 1)
    await command_bus.publish(
        LabelCorrected(
            event_id=event_id,
            occurred_at=command_bus.clock(),
            image_id=image_id,
            label_from=image.label,
            label_to=None,
            revision=len(revisions) + 1,
            corrected_by=user,
            reason=request.reason,
            no_label="withdrawn",
            restored=held_label(revisions, decision_without(request.person, revisions)),
            votes_from=await votes.counted_from(command_bus.database, image_id, revisions[-1].held_revision),
        )
    )
    row = await command_bus.wait_for(partial(images.correction, command_bus.database, event_id))
    if row is None:
        return AcceptedImage(event_id=event_id, image_id=image_id)
    if not row["applied"]:
        raise Refused(
            "superseded",
            f"{row['current_by']} was first: revision {row['revision']} of this image is another one. Ask again.",
        )
    now = await images.image(command_bus.database, image_id)
    label = image.label if now is None else now.label
    return TakeOutDone(image_id=image_id, state="taken_out", label=label, revision=row["revision"], event_id=event_id)


async def _take_vote_out(command_bus: CommandBus, image: ImageView, request: TakeOutRequest, user: str) -> UUID | None:
    """Take back the vote of the person about the next revision, or about the one that holds; return the event, None if
    there is no such vote."""
    if not await votes.has_say(command_bus.database, image.image_id, request.person, image.decided_in):
        return None
    revision = image.revision + 1
    event = LabelVoted(
        event_id=command_id(LabelVoted.topic, user, f"take out {request.person}", image.image_id, revision),
        occurred_at=command_bus.clock(),
        image_id=image.image_id,
        revision=revision,
        voted_by=request.person,
        label=None,
        no_label="withdrawn",
        reason=request.reason,
        withdrawn_by=user,
    )
    await publish_votes(command_bus, [event])
    return event.event_id

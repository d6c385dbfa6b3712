"""The command that keeps what a person says about an image as a vote, where a label needs several equal ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.labeler.commands.command_bus import CommandBus, command_id
from services.labeler.commands.corrections import CorrectionRequest, correct, correctable, with_label
from services.labeler.commands.outcomes import Refused
from services.labeler.queries import images, votes
from shared.clients.answers import AcceptedImage, Applied, ImageView
from shared.contract.label_set import LabelSet
from shared.contract.votes import LabelVoted
from shared.runtime.errors import TransientError
from shared.tables.postgres import Row


@dataclass(frozen=True, slots=True)
class Voter:
    """Who says what an image shows. `settles`: what they say counts at once, unless they ask for a vote; `only_votes`:
    it is a vote also where votes cannot decide any more."""

    name: str
    settles: bool = False
    only_votes: bool = False


@dataclass(frozen=True, slots=True)
class KnownVotes:
    """What the tables know of the votes about an image: the round that is open, None before its first vote, and every
    vote of the person who asks."""

    round: Row | None
    mine: Sequence[Row]


def vote_id(user: str, key: str | None, image_id: UUID, revision: int, label: str | None, no_label: str | None) -> UUID:
    """Return the event id of a vote: the uuid5 of user, key, image, revision and label (or why there is none)."""
    return command_id(LabelVoted.topic, user, key, image_id, revision, label, no_label)


async def correct_or_vote(
    command_bus: CommandBus, image_id: UUID, correction: CorrectionRequest, voter: Voter, key: str | None
) -> Applied | AcceptedImage:
    """Publish what the person says: as a label that counts at once, or as a vote, and wait for the outcome.

    Raises:
        Refused: as `correct`; decided_by_votes (one person takes back what several decided).
        TransientError: the log or the tables are unavailable, or do not show the vote in time.
    """
    if command_bus.vote_rules.on:
        classes = await command_bus.classes()
        known = await known_votes(command_bus, [image_id], voter.name)
        image = await images.image(command_bus.database, image_id)
        asked = with_label(correction, classes)
        prepared = await prepare_vote(command_bus, classes, image_id, image, asked, known[image_id], voter, key)
        if isinstance(prepared, Applied):
            return prepared
        if prepared is not None:
            await publish_votes(command_bus, [prepared])
            return outcome_of_vote(prepared)
    return await correct(command_bus, image_id, correction, voter.name, key)


async def known_votes(command_bus: CommandBus, image_ids: Sequence[UUID], user: str) -> dict[UUID, KnownVotes]:
    """Return what is known of the votes about each of these images."""
    mine = await votes.votes_by(command_bus.database, image_ids, user)
    rounds = await votes.rounds_of(command_bus.database, image_ids, command_bus.vote_rules)
    return {image_id: KnownVotes(rounds.get(image_id), mine.get(image_id, [])) for image_id in image_ids}


async def prepare_vote(
    command_bus: CommandBus,
    classes: LabelSet,
    image_id: UUID,
    image: ImageView | None,
    correction: CorrectionRequest,
    known: KnownVotes,
    voter: Voter,
    key: str | None,
) -> Applied | LabelVoted | None:
    """Return the vote to publish, or its outcome if the tables show it already; None if what this person says counts at
    once. The image was read after `known`. Raises Refused."""
    if key is not None and (before := _under_key(known.mine, key)) is not None:
        return _outcome_of_row(before, correction)
    voted = known.round is not None and voter.name in known.round["people"]
    stale = image is None or image.revision != correction.revision
    if correction.no_label == "withdrawn" and (stale or not voted):
        if image is not None and not stale and not voter.settles and await _decided_by_votes(command_bus, image):
            raise Refused(
                "decided_by_votes",
                "Several people decided this label, so one of them cannot take it back. Say what the image shows"
                " instead, or ask an operator.",
            )
        return None
    if correction.no_label != "withdrawn":
        split = known.round is not None and known.round["split"] and not voter.only_votes
        if split or (voter.settles and not correction.vote):
            return None
    correctable(image, image_id, correction, classes)
    revision = correction.revision + 1
    return LabelVoted(
        event_id=vote_id(voter.name, key, image_id, revision, correction.label, correction.no_label),
        occurred_at=command_bus.clock(),
        image_id=image_id,
        revision=revision,
        voted_by=voter.name,
        label=correction.label,
        no_label=correction.no_label,
        reason=correction.reason,
        shown_model_version=correction.shown_model_version,
        shown_label=correction.shown_label,
        shown_probability=correction.shown_probability,
        prediction_id=correction.prediction_id,
    )


async def publish_votes(command_bus: CommandBus, events: Sequence[LabelVoted]) -> None:
    """Publish votes, and wait until the tables show them. Raises TransientError if they do not in time: sending the
    request again, with the same key, is safe."""
    await command_bus.publish(*events)
    wanted = [event.event_id for event in events]

    async def all_shown() -> bool | None:
        return True if len(await votes.shown_votes(command_bus.database, wanted)) == len(wanted) else None

    if await command_bus.wait_for(all_shown) is None:
        raise TransientError("The vote is in the log, and not counted yet. Send it again, with the same key.")


def outcome_of_vote(vote: LabelVoted) -> Applied:
    """Return the answer to a vote that the tables show: the revision of the label stays what it was."""
    return Applied(
        image_id=vote.image_id,
        label=vote.label,
        revision=vote.revision - 1,
        event_id=vote.event_id,
        state="voted",
        no_label=vote.no_label,
    )


def _under_key(mine: Sequence[Row], key: str) -> Row | None:
    """Return the vote of this person that was sent under this key; None if there is none."""
    for row in mine:
        said = row["image_id"], row["revision"], row["label"], row["no_label"]
        if row["event_id"] == vote_id(row["voted_by"], key, *said):
            return row
    return None


def _outcome_of_row(row: Row, correction: CorrectionRequest) -> Applied:
    if (row["label"], row["no_label"]) != (correction.label, correction.no_label):
        raise Refused(
            "key_reused",
            f"This Idempotency-Key already voted for {row['label'] or row['no_label']}. Use a new key.",
        )
    return Applied(
        image_id=row["image_id"],
        label=row["label"],
        revision=row["revision"] - 1,
        event_id=row["event_id"],
        state="voted",
        no_label=row["no_label"],
    )


async def _decided_by_votes(command_bus: CommandBus, image: ImageView) -> bool:
    return await votes.decided_by_votes(command_bus.database, image.image_id, image.decided_in)

"""The labeler's projection: images, labels, predictions, models and promotions as tables.

Every `apply_*` tolerates repeated events and any order between topics. Each column is written from one topic; only
`live_corrections`, `same_pixels` and `listed_images` join several, and the last of the events writes the row; a
withdrawn image has no prediction and no place, is not listed, and decides about no other one, whichever event is last.
Races (corrections of one image, promotions) are decided by `shared.contract.race_rules`, as in every other service.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from uuid import UUID

from services.labeler.data.events import listing
from services.labeler.data.listed_images import list_images, unlist_image
from services.labeler.data.models import (
    apply_drift_detected,
    apply_model_promoted,
    apply_model_rejected,
    apply_model_trained,
    apply_promotion_requested,
    apply_trial_started,
)
from services.labeler.data.places import place_images
from services.labeler.data.same_pixels import SAME_PIXELS, find_copies
from services.labeler.data.votes import apply_label_voted, count_votes
from services.labeler.decisions.likeness import read_hash
from services.labeler.decisions.sampling import margin
from services.labeler.settings import MIGRATIONS, SCHEMA
from shared.contract.events import (
    DriftDetected,
    ImageRegistered,
    ImageRejected,
    ImageStored,
    ImageWithdrawn,
    LabelCorrected,
    ModelPromoted,
    ModelRejected,
    ModelTrained,
    PromotionRequested,
)
from shared.contract.image_scored import ImageScored
from shared.contract.label_set import LabelSetChanged
from shared.contract.race_rules import label_applies
from shared.contract.trials import TrialStarted
from shared.contract.votes import LabelVoted
from shared.tables.label_set import apply_label_set_changed
from shared.tables.projection import Projector, Transaction, on_event, on_events
from shared.tables.replay import ReplayPlan

FOLD_VERSION = 7
"""Raised when events that are folded already would give other rows; people then run `pappus replay`."""

INPUTS = (
    *("users", "swept_uploads", "leases", "skipped", "double_checks", "saved_filters", "label_doubts", "webhooks"),
    "answer_feedback",
)


async def apply_image_registered(events: Sequence[ImageRegistered], transaction: Transaction) -> None:
    """Insert who registered each image; a later attempt only raises the number."""
    await transaction.executemany(
        """INSERT INTO images AS known (image_id, registered_event_id, registered_by, registered_label,
                                        registered_trust, registered_url, registered_at, attempt, upload_key,
                                        file_name)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
           ON CONFLICT (image_id) DO UPDATE SET
               registered_event_id = excluded.registered_event_id, registered_by = excluded.registered_by,
               registered_label = excluded.registered_label, registered_trust = excluded.registered_trust,
               registered_url = excluded.registered_url, registered_at = excluded.registered_at,
               attempt = excluded.attempt, upload_key = excluded.upload_key, file_name = excluded.file_name
           WHERE known.registered_at IS NULL""",
        [
            (
                event.image_id,
                event.event_id,
                event.registered_by,
                event.label,
                event.trust,
                event.url,
                event.occurred_at,
                event.attempt,
                event.upload_key,
                event.file_name,
            )
            for event in events
        ],
    )
    if repeated := [(event.image_id, event.attempt) for event in events if event.attempt > 1]:
        await transaction.executemany("UPDATE images SET attempt = $2 WHERE image_id = $1 AND attempt < $2", repeated)
    await list_images([event.image_id for event in events], transaction)


async def apply_image_stored(events: Sequence[ImageStored], transaction: Transaction) -> None:
    """Insert what is stored; a repetition changes nothing."""
    await transaction.executemany(
        """INSERT INTO images AS known (image_id, stored_event_id, stored_by, stored_label, stored_trust, stored_url,
                                        sha256, object_key, size_bytes, width, height, image_format, group_id,
                                        stored_at, pixels_sha256, joins, perceptual_hash)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
           ON CONFLICT (image_id) DO UPDATE SET
               stored_event_id = excluded.stored_event_id, stored_by = excluded.stored_by,
               stored_label = excluded.stored_label, stored_trust = excluded.stored_trust,
               stored_url = excluded.stored_url, sha256 = excluded.sha256, object_key = excluded.object_key,
               size_bytes = excluded.size_bytes, width = excluded.width, height = excluded.height,
               image_format = excluded.image_format, group_id = excluded.group_id, stored_at = excluded.stored_at,
               pixels_sha256 = excluded.pixels_sha256, joins = excluded.joins,
               perceptual_hash = excluded.perceptual_hash
           WHERE known.stored_at IS NULL""",
        [
            (
                event.image_id,
                event.event_id,
                event.registered_by,
                event.label,
                event.trust,
                event.source_url,
                event.sha256,
                event.object_key,
                event.size_bytes,
                event.width,
                event.height,
                event.image_format,
                event.group_id,
                event.occurred_at,
                event.pixels_sha256 or None,
                list(event.joins),
                read_hash(event.perceptual_hash),
            )
            for event in events
        ],
    )
    await _decide_and_list([event.image_id for event in events], transaction)


async def apply_image_rejected(events: Sequence[ImageRejected], transaction: Transaction) -> None:
    """Insert the reasons; the latest attempt wins. Queries prefer stored to rejected."""
    await transaction.executemany(
        """INSERT INTO images AS known (image_id, rejected_attempt, rejection_reason, rejection_detail,
                                        rejection_retryable, duplicate_of, rejected_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (image_id) DO UPDATE SET
               rejected_attempt = excluded.rejected_attempt, rejection_reason = excluded.rejection_reason,
               rejection_detail = excluded.rejection_detail, rejection_retryable = excluded.rejection_retryable,
               duplicate_of = excluded.duplicate_of, rejected_at = excluded.rejected_at
           WHERE known.rejected_attempt IS NULL OR known.rejected_attempt < excluded.rejected_attempt""",
        [
            (
                event.image_id,
                event.attempt,
                event.reason,
                event.detail,
                event.retryable,
                event.duplicate_of,
                event.occurred_at,
            )
            for event in events
        ],
    )


async def apply_image_withdrawn(event: ImageWithdrawn, transaction: Transaction) -> None:
    """Insert who took the image back and why, and delete prediction and place; the first withdrawal counts."""
    await transaction.execute(
        """INSERT INTO images AS known (image_id, withdrawn_event_id, withdrawn_by, withdrawn_reason, withdrawn_sha256,
                                        withdrawn_at, seen_by)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (image_id) DO UPDATE SET
               withdrawn_event_id = excluded.withdrawn_event_id, withdrawn_by = excluded.withdrawn_by,
               withdrawn_reason = excluded.withdrawn_reason, withdrawn_sha256 = excluded.withdrawn_sha256,
               withdrawn_at = excluded.withdrawn_at, seen_by = excluded.seen_by
           WHERE known.withdrawn_at IS NULL""",
        event.image_id,
        event.event_id,
        event.withdrawn_by,
        event.reason,
        event.sha256,
        event.occurred_at,
        list(event.seen_by),
    )
    await _delete_answers([event.image_id], transaction)
    await SAME_PIXELS.decide_without(event.image_id, transaction)
    await unlist_image(event.image_id, transaction)
    copies = await find_copies([event.image_id], transaction)
    await list_images([*chain.from_iterable(copies.values())], transaction)


async def apply_label_corrected(events: Sequence[LabelCorrected], transaction: Transaction) -> None:
    """Append to the history; if a revision is the next one, what it decides holds for the image, otherwise it is
    superseded."""
    image_ids = list({event.image_id for event in events})
    known = await transaction.fetch("SELECT image_id, revision FROM images WHERE image_id = ANY($1)", image_ids)
    revisions = {row["image_id"]: row["revision"] for row in known}
    history = await transaction.fetch(
        """SELECT event_id, image_id, shown_model_version AS version,
                  shown_label IS NOT NULL AND label_to IS NOT NULL AS answered
           FROM label_history WHERE image_id = ANY($1) OR event_id = ANY($2)""",
        image_ids,
        [event.event_id for event in events],
    )
    seen, rows, new, applied = {row["event_id"] for row in history}, [], [], []
    for event in events:
        if event.event_id in seen:
            continue
        seen.add(event.event_id)
        new.append(event)
        applies, held = label_applies(revisions.get(event.image_id, 0), event.revision), event.holds
        if applies:
            revisions[event.image_id] = event.revision
            applied.append(event)
        rows.append(
            (
                event.event_id,
                event.image_id,
                event.revision,
                event.label_from,
                event.label_to,
                event.corrected_by,
                event.occurred_at,
                event.reason,
                event.shown_model_version,
                event.shown_label,
                event.prediction_id,
                applies,
                event.no_label,
                0 if held is None else held.revision,
                held and held.label,
            )
        )
    await transaction.executemany(
        """INSERT INTO label_history (event_id, image_id, revision, label_from, label_to, corrected_by, occurred_at,
                                      reason, shown_model_version, shown_label, prediction_id, applied, no_label,
                                      held_revision, held_label)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)""",
        rows,
    )
    answered = {(row["image_id"], row["version"]) for row in history if row["answered"]}
    await _count_shown_answers(new, answered, transaction)
    if applied:
        await _hold(applied, transaction)


async def _hold(events: Sequence[LabelCorrected], transaction: Transaction) -> None:
    """Write what these corrections decide, which apply in this order."""
    await transaction.executemany(
        """INSERT INTO images (image_id, revision, corrected_label, corrected_by, held_revision, no_label)
           VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT (image_id) DO UPDATE SET
               revision = excluded.revision, corrected_label = excluded.corrected_label,
               corrected_by = excluded.corrected_by, held_revision = excluded.held_revision,
               no_label = excluded.no_label""",
        [
            (
                event.image_id,
                event.revision,
                held and held.label,
                event.corrected_by,
                0 if held is None else held.revision,
                held and held.no_label,
            )
            for event in events
            for held in [event.holds]
        ],
    )
    await count_votes(events, transaction)
    await _decide_and_list([event.image_id for event in events], transaction)


async def _count_shown_answers(
    events: Sequence[LabelCorrected], answered: set[tuple[UUID, str | None]], transaction: Transaction
) -> None:
    """Count whether people agreed with the answers they were shown, once for each image and version: those in
    `answered` were counted before."""
    answers, agreed = Counter[str](), Counter[str]()
    for event in events:
        version, label = event.shown_model_version, event.shown_label
        if version is None or label is None or event.label_to is None or (event.image_id, version) in answered:
            continue
        answered.add((event.image_id, version))
        answers[version] += 1
        agreed[version] += event.label_to == label
    if not answers:
        return
    await transaction.executemany(
        """INSERT INTO shown_answers AS known (version, answers, agreed) VALUES ($1, $2, $3)
           ON CONFLICT (version) DO UPDATE SET
               answers = known.answers + excluded.answers, agreed = known.agreed + excluded.agreed""",
        [(version, number, agreed[version]) for version, number in answers.items()],
    )


async def _decide_and_list(image_ids: Sequence[UUID], transaction: Transaction) -> None:
    """Decide which image gives the label of pixels that one of these has with others, then list all of them."""
    copies = await find_copies(image_ids, transaction)
    for same in copies.values():
        await SAME_PIXELS.decide(same[0], transaction)
    await list_images([*image_ids, *chain.from_iterable(copies.values())], transaction)


async def apply_image_scored(events: Sequence[ImageScored], transaction: Transaction) -> None:
    """Keep the answers; the last event of an image holds, because only that one is sure to stay on its topic, which is
    compacted. About a withdrawn image nothing is kept."""
    last = {event.image_id: event for event in events}
    await _delete_answers([image_id for image_id, event in last.items() if event.answer is None], transaction)
    withdrawn = await _withdrawn(list(last), transaction)
    kept = [(event, event.answer) for event in last.values() if event.answer and event.image_id not in withdrawn]
    await transaction.executemany(
        """INSERT INTO predictions (image_id, prediction_id, label, probabilities, margin, model_version, occurred_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (image_id) DO UPDATE SET
               prediction_id = excluded.prediction_id, label = excluded.label, probabilities = excluded.probabilities,
               margin = excluded.margin, model_version = excluded.model_version, occurred_at = excluded.occurred_at""",
        [
            (
                event.image_id,
                answer.prediction_id,
                answer.label,
                answer.probabilities,
                margin(answer.probabilities),
                answer.model_version,
                event.occurred_at,
            )
            for event, answer in kept
        ],
    )
    await place_images({event.image_id: answer for event, answer in kept}, transaction)
    await list_images(list(last), transaction)


async def _delete_answers(image_ids: Sequence[UUID], transaction: Transaction) -> None:
    if image_ids:
        await transaction.execute("DELETE FROM predictions WHERE image_id = ANY($1)", image_ids)
        await transaction.execute("DELETE FROM places WHERE image_id = ANY($1)", image_ids)


async def _withdrawn(image_ids: Sequence[UUID], transaction: Transaction) -> set[UUID]:
    query = "SELECT image_id FROM images WHERE image_id = ANY($1) AND withdrawn_at IS NOT NULL"
    return {row["image_id"] for row in await transaction.fetch(query, image_ids)}


PROJECTORS: tuple[Projector, ...] = listing(
    on_events(ImageRegistered, apply_image_registered),
    on_events(ImageStored, apply_image_stored),
    on_events(ImageRejected, apply_image_rejected),
    on_event(ImageWithdrawn, apply_image_withdrawn),
    on_events(LabelCorrected, apply_label_corrected),
    on_events(ImageScored, apply_image_scored),
    on_event(ModelTrained, apply_model_trained),
    on_event(ModelPromoted, apply_model_promoted),
    on_event(ModelRejected, apply_model_rejected),
    on_event(PromotionRequested, apply_promotion_requested),
    on_event(DriftDetected, apply_drift_detected),
    on_event(LabelSetChanged, apply_label_set_changed),
    on_event(LabelVoted, apply_label_voted),
    on_event(TrialStarted, apply_trial_started),
)


def replay_plan() -> ReplayPlan:
    """Return what `python -m services.replay labeler` folds. Users are input and come from no event; predictions that
    earlier releases folded from prediction.logged are taken over, until the image is scored again, which uploads
    were deleted, and the numbers of events, so that a cursor holds."""
    return ReplayPlan(
        SCHEMA,
        MIGRATIONS,
        PROJECTORS,
        inputs=(*INPUTS, "event_numbers"),
        expiring=("predictions",),
        fold_version=FOLD_VERSION,
    )

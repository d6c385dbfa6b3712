"""The labeler's projection: images, labels, predictions, models and promotions as tables.

Every `apply_*` tolerates repeated events and any order between topics. Each column is written from one topic; only
`live_corrections` joins two, and `same_pixels` three, and the last of the events writes the row; a withdrawn image has
no prediction and no place, and decides about no other one, whichever event comes last. Races (corrections of one image,
promotions) are decided by `shared.contract.race_rules`, as in every other service.
"""

from uuid import UUID

from services.labeler.data.places import place_image
from services.labeler.data.same_pixels import SAME_PIXELS
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
from shared.contract.race_rules import label_applies, promotion_counts
from shared.tables.projection import Projector, Transaction, on_event
from shared.tables.replay import ReplayPlan

FOLD_VERSION = 4
"""Raised when events that are folded already would give other rows; people then run `pappus replay`."""

INSERTED = "INSERT 0 1"


async def apply_image_registered(event: ImageRegistered, transaction: Transaction) -> None:
    """Insert who registered the image; a later attempt only raises the number."""
    await transaction.execute(
        """INSERT INTO images AS known (image_id, registered_event_id, registered_by, registered_label,
                                        registered_trust, registered_url, registered_at, attempt, upload_key)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
           ON CONFLICT (image_id) DO UPDATE SET
               registered_event_id = excluded.registered_event_id, registered_by = excluded.registered_by,
               registered_label = excluded.registered_label, registered_trust = excluded.registered_trust,
               registered_url = excluded.registered_url, registered_at = excluded.registered_at,
               attempt = excluded.attempt, upload_key = excluded.upload_key
           WHERE known.registered_at IS NULL""",
        event.image_id,
        event.event_id,
        event.registered_by,
        event.label,
        event.trust,
        event.url,
        event.occurred_at,
        event.attempt,
        event.upload_key,
    )
    await transaction.execute(
        "UPDATE images SET attempt = $2 WHERE image_id = $1 AND attempt < $2", event.image_id, event.attempt
    )


async def apply_image_stored(event: ImageStored, transaction: Transaction) -> None:
    """Insert what is stored; a repetition changes nothing."""
    await transaction.execute(
        """INSERT INTO images AS known (image_id, stored_event_id, stored_by, stored_label, stored_trust, stored_url,
                                        sha256, object_key, size_bytes, width, height, image_format, group_id,
                                        stored_at, pixels_sha256, joins)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
           ON CONFLICT (image_id) DO UPDATE SET
               stored_event_id = excluded.stored_event_id, stored_by = excluded.stored_by,
               stored_label = excluded.stored_label, stored_trust = excluded.stored_trust,
               stored_url = excluded.stored_url, sha256 = excluded.sha256, object_key = excluded.object_key,
               size_bytes = excluded.size_bytes, width = excluded.width, height = excluded.height,
               image_format = excluded.image_format, group_id = excluded.group_id, stored_at = excluded.stored_at,
               pixels_sha256 = excluded.pixels_sha256, joins = excluded.joins
           WHERE known.stored_at IS NULL""",
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
    )
    await SAME_PIXELS.decide(event.image_id, transaction)


async def apply_image_rejected(event: ImageRejected, transaction: Transaction) -> None:
    """Insert the reason; the latest attempt wins. Queries prefer stored to rejected."""
    await transaction.execute(
        """INSERT INTO images AS known (image_id, rejected_attempt, rejection_reason, rejection_detail,
                                        rejection_retryable, duplicate_of, rejected_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (image_id) DO UPDATE SET
               rejected_attempt = excluded.rejected_attempt, rejection_reason = excluded.rejection_reason,
               rejection_detail = excluded.rejection_detail, rejection_retryable = excluded.rejection_retryable,
               duplicate_of = excluded.duplicate_of, rejected_at = excluded.rejected_at
           WHERE known.rejected_attempt IS NULL OR known.rejected_attempt < excluded.rejected_attempt""",
        event.image_id,
        event.attempt,
        event.reason,
        event.detail,
        event.retryable,
        event.duplicate_of,
        event.occurred_at,
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
    await _delete_answer(event.image_id, transaction)
    await SAME_PIXELS.decide_without(event.image_id, transaction)


async def apply_label_corrected(event: LabelCorrected, transaction: Transaction) -> None:
    """Append to the history; if the revision is the next one, what it decides holds for the image, otherwise it is
    superseded."""
    current = await transaction.fetchval("SELECT revision FROM images WHERE image_id = $1", event.image_id) or 0
    applied, held = label_applies(current, event.revision), event.holds
    held_revision, held_label = (0, None) if held is None else (held.revision, held.label)
    status = await transaction.execute(
        """INSERT INTO label_history (event_id, image_id, revision, label_from, label_to, corrected_by, occurred_at,
                                      reason, shown_model_version, shown_label, prediction_id, applied, no_label,
                                      held_revision, held_label)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT DO NOTHING""",
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
        applied,
        event.no_label,
        held_revision,
        held_label,
    )
    if status != INSERTED:
        return
    await _count_shown_answer(event, transaction)
    if not applied:
        return
    await transaction.execute(
        """INSERT INTO images (image_id, revision, corrected_label, corrected_by, held_revision, no_label)
           VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT (image_id) DO UPDATE SET
               revision = excluded.revision, corrected_label = excluded.corrected_label,
               corrected_by = excluded.corrected_by, held_revision = excluded.held_revision,
               no_label = excluded.no_label""",
        event.image_id,
        event.revision,
        held_label,
        event.corrected_by,
        held_revision,
        None if held is None else held.no_label,
    )
    await SAME_PIXELS.decide(event.image_id, transaction)


async def _count_shown_answer(event: LabelCorrected, transaction: Transaction) -> None:
    """Count whether a person agreed with the answer they were shown, once for each image and version."""
    if event.shown_model_version is None or event.shown_label is None or event.label_to is None:
        return
    decided = await transaction.fetchval(
        """SELECT EXISTS (SELECT FROM label_history
                          WHERE image_id = $1 AND shown_model_version = $2 AND event_id <> $3
                            AND shown_label IS NOT NULL AND label_to IS NOT NULL)""",
        event.image_id,
        event.shown_model_version,
        event.event_id,
    )
    if decided:
        return
    await transaction.execute(
        """INSERT INTO shown_answers AS known (version, answers, agreed) VALUES ($1, 1, $2)
           ON CONFLICT (version) DO UPDATE SET answers = known.answers + 1, agreed = known.agreed + excluded.agreed""",
        event.shown_model_version,
        int(event.label_to == event.shown_label),
    )


async def apply_image_scored(event: ImageScored, transaction: Transaction) -> None:
    """Keep the answer; the last event of an image holds, because only that one is sure to stay on its topic, which is
    compacted. About a withdrawn image nothing is kept."""
    answer = event.answer
    if answer is None:
        await _delete_answer(event.image_id, transaction)
        return
    if await _withdrawn(event.image_id, transaction):
        return
    await transaction.execute(
        """INSERT INTO predictions (image_id, prediction_id, label, probabilities, margin, model_version, occurred_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (image_id) DO UPDATE SET
               prediction_id = excluded.prediction_id, label = excluded.label, probabilities = excluded.probabilities,
               margin = excluded.margin, model_version = excluded.model_version, occurred_at = excluded.occurred_at""",
        event.image_id,
        answer.prediction_id,
        answer.label,
        answer.probabilities,
        margin(answer.probabilities),
        answer.model_version,
        event.occurred_at,
    )
    await place_image(event.image_id, answer, transaction)


async def _delete_answer(image_id: UUID, transaction: Transaction) -> None:
    await transaction.execute("DELETE FROM predictions WHERE image_id = $1", image_id)
    await transaction.execute("DELETE FROM places WHERE image_id = $1", image_id)


async def _withdrawn(image_id: UUID, transaction: Transaction) -> bool:
    query = "SELECT EXISTS (SELECT FROM images WHERE image_id = $1 AND withdrawn_at IS NOT NULL)"
    return bool(await transaction.fetchval(query, image_id))


async def apply_model_trained(event: ModelTrained, transaction: Transaction) -> None:
    """Insert the candidate; the first event of a version counts."""
    status = await transaction.execute(
        """INSERT INTO models (version, lane, parent, trained_at, event) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT DO NOTHING""",
        event.version,
        event.lane,
        event.parent,
        event.occurred_at,
        event.model_dump(mode="json"),
    )
    if status == INSERTED:
        await _mark_corrections_live(event.version, transaction)


async def apply_model_promoted(event: ModelPromoted, transaction: Transaction) -> None:
    """Insert the promotion. It counts if its sequence is the last counting one plus one."""
    last = await transaction.fetchval("SELECT coalesce(max(sequence), 0) FROM promotions WHERE counts")
    counts = promotion_counts(last, event.sequence)
    status = await transaction.execute(
        """INSERT INTO promotions (event_id, sequence, counts, version, answers, promoted_at, event)
           VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING""",
        event.event_id,
        event.sequence,
        counts,
        event.version,
        event.answers,
        event.occurred_at,
        event.model_dump(mode="json"),
    )
    if status == INSERTED and counts:
        await _mark_corrections_live(event.version, transaction)


async def apply_model_rejected(event: ModelRejected, transaction: Transaction) -> None:
    """Insert the rejection, and the corrections it sets aside."""
    status = await transaction.execute(
        """INSERT INTO rejections (event_id, version, answers, rejected_at, event) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT DO NOTHING""",
        event.event_id,
        event.version,
        event.answers,
        event.occurred_at,
        event.model_dump(mode="json"),
    )
    if status != INSERTED:
        return
    await transaction.executemany(
        """INSERT INTO set_aside (image_id, revision, version, sentence, set_aside_at) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (image_id, revision) DO UPDATE SET
               version = excluded.version, sentence = excluded.sentence, set_aside_at = excluded.set_aside_at""",
        [(left.image_id, left.revision, event.version, left.sentence, event.occurred_at) for left in event.set_aside],
    )


async def apply_promotion_requested(event: PromotionRequested, transaction: Transaction) -> None:
    """Insert the request."""
    await transaction.execute(
        """INSERT INTO promotion_requests (event_id, action, version, requested_by, reason, requested_at)
           VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING""",
        event.event_id,
        event.action,
        event.version,
        event.requested_by,
        event.reason,
        event.occurred_at,
    )


async def apply_drift_detected(event: DriftDetected, transaction: Transaction) -> None:
    """Insert the drift."""
    await transaction.execute(
        "INSERT INTO drifts (event_id, detected_at, event) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        event.event_id,
        event.occurred_at,
        event.model_dump(mode="json"),
    )


async def _mark_corrections_live(version: str, transaction: Transaction) -> None:
    """Mark the corrections of `version` as live since its first counting promotion, once both events are projected.
    Corrections that an earlier promotion made live keep their row; those that a difference does not name were made live
    with its parent."""
    await transaction.execute(
        """INSERT INTO live_corrections AS known (image_id, revision, sequence, version, live_at)
           SELECT correction.image_id, correction.revision, promotion.sequence, promotion.version, promotion.promoted_at
           FROM (SELECT * FROM promotions WHERE version = $1 AND counts ORDER BY sequence LIMIT 1) promotion
           JOIN models USING (version)
           CROSS JOIN LATERAL (SELECT * FROM corrections_in(models.event, 'corrections')
                               UNION ALL SELECT * FROM corrections_in(models.event, 'added')) correction
           ON CONFLICT (image_id, revision) DO UPDATE SET
               sequence = excluded.sequence, version = excluded.version, live_at = excluded.live_at
           WHERE known.sequence > excluded.sequence""",
        version,
    )


PROJECTORS: tuple[Projector, ...] = (
    on_event(ImageRegistered, apply_image_registered),
    on_event(ImageStored, apply_image_stored),
    on_event(ImageRejected, apply_image_rejected),
    on_event(ImageWithdrawn, apply_image_withdrawn),
    on_event(LabelCorrected, apply_label_corrected),
    on_event(ImageScored, apply_image_scored),
    on_event(ModelTrained, apply_model_trained),
    on_event(ModelPromoted, apply_model_promoted),
    on_event(ModelRejected, apply_model_rejected),
    on_event(PromotionRequested, apply_promotion_requested),
    on_event(DriftDetected, apply_drift_detected),
)


def replay_plan() -> ReplayPlan:
    """Return what `python -m services.replay labeler` folds. Users are input and come from no event; predictions that
    earlier releases folded from prediction.logged are taken over, until the image is scored again, and which uploads
    were deleted."""
    return ReplayPlan(
        SCHEMA,
        MIGRATIONS,
        PROJECTORS,
        inputs=("users", "swept_uploads"),
        expiring=("predictions",),
        fold_version=FOLD_VERSION,
    )

"""The tables of models: candidates, trials, promotions, rejections, requests, drifts, and what corrections are live."""

from shared.contract.events import DriftDetected, ModelPromoted, ModelRejected, ModelTrained, PromotionRequested
from shared.contract.race_rules import promotion_counts
from shared.contract.trials import TrialStarted
from shared.tables.postgres import Transaction

INSERTED = "INSERT 0 1"


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


async def apply_trial_started(event: TrialStarted, transaction: Transaction) -> None:
    """Insert the trial; the first event of a version counts."""
    await transaction.execute(
        "INSERT INTO trials (version, event) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        event.version,
        event.model_dump(mode="json"),
    )


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

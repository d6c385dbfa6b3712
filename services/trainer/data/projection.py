"""The trainer's projection: image.stored, image.withdrawn, label.corrected, label_set.changed, model.* and trial.* as
tables.

Each table is written from one topic (`same_pixels` follows from three of these tables), and each `apply_*` tolerates a
repeated event, so any interleaving of the topics gives the same tables. Every process that reads them runs
`trainer_projection`: one writes, the others stand by, so the tables go on when one process ends or hangs.
"""

from services.trainer.data.same_pixels import SAME_PIXELS
from shared.contract.events import (
    ImageStored,
    ImageWithdrawn,
    LabelCorrected,
    ModelPromoted,
    ModelRejected,
    ModelTrained,
)
from shared.contract.label_set import LabelSetChanged
from shared.contract.race_rules import label_applies, promotion_counts
from shared.contract.trials import TrialCompared, TrialStarted
from shared.messaging.event_log import EventLog
from shared.runtime.health import Health
from shared.tables.database import Database
from shared.tables.label_set import apply_label_set_changed
from shared.tables.projection import Projection, Projector, Transaction, on_event
from shared.tables.replay import ReplayPlan

SCHEMA = "trainer"
MIGRATIONS = "services.trainer.data.sql"
FOLD_VERSION = 3
"""Raised when events that are folded already would give other rows; people then run `pappus replay`."""


async def apply_image_stored(event: ImageStored, transaction: Transaction) -> None:
    """Remember the image; a repetition changes nothing."""
    await transaction.execute(
        """INSERT INTO images (image_id, event_id, sha256, object_key, group_id, label, trust, registered_by, stored_at,
                               pixels_sha256, quarantined)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING""",
        event.image_id,
        event.event_id,
        event.sha256,
        event.object_key,
        event.group_id,
        event.label,
        event.trust,
        event.registered_by,
        event.occurred_at,
        event.pixels_sha256 or None,
        bool(event.joins),
    )
    await SAME_PIXELS.decide(event.image_id, transaction)


async def apply_image_withdrawn(event: ImageWithdrawn, transaction: Transaction) -> None:
    """Remember that the image was taken back, also before it is known."""
    await transaction.execute(
        """INSERT INTO withdrawn_images (image_id, event_id, sha256, withdrawn_at)
           VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING""",
        event.image_id,
        event.event_id,
        event.sha256,
        event.occurred_at,
    )
    await SAME_PIXELS.decide_without(event.image_id, transaction)


async def apply_label_corrected(event: LabelCorrected, transaction: Transaction) -> None:
    """Remember whether the person agreed with the answer they saw, and the revision if it applies; one that is
    superseded or repeated is not the image's current plus one."""
    await _remember_shown_answer(event, transaction)
    current = await transaction.fetchval(
        "SELECT coalesce(max(revision), 0) FROM corrections WHERE image_id = $1", event.image_id
    )
    if not label_applies(current, event.revision):
        return
    held = event.holds
    await transaction.execute(
        """INSERT INTO corrections (image_id, revision, event_id, label, corrected_by, corrected_at, held_revision)
           VALUES ($1, $2, $3, $4, $5, $6, $7)""",
        event.image_id,
        event.revision,
        event.event_id,
        None if held is None else held.label,
        event.corrected_by,
        event.occurred_at,
        0 if held is None else held.revision,
    )
    await SAME_PIXELS.decide(event.image_id, transaction)


async def _remember_shown_answer(event: LabelCorrected, transaction: Transaction) -> None:
    """The first decision about an answer counts."""
    if event.shown_model_version is None or event.shown_label is None or event.label_to is None:
        return
    await transaction.execute(
        "INSERT INTO shown_answers (version, image_id, agreed) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        event.shown_model_version,
        event.image_id,
        event.label_to == event.shown_label,
    )


async def apply_model_trained(event: ModelTrained, transaction: Transaction) -> None:
    """Remember the candidate; the first announcement of a version counts."""
    await transaction.execute(
        """INSERT INTO models (version, event_id, lane, parent, trained_at, event)
           VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING""",
        event.version,
        event.event_id,
        event.lane,
        event.parent,
        event.occurred_at,
        event.model_dump(mode="json"),
    )


async def apply_model_promoted(event: ModelPromoted, transaction: Transaction) -> None:
    """Remember the promotion if it counts: its sequence is the last one plus one."""
    last = await transaction.fetchval("SELECT coalesce(max(sequence), 0) FROM promotions")
    if not promotion_counts(last, event.sequence):
        return
    await transaction.execute(
        """INSERT INTO promotions (sequence, event_id, cause, version, route, event)
           VALUES ($1, $2, $3, $4, $5, $6)""",
        event.sequence,
        event.event_id,
        event.cause,
        event.version,
        event.route,
        event.model_dump(mode="json"),
    )


async def apply_model_rejected(event: ModelRejected, transaction: Transaction) -> None:
    """Remember the first rejection of a cause, with the corrections it set aside."""
    cause = event.cause
    counts = await transaction.fetchval(
        """INSERT INTO rejections (cause, event_id, version, rejected_at, event)
           VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING TRUE""",
        cause,
        event.event_id,
        event.version,
        event.occurred_at,
        event.model_dump(mode="json"),
    )
    if not counts:
        return
    await transaction.executemany(
        """INSERT INTO set_aside (image_id, revision, cause, version, sentence)
           VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING""",
        [(left.image_id, left.revision, cause, event.version, left.sentence) for left in event.set_aside],
    )


async def apply_trial_started(event: TrialStarted, transaction: Transaction) -> None:
    """Remember the trial, in the order of the log; the first one of a candidate counts."""
    await transaction.execute(
        """INSERT INTO trials (cause, event_id, number, version, event)
           SELECT $1, $2, (SELECT coalesce(max(number), 0) + 1 FROM trials), $3, $4 ON CONFLICT DO NOTHING""",
        event.cause,
        event.event_id,
        event.version,
        event.model_dump(mode="json"),
    )


async def apply_trial_compared(event: TrialCompared, transaction: Transaction) -> None:
    """Remember what a replica compared until now, also of a trial that is not known yet. Counts only grow, so the
    largest are the last."""
    await transaction.execute(
        """INSERT INTO trial_counts (trial, replica, run, compared, disagreed, failed, dropped, detail)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
           ON CONFLICT (trial, replica, run) DO UPDATE SET
             compared = greatest(trial_counts.compared, EXCLUDED.compared),
             disagreed = greatest(trial_counts.disagreed, EXCLUDED.disagreed),
             detail = CASE WHEN EXCLUDED.failed > trial_counts.failed THEN EXCLUDED.detail ELSE trial_counts.detail END,
             failed = greatest(trial_counts.failed, EXCLUDED.failed),
             dropped = greatest(trial_counts.dropped, EXCLUDED.dropped)""",
        event.trial,
        event.replica,
        event.run,
        event.compared,
        event.disagreed,
        event.failed,
        event.dropped,
        event.detail,
    )


PROJECTORS: tuple[Projector, ...] = (
    on_event(ImageStored, apply_image_stored),
    on_event(ImageWithdrawn, apply_image_withdrawn),
    on_event(LabelCorrected, apply_label_corrected),
    on_event(ModelTrained, apply_model_trained),
    on_event(ModelPromoted, apply_model_promoted),
    on_event(ModelRejected, apply_model_rejected),
    on_event(LabelSetChanged, apply_label_set_changed),
    on_event(TrialStarted, apply_trial_started),
    on_event(TrialCompared, apply_trial_compared),
)
TOPICS: tuple[str, ...] = tuple(projector.event.topic for projector in PROJECTORS)
"""What the tables are folded from: caught up means at the end of these."""


def trainer_projection(
    event_log: EventLog, database: Database, health: Health, *, silence_seconds: float, reserve: bool = False
) -> Projection:
    """Return the projection of the trainer's tables, for every process that reads them. `reserve`: for a process of low
    priority, which writes only while no other one can."""
    return Projection(
        event_log,
        database,
        PROJECTORS,
        health,
        silence_seconds=silence_seconds,
        reserve=reserve,
        fold_version=FOLD_VERSION,
        keep_traces=True,
    )


def replay_plan() -> ReplayPlan:
    """Return what `python -m services.replay trainer` folds."""
    return ReplayPlan(SCHEMA, MIGRATIONS, PROJECTORS, fold_version=FOLD_VERSION)

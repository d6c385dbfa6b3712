"""The tables of the predictor: predictions, without those about images that people took back; which images are stored,
and which model answered about each last; what was asked in batches (`batch_fold`)."""

from collections.abc import Sequence
from uuid import UUID

from pydantic import TypeAdapter

from services.predictor.data.batch_fold import apply_prediction_completed, apply_prediction_requested, take_back
from services.predictor.decisions.answers import needs_answer
from shared.contract.batches import PredictionCompleted, PredictionRequested
from shared.contract.events import ImageStored, ImageWithdrawn
from shared.contract.image_scored import ImageScored
from shared.contract.replicas import AnswersLogged, LoggedAnswer, PredictionLogged
from shared.tables.database import Database
from shared.tables.projection import Projector, Transaction, on_event, on_events
from shared.tables.replay import ReplayPlan

SCHEMA = "predictor"
MIGRATIONS = "services.predictor.data.sql"
ANSWERS = TypeAdapter(tuple[LoggedAnswer, ...])
FOLD_VERSION = 2
"""Raised when events that are folded already would give other rows; people then run `pappus replay`."""


async def apply_prediction_logged(event: PredictionLogged, transaction: Transaction) -> None:
    """Insert one row for one prediction; a repetition changes nothing. One about a withdrawn image, or about its bytes,
    is not kept."""
    await transaction.execute(
        """INSERT INTO predictions (prediction_id, occurred_at, model_name, model_version, source, image_id, sha256,
                                    label, probabilities, corrections, projection, milliseconds, replica)
           SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13
           WHERE NOT EXISTS (SELECT FROM withdrawn_images w WHERE w.image_id = $6 OR w.sha256 = $7)
           ON CONFLICT (prediction_id, occurred_at) DO NOTHING""",
        event.prediction_id,
        event.occurred_at,
        event.model_name,
        event.model_version,
        event.source,
        event.image_id,
        event.sha256,
        event.label,
        event.probabilities,
        list(event.corrections),
        list(event.projection),
        event.milliseconds,
        event.replica,
    )


async def apply_answers_logged(events: Sequence[AnswersLogged], transaction: Transaction) -> None:
    """Insert a row for each answer, in one statement for an event, as `apply_prediction_logged` does for each."""
    for event in events:
        await transaction.execute(
            """INSERT INTO predictions (prediction_id, occurred_at, model_name, model_version, source, image_id, sha256,
                                        label, probabilities, corrections, projection, milliseconds, replica)
               SELECT a.prediction_id, a.answered_at, $2, a.model_version, $3, NULL, a.sha256, a.label,
                      a.probabilities, a.corrections, a.projection, a.milliseconds, $4
               FROM jsonb_to_recordset($1::text::jsonb) AS a (
                   prediction_id uuid, answered_at timestamptz, model_version text, sha256 text, label text,
                   probabilities jsonb, corrections uuid[], projection double precision[],
                   milliseconds double precision)
               WHERE NOT EXISTS (SELECT FROM withdrawn_images w WHERE w.sha256 = a.sha256)
               ON CONFLICT (prediction_id, occurred_at) DO NOTHING""",
            ANSWERS.dump_json(event.answers).decode(),
            event.model_name,
            event.source,
            event.replica,
        )


async def apply_image_withdrawn(event: ImageWithdrawn, transaction: Transaction) -> None:
    """Remember that the image was taken back, and delete what was answered about it and its bytes."""
    await transaction.execute(
        "INSERT INTO withdrawn_images (image_id, sha256) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        event.image_id,
        event.sha256,
    )
    await transaction.execute(
        "DELETE FROM predictions WHERE image_id = $1 OR sha256 = $2", event.image_id, event.sha256
    )
    await take_back(event, transaction)


async def apply_image_stored(event: ImageStored, transaction: Transaction) -> None:
    """Insert what is stored; a repetition changes nothing."""
    await transaction.execute(
        """INSERT INTO stored_images AS known (image_id, stored_event_id, sha256, object_key, awaits_review, stored_at)
           VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT (image_id) DO UPDATE SET
               stored_event_id = excluded.stored_event_id, sha256 = excluded.sha256, object_key = excluded.object_key,
               awaits_review = excluded.awaits_review, stored_at = excluded.stored_at
           WHERE known.stored_at IS NULL""",
        event.image_id,
        event.event_id,
        event.sha256,
        event.object_key,
        needs_answer(event),
        event.occurred_at,
    )


async def apply_image_scored(event: ImageScored, transaction: Transaction) -> None:
    """Remember which model answered: the last event of an image holds, because only that one is sure to stay on its
    topic, which is compacted."""
    answer = event.answer
    await transaction.execute(
        """INSERT INTO stored_images (image_id, full_model_sha256, sequence) VALUES ($1, $2, $3)
           ON CONFLICT (image_id) DO UPDATE SET
               full_model_sha256 = excluded.full_model_sha256, sequence = excluded.sequence""",
        event.image_id,
        None if answer is None else answer.full_model_sha256,
        None if answer is None else answer.sequence,
    )


async def is_withdrawn(database: Database, image_id: UUID) -> bool:
    """Return whether the tables show that a person took the image back."""
    query = "SELECT EXISTS (SELECT FROM withdrawn_images WHERE image_id = $1)"
    return bool(await database.fetchval(query, image_id))


async def find_withdrawn_bytes(database: Database, sha256s: Sequence[str]) -> set[str]:
    """Return those of these hashes whose image a person took back."""
    rows = await database.fetch("SELECT sha256 FROM withdrawn_images WHERE sha256 = ANY($1)", list(sha256s))
    return {row["sha256"] for row in rows}


def projectors() -> list[Projector]:
    """Return the projectors of the schema."""
    return [
        on_event(PredictionLogged, apply_prediction_logged),
        on_events(AnswersLogged, apply_answers_logged),
        on_event(ImageWithdrawn, apply_image_withdrawn),
        on_event(ImageStored, apply_image_stored),
        on_event(ImageScored, apply_image_scored),
        on_events(PredictionRequested, apply_prediction_requested),
        on_events(PredictionCompleted, apply_prediction_completed),
    ]


def replay_plan() -> ReplayPlan:
    """Return the plan of `python -m services.replay predictor`. Rows that expired on their topic stay."""
    return ReplayPlan(
        SCHEMA,
        MIGRATIONS,
        projectors(),
        inputs=("completion_numbers", "callbacks"),
        expiring=("predictions", "batches", "batch_predictions"),
        fold_version=FOLD_VERSION,
    )

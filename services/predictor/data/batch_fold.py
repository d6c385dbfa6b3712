"""The fold of asynchronous predictions: what was asked together, and what came of each image. Both topics may be folded
in any order; of each prediction the first event of a topic counts."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from pydantic import TypeAdapter

from shared.contract.batches import PredictionCompleted, PredictionOfBatch, PredictionRequested
from shared.contract.events import ImageWithdrawn
from shared.tables.database import Database
from shared.tables.projection import Transaction

E = TypeVar("E", bound=PredictionOfBatch)
REQUESTED = TypeAdapter(list[PredictionRequested])
COMPLETED = TypeAdapter(list[PredictionCompleted])
WITHDRAWN = "image_withdrawn"
WITHDRAWN_DETAIL = "A person took the image back, so nothing is kept of what was answered about it."


async def apply_prediction_requested(events: Sequence[PredictionRequested], transaction: Transaction) -> None:
    """Insert the batches and what was asked, in two statements; a repetition changes nothing. The name of a file is
    that of the request, where it has one: of two requests for it with other names either may be answered first."""
    all_of_them, requests = (REQUESTED.dump_json(each).decode() for each in (list(events), _first_of_each(events)))
    await transaction.execute(
        """INSERT INTO batches AS known (batch_id, size, requested_at, requested_by, callback_url)
           SELECT batch_id, max(batch_size), min(occurred_at), max(requested_by), max(callback_url)
           FROM jsonb_to_recordset($1::text::jsonb) AS e (
               batch_id uuid, batch_size integer, occurred_at timestamptz, requested_by text, callback_url text)
           GROUP BY batch_id ORDER BY batch_id
           ON CONFLICT (batch_id) DO UPDATE SET
               requested_at = least(known.requested_at, excluded.requested_at),
               requested_by = excluded.requested_by, callback_url = excluded.callback_url""",
        all_of_them,
    )
    await transaction.execute(
        """INSERT INTO batch_predictions AS known (prediction_id, batch_id, index, image_id, file_name, requested_at)
           SELECT prediction_id, batch_id, index, image_id, file_name, occurred_at
           FROM jsonb_to_recordset($1::text::jsonb) AS e (
               prediction_id uuid, batch_id uuid, index integer, image_id uuid, file_name text,
               occurred_at timestamptz)
           ON CONFLICT (prediction_id) DO UPDATE SET
               requested_at = excluded.requested_at, file_name = coalesce(excluded.file_name, known.file_name)
           WHERE known.requested_at IS NULL""",
        requests,
    )


async def apply_prediction_completed(events: Sequence[PredictionCompleted], transaction: Transaction) -> None:
    """Keep what came of each image; a repetition, also one with another answer, changes nothing. Of an image that was
    taken back, or of the same bytes, no answer is kept."""
    completed = _first_of_each(events)
    outcomes = COMPLETED.dump_json(completed).decode()
    await transaction.execute(
        """INSERT INTO batches (batch_id, size)
           SELECT batch_id, max(batch_size)
           FROM jsonb_to_recordset($1::text::jsonb) AS e (batch_id uuid, batch_size integer)
           GROUP BY batch_id ORDER BY batch_id ON CONFLICT DO NOTHING""",
        outcomes,
    )
    await transaction.execute(
        """INSERT INTO batch_predictions AS known (
               prediction_id, batch_id, index, image_id, file_name, completed_at, label, probabilities, model_version,
               sequence, sha256, milliseconds, replica, error, detail)
           SELECT e.prediction_id, e.batch_id, e.index, e.image_id, e.file_name, e.occurred_at, a.label,
                  a.probabilities, a.model_version, a.sequence, a.sha256, a.milliseconds, a.replica, r.error, r.detail
           FROM jsonb_to_recordset($1::text::jsonb) AS e (
                    prediction_id uuid, batch_id uuid, index integer, image_id uuid, file_name text,
                    occurred_at timestamptz, answer jsonb, refusal jsonb),
                jsonb_to_record(coalesce(e.answer, '{}')) AS a (
                    label text, probabilities jsonb, model_version text, sequence integer, sha256 text,
                    milliseconds double precision, replica text),
                jsonb_to_record(coalesce(e.refusal, '{}')) AS r (error text, detail text)
           ON CONFLICT (prediction_id) DO UPDATE SET
               file_name = coalesce(known.file_name, excluded.file_name),
               completed_at = excluded.completed_at, label = excluded.label,
               probabilities = excluded.probabilities, model_version = excluded.model_version,
               sequence = excluded.sequence, sha256 = excluded.sha256, milliseconds = excluded.milliseconds,
               replica = excluded.replica, error = excluded.error, detail = excluded.detail
           WHERE known.completed_at IS NULL""",
        outcomes,
    )
    await transaction.execute(
        f"""{_TAKE_BACK} FROM withdrawn_images w
            WHERE p.prediction_id = ANY($3) AND p.label IS NOT NULL
              AND (w.image_id = p.image_id OR w.sha256 = p.sha256)""",
        WITHDRAWN,
        WITHDRAWN_DETAIL,
        [event.prediction_id for event in completed],
    )


_TAKE_BACK = """
UPDATE batch_predictions p SET error = $1, detail = $2, label = NULL, probabilities = NULL, model_version = NULL,
       sequence = NULL, sha256 = NULL, milliseconds = NULL, replica = NULL
"""


async def take_back(event: ImageWithdrawn, transaction: Transaction) -> None:
    """Delete what was answered about an image that was taken back, or about its bytes, and say so."""
    await transaction.execute(
        f"{_TAKE_BACK} WHERE p.label IS NOT NULL AND (p.image_id = $3 OR p.sha256 = $4)",
        WITHDRAWN,
        WITHDRAWN_DETAIL,
        event.image_id,
        event.sha256,
    )


def _first_of_each(events: Iterable[E]) -> list[E]:
    """Return the first event of each prediction: one statement may not change a row twice."""
    found: dict[UUID, E] = {}
    for event in events:
        found.setdefault(event.prediction_id, event)
    return list(found.values())


async def delete_batches_before(database: Database, moment: datetime) -> int:
    """Delete batches that were asked for before `moment`, with all that is known of them. Return how many predictions.
    Kafka deletes them from the topics as well."""
    async with database.transaction() as transaction:
        deleted = await transaction.execute(
            "DELETE FROM batch_predictions WHERE coalesce(requested_at, completed_at) < $1", moment
        )
        for table, key in (("batches", "batch_id"), ("callbacks", "batch_id"), ("completion_numbers", "prediction_id")):
            await transaction.execute(
                f"DELETE FROM {table} t WHERE NOT EXISTS"  # noqa: S608 - names from above
                f" (SELECT FROM batch_predictions p WHERE p.{key} = t.{key})"
            )
    return int(deleted.rsplit(" ", 1)[-1])

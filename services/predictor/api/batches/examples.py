"""The examples of the routes of batches."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.predictor.api.batches.bodies import AcceptedBody, BatchBody, BatchPredictionBody, links_of
from shared.contract.batches import prediction_id_of
from shared.contract.events import uuid_of
from shared.http.examples import Example
from shared.http.problems import Problem

BATCH = UUID("5f0a7d0e-3c1b-4d7e-9a53-0f4d3b8f6a10")
IMAGES = (UUID("0ca38771-e8b0-4020-92e7-5ff3c5b29440"), uuid_of("plants_data", "2"))
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
AWAY = Problem(
    503,
    "store_unavailable",
    "PostgreSQL, where batches are shown from, does not answer this replica. What was accepted is answered all the"
    " same. Ask again in a moment.",
)
NONE = (
    Problem(
        404,
        "unknown_batch",
        f"There is no batch {BATCH}. One is here within a second or so after it was accepted, and for 14 days.",
    ),
    Problem(422, "invalid_request", "path.batch_id: Input should be a valid UUID"),
    AWAY,
)


def examples(version: str) -> Mapping[str, Example]:
    """Return them by the names of the routes: one image of two was answered by this version, the other refused."""
    answered = BatchPredictionBody(
        prediction_id=prediction_id_of(BATCH, 0),
        batch_id=BATCH,
        index=0,
        state="answered",
        completed_at=NOON + timedelta(seconds=1),
        label="dandelion",
        name="dandelion",
        probabilities={"dandelion": 0.97, "grass": 0.03},
        model_version=version,
        model_sequence=2,
        sha256="3a" * 32,
        milliseconds=3.1,
        replica="predictor-batches",
        image_id=IMAGES[0],
    )
    refused = BatchPredictionBody(
        prediction_id=prediction_id_of(BATCH, 1),
        batch_id=BATCH,
        index=1,
        state="refused",
        completed_at=NOON + timedelta(seconds=1),
        image_id=IMAGES[1],
        error="unknown_image",
        detail=f"No image {IMAGES[1]} is stored. Send an id that `GET /images` lists.",
    )
    batch = BatchBody(
        batch_id=BATCH,
        size=2,
        pending=0,
        answered=1,
        refused=1,
        finished=True,
        requested_at=NOON,
        completed_at=NOON + timedelta(seconds=1),
        predictions=[answered, refused],
        next=None,
        links=links_of(BATCH),
    )
    accepted = AcceptedBody(
        batch_id=BATCH,
        size=2,
        predictions=[answered.prediction_id, refused.prediction_id],
        links=links_of(BATCH),
    )
    return {
        "request_predictions": Example(
            body={"image_ids": list(IMAGES)},
            answers={202: accepted},
            problems=(
                Problem(
                    422,
                    "no_images",
                    "The request names no image. Send files in field 'file' of a form, or JSON with image_ids.",
                ),
                Problem(503, "unavailable", "Kafka did not answer in time. Send the request again."),
            ),
        ),
        "batch": Example(parameters={"batch_id": BATCH}, answers={200: batch}, problems=NONE),
        "batch_events": Example(parameters={"batch_id": BATCH}, problems=NONE),
    }

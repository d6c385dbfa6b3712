"""What is said about one image of a batch: an answer, or why there is none. Pure."""

import hmac
import json
from datetime import datetime
from uuid import UUID

from services.predictor.decisions.answers import Answer
from shared.contract.batches import BatchAnswer, BatchRefusal, PredictionCompleted, PredictionRequested
from shared.contract.events import ModelPromoted, uuid_of
from shared.web.webhooks import secret_of

PREFIX = "predictions"


def object_key_of(sha256: str) -> str:
    """Return where uploaded bytes with this hash are kept until retention deletes them."""
    return f"{PREFIX}/{sha256[:2]}/{sha256}"


def batch_answer(
    answer: Answer, promotion: ModelPromoted, sha256: str, milliseconds: float, replica: str
) -> BatchAnswer:
    """Return what the event says of an answer about the bytes `sha256`."""
    return BatchAnswer(
        label=answer.label,
        probabilities=answer.probabilities,
        model_version=promotion.version,
        sequence=promotion.sequence,
        sha256=sha256,
        milliseconds=milliseconds,
        replica=replica,
    )


def completed(
    request: PredictionRequested, outcome: BatchAnswer | BatchRefusal, occurred_at: datetime
) -> PredictionCompleted:
    """Return the event that completes a request. Its id comes from the prediction, so a repetition has the same id."""
    return PredictionCompleted(
        event_id=uuid_of(PredictionCompleted.topic, request.prediction_id),
        occurred_at=occurred_at,
        causes=(request.event_id,),
        prediction_id=request.prediction_id,
        batch_id=request.batch_id,
        index=request.index,
        batch_size=request.batch_size,
        image_id=request.image_id,
        file_name=request.file_name,
        answer=outcome if isinstance(outcome, BatchAnswer) else None,
        refusal=outcome if isinstance(outcome, BatchRefusal) else None,
    )


def callback_secret(master: str, requested_by: str) -> str:
    """Return the key that signs what is sent to this client, as it is given to the client: another one for each, and
    the same for all of its batches."""
    return secret_of(hmac.digest(master.encode(), f"callbacks|{requested_by}".encode(), "sha256"))


def callback_message(batch_id: UUID, size: int, answered: int, completed_at: datetime) -> tuple[UUID, bytes]:
    """Return id and body of the message that a batch is finished; they are the same at each try."""
    body = {
        "type": "batch.finished",
        "timestamp": completed_at.isoformat(),
        "data": {
            "batch_id": str(batch_id),
            "size": size,
            "answered": answered,
            "refused": size - answered,
            "batch": f"/batches/{batch_id}",
        },
    }
    return uuid_of("batch.finished", batch_id), json.dumps(body).encode()

"""What is said about one image of a batch: an answer, or why there is none. Pure."""

from datetime import datetime

from services.predictor.decisions.answers import Answer
from shared.contract.batches import BatchAnswer, BatchRefusal, PredictionCompleted, PredictionRequested
from shared.contract.events import ModelPromoted, uuid_of

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
        answer=outcome if isinstance(outcome, BatchAnswer) else None,
        refusal=outcome if isinstance(outcome, BatchRefusal) else None,
    )

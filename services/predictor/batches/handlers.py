"""prediction.requested -> prediction.completed, with the champion of that moment."""

from services.predictor.batches.sources import ImageBytes, Refused
from services.predictor.decisions.batches import batch_answer, completed
from services.predictor.metrics import BATCH_PREDICTIONS_COMPLETED, count_answer
from services.predictor.model.holder import ModelHolder
from services.predictor.model.scoring import Scoring
from services.predictor.settings import SOURCE
from shared.contract.batches import BatchAnswer, BatchRefusal, PredictionCompleted, PredictionRequested
from shared.imaging.decoding import UndecodableImage
from shared.messaging.event_log import EventLog
from shared.messaging.handler import run_handlers, subscribe
from shared.runtime.clock import Clock, utc_now
from shared.runtime.errors import NotReady
from shared.runtime.health import Health
from shared.runtime.settings import GroupSettings

GROUP = "predictor-batches"
CONCURRENCY = 8
"""Images in work at once: while one is scored, others are fetched. Fewer large images are decoded at once."""
ANSWERED = "answered"


class RequestedPredictions:
    """Answers each image of a batch once it is asked for. Answers of batches are not logged, and no drift counts them:
    a batch is a choice of pictures, not what comes by itself."""

    def __init__(self, images: ImageBytes, in_service: ModelHolder, replica: str, clock: Clock = utc_now) -> None:
        self._images = images
        self._in_service = in_service
        self._replica = replica
        self._clock = clock
        self._scoring = Scoring()

    async def run(self, event_log: EventLog, health: Health, in_groups: GroupSettings) -> None:
        """Wait for the first model, then handle prediction.requested until cancelled."""
        await self._in_service.wait()
        await run_handlers(
            event_log,
            group=GROUP,
            source=SOURCE,
            subscriptions=[subscribe(PredictionRequested, self.on_prediction_requested)],
            health=health,
            concurrency=CONCURRENCY,
            **in_groups,
        )

    async def on_prediction_requested(self, event: PredictionRequested) -> list[PredictionCompleted]:
        """Return prediction.completed: the answer, or why there is none. Its id comes from the prediction, so a
        repetition has the same id; of two answers the first on the log counts.

        Raises:
            NotReady: there is no model yet.
            TransientError: the bytes cannot be asked for now.
        """
        outcome = await self._outcome(event)
        label = ANSWERED if isinstance(outcome, BatchAnswer) else outcome.error
        BATCH_PREDICTIONS_COMPLETED.labels(label).inc()
        return [completed(event, outcome, self._clock())]

    async def _outcome(self, event: PredictionRequested) -> BatchAnswer | BatchRefusal:
        try:
            data = await self._images.fetch(event)
            serving = self._in_service.current
            if serving is None:
                raise NotReady("No model has been loaded yet. Promote one; batches are answered then.")
            scored = await self._scoring.score(data, serving.model)
        except Refused as refused:
            return refused.refusal
        except UndecodableImage as error:
            return BatchRefusal(error=error.reason, detail=str(error))
        count_answer(scored.answer.label, scored.answer.probability, "batch")
        return batch_answer(scored.answer, serving.promotion, scored.sha256, scored.milliseconds, self._replica)

"""The agents of the trigger: they fold each record into a row, and request a training at a tick if one is due.

Tables and records come from Faust, which this module does not import. A record may be delivered again to every method.
"""

from collections.abc import Awaitable, Callable, Collection, MutableMapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.trainer.full_trigger.decisions.rows import (
    NOTHING_TRAINED,
    CorrectionRow,
    ImageRow,
    LoggedEvent,
    RecordPosition,
    TrainingRow,
    log_event,
    on_drift_detected,
    on_image_stored,
    on_label_corrected,
    on_model_promoted,
    on_model_trained,
    on_training_requested,
)
from services.trainer.full_trigger.decisions.state import state_of
from services.trainer.full_trigger.decisions.training_due import Request, TriggerSettings, WaitUntil, decide
from shared.contract.events import (
    DriftDetected,
    Event,
    ImageStored,
    ImageWithdrawn,
    LabelCorrected,
    ModelPromoted,
    ModelTrained,
    TrainingRequested,
    uuid_of,
)
from shared.messaging.event_log import Publisher, Record
from shared.runtime.clock import Clock
from shared.runtime.errors import TransientError
from shared.runtime.telemetry import logger

LONGEST_IDLE = timedelta(hours=1)
"""The longest time between two decisions, so that a missed moment is made up for."""


@dataclass(frozen=True)
class TriggerTables:
    """Rows by image id, and one row by model name."""

    images: MutableMapping[str, ImageRow]
    corrections: MutableMapping[str, CorrectionRow]
    withdrawals: MutableMapping[str, LoggedEvent]
    trainings: MutableMapping[str, TrainingRow]


class FullTrigger:
    """The trigger of one model. `report` is told why no training is requested, or that one was."""

    def __init__(
        self,
        tables: TriggerTables,
        publisher: Publisher,
        model_name: str,
        settings: TriggerSettings,
        clock: Clock,
        report: Callable[[str], None] = lambda _why: None,
        classes: Callable[[], Awaitable[Collection[str]]] | None = None,
    ) -> None:
        """`classes`: asks for the labels of all classes there are now; None: those of the settings."""
        self._classes = classes
        self._labels: Collection[str] = settings.labels
        self._tables = tables
        self._publisher = publisher
        self._model_name = model_name
        self._settings = settings
        self._clock = clock
        self._report = report
        self._decide_at = clock()
        self._last_why = ""

    async def on_image_stored(self, event: ImageStored, record: Record) -> None:
        """Fold the image into its row."""
        key = str(event.image_id)
        self._tables.images[key] = on_image_stored(self._tables.images.get(key), event, self._position(record))
        self._decide_soon()

    async def on_image_withdrawn(self, event: ImageWithdrawn, record: Record) -> None:
        """Remember where the withdrawal stands; the first one of an image counts."""
        key = str(event.image_id)
        if key not in self._tables.withdrawals:
            self._tables.withdrawals[key] = log_event(event, self._position(record))
            self._decide_soon()

    async def on_label_corrected(self, event: LabelCorrected, record: Record) -> None:
        """Fold the correction into the row of its image; a superseded correction changes nothing."""
        key = str(event.image_id)
        before = self._tables.corrections.get(key)
        after = on_label_corrected(before, event, self._position(record))
        if after is not None and after is not before:
            self._tables.corrections[key] = after
            self._decide_soon()

    async def on_training(
        self, event: ModelTrained | TrainingRequested | DriftDetected | ModelPromoted, record: Record
    ) -> None:
        """Fold a training, a request, a drift or a promotion of this model into the row of trainings."""
        if event.model_name == self._model_name:
            self._fold(event, self._position(record))
            self._decide_soon()

    async def on_tick(self, _tick: Record) -> None:
        """Decide, if a decision is due."""
        now = self._clock()
        if now < self._decide_at:
            return
        tables, labels = self._tables, await self._known_labels()
        state = state_of(tables.images, tables.corrections, self._training, labels, tables.withdrawals)
        answer = decide(state, now, self._settings)
        if isinstance(answer, Request) and self._settings.trigger_dry_run:
            answer = WaitUntil(
                None, f"A full training would be requested: {answer.detail} PAPPUS_TRIGGER_DRY_RUN is on."
            )
        if isinstance(answer, Request):
            await self._request_training(answer, now)
            return
        self._decide_at = min(now + LONGEST_IDLE, answer.time or now + LONGEST_IDLE)
        if answer.why != self._last_why:
            self._last_why = answer.why
            self._report(answer.why)
            logger.info("no training now", why=answer.why, decide_again_at=self._decide_at.isoformat())

    async def _known_labels(self) -> Collection[str]:
        """Return the labels of all classes; while the tables are away those that were known last."""
        if self._classes is not None:
            try:
                self._labels = await self._classes()
            except TransientError as error:
                logger.warning("the classes cannot be read; those that were known last count", error=str(error))
        return self._labels

    async def _request_training(self, request: Request, now: datetime) -> None:
        """Publish the request and fold it at once, so that the next tick sees it. After a crash in between, the same
        state gives the same event id, and this process reads its own request from the topic."""
        event = TrainingRequested(
            event_id=uuid_of(TrainingRequested.topic, self._model_name, request.reason, *request.causes),
            occurred_at=now,
            causes=request.causes,
            model_name=self._model_name,
            reason=request.reason,
            detail=request.detail,
        )
        try:
            (record,) = await self._publisher.publish([event])
        except TransientError as error:  # the outcome is unknown; a second request is harmless
            logger.warning(
                "a training could not be requested and will be requested again", reason=request.reason, error=str(error)
            )
            return
        self._last_why = f"A full training was requested: {request.detail}"
        self._report(self._last_why)
        logger.info("a full training is requested", reason=request.reason, detail=request.detail)
        self._fold(event, RecordPosition(f"{record.topic}/{record.partition}", record.offset, now.timestamp()))
        self._decide_soon()

    def _fold(self, event: Event, position: RecordPosition) -> None:
        before = row = self._training
        match event:
            case TrainingRequested():
                row = on_training_requested(row, event, position)
            case ModelTrained():
                row = on_model_trained(row, event, position)
            case DriftDetected():
                row = on_drift_detected(row, event, position)
            case ModelPromoted():
                row = on_model_promoted(row, event)
        if row is not before:
            self._tables.trainings[self._model_name] = row

    @property
    def _training(self) -> TrainingRow:
        return self._tables.trainings.get(self._model_name) or NOTHING_TRAINED

    def _decide_soon(self) -> None:
        self._decide_at = min(self._decide_at, self._clock())

    def _position(self, record: Record) -> RecordPosition:
        """Return the position and time of the record; a producer's clock that is ahead does not make it come later."""
        at = min(record.timestamp_ms / 1000, self._clock().timestamp())
        return RecordPosition(f"{record.topic}/{record.partition}", record.offset, at)

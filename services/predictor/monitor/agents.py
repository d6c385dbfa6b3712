"""The agents of the monitor: they keep each answer and each decision of a person as a row, and count them at a tick.

Tables and records come from Faust, which this module does not import. A record may be delivered again to every method.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from services.predictor.monitor.decisions.agreement import NOTHING_SAID, AgreementWatch, Fall, count_outcome
from services.predictor.monitor.decisions.pictures import (
    FEATURES,
    NOTHING_WATCHED,
    PictureWatch,
    Reference,
    count_answer,
    describe_answers,
    follow,
    statistics,
    stop_watch,
)
from services.predictor.monitor.decisions.rows import (
    AnswerRow,
    OutcomeRow,
    Position,
    answer_key,
    answer_row,
    outcome_key,
    outcome_row,
    position_within,
)
from services.predictor.monitor.metrics import (
    ANSWERS_COMPARED,
    DRIFT_FIGURES,
    DRIFT_OPEN,
    DRIFT_STATISTIC,
    DRIFT_THRESHOLD,
    DRIFTS_DETECTED,
)
from services.predictor.monitor.recent_rows import RecentRows
from services.predictor.monitor.references import References
from shared.contract.events import DriftDetected, LabelCorrected, ModelPromoted, uuid_of
from shared.contract.replicas import AnswersLogged, PredictionLogged
from shared.messaging.event_log import Publisher, Record
from shared.runtime.clock import Clock, utc_now
from shared.runtime.errors import TransientError
from shared.runtime.telemetry import logger

ACCURACY = "accuracy"


@dataclass(frozen=True)
class MonitorTables:
    """Rows of answers and of people's decisions by position, and one watch of each kind by the name of the model."""

    answers: MutableMapping[str, Any]
    outcomes: MutableMapping[str, Any]
    watches: MutableMapping[str, Any]


class Monitor:
    """The monitor of one model. `report` is told whether all is well, and in a sentence how it is."""

    def __init__(
        self,
        tables: MonitorTables,
        references: References,
        publisher: Publisher,
        model_name: str,
        report: Callable[[bool, str], None] = lambda _ok, _sentence: None,
        clock: Clock = utc_now,
    ) -> None:
        self._answers: RecentRows[AnswerRow] = RecentRows(tables.answers, model_name)
        self._outcomes: RecentRows[OutcomeRow] = RecentRows(tables.outcomes, model_name)
        self._watches = tables.watches
        self._references = references
        self._publisher = publisher
        self._model_name = model_name
        self._report = report
        self._clock = clock
        self._published: set[UUID] = set()
        self._new_answers = self._new_outcomes = True  # what was kept before this start may not be counted yet

    async def on_prediction_logged(self, event: PredictionLogged, record: Record) -> None:
        """Keep the answer, if it is one to the API about a picture that was not asked lately."""
        self._keep_answer(event, event.event_id, _position(record), self._time_of(record))

    async def on_answers_logged(self, event: AnswersLogged, record: Record) -> None:
        """Keep each of the answers, as `on_prediction_logged`. The time of each is its own: those of two replicas are
        counted in their order."""
        latest = self._time_of(record)
        for index, answer in enumerate(event.each()):
            place = position_within(record.topic, record.partition, record.offset, index)
            self._keep_answer(answer, event.event_id, place, min(latest, answer.occurred_at.timestamp()))

    def _keep_answer(self, event: PredictionLogged, event_id: UUID, position: Position, at: float) -> None:
        """Keep an answer that stands in the event with this id."""
        row = answer_row(event, event_id, position, at)
        if row is not None and event.model_name == self._model_name and self._answers.add(answer_key(event), row):
            self._new_answers = True

    async def on_label_corrected(self, event: LabelCorrected, record: Record) -> None:
        """Keep what a person said about the answer they were shown."""
        row = outcome_row(event, _position(record), self._time_of(record))
        if row is not None and self._outcomes.add(outcome_key(event), row):
            self._new_outcomes = True

    async def on_tick(self, _tick: Record) -> None:
        """Count what is new, and publish a drift that it shows. What cannot be published or read now waits."""
        away = [
            str(error)
            for error in (await self._tried(self._count_answers), await self._tried(self._count_outcomes))
            if error is not None
        ]
        if away:
            self._report(False, f"Answers are compared later. {away[0]}")
            logger.warning("answers are compared later", reason=away[0])

    async def _tried(self, count: Callable[[], Awaitable[None]]) -> TransientError | None:
        """Count; return what was away meanwhile."""
        try:
            await count()
        except TransientError as error:
            return error
        return None

    async def _count_answers(self) -> None:
        change = self._references.newest_change()
        if not self._references.known or not (self._new_answers or self._is_replaced(change)):
            return
        watch = before = self._picture_watch
        if change is not None and self._is_replaced(change):  # also where no answer of the new model came yet
            found = await self._references.of(change)
            if found is not None:
                watch = follow(watch, found, change.sequence)
            elif not self._references.is_missing(change):
                watch = stop_watch(watch, change.sequence)
        reference = await self._reference_of(watch)
        for row in self._answers.after(before["seen"]):
            watch, reference = await self._follow_model(watch, reference, row)
            if reference is not None and row["reference"] == watch["reference"]:
                watch, begins = count_answer(watch, row, reference)
                if begins:
                    await self._publish(_pictures_drifted(watch, row, reference, self._model_name))
            watch = {**watch, "seen": {**watch["seen"], row["partition"]: _next_offset(watch, row)}}
        if watch is not before:
            self._watches[f"{self._model_name}/pictures"] = watch
            ANSWERS_COMPARED.inc(max(0, watch["answers"] - before["answers"]))
        self._new_answers = False
        self._show(watch, reference)

    def _is_replaced(self, change: ModelPromoted | None) -> bool:
        """Whether this promotion came after all that the watch knows."""
        return change is not None and change.sequence > self._picture_watch["sequence"]

    async def _follow_model(
        self, watch: PictureWatch, reference: Reference | None, row: AnswerRow
    ) -> tuple[PictureWatch, Reference | None]:
        """Return the watch, begun anew if the answer is of a model that was promoted later and has another reference.
        An answer of a model that was replaced since changes nothing."""
        sequence = self._references.sequence(row["version"]) or 0
        if sequence <= watch["sequence"]:
            return watch, reference
        if row["reference"] == watch["reference"]:
            return {**watch, "sequence": sequence}, reference
        found = await self._references.find(row["reference"], row["version"])
        return (watch, reference) if found is None else (follow(watch, found, sequence), found)

    async def _count_outcomes(self) -> None:
        if not self._new_outcomes:
            return
        watch = before = self._agreement_watch
        for row in self._outcomes.after(before["seen"]):
            watch, fall = count_outcome(watch, row)
            if fall is not None:
                await self._publish(_agreement_fell(watch, fall, row, self._model_name))
        if watch is not before:
            self._watches[f"{self._model_name}/agreement"] = watch
        self._new_outcomes = False
        DRIFT_OPEN.labels(ACCURACY).set(watch["open_since"] is not None)

    async def _publish(self, drift: DriftDetected) -> None:
        """Publish a drift before it is counted: after a crash in between, the same rows give the same event id. What
        this process has published it does not publish again."""
        if drift.event_id in self._published:
            return
        await self._publisher.publish([drift])
        self._published.add(drift.event_id)
        DRIFTS_DETECTED.labels(drift.statistic).inc()
        logger.warning(
            "a drift is detected",
            statistic=drift.statistic,
            value=drift.value,
            threshold=drift.threshold,
            since=drift.window_from.isoformat(),
            answers=drift.answers,
        )

    def _time_of(self, record: Record) -> float:
        """Return when the record was appended, in seconds since 1970; a producer's clock that is ahead does not make it
        come later."""
        return min(record.timestamp_ms / 1000, self._clock().timestamp())

    async def _reference_of(self, watch: PictureWatch) -> Reference | None:
        """Return the reference of the watch; None if it cannot be had any more, and the next one is awaited."""
        return await self._references.find(watch["reference"], watch["version"]) if watch["reference"] else None

    @property
    def _picture_watch(self) -> PictureWatch:
        watch: PictureWatch = self._watches.get(f"{self._model_name}/pictures") or NOTHING_WATCHED
        return watch

    @property
    def _agreement_watch(self) -> AgreementWatch:
        watch: AgreementWatch = self._watches.get(f"{self._model_name}/agreement") or NOTHING_SAID
        return watch

    def _show(self, watch: PictureWatch, reference: Reference | None) -> None:
        """Show how it is, as metrics and in a sentence."""
        DRIFT_OPEN.labels(FEATURES).set(watch["open_since"] is not None)
        if reference is None:
            sentence = "There is nothing to compare answers with: the next full training makes a reference."
            self._report(True, sentence)
            return
        values, thresholds = statistics(watch), reference.thresholds()
        for name, value in values.items():
            DRIFT_STATISTIC.labels(name).set(value)
            DRIFT_THRESHOLD.labels(name).set(thresholds[name])
        for name, figure in describe_answers(watch, reference).items() if watch["answers"] else ():
            DRIFT_FIGURES.labels(name).set(figure)
        self._report(
            True,
            f"{'Drift' if watch['open_since'] else 'No drift'} after {watch['answers']} answers: the statistic is"
            f" {values[FEATURES]:.1f}, the threshold {thresholds[FEATURES]:.1f}.",
        )


def _pictures_drifted(watch: PictureWatch, row: AnswerRow, reference: Reference, model_name: str) -> DriftDetected:
    return DriftDetected(
        event_id=uuid_of(DriftDetected.topic, model_name, watch["reference"], FEATURES, watch["episode"]),
        occurred_at=_time(row["at"]),
        causes=(UUID(row["event_id"]),),
        model_name=model_name,
        model_version=row["version"],
        statistic=FEATURES,
        value=round(statistics(watch)[FEATURES], 3),
        threshold=round(reference.drift.features.threshold, 3),
        window_from=_time(watch["open_since"] or row["at"]),
        window_to=_time(row["at"]),
        answers=watch["since_usual"],
        reference=watch["reference"],
        episode=watch["episode"],
        figures=describe_answers(watch, reference),
    )


def _agreement_fell(watch: AgreementWatch, fall: Fall, row: OutcomeRow, model_name: str) -> DriftDetected:
    return DriftDetected(
        event_id=uuid_of(DriftDetected.topic, model_name, "", ACCURACY, watch["episode"]),
        occurred_at=_time(row["at"]),
        causes=(UUID(row["event_id"]),),
        model_name=model_name,
        model_version=row["version"],
        statistic=ACCURACY,
        value=round(fall.after, 4),
        threshold=round(fall.before, 4),
        window_from=_time(watch["open_since"] or row["at"]),
        window_to=_time(row["at"]),
        answers=len(watch["window"]),
        episode=watch["episode"],
        figures={"accuracy": round(fall.after, 4), "accuracy_before": round(fall.before, 4)},
    )


def _position(record: Record) -> Position:
    return {"partition": str(record.partition), "offset": record.offset}


def _next_offset(watch: PictureWatch, row: AnswerRow) -> int:
    return max(watch["seen"].get(row["partition"], 0), row["offset"] + 1)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)

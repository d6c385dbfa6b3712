"""The events that replicas of the predictor publish: their answers, and which model gives them. Best effort."""

from datetime import UTC, datetime
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from shared.contract.event_base import Event, Principal, is_empty, uuid_of
from shared.contract.event_parts import Count

MOST_ANSWERS = 200
"""So many answers one event holds at most."""


class PredictionLogged(Event):
    """The model answered a request. Keyed by prediction. Releases since answers.logged publish none; they read it.

    `probabilities` sum to 1; `projection` is 16 numbers of the features for drift, and `drift_reference` the name of
    what they may be compared with, empty if the model has none; `corrections` are the images whose corrections shaped
    the answer, heaviest first, with `correction_weights` in 0..1; `image_id` is None for an image that is not stored.
    `source` says who asked: "api" or "probe"; "stored" in older events, for what is now image.scored.
    """

    topic: ClassVar[str] = "prediction.logged"
    publishers: ClassVar[tuple[Principal, ...]] = ("predictor",)
    readers: ClassVar[tuple[Principal, ...]] = ("predictor",)
    prediction_id: UUID
    model_name: str
    model_version: str
    label: str
    probabilities: dict[str, float]
    source: str
    milliseconds: float
    replica: str
    image_id: UUID | None = None
    sha256: str
    projection: tuple[float, ...] = ()
    corrections: tuple[UUID, ...] = ()
    drift_reference: str = ""
    correction_weights: tuple[float, ...] = Field(default=(), exclude_if=is_empty)

    @property
    def key(self) -> str:
        return str(self.prediction_id)


def _in_a_year(moment: datetime) -> datetime:
    """Return the moment, if it has a year in UTC: another one can be counted and kept nowhere."""
    try:
        moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("this moment is in no year") from error
    return moment


class LoggedAnswer(BaseModel):
    """One answer of answers.logged, given at `answered_at`; its other fields as in prediction.logged."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())
    prediction_id: UUID
    answered_at: Annotated[AwareDatetime, AfterValidator(_in_a_year)]
    model_version: str
    label: str
    probabilities: dict[str, float]
    milliseconds: float
    sha256: str
    projection: tuple[float, ...] = ()
    corrections: tuple[UUID, ...] = ()
    correction_weights: tuple[float, ...] = ()
    drift_reference: str = ""


class AnswersLogged(Event):
    """What a replica answered to requests in a quarter of a second, at most 200 answers: one record for many costs a
    fraction of one for each. Keyed by replica. Best effort. `source` says who asked: "api" or "probe". Natural key:
    replica, and the ids of the first and the last answer."""

    topic: ClassVar[str] = "answers.logged"
    publishers: ClassVar[tuple[Principal, ...]] = ("predictor",)
    readers: ClassVar[tuple[Principal, ...]] = ("predictor",)
    model_name: str
    replica: str
    source: str
    answers: tuple[LoggedAnswer, ...] = Field(max_length=MOST_ANSWERS)

    @property
    def key(self) -> str:
        return self.replica

    def each(self) -> list[PredictionLogged]:
        """Return each answer as an event of its own, as it was published before."""
        return [
            PredictionLogged.model_construct(
                event_id=uuid_of(PredictionLogged.topic, answer.prediction_id),
                occurred_at=answer.answered_at,
                causes=(),
                prediction_id=answer.prediction_id,
                model_name=self.model_name,
                model_version=answer.model_version,
                label=answer.label,
                probabilities=answer.probabilities,
                source=self.source,
                milliseconds=answer.milliseconds,
                replica=self.replica,
                image_id=None,
                sha256=answer.sha256,
                projection=answer.projection,
                corrections=answer.corrections,
                drift_reference=answer.drift_reference,
                correction_weights=answer.correction_weights,
            )
            for answer in self.answers
        ]


class ModelLoaded(Event):
    """This replica answers with this version since `loaded_at`, or could not load it. Repeated every 10 s, for people
    who look: the labeler shows what each replica said last. Keyed by replica. Best effort. `outcome`: "serving" or
    "failed"; `loaded_at` is None without a model, and from older replicas."""

    topic: ClassVar[str] = "model.loaded"
    publishers: ClassVar[tuple[Principal, ...]] = ("predictor",)
    readers: ClassVar[tuple[Principal, ...]] = ("labeler",)
    replica: str
    model_name: str
    version: str | None
    sequence: Count | None
    outcome: str
    detail: str = ""
    wanted_version: str | None = None
    loaded_at: AwareDatetime | None = Field(default=None, exclude_if=is_empty)

    @property
    def key(self) -> str:
        return self.replica

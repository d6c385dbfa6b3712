"""The events that replicas of the predictor publish: an answer, and which model gives answers. Best effort."""

from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime, Field

from shared.contract.event_base import Event, Principal, is_empty
from shared.contract.event_parts import Count


class PredictionLogged(Event):
    """The model answered a request. Keyed by prediction. Best effort.

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

"""The bodies of answers, for the description of the API and for its clients."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class _Body(BaseModel):
    model_config = ConfigDict(protected_namespaces=())


class CorrectionBody(_Body):
    """A corrected image that shaped the answer; weight in (0, 1], 1 for the very same picture."""

    image_id: UUID
    weight: float


class PredictionBody(_Body):
    """An answer. `label` is that of a class for good, `name` what people call it now. Probabilities sum to 1;
    `milliseconds` is decoding and inference; corrections heaviest first, at most 3."""

    label: str
    name: str = ""
    probabilities: dict[str, float]
    model_version: str
    model_sequence: int
    prediction_id: UUID
    trace_id: str | None
    milliseconds: float
    sha256: str
    replica: str
    corrections: list[CorrectionBody]


class GivenAnswerBody(_Body):
    """An answer that was given, as it was logged. `label` is that of a class for good, `name` what people call it now.
    `corrections`: the images whose corrections shaped it, heaviest first. `image_id` is null for an image that is not
    stored; `source` says who asked: `api`, or `probe`."""

    prediction_id: UUID
    answered_at: datetime
    label: str
    name: str = ""
    probabilities: dict[str, float]
    model_name: str
    model_version: str
    sha256: str
    image_id: UUID | None
    corrections: list[UUID]
    source: str
    milliseconds: float
    replica: str


class ModelBody(_Body):
    """The model that answers in this replica."""

    version: str
    sequence: int
    labels: list[str]
    artefact_sha256: str
    loaded_at: datetime
    replica: str

"""What the labeler shows of its tables: the answers of its API. Times are aware; probabilities sum to 1."""

from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.contract.events import RuleOutcome, Trust


class View(BaseModel):
    """A value somebody reads."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())


class Rejection(View):
    """Why an image was not stored, at its newest attempt."""

    reason: str
    detail: str
    retryable: bool
    attempt: int
    duplicate_of: UUID | None = None


class ShownPrediction(View):
    """The model's newest answer about a stored image."""

    prediction_id: UUID
    label: str
    probabilities: dict[str, float]
    model_version: str


class ImageView(View):
    """One image. `label` and `revision` are the current ones (0: as it came); sha256, width and height (pixels) are
    None until it is stored. `source` is its address, or "upload". `duplicate_of` names the image to look at instead."""

    image_id: UUID
    state: Literal["registered", "stored", "rejected"]
    label: str | None
    revision: int
    trust: Trust
    sha256: str | None
    width: int | None
    height: int | None
    source: str
    registered_by: str | None
    corrected_by: str | None
    attempt: int
    rejection: Rejection | None = None
    duplicate_of: UUID | None = None
    prediction: ShownPrediction | None = None


class HistoryEntry(View):
    """One revision of a label. `live_in` is the first promoted model that holds it, since `live_at`; `set_aside` is why
    the fast lane left it out, for the time being."""

    event_id: UUID | None
    revision: int
    label_from: str | None
    label_to: str | None
    corrected_by: str | None
    occurred_at: AwareDatetime | None
    reason: str
    shown_model_version: str | None
    shown_label: str | None
    state: Literal["applied", "superseded"]
    live_in: str | None
    live_at: AwareDatetime | None
    set_aside: str | None


class ReviewItem(View):
    """A stored image nobody has reviewed, and why it is worth a look."""

    image_id: UUID
    label: str | None
    revision: int
    trust: Trust
    prediction: ShownPrediction | None
    reason: str


class ReviewQueue(View):
    """The next images to look at, the most useful first, and how many wait in all."""

    items: list[ReviewItem]
    waiting: int


class ModelView(View):
    """One model version. `sequence` and `promoted_at` belong to its newest promotion, None if it never served."""

    version: str
    lane: Literal["fast", "full"]
    parent: str | None
    state: Literal["candidate", "champion", "former", "rejected"]
    sequence: int | None
    summary: str
    verdict: list[RuleOutcome]
    metrics: dict[str, float]
    training_images: int | None
    test_images: int | None
    corrections: int
    seconds: dict[str, float]
    trained_at: AwareDatetime | None
    promoted_at: AwareDatetime | None


class ChampionView(ModelView):
    """The model in service. `frozen`: no candidate is promoted until a person unfreezes."""

    frozen: bool
    requested_by: str | None

"""What the labeler's and the predictor's API answer. Times are aware; probabilities sum to 1.

The labeler's API returns these very classes. Fields that an API adds later are ignored by older clients.
"""

from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.contract.events import NoLabel, RuleOutcome, Trust, VerdictEvidence
from shared.contract.roles import Role


class Body(BaseModel):
    """The body of a response."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())


class Session(Body):
    """A login: `token` goes into the header Authorization: Bearer."""

    token: str
    name: str
    role: Role
    expires_at: AwareDatetime


class AccessToken(Body):
    """The same token in the words of OAuth 2.0. `expires_in`: seconds."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the type of a token
    expires_in: int


class Labels(Body):
    """The labels an image can have, what people call each now (see `shared.clients.classes`), and the name of the model
    that learns them."""

    labels: tuple[str, ...]
    model_name: str
    names: dict[str, str] = {}


class Accepted(Body):
    """The log has the event, but the tables do not show its outcome yet. Repeat with the same Idempotency-Key."""

    event_id: UUID
    image_id: UUID | None = None

    @property
    def outcome(self) -> str:
        return "accepted"


class AcceptedImage(Accepted):
    """Accepted, for an event about one image."""

    image_id: UUID


class Uploaded(Body):
    """A stored image. `duplicate_of` is its id if its bytes were stored before this upload. `quarantined`: it resembles
    images of both sides of the split."""

    image_id: UUID
    state: Literal["stored"] = "stored"
    sha256: str
    label: str | None
    revision: int
    duplicate_of: UUID | None = None
    quarantined: bool = False


class DecidedLabel(Body):
    """What a person decided about an image in a revision: its label, or None, and in `no_label` why."""

    image_id: UUID
    revision: int
    label: str | None
    no_label: NoLabel | None
    decided_by: str
    decided_at: AwareDatetime


class LabelConflict(Body):
    """People gave two pictures with the same pixels different labels. `counting` is the later decision, which counts
    for all pictures with these pixels; `overruled` is the earlier one."""

    counting: DecidedLabel
    overruled: DecidedLabel


class Applied(Body):
    """A correction that holds. `label` is the image's label now: what was set, or what was restored by a withdrawal;
    None for no label, and `no_label` is then why. `conflicts`: what it contradicts, since the pixels are the same.
    "voted": it is kept as a vote for `label`, which counts once enough people say the same; the revision stays."""

    image_id: UUID
    label: str | None
    revision: int
    event_id: UUID
    state: Literal["applied", "voted"] = "applied"
    no_label: NoLabel | None = None
    conflicts: list[LabelConflict] = []

    @property
    def outcome(self) -> str:
        return self.state


class GateAnswer(Body):
    """The gate's answer to an operator. `version` and `sequence` name the promotion; None if there is none."""

    outcome: Literal["promoted", "rejected"]
    version: str | None
    sequence: int | None
    summary: str


class Rejection(Body):
    """The reason why the latest attempt did not store an image."""

    reason: str
    detail: str
    retryable: bool
    attempt: int
    duplicate_of: UUID | None = None


class ShownPrediction(Body):
    """A label and its probability, as a model answered for one image."""

    prediction_id: UUID
    label: str
    probabilities: dict[str, float]
    model_version: str


class WithdrawalView(Body):
    """Who took an image back, why and when."""

    withdrawn_by: str
    reason: str
    withdrawn_at: AwareDatetime


class ResembledGroup(Body):
    """Near-duplicates that a quarantined image resembles, all on one side of the split: how many are stored, and the
    oldest of them."""

    side: Literal["train", "test"]
    count: int
    images: list[UUID]


class ImageView(Body):
    """One image. `label` and `revision` are the current ones (revision 0: as registered); sha256, width and height
    (pixels) are None until it is stored. `source` is its URL or "upload"; `duplicate_of` the image to use instead.
    `decided_in` is the revision in which a person decided the label (0: the image has the label it was stored with);
    `no_label` why a person decided that it has none; `withdrawal` who took the image back, and why. `label_of` is
    another image with the same pixels, whose label counts for this one, too; None: its own counts. `joins`: it
    resembles images of these groups, which are on different sides of the split, so it is quarantined: in neither
    training nor tests. `resembles` says more about them where one image or the quarantine is asked for. `name` is what
    the file was called, or the last part of its address."""

    image_id: UUID
    state: Literal["registered", "stored", "rejected", "withdrawn"]
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
    decided_in: int = 0
    no_label: NoLabel | None = None
    withdrawal: WithdrawalView | None = None
    label_of: UUID | None = None
    joins: list[str] = []
    resembles: list[ResembledGroup] = []
    name: str | None = None


class HistoryEntry(Body):
    """One revision of a label. `live_in` is the first promoted model that holds it, since `live_at`; `set_aside` is the
    reason why the fast lane leaves it out for now. `no_label` says why a revision sets no label: then `live_in` is the
    first model in service without the label that was taken away, and `held_label` the one that holds instead, None for
    none or for the one that the image was stored with. `conflicts`: what this revision contradicts, since the pixels
    are the same."""

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
    no_label: NoLabel | None = None
    held_label: str | None = None
    conflicts: list[LabelConflict] = []


class ReviewItem(Body):
    """A stored image that has not been reviewed, and why it is worth a look. `quarantined`: it resembles images of both
    sides of the split."""

    image_id: UUID
    label: str | None
    revision: int
    trust: Trust
    prediction: ShownPrediction | None
    reason: str
    quarantined: bool = False


class DoubleCheck(Body):
    """A person's last decisions contradict model and data set again and again: `contradicting` of the last `decisions`.
    Asked once: the answer names `asked_about`, the time of the newest of them."""

    contradicting: int
    decisions: int
    asked_about: AwareDatetime


class ReviewQueue(Body):
    """The next images to review, the most useful first, and the number of all images that wait, or more if `more`.
    `skipped`: how many this person has left for later; `double_check`: what the person is asked, None for nothing.
    `blind`: people vote about these images, and decide without the answer of a model."""

    items: list[ReviewItem]
    waiting: int
    more: bool = False
    skipped: int = 0
    double_check: DoubleCheck | None = None
    blind: bool = False


class PromotionView(Body):
    """One promotion that counts: why this version serves since `promoted_at`, and who asked for it, None for the gate
    itself."""

    sequence: int
    route: str
    summary: str
    verdict: list[RuleOutcome]
    frozen: bool
    requested_by: str | None
    promoted_at: AwareDatetime


class LiveAccuracy(Body):
    """How often people agreed with answers they were shown: `agreed` of `answers`, as a share (None of nothing), and
    the 95 % interval of the true share, all 0 to 1. Review shows doubtful images first: of all, more are right."""

    answers: int
    agreed: int
    share: float | None
    low: float
    high: float


class DriftView(Body):
    """A drift that was noticed. `statistic`: "features", other pictures than were learned, or "accuracy", people agree
    with fewer answers; `value` has passed `threshold`. It lasts since `window_from`, over `answers` answers up to
    `detected_at`. `figures` explain it. `open`: no full model that was trained since came into service."""

    event_id: UUID
    statistic: str
    model_version: str
    detected_at: AwareDatetime
    window_from: AwareDatetime
    answers: int
    value: float
    threshold: float
    figures: dict[str, float]
    open: bool


class ModelView(Body):
    """One model version. `summary` and `verdict` are the gate's about the candidate: those of its first promotion, or
    of its rejection. `sequence` and `promoted_at` belong to its latest promotion, None if it never served; `promotions`
    are all of them, oldest first. `live`: how often people agreed with it, None if it was shown to none.
    `waits_for_approval`: the gate would promote it, and an operator has to approve it. `evidence`: what the verdict
    rests on; only where one model is asked for."""

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
    promotions: list[PromotionView] = []
    live: LiveAccuracy | None = None
    waits_for_approval: bool = False
    evidence: VerdictEvidence | None = None

    @property
    def accuracy(self) -> float | None:
        """The accuracy that the gate measured, else the one of the training; None if there is neither."""
        judged = [rule.figures.get("accuracy") for rule in self.verdict if rule.rule == "accuracy"]
        return judged[0] if judged else self.metrics.get("test_accuracy")


class FirstModel(Body):
    """What the first model waits for, in a sentence."""

    waits_for: str


class ChampionView(ModelView):
    """The model in service. `frozen`: no candidate is promoted until an operator unfreezes; `freeze` is the promotion
    since which it is so. `live_since_full`: how often people agreed since the last full model. `drifts`: the open ones,
    newest first."""

    frozen: bool
    requested_by: str | None
    freeze: PromotionView | None = None
    live_since_full: LiveAccuracy | None = None
    drifts: list[DriftView] = []


class CorrectionWeight(Body):
    """A corrected image that shaped a prediction; weight in (0, 1], 1 for the same picture."""

    image_id: UUID
    weight: float


class Prediction(ShownPrediction):
    """The predictor's answer. `name`: what people call the class now, empty from older predictors; `milliseconds` is
    decoding and inference; at most 3 corrections, the heaviest first."""

    model_sequence: int
    trace_id: str | None
    milliseconds: float
    sha256: str
    replica: str
    corrections: list[CorrectionWeight]
    name: str = ""


class GivenAnswer(ShownPrediction):
    """An answer that the predictor gave, as it was logged; `corrections`: the images whose corrections shaped it,
    heaviest first. `image_id` is None for an image that is not stored."""

    answered_at: AwareDatetime
    model_name: str
    sha256: str
    image_id: UUID | None
    corrections: list[UUID]
    source: str
    milliseconds: float
    replica: str
    name: str = ""


class ServingModel(Body):
    """The model that one replica of the predictor serves."""

    version: str
    sequence: int
    labels: list[str]
    artefact_sha256: str
    loaded_at: AwareDatetime
    replica: str

"""What the trainer's tables say, as values: corrections, candidates, the model in service. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.trainer.dataset.manifest import Sample
from shared.contract.events import AppliedCorrection, ModelPromoted, ModelRejected, ModelTrained


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """A stored image with a trusted label, where its bytes lie, and its group of near-duplicates."""

    sample: Sample
    object_key: str
    group_id: str

    @property
    def image_id(self) -> UUID:
        """Which image it is."""
        return self.sample.image_id


@dataclass(frozen=True, slots=True)
class Correction:
    """The label that a person decided of a stored image. `revision` is that of the decision; `event_id` and
    `corrected_at` are those of the label.corrected since which it holds: of the decision itself, or of the withdrawal
    that restored it."""

    image_id: UUID
    revision: int
    label: str
    sha256: str
    object_key: str
    group_id: str
    corrected_at: datetime
    event_id: UUID

    @property
    def applied(self) -> AppliedCorrection:
        """The same as models name it."""
        return AppliedCorrection(image_id=self.image_id, revision=self.revision)


@dataclass(frozen=True, slots=True)
class Retraction:
    """An image whose last label was taken away by the correction `revision`, or does not count any more, since another
    image with the same pixels was decided about later. `held_revision` is the decision that holds since: an earlier
    one, `revision` itself (the image has no label), or 0 (none of its own). `event_id` and `corrected_at` are those of
    the event that did it. An image that was withdrawn itself is one with a revision after all others, at which nothing
    holds."""

    image_id: UUID
    revision: int
    held_revision: int
    corrected_at: datetime
    event_id: UUID

    def takes_back(self, held: AppliedCorrection) -> bool:
        """Whether it takes this correction, which a model holds, away."""
        return held.image_id == self.image_id and held.revision <= self.revision and held.revision != self.held_revision


def find_taken_back(
    held: Iterable[AppliedCorrection], retractions: Iterable[Retraction]
) -> list[tuple[AppliedCorrection, Retraction]]:
    """Return which of the corrections that a model holds were taken back since, each with its retraction."""
    by_image = {one.image_id: one for one in retractions}
    pairs = ((one, by_image.get(one.image_id)) for one in held)
    return [(one, retraction) for one, retraction in pairs if retraction is not None and retraction.takes_back(one)]


@dataclass(frozen=True, slots=True)
class Reading:
    """How far tables were read: which tables these are, since a replay puts others in their place, and the number of
    the last change."""

    table_id: int
    change: int


@dataclass(frozen=True, slots=True)
class Champion:
    """The model in service: the last promotion that counts and the candidate it promoted."""

    promotion: ModelPromoted
    model: ModelTrained

    @property
    def sequence(self) -> int:
        """The number of the last promotion that counts; the next one is this plus one."""
        return self.promotion.sequence

    @property
    def frozen(self) -> bool:
        """Whether candidates wait for a person."""
        return self.promotion.frozen

    @property
    def version(self) -> str:
        """The version in service."""
        return self.model.version


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate in short. `judged`: it was promoted or rejected."""

    version: str
    trained_at: datetime
    judged: bool


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A candidate and what became of it. `promoted` are the sequences under which it counts, oldest first; `rejected`
    is the verdict on the candidate itself, None if there is none; answers to requests that name it are not in it."""

    trained: ModelTrained
    promoted: tuple[int, ...]
    rejected: ModelRejected | None

    @property
    def judged(self) -> bool:
        """Whether the candidate has its verdict."""
        return bool(self.promoted) or self.rejected is not None


@dataclass(frozen=True, slots=True)
class TrialCounts:
    """What the replicas compared in a trial: see `TrialCompared`. `detail`: why the candidate failed, empty if it did
    not."""

    compared: int = 0
    disagreed: int = 0
    failed: int = 0
    dropped: int = 0
    detail: str = ""

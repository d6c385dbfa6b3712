"""What the trainer's tables say, as values: corrections, candidates, the model in service. Pure."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.trainer.dataset.manifest import Sample
from shared.contract.events import AppliedCorrection, ModelPromoted, ModelRejected, ModelTrained


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """A stored image with a trusted label, and where its bytes lie."""

    sample: Sample
    object_key: str


@dataclass(frozen=True, slots=True)
class Correction:
    """The newest applied revision of a stored image's label. `event_id` is the label.corrected that made it."""

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

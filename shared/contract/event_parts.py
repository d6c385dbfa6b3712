"""The pieces that events are made of."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

LARGEST = 2**31 - 1
"""The largest number that an `integer` column keeps."""
FILE_NAME_LENGTH = 200
"""The most characters of a file's name."""
Count = Annotated[int, Field(ge=0, le=LARGEST)]
Ordinal = Annotated[int, Field(ge=1, le=LARGEST)]
Probability = Annotated[float, Field(ge=0, le=1)]


class AppliedCorrection(BaseModel):
    """One revision of one image's label, as a model holds it or sets it aside."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    image_id: UUID
    revision: Count


class RuleOutcome(BaseModel):
    """One rule of a verdict, in a sentence a person can judge. `outcome`: "passed", "failed", "insufficient_evidence"
    or "not_applicable"."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    rule: str
    outcome: str
    sentence: str
    figures: dict[str, float] = {}


class ClassFigures(BaseModel):
    """One class of the locked test images: how many there are, how many are right, the recall, and the 95 % interval of
    the true recall, all 0 to 1 (recall 0 and interval 0 to 1 without any image)."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    label: str
    images: Count
    right: Count
    recall: Probability
    low: Probability
    high: Probability


class VerdictEvidence(BaseModel):
    """What a verdict rests on. `gained` are test images that only the candidate has right, `lost` those that only the
    champion has right: so many in all, and the ids of at most a hundred each. `confusion` is [truth][answer], both in
    the order of `classes`."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    gained: Count = 0
    lost: Count = 0
    gained_images: tuple[UUID, ...] = ()
    lost_images: tuple[UUID, ...] = ()
    classes: tuple[ClassFigures, ...] = ()
    confusion: tuple[tuple[Count, ...], ...] = ()


class SetAside(AppliedCorrection):
    """A correction left out of the fast lane until a person or the next full training looks at it, and why."""

    sentence: str

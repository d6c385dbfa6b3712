"""The pieces that events are made of."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

LARGEST = 2**31 - 1
"""The largest number that an `integer` column keeps."""
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


class SetAside(AppliedCorrection):
    """A correction left out of the fast lane until a person or the next full training looks at it, and why."""

    sentence: str

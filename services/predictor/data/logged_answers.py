"""A question to the table of predictions: what was answered under an id."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.tables.lookups import Lookups


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """An answer as the table has it. `probabilities` sum to 1; `corrections` are the images whose corrections shaped
    it, heaviest first; `image_id` is None for an image that is not stored."""

    prediction_id: UUID
    answered_at: datetime
    model_name: str
    model_version: str
    source: str
    image_id: UUID | None
    sha256: str
    label: str
    probabilities: dict[str, float]
    corrections: tuple[UUID, ...]
    milliseconds: float
    replica: str


async def find_answer(tables: Lookups, prediction_id: UUID) -> GivenAnswer | None:
    """Return the answer of this id; None if the table has none. Raises TablesAway."""
    row = await tables.fetchrow(
        """SELECT prediction_id, occurred_at AS answered_at, model_name, model_version, source, image_id, sha256, label,
                  probabilities, corrections, milliseconds, replica
           FROM predictions WHERE prediction_id = $1""",
        prediction_id,
    )
    if row is None:
        return None
    fields = dict(row)
    return GivenAnswer(**{**fields, "corrections": tuple(fields["corrections"])})

"""What people said about answers by their ids, and is not done yet."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from uuid import UUID

from shared.tables.database import Database

_COLUMNS = (
    "feedback_id, said_by, settles, said_at, reason, label, prediction_id, sha256, model_version, answered_label,"
    " answered_probability, revision"
)
_SAID = ", ".join(f"said.{column}" for column in _COLUMNS.split(", "))
_KEEP = f"""
INSERT INTO answer_feedback ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (feedback_id) DO NOTHING
"""  # noqa: S608 - constants
_OPEN = f"""
SELECT {_SAID}, images.image_id FROM answer_feedback said JOIN images USING (sha256)
WHERE said.label IS NOT NULL AND said_at < $1 AND stored_at IS NOT NULL AND withdrawn_at IS NULL
ORDER BY said_at, feedback_id LIMIT $2
"""  # noqa: S608 - constants
_FORGET_WITHDRAWN = "DELETE FROM answer_feedback said USING images WHERE images.withdrawn_sha256 = said.sha256"
_FORGET_ABANDONED = """
DELETE FROM answer_feedback said
WHERE said_at < $1 AND NOT EXISTS (SELECT FROM images WHERE images.sha256 = said.sha256)
"""


@dataclass(frozen=True, slots=True)
class SaidAboutAnswer:
    """What a person said about an answer. `label` is None for "wrong"; `revision` is that of the image's label then, 0
    for an image that is not stored; `answered_probability` is in 0..1."""

    feedback_id: UUID
    said_by: str
    settles: bool
    said_at: datetime
    reason: str
    label: str | None
    prediction_id: UUID
    sha256: str
    model_version: str
    answered_label: str
    answered_probability: float
    revision: int


async def keep(database: Database, said: SaidAboutAnswer) -> SaidAboutAnswer:
    """Keep it, unless it is kept already, and return what is kept under its id."""
    await database.execute(_KEEP, *astuple(said))
    row = await database.fetchrow(f"SELECT {_COLUMNS} FROM answer_feedback WHERE feedback_id = $1", said.feedback_id)  # noqa: S608
    return said if row is None else SaidAboutAnswer(**dict(row))  # None: another process has just done it


async def find_open(database: Database, before: datetime, limit: int) -> list[tuple[SaidAboutAnswer, UUID]]:
    """Return labels that were said before a time, are not set yet and can be, the oldest first, each with the image
    that holds the bytes."""
    found = [dict(row) for row in await database.fetch(_OPEN, before, limit)]
    return [(SaidAboutAnswer(**row), image_id) for row, image_id in ((row, row.pop("image_id")) for row in found)]


async def forget(database: Database, feedback_ids: Sequence[UUID]) -> None:
    """Delete what is done."""
    await database.execute("DELETE FROM answer_feedback WHERE feedback_id = ANY($1::uuid[])", list(feedback_ids))


async def forget_withdrawn(database: Database) -> None:
    """Delete what was said about images that people took back."""
    await database.execute(_FORGET_WITHDRAWN)


async def forget_abandoned(database: Database, before: datetime) -> None:
    """Delete what was said before a time about images that never came: the upload was refused, or the request ended
    before it, and the person was told nothing."""
    await database.execute(_FORGET_ABANDONED, before)

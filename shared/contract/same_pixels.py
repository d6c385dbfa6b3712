"""Pictures with the same pixels have one label: the rule which of several images gives it. Every reader applies it, so
all of them agree."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from shared.contract.labels import Trust

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PictureLabel:
    """What is said of one of several images with the same pixels. `decided_at` is when a person made the decision that
    holds for it (that it has no label is one, too), None without one; `label` and `trust` are what it was stored
    with."""

    image_id: UUID
    decided_at: datetime | None
    label: str | None
    trust: Trust
    stored_at: datetime


def find_deciding_image(pictures: Sequence[PictureLabel]) -> UUID:
    """Return the image whose label counts for all of these, of which there is at least one.

    The latest decision of a person counts; without any, the label of a data set or a reviewer, then a claimed one, of
    equal ones the image that was stored last. Times are those of the events: different images lie in different
    partitions, so the log has no order between them.
    """
    return max(pictures, key=_rank).image_id


def _rank(picture: PictureLabel) -> tuple[datetime, bool, bool, datetime, UUID]:
    labelled = picture.label is not None
    trusted = labelled and picture.trust != "claimed"
    return picture.decided_at or _NEVER, trusted, labelled, picture.stored_at, picture.image_id

"""Which group of near-duplicates does an image join? Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.contract.split import side


@dataclass(frozen=True, slots=True)
class Grouped:
    """The group of an image. `joins` are the groups of different sides that it resembles, if it does: then it is
    quarantined, in neither training nor tests, since either side would know something of the other."""

    group_id: str
    joins: tuple[str, ...] = ()


def choose_group(image_id: UUID, resembled: Sequence[str]) -> Grouped:
    """Return the group of an image that resembles images of these groups, the oldest first: the oldest one, or a new
    one without any. Groups are never merged, so that no image changes its side; on one side two of them do no harm."""
    groups = tuple(dict.fromkeys(resembled))
    if not groups:
        return Grouped(str(image_id))
    sides = {side(group) for group in groups}
    return Grouped(groups[0], groups if len(sides) > 1 else ())

"""Images with the same pixels: the data set holds one of them, so the trigger counts one. Pure."""

from collections import defaultdict
from collections.abc import Container, Mapping
from uuid import UUID

from services.trainer.full_trigger.decisions.rows import CorrectionRow, ImageRow, held_revisions, to_datetime
from shared.contract.same_pixels import PictureLabel, find_deciding_image


def find_copies(
    images: Mapping[str, ImageRow], corrections: Mapping[str, CorrectionRow], withdrawn: Container[str]
) -> dict[str, str]:
    """Return of each image whose pixels others have, too, which of them gives the label. Rows have times of the log
    where the data set has those of the events: of decisions in one second another one may count here."""
    by_pixels = defaultdict[str, list[str]](list)
    for image_id, image in images.items():
        if (pixels := image.get("pixels")) and image_id not in withdrawn:
            by_pixels[pixels].append(image_id)
    found: dict[str, str] = {}
    for same in by_pixels.values():
        if len(same) > 1:
            decides = str(find_deciding_image([_describe(each, images[each], corrections.get(each)) for each in same]))
            found |= dict.fromkeys(same, decides)
    return found


def _describe(image_id: str, image: ImageRow, correction: CorrectionRow | None) -> PictureLabel:
    held = held_revisions(correction)
    decided = correction["applied"][held[-1] - 1]["at"] if correction and held[-1] else None
    return PictureLabel(
        image_id=UUID(image_id),
        decided_at=None if decided is None else to_datetime(decided),
        label=image["label"],
        trust="seed" if image["trusted"] else "claimed",
        stored_at=to_datetime(image["stored"]["at"]),
    )

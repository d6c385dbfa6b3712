"""How accuracy went with the number of labels, and what the last labels brought. Pure.

Nothing is fitted and nothing foretold: the figures are those of versions that served, as they were measured when they
were promoted, and what is said about the last labels holds in 95 of 100 such comparisons.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from shared.contract.intervals import difference_interval

STEP = 100
"""So many labels are judged together."""
LEAST = 20
"""Where there were fewer since the first model, nothing is said."""
WORTH = 0.01
"""A step that brought less than this for certain, a point of accuracy, brought next to nothing."""

Verdict = Literal["helped", "enough", "harmed", "open"]


@dataclass(frozen=True, slots=True)
class Served:
    """A version that served: the images that a full training learned from, the corrections it holds, and how many of
    the test images were right when it was promoted first; `images` is 0 if that was not measured."""

    version: str
    sequence: int
    full: bool
    parent: str | None
    training_images: int
    corrections: int
    right: int
    images: int


def count_labels(served: Sequence[Served]) -> dict[str, int]:
    """Return from how many labels each version has learned, given those that served in their order: the images of the
    full training it stands on, and the corrections since then (those of test images, too, until the next full training,
    which does not learn from these). A version whose full model is not among them is left
    out."""
    base: dict[str, Served] = {}
    for each in served:
        found = each if each.full else base.get(each.parent or "")
        if found is not None:
            base[each.version] = found
    return {
        each.version: base[each.version].training_images + max(0, each.corrections - base[each.version].corrections)
        for each in served
        if each.version in base
    }


def earlier_version(served: Sequence[Served], champion: str, labels: dict[str, int]) -> str | None:
    """Return which version to compare the champion with: the newest before it that knew STEP labels less, else the one
    that knew least of all; None if that is less than LEAST labels away, or if the champion was not measured."""
    before: list[str] = []
    for each in served:
        if each.version not in labels or not each.images:
            continue
        if each.version == champion:
            break
        before.append(each.version)
    else:
        return None
    enough = [each for each in before if labels[champion] - labels[each] >= STEP]
    if enough:
        return enough[-1]
    least = min(before, key=lambda each: labels[each], default=champion)
    return least if labels[champion] - labels[least] >= LEAST else None


def judge_step(gained: int, lost: int, images: int) -> tuple[float, float, Verdict]:
    """Return the 95 % interval of what a step brought, -1 to 1, and what that means: of `images` test images `gained`
    are right only after it and `lost` only before. "helped": it brought more than nothing, "harmed": less. "enough":
    it brought less than WORTH. "open": with so few test images it can be either."""
    low, high = difference_interval(gained, lost, images)
    if low > 0:
        return low, high, "helped"
    if high < 0:
        return low, high, "harmed"
    return low, high, "enough" if high < WORTH else "open"


def thin_out(served: Sequence[Served], labels: dict[str, int], most: int) -> list[Served]:
    """Return at most `most` (two and more) of the measured versions, oldest first: the first, the last, and others at
    equal distances of labels between them."""
    measured = [each for each in served if each.images and each.version in labels]
    if len(measured) <= most:
        return measured
    ordered = sorted(range(len(measured)), key=lambda at: (labels[measured[at].version], at))
    low, high = (labels[measured[ordered[end]].version] for end in (0, -1))
    kept = {0, len(measured) - 1}
    for step in range(1, most - 1):
        wanted = low + (high - low) * step / (most - 1)
        kept.add(min(ordered, key=lambda at: abs(labels[measured[at].version] - wanted)))
    return [measured[at] for at in sorted(kept)]

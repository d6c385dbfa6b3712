"""What the first model of an installation still lacks. Pure: the trigger decides by it, and people are told it."""

from collections.abc import Mapping, Sequence

from shared.contract.split import TEST_FRACTION, Side

SIDES: tuple[Side, Side] = ("train", "test")
Counts = Mapping[str, Mapping[Side | None, int]]
"""How many trusted images a label has on each side of the split, by label; None: it is not known on which."""


def what_is_missing(
    counts: Counts, labels: Sequence[str], images_per_label: int, names: Mapping[str, str] | None = None
) -> str | None:
    """Return in a sentence which images the first model needs; None if there are enough: `images_per_label` of each
    label, and one or more on each side of the split, without which a model can be neither made nor judged. `names`:
    what people call the labels; None: as they are."""
    called = names or {}
    have = {label: sum(counts.get(label, {}).values()) for label in labels}
    if any(count < images_per_label for count in have.values()):
        there_are = ", ".join(f"{count} of {called.get(label, label)}" for label, count in have.items())
        return f"The first model needs {images_per_label} trusted images of each label; there are {there_are}."
    empty = [
        f"no {side} image of {called.get(label, label)} among {have[label]}"
        for label in labels
        for side in SIDES
        if not counts.get(label, {}).get(side) and not counts.get(label, {}).get(None)
    ]
    if not empty:
        return None
    return (
        f"The first model needs images of each label to train with and to test with; there is {', '.join(empty)}."
        f" Add different ones: about {TEST_FRACTION:.0%} become test images, near-duplicates together."
    )

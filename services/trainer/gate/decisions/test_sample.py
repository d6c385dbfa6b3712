"""Which of the locked test images a model is measured on, when there are very many. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256

from services.trainer.dataset.records import LabelledImage

KEPT_ORDERS = 50_000
"""Of so many groups the place in the order is kept."""


def choose_tests(images: Sequence[LabelledImage], most: int) -> list[LabelledImage]:
    """Return the test images, or at most `most` of them in whole groups of near-duplicates, those whose hash is the
    smallest: hardly another choice when images are added, so models are compared on the same ones. In the order of
    `images`."""
    tests = [image for image in images if image.sample.side == "test"]
    if len(tests) <= most:
        return tests
    groups: dict[str, list[LabelledImage]] = defaultdict(list)
    for image in tests:
        groups[image.group_id].append(image)
    chosen: set[str] = set()
    taken = 0
    for name in sorted(groups, key=order_of_group):
        if taken + len(groups[name]) <= most:
            chosen.add(name)
            taken += len(groups[name])
    return [image for image in tests if image.group_id in chosen]


@lru_cache(maxsize=KEPT_ORDERS)
def order_of_group(group_id: str) -> str:
    """Return by what groups are ordered where only some are taken: a hash, as good as chance and the same each time."""
    return sha256(f"gate|{group_id}".encode()).hexdigest()

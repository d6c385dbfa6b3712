"""A dataset is a manifest: which images, with which label and revision, on which side. Sorted and hashed."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from itertools import pairwise
from uuid import UUID

from shared.contract.split import Side

KEPT_TEXTS = 20_000
"""Of so many samples the text is kept: each candidate of the fast lane has those of its parent, and one more."""


@dataclass(frozen=True, order=True)
class Sample:
    """One labelled image. `sha256` names its bytes; `revision` is that of its label, 0 for the registered one."""

    image_id: UUID
    sha256: str
    label: str
    revision: int
    side: Side


@dataclass(frozen=True)
class Manifest:
    """Samples sorted by image id, each image once. Make one with `manifest_of`."""

    samples: tuple[Sample, ...]

    @cached_property
    def json(self) -> str:
        """One JSON text for one dataset."""
        return f'{{"samples":[{",".join(map(_text_of, self.samples))}]}}'

    @cached_property
    def sha256(self) -> str:
        """The name of this dataset: equal for equal samples, in any order."""
        return sha256(self.json.encode()).hexdigest()

    def of_side(self, side: Side) -> tuple[Sample, ...]:
        return tuple(sample for sample in self.samples if sample.side == side)


@lru_cache(maxsize=KEPT_TEXTS)
def _text_of(sample: Sample) -> str:
    label, digest = json.dumps(sample.label), json.dumps(sample.sha256)
    named = f'"image_id":"{sample.image_id}","label":{label},"revision":{sample.revision}'
    return f'{{{named},"sha256":{digest},"side":"{sample.side}"}}'


def manifest_of(samples: Iterable[Sample]) -> Manifest:
    """Return the manifest of these samples.

    Raises:
        ValueError: if an image occurs twice.
    """
    ordered = tuple(sorted(samples, key=lambda sample: sample.image_id.int))
    for before, after in pairwise(ordered):
        if before.image_id == after.image_id:
            raise ValueError(f"Image {after.image_id} is in the manifest twice; take its current label only.")
    return Manifest(ordered)


def manifest_from_json(text: str) -> Manifest:
    """Read what `Manifest.json` wrote.

    Raises:
        ValueError: if the text is not a manifest.
    """
    try:
        samples = json.loads(text)["samples"]
        return manifest_of(Sample(**{**sample, "image_id": UUID(sample["image_id"])}) for sample in samples)
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise ValueError(f"This is not a manifest ({error!r}). Was the object replaced?") from error

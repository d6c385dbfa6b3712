"""A dataset is a manifest: which images, with which label and revision, on which side. Sorted and hashed."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from uuid import UUID

from shared.contract.split import Side


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
        samples = [asdict(sample) for sample in self.samples]
        return json.dumps({"samples": samples}, sort_keys=True, separators=(",", ":"), default=str)

    @cached_property
    def sha256(self) -> str:
        """The name of this dataset: equal for equal samples, in any order."""
        return sha256(self.json.encode()).hexdigest()

    def of_side(self, side: Side) -> tuple[Sample, ...]:
        return tuple(sample for sample in self.samples if sample.side == side)


def manifest_of(samples: Iterable[Sample]) -> Manifest:
    """Return the manifest of these samples.

    Raises:
        ValueError: if an image occurs twice.
    """
    ordered = tuple(sorted(samples))
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

"""What a model has learned from, and how two of them differ. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from services.trainer.dataset.manifest import Manifest, Sample
from shared.contract.events import AppliedCorrection


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One image of a data set. `in_layer`: the correction layer of the model holds its label."""

    sample: Sample
    in_layer: bool

    @property
    def image_id(self) -> UUID:
        return self.sample.image_id


DataSet = Mapping[UUID, Entry]
"""By image id, in their order."""


def data_set_of(full: Manifest, layer: Manifest | None, corrections: Iterable[AppliedCorrection]) -> DataSet:
    """Return what a model has learned from: the manifest `full` of backbone and head, and over it, of a model of the
    fast lane, the manifest of its `layer`. `corrections` are those that the model holds."""
    samples = {sample.image_id: sample for sample in full.samples}
    if layer is not None:
        samples |= {sample.image_id: sample for sample in layer.samples}
    held = {(one.image_id, one.revision) for one in corrections}
    entries = (Entry(sample, (sample.image_id, sample.revision) in held) for sample in samples.values())
    return {entry.image_id: entry for entry in sorted(entries)}


def name_of(data_set: DataSet) -> str:
    """Return a hash that names the data set: equal for equal images, labels, sides and layers."""
    lines = "\n".join(f"{entry.sample!r} {entry.in_layer}" for entry in data_set.values())
    return sha256(lines.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Change:
    """One image that differs; `before` or `after` is None where it is missing."""

    before: Entry | None
    after: Entry | None

    @property
    def image_id(self) -> UUID:
        entry = self.before or self.after
        if entry is None:
            raise ValueError("a change is of an image that is in one of the two data sets")
        return entry.image_id


@dataclass(frozen=True, slots=True)
class Difference:
    """What the second data set has and the first has not, and so on; each in the order of image ids. An image that has
    another label and another side is in both lists."""

    added: Sequence[Change]
    removed: Sequence[Change]
    relabelled: Sequence[Change]
    moved: Sequence[Change]


def difference(first: DataSet, second: DataSet) -> Difference:
    """Return how the second data set differs from the first."""
    both = [Change(first[each], second[each]) for each in sorted(first.keys() & second.keys())]
    return Difference(
        added=[Change(None, second[each]) for each in sorted(second.keys() - first.keys())],
        removed=[Change(first[each], None) for each in sorted(first.keys() - second.keys())],
        relabelled=[one for one in both if _sample(one.before).label != _sample(one.after).label],
        moved=[one for one in both if _sample(one.before).side != _sample(one.after).side],
    )


def _sample(entry: Entry | None) -> Sample:
    if entry is None:
        raise ValueError("the image is in both data sets")
    return entry.sample

"""What two models have learned from, and how that differs. Pure.

A full model has learned from the images of its manifest; a model of the fast lane from those of the full one it stands
on, with the labels of its own, smaller manifest.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from shared.contract.split import Side


@dataclass(frozen=True, slots=True)
class Sample:
    """What a model has learned about an image, or was tested with."""

    label: str
    side: Side


DataSet = Mapping[UUID, Sample]


@dataclass(frozen=True, slots=True)
class Change:
    """One image that differs; `before` or `after` is None where it is missing."""

    image_id: UUID
    before: Sample | None
    after: Sample | None


@dataclass(frozen=True, slots=True)
class Difference:
    """How many images were added, removed and labelled otherwise, and the first of them."""

    added: int
    removed: int
    relabelled: int
    changes: list[Change]


def read_manifest(text: bytes) -> dict[UUID, Sample]:
    """Return what a manifest lists. Raises ValueError if it is none."""
    try:
        samples = json.loads(text)["samples"]
        return {UUID(one["image_id"]): Sample(one["label"], one["side"]) for one in samples}
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise ValueError(f"This is not a manifest ({error!r}). Was the object replaced?") from error


def difference(before: DataSet, after: DataSet, most: int) -> Difference:
    """Return how the second data set differs from the first, with at most `most` of the images: those that were
    labelled otherwise first, then those added, then those removed."""
    added = [Change(image, None, after[image]) for image in after if image not in before]
    removed = [Change(image, before[image], None) for image in before if image not in after]
    relabelled = [
        Change(image, before[image], after[image])
        for image in after
        if image in before and before[image].label != after[image].label
    ]
    first = [*relabelled, *added, *removed][:most]
    return Difference(len(added), len(removed), len(relabelled), first)

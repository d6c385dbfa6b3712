"""The manifest of a full training, and the version of its model. Pure."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from services.trainer.dataset.manifest import Manifest, Sample, manifest_of
from services.trainer.full_lane.jobs import NotEnoughImages, Parameters
from shared.contract.events import uuid_of
from shared.contract.split import Side

SIDES: tuple[Side, Side] = ("train", "test")
FEWEST_IMAGES = 5
"""A class that was added while the installation runs is learned from so many training images on, and one to test with.
Before, its corrected images are answered by the layer alone, and the other classes need not wait for it."""


@dataclass(frozen=True)
class Plan:
    """What a model is made from: its manifest, the labels that its head learns and those that it does not, and its
    version."""

    manifest: Manifest
    labels: tuple[str, ...]
    unlearned: tuple[str, ...]
    version: str

    @property
    def answered(self) -> tuple[str, ...]:
        """All labels, in the order of the probabilities."""
        return (*self.labels, *self.unlearned)


def plan_model(
    samples: Iterable[Sample],
    configured: Sequence[str],
    classes: Sequence[str],
    unreadable: Collection[str],
    parameters: Parameters,
) -> Plan:
    """Return the plan of a model of these samples, for the labels of all `classes`; those that are `configured` have to
    be learned. Of a class that is not learned only corrected images are part of it.

    Raises:
        NotEnoughImages: a configured label has no image on one side of the split.
    """
    readable = [sample for sample in samples if sample.sha256 not in unreadable]
    counts = Counter((sample.label, sample.side) for sample in readable)
    ready = {label for label in classes if counts[label, "train"] >= FEWEST_IMAGES and counts[label, "test"]}
    labels = tuple(label for label in classes if label in configured or label in ready)
    unlearned = tuple(label for label in classes if label not in labels)
    manifest = plan_manifest((one for one in readable if one.label not in unlearned or one.revision), labels, unlearned)
    return Plan(manifest, labels, unlearned, version_of(manifest, labels, parameters, unlearned))


def plan_manifest(samples: Iterable[Sample], labels: Sequence[str], unlearned: Sequence[str] = ()) -> Manifest:
    """Return the manifest of the samples with one of `labels`, or one of the `unlearned`.

    Raises:
        NotEnoughImages: one of `labels` has no image on one side of the split. The gate would refuse such a model.
    """
    answered = {*labels, *unlearned}
    manifest = manifest_of(sample for sample in samples if sample.label in answered)
    counts = Counter((sample.label, sample.side) for sample in manifest.samples)
    empty = [f"no {side} image of {label}" for label in labels for side in SIDES if not counts[label, side]]
    if empty:
        raise NotEnoughImages(
            f"Too few labelled images for a model: there is {', '.join(empty)} among {len(manifest.samples)}."
            " More images are needed; about one in five falls on the test side."
        )
    return manifest


def relabel_samples(manifest: Manifest, current: Iterable[Sample]) -> list[Sample]:
    """Return the images of the manifest with their current labels; later images are left to the next training."""
    planned: set[UUID] = {sample.image_id for sample in manifest.samples}
    return [sample for sample in current if sample.image_id in planned]


def version_of(manifest: Manifest, labels: Sequence[str], parameters: Parameters, unlearned: Sequence[str] = ()) -> str:
    """Return the version of the model of this manifest: the same manifest and parameters give the same model."""
    parts = [manifest.sha256, list(labels), parameters, *([list(unlearned)] if unlearned else [])]
    identity = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return f"full-{sha256(identity.encode()).hexdigest()[:12]}"


def event_id_of(version: str) -> UUID:
    """Return the event id of the model.trained of this version."""
    return uuid_of("model.trained", version)

"""The manifest of a full training, and the version of its model. Pure."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from hashlib import sha256
from uuid import UUID

from services.trainer.dataset.manifest import Manifest, Sample, manifest_of
from services.trainer.full_lane.jobs import NotEnoughImages, Parameters
from shared.contract.events import uuid_of
from shared.contract.split import Side

SIDES: tuple[Side, Side] = ("train", "test")


def plan_manifest(samples: Iterable[Sample], labels: Sequence[str], unreadable: Collection[str]) -> Manifest:
    """Return the manifest of the samples with one of `labels` whose bytes (by sha256) are readable.

    Raises:
        NotEnoughImages: a label has no image on one side of the split. The gate would refuse such a model.
    """
    manifest = manifest_of(sample for sample in samples if sample.label in labels and sample.sha256 not in unreadable)
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


def version_of(manifest: Manifest, labels: Sequence[str], parameters: Parameters) -> str:
    """Return the version of the model of this manifest: the same manifest and parameters give the same model."""
    identity = json.dumps([manifest.sha256, list(labels), parameters], sort_keys=True, separators=(",", ":"))
    return f"full-{sha256(identity.encode()).hexdigest()[:12]}"


def event_id_of(version: str) -> UUID:
    """Return the event id of the model.trained of this version."""
    return uuid_of("model.trained", version)

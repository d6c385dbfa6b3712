"""A backbone learned from the images of a manifest, and what it makes of them. Runs in the training process."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.trainer.dataset.manifest import Manifest
from services.trainer.full_lane.decisions.plan import SIDES
from services.trainer.full_lane.decoding import read_pixels
from services.trainer.full_lane.jobs import LearnJob, NotEnoughImages
from services.trainer.full_lane.views import FEWEST_UNSEEN, VIEWED, are_mirror_proof, make_views
from services.trainer.model.arrays import Floats, Images
from services.trainer.model.layer_space import LayerGeometry, fit_geometry
from services.trainer.model.sessions import FeatureExtractor
from services.trainer.training import Backbone, recipe_parameters, train_backbone
from services.trainer.training.calibration import UNSEEN_FOLD, TrainingFeatures, fold_of
from services.trainer.training.recipe import Setting

MOST_PROBES = 1_000
"""Images of the test side that torch and the artefact are compared on."""


@dataclass(frozen=True)
class LearnedBackbone:
    """A backbone and its features of the readable images of `job`, in the order of `sha256s`, those of the training
    side first; those of the mirrored images only if they may be others. geometry: the space of its correction layers,
    fitted to the training side; None if that is too small.

    unseen: of a supervised backbone, the features of the same images under a second one, which has not learned from the
    images of `UNSEEN_FOLD`: what the head's temperature is fitted to.
    parameters: those of the recipe. probes: readable images of the test side, uint8 [t, 96, 96, 3];
    `backbone.probe_features` are torch's features of them, float32 [t, d]. undecodable: sha256 of the files that cannot
    be decoded. seconds: of each stage; empty if it was learned for an earlier job.
    """

    job: LearnJob
    backbone: Backbone
    sha256s: tuple[str, ...]
    training: TrainingFeatures
    unseen: TrainingFeatures | None
    geometry: LayerGeometry | None
    parameters: Mapping[str, Setting]
    probes: Images
    undecodable: tuple[str, ...]
    seconds: Mapping[str, float]

    @property
    def features(self) -> Floats:
        """The features of the images, float32 [n, d]."""
        return self.training.plain

    @property
    def mirror_proof(self) -> bool:
        """Whether an image and its mirror image have the same features."""
        return self.training.mirrored is None


def learn_backbone(job: LearnJob) -> LearnedBackbone:
    """Learn the backbone from the images of the training side alone, and compute the features of all images under it.

    The seed comes from those images, not from their labels: labels may still change before the head is fitted, and the
    final manifest must lead to this very backbone. A supervised backbone depends on the labels; see `fits`.

    Raises:
        NotEnoughImages: no image of the training side can be decoded.
        TransientError: a file of the image folder is missing or damaged.
    """
    started = time.perf_counter()
    sides = _sides(job.manifest)
    prepared = read_pixels(job.folder, [digest for side in sides for digest in side])
    of_training = set(sides[0])
    training = [digest for digest in prepared.sha256s if digest in of_training]
    if not training:
        raise NotEnoughImages("No image of the training side can be decoded: look at the objects under images/.")
    learned, tests = prepared.pixels[: len(training)], prepared.pixels[len(training) :]
    labels = _training_labels(job.manifest)
    read = time.perf_counter()
    seed = int(hashlib.sha256("\n".join(training).encode()).hexdigest()[:8], 16)
    probes = tests[:MOST_PROBES].copy()

    def learned_from(images: Images, digests: Sequence[str]) -> Backbone:
        names = [labels[digest] for digest in digests]
        return train_backbone(job.backbone, images, seed, job.backbone_settings, probe=probes, labels=names)

    backbone = learned_from(learned, training)
    known = [digest for digest in training if fold_of(digest) != UNSEEN_FOLD]
    second = learned_from(prepared.chosen(known), known) if backbone.supervised and known else None
    trained = time.perf_counter()
    extractor = FeatureExtractor(backbone.onnx)
    features = _features(backbone, extractor, prepared.pixels)
    others = None if second is None else _features(second, FeatureExtractor(second.onnx), prepared.pixels)
    computed = time.perf_counter()
    rows = np.arange(len(prepared.sha256s))
    unseen = rows[len(training) :] if len(tests) >= FEWEST_UNSEEN else rows[: len(training)]
    viewed = unseen[:: -(-len(unseen) // VIEWED)]
    geometry = fit_geometry(
        features.plain[: len(training)],
        None if features.mirrored is None else features.mirrored[: len(training)],
        features.plain,
        viewed.tolist(),
        extractor.features(make_views(prepared.pixels[viewed])),
    )
    return LearnedBackbone(
        job=job,
        backbone=backbone,
        sha256s=prepared.sha256s,
        training=features,
        unseen=others,
        geometry=geometry,
        parameters=recipe_parameters(job.backbone, job.backbone_settings),
        probes=probes,
        undecodable=prepared.undecodable,
        seconds={
            "prepare": read - started,
            **backbone.seconds,
            **({} if second is None else {"second_backbone": sum(second.seconds.values())}),
            "features": computed - trained,
            "geometry": time.perf_counter() - computed,
        },
    )


def learned_already(kept: LearnedBackbone, job: LearnJob) -> LearnedBackbone | None:
    """Return what `learn_backbone` would learn for the job, if that is known: when nothing but labels differs, and the
    backbone does not see them. None if it has to be learned."""
    before = kept.job
    if kept.backbone.supervised or _sides(before.manifest) != _sides(job.manifest):
        return None
    if (before.folder, before.backbone, before.backbone_settings) != (job.folder, job.backbone, job.backbone_settings):
        return None
    if kept.parameters != recipe_parameters(job.backbone, job.backbone_settings):  # a file that it names is another one
        return None
    return replace(kept, job=job, seconds={})


def fits(learned: LearnedBackbone, manifest: Manifest) -> bool:
    """Whether the backbone is the one that belongs to the labels of this manifest, whose images it was learned from."""
    if not learned.backbone.supervised:
        return True
    readable = set(learned.sha256s)
    known = _training_labels(learned.job.manifest).items()
    return _training_labels(manifest) == {digest: label for digest, label in known if digest in readable}


def _training_labels(manifest: Manifest) -> dict[str, str]:
    return {sample.sha256: sample.label for sample in manifest.of_side("train")}


def _sides(manifest: Manifest) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the images of the training side and those of the test side, by sha256, each once."""
    train, test = (dict.fromkeys(sample.sha256 for sample in manifest.of_side(side)) for side in SIDES)
    return tuple(train), tuple(test)


def _features(backbone: Backbone, extractor: FeatureExtractor, images: Images) -> TrainingFeatures:
    """Compute those of the mirrored images, too, unless the backbone is known, or seen, to answer them alike."""
    plain = extractor.features(images)
    mirrored = None if backbone.mirror_proof else extractor.mirrored_features(images)
    if mirrored is not None and are_mirror_proof(plain, mirrored):
        mirrored = None
    return TrainingFeatures(plain, mirrored)

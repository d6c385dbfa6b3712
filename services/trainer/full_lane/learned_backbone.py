"""A backbone learned from the images of a manifest, and what it makes of them. Runs in the training process."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.trainer.dataset.manifest import Manifest
from services.trainer.full_lane.decoding import read_pixels, stack
from services.trainer.full_lane.jobs import LearnJob, NotEnoughImages
from services.trainer.full_lane.views import FEWEST_UNSEEN, VIEWED, are_mirror_proof, make_views
from services.trainer.model.arrays import Floats, Images
from services.trainer.model.layer_space import LayerGeometry, fit_geometry
from services.trainer.model.sessions import FeatureExtractor, mirror
from services.trainer.training import Backbone, train_backbone
from services.trainer.training.calibration import UNSEEN_FOLD, TrainingFeatures, fold_of


@dataclass(frozen=True)
class LearnedBackbone:
    """A backbone and its features of the readable images of `job`, in the order of `sha256s`; those of the mirrored
    images only if they may be others. geometry: the space of its correction layers, fitted to the training side; None
    if that is too small.

    unseen: of a supervised backbone, the features of the same images under a second one, which has not learned from the
    images of `UNSEEN_FOLD`: what the head's temperature is fitted to.
    test_images: the readable images of the test side, uint8 [t, 96, 96, 3]; `backbone.probe_features` are torch's
    features of them, float32 [t, d]. undecodable: sha256 of the files that cannot be decoded. seconds: of each stage.
    """

    job: LearnJob
    backbone: Backbone
    sha256s: tuple[str, ...]
    training: TrainingFeatures
    unseen: TrainingFeatures | None
    geometry: LayerGeometry | None
    test_images: Images
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
    pixels, undecodable = read_pixels(job.folder, [sample.sha256 for sample in job.manifest.samples])
    training, tests = (
        [sample.sha256 for sample in job.manifest.of_side(side) if sample.sha256 in pixels]
        for side in ("train", "test")
    )
    if not training:
        raise NotEnoughImages("No image of the training side can be decoded: look at the objects under images/.")
    labels = _training_labels(job.manifest)
    prepared = time.perf_counter()
    seed = int(hashlib.sha256("\n".join(training).encode()).hexdigest()[:8], 16)
    test_images, everything = stack(pixels, tests), stack(pixels, list(pixels))

    def learned_from(digests: Sequence[str]) -> Backbone:
        images, names = stack(pixels, digests), [labels[digest] for digest in digests]
        return train_backbone(job.backbone, images, seed, job.backbone_settings, probe=test_images, labels=names)

    backbone = learned_from(training)
    known = [digest for digest in training if fold_of(digest) != UNSEEN_FOLD]
    second = learned_from(known) if backbone.supervised and known else None
    trained = time.perf_counter()
    extractor = FeatureExtractor(backbone.onnx)
    features = _features(backbone, extractor, everything)
    others = None if second is None else _features(second, FeatureExtractor(second.onnx), everything)
    computed = time.perf_counter()
    row = {digest: index for index, digest in enumerate(pixels)}
    seen = [row[digest] for digest in training]
    unseen = [row[digest] for digest in tests] if len(tests) >= FEWEST_UNSEEN else seen
    viewed = unseen[:: -(-len(unseen) // VIEWED)]
    geometry = fit_geometry(
        features.plain[seen],
        None if features.mirrored is None else features.mirrored[seen],
        features.plain,
        viewed,
        extractor.features(make_views(everything[viewed])),
    )
    return LearnedBackbone(
        job=job,
        backbone=backbone,
        sha256s=tuple(pixels),
        training=features,
        unseen=others,
        geometry=geometry,
        test_images=test_images,
        undecodable=tuple(undecodable),
        seconds={
            "prepare": prepared - started,
            **backbone.seconds,
            **({} if second is None else {"second_backbone": sum(second.seconds.values())}),
            "features": computed - trained,
            "geometry": time.perf_counter() - computed,
        },
    )


def fits(learned: LearnedBackbone, manifest: Manifest) -> bool:
    """Whether the backbone is the one that belongs to the labels of this manifest, whose images it was learned from."""
    if not learned.backbone.supervised:
        return True
    readable = set(learned.sha256s)
    known = _training_labels(learned.job.manifest).items()
    return _training_labels(manifest) == {digest: label for digest, label in known if digest in readable}


def _training_labels(manifest: Manifest) -> dict[str, str]:
    return {sample.sha256: sample.label for sample in manifest.of_side("train")}


def _features(backbone: Backbone, extractor: FeatureExtractor, images: Images) -> TrainingFeatures:
    """Compute those of the mirrored images, too, unless the backbone is known, or seen, to answer them alike."""
    plain = extractor.features(images)
    mirrored = None if backbone.mirror_proof else extractor.features(mirror(images))
    if mirrored is not None and are_mirror_proof(plain, mirrored):
        mirrored = None
    return TrainingFeatures(plain, mirrored)

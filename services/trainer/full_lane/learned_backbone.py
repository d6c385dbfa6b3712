"""A backbone learned from the images of a manifest, and what it makes of them. Runs in the training process."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass

from services.trainer.full_lane.decoding import read_pixels, stack
from services.trainer.full_lane.jobs import LearnJob, NotEnoughImages
from services.trainer.full_lane.views import FEWEST_UNSEEN, VIEWED, are_mirror_proof, make_views
from services.trainer.model.arrays import Floats, Images
from services.trainer.model.layer_space import LayerGeometry, fit_geometry
from services.trainer.model.sessions import FeatureExtractor, mirror
from services.trainer.training import Backbone, train_backbone


@dataclass(frozen=True)
class LearnedBackbone:
    """A backbone and its features of the readable images of `job`: float32 [n, d] in the order of `sha256s`, and the
    same of the mirrored images. mirror_proof: these are equal. geometry: the space of its correction layers, fitted to
    the training side; None if that is too small.

    test_images: the readable images of the test side, uint8 [t, 96, 96, 3]; `backbone.probe_features` are torch's
    features of them, float32 [t, d]. undecodable: sha256 of the files that cannot be decoded. seconds: of each stage.
    """

    job: LearnJob
    backbone: Backbone
    sha256s: tuple[str, ...]
    features: Floats
    mirrored_features: Floats
    mirror_proof: bool
    geometry: LayerGeometry | None
    test_images: Images
    undecodable: tuple[str, ...]
    seconds: Mapping[str, float]


def learn_backbone(job: LearnJob) -> LearnedBackbone:
    """Learn the backbone from the images of the training side alone, and compute the features of all images under it.

    The seed comes from those images, not from their labels: labels may still change before the head is fitted, and the
    final manifest must lead to this very backbone.

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
    prepared = time.perf_counter()
    seed = int(hashlib.sha256("\n".join(training).encode()).hexdigest()[:8], 16)
    test_images = stack(pixels, tests)
    backbone = train_backbone(job.backbone, stack(pixels, training), seed, job.backbone_settings, probe=test_images)
    trained = time.perf_counter()
    extractor = FeatureExtractor(backbone.onnx)
    everything = stack(pixels, list(pixels))
    features, mirrored = extractor.features(everything), extractor.features(mirror(everything))
    mirror_proof = are_mirror_proof(features, mirrored)
    computed = time.perf_counter()
    row = {digest: index for index, digest in enumerate(pixels)}
    seen = [row[digest] for digest in training]
    unseen = [row[digest] for digest in tests] if len(tests) >= FEWEST_UNSEEN else seen
    viewed = unseen[:: -(-len(unseen) // VIEWED)]
    geometry = fit_geometry(
        features[seen],
        None if mirror_proof else mirrored[seen],
        features,
        viewed,
        extractor.features(make_views(everything[viewed])),
    )
    return LearnedBackbone(
        job=job,
        backbone=backbone,
        sha256s=tuple(pixels),
        features=features,
        mirrored_features=mirrored,
        mirror_proof=mirror_proof,
        geometry=geometry,
        test_images=test_images,
        undecodable=tuple(undecodable),
        seconds={
            "prepare": prepared - started,
            **backbone.seconds,
            "features": computed - trained,
            "geometry": time.perf_counter() - computed,
        },
    )

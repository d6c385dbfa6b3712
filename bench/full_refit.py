"""What fitting head and correction layer again costs when there are very many images, and how much memory it takes.

    python -m bench.full_refit --images 100000 --corrections 2000

The backbone is learned from drawn pictures; features of the images are planted: each a mixture of four pictures of one
label and noise, with a false label for one in thirty. Then the full lane's own function fits, evaluates and writes
everything, as it does when nothing but labels has changed since the last training. The ratio compares the way a head is
fitted to many images with the way it is fitted to few, both to 10,000 of these. Memory: the most that the process held
above what it held with the features alone.
"""

import argparse
import resource
import time
from pathlib import Path
from tempfile import gettempdir
from uuid import UUID

import numpy as np

from pappus.demo.drawing import DRAWN_LABELS, draw
from services.trainer.dataset.manifest import Sample, manifest_of
from services.trainer.full_lane.jobs import FitJob, LearnJob
from services.trainer.full_lane.learned_backbone import LearnedBackbone
from services.trainer.full_lane.training_steps import fit_to
from services.trainer.model.arrays import Floats
from services.trainer.model.layer_space import fit_geometry
from services.trainer.model.sessions import FeatureExtractor
from services.trainer.training import recipe_parameters, train_backbone
from services.trainer.training.calibration import TrainingFeatures
from services.trainer.training.logistic_regression import INVERSE_PENALTY, fit_head
from services.trainer.training.many_images import ManyImages
from shared.contract.split import side
from shared.imaging.decoding import decode
from shared.imaging.preprocessing import prepare

PICTURES = 400
COMPARED = 10_000
A_BLOCK = 4_096
FALSE = 1 / 30
NOISE = 0.4


def measure(images: int, corrections: int) -> dict[str, float]:
    """Fit to so many images and print the figures. Return the seconds of each stage."""
    pixels = np.stack([prepare(decode(draw(DRAWN_LABELS[number % 2], number, 7))) for number in range(PICTURES)])
    backbone = train_backbone("patches", pixels, 1, probe=pixels[:16])
    extractor = FeatureExtractor(backbone.onnx)
    features, shows = _plant(extractor.features(pixels), images)
    digests = [f"{number:064x}" for number in range(images)]
    chance = np.random.default_rng(3)
    said = np.where(chance.random(images) < FALSE, 1 - shows, shows)
    samples = [
        Sample(UUID(int=number), digest, DRAWN_LABELS[said[number]], int(number < corrections), side(digest))
        for number, digest in enumerate(digests)
    ]
    samples.sort(key=lambda one: one.side != "train")  # features of the training side come first
    order = [one.image_id.int for one in samples]
    features = features[order]
    training = sum(one.side == "train" for one in samples)
    manifest = manifest_of(samples)
    job = LearnJob(manifest, Path(gettempdir()), "patches")
    seen = list(range(training, training + 100))
    learned = LearnedBackbone(
        job=job,
        backbone=backbone,
        sha256s=tuple(one.sha256 for one in samples),
        training=TrainingFeatures(features),
        unseen=None,
        geometry=fit_geometry(features[:training], None, features, seen, np.tile(features[seen], (3, 1))),
        parameters=recipe_parameters("patches"),
        probes=pixels[:16],
        undecodable=(),
        seconds={},
    )
    before, started = _peak(), time.perf_counter()
    fitted = fit_to(learned, FitJob(job, manifest, DRAWN_LABELS))
    spent, after = time.perf_counter() - started, _peak()
    print(f"{images} images, {features.nbytes / 1e6:.0f} MB of features; {corrections} corrections")
    for stage, seconds in fitted.seconds.items():
        print(f"{stage:12s} {seconds:6.2f} s")
    print(f"{'all':12s} {spent:6.2f} s; test accuracy {fitted.metrics['test_accuracy']:.4f}")
    print(f"most memory above that with the features: {after - before:.0f} MB")
    _compare(features[:COMPARED], [one.label for one in samples[:COMPARED]])
    return dict(fitted.seconds)


def _plant(pictures: Floats, images: int) -> tuple[Floats, np.ndarray[tuple[int], np.dtype[np.intp]]]:
    """Return features [n, d] of images that were never drawn, and what each shows, [n]."""
    chance = np.random.default_rng(0)
    shows = chance.integers(0, 2, images)
    planted = np.empty((images, pictures.shape[1]), np.float32)
    for at in range(0, images, A_BLOCK):
        block = shows[at : at + A_BLOCK]
        sources = pictures[2 * chance.integers(0, PICTURES // 2, (4, len(block))) + block]  # [4, b, d]
        shares = chance.dirichlet([0.6] * 4, len(block)).astype(np.float32)  # [b, 4]
        planted[at : at + A_BLOCK] = np.einsum("bk,kbd->bd", shares, sources)
        planted[at : at + A_BLOCK] += chance.normal(0, NOISE, sources[0].shape) * pictures.std(axis=0)
    return planted, shows


def _compare(features: Floats, targets: list[str]) -> None:
    started = time.perf_counter()
    slow = fit_head(features, targets, DRAWN_LABELS)
    halfway = time.perf_counter()
    quick = ManyImages([features], targets, DRAWN_LABELS).fit(INVERSE_PENALTY)
    ended = time.perf_counter()
    ratio = (ended - halfway) / (halfway - started)
    print(f"{len(features)} images, as many over as few: {ratio:.2f} times the seconds", end="")
    print(f" ({len(quick.curve)} and {len(slow.curve)} steps, to {quick.curve[-1]:.6f} and {slow.curve[-1]:.6f})")


def _peak() -> float:
    """Return the most memory that this process held so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--images", type=int, default=100_000)
    arguments.add_argument("--corrections", type=int, default=2_000)
    options = arguments.parse_args()
    measure(options.images, options.corrections)

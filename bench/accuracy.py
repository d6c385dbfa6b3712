"""Test accuracy of a full training on a folder of images, and whether it gives the same model twice.

Usage: python -m bench.accuracy --images FOLDER      (FOLDER holds <label>/*.jpg)

Runs the learn and fit jobs of the full lane. For each seed another fifth of the images is the test side. The same
images trained twice must give the same weights.
"""

import argparse
import tempfile
from hashlib import sha256
from pathlib import Path

import numpy as np

from bench.training import link_images, train
from services.trainer.dataset.manifest import Manifest, Sample, manifest_of
from shared.contract.events import uuid_of
from shared.contract.split import side


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=Path, required=True, help="folder of <label>/*.jpg")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    files = sorted(arguments.images.glob("*/*.jpg"))
    if not files:
        parser.error(f"There are no <label>/*.jpg in {arguments.images}.")
    labels = tuple(sorted({file.parent.name for file in files}))
    accuracies = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = link_images(files, Path(temporary))
        for seed in range(arguments.seeds):
            manifest = manifest_of(_sample(file, seed) for file in files)
            accuracies.append(_measure(seed, manifest, folder, labels))
        print(f"mean accuracy {np.mean(accuracies):.4f}, standard deviation {np.std(accuracies):.4f}")
        hashes = {train(manifest, folder, labels)[1].weights_sha256 for _ in range(2)}
    same = "the same weights" if len(hashes) == 1 else "DIFFERENT WEIGHTS"
    print(f"the same manifest trained twice: {same} {hashes}")
    if len(hashes) != 1:
        raise SystemExit(1)


def _measure(seed: int, manifest: Manifest, folder: Path, labels: tuple[str, ...]) -> float:
    """Train, print the figures of one split, and return the test accuracy, 0..1."""
    learned, fitted = train(manifest, folder, labels)
    metrics, stages = fitted.metrics, {**learned.seconds, **fitted.seconds}
    seconds = ", ".join(f"{stage} {value:.2f} s" for stage, value in stages.items())
    print(
        f"seed {seed}: {metrics['test_images']:.0f} test images, accuracy {metrics['test_accuracy']:.4f}, "
        f"AUC {metrics.get('test_auc', 0):.4f}, log loss {metrics['test_log_loss']:.4f}; "
        f"torch and onnxruntime differ by {metrics['parity_difference']:.1e}; {seconds}"
    )
    return metrics["test_accuracy"]


def _sample(file: Path, seed: int) -> Sample:
    label = file.parent.name
    bytes_sha256 = sha256(file.read_bytes()).hexdigest()
    return Sample(uuid_of(label, file.name), bytes_sha256, label, 0, side(f"{seed}:{bytes_sha256}"))


if __name__ == "__main__":
    main()

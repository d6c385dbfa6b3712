"""What each backbone gives on images that it has not seen: cross-validation, with everything learned in the fold.

Usage: python -m bench.cross_validation --images FOLDER [--backbones patches,cnn] [--repeats N]
       (FOLDER holds <label>/*.jpg)

Backbone, head and temperature are learned from four fifths, by the functions that the full lane calls, and the fifth is
answered; each image is answered once in a repeat. Accuracy and area under the curve are 0..1, log loss is in
nats, ECE: the expected calibration error over ten bins, of all answers together.
"""

import argparse
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.trainer.model.arrays import Floats, Images
from services.trainer.model.head import probabilities
from services.trainer.model.metrics import Evaluation, calibration_error, evaluate
from services.trainer.model.sessions import FeatureExtractor, mirror
from services.trainer.training import Backbone, train_backbone
from services.trainer.training.calibration import UNSEEN_FOLD, TrainingFeatures, fit_calibrated_head, fold_of
from services.trainer.training.recipe import Setting
from shared.imaging.decoding import decode
from shared.imaging.preprocessing import prepare

FOLDS = 5


class Photographs:
    """Prepared images uint8 [n, 96, 96, 3], the label of each, and the hash of its bytes."""

    def __init__(self, folder: Path) -> None:
        files = sorted(folder.glob("*/*.jpg"))
        if not files:
            raise SystemExit(f"There are no <label>/*.jpg in {folder}.")
        data = [file.read_bytes() for file in files]
        self.images: Images = np.stack([prepare(decode(one)) for one in data])
        self.names = [file.parent.name for file in files]
        self.labels = tuple(sorted(set(self.names)))
        self.truths = np.array([self.labels.index(name) for name in self.names])
        self.hashes = [sha256(one).hexdigest() for one in data]

    def answer(self, name: str, settings: Mapping[str, Setting], away: NDArray[np.bool_], seed: int) -> Floats:
        """Learn from the others and return the probabilities of the images `away` [n]: float32 [a, c]."""
        known = np.flatnonzero(~away)
        backbone = self._learn(name, settings, known, seed)
        inner = np.array([fold_of(self.hashes[row]) for row in known])
        second = self._learn(name, settings, known[inner != UNSEEN_FOLD], seed) if backbone.supervised else None
        fitted = fit_calibrated_head(
            self._features(backbone, known),
            [self.names[row] for row in known],
            self.labels,
            [int(fold) for fold in inner],
            part_widths=backbone.part_widths,
            unseen=None if second is None else self._features(second, known),
        )
        return probabilities(fitted.head.logits(self._features(backbone, np.flatnonzero(away)).plain))

    def _learn(self, name: str, settings: Mapping[str, Setting], rows: NDArray[np.intp], seed: int) -> Backbone:
        names = [self.names[row] for row in rows]
        return train_backbone(name, self.images[rows], seed, settings, probe=self.images[:1], labels=names)

    def _features(self, backbone: Backbone, rows: NDArray[np.intp]) -> TrainingFeatures:
        extractor, images = FeatureExtractor(backbone.onnx), self.images[rows]
        mirrored = None if backbone.mirror_proof else extractor.features(mirror(images))
        return TrainingFeatures(extractor.features(images), mirrored)

    def folds(self, seed: int, count: int = FOLDS) -> NDArray[np.intp]:
        """Return the fold of each image, 0 to count - 1: as many of each label in each."""
        order = np.random.default_rng(seed)
        folds = np.zeros(len(self.truths), np.intp)
        for label in range(len(self.labels)):
            rows = np.flatnonzero(self.truths == label)
            folds[order.permutation(rows)] = np.arange(len(rows)) % count
        return folds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=Path, required=True, help="folder of <label>/*.jpg")
    parser.add_argument("--backbones", default="patches,cnn,patches+cnn", help="names, with commas between")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    photographs = Photographs(arguments.images)
    for name in arguments.backbones.split(","):
        answers: list[Floats] = []
        for seed in range(arguments.repeats):
            answers.append(_repeat(photographs, name, seed))
            _print(name, photographs, answers)


def _repeat(photographs: Photographs, name: str, seed: int) -> Floats:
    """Answer every image once: float32 [n, c]."""
    folds = photographs.folds(seed)
    found = np.zeros((len(folds), len(photographs.labels)), np.float32)
    for fold in range(FOLDS):
        found[folds == fold] = photographs.answer(name, {}, folds == fold, seed)
    return found


def _print(name: str, photographs: Photographs, answers: Sequence[Floats]) -> None:
    scores: list[Evaluation] = [evaluate(found, photographs.truths, photographs.labels) for found in answers]
    together = calibration_error(np.concatenate(answers), np.tile(photographs.truths, len(answers)))
    means = {
        "accuracy": np.mean([score.accuracy or 0 for score in scores]),
        "AUC": np.mean([score.auc or 0 for score in scores]),
        "log loss": np.mean([score.log_loss or 0 for score in scores]),
        "ECE": together,
    }
    spread = np.std([score.accuracy or 0 for score in scores])
    figures = ", ".join(f"{figure} {value:.4f}" for figure, value in means.items())
    print(f"{name}: {figures}; accuracy varies by {spread:.4f} between {len(scores)} repeats", flush=True)


if __name__ == "__main__":
    main()

"""How many wrong labels are among the first images of the queue "contradicts the data set"?

Usage: python -m bench.flipped_labels --images FOLDER [--seeds N] [--flipped 0.05]     (FOLDER holds <label>/*.jpg)

For each seed a share of all labels is replaced by another one. A fifth of the images is the test side. From the others
a full model is learned as the full lane does: backbone, space of the correction layer, head and temperature, with the
wrong labels among theirs. Its answers and the places of all images, as image.scored says them, are what the labeler
knows; the function that fills the queue orders the images. Printed: the share of the wrong labels in the first tenth
of all images, their share among the images that the queue shows at all, and the same for the order of the queue
"contradicts its label", which asks the model alone.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from bench.cross_validation import Photographs
from services.labeler.commands.label_doubts import LabelledPlaces
from services.trainer.model.arrays import Floats
from services.trainer.model.head import probabilities
from services.trainer.model.layer_space import fit_space
from services.trainer.model.sessions import FeatureExtractor, mirror
from services.trainer.training import train_backbone
from services.trainer.training.calibration import TrainingFeatures, fit_calibrated_head, fold_of
from shared.contract.place import decode_place, encode_place
from shared.contract.split import side

FIRST = 0.1
FIRST_SEED = 100
"""The ridge was chosen on others."""
Rows = NDArray[np.intp]


class WrongLabels:
    """The images of one seed: `labels` [n] with wrong ones among them, those at `flipped`."""

    def __init__(self, photographs: Photographs, seed: int, share: float) -> None:
        chance = np.random.default_rng(seed)
        count, classes = len(photographs.truths), len(photographs.labels)
        self.groups = [f"{seed} {image_hash}" for image_hash in photographs.hashes]
        self.flipped: Rows = chance.permutation(count)[: round(share * count)]
        self.labels = photographs.truths.copy()
        self.labels[self.flipped] += chance.integers(1, classes, len(self.flipped))
        self.labels %= classes
        training = np.flatnonzero([side(group) == "train" for group in self.groups])
        backbone = train_backbone("patches", photographs.images[training], seed, probe=photographs.images[:1])
        extractor, images = FeatureExtractor(backbone.onnx), photographs.images
        mirrored = None if backbone.mirror_proof else extractor.features(mirror(images))
        features = TrainingFeatures(extractor.features(images), mirrored)
        self.places = _places(features, training)
        fitted = fit_calibrated_head(
            features.chosen(training),
            [photographs.labels[self.labels[row]] for row in training],
            photographs.labels,
            [fold_of(photographs.hashes[row]) for row in training],
        )
        self.answers = probabilities(fitted.head.logits(features.plain))

    def rows(self) -> list[Mapping[str, Any]]:
        """Return the images as the labeler's tables have them."""
        return [
            {
                "image_id": UUID(int=row),
                "label": str(label),
                "group_id": group,
                "to_review": True,
                "place": bytes(4) + np.array(place, ">f2").tobytes(),
            }
            for row, (label, group, place) in enumerate(zip(self.labels, self.groups, self.places, strict=True))
        ]

    def order_of_queue(self) -> Rows:
        """Return the images of the queue "contradicts the data set", in its order."""
        known = LabelledPlaces()
        known.add(self.rows())
        return np.array([image_id.int for image_id, *_ in known.contradicted()], np.intp)

    def order_of_model(self) -> Rows:
        """Return the images whose label the model contradicts, the most certain answers first."""
        others = self.answers.copy()
        rows = np.arange(len(self.labels))
        others[rows, self.labels] = 0
        lead = others.max(axis=1) - self.answers[rows, self.labels]
        order = np.argsort(-lead, kind="stable")
        return np.asarray(order[lead[order] > 0], np.intp)

    def found(self, order: Rows) -> tuple[float, float]:
        """Return the share of the wrong labels in the first tenth of all images, and in all that is shown."""
        first = order[: round(FIRST * len(self.labels))]
        return (float(np.isin(self.flipped, first).mean()), float(np.isin(self.flipped, order).mean()))


def _places(features: TrainingFeatures, training: Rows) -> Sequence[tuple[int, ...]]:
    """Return where the images lie, as events say it."""
    learned = features.chosen(training)
    space = fit_space(np.concatenate(learned.views))
    if space is None:
        raise SystemExit("These are too few photographs for a space.")
    place: Floats = space.place(features.plain)
    return [decode_place(encode_place(row) or "") for row in place.tolist()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=Path, required=True, help="folder of <label>/*.jpg")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--flipped", type=float, default=0.05)
    arguments = parser.parse_args()
    photographs = Photographs(arguments.images)
    found: dict[str, list[tuple[float, float]]] = {"contradicts the data set": [], "contradicts its label": []}
    for seed in range(FIRST_SEED, FIRST_SEED + arguments.seeds):
        wrong = WrongLabels(photographs, seed, arguments.flipped)
        found["contradicts the data set"].append(wrong.found(wrong.order_of_queue()))
        found["contradicts its label"].append(wrong.found(wrong.order_of_model()))
    print(f"{len(photographs.truths)} photographs, {len(wrong.flipped)} wrong labels, {arguments.seeds} seeds")
    for queue, shares in found.items():
        first, shown = np.mean(shares, axis=0)
        worst = min(share for share, _ in shares)
        print(f"{queue}: {first:.1%} in the first {FIRST:.0%} (worst seed {worst:.0%}), {shown:.1%} in the whole queue")
    print(f"at random: {FIRST:.1%} in the first {FIRST:.0%}")


if __name__ == "__main__":
    main()

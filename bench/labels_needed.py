"""How many labels people have to give: images in the order of the review queue, beside a random order.

Usage: python -m bench.labels_needed --images FOLDER [--seeds N]     (FOLDER holds <label>/*.jpg)

For each seed a quarter of the images is kept for testing and never labelled. From the others, the backbone is learned
without labels. Sixteen random images are labelled; then eight more at a time, chosen by the function that orders
`GET /review` from answers of the model of that moment (head and temperature as the full lane fits them), or at random.
Printed: the mean accuracy (0..1) after so many labels, and for some numbers of random labels, how many in the order of
the queue reach the same mean accuracy, and their ratio.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from bench.cross_validation import Photographs
from services.labeler.decisions.sampling import Candidate, review_order
from services.trainer.model.arrays import Floats
from services.trainer.model.head import probabilities
from services.trainer.model.sessions import FeatureExtractor, mirror
from services.trainer.training import train_backbone
from services.trainer.training.calibration import TrainingFeatures, fit_calibrated_head, fold_of

FIRST, BATCH = 16, 8
COMPARED = (96, 144, 200)
"""Numbers of random labels; as far as there are so many images."""
Rows = NDArray[np.intp]
Order = Callable[[Rows, Floats], Rows]
"""From the unlabelled rows [u] and the probabilities of their labels [u, c] to the rows in the order of labelling."""


class Pool:
    """The images of one seed: `pool` may be labelled, `tests` are asked; both are rows of `photographs`."""

    def __init__(self, photographs: Photographs, seed: int) -> None:
        self._photographs = photographs
        generator = np.random.default_rng(seed)
        quarters = photographs.folds(seed, 4)
        self.pool, self.tests = np.flatnonzero(quarters != 0), np.flatnonzero(quarters == 0)
        self.first = self._first(generator)
        backbone = train_backbone("patches", photographs.images[self.pool], seed, probe=photographs.images[:1])
        extractor, images = FeatureExtractor(backbone.onnx), photographs.images
        mirrored = None if backbone.mirror_proof else extractor.features(mirror(images))
        self._features = TrainingFeatures(extractor.features(images), mirrored)

    def curve(self, order: Order) -> list[float]:
        """Return the accuracy on the test images with 16, 24, ... labels."""
        labelled, found = self.first, []
        while True:
            answer = self._fit(labelled)
            found.append(float((answer(self.tests).argmax(axis=1) == self._photographs.truths[self.tests]).mean()))
            rest = np.setdiff1d(self.pool, labelled)
            if not len(rest):
                return found
            labelled = np.concatenate((labelled, order(rest, answer(rest))[:BATCH]))

    def _first(self, generator: np.random.Generator) -> Rows:
        """Return the first rows to label, drawn until each label has one: without, there is no model."""
        while True:
            drawn = generator.permutation(self.pool)[:FIRST]
            if len(set(self._photographs.truths[drawn])) == len(self._photographs.labels):
                return drawn

    def _fit(self, rows: Rows) -> Callable[[Rows], Floats]:
        photographs = self._photographs
        fitted = fit_calibrated_head(
            self._features.chosen(rows),
            [photographs.names[row] for row in rows],
            photographs.labels,
            [fold_of(photographs.hashes[row]) for row in rows],
        )
        return lambda asked: probabilities(fitted.head.logits(self._features.plain[asked]))


def order_of_review(labels: Sequence[str]) -> Order:
    """Return the order in which people see images that came without a label and are answered like this."""

    def order(rows: Rows, answers: Floats) -> Rows:
        candidates = [
            Candidate(UUID(int=int(row)), str(row), None, False, dict(zip(labels, map(float, answer), strict=True)))
            for row, answer in zip(rows, answers, strict=True)
        ]
        return np.array([candidate.image_id.int for candidate, _ in review_order(candidates)])

    return order


def order_at_random(seed: int) -> Order:
    """Return an order that does not look at the answers."""
    generator = np.random.default_rng((seed, 1))
    return lambda rows, _: generator.permutation(rows)


def labels_needed(curve: Sequence[float], accuracy: float) -> int | None:
    """Return the first number of labels with at least this accuracy; None if no number has it."""
    reached = (FIRST + BATCH * step for step, found in enumerate(curve) if found >= accuracy)
    return next(reached, None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=Path, required=True, help="folder of <label>/*.jpg")
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    photographs = Photographs(arguments.images)
    by_queue, at_random = [], []
    for seed in range(arguments.seeds):
        pool = Pool(photographs, seed)
        by_queue.append(pool.curve(order_of_review(photographs.labels)))
        at_random.append(pool.curve(order_at_random(seed)))
    queue, random = np.mean(by_queue, axis=0), np.mean(at_random, axis=0)
    print("labels   queue    random")
    for step, (one, other) in enumerate(zip(queue, random, strict=True)):
        print(f"{FIRST + BATCH * step:6}   {one:.4f}   {other:.4f}")
    print(f"area under the curve, {arguments.seeds} seeds: queue {queue.mean():.4f}, random {random.mean():.4f}")
    for labels in COMPARED:
        step = (labels - FIRST) // BATCH
        needed = labels_needed(list(queue), float(random[step])) if step < len(random) else None
        if needed is not None:
            print(f"accuracy {random[step]:.4f}: random {labels} labels, queue {needed}: ratio {needed / labels:.2f}")


if __name__ == "__main__":
    main()

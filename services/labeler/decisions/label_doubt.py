"""Which labels contradict the data set: what all other images say about an image, against its label. Pure.

A model that has learned a wrong label answers with it: it is no witness against the label. Here each image is answered
by a linear classifier that has learned neither the image nor those of its group (its near-duplicates, which may have
been labelled in one go), as in confident learning (Northcutt, Jiang and Chuang 2021): labels are ranked by the lead of
the best other label over the given one. What is learned from is where images lie in the space of a full model, which
was fitted without labels. The classifier is least squares on the labels with a ridge (Hastie, Tibshirani and Friedman
2009, section 4.2): all folds need one pass over the images. It learns a second time, without the labels that it
doubted.
"""

from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

FOLDS = 10
ROUNDS = 2
RIDGE = 0.005
"""Added for each image to the diagonal of what is solved: places are of length 1, in up to 64 numbers."""
FEWEST = 20
"""With fewer labelled images nothing is said."""

Floats = NDArray[np.float32]
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Doubts:
    """For each image the lead of the best other label over its own, above 0 where the others contradict it, about -1 to
    1: float32 [n]; and which label that is: its number [n]."""

    doubt: Floats
    other: Rows


def fold_of_group(group_id: str) -> int:
    """Return the fold in which all images of a group are, 0 to FOLDS - 1."""
    return int.from_bytes(sha256(b"fold " + group_id.encode()).digest()[:4]) % FOLDS


def doubts(places: Floats, labels: Rows, folds: Rows) -> Doubts | None:
    """Return how much the others contradict each label. places [n, k]: of one space, of any length; labels [n]: the
    number of each label; folds [n]: those of `fold_of_group`. None with less than FEWEST images or two labels."""
    classes = int(labels.max()) + 1 if len(labels) else 0
    if len(labels) < FEWEST or len(np.unique(labels)) < 2:
        return None
    lengths = np.linalg.norm(places, axis=1, keepdims=True)
    inputs = np.concatenate((places / np.maximum(lengths, 1e-12), np.ones((len(places), 1), np.float32)), axis=1)
    targets = np.eye(classes, dtype=np.float32)[labels]  # [n, c]
    believed = np.ones(len(labels), np.bool_)
    for _ in range(ROUNDS):
        found = _compare(_answer(inputs, targets, folds, believed), labels)
        believed = found.doubt <= 0
    return found


def _answer(inputs: Floats, targets: Floats, folds: Rows, believed: NDArray[np.bool_]) -> Floats:
    """Return what the images of other folds whose label is believed say about each: about probabilities [n, c]."""
    width, classes = inputs.shape[1], targets.shape[1]
    squares, products = np.zeros((FOLDS, width, width)), np.zeros((FOLDS, width, classes))
    sizes = np.zeros(FOLDS)
    for each in range(FOLDS):
        rows = (folds == each) & believed
        squares[each] = inputs[rows].T @ inputs[rows]
        products[each] = inputs[rows].T @ targets[rows]
        sizes[each] = rows.sum()
    answers = np.zeros(targets.shape, np.float32)
    ridge = np.eye(width)
    ridge[-1, -1] = 1e-6  # how frequent a label is costs nothing
    for each in range(FOLDS):
        rows, known = folds == each, np.arange(FOLDS) != each
        whole = squares[known].sum(axis=0) + RIDGE * max(1.0, sizes[known].sum()) * ridge
        answers[rows] = inputs[rows] @ np.linalg.solve(whole, products[known].sum(axis=0))
    return answers


def _compare(answers: Floats, labels: Rows) -> Doubts:
    rows = np.arange(len(labels))
    others = answers.copy()
    others[rows, labels] = -np.inf
    best = others.argmax(axis=1)
    return Doubts(np.asarray(others[rows, best] - answers[rows, labels], np.float32), best)

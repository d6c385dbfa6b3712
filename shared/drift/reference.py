"""What answers look like without drift, and from which value of a statistic on they do not. Pure.

The threshold is cross-fitted: mean and covariance from 60 % of the images, streams drawn from the rest, ten times.
Streams drawn from the very images that gave the mean look calmer than new ones: a threshold from them alarms always.
The mean of 40 % lies farther from that of 60 % than new pictures lie from the mean of all; so far it is drawn in.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from shared.contract.artefact import DriftReference, StatisticReference
from shared.drift.mewma import LAMBDA, Floats, shorten, statistic
from shared.drift.sketch import NUMBERS
from shared.runtime.errors import InvalidMessage

RUN_IMAGES = 2000
"""The stated run: how many images come on average between two false alarms."""
FEWEST_IMAGES, FEWEST_ANSWERS = 10, 5
"""From fewer there is no reference: too little is known about what varies."""

_FITS = 10
_FITTED_SHARE = 0.6
_STREAMS = 100
_STREAM_IMAGES = 1000
_SEED = 20_251_126
_OFFSET_SHARE = float(np.sqrt((1 + 1 / 0.6) / (1 / 0.6 + 1 / 0.4)))
"""How much of the distance between both means stays. The means of m and of n pictures differ by 1/m + 1/n in the
square: in service, all of them gave the reference instead of 60 %; what comes is taken to be as varied as those."""
_DIGITS = 9
_LOWEST_THRESHOLD = 1.5
"""Times the number of dimensions, which the statistic is without drift: where nothing varies, streams are calm."""
_NEXT_TO_NOTHING = 1e-3
_SMALLEST_SHARE, _SMALLEST_VARIANCE = 1e-9, 1e-18


def make_reference(features: Floats, answers: Sequence[int], confidences: Floats, labels: int) -> DriftReference | None:
    """Return the reference of a model with so many `labels`; None if there are too few images for one.

    features: sketches of all images of the manifest, [n, 16]. answers: the label that the model gives to each image it
    did not learn, as an index; confidences: the probability of that label, [t], 0 to 1. The same values give the same
    reference, in every process.
    """
    if len(features) < FEWEST_IMAGES or len(answers) < FEWEST_ANSWERS:
        return None
    return DriftReference(
        images=len(features),
        run_images=RUN_IMAGES,
        features=_reference(features),
        labels=_reference(np.stack([label_vector(answer, labels) for answer in answers])),
        confidence=_reference(np.asarray(confidences, np.float64)[:, None]),
    )


def check_reference(reference: DriftReference, labels: int) -> None:
    """Look whether a reference, which may come from a stranger, can be compared with.

    Raises:
        InvalidMessage: its numbers do not fit each other, or are none.
    """
    for name, part, numbers in (
        ("features", reference.features, NUMBERS),
        ("labels", reference.labels, labels - 1),
        ("confidence", reference.confidence, 1),
    ):
        fits = len(part.mean) == numbers and [len(row) for row in part.whitening] == [numbers] * numbers
        finite = fits and np.isfinite([part.threshold, *part.mean, *np.ravel(part.whitening)]).all()
        if not finite or part.threshold <= numbers or np.linalg.matrix_rank(np.asarray(part.whitening)) < numbers:
            raise InvalidMessage(f"The drift reference of this artefact is none, see its {name}. Train it again.")


def with_more_labels(reference: DriftReference, more: int) -> DriftReference:
    """Return the reference of the same model with so many labels after its own, none of which it has answered. The
    last label, which the others implied, has a number of its own from then on: it weighs next to nothing, as before."""
    labels = reference.labels
    for _ in range(more):
        known = len(labels.mean)
        rest = max(0.0, 1 - sum(labels.mean)) if labels is reference.labels else 0.0
        rows = [(*row, 0.0) for row in labels.whitening]
        labels = StatisticReference(
            mean=(*labels.mean, rest),
            whitening=(*rows, (*[0.0] * known, _NEXT_TO_NOTHING)),
            threshold=max(labels.threshold, _LOWEST_THRESHOLD * (known + 1)),
        )
    return replace(reference, labels=labels)


def label_vector(answer: int, labels: int) -> Floats:
    """Return float64 [labels - 1]: 1 at the index of the answer, all 0 for the last label, which the others imply."""
    return np.eye(labels)[answer, : labels - 1]


def _reference(vectors: Floats) -> StatisticReference:
    """Return mean, whitening and threshold of vectors [n, k]."""
    mean, whitening = _fit(vectors)
    return StatisticReference(
        mean=_rounded(mean),
        whitening=tuple(_rounded(row) for row in whitening),
        threshold=_rounded([max(_cross_fitted_threshold(vectors), _LOWEST_THRESHOLD * vectors.shape[1])])[0],
    )


def _fit(vectors: Floats) -> tuple[Floats, Floats]:
    """Return the mean [k] and L [k, k] with L L' the inverse of the covariance, which is shrunk to its diagonal by k/n:
    from few images its small eigenvalues come out too small."""
    count, dimensions = vectors.shape
    covariance = np.atleast_2d(np.cov(vectors, rowvar=False))
    variances = np.diag(covariance)
    diagonal = np.diag(np.maximum(variances, max(_SMALLEST_SHARE * variances.max(), _SMALLEST_VARIANCE)))
    shrinkage = min(1.0, dimensions / count)
    shrunk = (1 - shrinkage) * covariance + shrinkage * diagonal
    shrunk[np.diag_indices(dimensions)] = np.diag(diagonal)
    return vectors.mean(axis=0), np.linalg.cholesky(np.linalg.inv(shrunk))


def _cross_fitted_threshold(vectors: Floats) -> float:
    """Return the value that a stream of `_STREAM_IMAGES` without drift passes as often as the stated run says: alarms
    that come by chance are spread like the first event of a Poisson process."""
    random = np.random.Generator(np.random.PCG64(_SEED))
    largest = [_largest_statistics(vectors, random) for _ in range(_FITS)]
    return float(np.quantile(np.concatenate(largest), np.exp(-_STREAM_IMAGES / RUN_IMAGES)))


def _largest_statistics(vectors: Floats, random: np.random.Generator) -> Floats:
    """Fit on a random 60 %, draw streams from the rest; return the largest statistic of each, [_STREAMS]."""
    order = random.permutation(len(vectors))
    fitted = int(len(vectors) * _FITTED_SHARE)
    mean, whitening = _fit(vectors[order[:fitted]])
    rest = (vectors[order[fitted:]] - mean) @ whitening  # [m, k]
    rest = shorten(rest - (1 - _OFFSET_SHARE) * rest.mean(axis=0))
    drawn = random.integers(0, len(rest), (_STREAM_IMAGES, _STREAMS))
    average, largest = np.zeros((_STREAMS, vectors.shape[1])), np.zeros(_STREAMS)
    for images in drawn:
        average = (1 - LAMBDA) * average + LAMBDA * rest[images]
        largest = np.maximum(largest, statistic(average))
    return largest


def _rounded(numbers: Iterable[float]) -> tuple[float, ...]:
    """Return the numbers with so many significant digits: features may have any scale."""
    return tuple(float(f"{number:.{_DIGITS}g}") for number in numbers)

"""Fits a head: multinomial logistic regression by L-BFGS. Apart from `head`, since processes that only answer load no
scipy."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, zip_longest

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, minimize  # type: ignore[import-untyped]
from scipy.special import log_softmax  # type: ignore[import-untyped]

from services.trainer.model.arrays import Floats
from services.trainer.model.blas_threads import one_blas_thread
from services.trainer.model.head import Head

Doubles = NDArray[np.float64]

INVERSE_PENALTY = 0.02
"""Chosen by cross-validation alone, with the dictionary of the backbone learned inside the fold."""
MOST_ITERATIONS = 500
GRADIENT_TOLERANCE = 1e-5


@dataclass(frozen=True)
class FittedHead:
    """A head, and the objective (mean cross-entropy plus penalty, nats) after each iteration that made it."""

    head: Head
    curve: tuple[float, ...]


def fit_head(
    features: Floats,
    targets: Sequence[str],
    labels: Sequence[str],
    inverse_penalty: float = INVERSE_PENALTY,
    part_widths: Sequence[int] = (),
) -> FittedHead:
    """Fit a head to features float32 [n, d] and the label of each row; deterministic. `part_widths` say how many of the
    features belong to each part, in order; by default there is one.

    The objective is scikit-learn's: mean cross-entropy + |W|^2 / (2 * inverse_penalty * n), bias unpenalised, minimised
    by L-BFGS. (For two classes its softmax form equals scikit-learn's binary form at twice the inverse penalty.)

    Raises:
        ValueError: there are fewer than two labels, a label has no image, a target is not a label, or the widths do not
            add up to d.
    """
    classes = indices_of(targets, labels)  # [n]
    return join_parts(
        [
            _fit_part(features[:, columns], classes, labels, inverse_penalty)
            for columns in columns_of_parts(part_widths, features.shape[1])
        ]
    )


def columns_of_parts(part_widths: Sequence[int], features: int) -> list[slice]:
    """Return which of the features belong to each part; by default there is one. Raises ValueError if the widths do not
    add up to `features`."""
    widths = tuple(part_widths) or (features,)
    if sum(widths) != features:
        raise ValueError(f"Parts of {widths} features do not make {features}. Mend `part_widths`.")
    return [slice(end - width, end) for end, width in zip(accumulate(widths), widths, strict=True)]


def join_parts(parts: Sequence[FittedHead]) -> FittedHead:
    """Return one head of these heads, each over the features that follow those of the one before."""
    heads = [part.head for part in parts]
    labels = heads[0].labels
    mean, scale, bias = (np.concatenate([getattr(head, name) for head in heads]) for name in ("mean", "scale", "bias"))
    weights = np.zeros((len(mean), len(labels) * len(heads)), np.float32)
    for number, (head, end) in enumerate(zip(heads, accumulate(len(head.mean) for head in heads), strict=True)):
        weights[end - len(head.mean) : end, number * len(labels) : (number + 1) * len(labels)] = head.weights
    curves = zip_longest(*(part.curve for part in parts))
    return FittedHead(Head(labels, mean, scale, weights, bias), tuple(_means(curves)))


def _means(curves: Iterable[Sequence[float | None]]) -> Iterator[float]:
    """Yield the mean of several curves at each step; one that has ended stays at its last value."""
    last: Sequence[float] = ()
    for values in curves:
        last = [last[number] if value is None else value for number, value in enumerate(values)]
        yield sum(last) / len(last)


def _fit_part(features: Floats, classes: NDArray[np.intp], labels: Sequence[str], inverse_penalty: float) -> FittedHead:
    mean = features.mean(axis=0, dtype=np.float64)
    scale = features.std(axis=0, dtype=np.float64)
    scale[scale < 1e-6] = 1.0  # a constant feature carries no information; leave it at zero
    standardised = (features - mean) / scale  # float64 [n, d]
    curve: list[float] = []

    def remember(*, intermediate_result: OptimizeResult) -> None:
        curve.append(float(intermediate_result.fun))

    with one_blas_thread():
        found = minimize(
            _objective,
            np.zeros((features.shape[1] + 1) * len(labels)),
            args=(standardised, np.eye(len(labels))[classes], inverse_penalty),
            jac=True,
            method="L-BFGS-B",
            callback=remember,
            options={"maxiter": MOST_ITERATIONS, "gtol": GRADIENT_TOLERANCE, "ftol": 64 * np.finfo(float).eps},
        )
    parameters = found.x.reshape(-1, len(labels)).astype(np.float32)  # [d + 1, c]
    head = Head(tuple(labels), mean.astype(np.float32), scale.astype(np.float32), parameters[:-1], parameters[-1])
    return FittedHead(head, tuple(curve))


def indices_of(targets: Sequence[str], labels: Sequence[str]) -> NDArray[np.intp]:
    """Return the position of each target among the labels, [n]. Raises ValueError: see `fit_head`."""
    index = {label: position for position, label in enumerate(labels)}
    if len(index) < 2:
        raise ValueError(f"A classifier needs at least two labels, not {list(labels)}. Label images of another class.")
    unknown = sorted(set(targets) - set(index))
    if unknown:
        raise ValueError(f"Labels {unknown} are not among {list(labels)}. Configure them or correct the images.")
    without_images = sorted(set(index) - set(targets))
    if without_images:
        raise ValueError(f"No training image is labelled {without_images}. Label some, or leave the label out.")
    return np.array([index[target] for target in targets])


def _objective(flat: Doubles, features: Doubles, one_hot: Doubles, inverse_penalty: float) -> tuple[float, Doubles]:
    """Return the mean cross-entropy with penalty, and its gradient, at weights and bias flat [(d + 1) * c]."""
    images, classes = one_hot.shape
    parameters = flat.reshape(-1, classes)
    weights = parameters[:-1]
    log_probabilities = log_softmax(features @ weights + parameters[-1], axis=1)  # [n, c]
    penalty = 1.0 / (inverse_penalty * images)
    loss = -(one_hot * log_probabilities).sum() / images + 0.5 * penalty * np.square(weights).sum()
    error = (np.exp(log_probabilities) - one_hot) / images  # [n, c]
    gradient = np.vstack((features.T @ error + penalty * weights, error.sum(axis=0)))
    return float(loss), gradient.ravel()

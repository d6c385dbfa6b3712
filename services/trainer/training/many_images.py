"""Fits a head to very many images: the objective of `logistic_regression`, in blocks of bounded size, in 32-bit floats.

L-BFGS needs a hundred steps where features are correlated. Here it works on weights in which the objective curves
nearly alike in all directions (by the Cholesky factor of its approximate Hessian, from a sample of the images: Nocedal
and Wright 2006, "Numerical Optimization", ch. 5.1), and needs fifteen. Nothing of the size of the features is copied.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular  # type: ignore[import-untyped]
from scipy.optimize import OptimizeResult, minimize  # type: ignore[import-untyped]
from scipy.special import log_softmax  # type: ignore[import-untyped]

from services.trainer.model.arrays import Floats, Indices
from services.trainer.model.blas_threads import one_blas_thread
from services.trainer.model.head import Head
from services.trainer.training.logistic_regression import FittedHead, columns_of_parts, indices_of, join_parts

Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]

A_BLOCK = 1_024
"""Rows that are multiplied at once: 4 MB of a thousand features, which stay in the cache of a core for the gradient."""
SAMPLED = 8_000
USUAL_CURVATURE = 0.08
"""The mean of p (1 - p), where nine of ten images are answered rightly."""
LEAST_RIDGE = 1e-3
"""Added to the sample's covariances at least: 32-bit floats do not tell smaller ones from none."""
MOST_ITERATIONS = 200
GRADIENT_TOLERANCE = 1e-5
LOSS_TOLERANCE = 1e-8
SMALLEST_SCALE = 1e-6


class ManyImages:
    """Features of very many images: `views` are float32 [n, d], the images and, where that makes a difference, their
    mirror images; `targets` are the labels of both. `part_widths`: see `fit_head`, which it does as.

    Raises:
        ValueError: see `fit_head`.
    """

    def __init__(
        self, views: Sequence[Floats], targets: Sequence[str], labels: Sequence[str], part_widths: Sequence[int] = ()
    ) -> None:
        classes = indices_of(targets, labels)
        self._parts = [
            _Part([view[:, columns] for view in views], classes, labels)
            for columns in columns_of_parts(part_widths, views[0].shape[1])
        ]

    def fit(self, inverse_penalty: float, counted: Mask | None = None) -> FittedHead:
        """Return the head for the images `counted` [n] (None: all), standardised by all of them; deterministic. It
        starts from the solution before, to which it is near: the same calls in the same order give the same bits.
        `inverse_penalty`: for an image, of which each view counts its share."""
        with one_blas_thread():
            return join_parts([part.fit(inverse_penalty, counted) for part in self._parts])


class _Part:
    """Some of the features, for which there is a head of its own."""

    def __init__(self, views: Sequence[Floats], classes: Indices, labels: Sequence[str]) -> None:
        self._views = views
        self._classes = classes
        self._labels = tuple(labels)
        self._start: Doubles | None = None

    def fit(self, inverse_penalty: float, counted: Mask | None) -> FittedHead:
        mean, scale = self._moments
        factor = self._factor
        images = len(self._classes) if counted is None else int(counted.sum())
        rows = images * len(self._views)
        penalty, classes = 1.0 / (inverse_penalty * images), len(self._labels)
        curve: list[float] = []

        def unpack(point: Doubles) -> tuple[Doubles, Doubles]:
            """Return weights [d, c] of standardised features, and bias [c]."""
            parameters = point.reshape(-1, classes)
            return factor.T @ parameters[:-1], parameters[-1]

        def objective(point: Doubles) -> tuple[float, Doubles]:
            weights, bias = unpack(point)
            of_features = weights / scale[:, None]
            own = of_features.astype(np.float32), (bias - mean @ of_features).astype(np.float32)
            loss, gradient, errors = 0.0, np.zeros(weights.shape), np.zeros(classes)
            for features, one_hot in self._blocks(counted):
                log_probabilities = log_softmax(features @ own[0] + own[1], axis=1)  # [b, c]
                loss -= float((one_hot * log_probabilities).sum(dtype=np.float64))
                error = (np.exp(log_probabilities) - one_hot) * one_hot.sum(axis=1, keepdims=True)
                gradient += features.T @ error
                errors += error.sum(axis=0, dtype=np.float64)
            gradient = (gradient - np.outer(mean, errors)) / scale[:, None] / rows + penalty * weights
            total = loss / rows + 0.5 * penalty * float(np.square(weights).sum())
            return total, np.vstack((factor @ gradient, errors / rows)).ravel()

        def remember(*, intermediate_result: OptimizeResult) -> None:
            curve.append(float(intermediate_result.fun))

        found = minimize(
            objective,
            np.zeros((len(mean) + 1) * classes) if self._start is None else self._start,
            jac=True,
            method="L-BFGS-B",
            callback=remember,
            options={"maxiter": MOST_ITERATIONS, "gtol": GRADIENT_TOLERANCE, "ftol": LOSS_TOLERANCE},
        )
        self._start = found.x
        weights, bias = unpack(found.x)
        numbers = [np.asarray(array, dtype=np.float32) for array in (mean, scale, weights, bias)]
        return FittedHead(Head(self._labels, *numbers), tuple(curve))

    @cached_property
    def _moments(self) -> tuple[Doubles, Doubles]:
        """Mean and standard deviation of each feature, [d]; 1 for a constant one, which carries no information."""
        rows = len(self._views) * len(self._classes)
        mean = sum(part.sum(axis=0, dtype=np.float64) for part, _ in self._blocks()) / rows
        squares = sum(
            np.square(part - mean.astype(np.float32)).sum(axis=0, dtype=np.float64) for part, _ in self._blocks()
        )
        scale = np.sqrt(squares / rows)
        scale[scale < SMALLEST_SCALE] = 1.0
        return mean, scale

    @cached_property
    def _factor(self) -> Doubles:
        """[d, d]: its transpose takes the solver's coordinates to weights of standardised features."""
        mean, scale = self._moments
        step = -(-len(self._classes) * len(self._views) // SAMPLED)
        sample = np.concatenate([view[::step] for view in self._views])
        standardised = (sample - mean.astype(np.float32)) / scale.astype(np.float32)
        covariances = (standardised.T @ standardised).astype(np.float64) / len(standardised)
        ridge = LEAST_RIDGE * np.eye(len(mean))
        lower = np.linalg.cholesky(USUAL_CURVATURE * covariances + ridge)
        return np.asarray(solve_triangular(lower, np.eye(len(mean)), lower=True))

    def _blocks(self, counted: Mask | None = None) -> Iterator[tuple[Floats, Floats]]:
        """Yield features [b, d] and classes as float32 [b, c]: 1 for the class of an image that counts, else 0."""
        known = np.eye(len(self._labels), dtype=np.float32)
        for at in range(0, len(self._classes), A_BLOCK):
            one_hot = known[self._classes[at : at + A_BLOCK]]
            if counted is not None:
                one_hot *= counted[at : at + A_BLOCK, None]
            for view in self._views:
                yield view[at : at + A_BLOCK], one_hot

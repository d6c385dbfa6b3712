"""What fitting a correction layer costs, beside a direct solution of the same equations.

Usage: python -m bench.correction_layer [--rows 100 1000 2000 10000] [--alike 1500]

Rows are planted as photographs lie in the space of a layer: some 0.5 % of all pairs are near each other, and one row in
ten is a view of another. "whole" fits from nothing; "added" and "removed" fit a set with one correction more or less,
with what the fast lane remembers of the fit before. Each time the result must be the one of a fit from nothing, bit for
bit. Last, rows of pictures that resemble each other, all near each other, with either label: solved as the layer does,
over what conjugate gradients alone take.
"""

import argparse
import time
from collections.abc import Callable
from math import exp
from statistics import median
from uuid import UUID

import numpy as np

from services.trainer.model import layer_rows
from services.trainer.model.arrays import Floats, Indices
from services.trainer.model.blas_threads import one_blas_thread
from services.trainer.model.correction_layer import (
    RIDGE,
    CorrectionLayer,
    fit_layer,
    layer_logits,
    weights_of,
)
from services.trainer.model.layer_space import DIMENSIONS, LayerSpace
from services.trainer.model.neighbours import Neighbours

KAPPA, LAST_COSINE, CLASSES, RUNS = 5.0, 0.5, 2, 3
END_WEIGHT = exp(KAPPA * (LAST_COSINE - 1))
LARGEST_DIRECT = 2_000
SPACE = LayerSpace(np.zeros(DIMENSIONS, np.float32), np.eye(DIMENSIONS, dtype=np.float32))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100, 1_000, 2_000, 10_000])
    parser.add_argument("--alike", type=int, default=1_500)
    smallest: float | None = None
    arguments = parser.parse_args()
    for rows in arguments.rows:
        whole, added, removed, direct = (1000 * seconds for seconds in _measure(rows))
        smallest = smallest or whole
        compared = f"; a direct solution {direct:.1f} ms" if rows <= LARGEST_DIRECT else ""
        print(
            f"{rows} rows: whole {whole:.1f} ms ({whole / smallest:.1f} times the first), one added {added:.1f} ms"
            f" ({added / whole:.2f} of whole), one removed {removed:.1f} ms ({removed / whole:.2f}){compared}"
        )
    _measure_alike(arguments.alike)


def _measure_alike(rows: int) -> None:
    generator = np.random.default_rng(rows)
    places = (3 + generator.normal(size=(rows, DIMENSIONS))).astype(np.float32)
    base, targets = np.zeros((rows, CLASSES), np.float32), generator.integers(0, CLASSES, rows)
    entries = [(UUID(int=row), 1) for row in range(rows)]

    def fit() -> CorrectionLayer:
        return fit_layer(places, base, targets, entries, space=SPACE, kappa=KAPPA, end=END_WEIGHT)

    seconds, layer = _seconds(fit), fit()
    right = (layer_logits(layer, places).argmax(axis=1) == targets).mean()
    layer_rows.MOST_DIRECT = 0  # steps alone
    in_steps = _seconds(fit)
    print(
        f"{rows} rows that resemble each other: {1000 * seconds:.0f} ms, {seconds / in_steps:.3f} times that in steps",
        end="",
    )
    print(f"; {right:.1%} answered as corrected")


def _measure(rows: int) -> tuple[float, float, float, float]:
    """Return seconds: a whole fit, one added, one removed, and the direct solution (0 where it would take too long)."""
    features, base, targets = _plant(rows)
    everything, fewer = np.arange(rows), np.delete(np.arange(rows), rows // 2)

    def fit(chosen: Indices, neighbours: Neighbours) -> CorrectionLayer:
        entries = [(UUID(int=int(row)), 1) for row in chosen]
        return fit_layer(
            features[chosen],
            base[chosen],
            targets[chosen],
            entries,
            space=SPACE,
            kappa=KAPPA,
            end=END_WEIGHT,
            neighbours=neighbours,
        )

    fresh, fresh_fewer = fit(everything, Neighbours()), fit(fewer, Neighbours())
    spent: dict[str, list[float]] = {"whole": [], "added": [], "removed": []}
    for _ in range(RUNS):
        spent["whole"].append(_seconds(lambda: fit(everything, Neighbours())))
        remembering = Neighbours()
        fit(fewer, remembering)
        spent["added"].append(_seconds(lambda: _check(fit(everything, remembering), fresh)))  # noqa: B023 - called here
        spent["removed"].append(_seconds(lambda: _check(fit(fewer, remembering), fresh_fewer)))  # noqa: B023
    direct = _seconds(lambda: _solve_directly(fresh)) if rows <= LARGEST_DIRECT else 0.0
    answered = (base + layer_logits(fresh, features)).argmax(axis=1)
    near = Neighbours().find(fresh.centers, LAST_COSINE).nnz / len(fresh.centers)
    print(f"  {(answered == targets).mean():.1%} of {rows} images answered as corrected, {near:.1f} near rows each")
    return median(spent["whole"]), median(spent["added"]), median(spent["removed"]), direct


def _plant(rows: int) -> tuple[Floats, Floats, Indices]:
    """Return places [n, 64], logits [n, c] and corrected classes [n]: what the head answers is always wrong."""
    generator = np.random.default_rng(rows)
    spread = np.exp(-np.arange(DIMENSIONS) / 24)
    places = generator.normal(size=(rows, DIMENSIONS)) * spread
    views = rows // 10
    places[-views:] = places[:views] + 0.3 * generator.normal(size=(views, DIMENSIONS)) * spread
    logits = generator.normal(0, 2, (rows, CLASSES))
    wrong = (logits.argmax(axis=1) + 1) % CLASSES
    wrong[-views:] = wrong[:views]  # a view is corrected as its image is
    return places.astype(np.float32), logits.astype(np.float32), wrong


def _solve_directly(layer: CorrectionLayer) -> None:
    """Compute and solve all equations at once, as before the kernel had an end."""
    with one_blas_thread():
        kernel = weights_of(layer.centers.astype(np.float64) @ layer.centers.T, KAPPA, END_WEIGHT)
        np.linalg.solve(kernel + RIDGE * np.eye(len(kernel)), np.ones((len(kernel), CLASSES)))


def _check(found: CorrectionLayer, expected: CorrectionLayer) -> None:
    if found.coefficients.tobytes() != expected.coefficients.tobytes() or found.entries != expected.entries:
        raise SystemExit("A layer depends on what was fitted before it: this must not be.")


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()

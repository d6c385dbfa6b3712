"""What looking through an artefact costs before it is loaded, beside the load itself.

python -m bench.artefact_checks [--corrections 500]
"""

import argparse
import time
from collections.abc import Callable
from statistics import median
from uuid import UUID

import numpy as np

from services.predictor.model.onnx_model import Model
from services.trainer.model.correction_layer import CorrectionLayer
from services.trainer.model.head import Head
from services.trainer.model.layer_space import DIMENSIONS, LayerSpace
from services.trainer.model.onnx_artefact import assemble
from services.trainer.training import train_backbone
from shared.artefacts import parse_artefact
from shared.contract.artefact import ArtefactMetadata

LABELS = ("dandelion", "grass")
RUNS = 15


def artefact(corrections: int) -> bytes:
    """Return an artefact with our backbone, learned from noise, and a layer of so many rows."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (60, 96, 96, 3), dtype=np.uint8)
    backbone = train_backbone("patches", images, 1, {}, probe=images[:2])
    width = backbone.probe_features.shape[1]
    sizes = ((width,), (width,), (width, len(LABELS)), (len(LABELS),))
    head = Head(LABELS, *(generator.random(size, dtype=np.float32) + np.float32(0.1) for size in sizes))
    mean = generator.random((width,), dtype=np.float32)
    projection, centers, coefficients = (
        generator.random(size, dtype=np.float32)
        for size in ((width, DIMENSIONS), (corrections, DIMENSIONS), (corrections, len(LABELS)))
    )
    entries = tuple((UUID(int=number), 1) for number in range(corrections))
    layer = CorrectionLayer(centers, coefficients, entries, 5.0, LayerSpace(mean, projection), 0.08)
    metadata = ArtefactMetadata(LABELS, "patches", "0" * 64, "0" * 64, 96, 10.0)
    return assemble(backbone.onnx, head, layer, metadata).data


def milliseconds(work: Callable[[], object]) -> float:
    """Return the median of a few runs."""
    spent = []
    for _ in range(RUNS):
        started = time.perf_counter()
        work()
        spent.append(1000 * (time.perf_counter() - started))
    return median(spent)


def main() -> None:
    """Print both figures and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corrections", type=int, default=500, help="rows of the correction layer")
    data = artefact(parser.parse_args().corrections)
    checked, loaded = milliseconds(lambda: parse_artefact(data)), milliseconds(lambda: Model(data))
    print(f"{len(data)} bytes: looked through in {checked:.1f} ms, looked through and loaded in {loaded:.1f} ms")


if __name__ == "__main__":
    main()

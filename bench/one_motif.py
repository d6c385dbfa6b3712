"""Many corrections of one motif that a model does not know: are they held, are other pictures of it answered better?

    python -m bench.one_motif --images FOLDER [--corrections 100 400 900 1400]     (FOLDER holds <label>/*.jpg)

A model learns from the photographs. Drawings lie close together for it; some of them are corrected to what they show,
and others, which it never gets, are asked. Prints for each number of corrections how many are answered as corrected,
the share of the others that is right (and without any correction), the rows of the layer, and the seconds of a fit.
"""

import argparse
import time
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import numpy as np

from pappus.demo.drawing import DRAWN_LABELS, draw
from services.trainer.model.arrays import Floats
from services.trainer.model.correction_layer import fit_layer, layer_logits
from services.trainer.model.layer_space import fit_geometry
from services.trainer.model.sessions import FeatureExtractor
from services.trainer.training import train_backbone
from services.trainer.training.calibration import TrainingFeatures, fit_calibrated_head, fold_of
from shared.imaging.decoding import decode
from shared.imaging.preprocessing import prepare
from shared.imaging.structure import Pixels

OTHERS, SEED = 600, 77


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="folder of <label>/*.jpg")
    parser.add_argument("--corrections", type=int, nargs="+", default=[100, 400, 900, 1_400])
    arguments = parser.parse_args()
    files = sorted(arguments.images.glob("*/*.jpg"))
    labels = tuple(sorted({file.parent.name for file in files}))
    if labels != tuple(sorted(DRAWN_LABELS)):
        raise SystemExit(f"There are no photographs of {' and '.join(DRAWN_LABELS)} in {arguments.images}.")
    data = [file.read_bytes() for file in files]
    photographs = np.stack([prepare(decode(one)) for one in data])
    names, folds = [file.parent.name for file in files], [fold_of(sha256(one).hexdigest()) for one in data]
    extractor = FeatureExtractor(train_backbone("patches", photographs, SEED, {}).onnx)
    known = extractor.features(photographs)
    head = fit_calibrated_head(TrainingFeatures(known), names, labels, folds).head
    viewed = list(range(0, len(files), 4))
    views = extractor.features(np.stack([_cropped(photographs[row]) for row in viewed]))
    geometry = fit_geometry(known, None, known, viewed, views)
    assert geometry is not None, "so few photographs have no space"
    most = max(arguments.corrections)
    truths = np.arange(most + OTHERS) % len(DRAWN_LABELS)
    features = extractor.features(
        np.stack([prepare(decode(draw(DRAWN_LABELS[truth], number, SEED))) for number, truth in enumerate(truths)])
    )
    targets = np.array([labels.index(DRAWN_LABELS[truth]) for truth in truths], dtype=np.intp)
    base = head.logits(features)
    others = slice(most, None)
    print(f"no correction: {_right(base[others], targets[others]):.1%} of {OTHERS} others right")
    for count in arguments.corrections:
        entries = [(UUID(int=number), 1) for number in range(count)]
        started = time.perf_counter()
        layer = fit_layer(
            features[:count],
            base[:count],
            targets[:count],
            entries,
            space=geometry.space,
            kappa=geometry.kappa,
            end=geometry.end,
        )
        seconds = time.perf_counter() - started
        answers = base + layer_logits(layer, features)
        held = int((answers[:count].argmax(axis=1) == targets[:count]).sum())
        print(
            f"{count} corrections: {held} held; {_right(answers[others], targets[others]):.1%} of the others right;"
            f" {len(layer.entries)} rows, {seconds:.2f} s"
        )


def _cropped(pixels: Pixels) -> Pixels:
    side = len(pixels)
    edge = side // 20
    return prepare(pixels[edge : side - edge, edge : side - edge])


def _right(answers: Floats, targets: np.ndarray) -> float:
    return float((answers.argmax(axis=1) == targets).mean())


if __name__ == "__main__":
    main()

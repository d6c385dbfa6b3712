"""What the gate does with corrections, at several confidences of its bound.

Usage: python -m bench.corrections_through_the_gate --images FOLDER      (FOLDER holds <label>/*.jpg)

A simulation without servers, over several splits: the full lane's jobs train a model on 3/8 of the images, and 1/5 are
its test images; of the next 7/40 one image after the other is corrected, and each correction is fitted and judged; the
rest is held out, and measures the model. It runs once with every wrong answer corrected to its label ("right"), once
with every answer corrected to a false label ("wrong"). Prints means per split, and the share that is set aside.
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from bench.training import link_images, train
from services.trainer.dataset.manifest import Sample, manifest_of
from services.trainer.features.parquet import read_features
from services.trainer.gate.decisions.verdict import GateInputs, GateSettings, judge
from services.trainer.model.arrays import Indices
from services.trainer.model.correction_layer import CorrectionLayer, empty_layer, fit_layer, layer_logits
from services.trainer.model.head import Head
from services.trainer.model.onnx_artefact import Artefact

CONFIDENCES = (0.8, GateSettings().confidence, 0.9, 0.95)


@dataclass(frozen=True)
class Split:
    """A trained model, the features [n, d] and classes [n] of all images, and which of them are for what."""

    head: Head
    features: NDArray[np.float32]
    truths: Indices
    test: Indices
    pool: Indices
    held_out: Indices

    def answers(self, layer: CorrectionLayer, chosen: Indices) -> Indices:
        """Return what head and layer answer on these images."""
        features = self.features[chosen]
        answers: Indices = (self.head.logits(features) + layer_logits(layer, features)).argmax(axis=1)
        return answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="folder of <label>/*.jpg")
    parser.add_argument("--splits", type=int, default=16)
    arguments = parser.parse_args()
    files = sorted(arguments.images.glob("*/*.jpg"))
    if not files:
        parser.error(f"There are no <label>/*.jpg in {arguments.images}.")
    digests = [sha256(file.read_bytes()).hexdigest() for file in files]
    labels = tuple(sorted({file.parent.name for file in files}))
    truths = np.array([labels.index(file.parent.name) for file in files], dtype=np.intp)
    with tempfile.TemporaryDirectory() as temporary:
        folder = link_images(files, Path(temporary))
        splits = [_split(folder, digests, truths, labels, seed) for seed in range(arguments.splits)]
    tested = int(np.mean([len(split.test) for split in splits]))
    for kind in ("right", "wrong"):
        for confidence in CONFIDENCES:
            runs = [_correct(split, labels, kind == "wrong", GateSettings(confidence=confidence)) for split in splits]
            promoted, aside, before, after = np.mean(runs, axis=0)
            print(
                f"{kind}, {tested} test images, confidence {confidence:.0%}: {promoted:.2f} promoted, {aside:.2f} set "
                f"aside ({aside / (promoted + aside):.1%}); held-out accuracy {before:.3f} -> {after:.3f}"
            )


def _split(folder: Path, digests: list[str], truths: Indices, labels: tuple[str, ...], seed: int) -> Split:
    """Train on one random split; all images but the training ones are on the manifest's test side."""
    shuffled = np.random.default_rng(seed).permutation(len(truths))
    training, test, pool, held_out = np.split(shuffled, (len(truths) * np.array([0.375, 0.575, 0.75])).astype(int))
    chosen = set(training.tolist())
    manifest = manifest_of(
        Sample(UUID(int=image), digest, labels[truths[image]], 0, "train" if image in chosen else "test")
        for image, digest in enumerate(digests)
    )
    _, fitted = train(manifest, folder, labels)
    vectors = read_features(fitted.features_parquet)
    features = np.stack([vectors[digest] for digest in digests])  # [n, d]
    return Split(Artefact.parse(fitted.artefact).head, features, truths, test, pool, held_out)


def _correct(
    split: Split, labels: tuple[str, ...], wrongly: bool, settings: GateSettings
) -> tuple[int, int, float, float]:
    """Return how many corrections are promoted and set aside, and the held-out accuracy before and after."""
    none = empty_layer(split.features.shape[1], len(labels))
    held: list[int] = []
    layer, said, aside = none, split.truths.copy(), 0
    anchor = champion = split.answers(none, split.test)
    for image in split.pool:
        answered = int(split.answers(layer, np.array([image]))[0])
        if wrongly:
            said[image] = (answered + 1) % len(labels)
        elif answered == split.truths[image]:
            continue
        candidate = _fitted(split, [*held, int(image)], said)
        answers = split.answers(candidate, split.test)
        inputs = _gate_inputs(split, candidate, [*held, int(image)], said, labels)
        if judge(answers, champion, anchor, inputs, settings).promote:
            layer, champion = candidate, answers
            held.append(int(image))
        else:
            aside += 1
    return len(held), aside, _accuracy(split, none), _accuracy(split, layer)


def _fitted(split: Split, corrected: Sequence[int], said: Indices) -> CorrectionLayer:
    features, entries = split.features[corrected], [(UUID(int=image), 1) for image in corrected]
    return fit_layer(features, split.head.logits(features), said[corrected], entries)


def _gate_inputs(
    split: Split, layer: CorrectionLayer, corrected: Sequence[int], said: Indices, labels: tuple[str, ...]
) -> GateInputs:
    chosen = np.array(corrected, dtype=np.intp)
    broken = tuple(UUID(int=int(image)) for image in chosen[split.answers(layer, chosen) != said[chosen]])
    return GateInputs(labels, split.truths[split.test], len(chosen), broken, 1, 0, 0, 1.0, 0.0, 0)


def _accuracy(split: Split, layer: CorrectionLayer) -> float:
    return float((split.answers(layer, split.held_out) == split.truths[split.held_out]).mean())


if __name__ == "__main__":
    main()

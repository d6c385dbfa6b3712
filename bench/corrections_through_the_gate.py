"""What the gate does with people's corrections, at several confidences of its bound.

Usage: python -m bench.corrections_through_the_gate --images FOLDER      (FOLDER holds <label>/*.jpg)

A simulation without servers, over several splits: a model is trained on 3/8 of the images and judged on 1/5; out of
the next 7/40 one image after the other is corrected, each correction fitted and judged; the rest, which nobody sees,
says what the model is worth. Once every wrong answer is corrected to its label ("right"), once every answer to a false
one ("wrong"). Prints means per split, and the share that is set aside.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.trainer.gate.decisions.verdict import GateInputs, GateSettings, judge
from services.trainer.model.arrays import Indices
from services.trainer.model.correction_layer import CorrectionLayer, empty_layer, fit_layer, layer_logits
from services.trainer.model.head import Head
from services.trainer.training.recipe import learn
from shared.imaging.preprocessing import decode, prepare

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
        """What head and layer answer on these images."""
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
    pixels = np.stack([prepare(decode(file.read_bytes())) for file in files])
    labels = tuple(sorted({file.parent.name for file in files}))
    truths = np.array([labels.index(file.parent.name) for file in files], dtype=np.intp)
    splits = [_split(pixels, truths, labels, seed) for seed in range(arguments.splits)]
    tested = int(np.mean([len(split.test) for split in splits]))
    for kind in ("right", "wrong"):
        for confidence in CONFIDENCES:
            runs = [_correct(split, labels, kind == "wrong", GateSettings(confidence=confidence)) for split in splits]
            promoted, aside, before, after = np.mean(runs, axis=0)
            print(
                f"{kind}, {tested} test images, confidence {confidence:.0%}: {promoted:.2f} promoted, {aside:.2f} set "
                f"aside ({aside / (promoted + aside):.1%}); held-out accuracy {before:.3f} -> {after:.3f}"
            )


def _split(pixels: NDArray[np.uint8], truths: Indices, labels: tuple[str, ...], seed: int) -> Split:
    shuffled = np.random.default_rng(seed).permutation(len(truths))
    train, test, pool, held_out = np.split(shuffled, (len(truths) * np.array([0.375, 0.575, 0.75])).astype(int))
    learned = learn(pixels[train], [labels[truth] for truth in truths[train]], labels, seed)
    return Split(learned.fitted.head, learned.extractor.features(pixels), truths, test, pool, held_out)


def _correct(
    split: Split, labels: tuple[str, ...], wrongly: bool, settings: GateSettings
) -> tuple[int, int, float, float]:
    """Promotions, corrections set aside, and the held-out accuracy before and after."""
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
        circumstances = _circumstances(split, candidate, [*held, int(image)], said, labels)
        if judge(answers, champion, anchor, circumstances, settings).promote:
            layer, champion = candidate, answers
            held.append(int(image))
        else:
            aside += 1
    return len(held), aside, _accuracy(split, none), _accuracy(split, layer)


def _fitted(split: Split, corrected: Sequence[int], said: Indices) -> CorrectionLayer:
    features, entries = split.features[corrected], [(UUID(int=image), 1) for image in corrected]
    return fit_layer(features, split.head.logits(features), said[corrected], entries)


def _circumstances(
    split: Split, layer: CorrectionLayer, corrected: Sequence[int], said: Indices, labels: tuple[str, ...]
) -> GateInputs:
    chosen = np.array(corrected, dtype=np.intp)
    broken = tuple(UUID(int=int(image)) for image in chosen[split.answers(layer, chosen) != said[chosen]])
    return GateInputs(labels, split.truths[split.test], len(chosen), broken, 1, 0, 0, 1.0, 0.0, 0)


def _accuracy(split: Split, layer: CorrectionLayer) -> float:
    return float((split.answers(layer, split.held_out) == split.truths[split.held_out]).mean())


if __name__ == "__main__":
    main()

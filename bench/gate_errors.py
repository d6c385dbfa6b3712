"""How often the gate is wrong, by simulation on a folder of images, without servers.

Usage: python -m bench.gate_errors --images FOLDER      (FOLDER holds <label>/*.jpg)

A few backbones are learned on each of a few splits, as the full lane learns them; heads are fitted to their features.
Every case then asks the rules of the gate about a candidate of the full lane:

- equal data, another seed: with no reason, and with one new image as the reason
- answers of a good model of which so many are made wrong that it is 10 points worse in truth
- labels shuffled; one label forgotten
- the images prepared otherwise than they were learned (colours swapped, nearest pixel, centre cut out, divided by 255),
  where that costs answers
- a model of few images, trained again with ten corrections of wrong answers: this one should pass

Prints how many of how many were promoted, and what is allowed; ends with 1 if that is exceeded.
"""

import argparse
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from services.trainer.full_lane.settings import FullLaneSettings
from services.trainer.gate.decisions.sequential import tail
from services.trainer.gate.decisions.verdict import GateInputs, GateSettings, judge
from services.trainer.model.arrays import Floats, Images, Indices
from services.trainer.model.head import Head
from services.trainer.model.sessions import FeatureExtractor, mirror
from services.trainer.training import train_backbone
from services.trainer.training.logistic_regression import fit_head
from shared.imaging.decoding import decode
from shared.imaging.preprocessing import INPUT_SIZE, prepare
from shared.imaging.structure import Pixels

NEW_IMAGES = 20
"""Of the last full training's images, where the case is not about the reason: the reason holds."""
CORRECTIONS = 10
CHANCE = 0.01
"""A share above the limit counts as one if luck alone does that with a smaller probability."""
USEFUL = f"{CORRECTIONS} useful corrections"


@dataclass(frozen=True)
class Photos:
    """Images prepared in each way, uint8 [n, 96, 96, 3]; the class of each [n]; the names of the classes."""

    prepared: Mapping[str, Images]
    truths: Indices
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Trained:
    """A backbone of one split and seed: the features of all images and of their mirrors [n, d], and the sides."""

    extractor: FeatureExtractor
    features: Floats
    mirrored: Floats
    train: Indices
    test: Indices
    head: Head
    """Fitted to the training side as it is labelled."""

    def answers(self, head: Head | None = None, features: Floats | None = None) -> Indices:
        """Return what this head, or the one of the training side, answers on the test images."""
        vectors = (self.features if features is None else features)[self.test]
        answers: Indices = (head or self.head).logits(vectors).argmax(axis=1)
        return answers


@dataclass
class Count:
    """Of so many candidates so many were promoted; of the test images each had so many more right than the champion."""

    promoted: int = 0
    asked: int = 0
    differences: list[float] = field(default_factory=list)

    def add(self, promoted: bool, difference: float) -> None:
        self.promoted += promoted
        self.asked += 1
        self.differences.append(difference)

    def exceeds(self, most: float) -> bool:
        """Whether more than this share were promoted, and not by chance alone."""
        return self.promoted > most * self.asked and tail(self.promoted, self.asked, most) < CHANCE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="folder of <label>/*.jpg")
    parser.add_argument("--splits", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=4, help="backbones on each split")
    arguments = parser.parse_args()
    photos = _read(arguments.images)
    splits = [_split(photos, split, arguments.seeds) for split in range(arguments.splits)]
    stale = {f"prepared otherwise, {name}": partial(_stale, name=name) for name in PREPARED if name != AS_LEARNED}
    cases: dict[str, tuple[Callable[..., Count], float]] = {
        "equal data, other seed": (partial(_other_seed, new_images=0), 0.0),
        "the same, one new image": (partial(_other_seed, new_images=1), 0.0),
        "10 points worse": (_planted, 0.01),
        "shuffled labels": (_shuffled, 0.0),
        "a label forgotten": (_forgotten, 0.0),
        **{name: (case, 0.0) for name, case in stale.items()},
        USEFUL: (_corrected, 0.8),
    }
    failed = False
    for name, (case, limit) in cases.items():
        count = case(photos, splits)
        wrong = count.promoted < limit * count.asked if name == USEFUL else count.exceeds(limit)
        failed |= wrong
        allowed = f"{'at least' if name == USEFUL else 'at most'} {limit:.0%}"
        points = 100 * float(np.mean(count.differences))
        print(
            f"{name}: {count.promoted} of {count.asked} promoted ({allowed}), accuracy {points:+.1f} points on average"
            f"{': WRONG' * wrong}",
            flush=True,
        )
    raise SystemExit(failed)


def _read(folder: Path) -> Photos:
    files = sorted(folder.glob("*/*.jpg"))
    if not files:
        raise SystemExit(f"There are no <label>/*.jpg in {folder}.")
    labels = tuple(sorted({file.parent.name for file in files}))
    prepared: dict[str, list[Pixels]] = {name: [] for name in PREPARED}
    for file in files:
        pixels = decode(file.read_bytes())
        for name, prepare_one in PREPARED.items():
            prepared[name].append(prepare_one(pixels))
    truths = np.array([labels.index(file.parent.name) for file in files], dtype=np.intp)
    return Photos({name: np.stack(images) for name, images in prepared.items()}, truths, labels)


def _split(photos: Photos, split: int, seeds: int) -> list[Trained]:
    """Learn backbones on a random four fifths."""
    settings, images = FullLaneSettings(), photos.prepared[AS_LEARNED]
    shuffled = np.random.default_rng(split).permutation(len(images))
    train, test = np.split(shuffled, [len(images) * 4 // 5])
    trained = []
    for seed in range(seeds):
        learned = train_backbone(settings.backbone, images[train], seed, settings.backbone_settings, probe=images[:1])
        extractor = FeatureExtractor(learned.onnx)
        features, mirrored = extractor.features(images), extractor.features(mirror(images))
        head = _fit(features, mirrored, train, photos.truths, photos.labels)
        trained.append(Trained(extractor, features, mirrored, train, test, head))
    return trained


def _fit(features: Floats, mirrored: Floats, chosen: Indices, said: Indices, labels: tuple[str, ...]) -> Head:
    """Fit a head to these images, and their mirrors, as they are labelled in `said` [n]."""
    names = [labels[each] for each in said[chosen]]
    return fit_head(np.concatenate((features[chosen], mirrored[chosen])), names * 2, labels).head


def _ask(
    count: Count,
    photos: Photos,
    one: Trained,
    challenger: Indices,
    champion: Indices,
    new_images: int = 0,
    newly_held: int = 0,
) -> None:
    """Ask the rules about the answers of a challenger on the test images of `one`, and count what they say."""
    truths = photos.truths[one.test]
    inputs = GateInputs(
        labels=photos.labels,
        truths=truths,
        corrections=0,
        broken=(),
        newly_held=newly_held,
        new_images=new_images,
        absorbed=0,
        milliseconds=1.0,
        difference=0.0,
        disagreements=0,
        full=True,
    )
    difference = float((challenger == truths).mean() - (champion == truths).mean())
    count.add(judge(challenger, champion, None, inputs, GateSettings()).promote, difference)


def _other_seed(photos: Photos, splits: list[list[Trained]], new_images: int) -> Count:
    count = Count()
    for split in splits:
        for challenger, champion in itertools.permutations(split, 2):
            _ask(count, photos, champion, challenger.answers(), champion.answers(), new_images=new_images)
    return count


def _planted(photos: Photos, splits: list[list[Trained]], runs: int = 2000, worse: float = 0.1) -> Count:
    """Ask about models whose accuracy is `worse` lower in truth: test images are drawn anew, each right answer is made
    wrong with such a probability."""
    count, models = Count(), list(itertools.chain.from_iterable(splits))
    for run in range(runs):
        generator, one = np.random.default_rng(run), models[run % len(models)]
        answers, truths = one.answers(), photos.truths[one.test]
        drawn = generator.integers(0, len(truths), len(truths))
        right = answers == truths
        spoiled = right[drawn] & (generator.random(len(drawn)) < worse / right.mean())
        challenger = np.where(spoiled, (truths[drawn] + 1) % len(photos.labels), answers[drawn])
        again = replace(one, test=one.test[drawn])
        _ask(count, photos, again, challenger, answers[drawn], new_images=NEW_IMAGES)
    return count


def _shuffled(photos: Photos, splits: list[list[Trained]]) -> Count:
    count = Count()
    for number, one in enumerate(itertools.chain.from_iterable(splits)):
        said = np.random.default_rng(number).permutation(photos.truths)
        head = _fit(one.features, one.mirrored, one.train, said, photos.labels)
        _ask(count, photos, one, one.answers(head), one.answers(), new_images=NEW_IMAGES)
    return count


def _forgotten(photos: Photos, splits: list[list[Trained]]) -> Count:
    """Ask about models that answer one label for everything."""
    count = Count()
    for one in itertools.chain.from_iterable(splits):
        for label in range(len(photos.labels)):
            challenger = np.full_like(one.answers(), label)
            _ask(count, photos, one, challenger, one.answers(), new_images=NEW_IMAGES)
    return count


def _stale(photos: Photos, splits: list[list[Trained]], name: str) -> Count:
    """Ask about models whose images are prepared in this way; where that costs no answer, nothing is asked."""
    count, images = Count(), photos.prepared[name]
    for split in splits:
        one = split[0]
        features = one.features.copy()
        features[one.test] = one.extractor.features(images[one.test])
        challenger = one.answers(features=features)
        truths = photos.truths[one.test]
        if (challenger == truths).sum() >= (one.answers() == truths).sum():
            continue
        _ask(count, photos, one, challenger, one.answers(), new_images=NEW_IMAGES)
    return count


def _corrected(photos: Photos, splits: list[list[Trained]], draws: int = 4) -> Count:
    """Ask about models of 80 images that learned ten of their wrong answers from the rest as well."""
    count = Count()
    for number, one in enumerate(itertools.chain.from_iterable(splits)):
        for draw in range(draws):
            shuffled = np.random.default_rng([number, draw]).permutation(one.train)
            few, rest = shuffled[:80], shuffled[80:]
            before = _fit(one.features, one.mirrored, few, photos.truths, photos.labels)
            wrong = rest[before.logits(one.features[rest]).argmax(axis=1) != photos.truths[rest]][:CORRECTIONS]
            if len(wrong) < CORRECTIONS:
                continue
            after = _fit(one.features, one.mirrored, np.concatenate((few, wrong)), photos.truths, photos.labels)
            _ask(count, photos, one, one.answers(after), one.answers(before), newly_held=len(wrong))
    return count


def _scaled(interpolation: int) -> Callable[[Pixels], Pixels]:
    def resize(pixels: Pixels) -> Pixels:
        return np.asarray(cv2.resize(pixels, (INPUT_SIZE, INPUT_SIZE), interpolation=interpolation), dtype=np.uint8)

    return resize


def _centre(pixels: Pixels) -> Pixels:
    """Cut the middle square out, half as wide as the shorter side."""
    height, width, _ = pixels.shape
    half = max(1, min(height, width) // 4)
    rows, columns = (slice(side // 2 - half, side // 2 + half) for side in (height, width))
    return prepare(np.ascontiguousarray(pixels[rows, columns]))


AS_LEARNED = "as learned"
PREPARED: dict[str, Callable[[Pixels], Pixels]] = {
    AS_LEARNED: prepare,
    "colours swapped": lambda pixels: prepare(pixels)[:, :, ::-1],
    "nearest pixel": _scaled(cv2.INTER_NEAREST),
    "centre cut out": _centre,
    "divided by 255": lambda pixels: prepare(pixels) // 255,
}


if __name__ == "__main__":
    main()

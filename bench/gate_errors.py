"""How often the gate is wrong, by simulation on a folder of images, without servers.

Usage: python -m bench.gate_errors --images FOLDER      (FOLDER holds <label>/*.jpg)

A few backbones are learned on each of a few splits, as the full lane learns them; heads are fitted to their features.
Every case then asks the rules of the gate about a candidate of the full lane:

- equal data, another seed: with no reason, and with one new image as the reason
- answers of a good model of which so many are made wrong that it is 10 points worse in truth
- labels shuffled; one label forgotten
- the images prepared otherwise than they were learned: colours swapped, nearest pixel, centre cut out, divided by 255
- a model of few images, trained again with ten corrections of wrong answers: this one should pass

Prints how many of how many were promoted, and what is allowed; ends with 1 if that is exceeded.
"""

import argparse
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from services.trainer.full_lane.settings import FullLaneSettings
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


@dataclass(frozen=True)
class Photos:
    """Decoded images, the class of each [n], and the names of the classes."""

    pixels: tuple[Pixels, ...]
    truths: Indices
    labels: tuple[str, ...]

    def prepared(self, prepare_one: Callable[[Pixels], Pixels] = prepare) -> Images:
        """Return uint8 [n, 96, 96, 3]."""
        return np.stack([prepare_one(one) for one in self.pixels])


@dataclass(frozen=True)
class Trained:
    """A backbone of one split and seed: the features of all images and of their mirrors [n, d], and the sides."""

    extractor: FeatureExtractor
    features: Floats
    mirrored: Floats
    train: Indices
    test: Indices

    def fit(self, chosen: Indices, said: Indices, labels: tuple[str, ...]) -> Head:
        """Fit a head to these images as they are labelled in `said` [n]."""
        names = [labels[each] for each in said[chosen]]
        return fit_head(np.concatenate((self.features[chosen], self.mirrored[chosen])), names * 2, labels).head

    def answers(self, head: Head, features: Floats | None = None) -> Indices:
        """Return what the head answers on the test images."""
        vectors = (self.features if features is None else features)[self.test]
        answers: Indices = head.logits(vectors).argmax(axis=1)
        return answers


@dataclass
class Count:
    """Of so many candidates so many were promoted."""

    promoted: int = 0
    asked: int = 0

    def add(self, promoted: bool) -> None:
        self.promoted += promoted
        self.asked += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="folder of <label>/*.jpg")
    parser.add_argument("--splits", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=4, help="backbones on each split")
    arguments = parser.parse_args()
    photos = _read(arguments.images)
    splits = [_split(photos, split, arguments.seeds) for split in range(arguments.splits)]
    allowed = {
        "equal data, other seed": (_other_seed(photos, splits, new_images=0), 0.0, None),
        "the same, one new image": (_other_seed(photos, splits, new_images=1), 0.0, None),
        "10 points worse": (_planted(photos, splits), 0.01, None),
        "shuffled labels": (_shuffled(photos, splits), 0.0, None),
        "a label forgotten": (_forgotten(photos, splits), 0.0, None),
        **{f"prepared otherwise: {name}": (_stale(photos, splits, other), 0.0, None) for name, other in STALE.items()},
        f"{CORRECTIONS} useful corrections": (_corrected(photos, splits), None, 0.8),
    }
    failed = False
    for name, (count, most, least) in allowed.items():
        share = count.promoted / count.asked
        wrong = (most is not None and share > most) or (least is not None and share < least)
        failed |= wrong
        limit = f"at most {most:.0%}" if most is not None else f"at least {least:.0%}"
        print(f"{name}: {count.promoted} of {count.asked} promoted ({limit}){' WRONG' if wrong else ''}")
    raise SystemExit(failed)


def _read(folder: Path) -> Photos:
    files = sorted(folder.glob("*/*.jpg"))
    if not files:
        raise SystemExit(f"There are no <label>/*.jpg in {folder}.")
    labels = tuple(sorted({file.parent.name for file in files}))
    pixels = tuple(decode(file.read_bytes()) for file in files)
    return Photos(pixels, np.array([labels.index(file.parent.name) for file in files], dtype=np.intp), labels)


def _split(photos: Photos, split: int, seeds: int) -> list[Trained]:
    """Learn backbones on a random four fifths."""
    settings, images = FullLaneSettings(), photos.prepared()
    shuffled = np.random.default_rng(split).permutation(len(images))
    train, test = np.split(shuffled, [len(images) * 4 // 5])
    trained = []
    for seed in range(seeds):
        learned = train_backbone(settings.backbone, images[train], seed, settings.backbone_settings, probe=images[:1])
        extractor = FeatureExtractor(learned.onnx)
        trained.append(Trained(extractor, extractor.features(images), extractor.features(mirror(images)), train, test))
    return trained


def _promoted(
    photos: Photos, one: Trained, challenger: Indices, champion: Indices, new_images: int = 0, newly_held: int = 0
) -> bool:
    inputs = GateInputs(
        labels=photos.labels,
        truths=photos.truths[one.test],
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
    return judge(challenger, champion, None, inputs, GateSettings()).promote


def _other_seed(photos: Photos, splits: list[list[Trained]], new_images: int) -> Count:
    count = Count()
    for split in splits:
        heads = [one.answers(one.fit(one.train, photos.truths, photos.labels)) for one in split]
        for first, second in itertools.permutations(range(len(split)), 2):
            count.add(_promoted(photos, split[0], heads[first], heads[second], new_images=new_images))
    return count


def _each(photos: Photos, splits: list[list[Trained]]) -> Iterator[tuple[int, Trained, Head, Indices]]:
    """Yield a number, a model, its head and its answers, for each backbone."""
    for number, one in enumerate(itertools.chain.from_iterable(splits)):
        head = one.fit(one.train, photos.truths, photos.labels)
        yield number, one, head, one.answers(head)


def _planted(photos: Photos, splits: list[list[Trained]], runs: int = 160, worse: float = 0.1) -> Count:
    """Ask about models whose accuracy is `worse` lower in truth: test images are drawn anew, each right answer is made
    wrong with such a probability."""
    count, models = Count(), list(_each(photos, splits))
    for run in range(runs):
        generator = np.random.default_rng(run)
        _, one, _, answers = models[run % len(models)]
        truths = photos.truths[one.test]
        drawn = generator.integers(0, len(truths), len(truths))
        right = (answers == truths)[drawn]
        spoiled = right & (generator.random(len(drawn)) < worse / (answers == truths).mean())
        challenger = np.where(spoiled, (truths[drawn] + 1) % len(photos.labels), answers[drawn])
        again = Trained(one.extractor, one.features, one.mirrored, one.train, one.test[drawn])
        count.add(_promoted(photos, again, challenger, answers[drawn], new_images=NEW_IMAGES))
    return count


def _shuffled(photos: Photos, splits: list[list[Trained]]) -> Count:
    count = Count()
    for number, one, _, champion in _each(photos, splits):
        said = np.random.default_rng(number).permutation(photos.truths)
        challenger = one.answers(one.fit(one.train, said, photos.labels))
        count.add(_promoted(photos, one, challenger, champion, new_images=NEW_IMAGES))
    return count


def _forgotten(photos: Photos, splits: list[list[Trained]]) -> Count:
    """Ask about models that answer one label for everything."""
    count = Count()
    for _, one, _, champion in _each(photos, splits):
        for label in range(len(photos.labels)):
            count.add(_promoted(photos, one, np.full_like(champion, label), champion, new_images=NEW_IMAGES))
    return count


def _stale(photos: Photos, splits: list[list[Trained]], other: Callable[[Pixels], Pixels]) -> Count:
    count, images = Count(), photos.prepared(other)
    for split in splits:
        one = split[0]
        head = one.fit(one.train, photos.truths, photos.labels)
        features = np.zeros_like(one.features)
        features[one.test] = one.extractor.features(images[one.test])
        challenger = one.answers(head, features)
        count.add(_promoted(photos, one, challenger, one.answers(head), new_images=NEW_IMAGES))
    return count


def _corrected(photos: Photos, splits: list[list[Trained]], draws: int = 4) -> Count:
    """Ask about models of 80 images that learned ten of their wrong answers from the rest as well."""
    count = Count()
    for number, one, _, _ in _each(photos, splits):
        for draw in range(draws):
            shuffled = np.random.default_rng([number, draw]).permutation(one.train)
            few, rest = shuffled[:80], shuffled[80:]
            before = one.fit(few, photos.truths, photos.labels)
            wrong = rest[before.logits(one.features[rest]).argmax(axis=1) != photos.truths[rest]][:CORRECTIONS]
            if len(wrong) < CORRECTIONS:
                continue
            after = one.fit(np.concatenate((few, wrong)), photos.truths, photos.labels)
            count.add(_promoted(photos, one, one.answers(after), one.answers(before), newly_held=len(wrong)))
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


STALE: dict[str, Callable[[Pixels], Pixels]] = {
    "colours swapped": lambda pixels: prepare(pixels)[:, :, ::-1],
    "nearest pixel": _scaled(cv2.INTER_NEAREST),
    "centre cut out": _centre,
    "divided by 255": lambda pixels: prepare(pixels) // 255,
}


if __name__ == "__main__":
    main()

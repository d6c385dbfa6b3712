"""Drift: false alarms on streams without drift, and images until the alarm on streams with one.

Usage: python -m bench.drift --images FOLDER      (FOLDER holds <label>/*.jpg)

For each split, a model learns another 60 % of the images in the full lane's way; its artefact says what is normal. The
streams are drawn from the other 40 %, answered by the predictor's model, and counted by the monitor's own rule. In a
stream with a drift the first images are as they were; then all are blurred, or darkened to 40 %, or one in five is of a
class that was never learned (crops of a portrait), or all are of one class.
"""

import argparse
import io
import tempfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from math import inf
from pathlib import Path
from statistics import median

import numpy as np
from matplotlib import cbook
from PIL import Image, ImageEnhance, ImageFilter

from bench.training import link_images, train
from services.predictor.decisions.answers import Answer
from services.predictor.model.onnx_model import Model
from services.predictor.model.scoring import score
from services.predictor.monitor.decisions.pictures import (
    LATEST,
    NOTHING_WATCHED,
    Reference,
    count_answer,
    start_watch,
)
from services.predictor.monitor.decisions.rows import AnswerRow
from services.trainer.dataset.manifest import Sample, manifest_of
from shared.contract.events import uuid_of
from shared.contract.split import side
from shared.drift.reference import RUN_IMAGES

LEARNED_SHARE = 0.6
NEW_CLASS_SHARE = 0.2
CROPS, CROP_PIXELS = 100, 160
LONGEST_DELAY = 200
WITHOUT = "without drift"
Edit = Callable[[Image.Image], Image.Image]
Draw = Callable[[], Answer]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=Path, required=True, help="folder of <label>/*.jpg")
    parser.add_argument(
        "--splits", type=int, default=5, help="how often the images are divided, and a model is trained"
    )
    parser.add_argument("--streams", type=int, default=10, help="of each kind, for each split")
    parser.add_argument("--length", type=int, default=1000, help="images in a stream")
    parser.add_argument("--before", type=int, default=200, help="images before the drift")
    arguments = parser.parse_args()
    files = sorted(arguments.images.glob("*/*.jpg"))
    if not files:
        parser.error(f"There are no <label>/*.jpg in {arguments.images}.")
    delays: dict[str, list[float]] = {}
    for split in range(arguments.splits):
        for name, found in _measure(files, split, arguments).items():
            delays.setdefault(name, []).extend(found)
    stated = 1 - np.exp(-arguments.length / RUN_IMAGES)
    usual = delays.pop(WITHOUT)
    share = np.mean(np.isfinite(usual))
    print(f"without drift: {share:.2f} of {len(usual)} streams of {arguments.length} images alarm; stated {stated:.2f}")
    failed = share > stated
    for name, found in delays.items():
        late, early = [delay for delay in found if delay > 0], sum(delay <= 0 for delay in found)
        missed = sum(map(np.isinf, late))
        print(
            f"{name}: median {median(late or [inf]):.0f} images to the alarm;"
            f" of {len(found)} streams {missed} without an alarm, {early} with one before the drift"
        )
        failed |= median(late or [inf]) > LONGEST_DELAY
    raise SystemExit(1 if failed else 0)


def _measure(files: Sequence[Path], split: int, arguments: argparse.Namespace) -> dict[str, list[float]]:
    """Return the images to the alarm of each stream by kind, from the drift on, infinite without an alarm."""
    random = np.random.default_rng(split)
    order = [files[index] for index in random.permutation(len(files))]
    cut = int(len(files) * LEARNED_SHARE)
    model = _learn(order[:cut])
    drift = model.metadata.drift
    if drift is None:
        raise SystemExit(f"{cut} images are too few for a reference.")
    threshold = drift.features.threshold
    print(f"split {split}: {drift.images} learned, {len(files) - cut} drawn from; threshold {threshold:.1f}")
    reference, pools = Reference(drift, model.metadata.labels), _pools(model, order[cut:])
    usual = partial(_pick, pools["as they were"], random)
    streams: dict[str, tuple[list[Draw], int]] = {WITHOUT: ([usual] * arguments.length, 0)}
    for name, draw in _drifts(pools, usual, random, model.metadata.labels).items():
        streams[name] = ([usual] * arguments.before + [draw] * arguments.length, arguments.before)
    return {
        name: [_images_to_alarm(reference, stream, before) for _ in range(arguments.streams)]
        for name, (stream, before) in streams.items()
    }


def _learn(files: Sequence[Path]) -> Model:
    labels = tuple(sorted({file.parent.name for file in files}))
    with tempfile.TemporaryDirectory() as temporary:
        folder = link_images(files, Path(temporary))
        _, fitted = train(manifest_of(map(_sample, files)), folder, labels)
    return Model(fitted.artefact)


def _sample(file: Path) -> Sample:
    digest = sha256(file.read_bytes()).hexdigest()
    return Sample(uuid_of(file.parent.name, file.name), digest, file.parent.name, 0, side(digest))


def _pools(model: Model, files: Sequence[Path]) -> Mapping[str, list[Answer]]:
    """Return the answers to draw from: as the photographs are, edited, of each label, and of a class of its own."""
    edits: Mapping[str, Edit] = {
        "as they were": lambda image: image,
        "blur": lambda image: image.filter(ImageFilter.GaussianBlur(max(image.size) / 100)),
        "dark x 0.4": lambda image: ImageEnhance.Brightness(image).enhance(0.4),
    }
    pools = {name: [_answer(model, edit(_open(file))) for file in files] for name, edit in edits.items()}
    for label in model.metadata.labels:
        pools[label] = [_answer(model, _open(file)) for file in files if file.parent.name == label]
    portrait, random = (
        _open(Path(str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)))),
        np.random.default_rng(1),
    )
    corners = random.integers(0, np.array(portrait.size) - CROP_PIXELS, (CROPS, 2))
    crops = [portrait.crop((int(x), int(y), int(x) + CROP_PIXELS, int(y) + CROP_PIXELS)) for x, y in corners]
    return {**pools, "new class": [_answer(model, crop) for crop in crops]}


def _drifts(
    pools: Mapping[str, list[Answer]], usual: Draw, random: np.random.Generator, labels: Sequence[str]
) -> Mapping[str, Draw]:
    """Return how each drift draws its images."""

    def one_in_five() -> Answer:
        return _pick(pools["new class"], random) if random.random() < NEW_CLASS_SHARE else usual()

    return {
        "blur": partial(_pick, pools["blur"], random),
        "dark x 0.4": partial(_pick, pools["dark x 0.4"], random),
        "new class 20 %": one_in_five,
        **{f"only {label}": partial(_pick, pools[label], random) for label in labels},
    }


def _pick(answers: Sequence[Answer], random: np.random.Generator) -> Answer:
    return answers[int(random.integers(len(answers)))]


def _images_to_alarm(reference: Reference, stream: Sequence[Draw], before: int) -> float:
    """Return how many images after the first `before` the alarm comes, not above 0 if sooner; infinite without one."""
    watch, latest = start_watch(NOTHING_WATCHED, reference, 1), deque[int](maxlen=LATEST)
    for number, draw in enumerate(stream):
        answer = draw()
        while id(answer) in latest:  # no person sends the same picture again at once, and it would not count
            answer = draw()
        latest.append(id(answer))
        watch, begins = count_answer(watch, _row(answer, number, reference), reference)
        if begins:
            return number + 1 - before
    return float("inf")


def _row(answer: Answer, number: int, reference: Reference) -> AnswerRow:
    return {
        "partition": "0",
        "offset": number,
        "event_id": "",
        "at": float(number),
        "version": "v1",
        "reference": reference.id,
        "label": answer.label,
        "confidence": answer.probability,
        "sketch": list(answer.projection),
    }


def _open(file: Path) -> Image.Image:
    return Image.open(file).convert("RGB")


def _answer(model: Model, image: Image.Image) -> Answer:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return score(buffer.getvalue(), model).answer


if __name__ == "__main__":
    main()

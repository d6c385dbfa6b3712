"""What corrections do to photographs: to their own views, and to all others.

Usage: python -m bench.corrections --images FOLDER      (FOLDER holds <label>/*.jpg)

For each seed the full lane's jobs learn 40 % of the images; then a person labels 100 others, and the fast lane's
functions build the candidate. "right": each of the 100 gets its true label (most of them the model answers so already;
those it does not are the corrections that change an answer). "wrong": each gets another label. Views are made of the
decoded photograph, as people send it again: mirrored; nine tenths of width and height, from anywhere; three quarters of
the size; encoded again at quality 60; a fifth brighter. The images that stay untouched show what else changed.
"""

import argparse
import io
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from bench.training import link_images, train
from services.trainer.dataset.manifest import Sample, manifest_of
from services.trainer.dataset.records import Correction
from services.trainer.fast_lane.candidate import LoadedChampion, agrees, build_candidate, check_parity, load_champion
from services.trainer.model.arrays import Images, Indices
from services.trainer.model.onnx_artefact import Artefact
from services.trainer.model.sessions import mirror
from shared.imaging.preprocessing import prepare_image

LEARNED_SHARE, TEST_SHARE, CORRECTED = 0.4, 0.2, 100
Mask = NDArray[np.bool_]


def _crop(photograph: Image.Image, generator: np.random.Generator) -> Image.Image:
    width, height = photograph.size
    kept_width, kept_height = round(0.9 * width), round(0.9 * height)
    left, top = generator.integers(0, width - kept_width + 1), generator.integers(0, height - kept_height + 1)
    return photograph.crop((int(left), int(top), int(left) + kept_width, int(top) + kept_height))


def _resize(photograph: Image.Image, _: np.random.Generator) -> Image.Image:
    width, height = photograph.size
    return photograph.resize((round(0.75 * width), round(0.75 * height)), Image.Resampling.LANCZOS)


VIEWS: Mapping[str, tuple[Callable[[Image.Image, np.random.Generator], Image.Image], int]] = {
    "mirrored": (lambda photograph, _: photograph.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 95),
    "cropped": (_crop, 95),
    "resized": (_resize, 95),
    "re-encoded": (lambda photograph, _: photograph, 60),
    "brighter": (lambda photograph, _: ImageEnhance.Brightness(photograph).enhance(1.2), 95),
}
"""The edit of each view, and the quality of JPEG it is sent with."""


@dataclass(frozen=True)
class Photographs:
    """All images as a model sees them, [n, 96, 96, 3], also in views; their true classes [n]."""

    digests: Sequence[str]
    images: Images
    views: Mapping[str, Images]
    truths: Indices
    labels: tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="folder of <label>/*.jpg")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    files = sorted(arguments.images.glob("*/*.jpg"))
    if len(files) < 2 * CORRECTED:
        parser.error(f"There are {len(files)} <label>/*.jpg in {arguments.images}; {2 * CORRECTED} are needed.")
    photographs = _read(files)
    found: dict[str, list[dict[str, float]]] = {"right": [], "wrong": []}
    with tempfile.TemporaryDirectory() as temporary:
        folder = link_images(files, Path(temporary))
        for seed in range(arguments.seeds):
            champion, pool, untouched = _learn(photographs, folder, seed)
            for kind, rows in found.items():
                rows.append(_correct(champion, photographs, pool, untouched, kind == "wrong"))
    for kind, rows in found.items():
        print(f"{kind} labels for {CORRECTED} images, means of {arguments.seeds} seeds:")
        for name in rows[0]:
            values = [row[name] for row in rows]
            print(f"  {name}: {np.nanmean(values):.4g} (from {np.nanmin(values):.4g} to {np.nanmax(values):.4g})")


def _read(files: Sequence[Path]) -> Photographs:
    generator = np.random.default_rng(0)
    data = [file.read_bytes() for file in files]
    labels = tuple(sorted({file.parent.name for file in files}))
    opened = [Image.open(io.BytesIO(each)).convert("RGB") for each in data]
    views = {
        name: np.stack([_prepare(edit(photograph, generator), quality) for photograph in opened])
        for name, (edit, quality) in VIEWS.items()
    }
    return Photographs(
        digests=[sha256(each).hexdigest() for each in data],
        images=np.stack([prepare_image(each).pixels for each in data]),
        views=views,
        truths=np.array([labels.index(file.parent.name) for file in files], dtype=np.intp),
        labels=labels,
    )


def _prepare(photograph: Image.Image, quality: int) -> NDArray[np.uint8]:
    out = io.BytesIO()
    photograph.save(out, "JPEG", quality=quality)
    return prepare_image(out.getvalue()).pixels


def _learn(photographs: Photographs, folder: Path, seed: int) -> tuple[LoadedChampion, Indices, Indices]:
    """Return a model of some images, the 100 to correct, and those that stay untouched."""
    shuffled = np.random.default_rng(seed).permutation(len(photographs.truths))
    learned = int(LEARNED_SHARE * len(shuffled))
    manifest = manifest_of(
        Sample(
            UUID(int=int(image)),
            photographs.digests[image],
            photographs.labels[photographs.truths[image]],
            0,
            "test" if place < TEST_SHARE * learned else "train",
        )
        for place, image in enumerate(shuffled[:learned])
    )
    _, fitted = train(manifest, folder, photographs.labels)
    artefact = Artefact.parse(fitted.artefact)
    layer = {name: round(value, 3) for name, value in fitted.metrics.items() if name.startswith("layer_")}
    print(f"seed {seed}: {learned} images, accuracy {fitted.metrics['test_accuracy']:.3f}, {layer}")
    return load_champion(artefact, {}), shuffled[learned : learned + CORRECTED], shuffled[learned + CORRECTED :]


def _correct(
    champion: LoadedChampion, photographs: Photographs, pool: Indices, untouched: Indices, wrongly: bool
) -> dict[str, float]:
    """Return the figures of one seed, in percent unless they are counts."""
    classes = len(photographs.labels)
    said = (photographs.truths[pool] + int(wrongly)) % classes  # [100]
    before = _answers(champion.artefact, photographs.images)
    artefact = _build(champion, photographs, pool, said)
    after = _answers(artefact, photographs.images)
    changing: Mask = before[pool] != said
    figures = {"corrections that change an answer": float(changing.sum())}
    figures["answered as corrected"] = _share(after[pool] == said)
    for name, images in photographs.views.items():
        right = _answers(artefact, images[pool]) == said
        figures[f"{name}, answered as corrected"] = _share(right)
        figures[f"{name}, of the answers that changed"] = _share(right[changing])
    others, true = untouched, photographs.truths[untouched]
    figures["other answers changed per 10 such corrections"] = 10 * _share(after[others] != before[others]) / max(
        changing.sum(), 1
    )  # fmt: skip
    figures["accuracy on the others before"] = _share(before[others] == true)
    figures["points of accuracy gained"] = _share(after[others] == true) - _share(before[others] == true)
    return figures


def _build(champion: LoadedChampion, photographs: Photographs, pool: Indices, said: Indices) -> Artefact:
    """Return the artefact that the fast lane would build."""
    now, images = datetime(2026, 1, 1, tzinfo=UTC), photographs.images[pool]
    chosen = [photographs.digests[image] for image in pool]
    corrections = sorted(
        (
            Correction(UUID(int=int(image)), 1, photographs.labels[label], digest, digest, digest, now, UUID(int=0))
            for image, label, digest in zip(pool, said, chosen, strict=True)
        ),
        key=lambda one: one.image_id,
    )
    vectors = dict(zip(chosen, champion.extractor.features(images), strict=True))
    mirrored = dict(zip(chosen, champion.extractor.features(mirror(images)), strict=True))
    candidate = build_candidate(champion, corrections, vectors, mirrored if champion.wants_mirrored else None)
    parity = check_parity(candidate.artefact, vectors, dict(zip(chosen[:2], images, strict=False)))
    if not agrees(parity):
        raise SystemExit(f"numpy and onnxruntime differ by {parity.difference:.1e}.")
    return candidate.artefact


def _answers(artefact: Artefact, images: Images) -> Indices:
    return np.asarray(artefact.predict(images).probabilities.argmax(axis=1))


def _share(mask: Mask) -> float:
    return 100 * float(mask.mean()) if len(mask) else float("nan")


if __name__ == "__main__":
    main()

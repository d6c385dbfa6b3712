"""Trains a backbone by name, exports it and names it by its hash."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from hashlib import sha256

import numpy as np
import torch
from numpy.typing import NDArray

from services.trainer.model.blas_threads import one_blas_thread
from services.trainer.training import processes
from services.trainer.training.cnn import Cnn
from services.trainer.training.dinov2 import DinoV2
from services.trainer.training.export import export
from services.trainer.training.onnx_file import OnnxFile
from services.trainer.training.patches import Patches
from services.trainer.training.patches_and_cnn import PatchesAndCnn
from services.trainer.training.recipe import BackboneRecipe, LearnedInEpochs, Setting

PROBE_BATCH = 64


RECIPES: Mapping[str, BackboneRecipe] = {
    "patches": Patches(),
    "cnn": Cnn(),
    "patches+cnn": PatchesAndCnn(),
    "onnx": OnnxFile(),
    "dinov2": DinoV2(),
}


@dataclass(frozen=True)
class Backbone:
    """An exported backbone.

    onnx: the graph, `image` uint8 [batch, 96, 96, 3] -> `features` float32 [batch, d].
    id: its sha256 in hex, under which features are kept.
    probe_features: torch's features of the probe images, float32 [p, d], for the parity check.
    seconds: of each stage. curves: figures of each epoch by name, if it was learned in epochs.
    part_widths, mirror_proof, supervised: see `BackboneRecipe`.
    """

    kind: str
    onnx: bytes
    id: str
    probe_features: NDArray[np.float32]
    seconds: Mapping[str, float]
    part_widths: tuple[int, ...]
    mirror_proof: bool
    supervised: bool
    curves: Mapping[str, Sequence[float]] = field(default_factory=dict)


def recipe_names() -> tuple[str, ...]:
    """Return the names of all recipes, sorted."""
    return tuple(sorted(RECIPES))


def recipe_named(name: str, settings: Mapping[str, Setting] | None = None) -> BackboneRecipe:
    """Return the recipe with some hyper-parameters changed.

    Raises:
        ValueError: no recipe has this name, or the recipe has no such hyper-parameter.
    """
    recipe = RECIPES.get(name)
    if recipe is None:
        raise ValueError(f"There is no backbone {name!r}. Choose one of {', '.join(recipe_names())}.")
    known = {field.name for field in fields(recipe)}
    unknown = sorted(set(settings or {}) - known)
    if unknown:
        raise ValueError(f"Backbone {name!r} has no setting {', '.join(unknown)}. It has {', '.join(sorted(known))}.")
    return replace(recipe, **(settings or {}))


def recipe_parameters(name: str, settings: Mapping[str, Setting] | None = None) -> dict[str, Setting]:
    """Return all hyper-parameters, for the version hash and the record of the training."""
    recipe = recipe_named(name, settings)
    return {"backbone": name, **asdict(recipe), **recipe.contents()}


def train_backbone(
    name: str,
    images: NDArray[np.uint8],
    seed: int,
    settings: Mapping[str, Setting] | None = None,
    probe: NDArray[np.uint8] | None = None,
    labels: Sequence[str] = (),
) -> Backbone:
    """Learn a backbone from images uint8 [n, 96, 96, 3] and export it. `labels` are those of the images; only
    supervised recipes see them.

    The same images, seed and settings (and labels, if it sees them) give the same bytes, in any process on the same
    kind of CPU. `probe` are images uint8 [p, 96, 96, 3] whose features torch computes for the parity check; by
    default the first 16 training images. Under torchrun, all processes learn a supervised recipe together
    (`follow_trainings`), and end with the same weights.

    Raises:
        ValueError: the name or a setting is unknown, or the images have another shape.
        RuntimeError: the processes do not end with the same weights.
    """
    recipe = recipe_named(name, settings)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or not len(images):
        raise ValueError(f"Images are uint8 [n, size, size, 3] with n >= 1, not {images.dtype} {images.shape}.")
    started = time.perf_counter()
    if recipe.supervised and processes.rank() == 0:
        processes.hand_out(processes.BackboneJob(name, images, seed, settings or {}, labels))
    with one_blas_thread(), _one_torch_thread(), torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        network = recipe.learn(images, labels if recipe.supervised else (), seed)
        learned = time.perf_counter()
        probe = images[:16] if probe is None else probe
        if isinstance(network, torch.nn.Module):
            onnx = export(network.eval(), image_size=images.shape[1])
            probe_features = _features(network, probe)
        else:
            onnx, probe_features = network.onnx, network.features(probe)
    digest = sha256(onnx).hexdigest()
    if recipe.supervised:
        processes.check_agreement(digest)
    return Backbone(
        kind=name,
        onnx=onnx,
        id=digest,
        probe_features=probe_features,
        seconds={"backbone": learned - started, "export": time.perf_counter() - learned},
        part_widths=recipe.part_widths(probe_features.shape[1]),
        mirror_proof=recipe.mirror_proof,
        supervised=recipe.supervised,
        curves=network.curves if isinstance(network, LearnedInEpochs) else {},
    )


def follow_trainings() -> list[str]:
    """Under torchrun: learn what process 0 learns, together with it, until it says that there is no more. Return the
    ids of the backbones."""
    processes.size()  # joins the others
    learned = []
    while (job := processes.next_job()) is not None:
        learned.append(train_backbone(job.name, job.images, job.seed, job.settings, labels=job.labels).id)
    processes.leave()
    return learned


def end_followers() -> None:
    """Under torchrun: say, as process 0, that there is no more to learn."""
    processes.hand_out(None)
    processes.leave()


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _features(network: torch.nn.Module, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    with torch.inference_mode():
        batches = [
            network(torch.from_numpy(images[at : at + PROBE_BATCH])) for at in range(0, len(images), PROBE_BATCH)
        ]
        return torch.cat(batches).numpy() if batches else np.zeros((0, 0), dtype=np.float32)

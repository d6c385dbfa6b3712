"""What threads and batches bring a heavy backbone: docs/adr/0068-heavy-models.md has its figures.

    OPENBLAS_NUM_THREADS=1 python -m bench.heavy_backbone

A ViT-S/14 with random weights (nothing is learned: only its cost counts), as the backbone `dinov2` exports it, answers
pictures, in turns: in one process with one thread and with one for each core, with batches of 2 to 16; and in a process
for each core with one thread and with one for each core. The pace of each is given over that of the first, and whether
its features are the same to the last digit.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from services.predictor.model.onnx_model import build_session
from services.trainer.training import train_backbone
from shared.runtime.cores import usable_cores

WIDTH, LAYERS, SIDE, GRID = 384, 12, 14, 37
"""The sizes of DINOv2's ViT-S/14."""
Session = Any
"""Of onnxruntime, which has no types."""
BATCHES = (2, 4, 8, 16)
PICTURES = 16


def random_weights(
    width: int = WIDTH, layers: int = LAYERS, grid: int = GRID, deviation: float = 0.02
) -> dict[str, torch.Tensor]:
    """Return random weights with the names and shapes of facebookresearch/dinov2, by default of its ViT-S/14. `grid`:
    patches along a side of the images it was learned from."""
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, 1 + grid * grid, width),
        "mask_token": (1, width),
        "patch_embed.proj.weight": (width, 3, SIDE, SIDE),
        "patch_embed.proj.bias": (width,),
        "norm.weight": (width,),
        "norm.bias": (width,),
    }
    layer = {
        "norm1.weight": (width,),
        "norm1.bias": (width,),
        "attn.qkv.weight": (3 * width, width),
        "attn.qkv.bias": (3 * width,),
        "attn.proj.weight": (width, width),
        "attn.proj.bias": (width,),
        "ls1.gamma": (width,),
        "norm2.weight": (width,),
        "norm2.bias": (width,),
        "mlp.fc1.weight": (4 * width, width),
        "mlp.fc1.bias": (4 * width,),
        "mlp.fc2.weight": (width, 4 * width),
        "mlp.fc2.bias": (width,),
        "ls2.gamma": (width,),
    }
    for number in range(layers):
        shapes |= {f"blocks.{number}.{name}": shape for name, shape in layer.items()}
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=generator) * deviation for name, shape in shapes.items()}


def export(patches: int) -> bytes:
    """Return the graph of the backbone for images of 96 x 96 pixels."""
    images = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "weights.pth"
        torch.save(random_weights(), file)
        return train_backbone("dinov2", images, 0, {"file": str(file), "patches": patches}).onnx


def answer(session: Session, batch: int) -> NDArray[np.float32]:
    """Return the features of the pictures, [PICTURES, d], answered in batches."""
    images = np.random.default_rng(1).integers(0, 256, (PICTURES, 96, 96, 3), np.uint8)
    found = [session.run(None, {"image": images[at : at + batch]})[0] for at in range(0, PICTURES, batch)]
    return np.concatenate(found)


def keep_answering(file: Path, threads: int, orders: Connection) -> None:
    """Answer the pictures once for each order, until there are no more."""
    session = build_session(file.read_bytes(), threads)
    answer(session, 1)
    orders.send(0.0)
    while orders.recv():
        began = time.perf_counter()
        answer(session, 1)
        orders.send((time.perf_counter() - began) / PICTURES)


class Processes:
    """So many processes, which answer at the same time."""

    def __init__(self, file: Path, count: int, threads: int) -> None:
        context = get_context("spawn")
        self._orders = []
        for _ in range(count):
            ours, theirs = context.Pipe()
            context.Process(target=keep_answering, args=(file, threads, theirs), daemon=True).start()
            self._orders.append(ours)
        self._read()

    def seconds(self) -> float:
        """Return the seconds of one answer, over the number of processes."""
        for orders in self._orders:
            orders.send(True)
        return sum(self._read()) / len(self._orders) ** 2

    def close(self) -> None:
        """End the processes."""
        for orders in self._orders:
            orders.send(False)

    def _read(self) -> list[float]:
        return [orders.recv() for orders in self._orders]


def timed(run: Callable[[], object]) -> float:
    """Return the seconds of one picture."""
    began = time.perf_counter()
    run()
    return (time.perf_counter() - began) / PICTURES


def measure(patches: int, turns: int, folder: Path) -> None:
    """Print the table."""
    cores, file = usable_cores(), folder / "vit.onnx"
    file.write_bytes(export(patches))
    single, wide = build_session(file.read_bytes(), 1), build_session(file.read_bytes(), cores)
    beside = [Processes(file, cores, threads) for threads in (1, cores)]
    ways: dict[str, Callable[[], float]] = {
        "1 process, 1 thread": partial(timed, partial(answer, single, 1)),
        f"1 process, {cores} threads": partial(timed, partial(answer, wide, 1)),
        f"{cores} processes, 1 thread": beside[0].seconds,
        f"{cores} processes, {cores} threads": beside[1].seconds,
        **{f"1 process, batches of {size}": partial(timed, partial(answer, single, size)) for size in BATCHES},
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(turns + 1):
        for name, run in ways.items():
            found = run()
            if turn:  # the first one allocates
                seconds[name].append(found)
    for processes in beside:
        processes.close()
    first = median(seconds["1 process, 1 thread"])
    print(f"ViT-S/14, {patches} x {patches} patches, {file.stat().st_size / 1e6:.0f} MB; medians of {turns} turns")
    for name, each in seconds.items():
        print(f"{name:26s} {median(each) * 1000:6.1f} ms for each image, pace {first / median(each):.2f}")
    alone = answer(single, 1)
    print(f"features with {cores} threads the same: {np.array_equal(alone, answer(wide, 1))}")
    print(f"in batches of 4 the same: {np.array_equal(alone, answer(single, 4))}")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--patches", type=int, default=7)
    arguments.add_argument("--turns", type=int, default=7)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        measure(options.patches, options.turns, Path(temporary))

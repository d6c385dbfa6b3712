"""How long one answer of a backbone's graph takes, with the quadrant means as windows and as a matrix product.

Usage: python -m bench.graph [--rounds N]

All graphs take turns in one run, one onnxruntime thread, one image at a time; the medians of the turns and their ratios count.
"""

import argparse
import time
from statistics import median

import numpy as np
import torch
from torch import nn
from torch.nn.functional import avg_pool2d

from services.trainer.model.sessions import FeatureExtractor
from services.trainer.training.backbone import recipe_named
from services.trainer.training.export import export
from services.trainer.training.patches import PatchNetwork


class Windows(nn.Module):
    """The quadrant means by `avg_pool2d`, as they were: the reference of this benchmark."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        side = maps.shape[-1]
        half = (side + 1) // 2
        return avg_pool2d(maps, half, side - half).flatten(2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=40, help="turns of 20 answers each")
    rounds = parser.parse_args().rounds
    images = np.random.default_rng(0).integers(0, 256, (20, 96, 96, 3), dtype=np.uint8)
    product = recipe_named("patches").learn(images, 0)
    windows = recipe_named("patches").learn(images, 0)
    assert isinstance(windows, PatchNetwork)
    windows.quadrants = Windows()  # type: ignore[assignment]
    sessions = {
        name: FeatureExtractor(export(network.eval(), 96))
        for name, network in (("windows", windows), ("product", product))
    }
    first, second = (session.features(images) for session in sessions.values())
    print(f"features differ by at most {np.abs(first - second).max():.1e}")
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(rounds):
        for name, session in sessions.items():
            started = time.perf_counter()
            for image in images:
                session.features(image[None])
            times[name].append(1000 * (time.perf_counter() - started) / len(images))
    for name, spent in times.items():
        print(
            f"{name}: {median(spent):.3f} ms (least {min(spent):.3f}), {median(spent) / median(times['windows']):.2f}"
        )


if __name__ == "__main__":
    main()

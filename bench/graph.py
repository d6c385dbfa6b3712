"""How long one answer of a backbone's graph takes: `patches` today beside the graph with one scale that it was before.

Usage: python -m bench.graph [--rounds N]

All graphs take turns in one run, one onnxruntime thread, one image at a time; the medians of the turns and their ratios
count. `windows`: one scale, quadrant means by AveragePool; `product`: the same with the means as a matrix product.
"""

import argparse
import time
from statistics import median

import numpy as np
import torch
from torch import nn
from torch.nn.functional import avg_pool2d

from services.trainer.model.sessions import FeatureExtractor
from services.trainer.training import train_backbone
from services.trainer.training.export import export
from services.trainer.training.pooling import QuadrantMeans

POSITIONS = 31


class OneScale(nn.Module):
    """The graph of `patches` with one scale and 200 filters; how long it takes does not depend on its numbers."""

    def __init__(self, pooling: nn.Module) -> None:
        super().__init__()
        self.whiten = nn.Conv2d(3, 48, 6, 3)
        self.match = nn.Conv2d(48, 200, 1)
        self.pooling = pooling

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        whitened = self.whiten(image.permute(0, 3, 1, 2).to(torch.float32))
        norm = torch.sqrt((whitened * whitened).sum(dim=1, keepdim=True) + 1e-3)
        activations = torch.relu(self.match(whitened / norm))  # [b, 200, POSITIONS, POSITIONS]
        return torch.cat((self.pooling(activations).flatten(1), activations.amax(dim=(2, 3))), dim=1)


class Windows(nn.Module):
    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        half = (POSITIONS + 1) // 2
        return avg_pool2d(maps, half, POSITIONS - half)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=40, help="turns of 20 answers each")
    rounds = parser.parse_args().rounds
    images = np.random.default_rng(0).integers(0, 256, (20, 96, 96, 3), dtype=np.uint8)
    windows, product = OneScale(Windows()), OneScale(QuadrantMeans(POSITIONS))
    product.load_state_dict({**product.state_dict(), **windows.state_dict()})
    sessions = {
        "windows": FeatureExtractor(export(windows.eval(), 96)),
        "product": FeatureExtractor(export(product.eval(), 96)),
        "patches": FeatureExtractor(train_backbone("patches", images, 0).onnx),
    }
    features = {name: session.features(images) for name, session in sessions.items()}
    print(f"windows and product differ by at most {np.abs(features['windows'] - features['product']).max():.1e}")
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(rounds):
        for name, session in sessions.items():
            started = time.perf_counter()
            for image in images:
                session.features(image[None])
            times[name].append(1000 * (time.perf_counter() - started) / len(images))
    base = times["windows"]
    for name, spent in times.items():
        print(
            f"{name}: median {median(spent):.3f} ms, least {min(spent):.3f} ms;"
            f" over windows {median(spent) / median(base):.2f} and {min(spent) / min(base):.2f}"
        )


if __name__ == "__main__":
    main()

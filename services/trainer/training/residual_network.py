"""The network of the backbone `cnn` (He et al. 2016), and what it becomes after the training."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

COLOURED = 2_000
"""Of so many images, evenly taken, the colours are averaged."""


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        same = inputs == outputs and stride == 1
        self.shortcut = (
            nn.Identity()
            if same
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        )

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return [b, outputs, h / stride, w / stride] of [b, inputs, h, w]."""
        inner = torch.relu(self.first_norm(self.first(maps)))
        return torch.relu(self.second_norm(self.second(inner)) + self.shortcut(maps))


class ResidualNetwork(nn.Module):
    """A stem of stride 4, three blocks, the mean beside the maximum of each channel, and for the training a
    classifier."""

    centre: torch.Tensor
    spread: torch.Tensor

    def __init__(self, width: int, images: NDArray[np.uint8], classes: int, dropout: float) -> None:
        super().__init__()
        colours = images[:: -(-len(images) // COLOURED)].reshape(-1, 3).astype(np.float64)
        centre, spread = colours.mean(axis=0), np.maximum(colours.std(axis=0), 1.0)
        self.register_buffer("centre", torch.tensor(centre, dtype=torch.float32)[:, None, None])
        self.register_buffer("spread", torch.tensor(spread, dtype=torch.float32)[:, None, None])
        self.stem = nn.Conv2d(3, width, 7, 4, 3, bias=False)
        self.stem_norm = nn.BatchNorm2d(width)
        self.blocks = nn.Sequential(Block(width, width, 1), Block(width, 2 * width, 2), Block(2 * width, 4 * width, 2))
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(8 * width, classes))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return float32 [b, 8 * width] for float32 [b, 3, size, size], 0..255."""
        scaled = (pixels - self.centre) / self.spread
        maps = self.blocks(torch.relu(self.stem_norm(self.stem(scaled))))  # [b, 4 * width, size / 16, size / 16]
        return torch.cat((maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))), dim=1)

    def classify(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of the training's own classifier, [b, classes]."""
        logits: torch.Tensor = self.classifier(self(pixels))
        return logits


class MirrorMean(nn.Module):
    """The mean of the features of an image and of its mirror image. curves: see `LearnedInEpochs`."""

    def __init__(self, network: ResidualNetwork, curves: Mapping[str, Sequence[float]]) -> None:
        super().__init__()
        self.network = network
        self.curves = curves

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return float32 [b, d] for uint8 [b, size, size, 3]."""
        pixels = image.permute(0, 3, 1, 2).to(torch.float32)
        features: torch.Tensor = 0.5 * (self.network(pixels) + self.network(pixels.flip(3)))
        return features

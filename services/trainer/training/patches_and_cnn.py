"""`patches+cnn`: both backbones side by side. Each has a head of its own, and their probabilities are averaged.

One head on all features at once is worse than `patches` alone: the features of the network already fit the images that
it has learned.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from services.trainer.training.cnn import Cnn
from services.trainer.training.patches import Patches


@dataclass(frozen=True)
class PatchesAndCnn(Cnn, Patches):
    """The hyper-parameters of both."""

    def learn(self, images: NDArray[np.uint8], labels: Sequence[str], seed: int) -> nn.Module:
        """See `BackboneRecipe.learn`."""
        patches = Patches.learn(self, images, (), seed)
        network = self.learn_network(images, labels, seed)
        return SideBySide(patches, network, curves=network.curves)

    def part_widths(self, features: int) -> tuple[int, ...]:
        """See `BackboneRecipe.part_widths`."""
        of_network = 8 * self.width
        return (features - of_network, of_network)


class SideBySide(nn.Module):
    """The features of one network, then those of the other. curves: see `LearnedInEpochs`."""

    def __init__(self, *networks: nn.Module, curves: Mapping[str, Sequence[float]]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.curves = curves

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return float32 [b, d] for uint8 [b, size, size, 3]."""
        return torch.cat([network(image) for network in self.networks], dim=1)
